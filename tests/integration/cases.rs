//! The behaviour cases of the Segment source, preset edx: each is sent, and its answer and its row are compared.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Answer, Request},
    json::Json,
    server::{Server, Site, source},
};

/// The cases share this message id. Each gets one of its own, or they were duplicates of each other.
const SHARED_MESSAGE_ID: &str = "msg-0001";

/// Where edX deployments send to; the largest group of cases owns it.
const REFERENCE_PATH: &str = "/segmentio/event";

#[derive(Deserialize)]
struct Case {
    name: String,
    why: String,
    secret_config: Option<String>,
    allowed_channels: Vec<String>,
    allowed_actions: Vec<String>,
    method: String,
    path: Option<String>,
    query: String,
    headers: BTreeMap<String, String>,
    body: Box<RawValue>,
    expect_status: u16,
    expect_json: Box<RawValue>,
    expect_event: Box<RawValue>,
    #[serde(default)]
    expect_absent: Vec<String>,
    #[serde(default)]
    expect_absent_or_empty: Vec<String>,
}

impl Case {
    /// What tells one source from another.
    fn settings(&self) -> String {
        let quoted = |text: &String| toml::Value::from(text.as_str()).to_string();
        let list = |items: &[String]| items.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let secret =
            self.secret_config.as_ref().map(|secret| format!("{{ id = \"k\", value = {} }}", quoted(secret)));
        format!(
            "preset = \"edx\"\nusers = \"directory\"\nallowed_channels = [{}]\nallowed_actions = [{}]\nsecrets = [{}]",
            list(&self.allowed_channels),
            list(&self.allowed_actions),
            secret.unwrap_or_default(),
        )
    }

    fn request(&self, path: &str, message_id: &str) -> Request {
        let target = if self.query.is_empty() { path.to_owned() } else { format!("{path}?{}", self.query) };
        let body = match Json::parse(self.body.get()).unwrap() {
            Json::Null => String::new(),
            Json::Text(text) => text,
            _ => self.body.get().to_owned(),
        };
        let body = body.replace(SHARED_MESSAGE_ID, message_id);
        let request = Request::new(&self.method, &target).header("Host", "testserver").with_body(body);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// What is wrong with the answer.
    fn judge_answer(&self, answer: &Answer) -> Option<String> {
        if answer.status != self.expect_status {
            return Some(format!(
                "status {}, expected {}: {}",
                answer.status,
                self.expect_status,
                answer.text()
            ));
        }
        let expected = Json::parse(self.expect_json.get()).unwrap();
        let fits = expected == Json::Null
            || Json::parse(&answer.text()).is_ok_and(|found| expected.is_part_of(&found));
        (!fits).then(|| format!("answered {}, expected {expected:?}", answer.text()))
    }

    /// What is wrong with the row.
    fn judge_row(&self, row: Option<&Json>) -> Vec<String> {
        let (Json::Object(expected), Some(row)) = (Json::parse(self.expect_event.get()).unwrap(), row) else {
            let is_expected = self.expect_event.get() != "null";
            let wrong = is_expected != row.is_some();
            return wrong
                .then(|| format!("stored: {}, expected: {is_expected}", row.is_some()))
                .into_iter()
                .collect();
        };
        let differs = expected.iter().filter_map(|(column, value)| {
            let found = row.at(column);
            let fits = found.is_some_and(|found| value.is_part_of(found));
            (!fits).then(|| format!("{column} is {found:?}, expected {value:?}"))
        });
        let present =
            self.expect_absent.iter().filter(|path| !matches!(row.at(path), None | Some(Json::Null)));
        let filled = self.expect_absent_or_empty.iter().filter(|path| match row.at(path) {
            None | Some(Json::Null) => false,
            Some(value) => *value != Json::Text(String::new()),
        });
        differs.chain(present.chain(filled).map(|path| format!("{path} must be absent"))).collect()
    }
}

#[test]
fn every_case_is_answered_and_stored_as_agreed() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/segment-cases.json")).unwrap();
    assert!(cases.len() >= 146, "cases are missing");
    let sources = by_settings(&cases);
    let settings: String = sources
        .iter()
        .enumerate()
        .map(|(index, settings)| {
            let paths = if index == 0 { format!("paths = [\"{REFERENCE_PATH}\"]") } else { String::new() };
            source(&format!("s{index}"), &format!("{settings}\n{paths}"))
        })
        .collect();
    let site = Site::new(&settings);
    site.write("users.csv", "id,username\n1,learner1\n7,learner7\n");
    assert!(site.run(&["users", "import", "users.csv"]).status.success());
    let server = site.start();

    let answers: Vec<Answer> =
        cases.iter().enumerate().map(|(index, case)| ask(&server, case, index, &sources)).collect();
    let stored = cases.iter().filter(|case| case.expect_event.get() != "null").count();
    site.wait_until_stored("events", i64::try_from(stored).unwrap());
    let rows = rows(&site);

    let mut failures = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let receipt = Json::parse(&answer.text()).ok().and_then(|json| json.at("receipt").cloned());
        let row = rows.iter().find(|row| row.at("event_id") == receipt.as_ref());
        for wrong in
            case.judge_answer(answer).into_iter().chain(case.judge_row(row.filter(|_| receipt.is_some())))
        {
            failures.push(format!("{}: {wrong} ({})", case.name, case.why));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// The settings that the cases need, the most frequent first.
fn by_settings(cases: &[Case]) -> Vec<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    for case in cases {
        *counts.entry(case.settings()).or_default() += 1;
    }
    let mut settings: Vec<_> = counts.into_iter().collect();
    settings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    settings.into_iter().map(|(settings, _)| settings).collect()
}

fn ask(server: &Server<'_>, case: &Case, index: usize, sources: &[String]) -> Answer {
    let place = sources.iter().position(|settings| *settings == case.settings()).unwrap();
    let own_path = if place == 0 { REFERENCE_PATH.to_owned() } else { format!("/v1/segment/s{place}") };
    let path = case.path.as_ref().map_or(own_path.clone(), |path| path.replace(REFERENCE_PATH, &own_path));
    server.send(&case.request(&path, &format!("case-{index}")))
}

/// Every event as an object of its columns, JSON columns parsed.
fn rows(site: &Site) -> Vec<Json> {
    let rows: Vec<(String, String, String)> = site.rows(
        "SELECT json_object('event_id', event_id, 'source', source, 'kind', kind, 'dedup_key', dedup_key, \
         'action', action, 'event_type', event_type, 'name', name, 'event_source', event_source, 'time', time, \
         'received_at', received_at, 'user_id', user_id, 'anonymous_id', anonymous_id, 'username', username, \
         'page', page, 'host', host, 'agent', agent, 'ip', ip, 'sanitised', sanitised), event, context FROM events",
    );
    let whole = |(columns, event, context): &(String, String, String)| {
        let columns = columns.strip_suffix('}').unwrap();
        Json::parse(&format!("{columns},\"event\":{event},\"context\":{context}}}")).unwrap()
    };
    rows.iter().map(whole).collect()
}
