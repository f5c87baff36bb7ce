//! What an operator wants of packs.

use std::str::FromStr;

use crate::error::{Code, Error, Result};
use crate::trust::key::PublicKey;

/// The most keys that are configured at once.
const MOST: usize = 64;

/// What an operator wants of packs: by default nothing, for there is no key to tell by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    /// The keys whose signatures count.
    pub keys: Vec<PublicKey>,
    /// What becomes of packs that no such key signed.
    pub strictness: Strictness,
}

/// What becomes of packs that no configured key signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// They are refused if a key is configured.
    #[default]
    ByKeys,
    /// They are refused; without a key every pack is.
    Strict,
    /// They are reported.
    Report,
}

impl TrustPolicy {
    /// Whether packs that no configured key signed are refused.
    pub fn is_strict(&self) -> bool {
        match self.strictness {
            Strictness::ByKeys => !self.keys.is_empty(),
            Strictness::Strict => true,
            Strictness::Report => false,
        }
    }

    /// Reads several keys, with commas or white space between them.
    ///
    /// # Errors
    ///
    /// One `KeyInvalid` per key that cannot be used, which says the how many-th it is; for two keys of one id; for none.
    pub fn read_keys(text: &str) -> Result<Vec<PublicKey>, Vec<Error>> {
        let (mut keys, mut findings): (Vec<PublicKey>, _) = (Vec::new(), Vec::new());
        let mut texts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty());
        for (at, text) in texts.by_ref().take(MOST).enumerate() {
            match PublicKey::parse(text) {
                Ok(key) if keys.contains(&key) => {}
                Ok(key) if keys.iter().any(|other| other.id() == key.id()) => {
                    let message = format!("key {} has the id {:?} of another key", at + 1, key.id());
                    findings.push(Error::new(Code::KeyInvalid, message).hint("give each key an id of its own"));
                }
                Ok(key) => keys.push(key),
                Err(error) => {
                    let message = format!("key {}: {}", at + 1, error.message());
                    findings.push(Error::new(Code::KeyInvalid, message).hint(error.hint_text().unwrap_or_default()));
                }
            }
        }
        if texts.next().is_some() {
            findings.push(Error::new(Code::KeyInvalid, format!("more than {MOST} keys are given")));
        }
        if keys.is_empty() && findings.is_empty() {
            findings.push(Error::new(Code::KeyInvalid, "no key is given"));
        }
        if findings.is_empty() { Ok(keys) } else { Err(findings) }
    }
}

impl FromStr for Strictness {
    type Err = Error;

    /// `1` or `true`, `0` or `false`, in any case.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Ok(Self::Strict),
            "0" | "false" => Ok(Self::Report),
            _ => Err(Error::new(Code::Usage, "it is neither 1 or true nor 0 or false")
                .hint("1 refuses packs that no configured key signed, 0 reports them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::PrivateKey;

    fn key(seed: u8) -> PublicKey {
        PrivateKey::of_seed([seed; 32]).public()
    }

    #[test]
    fn strictness_follows_keys_unless_it_is_said() {
        let keys = vec![key(1)];
        for (strictness, without, with) in
            [(Strictness::ByKeys, false, true), (Strictness::Strict, true, true), (Strictness::Report, false, false)]
        {
            assert_eq!(TrustPolicy { keys: Vec::new(), strictness }.is_strict(), without);
            assert_eq!(TrustPolicy { keys: keys.clone(), strictness }.is_strict(), with);
        }
        assert_eq!(TrustPolicy::default(), TrustPolicy { keys: Vec::new(), strictness: Strictness::ByKeys });
    }

    #[test]
    fn words_of_strictness() {
        for text in ["1", "true", "TRUE", " True "] {
            assert_eq!(text.parse::<Strictness>().unwrap(), Strictness::Strict);
        }
        for text in ["0", "false", "False"] {
            assert_eq!(text.parse::<Strictness>().unwrap(), Strictness::Report);
        }
        for text in ["", "yes", "2", "on", "strict", "10"] {
            text.parse::<Strictness>().unwrap_err();
        }
    }

    #[test]
    fn several_keys_are_read() {
        let (one, two) = (key(1), key(2));
        for text in [format!("{one},{two}"), format!(" {one}\n\t{two} ,"), format!("{one} , {two} {one}")] {
            assert_eq!(TrustPolicy::read_keys(&text).unwrap(), [one.clone(), two.clone()], "{text}");
        }
        let named = TrustPolicy::read_keys(&format!("old={one},new={two}")).unwrap();
        assert_eq!(named.iter().map(PublicKey::id).collect::<Vec<_>>(), ["old", "new"]);
    }

    #[test]
    fn every_key_that_is_wrong_is_told() {
        let good = key(1);
        for (text, told) in [
            (String::new(), &["no key is given"][..]),
            (" ,, ".to_owned(), &["no key is given"]),
            (format!("{good},junk,rsa:x"), &["key 2: ", "key 3: "]),
            (format!("a={good},a={}", key(2)), &["key 2 has the id \"a\""]),
            (vec![good.to_string(); 65].join(" "), &["more than 64"]),
        ] {
            let errors = TrustPolicy::read_keys(&text).unwrap_err();
            assert_eq!(errors.len(), told.len(), "{errors:?}");
            for (error, told) in errors.iter().zip(told) {
                assert!(error.message().contains(told), "{error}");
            }
        }
    }
}
