//! Secrets that do not stand in what is written: taken out of texts by what they are, wherever these come from.
//!
//! Whoever shortens a text hides first: what was cut through is not found any more. Where [`clip`](crate::id::clip) was
//! quicker, its mark tells of it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Secret, SecretBytes};

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "[redacted]";
/// Shorter values are left alone: they stand in every other word.
const SHORTEST: usize = 4;
/// Shorter parts of a secret say nothing of it.
const SHORTEST_PART: usize = 8;
/// Texts that are looked for, and the bytes of all of them. Where there are more, nothing is shown.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;
/// What stands behind a text that was cut, and how much of one does not stand before it: nobody who cuts so keeps more.
const CUT: char = '…';
const LONGEST_CUT: usize = 512;
/// So many of these marks are looked at. A guest can write more, the host does not.
const MOST_CUTS: usize = 100;

/// Secrets that are not shown. Clones share them: what outlives a call hides what came later.
#[derive(Clone, Default)]
pub(crate) struct Hidden(Arc<Mutex<Known>>);

/// What is looked for.
#[derive(Default)]
struct Known {
    /// The longest first, for a secret may hold another one.
    texts: Vec<Secret>,
    bytes: usize,
    /// Whether there was more than can be looked for.
    is_too_much: bool,
}

impl Hidden {
    /// Hides these texts.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let hidden = Self::default();
        texts.into_iter().for_each(|text| hidden.note_text(text));
        hidden
    }

    /// Hides every text and number in `value`.
    pub(crate) fn of_all_in<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let hidden = Self::default();
        values.into_iter().for_each(|value| hidden.note_all_in(value));
        hidden
    }

    /// Hides a secret from now on. What is not text cannot stand in a text.
    pub(crate) fn note(&self, secret: &SecretBytes) {
        if let Ok(text) = std::str::from_utf8(secret.expose()) {
            self.note_text(text);
        }
    }

    /// The same of a text.
    pub(crate) fn note_text(&self, text: &str) {
        let mut known = self.0.lock();
        known.note(text, SHORTEST);
        // Stores keep several texts as one, in JSON.
        if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
            known.note_leaves(&value);
        }
        known.texts.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    fn note_all_in(&self, value: &Value) {
        match value {
            Value::String(text) => self.note_text(text),
            Value::Number(number) => self.note_text(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.note_all_in(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.note_all_in(field)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Whether there is nothing to hide.
    pub(crate) fn is_empty(&self) -> bool {
        let known = self.0.lock();
        known.texts.is_empty() && !known.is_too_much
    }

    /// `text` without the secrets.
    pub(crate) fn hide(&self, text: &str) -> String {
        let known = self.0.lock();
        if known.is_too_much {
            return REDACTED.to_owned();
        }
        let mut shown = text.to_owned();
        for secret in known.texts.iter().map(Secret::expose) {
            if shown.contains(secret) {
                shown = shown.replace(secret, REDACTED);
            }
        }
        if known.texts.is_empty() || !shown.contains(CUT) { shown } else { without_beginnings(&shown, &known.texts) }
    }

    /// The beginning of `text`, of which `most` characters are shown, without the secrets: no more is looked through than it
    /// takes.
    pub(crate) fn hide_start(&self, text: &str, most: usize) -> String {
        let longest = self.0.lock().texts.first().map_or(0, |secret| secret.expose().len());
        let enough = most.saturating_mul(char::MAX_LEN_UTF8).saturating_add(longest);
        let start = text.get(..text.floor_char_boundary(enough)).unwrap_or_default();
        let begun = if start.len() < text.len() { self.begun(start.as_bytes()) } else { 0 };
        self.hide(start.get(..start.len().saturating_sub(begun)).unwrap_or_default())
    }

    /// Takes the secrets out of every text in `value`, the names of fields included.
    pub(crate) fn hide_in(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.hide(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, value)| (self.hide(&name), self.hide_in(value))).collect())
            }
            // A number is hidden whole, or not at all.
            Value::Number(number) if self.hide(&number.to_string()) == REDACTED => REDACTED.into(),
            other => other,
        }
    }

    /// How many bytes at the end of `bytes` may be the beginning of a secret.
    pub(super) fn begun(&self, bytes: &[u8]) -> usize {
        self.0.lock().texts.iter().map(|secret| begun(secret.expose().as_bytes(), bytes)).max().unwrap_or(0)
    }

    /// How many bytes at the beginning of `bytes` may be the end of a secret.
    pub(crate) fn ended(&self, bytes: &[u8]) -> usize {
        let backwards = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<_>>();
        let bytes = backwards(bytes);
        let ended = |secret: &Secret| begun(&Zeroizing::new(backwards(secret.expose().as_bytes())), &bytes);
        self.0.lock().texts.iter().map(ended).max().unwrap_or(0)
    }
}

impl Known {
    /// Notes `text`, and the parts of it that are quoted alone.
    fn note(&mut self, text: &str, shortest: usize) {
        self.note_spelt(text, shortest);
        self.note_spelt(text.trim(), shortest);
        // What is printed is looked at line by line, and some quote the token of `Bearer token`.
        let lines = text.lines().filter(|_| text.contains('\n')).map(str::trim);
        let token = text.split_once(' ').map(|(_, token)| token).filter(|token| !token.contains(' '));
        lines.chain(token).for_each(|part| self.note_spelt(part, SHORTEST_PART));
    }

    fn note_leaves(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.note(text, SHORTEST_PART),
            Value::Array(items) => items.iter().for_each(|item| self.note_leaves(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.note_leaves(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Notes `text`, and as it stands in JSON and in messages, where some characters are written otherwise.
    fn note_spelt(&mut self, text: &str, shortest: usize) {
        if text.len() < shortest || self.is_too_much {
            return;
        }
        if text.len() > MOST_BYTES {
            return self.give_up();
        }
        let json = Zeroizing::new(Value::String(text.to_owned()).to_string());
        let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json);
        for spelt in [text, json, &Zeroizing::new(text.escape_debug().to_string())] {
            if !self.texts.iter().any(|known| known.expose() == spelt) {
                self.add(spelt);
            }
        }
    }

    fn add(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.is_too_much || self.texts.len() >= MOST || self.bytes > MOST_BYTES {
            return self.give_up();
        }
        self.texts.push(Secret::new(text));
    }

    /// Nothing is shown from now on, and so nothing is looked for.
    fn give_up(&mut self) {
        self.is_too_much = true;
        self.texts = Vec::new();
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// How many bytes at the end of `bytes` are the beginning of `secret`, and not all of it. It takes as many steps as there
/// are bytes, also with a secret that repeats itself.
fn begun(secret: &[u8], bytes: &[u8]) -> usize {
    let longest = bytes.len().min(secret.len().saturating_sub(1));
    let pattern = secret.get(..longest).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(longest)..).unwrap_or_default();
    // Of each beginning, the longest shorter one with which it ends.
    let mut borders = Vec::with_capacity(longest);
    let mut length = 0;
    for (at, byte) in pattern.iter().enumerate() {
        length = if at == 0 { 0 } else { grown(pattern, &borders, length, *byte) };
        borders.push(length);
    }
    tail.iter().fold(0, |length, byte| grown(pattern, &borders, length, *byte))
}

/// How long the longest beginning of `pattern` is that ends with `byte`, where one of `length` ended before it.
fn grown(pattern: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    loop {
        if pattern.get(length) == Some(&byte) {
            return length + 1;
        }
        match length.checked_sub(1) {
            None => return 0,
            Some(last) => length = borders.get(last).copied().unwrap_or(0),
        }
    }
}

/// `text` without beginnings of secrets behind which it was cut.
fn without_beginnings(text: &str, known: &[Secret]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    for _ in 0..MOST_CUTS {
        let Some((before, after)) = rest.split_once(CUT) else { break };
        let end = before.as_bytes().get(before.len().saturating_sub(LONGEST_CUT)..).unwrap_or_default();
        let longest = known.iter().map(|secret| begun(secret.expose().as_bytes(), end)).max().unwrap_or(0);
        match before.get(..before.len().saturating_sub(longest)).filter(|_| longest >= SHORTEST) {
            Some(kept) => shown.extend([kept, REDACTED]),
            None => shown.push_str(before),
        }
        shown.push(CUT);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::clip;

    #[test]
    fn what_was_given_is_taken_out() {
        let given = Hidden::default();
        for secret in [&b"canary"[..], b"canary-and-more", b"abc", b"\xff\xff\xff\xff", b"canary"] {
            given.note(&SecretBytes::new(secret));
        }
        assert_eq!(given.hide("a canary, canary-and-more, abc"), "a [redacted], [redacted], abc");
        let value = json!({ "a": ["x canary"], "canary": { "b": 1, "c": "canary-and-more" }, "d": null });
        assert_eq!(
            given.hide_in(value),
            json!({ "a": ["x [redacted]"], "[redacted]": { "b": 1, "c": "[redacted]" }, "d": null })
        );
        given.note_text("123456");
        assert_eq!(given.hide_in(json!([123_456, 1_234_567, true])), json!(["[redacted]", 1_234_567, true]));
        assert!(Hidden::default().is_empty() && !given.is_empty());
        assert!(!format!("{given:?}").contains("canary"));
    }

    #[test]
    fn parts_that_are_quoted_alone_are_taken_out_too() {
        for (secret, quoted) in [
            ("-- begin --\nbGluZSBvbmU\n--\n", "stdout: bGluZSBvbmU --"),
            ("  canary-1 \n", "it is canary-1"),
            ("Bearer sk-canary", "sk-canary is not known"),
            (r#"{"user":"u","keys":[{"password":"canary \"2\""}]}"#, "canary \"2\" is wrong"),
            (r#"{"private_key":"-- begin --\nbGluZSBvbmU\n-- end --\n"}"#, "stdout: bGluZSBvbmU"),
            ("a \"canary\"\n3", r#"{"key":"a \"canary\"\n3"}"#),
            ("it's-a-canary", r"it\'s-a-canary"),
        ] {
            let shown = Hidden::of([secret]).hide(quoted);
            assert!(shown.contains(REDACTED), "{secret}: {shown}");
            assert!(!shown.contains("canary") && !shown.contains("bGluZSBvbmU"), "{secret}: {shown}");
        }
        let shown = Hidden::of(["-- begin --\nbGluZSBvbmU\n--\n", "a b c"]).hide("-- begin is not a part, b is none");
        assert_eq!(shown, "-- begin is not a part, b is none");
    }

    #[test]
    fn every_text_of_a_configuration_is_taken_out() {
        let config = json!({ "token": "canary-1", "deep": [{ "pin": 98_765 }], "on": true });
        let hidden = Hidden::of_all_in([&config]);
        assert_eq!(
            hidden.hide("token canary-1 and pin 98765 are true"),
            "token [redacted] and pin [redacted] are true"
        );
    }

    #[test]
    fn a_secret_that_a_message_was_cut_through_is_taken_out() {
        let hidden = Hidden::of(["canary-0123456789"]);
        let text = |before: usize| format!("{}canary-0123456789 and more", "x".repeat(before));
        for before in 60..=76 {
            let shown = hidden.hide(&clip(&text(before)));
            assert!(!shown.contains("cana"), "{before}: {shown}");
        }
        // So much of it is in many words.
        assert_eq!(hidden.hide(&clip(&text(77))), format!("{}can…", "x".repeat(77)));
    }

    #[test]
    fn whoever_has_more_secrets_than_can_be_looked_for_shows_nothing() {
        let hidden =
            Hidden::of((0..MOST).map(|n| format!("canary-{n}")).collect::<Vec<_>>().iter().map(String::as_str));
        assert_eq!(hidden.hide("it is canary-999"), "it is [redacted]");
        hidden.note_text(&(0..100_000).map(|n| format!("canary-of-many-{n}\n")).collect::<String>());
        assert_eq!(hidden.hide("harmless"), REDACTED);
        assert!(hidden.0.lock().texts.is_empty(), "and its own memory is bounded");
        for (large, shown) in [(MOST_BYTES - 1, "harmless"), (MOST_BYTES + 1, REDACTED)] {
            let hidden = Hidden::of([&*"x".repeat(large)]);
            assert!(hidden.hide("harmless") == shown && !hidden.is_empty(), "{large}");
        }
    }

    #[test]
    fn of_a_long_text_no_more_is_looked_through_than_is_shown() {
        let hidden = Hidden::of(["canary-0123456789", "c\u{fc}cana"]);
        let text = |before: usize| format!("{}canary-0123456789 {}", "\u{fc}".repeat(before), "y".repeat(1_000));
        for before in 0..120 {
            let shown = hidden.hide_start(&text(before), 20);
            assert!(!shown.contains("canary") && shown.len() < 200, "{before}: {shown}");
            assert!(shown.chars().count() >= 20 || shown.ends_with(REDACTED), "{before}: {shown}");
        }
        assert_eq!(hidden.hide_start("a canary-0123456789", 20), "a [redacted]");
    }

    #[test]
    fn what_repeats_itself_is_looked_for_as_quickly() {
        let (long, text) = ("a".repeat(1 << 20), format!("{}b", "a".repeat(1 << 20)));
        let hidden = Hidden::of([&*long]);
        assert_eq!((hidden.begun(text.as_bytes()), hidden.begun(&text.as_bytes()[..9])), (0, 9));
        let backwards = format!("b{}", "a".repeat(1 << 20));
        assert_eq!((hidden.ended(backwards.as_bytes()), hidden.ended(b"aab")), (0, 2));
        let cut = format!("{}…", "aaaab".repeat(5)).repeat(10_000);
        assert_eq!(Hidden::of(["aaaabaaaac"]).hide(&cut).matches(REDACTED).count(), MOST_CUTS);
    }

    proptest::proptest! {
        #[test]
        fn what_is_begun_is_the_longest_beginning(secret in "[ab]{1,12}", bytes in "[ab]{0,16}") {
            let (secret, bytes) = (secret.as_bytes(), bytes.as_bytes());
            let longest = (0..secret.len()).rev().find(|length| bytes.ends_with(&secret[..*length]));
            proptest::prop_assert_eq!(begun(secret, bytes), longest.unwrap_or(0));
        }

        #[test]
        fn no_text_makes_it_fail_and_known_values_never_stay(text in ".{0,80}", value in "[a-z]{4,8}") {
            let text = format!("{text}{value}{text}");
            let shown = Hidden::of([value.as_str()]).hide(&text);
            proptest::prop_assert!(!shown.contains(&value) || REDACTED.contains(&value));
        }
    }
}
