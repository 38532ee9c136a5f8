//! Slow clients, in all four forms: no byte, a slow head, a slow body, and answers that nobody reads.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use crate::{
    server::KEY,
    stage::{Abuser, Stage, connect},
};

/// Sockets of each abuser at a time.
const SOCKETS: usize = 50;
/// Between two bytes of those who are slow.
const DRIP: Duration = Duration::from_millis(100);

pub(crate) fn cases(stage: &mut Stage<'_>) {
    stage.case("sockets without a byte", &["closed"], |abuser| drip(abuser, b"", b""));
    stage.case("heads byte by byte", &["408"], |abuser| {
        drip(abuser, b"POST /v1/segment/web HTTP/1.1\r\nHost: a\r\nX: ", b"x");
    });
    let body =
        |length: &str| format!("POST /v1/segment/abused?key={KEY} HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n");
    let (declared, chunked) = (body("Content-Length: 2097152"), body("Transfer-Encoding: chunked"));
    stage.case("bodies byte by byte, 2 MiB declared", &["408"], |abuser| {
        drip(abuser, declared.as_bytes(), b" ");
    });
    stage.case("bodies byte by byte, in chunks", &["408"], |abuser| {
        drip(abuser, chunked.as_bytes(), b"1\r\n \r\n");
    });
    stage.case("a firehose byte by byte", &["408", "503"], |abuser| {
        let head =
            format!("POST /v1/bof/mm?key={KEY} HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
        drip(abuser, head.as_bytes(), b" ");
    });
    stage.case("answers that nobody reads", &["dropped"], unread);
}

/// Opens many sockets, sends the beginning, and then a little on each again and again, until each is ended.
fn drip(abuser: &Abuser, beginning: &[u8], little: &[u8]) {
    let open = || {
        let mut stream = connect(abuser.address).unwrap();
        stream.write_all(beginning).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let mut open: Vec<TcpStream> = std::iter::repeat_with(open).take(SOCKETS).collect();
    while !open.is_empty() {
        thread::sleep(DRIP);
        open.retain_mut(|stream| {
            let mut answer = [0; 12];
            // One that was closed may be written to once more, and says so the next time.
            let _ = stream.write_all(little);
            match stream.read(&mut answer) {
                Ok(0) => abuser.note("closed"),
                Ok(_) => abuser.note(std::str::from_utf8(&answer[9..]).unwrap()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Err(error) => abuser.note(error.kind().to_string()),
            }
            false
        });
    }
}

/// Asks and asks and never reads, until the kernel takes no more, and the server has had enough.
fn unread(abuser: &Abuser) {
    let mut stream = connect(abuser.address).unwrap();
    let requests = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    while stream.write_all(requests.as_bytes()).is_ok() {}
    abuser.note("dropped");
}
