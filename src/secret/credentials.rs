//! What looks like a credential by what stands before it: it need be no secret of the host's, but whoever reads a log is
//! somebody else than whoever wrote it.

use std::borrow::Cow;

use super::hidden::REDACTED;

/// What a credential follows, in small letters.
const BEFORE: [&str; 2] = ["bearer ", "basic "];
/// What the authority of a URL follows, in which a password may stand.
const SCHEME: &str = "://";
/// A credential is at least so long: these words have other uses.
const SHORTEST: usize = 8;
/// A longer one is none. Headers have no room for it.
const LONGEST: usize = 16 << 10;

/// Where such a thing stands: the word before it, and itself.
struct Found {
    word: usize,
    from: usize,
    to: usize,
}

/// `text` without what follows `Bearer` or `Basic`, and without passwords in URLs.
pub(crate) fn hide(text: &str) -> Cow<'_, str> {
    let mut cuts: Vec<_> = tokens(text).filter(|it| it.to - it.from >= SHORTEST).map(|it| (it.from, it.to)).collect();
    for Found { from, to, .. } in authorities(text) {
        let at = text.get(from..to).and_then(|authority| authority.rfind('@'));
        cuts.extend(at.filter(|at| *at > 0).map(|at| (from, from + at)));
    }
    cut(text, cuts)
}

/// How many bytes at the end of `text` may be the beginning of such a thing.
pub(super) fn begun(text: &str) -> usize {
    let open = tokens(text).chain(authorities(text)).filter(|it| it.to == text.len() && it.to - it.from < LONGEST);
    let open = open.map(|it| text.len() - it.word);
    // The word before it may itself be cut through.
    let small = text.to_ascii_lowercase();
    let part =
        |word: &&str| (1..word.len()).rev().find(|length| word.get(..*length).is_some_and(|it| small.ends_with(it)));
    let parts = BEFORE.iter().chain([&SCHEME]).filter_map(part);
    open.chain(parts).max().unwrap_or(0)
}

/// What follows such a word.
fn tokens(text: &str) -> impl Iterator<Item = Found> {
    let small = text.to_ascii_lowercase();
    let found = BEFORE.into_iter().flat_map(|word| {
        let found = small.match_indices(word).map(|(at, _)| {
            let from = at + word.len();
            let rest = small.get(from..).unwrap_or_default();
            Found { word: at, from, to: from + rest.find(|c: char| !is_of_credential(c)).unwrap_or(rest.len()) }
        });
        found.collect::<Vec<_>>()
    });
    found.collect::<Vec<_>>().into_iter()
}

fn is_of_credential(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

/// The authorities of URLs.
fn authorities(text: &str) -> impl Iterator<Item = Found> {
    text.match_indices(SCHEME).map(move |(at, _)| {
        let from = at + SCHEME.len();
        let rest = text.get(from..).unwrap_or_default();
        Found { word: at, from, to: from + rest.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(rest.len()) }
    })
}

/// `text` with these parts of it hidden.
fn cut(text: &str, mut cuts: Vec<(usize, usize)>) -> Cow<'_, str> {
    if cuts.is_empty() {
        return Cow::Borrowed(text);
    }
    cuts.sort_unstable();
    let (mut shown, mut done) = (String::with_capacity(text.len()), 0);
    for (from, to) in cuts {
        if from >= done {
            shown.extend([text.get(done..from).unwrap_or_default(), REDACTED]);
        }
        done = done.max(to);
    }
    shown.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_credential_is_hidden() {
        for (text, shown) in [
            ("nothing to hide", "nothing to hide"),
            ("Authorization: Bearer abcdef.GHI-123, next", "Authorization: Bearer [redacted], next"),
            ("BASIC dXNlcjpwYXNz", "BASIC [redacted]"),
            ("a basic need", "a basic need"),
            ("see https://user:pa/ss", "see https://user:pa/ss"),
            ("see https://user:pass@host/x and http://host/@x", "see https://[redacted]@host/x and http://host/@x"),
            ("ünïcode bearer ünïcode-long-word", "ünïcode bearer ünïcode-long-word"),
            ("bearer https://user:secret-word@host", "bearer https://[redacted]@host"),
        ] {
            assert_eq!(hide(text), shown, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_one_is_known() {
        for (text, begun_at) in [
            ("nothing", None),
            ("say: Bea", Some("Bea")),
            ("say: Bearer ", Some("Bearer ")),
            ("say: Bearer abc", Some("Bearer abc")),
            ("say: Basic abc", Some("Basic abc")),
            ("Bearer abc,", None),
            ("at http:", Some(":")),
            ("at http://user:pa", Some("://user:pa")),
            ("at http://user:pa@host/", None),
        ] {
            let begun = begun(text);
            assert_eq!(text.get(text.len() - begun..).unwrap(), begun_at.unwrap_or_default(), "{text}");
        }
        assert_eq!(begun(&format!("Bearer {}", "x".repeat(LONGEST))), 0, "no credential is so long");
    }

    proptest::proptest! {
        /// Wherever a text is cut, what was begun is found again with the rest.
        #[test]
        fn a_text_that_is_cut_there_hides_the_same(before in ".{0,20}", after in "[ ,/].{0,20}", at in 0_usize..80) {
            for token in ["Bearer canary-0123456789", "x https://user:canary-0123456789@host"] {
                let text = format!("{before} {token}{after}");
                let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                let safe = at - begun(&text[..at]);
                let shown = format!("{}{}", hide(&text[..safe]), hide(&text[safe..]));
                proptest::prop_assert!(!shown.contains("canary"), "{} | {}", &text[..safe], &text[safe..]);
            }
        }
    }
}
