//! A text that nobody may see: it has no `Display`, its `Debug` shows nothing of it, and its memory is cleared.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

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
    }
}
