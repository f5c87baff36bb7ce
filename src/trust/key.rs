//! Public keys as operators write them.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{PUBLIC_KEY_LENGTH, Signature, VerifyingKey};

use crate::error::{Code, Error, Result};
use crate::id;

/// The one algorithm, as it stands before keys and signatures.
pub(super) const ALGORITHM: &str = "ed25519";

/// How many hex digits of its fingerprint are a key's id, unless it is given one.
const ID_DIGITS: usize = 16;

/// The longest id of a key.
const ID_BYTES: usize = 64;

/// An Ed25519 key that verifies signatures, with the id under which reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// Reads a key: `[ID=][ed25519:]BASE64`, in either alphabet of Base64, padded or not. Its id is ID, else the first 16
    /// hex digits of its fingerprint.
    ///
    /// # Errors
    ///
    /// `KeyInvalid`, also for keys of small order: anybody can make signatures that fit those. What was given is not
    /// repeated, for it may be a private key by mistake.
    pub fn parse(text: &str) -> Result<Self> {
        let (id, text) = match text.split_once('=') {
            // What follows the first `=` of a key without an id is padding, of which 32 bytes have one sign.
            Some((id, key)) if !key.is_empty() => (Some(id), key),
            _ => (None, text),
        };
        let encoded = match text.split_once(':') {
            Some((ALGORITHM, encoded)) => encoded,
            Some(_) => return Err(invalid("it is of another algorithm than ed25519")),
            None => text,
        };
        let bytes = decode(encoded).ok_or_else(|| invalid("it is not 32 bytes in Base64"))?;
        let key = Self::of_bytes(&bytes)?;
        match id {
            None => Ok(key),
            Some(id) if is_id(id) => Ok(Self { id: id.to_owned(), ..key }),
            Some(_) => Err(invalid("its id is not valid")
                .hint("use at most 64 ASCII letters, digits, '.', '-' and '_', and not the word ed25519")),
        }
    }

    fn of_bytes(bytes: &[u8; PUBLIC_KEY_LENGTH]) -> Result<Self> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| invalid("its bytes are no key of Ed25519"))?;
        Self::of(key)
    }

    /// The key under its default id.
    pub(super) fn of(key: VerifyingKey) -> Result<Self> {
        if key.is_weak() {
            return Err(invalid("it is of small order, so anybody can make signatures that fit it"));
        }
        let fingerprint = fingerprint(key.as_bytes());
        Ok(Self { id: fingerprint.get(..ID_DIGITS).unwrap_or(&fingerprint).to_owned(), key })
    }

    /// The id under which reports name it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// BLAKE3 of its 32 bytes, in hex.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.key.as_bytes())
    }

    /// Whether `name` means this key: its id, its fingerprint, or the first 16 digits of that.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let fingerprint = self.fingerprint();
        let short = fingerprint.get(..ID_DIGITS).unwrap_or(&fingerprint);
        name == self.id || name.eq_ignore_ascii_case(&fingerprint) || name.eq_ignore_ascii_case(short)
    }

    /// Whether it made this signature over `message`.
    pub fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    /// Without its id, as `PACK_PUBLIC_KEY` and `public_key` entries have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}:{}", base64_of(self.key.as_bytes()))
    }
}

/// Whether `text` can be the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    id::is_valid(text) && text.len() <= ID_BYTES && text != ALGORITHM
}

/// BLAKE3 of a key's bytes, in hex.
pub(super) fn fingerprint(key: &[u8]) -> String {
    blake3::hash(key).to_hex().to_string()
}

/// Standard Base64, padded.
pub(super) fn base64_of(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Exactly `N` bytes from Base64 in either alphabet, padded or not.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    const ANY: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY);
    if text.len() > N * 2 {
        return None;
    }
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()?.try_into().ok()
}

fn invalid(why: &str) -> Error {
    Error::new(Code::KeyInvalid, format!("the public key cannot be used: {why}"))
        .hint("give it as ed25519:BASE64 of its 32 bytes, as `pack keygen` prints it")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of RFC 8032, section 7.1, test 3.
    const KEY: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";

    fn key() -> [u8; 32] {
        hex::decode(KEY).unwrap().try_into().unwrap()
    }

    #[test]
    fn keys_are_read_in_every_spelling() {
        let expected = PublicKey::of_bytes(&key()).unwrap();
        let standard = base64_of(&key());
        let url = standard.replace('+', "-").replace('/', "_");
        assert_ne!(standard, url, "the vector tells the alphabets apart");
        for text in [&standard, &url] {
            for text in [text.as_str(), text.trim_end_matches('=')] {
                for prefix in ["", "ed25519:"] {
                    assert_eq!(PublicKey::parse(&format!("{prefix}{text}")).unwrap(), expected, "{prefix}{text}");
                    let named = PublicKey::parse(&format!("rotation-2={prefix}{text}")).unwrap();
                    assert_eq!((named.id(), named.key), ("rotation-2", expected.key));
                }
            }
        }
        assert_eq!(expected.id(), &blake3::hash(&key()).to_hex()[..16]);
        assert_eq!(PublicKey::parse(&expected.to_string()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let good = base64_of(&key());
        let zeros = |n: usize| base64_of(&vec![0; n]);
        // A point of order 1, one of order 4, and one that is not on the curve.
        let (mut one, mut off) = ([0; 32], [0; 32]);
        one[0] = 1;
        off[0] = 2;
        for (text, why) in [
            (String::new(), "32 bytes"),
            ("ed25519:".to_owned(), "32 bytes"),
            (format!("rsa:{good}"), "another algorithm"),
            (format!("ED25519:{good}"), "another algorithm"),
            (format!("ed25519:ed25519:{good}"), "32 bytes"),
            (good.replace('A', "*"), "32 bytes"),
            (format!("{good}{good}"), "its id"),
            (zeros(31), "32 bytes"),
            (zeros(33), "32 bytes"),
            ("x".repeat(100_000), "32 bytes"),
            (base64_of(&one), "small order"),
            (zeros(32), "small order"),
            (base64_of(&off), "no key of Ed25519"),
            (format!("a b={good}"), "its id"),
            (format!("ed25519={good}"), "its id"),
            (format!("{}={good}", "k".repeat(65)), "its id"),
            (format!("={good}"), "its id"),
        ] {
            let error = PublicKey::parse(&text).unwrap_err();
            assert_eq!(error.code(), Code::KeyInvalid);
            assert!(error.message().contains(why), "{text}: {error}");
            assert!(!error.to_string().contains(good.trim_end_matches('=')), "{error}");
        }
    }

    #[test]
    fn a_key_is_named_by_id_and_fingerprint() {
        let key = PublicKey::parse(&format!("mine={}", base64_of(&key()))).unwrap();
        let print = key.fingerprint();
        for (name, expected) in [
            ("mine", true),
            (print.as_str(), true),
            (&print.to_uppercase(), true),
            (&print[..16], true),
            (&print[..15], false),
            ("Mine", false),
            ("", false),
        ] {
            assert_eq!(key.is_named(name), expected, "{name}");
        }
    }

    #[test]
    fn the_published_vector_verifies_and_nothing_near_it() {
        let key = PublicKey::of_bytes(&key()).unwrap();
        let signature: [u8; 64] = hex::decode(concat!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ))
        .unwrap()
        .try_into()
        .unwrap();
        assert!(key.has_signed(&[0xaf, 0x82], &signature));
        assert!(!key.has_signed(&[0xaf, 0x83], &signature));
        for at in 0..64 {
            let mut other = signature;
            other[at] ^= 1;
            assert!(!key.has_signed(&[0xaf, 0x82], &other), "byte {at}");
        }
    }
}
