//! JSON that is legal, or nearly, and meant to hurt.

use serde_json::json;

use crate::{
    client::Request,
    server::{KEY, track},
    stage::Stage,
};

pub(crate) fn cases(stage: &mut Stage<'_>) {
    let with =
        |value: &str| track("").replace(r#""messageId":"""#, &format!(r#""properties":{{"p":{value}}}"#));
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let all = [
        ("900,000 brackets deep", "400", with(&nested(900_000))),
        ("brackets without an end", "400", "[".repeat(2_000_000)),
        ("nested as deep as it may be", "200", with(&nested(62))),
        ("one deeper", "400", with(&nested(63))),
        ("a number of a million digits", "400", with(&"9".repeat(1_000_000))),
        ("numbers that unpack to gigabytes", "400", with(&format!("[{}]", vec!["1e131071"; 1000].join(",")))),
        ("100,000 members", "200", with(&members(100_000))),
        ("100,000 members of one name", "200", with(&format!("{{{}}}", vec![r#""a":1"#; 100_000].join(",")))),
        ("a string of 1.9 MB", "200", with(&format!("\"{}\"", "x".repeat(1_900_000)))),
        ("a string of 300,000 escapes", "200", with(&format!("\"{}\"", "\\u0000".repeat(300_000)))),
        ("2 MB of blanks around an event", "200", " ".repeat(1_900_000) + &with("1")),
        ("a body of 2 MiB and one byte", "413", "x".repeat((2 << 20) + 1)),
    ];
    for (name, status, body) in all {
        stage.case(name, &[status], |abuser| drop(abuser.post(body.as_str())));
    }
    stage.case("batches: none, most, one too many", &["200", "413"], |abuser| {
        let batch = |events: usize| format!("[{}]", vec![with("1"); events].join(","));
        for events in [0, 4000, 4001] {
            abuser.post(batch(events));
        }
    });
    stage.case("batches of nothing but mistakes", &["400"], |abuser| {
        abuser.post(format!("[{}]", vec!["null"; 4000].join(",")));
        abuser.post("[".to_owned() + &with("1") + ",");
    });
    stage.case("batches with good ones among bad ones", &["200"], |abuser| {
        let mixed = format!("[{},7,{{}},[],\"x\",{},{}]", with("1"), with("2"), with(&nested(100)));
        let told = abuser.post(mixed).json();
        assert_eq!((&told["committed"], &told["refused"]), (&json!(2), &json!(5)));
    });
    stage.case("one messageId four thousand times", &["200"], |abuser| {
        abuser.post(format!("[{}]", vec![track("again"); 4000].join(",")));
    });
    stage.case("invalid UTF-8, everywhere", &["400", "401", "404"], |abuser| {
        let bad = b"\xff\xfe\x80\xc0\xaf\xed\xa0\x80";
        abuser.post([b"{\"a\":\"", &bad[..], b"\"}"].concat());
        abuser.post(&bad[..]);
        let raw = |head: &[u8]| {
            [
                b"POST ",
                head,
                b" HTTP/1.1\r\nHost: a\r\nX-Request-Id: ",
                &bad[..],
                b"\r\nX-Mm-Geo: ",
                &bad[..],
                b"\r\nContent-Length: 0\r\n\r\n",
            ]
            .concat()
        };
        abuser.exchange(&raw(&[b"/v1/segment/web?key=", &bad[..]].concat()));
        abuser.exchange(&raw(b"/v1/segment/web?key=%ff%fe"));
        abuser.exchange(&raw(b"/v1/segment/%ff%fe"));
    });
    stage.case("a firehose of garbage", &["400"], |abuser| {
        abuser.send(&Request::post(&format!("/v1/bof/mm?key={KEY}"), vec![0xa5; 500_000]));
        abuser.send(&Request::post(&format!("/v1/bof/mm?key={KEY}"), "{\"a\":".repeat(100_000)));
    });
}

fn members(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|name| format!("\"{name}\":0")).collect();
    format!("{{{}}}", members.join(","))
}
