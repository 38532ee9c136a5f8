//! Every form in every compression, whatever the header says of it; and what is none of them.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{BATCH, batch_keys, counts, deliver, delivery, firehose, mm, stored_keys};
use crate::{
    client::Answer,
    encodings::{gzip, zstd},
    server::{Site, assert_has},
};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/bof/", $name)).as_slice()
    };
}

/// Memory that a delivery may cost, whatever it holds.
const DELIVERY_BYTES_MAX: u64 = 32 << 20;

/// How a body is compressed, and a header that says so, and one that does not.
type Compressed = (&'static str, fn(&[u8]) -> Vec<u8>, [&'static str; 2]);

fn gzip_members(plain: &[u8]) -> Vec<u8> {
    let (front, back) = plain.split_at(plain.len() / 3);
    [gzip(front), gzip(b""), gzip(back)].concat()
}

fn lzop(plain: &[u8]) -> Vec<u8> {
    lzop_of_blocks(plain, 5_000)
}

/// An lzop file of stored blocks of so many bytes.
pub(super) fn lzop_of_blocks(plain: &[u8], block_bytes: usize) -> Vec<u8> {
    let header = [
        &b"\x10\x30\x20\x80\x09\x40\x01\x05"[..], // versions, method, level
        &[0; 4],                                  // flags: no checksums of blocks
        &[0; 13],                                 // mode, time, and no name
    ]
    .concat();
    let mut file = [b"\x89LZO\x00\r\n\x1a\n", &header[..], &adler32(&header).to_be_bytes()].concat();
    for block in plain.chunks(block_bytes) {
        let length = u32::try_from(block.len()).unwrap().to_be_bytes();
        file.extend_from_slice(&[&length[..], &length, block].concat());
    }
    file.extend_from_slice(&[0; 4]);
    file
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

#[test]
fn every_form_is_read_in_every_compression_under_any_header() {
    let single = BATCH.lines().next().unwrap();
    let forms = [
        ("array", String::from_utf8(fixture!("batch.json").to_vec()).unwrap(), 50),
        ("lines", BATCH.to_owned(), 50),
        ("spaced", BATCH.replace('\n', "\r\n\r\n \t"), 50),
        ("concatenated", BATCH.replace('\n', ""), 50),
        ("single", single.to_owned(), 1),
    ];
    let compressions: [Compressed; 5] = [
        ("plain", <[u8]>::to_vec, ["identity", "gzip"]),
        ("gzip", gzip, ["gzip", "zstd"]),
        ("members", gzip_members, ["gzip", "br"]),
        ("lzop", lzop, ["lzop", "gzip"]),
        ("zstd", zstd, ["zstd", "deflate"]),
    ];
    let name = |form: &str, compression: &str| format!("{form}-{compression}");
    let sources = forms.iter().flat_map(|(form, ..)| {
        compressions
            .map(|(compression, ..)| firehose(&name(form, compression), "required = [\"auction_id\"]"))
    });
    let site = Site::new(&sources.collect::<String>());
    let server = site.start();
    for (form, text, records) in &forms {
        for (compression, compress, encodings) in compressions {
            let name = name(form, compression);
            let request = delivery(&name, compress(text.as_bytes()));
            let records = *records;
            assert_eq!(counts(&server.send(&request).expect(200)), [records, 0, 0, 0, 0], "{name}");
            for encoding in encodings {
                let request = request.clone().header("Content-Encoding", encoding);
                let request = request.header("Content-Type", "text/csv; charset=utf-16");
                assert_eq!(
                    counts(&server.send(&request).expect(200)),
                    [0, 0, 0, records, 0],
                    "{name} {encoding}"
                );
            }
        }
    }
    server.stop();
    let keys = batch_keys();
    for (form, _, records) in &forms {
        for (compression, ..) in compressions {
            let stored = stored_keys(&site, &name(form, compression));
            assert_eq!(stored.len() as u64, *records, "{form} {compression}");
            assert!(stored.is_subset(&keys), "{form} {compression}");
        }
    }
    assert_eq!(site.count("refusals"), 0);
}

#[test]
fn lzop_of_any_writer_is_read() {
    let files: [(_, _, [u64; 5]); 9] = [
        ("adler", fixture!("adler_both.lzo"), [50, 0, 0, 0, 0]),
        ("crc", fixture!("crc32.lzo"), [50, 0, 0, 0, 0]),
        ("none", fixture!("nochecksum.lzo"), [50, 0, 0, 0, 0]),
        ("method1", fixture!("m1_level3.lzo"), [50, 0, 0, 0, 0]),
        ("method2", fixture!("m2_level1.lzo"), [50, 0, 0, 0, 0]),
        ("method3", fixture!("m3_level9.lzo"), [50, 0, 0, 0, 0]),
        ("nameless", fixture!("stdin_noname.lzo"), [50, 0, 0, 0, 0]),
        ("trailing", fixture!("trailing.lzo"), [50, 0, 0, 0, 0]),
        ("twice", fixture!("concatenated.lzo"), [50, 0, 0, 50, 0]),
    ];
    let sources = files.map(|(name, ..)| firehose(name, "required = [\"auction_id\"]"));
    let site = Site::new(&sources.concat());
    let server = site.start();
    for (name, file, expected) in files {
        assert_eq!(counts(&server.send(&delivery(name, file)).expect(200)), expected, "{name}");
    }
    let ignored = |name| server.metrics().get(&format!("tidegate_ignored_bytes_total{{source=\"{name}\"}}"));
    assert!(
        ignored("trailing") > Some(0.0) && ignored("crc") == Some(0.0),
        "bytes behind the end are counted"
    );
    server.stop();
    for (name, ..) in files {
        assert_eq!(stored_keys(&site, name), batch_keys(), "{name}");
    }
}

#[test]
fn an_empty_delivery_answers_zeros() {
    let site = Site::new(&mm(""));
    let server = site.start();
    for body in [&b""[..], b" \r\n\t", b"[]", b" [ ] ", &gzip(b""), &zstd(b"\n"), fixture!("empty.lzo")] {
        assert_eq!(counts(&deliver(&server, body).expect(200)), [0; 5], "{body:?}");
    }
}

#[test]
fn what_is_hostile_is_refused_and_costs_no_memory() {
    let zeros = vec![b' '; 1 << 20];
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let mut frame = ::zstd::Encoder::new(Vec::new(), 0).unwrap();
    for _ in 0..256 {
        bomb.write_all(&zeros).unwrap();
        frame.write_all(&zeros).unwrap();
    }
    let (bomb, frame) = (bomb.finish().unwrap(), frame.finish().unwrap());
    let one = BATCH.lines().next().unwrap();
    let cut = gzip(BATCH.as_bytes());
    let twice = gzip(&gzip(BATCH.as_bytes()));
    let endless = [&br#"{"AuctionId":""#[..], &vec![b'7'; 60 << 20]].concat();
    let bodies: [(_, &[u8], _); 15] = [
        ("corrupt", fixture!("corrupt.lzo"), 400),
        ("truncated", fixture!("truncated.lzo"), 400),
        ("split", fixture!("hostile_split.lzo"), 400),
        ("src > dst", fixture!("hostile_src_gt_dst.lzo"), 400),
        ("block of 4 GiB", fixture!("hostile_block_len.lzo"), 413),
        ("no records in lzop", fixture!("stored.lzo"), 400),
        ("no records", fixture!("rnd.bin"), 400),
        ("byte order mark", &[b"\xef\xbb\xbf", one.as_bytes()].concat(), 400),
        ("two layers", &twice, 400),
        ("cut gzip", &cut[..cut.len() / 2], 400),
        ("gzip and more", &[&cut[..], b"more"].concat(), 400),
        ("gzip bomb", &bomb, 413),
        ("zstd bomb", &frame, 413),
        ("brackets", &vec![b'['; 1 << 20], 400),
        ("endless record", &endless, 400),
    ];
    let site = Site::new(&mm(""));
    let server = site.start();
    deliver(&server, record_of_its_own()).expect(200);
    let before = server.peak_memory_bytes();
    let mut refused = 0;
    for (what, body, status) in bodies {
        let answer = deliver(&server, body);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        refused += refusals_told(&answer);
        let grown = server.peak_memory_bytes() - before;
        assert!(grown <= DELIVERY_BYTES_MAX, "{what}: the server grew by {grown} bytes");
    }
    assert_has(&deliver(&server, record_of_its_own()).expect(200), &json!({"duplicates": 1}));
    server.stop();
    assert_eq!(
        site.count("refusals"),
        i64::try_from(refused).unwrap(),
        "every refusal that was told is kept"
    );
}

fn record_of_its_own() -> String {
    super::record("own")
}

fn refusals_told(answer: &Answer) -> u64 {
    counts(answer)[4]
}
