//! What a source would say, rule by rule.

use super::{assert_problem, get, request, send};
use crate::server::{Site, track, web};

#[test]
fn each_rule_says_its_word_and_nothing_is_kept() {
    let site = Site::new(&web(r#"allowed_actions = ["track"]"#));
    let server = site.start();
    let ask = |body: &str| {
        let ask = request(&server, "POST", "/explain?source=web").with_body(body);
        send(&server, &ask).expect(200).json()
    };
    let verdict = |explained: &serde_json::Value, rule: &str| {
        let checks = explained["results"][0]["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["rule"] == rule)
            .unwrap_or_else(|| panic!("{rule}: {explained}"));
        check["verdict"].as_str().unwrap().to_owned()
    };
    let fine = ask(&track("m"));
    assert_eq!(fine["results"][0]["outcome"], "committed");
    assert_eq!(fine["results"][0]["event"]["dedup_key"], "m");
    assert_eq!(verdict(&fine, "timestamp.missing"), "passed");
    assert_eq!(verdict(&fine, "received_at.missing"), "off");

    let refused = ask(r#"{"type":"track","timestamp":"2026-01-31T12:00:00Z"}"#);
    assert_eq!(
        (&refused["results"][0]["outcome"], &refused["results"][0]["rule"]),
        (&"refused".into(), &"user.missing".into())
    );
    assert_eq!(verdict(&refused, "action.ignored"), "passed");
    assert_eq!(verdict(&refused, "user.missing"), "broken");
    assert_eq!(verdict(&refused, "timestamp.missing"), "not_reached");

    let ignored = ask(r#"{"type":"page"}"#);
    assert_eq!(
        (&ignored["results"][0]["outcome"], &ignored["results"][0]["rule"]),
        (&"ignored".into(), &"action.ignored".into())
    );
    let batch = ask(&format!("[{},7]", track("b")));
    assert_eq!(batch["results"][1]["rule"], "body.not_object");

    let outcomes = &get(&server, "/status")["sources"][0]["outcomes"];
    assert_eq!(outcomes["received"], 0, "nothing is counted");
    assert_eq!(get(&server, "/status")["spool"]["end"], 0, "nothing is kept");
    let answer = send(&server, &request(&server, "POST", "/explain?source=nobody").with_body("{}"));
    assert_problem(&answer, 404, "not_found");
    assert_problem(
        &send(&server, &request(&server, "POST", "/explain").with_body("{}")),
        400,
        "invalid_parameter",
    );
}
