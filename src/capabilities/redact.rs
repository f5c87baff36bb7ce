//! Secrets that a guest was given do not stand in what the host then writes of that guest: its records, its last words,
//! its failures.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::secret::SecretBytes;

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";
/// Shorter values are left alone: they stand in every other word.
const SHORTEST: usize = 4;
/// Shorter lines of a secret of several lines say nothing of it.
const SHORTEST_LINE: usize = 8;

/// The secrets that an invocation was given. Clones share them: streams that outlive a host call hide what came later.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Arc<Mutex<Vec<SecretBytes>>>);

impl Given {
    /// Notes a secret. What is not text cannot stand in a text.
    pub(super) fn note(&self, secret: &SecretBytes) {
        let Ok(text) = std::str::from_utf8(secret.expose()) else { return };
        let mut known = self.0.lock();
        if text.len() < SHORTEST || known.contains(secret) {
            return;
        }
        known.push(secret.clone());
        // What is printed is looked at line by line.
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && *line != text);
        known.extend(lines.map(|line| SecretBytes::new(line.as_bytes())));
        // A secret may hold another one, and is taken out first.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    /// Whether there is nothing to hide.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// `text` without the secrets.
    pub(super) fn hide(&self, text: &str) -> String {
        let known = self.0.lock();
        let known = known.iter().filter_map(|secret| std::str::from_utf8(secret.expose()).ok());
        known.fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// Takes the secrets out of every text in `value`, the names of fields included.
    pub(super) fn hide_in(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.hide(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, value)| (self.hide(&name), self.hide_in(value))).collect())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_given_is_taken_out() {
        let given = Given::default();
        for secret in [&b"canary"[..], b"canary-and-more", b"abc", b"\xff\xff\xff\xff", b"canary"] {
            given.note(&SecretBytes::new(secret));
        }
        assert_eq!(given.hide("a canary, canary-and-more, abc"), "a [redacted], [redacted], abc");
        given.note(&SecretBytes::new(b"-- begin --\nbGluZSBvbmU\n--\n"));
        assert_eq!(given.hide("stdout: bGluZSBvbmU --"), "stdout: [redacted] --", "a line of it");
        let value = json!({ "a": ["x canary"], "canary": { "b": 1, "c": "canary-and-more" }, "d": null });
        assert_eq!(
            given.hide_in(value),
            json!({ "a": ["x [redacted]"], "[redacted]": { "b": 1, "c": "[redacted]" }, "d": null })
        );
        assert!(Given::default().is_empty() && !given.is_empty());
        assert!(!format!("{given:?}").contains("canary"));
    }
}
