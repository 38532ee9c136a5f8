//! Paths, methods, secrets and headers of a delivery.

use serde_json::{Value, json};

use super::{deliver, delivery, firehose, mm, record};
use crate::{
    client::Request,
    server::{KEY, Site, assert_has},
};

#[test]
fn path_and_headers_stand_in_for_what_records_lack() {
    let site = Site::new(&firehose("mm", ""));
    let server = site.start();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let request = Request::new(method, &format!("/v1/bof/{path}?key={KEY}")).with_body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_has(&server.send(&request).expect(200), &json!({"committed": 1, "refused": 0}));
    };
    let headers = [
        ("x-mm-channel-type", "VIDEO"),
        ("X-MM-EXCH-ID", "15"),
        ("X-Mm-Geo", "60231"),
        ("X-Mm-Deal-Id", "D7"),
    ];
    send("POST", "mm/ewr", &headers, r#"{"AuctionId":1}"#);
    send("PUT", "mm/lab-7", &headers, r#"{"AuctionId":2,"ExchangeId":null,"ChannelType":"SEARCH","Geo":""}"#);
    send("PUT", "mm", &headers[..1], r#"{"AuctionId":18446744073709551615,"ExchangeId":7}"#);
    server.stop();

    let rows: Vec<(String, String, String)> =
        site.rows("SELECT dedup_key, event_source, context FROM events ORDER BY event_id");
    let found = rows.iter().map(|(key, channel_type, context)| {
        let context: Value = serde_json::from_str(context).unwrap();
        assert_eq!(context["channel_type"], channel_type.as_str());
        let members = ["data_center", "exchange_id", "geo_id", "deal_ids"];
        json!([key, channel_type, members.map(|name| &context[name])])
    });
    let expected = [
        json!(["15:1", "VIDEO", ["ewr", "15", "60231", ["D7"]]]),
        json!(["15:2", "SEARCH", ["lab-7", "15", "60231", ["D7"]]]),
        json!(["7:18446744073709551615", "VIDEO", [null, "7", null, []]]),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn required_fields_are_asked_for_as_the_settings_say() {
    let site = Site::new(&[firehose("both", ""), mm(""), firehose("neither", "required = []")].concat());
    let server = site.start();
    let records = [record("a"), r#"{"ChannelType":"VIDEO"}"#.into(), "{}".into()].join("\n");
    for (source, committed) in [("both", 0), ("mm", 1), ("neither", 3)] {
        let answer = server.send(&delivery(source, records.as_str())).expect(200);
        assert_has(&answer, &json!({"committed": committed, "refused": 3 - committed}));
    }
}

#[test]
fn whoever_may_not_deliver_is_told_so() {
    let away = "allowed_networks = [\"192.0.2.0/24\"]";
    let near = "required = []\nallowed_networks = [\"127.0.0.0/8\"]";
    let site = Site::new(&[mm(""), firehose("away", away), firehose("near", near)].concat());
    let server = site.start();
    let send = |method: &str, target: &str| server.send(&Request::new(method, target).with_body(record("a")));
    for method in ["PATCH", "GET", "DELETE", "OPTIONS"] {
        let answer = send(method, &format!("/v1/bof/mm?key={KEY}")).expect(405);
        assert_eq!(answer.header("allow"), Some("POST, PUT"), "{method}");
    }
    for (target, status) in [
        ("mm?key=wrong", 401),
        ("mm", 401),
        ("mm/ewr?key=", 401),
        (&format!("mm/?key={KEY}"), 404),
        (&format!("mm/ewr/?key={KEY}"), 404),
        (&format!("mm/ewr/ord?key={KEY}"), 404),
        (&format!("MM?key={KEY}"), 404),
        (&format!("?key={KEY}"), 404),
        // The network is looked at before the key.
        ("away?key=wrong", 403),
        (&format!("away/ewr?key={KEY}"), 403),
        (&format!("near?key={KEY}"), 200),
    ] {
        send("POST", &format!("/v1/bof/{target}")).expect(status);
    }
    send("POST", &format!("/v1/segment/mm?key={KEY}")).expect(404);
    deliver(&server, record("a")).expect(200);
    server.stop();
    assert_eq!(site.count("events"), 2);
    assert_eq!(site.count("refusals"), 0);
}
