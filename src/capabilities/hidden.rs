//! Keeping what a guest was given from what it prints: it is no secret of the host's, but whoever reads a log is somebody
//! else than whoever configures a tenant.

use std::borrow::Cow;

/// What stands for what is not shown.
const HIDDEN: &str = "[redacted]";
/// Shorter values are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;
/// What a credential follows, in small letters.
const BEFORE: [&str; 2] = ["bearer ", "basic "];
/// A credential is at least so long: these words have other uses.
const CREDENTIAL: usize = 8;

/// `text` without `values`, without what follows `Bearer` or `Basic`, and without passwords in URLs.
pub(crate) fn redacted<'a>(text: &'a str, values: impl Iterator<Item = &'a str>) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for value in values.filter(|value| value.len() >= SHORTEST) {
        if text.contains(value) {
            text = Cow::Owned(text.replace(value, HIDDEN));
        }
    }
    let text = without_credentials(text);
    without_userinfo(text)
}

fn without_credentials(text: Cow<'_, str>) -> Cow<'_, str> {
    let small = text.to_ascii_lowercase();
    let mut cuts = Vec::new();
    for word in BEFORE {
        for (at, _) in small.match_indices(word) {
            let from = at + word.len();
            let rest = small.get(from..).unwrap_or_default();
            let length = rest.find(|c: char| !is_of_credential(c)).unwrap_or(rest.len());
            if length >= CREDENTIAL {
                cuts.push((from, from + length));
            }
        }
    }
    cut(text, cuts)
}

fn is_of_credential(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

fn without_userinfo(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut cuts = Vec::new();
    for (at, begin) in text.match_indices("://") {
        let from = at + begin.len();
        let rest = text.get(from..).unwrap_or_default();
        let authority =
            rest.find(|c: char| c == '/' || c.is_whitespace()).and_then(|end| rest.get(..end)).unwrap_or(rest);
        if let Some(end) = authority.rfind('@').filter(|end| *end > 0) {
            cuts.push((from, from + end));
        }
    }
    cut(text, cuts)
}

/// `text` with these parts of it hidden.
fn cut(text: Cow<'_, str>, mut cuts: Vec<(usize, usize)>) -> Cow<'_, str> {
    if cuts.is_empty() {
        return text;
    }
    cuts.sort_unstable();
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (from, to) in cuts.into_iter().filter(|(from, to)| from < to) {
        if from < done {
            continue;
        }
        out.push_str(text.get(done..from).unwrap_or_default());
        out.push_str(HIDDEN);
        done = to;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_or_looks_like_a_credential_is_hidden() {
        for (text, shown) in [
            ("nothing to hide", "nothing to hide"),
            ("key=canary-1 and canary-1", "key=[redacted] and [redacted]"),
            ("abc is short", "abc is short"),
            ("Authorization: Bearer abcdef.GHI-123, next", "Authorization: Bearer [redacted], next"),
            ("BASIC dXNlcjpwYXNz", "BASIC [redacted]"),
            ("a basic need", "a basic need"),
            ("see https://user:pa/ss", "see https://user:pa/ss"),
            ("see https://user:pass@host/x and http://host/@x", "see https://[redacted]@host/x and http://host/@x"),
            ("ünïcode bearer ünïcode-long-word", "ünïcode bearer ünïcode-long-word"),
        ] {
            assert_eq!(redacted(text, ["canary-1", "abc"].into_iter()), shown, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail_and_known_values_never_stay(text in ".{0,80}", value in "[a-z]{4,8}") {
            let text = format!("{text}{value}{text}");
            let shown = redacted(&text, std::iter::once(value.as_str()));
            proptest::prop_assert!(!shown.contains(&value) || HIDDEN.contains(&value));
        }
    }
}
