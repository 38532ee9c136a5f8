//! Heads that are too large, and requests with two meanings.

use crate::{
    server::{KEY, track},
    stage::Stage,
};

pub(crate) fn cases(stage: &mut Stage<'_>) {
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let floods = [
        ("a hundred headers", "431", get("/livez", &"X: a\r\n".repeat(100))),
        ("half a megabyte of headers", "431", get("/livez", &format!("X: {}\r\n", "x".repeat(500_000)))),
        (
            "half a megabyte of header, unended",
            "431",
            "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(500_000),
        ),
        ("a target of 70 KB", "414", get(&format!("/{}", "p".repeat(70_000)), "")),
        ("a query of 60 KB", "414", get(&format!("/livez?{}", "q".repeat(60_000)), "")),
        (
            "a query of 4 KB of keys",
            "401",
            get(&format!("/v1/segment/web?{}", "key=x&".repeat(680)), "").replace("GET", "POST"),
        ),
    ];
    for (name, status, bytes) in floods {
        stage.case(name, &[status], |abuser| drop(abuser.exchange(bytes.as_bytes())));
    }
    stage.case("requests with two meanings", &["400"], |abuser| {
        for (index, smuggling) in smuggling().iter().enumerate() {
            let answers = abuser.exchange(smuggling.as_bytes());
            assert!(answers.starts_with("HTTP/1.1 400"), "number {index}: {answers:?}");
        }
    });
    stage.case("the same behind a good request", &["200 then 400"], |abuser| {
        let good = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
        for smuggling in smuggling() {
            abuser.exchange((good.to_owned() + &smuggling).as_bytes());
        }
    });
    stage.case("other protocols", &["400"], |abuser| {
        for bytes in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\0\0\0\0",
            b"*1\r\n$4\r\nPING\r\n",
            b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        ] {
            abuser.exchange(bytes);
        }
    });
}

/// Each hides a request of an event behind its own, for whoever reads it in another way.
fn smuggling() -> Vec<String> {
    let event = track("smuggled");
    let hidden = format!(
        "POST /v1/segment/web?key={KEY} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    let heads = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 5\r\nContent-Length: 4\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: -0\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "X: a\r\n Content-Length: 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: a\nTransfer-Encoding: chunked\r\n",
        "Host: b\r\n",
    ];
    let request =
        |fields: &&str| format!("POST /v1/segment/web HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{hidden}");
    let mut all: Vec<String> = heads.iter().map(request).collect();
    all.push(format!("POST /v1/segment/web HTTP/1.1\r\nContent-Length: 0\r\n\r\n{hidden}"));
    all.push(format!("POST /v1/segment/web HTTP/1.1\nHost: a\nContent-Length: 5\n\n0\r\n\r\n{hidden}"));
    all.push(format!("POST http://b/v1/segment/web HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"));
    all
}
