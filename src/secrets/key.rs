//! The names of secrets as they are compared.

use std::fmt;

/// The longest key that is one, in bytes.
const MAX_KEY: usize = 256;
/// What stands behind the name of a secret for the value that it replaces.
const PREVIOUS: &str = "_previous";

/// A secret's canonical name: lower case, with `_` for what is neither letter nor digit. `CRM/API-Key` and
/// `crm_api_key` are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey(String);

impl SecretKey {
    /// The canonical form of `text`, if it can be a key: 1 to 256 bytes, no control characters, and a letter or a digit
    /// among them.
    pub fn parse(text: &str) -> Option<Self> {
        // Before anything is made of it: it may be as long as a guest likes.
        if text.len() > MAX_KEY {
            return None;
        }
        let text = text.trim();
        let is_key = text.bytes().any(|b| b.is_ascii_alphanumeric()) && !text.chars().any(char::is_control);
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        is_key.then(|| Self(text.chars().map(plain).collect()))
    }

    /// The canonical name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the value that this secret replaces, if it can be one: stores other than the environment are asked for it.
    #[cfg(any(test, feature = "aws", feature = "azure", feature = "gcp"))]
    pub(super) fn previous(&self) -> Option<Self> {
        Self::parse(&format!("{}{PREVIOUS}", self.0))
    }

    /// The name of the secret that replaces this value, if this is the key of one that is replaced.
    pub(super) fn replacing(&self) -> Option<&str> {
        self.0.strip_suffix(PREVIOUS)
    }
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_are_the_same() {
        for (text, key) in [
            ("TELEGRAM_BOT_TOKEN", Some("telegram_bot_token")),
            (" crm/api-key ", Some("crm_api_key")),
            ("a.b", Some("a_b")),
            ("schlüssel", Some("schl_ssel")),
            ("../../other-tenant/key", Some("______other_tenant_key")),
            ("secrets://prod/other/_/_/key", Some("secrets___prod_other_____key")),
            ("", None),
            ("  ", None),
            ("../..", None),
            ("a\0b", None),
            ("a\nb", None),
        ] {
            assert_eq!(SecretKey::parse(text).as_ref().map(SecretKey::as_str), key, "{text:?}");
        }
        assert!(
            SecretKey::parse(&"k".repeat(MAX_KEY)).is_some() && SecretKey::parse(&"k".repeat(MAX_KEY + 1)).is_none()
        );
    }

    #[test]
    fn what_is_replaced_has_a_key_of_its_own() {
        let key = SecretKey::parse("CRM-Key").unwrap();
        let previous = key.previous().unwrap();
        assert_eq!(
            (previous.as_str(), previous.replacing(), key.replacing()),
            ("crm_key_previous", Some("crm_key"), None)
        );
        assert_eq!(SecretKey::parse(&"k".repeat(MAX_KEY)).unwrap().previous(), None);
    }
}
