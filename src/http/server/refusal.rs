//! The answers that the server gives by itself, before there is a request that a handler could see.

use std::fmt::Write;

/// Why a connection is answered and closed without asking a handler. The answer never repeats what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head is ambiguous or malformed; the words say how.
    Malformed(&'static str),
    /// The head did not end in time.
    HeadTimeout,
    /// The request line or its query is too long.
    TargetTooLong,
    /// The head has too many fields or too many bytes.
    HeadTooLarge,
}

impl Refusal {
    /// The status and its reason phrase.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Malformed(_) => "400 Bad Request",
            Self::HeadTimeout => "408 Request Timeout",
            Self::TargetTooLong => "414 URI Too Long",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Malformed(how) => how,
            Self::HeadTimeout => "the head of the request did not arrive in time",
            Self::TargetTooLong => "the request target is too long",
            Self::HeadTooLarge => "the head of the request is too large",
        }
    }

    /// The whole response, after which the connection ends.
    pub(super) fn response(self) -> String {
        let (status, message) = (self.status(), self.message());
        let body = format!(r#"{{"committed":false,"message":"{message}"}}"#);
        let mut response = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
        // Writing to a string cannot fail.
        let _ = write!(response, "content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        response
    }
}
