//! Little that becomes much: compression, nesting, numbers.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

use crate::{
    client::{Answer, Request},
    server::KEY,
    stage::{Abuser, Stage},
};

/// What a bomb unpacks to.
const UNPACKED: usize = 256 << 20;

pub(crate) fn cases(stage: &mut Stage<'_>) {
    let gzip = pack(GzEncoder::new(Vec::new(), Compression::best()), |encoder| encoder.finish().unwrap());
    let zlib = pack(ZlibEncoder::new(Vec::new(), Compression::best()), |encoder| encoder.finish().unwrap());
    let zstd = pack(zstd::Encoder::new(Vec::new(), 3).unwrap(), |encoder| encoder.finish().unwrap());
    let mut wide = zstd::Encoder::new(Vec::new(), 1).unwrap();
    wide.window_log(30).unwrap();
    let wide = pack(wide, |encoder| encoder.finish().unwrap());
    let members = gzip_of(&vec![b' '; 1 << 20]).repeat(1000);
    for (name, encoding, bomb) in [
        ("a gzip bomb of 256 MiB", "gzip", &gzip),
        ("a gzip bomb in a thousand members", "gzip", &members),
        ("a deflate bomb of 256 MiB", "deflate", &zlib),
        ("a zstd bomb of 256 MiB", "zstd", &zstd),
    ] {
        stage.case(name, &["413"], |abuser| drop(encoded(abuser, encoding, bomb)));
    }
    stage.case("a zstd window of 1 GiB", &["400"], |abuser| drop(encoded(abuser, "zstd", &wide)));
    stage.case("a bomb in a bomb", &["400", "415"], |abuser| {
        let nested = gzip_of(&gzip);
        encoded(abuser, "gzip, gzip", &nested);
        encoded(abuser, "gzip", &nested);
    });
    let lzop = lzop_bomb();
    // Deliveries of a firehose are taken a few at a time; the others are told to come again.
    stage.case("bombs in a firehose", &["413", "503"], |abuser| {
        for bomb in [&gzip, &members, &zstd, &lzop] {
            stream(abuser, bomb);
        }
    });
    stage.case("lzop files that lie", &["400", "413"], |abuser| {
        for file in [
            &include_bytes!("../fixtures/bof/hostile_block_len.lzo")[..],
            include_bytes!("../fixtures/bof/hostile_split.lzo"),
            include_bytes!("../fixtures/bof/hostile_src_gt_dst.lzo"),
            include_bytes!("../fixtures/bof/corrupt.lzo"),
            include_bytes!("../fixtures/bof/truncated.lzo"),
        ] {
            stream(abuser, file);
        }
    });
}

fn encoded(abuser: &Abuser, encoding: &str, body: &[u8]) -> Answer {
    let request = Request::post(&format!("/v1/segment/abused?key={KEY}"), body);
    abuser.send(&request.header("Content-Encoding", encoding))
}

fn stream(abuser: &Abuser, body: &[u8]) -> Answer {
    abuser.send(&Request::post(&format!("/v1/bof/mm?key={KEY}"), body))
}

fn pack<E: Write>(mut encoder: E, finish: impl FnOnce(E) -> Vec<u8>) -> Vec<u8> {
    // Blanks, which every reader of JSON passes by.
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..UNPACKED / blanks.len() {
        encoder.write_all(&blanks).unwrap();
    }
    finish(encoder)
}

fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The block of a real file, claiming to be of 60 MiB each time, and many of them.
fn lzop_bomb() -> Vec<u8> {
    let file = include_bytes!("../fixtures/bof/nochecksum.lzo");
    // Magic, versions, method, level, flags, mode, times; the name; the checksum of the header; then the first block.
    let blocks = 9 + 2 + 2 + 2 + 1 + 1 + 4 + 4 + 4 + 4 + 1 + usize::from(file[33]) + 4;
    let mut bomb = file[..blocks].to_vec();
    for _ in 0..64 {
        // A literal byte, and then a match that goes on for as long as zeros say.
        let zeros = vec![0; 200_000];
        let mut packed = vec![18, b' ', 32];
        packed.extend_from_slice(&zeros);
        packed.extend_from_slice(&[1, 0, 0, 17, 0, 0]);
        let unpacked: u32 = 1 + 33 + 255 * 200_000 + 1;
        bomb.extend_from_slice(&unpacked.to_be_bytes());
        bomb.extend_from_slice(&u32::try_from(packed.len()).unwrap().to_be_bytes());
        bomb.extend_from_slice(&packed);
    }
    bomb
}
