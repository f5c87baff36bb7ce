//! Changes of bytes, whatever they mean.

use fastrand::Rng;

/// What readers of JSON, of forms and of text stumble over.
const TOKENS: &[&[u8]] = &[
    b"1e999",
    b"-1e999",
    b"18446744073709551616",
    b"0123",
    b"NaN",
    b"\\ud800",
    b"\\u0000",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\0",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"\"id\":\"x\",",
    b"\"type\":\"message\",",
    b"%",
    b"%zz",
    b"&",
    b"=",
    b"+",
    b"&payload=%7B%7D",
    b"ssl_check=1&",
    b"/*",
    b"\n",
];

/// How many bytes an input may become.
const LONGEST: usize = 256 << 10;

pub(super) fn change(bytes: &mut Vec<u8>, chance: &mut Rng) {
    let length = bytes.len();
    let place = chance.usize(..=length);
    let end = (place + chance.usize(..64)).min(length);
    match chance.u8(..8) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << chance.u8(..8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = chance.u8(..);
            }
        }
        3 => drop(bytes.drain(place..end)),
        4 if length + 64 <= LONGEST => bytes.extend_from_within(place..end),
        5 => bytes.truncate(place),
        6 if length + 200 <= LONGEST => drop(bytes.splice(place..place, std::iter::repeat_n(b'[', 200))),
        _ => {
            let token = chance.choice(TOKENS).copied().unwrap_or_default();
            drop(bytes.splice(place..place, token.iter().copied()));
        }
    }
}
