//! What must hold of heads and chunks for any bytes on a connection.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a check speaks by panicking")]

use super::{
    Settings,
    chunks::Chunks,
    head::{self, Framing},
};

/// One request: where its head ends and where its body does.
type Request = (usize, usize);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// In the midst of a request, or between two.
    Waiting,
    Refused,
}

/// A connection is cut into the same requests however its bytes arrive, and into the same as by plain reading.
pub(crate) fn requests(data: &[u8]) {
    let settings = Settings { head_bytes: 1024, headers: 8, query_bytes: 128, ..Settings::default() };
    let whole = read(data, data.len().max(1), &settings);
    assert_eq!(whole, plainly(data, &settings));
    for piece in [1, 2, 7] {
        assert_eq!(read(data, piece, &settings), whole, "in pieces of {piece}");
    }
    assert_eq!(head::end(data, 0), plain_end(data));
}

/// Reads as [`super::stream`] does: bytes come in pieces, and a search goes on where the last one ended.
fn read(data: &[u8], piece: usize, settings: &Settings) -> (Vec<Request>, End) {
    let (mut requests, mut start, mut arrived) = (Vec::new(), 0, 0);
    let mut searched = 0;
    loop {
        while data[start..arrived].starts_with(b"\r\n") {
            (start, searched) = (start + 2, 0);
        }
        let buffer = &data[start..arrived];
        let Some(end) = head::end(buffer, searched) else {
            if !head::may_begin(buffer) || buffer.len() > settings.head_bytes {
                return (requests, End::Refused);
            }
            searched = head::searched(buffer);
            if arrived == data.len() {
                return (requests, End::Waiting);
            }
            arrived = (arrived + piece).min(data.len());
            continue;
        };
        let Ok(framing) = head::judge(&buffer[..end], settings) else {
            return (requests, End::Refused);
        };
        let body = start + end;
        let (length, ended) = match framing {
            Framing::Length(bytes) => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                (bytes, bytes <= data.len() - body)
            }
            Framing::Chunked => match chunked(&data[body..], piece) {
                Ok(body) => body,
                Err(()) => return (requests, End::Refused),
            },
        };
        if !ended {
            return (requests, End::Waiting);
        }
        requests.push((body, body + length));
        (start, searched) = (body + length, 0);
        arrived = arrived.max(start);
    }
}

/// The length of a chunked body, and whether it is there to its end.
fn chunked(data: &[u8], piece: usize) -> Result<(usize, bool), ()> {
    let (mut chunks, mut length) = (Chunks::START, 0);
    for piece in data.chunks(piece) {
        length += chunks.advance(piece).map_err(|_| ())?;
        if chunks == Chunks::End {
            return Ok((length, true));
        }
    }
    Ok((length, false))
}

fn plainly(data: &[u8], settings: &Settings) -> (Vec<Request>, End) {
    let (mut requests, mut start) = (Vec::new(), 0);
    loop {
        while data[start..].starts_with(b"\r\n") {
            start += 2;
        }
        let rest = &data[start..];
        let Some(end) = plain_end(rest).filter(|end| *end <= settings.head_bytes) else {
            let begins = rest.first().is_none_or(|byte| byte.is_ascii_alphabetic() || *byte == b'\r');
            let refused = !begins || rest.len() > settings.head_bytes || plain_end(rest).is_some();
            return (requests, if refused { End::Refused } else { End::Waiting });
        };
        // An answer is due at the first wrong byte where nothing later can mend it, and no later than the end.
        let Some(framing) = plain_framing(&rest[..end], settings) else { return (requests, End::Refused) };
        let body = &rest[end..];
        let length = match framing {
            Framing::Length(bytes) => {
                usize::try_from(bytes).ok().filter(|bytes| *bytes <= body.len()).ok_or(End::Waiting)
            }
            Framing::Chunked => plain_chunks(body),
        };
        match length {
            Ok(length) => {
                requests.push((start + end, start + end + length));
                start += end + length;
            }
            Err(end) => return (requests, end),
        }
    }
}

fn plain_end(data: &[u8]) -> Option<usize> {
    (0..data.len()).find_map(|at| match &data[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn plain_framing(head: &[u8], settings: &Settings) -> Option<Framing> {
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let lines: Vec<&str> = head.strip_suffix("\r\n\r\n")?.split("\r\n").collect();
    if lines.iter().any(|line| line.contains('\n')) {
        return None;
    }
    if !lines[0].starts_with(|first: char| first.is_ascii_alphabetic() || first == '\r') {
        return None;
    }
    let [_, target, _] = lines[0].split(' ').collect::<Vec<_>>()[..] else { return None };
    let query = target.split_once('?').map_or(0, |(_, query)| query.chars().count());
    if !target.starts_with('/') || query > settings.query_bytes || lines.len() - 1 > settings.headers {
        return None;
    }
    let mut framing = Vec::new();
    let mut hosts = 0;
    for line in &lines[1..] {
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return None;
        }
        let value = value.trim_matches([' ', '\t', '\r', '\n', '\x0c']);
        match name.to_ascii_lowercase().as_str() {
            "host" => {
                hosts += 1;
                if value.is_empty() || !value.chars().all(is_plain_host) {
                    return None;
                }
            }
            "content-length" => {
                let digits = !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit());
                framing.push(Framing::Length(value.parse().ok().filter(|_| digits)?));
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => framing.push(Framing::Chunked),
            "transfer-encoding" => return None,
            _ => {}
        }
    }
    match (hosts, &framing[..]) {
        (1, []) => Some(Framing::Length(0)),
        (1, [one]) => Some(*one),
        _ => None,
    }
}

fn is_plain_host(byte: char) -> bool {
    byte.is_ascii() && head::is_host_byte(byte as u8)
}

fn plain_chunks(data: &[u8]) -> Result<usize, End> {
    let mut at = 0;
    loop {
        let line = plain_line(&data[at..]);
        let (Ok(seen) | Err((seen, _))) = line;
        let size = seen.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let digits = std::str::from_utf8(&seen[..size]).unwrap();
        let behind = seen[size..].first();
        let has_none = size == 0 && at < data.len();
        if has_none || !behind.is_none_or(|byte| b" \t;".contains(byte)) {
            return Err(End::Refused);
        }
        let size = match digits {
            "" => 0,
            digits => u64::from_str_radix(digits, 16).map_err(|_| End::Refused)?,
        };
        at += line.map_err(|(_, end)| end)?.len() + 2;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let rest = data[at..].get(size..).ok_or(End::Waiting)?;
        match rest {
            [b'\r', b'\n', ..] => at += size + 2,
            [] | [b'\r'] => return Err(End::Waiting),
            _ => return Err(End::Refused),
        }
    }
    loop {
        let line = plain_line(&data[at..]).map_err(|(_, end)| end)?;
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(at);
        }
    }
}

/// A line without its CRLF; or as much of one as there is, and whether it can still become one. Neither LF nor CR
/// stands alone.
fn plain_line(data: &[u8]) -> Result<&[u8], (&[u8], End)> {
    let Some(end) = data.iter().position(|byte| *byte == b'\r' || *byte == b'\n') else {
        return Err((data, End::Waiting));
    };
    match &data[end..] {
        [b'\r', b'\n', ..] => Ok(&data[..end]),
        [b'\r'] => Err((&data[..end], End::Waiting)),
        _ => Err((&data[..end], End::Refused)),
    }
}
