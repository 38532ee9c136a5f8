//! Lists, page by page, up to as many items as were asked for.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{AskError, Session, admin::Query};
use crate::cli::output::{Column, Table, notice};

/// The most items that the server gives at once.
const PAGE_ITEMS_MAX: usize = 1000;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next: Option<String>,
}

/// Prints the items of a list, each page as it comes: a table, or one line of JSON for each. Answers how many there were.
pub(in crate::cli) async fn list(
    session: &mut Session,
    path: &str,
    query: Query<'_>,
    items_max: usize,
    columns: &'static [Column],
) -> Result<usize, AskError> {
    let mut table = Table::new(columns);
    let (mut found, mut cursor) = (0, None);
    loop {
        let wanted = (items_max - found).min(PAGE_ITEMS_MAX);
        let mut parameters = query.to_vec();
        parameters.extend([("limit", Some(wanted.to_string())), ("cursor", cursor.take())]);
        let answer = session.admin.get(path, &parameters).await?;
        let page: Page<'_> = serde_json::from_slice(&answer).map_err(|_| session.admin.unreadable())?;
        for item in page.items.iter().take(wanted) {
            if session.out.is_json() {
                session.out.json(item.get())?;
            } else {
                table.add(&serde_json::from_str::<Value>(item.get()).unwrap_or_default());
            }
            found += 1;
        }
        cursor = page.next;
        session.out.table(&table)?;
        session.out.flush()?;
        table.next_page();
        if cursor.is_none() || found >= items_max {
            break;
        }
    }
    if cursor.is_some() {
        notice(&format!("there are more than {items_max}: see --limit"));
    } else if found == 0 {
        notice("nothing found");
    }
    Ok(found)
}
