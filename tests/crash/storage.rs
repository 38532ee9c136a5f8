//! What the database holds in the end, read by connections of its own.

use std::{env, path::PathBuf};

use sqlx::{
    AssertSqlSafe, Connection as _, FromRow, PgConnection, SqliteConnection, postgres::PgRow,
    sqlite::SqliteRow,
};
use uuid::Uuid;

use crate::payload::{Content, Element};

/// Holds the address of a running PostgreSQL, with the rights of a superuser.
const SERVER: &str = "TIDEGATE_TEST_POSTGRES";

/// How many texts PostgreSQL is given at a time.
const TEXTS: usize = 2000;

/// The database of one proof.
pub(crate) enum Storage {
    Sqlite(PathBuf),
    /// Removed when the proof is done; left for a look when it fails.
    Postgres {
        admin_url: String,
        name: String,
    },
}

/// All rows that a proof looks at.
pub(crate) struct Stored {
    pub(crate) events: Vec<EventRow>,
    pub(crate) refusals: Vec<RefusalRow>,
    pub(crate) cursors: Vec<Cursor>,
}

/// A row of `events`.
pub(crate) struct EventRow {
    pub(crate) id: Uuid,
    /// By its dedup key; `None` if it has none of ours.
    pub(crate) element: Option<Element>,
    pub(crate) content: Content,
}

/// A row of `refusals`.
pub(crate) struct RefusalRow {
    pub(crate) id: Uuid,
    pub(crate) rule: String,
    pub(crate) body: String,
}

/// A row of `cursors`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) conflicts: u64,
    pub(crate) dead: u64,
    pub(crate) refusals: u64,
    pub(crate) gaps: u64,
}

impl Storage {
    pub(crate) fn sqlite(file: PathBuf) -> Self {
        Self::Sqlite(file)
    }

    /// An empty database on the tests' server.
    pub(crate) async fn postgres() -> Self {
        let admin_url = env::var(SERVER).unwrap_or_else(|_| {
            panic!("{SERVER} is not set: run scripts/with-postgres cargo test --test crash")
        });
        Self::postgres_at(admin_url).await
    }

    /// An empty database on this server.
    pub(crate) async fn postgres_at(admin_url: String) -> Self {
        let name = format!("crash_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&admin_url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        Self::Postgres { admin_url, name }
    }

    /// The setting that leads a collector here; SQLite needs none.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres { admin_url, name } => {
                let (server, _) = admin_url.rsplit_once('/').unwrap();
                Some(format!("{server}/{name}"))
            }
        }
    }

    /// Removes what does not go with the temporary directory.
    pub(crate) async fn remove(self) {
        if let Self::Postgres { admin_url, name } = self {
            let mut connection = PgConnection::connect(&admin_url).await.unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
        }
    }

    /// Whether this event is there; not if there are no tables yet.
    pub(crate) async fn has(&self, element: Element) -> bool {
        let sql = format!("SELECT dedup_key FROM events WHERE dedup_key = '{}'", element.message_id());
        self.rows::<(String,)>(&sql).await.is_ok_and(|rows| !rows.is_empty())
    }

    /// Everything.
    pub(crate) async fn read(&self) -> Stored {
        let text = |column: &str| match self {
            Self::Sqlite(_) => column.to_owned(),
            Self::Postgres { .. } => format!("{column}::text"),
        };
        let events = format!(
            "SELECT {}, dedup_key, {}, {} FROM events",
            text("event_id"),
            text("event"),
            text("context")
        );
        let events = self.rows::<(String, Option<String>, String, String)>(&events).await.unwrap();
        let refusals = format!("SELECT {}, rule, body FROM refusals", text("refusal_id"));
        let refusals = self.rows::<(String, String, Vec<u8>)>(&refusals).await.unwrap();
        Stored {
            events: events
                .into_iter()
                .map(|(id, key, event, context)| EventRow {
                    id: id.parse().unwrap(),
                    element: key.as_deref().and_then(Element::named),
                    content: Content { event, context },
                })
                .collect(),
            refusals: refusals
                .into_iter()
                .map(|(id, rule, body)| RefusalRow {
                    id: id.parse().unwrap(),
                    rule,
                    body: String::from_utf8(body).unwrap(),
                })
                .collect(),
            cursors: self.cursors().await.unwrap(),
        }
    }

    /// These contents as this database holds what it was given unaltered: SQLite the same bytes, PostgreSQL whatever
    /// its own `jsonb` makes of them, which keeps every digit and lets no value differ.
    pub(crate) async fn unaltered(&self, sent: Vec<Content>) -> Vec<Content> {
        let Some(url) = self.url() else { return sent };
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let mut unaltered = Vec::new();
        for chunk in sent.chunks(TEXTS) {
            let (payloads, contexts): (Vec<_>, Vec<_>) =
                chunk.iter().map(|content| (&*content.event, &*content.context)).unzip();
            let sql = "SELECT event::jsonb::text, context::jsonb::text \
                 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS sent (event, context, place) ORDER BY place";
            let rows = sqlx::query_as::<_, (String, String)>(sql).bind(payloads).bind(contexts);
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            unaltered.extend(rows.into_iter().map(|(event, context)| Content { event, context }));
        }
        unaltered
    }

    async fn cursors(&self) -> sqlx::Result<Vec<Cursor>> {
        let sql = "SELECT first_sequence, next_sequence, stored, duplicates, conflicts, dead, refusals, gaps FROM cursors";
        let rows = self.rows::<(i64, i64, i64, i64, i64, i64, i64, i64)>(sql).await?;
        let count = |number: i64| u64::try_from(number).unwrap();
        let cursor = |(first, next, stored, duplicates, conflicts, dead, refusals, gaps)| Cursor {
            first: count(first),
            next: count(next),
            stored: count(stored),
            duplicates: count(duplicates),
            conflicts: count(conflicts),
            dead: count(dead),
            refusals: count(refusals),
            gaps: count(gaps),
        };
        Ok(rows.into_iter().map(cursor).collect())
    }

    pub(crate) async fn rows<T>(&self, sql: &str) -> sqlx::Result<Vec<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        let sql = AssertSqlSafe(sql);
        match self.url() {
            None => {
                let Self::Sqlite(file) = self else { return Ok(Vec::new()) };
                let mut connection =
                    SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
                sqlx::query_as(sql).fetch_all(&mut connection).await
            }
            Some(url) => {
                let mut connection = PgConnection::connect(&url).await?;
                sqlx::query_as(sql).fetch_all(&mut connection).await
            }
        }
    }
}
