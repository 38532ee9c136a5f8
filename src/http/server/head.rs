//! What the head of a request must satisfy before hyper sees it.
//!
//! hyper is lenient where two parsers in a row can be made to disagree about where a request ends: it drops a
//! Content-Length beside a Transfer-Encoding, merges equal Content-Lengths, takes a bare LF for the end of a line and
//! any number of Hosts, and leaves no trace of it in the request. So the raw bytes are judged here. Whatever is not
//! checked here (tokens, versions, control characters) hyper refuses by itself; what passes both has one meaning.

use super::{Settings, refusal::Refusal};

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A body of this many bytes, often none.
    Length(u64),
    /// A body in chunks.
    Chunked,
}

/// The refusal of what [`may_begin`] rules out.
pub(super) const NOT_HTTP: Refusal = Refusal::Malformed("not an HTTP request");

/// Whether these first bytes could begin a request, or an empty line before one: every method is letters. A TLS
/// handshake or a binary protocol is answered at once instead of being waited for.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|&byte| byte.is_ascii_alphabetic() || byte == b'\r')
}

/// Where the first head in `bytes` ends, which is behind its empty line; `None` while that has not arrived. The search
/// begins at `from`, so that a head that comes byte by byte is not searched from its beginning each time.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    loop {
        let rest = bytes.get(position..)?;
        position += rest.iter().position(|&byte| byte == b'\n')? + 1;
        match bytes.get(position..)? {
            [b'\n', ..] => return Some(position + 1),
            [b'\r', b'\n', ..] => return Some(position + 2),
            _ => {}
        }
    }
}

/// From where to search again once more bytes have come: the last two may be the beginning of the end.
pub(super) fn searched(bytes: &[u8]) -> usize {
    bytes.len().saturating_sub(2)
}

/// Judges a complete head, which is what [`end`] delimits.
pub(super) fn judge(head: &[u8], settings: &Settings) -> Result<Framing, Refusal> {
    if head.len() > settings.head_bytes {
        return Err(too_large(head));
    }
    if !may_begin(head) {
        return Err(NOT_HTTP);
    }
    let mut lines = head.split_inclusive(|&byte| byte == b'\n').map(|line| {
        line.strip_suffix(b"\r\n").ok_or(Refusal::Malformed("a line of the head does not end with CRLF"))
    });
    request_line(lines.next().unwrap_or(Ok(b""))?, settings)?;
    let mut fields = Fields::default();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        fields.add(line)?;
    }
    if fields.count > settings.headers {
        return Err(Refusal::HeadTooLarge);
    }
    fields.framing()
}

/// The refusal of a head that has grown over its limit: it names the part that did.
pub(super) fn too_large(head: &[u8]) -> Refusal {
    let line = head.iter().position(|&byte| byte == b'\n').unwrap_or(head.len());
    if line > head.len() / 2 { Refusal::TargetTooLong } else { Refusal::HeadTooLarge }
}

/// Only a target that begins with a slash is served. An absolute URI would bring a second host into the request, and
/// CONNECT and `*` name no resource of ours.
fn request_line(line: &[u8], settings: &Settings) -> Result<(), Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(_method), Some(target), Some(_version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed("the request line is malformed"));
    };
    if !target.starts_with(b"/") {
        return Err(Refusal::Malformed("the request target must be a path"));
    }
    let query = target.iter().position(|&byte| byte == b'?').map_or(0, |mark| target.len() - mark - 1);
    if query > settings.query_bytes { Err(Refusal::TargetTooLong) } else { Ok(()) }
}

/// The fields that decide where a request ends and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a [u8]) -> Result<(), Refusal> {
        self.count += 1;
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(Refusal::Malformed("a header is folded over two lines"));
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Err(Refusal::Malformed("a header has no colon"));
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.is_empty() || name.iter().any(|&byte| byte == b' ' || byte == b'\t') {
            return Err(Refusal::Malformed("a header's name is malformed"));
        }
        let (slot, once) = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => (&mut self.host, "more than one Host"),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                (&mut self.content_length, "more than one Content-Length")
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                (&mut self.transfer_encoding, "more than one Transfer-Encoding")
            }
            _ => return Ok(()),
        };
        if slot.replace(value).is_some() { Err(Refusal::Malformed(once)) } else { Ok(()) }
    }

    fn framing(&self) -> Result<Framing, Refusal> {
        let host = self.host.ok_or(Refusal::Malformed("no Host"))?;
        if host.is_empty() || !host.iter().copied().all(is_host_byte) {
            return Err(Refusal::Malformed("malformed Host"));
        }
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(Framing::Length(0)),
            (Some(value), None) => length(value).map(Framing::Length),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (None, Some(_)) => Err(Refusal::Malformed("unsupported Transfer-Encoding")),
            (Some(_), Some(_)) => Err(Refusal::Malformed("Content-Length together with Transfer-Encoding")),
        }
    }
}

/// Digits alone: no sign, no list, nothing that two parsers could read in two ways.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = Some(value).filter(|value| value.iter().all(u8::is_ascii_digit));
    digits
        .and_then(|digits| str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or(Refusal::Malformed("malformed Content-Length"))
}

/// The characters of `host[:port]` by RFC 3986, without the comma with which a proxy would have merged two of them.
pub(super) fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{Framing, Settings, end, judge, may_begin, searched};
    use crate::http::server::refusal::Refusal;

    fn judged(head: &str) -> Result<Framing, Refusal> {
        assert_eq!(end(head.as_bytes(), 0), Some(head.len()), "{head:?}");
        judge(head.as_bytes(), &Settings::default())
    }

    fn with_fields(fields: &str) -> Result<Framing, Refusal> {
        judged(&format!("POST /v1/segment/web?key=a HTTP/1.1\r\n{fields}\r\n"))
    }

    #[test]
    fn heads_with_one_meaning_pass() {
        for (fields, framing) in [
            ("Host: a\r\n", Framing::Length(0)),
            ("host:a:8080\r\nContent-Length: 12\r\n", Framing::Length(12)),
            ("HOST: [::1]:80\r\ncontent-length:0\t\r\n", Framing::Length(0)),
            ("Host: xn--bcher-kva.example_1\r\nTransfer-Encoding: Chunked\r\n", Framing::Chunked),
            ("Host: a\r\nX-Empty:\r\nX-Binary: \u{fc}\r\n", Framing::Length(0)),
        ] {
            assert_eq!(with_fields(fields), Ok(framing), "{fields:?}");
        }
    }

    #[test]
    fn a_head_that_begins_as_none_is_refused_in_one_piece_as_well() {
        for head in ["\x16\x03GET / HTTP/1.1\r\nHost: a\r\n\r\n", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            assert_eq!(judged(head), Err(super::NOT_HTTP));
        }
    }

    #[test]
    fn heads_with_two_meanings_are_refused() {
        for fields in [
            "",
            "Host:\r\n",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nhOST: b\r\n",
            "Host: a, b\r\n",
            "Host: a/b\r\n",
            "Host: user@a\r\n",
            "Host: a b\r\n",
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
            "Host: a\r\nContent-Length: 5, 5\r\n",
            "Host: a\r\nContent-Length: +5\r\n",
            "Host: a\r\nContent-Length: -5\r\n",
            "Host: a\r\nContent-Length: 0x5\r\n",
            "Host: a\r\nContent-Length:\r\n",
            "Host: a\r\nContent-Length: 18446744073709551616\r\n",
            "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nTransfer-Encoding: chunked, identity\r\n",
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
            "Host: a\r\nTransfer-Encoding: identity\r\n",
            "Host: a\r\nTransfer-Encoding:\r\n",
            "Host: a\r\nTransfer-Encoding: \u{b}chunked\r\n",
            "Host: a\r\nX: a\r\n folded\r\n",
            "Host: a\r\nX: a\r\n\tfolded\r\n",
            " Host: a\r\nHost: a\r\n",
            "Host : a\r\n",
            "Host: a\r\nContent-Length : 5\r\n",
            "Host: a\r\n: nameless\r\n",
            "Host: a\r\nno colon\r\n",
            "Host: a\nX: b\r\n",
            "Host: a\r\nX: b\n",
        ] {
            assert!(matches!(with_fields(fields), Err(Refusal::Malformed(_))), "{fields:?}");
        }
    }

    #[test]
    fn bare_line_feeds_are_refused_wherever_they_stand() {
        for head in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
        ] {
            assert!(matches!(judged(head), Err(Refusal::Malformed(_))), "{head:?}");
        }
    }

    #[test]
    fn only_paths_are_targets() {
        for line in [
            "GET http://a/ HTTP/1.1",
            "CONNECT a:443 HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "GET  / HTTP/1.1",
            "GET / x HTTP/1.1",
            "GET /",
            "",
        ] {
            let result = judged(&format!("{line}\r\nHost: a\r\n\r\n"));
            assert!(matches!(result, Err(Refusal::Malformed(_))), "{line:?}");
        }
    }

    #[test]
    fn limits_are_exact() {
        let query = |bytes| judged(&format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(bytes)));
        assert_eq!(query(4096), Ok(Framing::Length(0)));
        assert_eq!(query(4097), Err(Refusal::TargetTooLong));
        let fields = |count: usize| with_fields(&format!("Host: a\r\n{}", "X: a\r\n".repeat(count - 1)));
        assert_eq!(fields(64), Ok(Framing::Length(0)));
        assert_eq!(fields(65), Err(Refusal::HeadTooLarge));
        let bare = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        let head =
            |bytes| judged(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - bare)));
        assert_eq!(head(16 * 1024), Ok(Framing::Length(0)));
        assert_eq!(head(16 * 1024 + 1), Err(Refusal::HeadTooLarge));
        let path = judged(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "p".repeat(16 * 1024)));
        assert_eq!(path, Err(Refusal::TargetTooLong));
    }

    #[test]
    fn end_is_found_in_any_pieces() {
        for head in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\n\n"] {
            let bytes = head.as_bytes();
            let mut from = 0;
            for length in 0..bytes.len() {
                assert_eq!(end(&bytes[..length], from), None, "{head:?}");
                from = searched(&bytes[..length]);
            }
            assert_eq!(end(bytes, from), Some(bytes.len()), "{head:?}");
        }
    }

    #[test]
    fn binary_protocols_do_not_begin_a_request() {
        assert!(may_begin(b"") && may_begin(b"P") && may_begin(b"get") && may_begin(b"\r"));
        assert!(!may_begin(&[0x16, 3, 1]) && !may_begin(b"\n") && !may_begin(b" GET"));
    }
}
