//! `tidegate explain`: what each rule says about an event, nothing stored.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    client::{AskError, Asking, Session, header},
    exit::Exit,
    output::{Column, Output, Show, Table, bytes, detail, member},
};
use crate::ingest::explain::EXPLAINED_BYTES_MAX;

const CHECKS: &[Column] = &[
    Column::new("rule", "/rule", Show::Text),
    Column::new("verdict", "/verdict", Show::Text),
    Column::new("at", "/pointer", Show::Text),
    Column::new("message", "/message", Show::Whole),
];

#[derive(Args)]
pub(super) struct Explain {
    #[command(flatten)]
    pub(super) asking: Asking,
    /// The event or batch, as its sender would send it, of at most 1 MiB and 100 elements; - for standard input
    file: PathBuf,
    /// The source that it would be sent to
    #[arg(long, value_name = "NAME")]
    source: String,
    /// A header that it would have, such as 'Content-Encoding: gzip'; may be given several times
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Deserialize)]
struct Explained<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    header(text).ok_or_else(|| "must be a header such as 'Content-Encoding: gzip'".into())
}

/// Ends with 1 if something would be refused.
pub(super) async fn run(session: &mut Session, explain: Explain) -> Result<Exit, AskError> {
    let body = read(&explain.file)?;
    let headers = explain.headers.into_iter().collect();
    let query = [("source", Some(explain.source))];
    let answer = session.admin.post_bytes("/explain", &query, headers, body.into()).await;
    let answer = answer.map_err(AskError::into_bad_name)?;
    let explained: Explained<'_> = serde_json::from_slice(&answer).map_err(|_| session.admin.unreadable())?;
    let out = &mut session.out;
    let mut refused = false;
    if out.is_json() {
        out.json(&String::from_utf8_lossy(&answer))?;
    }
    for (index, result) in explained.results.iter().enumerate() {
        let value: Value = serde_json::from_str(result.get()).unwrap_or_default();
        refused |= member(&value, "/outcome") == "refused";
        if !out.is_json() {
            if index > 0 {
                out.line("")?;
            }
            show(out, &value, result.get())?;
        }
    }
    Ok(if refused { Exit::Failed } else { Exit::Done })
}

fn show(out: &mut Output, result: &Value, json: &str) -> Result<(), AskError> {
    let of = |pointer| member(result, pointer);
    let mut line = format!("element {}: {}", of("/element"), of("/outcome"));
    if result.get("rule").is_some_and(Value::is_string) {
        let _ = write!(line, " by {} at {}: {}", of("/rule"), of("/pointer"), of("/message"));
    }
    out.line(&line)?;
    let mut table = Table::new(CHECKS);
    table.add_all(result.get("checks").unwrap_or(&Value::Null));
    out.table(&table)?;
    for (name, value) in super::output::members(json) {
        if name == "event" && value.get() != "null" {
            out.line(&format!("\n{}", detail(value.get(), &[]).trim_end()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, AskError> {
    let unreadable = |source| AskError::Input { path: path.to_owned(), source };
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut body = Vec::new();
    let most = EXPLAINED_BYTES_MAX as u64;
    input.take(most + 1).read_to_end(&mut body).map_err(unreadable)?;
    if body.len() > EXPLAINED_BYTES_MAX {
        let words = format!("{}: too large: at most {} are explained at once", path.display(), bytes(most));
        return Err(AskError::BadInput(words));
    }
    Ok(body)
}
