//! Text that means something to whoever shows it carelessly: it is stored as it was sent, and no line of a log is made
//! by anybody but the server.

use serde_json::{Value, json};

use crate::{
    client::Request,
    server::{KEY, until},
    stage::Stage,
};

const TEXTS: &[&str] = &[
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "+1-1",
    "\t=1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "'); DROP TABLE events; --",
    "\" OR \"\"=\"",
    "$(rm -rf /) `id` ${jndi:ldap://x}",
    "{{7*7}} %s %n %x",
    "a\r\nSet-Cookie: x=1\r\n\r\n2026-01-01T00:00:00Z ERROR forged",
    "\u{1b}[2J\u{1b}[31mred\u{7}",
    "\u{2028}\u{2029}\u{202e}gnp.exe",
    "\u{feff}\u{200b}\u{0}\u{ffff}",
    "../../etc/passwd\0.png",
    "🏳️‍🌈 Ａｄｍｉｎ ﷽",
];

pub(crate) fn cases(stage: &mut Stage<'_>) {
    stage.case("text that others would execute", &["200"], |abuser| {
        for (number, text) in TEXTS.iter().enumerate() {
            let request =
                Request::post(&format!("/v1/segment/abused?key={KEY}"), event(number, text).to_string());
            // Where a header can carry it, it comes there as well.
            let header: String = text.chars().filter(char::is_ascii_graphic).collect();
            abuser.send(&request.header("X-Request-Id", &header).header("traceparent", &header));
        }
    });
    let site = stage.server.site;
    let rows: Vec<(String, String, String, Option<String>, String, String)> =
        until("the texts are stored", || {
            let rows = site.rows(
                "SELECT dedup_key, event_type, event_source, user_id, agent, event FROM events \
             WHERE dedup_key LIKE 'text-%' ORDER BY CAST(substr(dedup_key, 6) AS INTEGER)",
            );
            (rows.len() == TEXTS.len()).then_some(rows)
        });
    for (number, (row, text)) in rows.iter().zip(TEXTS).enumerate() {
        let kept = text.replace('\0', "\u{fffd}");
        let (key, event_type, channel, user, agent, event) = row;
        assert_eq!(*key, format!("text-{number}"));
        assert_eq!([event_type, channel, agent], [&kept; 3]);
        assert_eq!(user.as_ref(), Some(&kept));
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["properties"][&kept], json!([kept]));
    }
    for line in stage.server.log().lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let message = parsed["message"].as_str().unwrap();
        assert!(parsed["level"].is_string() && !message.contains("forged"), "{line}");
    }
}

fn event(number: usize, text: &str) -> Value {
    json!({
        "type": "track", "event": text, "channel": text, "userId": text, "anonymousId": text,
        "timestamp": "2026-01-31T12:00:00Z", "messageId": format!("text-{number}"),
        "properties": { text: [text] }, "context": { "userAgent": text, "ip": text },
    })
}
