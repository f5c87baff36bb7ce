//! What of the texts that guests write reaches logs and spans.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::secret::REDACTED;

/// Which values of guests' records are kept: `PII_REDACTION_MODE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// All of them.
    #[default]
    Off,
    /// None: names alone are kept.
    Strict,
    /// Those of these names: `PII_ALLOWLIST_FIELDS`.
    Allowed(Vec<String>),
}

impl Redaction {
    /// What the environment says. A mode that nobody knows keeps nothing.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        match var("PII_REDACTION_MODE").as_deref().map(str::trim) {
            None | Some("" | "off") => Self::Off,
            Some("allowlist") => {
                let fields = var("PII_ALLOWLIST_FIELDS").unwrap_or_default();
                let fields = fields.split(',').map(str::trim).filter(|name| !name.is_empty());
                Self::Allowed(fields.map(str::to_owned).collect())
            }
            Some(_) => Self::Strict,
        }
    }

    /// What the environment of this process says; read once.
    pub(crate) fn of_process() -> &'static Self {
        static OF_PROCESS: OnceLock<Redaction> = OnceLock::new();
        OF_PROCESS.get_or_init(|| Self::from_vars(|name| std::env::var(name).ok()))
    }

    /// A field's value as it is kept.
    pub(crate) fn value<'a>(&self, name: &str, value: &'a str) -> &'a str {
        match self {
            Self::Off => value,
            Self::Allowed(names) if names.iter().any(|allowed| allowed == name) => value,
            Self::Strict | Self::Allowed(_) => REDACTED,
        }
    }

    /// A text that has no fields, as it is kept. One that is a JSON object has.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if *self == Self::Off {
            return Cow::Borrowed(text);
        }
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
            Ok(mut fields) => {
                for (name, value) in &mut fields {
                    if self.value(name, "") == REDACTED {
                        *value = REDACTED.into();
                    }
                }
                Cow::Owned(serde_json::Value::Object(fields).to_string())
            }
            Err(_) => Cow::Borrowed(REDACTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(mode: &str, fields: &str) -> Redaction {
        Redaction::from_vars(|name| match name {
            "PII_REDACTION_MODE" => Some(mode.to_owned()),
            "PII_ALLOWLIST_FIELDS" => Some(fields.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn modes_keep_what_they_say() {
        let json = r#"{"step":"1","mail":"a@b"}"#;
        let rows: &[(Redaction, &str, &str, &str)] = &[
            (mode("off", ""), "a@b", json, "free text"),
            (mode("strict", "mail"), REDACTED, r#"{"step":"[redacted]","mail":"[redacted]"}"#, REDACTED),
            (mode("strikt", ""), REDACTED, r#"{"step":"[redacted]","mail":"[redacted]"}"#, REDACTED),
            (mode("allowlist", "step, x"), REDACTED, r#"{"step":"1","mail":"[redacted]"}"#, REDACTED),
        ];
        for (redaction, value, object, text) in rows {
            assert_eq!(redaction.value("mail", "a@b"), *value, "{redaction:?}");
            assert_eq!(redaction.text(json), *object, "{redaction:?}");
            assert_eq!(redaction.text("free text"), *text, "{redaction:?}");
        }
        assert_eq!(mode("allowlist", "mail").value("mail", "a@b"), "a@b");
        assert_eq!(Redaction::from_vars(|_| None), Redaction::Off);
    }
}
