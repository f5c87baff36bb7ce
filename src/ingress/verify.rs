//! What adapters verify with: signatures over raw bytes, shared secrets, and the window in which a signed time is
//! believed. Comparisons take the same time whatever the texts have in common.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// Seconds by which a signed time may differ from now, to either side.
pub const WINDOW: u64 = 300;

/// A refusal. `what` goes to the log and must not tell a digest or a secret.
pub fn refused(what: impl Into<String>) -> Error {
    Error::new(Code::Unauthenticated, what)
}

/// Whether `given` is the HMAC-SHA256 of `parts`, one after the other, by one of the `secrets`.
pub fn is_hmac_sha256<'a>(secrets: impl IntoIterator<Item = &'a Secret>, parts: &[&[u8]], given: &[u8]) -> bool {
    // All of them are tried, so that the time does not tell which one fits.
    secrets.into_iter().fold(false, |found, secret| found | sha256_by(secret.expose().as_bytes(), parts, given))
}

/// Whether `given` is the HMAC-SHA256 of `parts` by the raw key `key`.
pub fn sha256_by(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    is_mac_by::<Hmac<Sha256>>(key, parts, given)
}

/// Whether `given` is the code of this kind of `parts`, one after the other, by one of the `secrets`.
pub fn is_hmac<M: Mac + hmac::digest::KeyInit>(secrets: &[Secret], parts: &[&[u8]], given: &[u8]) -> bool {
    secrets.iter().fold(false, |found, secret| found | is_mac_by::<M>(secret.expose().as_bytes(), parts, given))
}

fn is_mac_by<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(given).is_ok()
}

/// The HMAC-SHA256 of `parts` by the raw key `key`, for who signs.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Whether `given` is the HMAC-SHA1 of `body` by one of the `secrets`.
pub fn is_hmac_sha1<'a>(secrets: impl IntoIterator<Item = &'a Secret>, body: &[u8], given: &[u8]) -> bool {
    let by = |secret: &Secret| is_mac_by::<Hmac<Sha1>>(secret.expose().as_bytes(), &[body], given);
    secrets.into_iter().fold(false, |found, secret| found | by(secret))
}

/// The HMAC-SHA1 of `body`, for who signs.
pub fn hmac_sha1(key: &[u8], body: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return Vec::new() };
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// Whether `given` is one of the `secrets` itself.
pub fn is_secret<'a>(secrets: impl IntoIterator<Item = &'a Secret>, given: &[u8]) -> bool {
    secrets.into_iter().fold(false, |found, secret| found | secret.matches(given))
}

/// Reads a signed time in seconds since 1970 and refuses it outside of the window.
pub fn within_window(text: &str, now: Timestamp, what: &str) -> Result<()> {
    within(text, now, what, WINDOW)
}

/// The same with a window of another size, in seconds to either side.
pub fn within(text: &str, now: Timestamp, what: &str, window: u64) -> Result<()> {
    let digits = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    let at: Option<i64> = if digits { text.parse().ok() } else { None };
    let Some(at) = at else { return Err(refused(format!("the time of the {what} is not a number of seconds"))) };
    let now = now.0.div_euclid(1000);
    let off = now.abs_diff(at);
    if off <= window {
        return Ok(());
    }
    let side = if at < now { "old" } else { "in the future" };
    Err(refused(format!("the time of the {what} is {off} s {side}; {window} s are allowed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_fit() {
        let secret = [Secret::new("old"), Secret::new("It's a Secret to Everybody")];
        let given = hex::decode("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17").unwrap();
        assert!(is_hmac_sha256(&secret, &[b"Hello, ", b"World!"], &given));
        assert!(!is_hmac_sha256(&secret, &[b"Hello, World?"], &given));
        assert!(!is_hmac_sha256(&secret, &[b"Hello, World!"], &given[..31]));
        assert!(!is_hmac_sha256(&[], &[b"Hello, World!"], &given));
        assert_eq!(hmac_sha256(b"It's a Secret to Everybody", &[b"Hello, World!"]), given);
        let sha1 = hmac_sha1(b"key", b"The quick brown fox jumps over the lazy dog");
        assert_eq!(hex::encode(&sha1), "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9");
        assert!(is_hmac_sha1(&[Secret::new("key")], b"The quick brown fox jumps over the lazy dog", &sha1));
        assert!(is_secret(&secret, b"old") && !is_secret(&secret, b"older") && !is_secret(&[], b""));
    }

    #[test]
    fn the_window_has_two_sides() {
        let now = Timestamp(1_531_420_618_999);
        for (text, fits) in [
            ("1531420618", true),
            ("1531420318", true),
            ("1531420918", true),
            ("1531420317", false),
            ("1531420919", false),
            ("", false),
            ("-1531420618", false),
            ("1531420618.0", false),
            ("+1531420618", false),
            (" 1531420618", false),
            ("99999999999999999999", false),
            ("0", false),
        ] {
            let found = within_window(text, now, "signature");
            assert_eq!(found.is_ok(), fits, "{text:?}");
            assert!(found.is_ok() || found.unwrap_err().code() == Code::Unauthenticated);
        }
    }
}
