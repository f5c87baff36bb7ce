//! What is known about a pack when it is judged.

use crate::error::Error;
use crate::trust::certificate::Certificate;
use crate::trust::key::{ALGORITHM, decode, is_id};
use crate::trust::report::Check;

/// What an index states about a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedOrigin {
    /// SHA-256 of its bytes: `sha256:` and hex, in any case.
    pub digest: Option<String>,
    /// A signature over that: `[ed25519:[KEYID:]]BASE64`.
    pub signature: Option<String>,
}

/// What is known about a pack when it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What an index states.
    pub stated: &'a StatedOrigin,
    /// SHA-256 of the pack.
    pub digest: [u8; 32],
    /// What signs the pack from within.
    pub pack_signature: &'a PackSignature,
    /// How the pack compares with its bill of materials.
    pub sbom: &'a SbomState,
}

/// What signs a pack from within.
#[derive(Clone, Debug, Default)]
pub enum PackSignature {
    /// Nothing does.
    #[default]
    Absent,
    /// It cannot be read, or is not over what the pack holds, and why.
    Unusable(Error),
    /// A signature over what the pack holds, by a key that is still to be found.
    Present(Box<SignedContent>),
}

/// A signature in a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedContent {
    /// The signature.
    pub signature: [u8; 64],
    /// What it is over.
    pub message: [u8; 32],
    /// The fingerprint of the key that is said to have made it.
    pub key: Option<String>,
    /// What certifies that key, which proves nothing.
    pub certificate: Option<Certificate>,
}

/// How a pack compares with its bill of materials.
#[derive(Clone, Debug, Default)]
pub enum SbomState {
    /// It has none.
    #[default]
    Absent,
    /// It holds what is listed, and nothing else.
    Matches,
    /// It does not, and what differs.
    Differs(Vec<Error>),
}

impl SbomState {
    /// The same as reports have it.
    pub fn check(&self) -> Check {
        match self {
            Self::Absent => Check::Absent,
            Self::Matches => Check::Matches,
            Self::Differs(_) => Check::Differs,
        }
    }
}

/// What an index's signature is over.
pub(super) fn index_message(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// A signature that an index states.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexSignature<'a> {
    /// The id or the fingerprint of the key that is said to have made it.
    pub(super) key: Option<&'a str>,
    pub(super) bytes: [u8; 64],
}

impl<'a> IndexSignature<'a> {
    /// Reads `[ed25519:[KEYID:]]BASE64`; none if it is no such text.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.trim().rsplitn(3, ':');
        let bytes = decode(parts.next()?)?;
        let key = match (parts.next(), parts.next()) {
            (None, _) | (Some(ALGORITHM), None) => None,
            (Some(key), Some(ALGORITHM)) if is_id(key) => Some(key),
            _ => return None,
        };
        Some(Self { key, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::key::base64_of;

    #[test]
    fn index_signatures_are_read_in_every_spelling() {
        let bytes: [u8; 64] = std::array::from_fn(|at| u8::try_from(at * 5 % 256).unwrap());
        let standard = base64_of(&bytes);
        let url = standard.replace('+', "-").replace('/', "_");
        for text in [&standard, &url] {
            for text in [text.as_str(), text.trim_end_matches('=')] {
                for (before, key) in [("", None), ("ed25519:", None), ("ed25519:k-1:", Some("k-1")), (" ", None)] {
                    let text = format!("{before}{text}");
                    assert_eq!(IndexSignature::parse(&text), Some(IndexSignature { key, bytes }), "{text}");
                }
            }
        }
        for text in [
            String::new(),
            "ed25519:".to_owned(),
            format!("rsa:{standard}"),
            format!("k-1:{standard}"),
            format!("rsa:k-1:{standard}"),
            format!("ed25519::{standard}"),
            format!("ed25519:a b:{standard}"),
            format!("ed25519:ed25519:{standard}"),
            format!("ed25519:a:b:{standard}"),
            format!("{standard}{standard}"),
            standard[..80].to_owned(),
            standard.replace('A', "!"),
        ] {
            assert_eq!(IndexSignature::parse(&text), None, "{text}");
        }
    }
}
