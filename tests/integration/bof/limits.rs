//! Limits of a whole delivery, at their edges. What came before a limit is taken.

use serde_json::json;

use super::{counts, deliver, delivery, forms::lzop_of_blocks, mm, record};
use crate::{
    client::{Answer, Connection},
    encodings::{gzip, zstd},
    server::{KEY, Server, Site, assert_has},
};

/// A record with blanks behind it, so many bytes together.
fn padded(auction: &str, bytes: usize) -> Vec<u8> {
    let mut body = record(auction).into_bytes();
    body.resize(bytes, b' ');
    body
}

#[track_caller]
fn assert_too_large(answer: Answer, limit: &str) {
    let answer = answer.expect(413);
    assert_has(&answer, &json!({"refused": 0}));
    assert!(answer.text().contains(limit), "{limit} in {}", answer.text());
}

#[test]
fn bytes_on_the_wire_and_behind_it_are_counted_exactly() {
    let site = Site::new(&mm("limits = { body = 10000, decoded = 30000 }"));
    let server = site.start();
    deliver(&server, padded("a", 10_000)).expect(200);
    assert_too_large(deliver(&server, padded("b", 10_001)), "limits.body");
    chunked(&server, &padded("c", 10_000)).expect(200);
    assert_too_large(chunked(&server, &padded("d", 10_001)), "limits.body");
    for (name, compress) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        assert!(compress(&padded(name, 30_001)).len() < 10_000);
        deliver(&server, compress(&padded(name, 30_000))).expect(200);
        assert_too_large(deliver(&server, compress(&padded(name, 30_001))), "limits.decoded");
    }
}

#[test]
fn expansion_is_limited_once_it_costs_something() {
    let site = Site::new(&mm("limits = { expansion_ratio = 20 }"));
    let server = site.start();
    let answer = deliver(&server, gzip(&padded("a", 1 << 20))).expect(200);
    assert_eq!(counts(&answer), [1, 0, 0, 0, 0]);
    assert_too_large(deliver(&server, gzip(&padded("b", 4 << 20))), "limits.expansion_ratio");
    // What does not expand may be as long as it likes.
    deliver(&server, padded("c", 4 << 20)).expect(200);
}

#[test]
fn blocks_of_lzop_are_limited_each_by_itself() {
    let site = Site::new(&mm("limits = { lzop_block = \"1MiB\" }"));
    let server = site.start();
    let answer = deliver(&server, lzop_of_blocks(&padded("a", 5 << 20), 1 << 20)).expect(200);
    assert_eq!(counts(&answer), [1, 0, 0, 0, 0]);
    assert_too_large(
        deliver(&server, lzop_of_blocks(&padded("b", 5 << 20), (1 << 20) + 1)),
        "limits.lzop_block",
    );
}

/// A body whose length is not told beforehand.
fn chunked(server: &Server<'_>, body: &[u8]) -> Answer {
    let target = format!("/v1/bof/mm?key={KEY}");
    let mut bytes =
        format!("POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(3_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let mut connection = Connection::open(server.collect).unwrap();
    connection.write(&bytes).unwrap();
    connection.read_answer("POST").unwrap()
}

#[test]
fn a_delivery_that_is_cut_off_keeps_what_had_come() {
    let site = Site::new(&mm(""));
    let server = site.start();
    let body = [record("a"), record("b"), record("c")].join("\n");
    let request = delivery("mm", body.as_str());
    let mut connection = Connection::open(server.collect).unwrap();
    connection.write(&request.head()).unwrap();
    connection.write(&body.as_bytes()[..body.len() - 5]).unwrap();
    drop(connection);
    site.wait_until_stored("events", 2);
    assert_has(&deliver(&server, body).expect(200), &json!({"committed": 1, "duplicates": 2}));
    site.wait_until_stored("events", 3);
}
