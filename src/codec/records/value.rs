//! Finding the end of one JSON value, piece by piece, by its strings and its nesting alone.

use memchr::memchr3;

/// How far a value has been followed.
pub(super) struct Value {
    kind: Kind,
    depth: u64,
    in_string: bool,
    /// Bytes of the next piece that are already known to end nothing: one, after a backslash at the end of a piece.
    passed_bytes: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    /// An object, an array or a string.
    Closed,
    /// A number or a literal, which ends where something else begins.
    Bare,
}

/// What a piece has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The value ends after that many bytes of the piece.
    Ends(usize),
    /// The piece is part of the value, and more must follow.
    GoesOn,
    /// Its end cannot be known.
    Broken,
}

impl Value {
    /// A value that begins with this byte, which is to be followed too; none if no value does.
    pub(super) fn starting(byte: u8) -> Option<Self> {
        let kind = match byte {
            b'{' | b'[' | b'"' => Kind::Closed,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Kind::Bare,
            _ => return None,
        };
        Some(Self { kind, depth: 0, in_string: false, passed_bytes: 0 })
    }

    /// Follows the next piece of the value.
    pub(super) fn follow(&mut self, piece: &[u8]) -> Progress {
        match self.kind {
            Kind::Closed => self.follow_closed(piece),
            Kind::Bare => find(BARE_END, piece).map_or(Progress::GoesOn, |(end, _)| Progress::Ends(end)),
        }
    }

    fn follow_closed(&mut self, piece: &[u8]) -> Progress {
        let mut at = self.passed_bytes;
        while let Some(rest) = piece.get(at..) {
            let found = if self.in_string { find_in_string(rest) } else { find(OUTSIDE, rest) };
            let Some((found, byte)) = found else {
                at = piece.len();
                break;
            };
            at += found + 1;
            // Each arm goes its own way: joining them costs half the speed.
            if self.in_string {
                match byte {
                    b'"' => self.in_string = false,
                    b'\\' => {
                        at += 1;
                        continue;
                    }
                    _ => return Progress::Broken,
                }
            } else {
                match byte {
                    b'"' => {
                        self.in_string = true;
                        continue;
                    }
                    b'{' | b'[' => {
                        self.depth += 1;
                        continue;
                    }
                    _ => self.depth -= 1,
                }
            }
            if self.depth == 0 {
                return Progress::Ends(at);
            }
        }
        self.passed_bytes = at - piece.len();
        Progress::GoesOn
    }
}

/// Matters inside strings: what ends one, what hides its end, and line ends, which JSON has none of there. Where
/// records stand on lines these show that a quote is missing, before the next record is taken for the rest of a string.
const IN_STRING: u8 = 1;
/// Matters outside strings.
const OUTSIDE: u8 = 2;
/// Is no part of a number or a literal.
const BARE_END: u8 = 4;

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, and a table has an entry for every byte"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = u8::MAX;
    loop {
        classes[byte as usize] = match byte {
            b'"' => IN_STRING | OUTSIDE | BARE_END,
            b'\\' | b'\n' => IN_STRING | BARE_END,
            b'{' | b'[' | b'}' | b']' => OUTSIDE | BARE_END,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.' => 0,
            _ => BARE_END,
        };
        if byte == 0 {
            return classes;
        }
        byte -= 1;
    }
}

/// The first byte of a class, and where it is.
#[inline]
fn find(class: u8, bytes: &[u8]) -> Option<(usize, u8)> {
    let is_of_class = |byte: &u8| CLASSES.get(usize::from(*byte)).is_some_and(|classes| classes & class != 0);
    let found = bytes.iter().position(is_of_class)?;
    Some((found, *bytes.get(found)?))
}

/// Most strings are short, and for these looking at each byte is twice as fast as a vectorised search, which in turn is
/// what the long ones need.
#[inline]
fn find_in_string(bytes: &[u8]) -> Option<(usize, u8)> {
    const SHORT_BYTES: usize = 16;
    let short = bytes.get(..SHORT_BYTES).unwrap_or(bytes);
    find(IN_STRING, short).or_else(|| {
        let found = short.len() + memchr3(b'"', b'\\', b'\n', bytes.get(short.len()..)?)?;
        Some((found, *bytes.get(found)?))
    })
}
