//! A server that says what a test tells it to say, and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server: one answer for each request, in this order, then nobody listens any more.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// An answer: status, content type, and the body, after which the connection is closed.
pub(crate) type Answer<'a> = (u16, &'a str, &'a str);

pub(crate) fn json(body: &str) -> Answer<'_> {
    (200, "application/json", body)
}

pub(crate) fn problem(status: u16, body: &str) -> Answer<'_> {
    (status, "application/problem+json", body)
}

impl Stub {
    pub(crate) fn new(answers: &[Answer<'_>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> =
            answers.iter().map(|(status, kind, body)| head_and_body(*status, kind, body)).collect();
        let remembered = Arc::clone(&asked);
        thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                let mut stream = BufReader::new(stream);
                if let Some(request) = read(&mut stream) {
                    remembered.lock().unwrap().push(request);
                }
                // Who asked may have gone.
                let _ = stream.get_mut().write_all(&answer);
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Methods and targets of all that it was asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn head_and_body(status: u16, kind: &str, body: &str) -> Vec<u8> {
    // The end of the body is the end of the connection, as of a stream that breaks off or ends.
    format!("HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

fn read(stream: &mut BufReader<impl Read>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let mut asked = Asked { line, head, body: Vec::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    asked.body.resize(length, 0);
    stream.read_exact(&mut asked.body).ok()?;
    Some(asked)
}
