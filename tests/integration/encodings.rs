//! Content-Encoding on the wire: every encoding whole, checked and bounded.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use serde_json::json;

use crate::{
    client::{Answer, Connection, Request},
    server::{KEY, Server, Site, assert_has, track, web},
};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

fn post(server: &Server<'_>, encoding: &str, body: impl Into<Vec<u8>>) -> Answer {
    server.send(
        &Request::post(&format!("/v1/segment/web?key={KEY}"), body).header("Content-Encoding", encoding),
    )
}

#[test]
fn every_encoding_is_decoded_whole() {
    let site = Site::new(&web(""));
    let server = site.start();
    let members = |name: &str| {
        let body = track(name);
        let (front, back) = body.as_bytes().split_at(40);
        (front.to_vec(), back.to_vec())
    };
    let (front, back) = members("gzip-members");
    let gzip_members = [gzip(&front), gzip(b""), gzip(&back)].concat();
    let (front, back) = members("zstd-frames");
    let zstd_frames = [zstd(&front), zstd(&back)].concat();
    for (encoding, body) in [
        ("gzip", gzip(track("gzip").as_bytes())),
        ("X-GZIP", gzip(track("x-gzip").as_bytes())),
        ("gzip", gzip_members),
        ("deflate", zlib(track("zlib").as_bytes())),
        ("deflate", raw_deflate(track("raw").as_bytes())),
        ("zstd", zstd(track("zstd").as_bytes())),
        ("zstd", zstd_frames),
        ("identity", track("identity").into_bytes()),
    ] {
        assert_has(&post(&server, encoding, body).expect(200), &json!({"committed": true}));
    }
    site.wait_until_stored("events", 8);
    let keys: Vec<(String,)> = site.rows("SELECT dedup_key FROM events ORDER BY event_id");
    let keys: Vec<&str> = keys.iter().map(|(key,)| key.as_str()).collect();
    assert_eq!(keys, ["gzip", "x-gzip", "gzip-members", "zlib", "raw", "zstd", "zstd-frames", "identity"]);
}

#[test]
fn what_cannot_be_decoded_is_refused_and_kept_as_it_came() {
    let site = Site::new(&web(""));
    let server = site.start();
    let packed = gzip(track("m").as_bytes());
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    let bodies = [
        ("gzip", [&packed[..], b"garbage"].concat()),
        ("gzip", [&packed[..], &[0; 16]].concat()),
        ("gzip", packed[..packed.len() - 1].to_vec()),
        ("gzip", damaged),
        ("gzip", track("m").into_bytes()),
        ("deflate", [zlib(b"{}"), b"x".to_vec()].concat()),
        ("zstd", [zstd(b"{}"), b"x".to_vec()].concat()),
        ("zstd", packed.clone()),
    ];
    for (encoding, body) in &bodies {
        let answer = post(&server, encoding, body.as_slice()).expect(400);
        assert_has(&answer, &json!({"committed": false, "rule": "encoding.corrupt", "pointer": ""}));
    }
    server.stop();
    let kept: Vec<(Vec<u8>, String)> =
        site.rows("SELECT body, content_type FROM refusals ORDER BY refusal_id");
    let expected = bodies.map(|(encoding, body)| (body, format!("; content-encoding={encoding}")));
    assert_eq!(kept, expected);
    assert_eq!(site.count("events"), 0);
}

#[test]
fn an_unknown_or_second_encoding_is_415_and_kept() {
    let site = Site::new(&web(""));
    let server = site.start();
    let packed = gzip(track("m").as_bytes());
    for encoding in ["br", "compress", "gzip, gzip", "gzip, identity", "snappy"] {
        let answer = post(&server, encoding, packed.as_slice()).expect(415);
        assert_has(&answer, &json!({"committed": false, "rule": "encoding.unsupported"}));
        assert_eq!(answer.header("accept-encoding"), Some("gzip, deflate, zstd"));
    }
    let twice = Request::post(&format!("/v1/segment/web?key={KEY}"), packed.as_slice());
    server.send(&twice.header("Content-Encoding", "gzip").header("Content-Encoding", "gzip")).expect(415);
    server.stop();
    let kept: Vec<(Vec<u8>,)> = site.rows("SELECT body FROM refusals WHERE rule = 'encoding.unsupported'");
    assert_eq!(kept, vec![(packed,); 6]);
    assert_eq!(site.count("events"), 0);
}

/// Many megabytes of zeros in a few kilobytes, again and again.
#[test]
fn bombs_are_stopped_at_the_limit_and_cost_no_memory() {
    const UNPACKED: usize = 128 << 20;
    let site = Site::new(&web("limits = { decoded = \"4MiB\" }"));
    let server = site.start();
    let zeros = vec![0; 1 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut zstd = zstd::Encoder::new(Vec::new(), 0).unwrap();
    for _ in 0..UNPACKED / zeros.len() {
        gzip.write_all(&zeros).unwrap();
        zstd.write_all(&zeros).unwrap();
    }
    let bombs = [("gzip", gzip.finish().unwrap()), ("zstd", zstd.finish().unwrap())];

    server.post(track("m")).expect(200);
    let before = server.peak_memory_bytes();
    for (encoding, bomb) in bombs.iter().cycle().take(8) {
        let answer = post(&server, encoding, bomb.as_slice()).expect(413);
        assert!(answer.text().contains("limits.decoded"), "{}", answer.text());
    }
    let grown = server.peak_memory_bytes() - before;
    assert!(grown < 48 << 20, "the server grew by {grown} bytes");
    server.stop();
    assert_eq!((site.count("events"), site.count("refusals")), (1, 0));
}

/// An event of exactly so many bytes.
fn event_of(bytes: usize) -> Vec<u8> {
    let bare = track("").len();
    let body = track(&"m".repeat(bytes - bare));
    assert_eq!(body.len(), bytes);
    body.into_bytes()
}

#[test]
fn limits_of_size_are_exact() {
    let site = Site::new(&web("limits = { body = 1000, decoded = 3000 }"));
    let server = site.start();
    server.post(event_of(1000)).expect(200);
    let answer = server.post(event_of(1001)).expect(413);
    assert!(answer.text().contains("limits.body"), "{}", answer.text());
    for (encoding, pack) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("deflate", zlib), ("zstd", zstd)] {
        assert!(pack(&event_of(3001)).len() < 1000);
        post(&server, encoding, pack(&event_of(3000))).expect(200);
        let answer = post(&server, encoding, pack(&event_of(3001))).expect(413);
        assert!(answer.text().contains("limits.decoded"), "{}", answer.text());
    }
    for (bytes, status) in [(1000, 200), (1001, 413)] {
        chunked(&server, &event_of(bytes)).expect(status);
    }
}

/// A body whose length is not told beforehand.
fn chunked(server: &Server<'_>, body: &[u8]) -> Answer {
    let head =
        format!("POST /v1/segment/web?key={KEY} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    for chunk in body.chunks(300) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let mut connection = Connection::open(server.collect).unwrap();
    connection.write(&bytes).unwrap();
    connection.read_answer("POST").unwrap()
}
