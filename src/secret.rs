//! Texts and bytes that nobody may see: they have no `Display`, their `Debug` shows nothing of them, and their memory is
//! cleared. What is written of those who know them is looked through for them.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub(crate) mod credentials;
mod cutter;
mod hidden;

pub(crate) use cutter::Cutter;
pub(crate) use hidden::{Hidden, REDACTED};

/// A secret text.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` from being seen.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the same text. Takes the same time whatever they have in common; digests are compared, so
    /// that it does not depend on the lengths either.
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given)).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Secret bytes, which need not be text.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Keeps `bytes` from being seen.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for whom they are meant.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The same as text; none if it is not UTF-8.
    pub fn to_text(&self) -> Option<Secret> {
        std::str::from_utf8(&self.0).ok().map(Secret::new)
    }
}

impl From<Secret> for SecretBytes {
    fn from(secret: Secret) -> Self {
        Self::new(secret.expose().as_bytes())
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        Sha256::digest(&*self.0).ct_eq(&Sha256::digest(&*other.0)).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let secret = Secret::new("canary");
        assert!(secret.matches(b"canary") && secret == Secret::new("canary"));
        for other in ["", "c", "Canary", "canary ", "canarycanary"] {
            assert!(!secret.matches(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("canary"))), "Some(Secret(…))");
        assert_eq!(format!("{:?}", SecretBytes::new("canary")), "SecretBytes(…)");
    }

    #[test]
    fn bytes_are_text_if_they_are() {
        assert_eq!(SecretBytes::new("ü").to_text(), Some(Secret::new("ü")));
        assert_eq!(SecretBytes::new([0xff]).to_text(), None);
        let bytes = SecretBytes::from(Secret::new("a"));
        assert!(bytes == SecretBytes::new("a") && bytes != SecretBytes::new("b"));
    }
}
