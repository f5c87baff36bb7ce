//! A guest's standard error: kept only as far as it explains a failure, in the host's log.

use std::sync::Arc;

use parking_lot::Mutex;

use super::written::Sink;
use crate::secret::{Hidden, credentials};

/// How much of its end is shown.
const SHOWN: usize = 2048;
/// How much more is kept, so that what is hidden by what stands before it is found.
const BEFORE: usize = 2048;

/// The end of what a guest wrote. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Whether it was more.
    is_cut: bool,
}

impl Tail {
    /// What was kept, as text without what is `hidden` and what looks like a credential.
    pub(super) fn text(&self, hidden: &[&Hidden]) -> String {
        let kept = self.0.lock();
        let cut = if kept.is_cut { hidden.iter().map(|hidden| hidden.ended(&kept.bytes)).max() } else { None };
        let text = String::from_utf8_lossy(kept.bytes.get(cut.unwrap_or(0)..).unwrap_or_default());
        let text = hidden.iter().fold(text.into_owned(), |text, hidden| hidden.hide(&text));
        let text = credentials::hide(&text);
        text.get(text.ceil_char_boundary(text.len().saturating_sub(SHOWN))..).unwrap_or_default().to_owned()
    }
}

impl Sink for Tail {
    fn push(&self, bytes: &[u8]) {
        const MOST: usize = SHOWN + BEFORE;
        let mut kept = self.0.lock();
        kept.bytes.extend_from_slice(bytes.get(bytes.len().saturating_sub(MOST)..).unwrap_or_default());
        let excess = kept.bytes.len().saturating_sub(MOST);
        kept.bytes.drain(..excess);
        kept.is_cut |= excess > 0 || bytes.len() > MOST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let tail = Tail::default();
        tail.push(&vec![b'a'; 10_000]);
        tail.push(b"the end");
        let text = tail.text(&[]);
        assert_eq!(text.len(), SHOWN);
        assert!(text.ends_with("aathe end"));
    }

    #[test]
    fn a_secret_at_whose_middle_it_begins_is_not_shown() {
        let long = format!("canary-{}", "0123".repeat(SHOWN));
        for (secret, hidden) in [
            (&*long, Hidden::of([&*long])),
            ("canary-0123-\u{fc}-0123", Hidden::of(["canary-0123-\u{fc}-0123"])),
            ("Bearer canary-0123-0123", Hidden::default()),
        ] {
            for behind in (SHOWN - 30..SHOWN + 2).chain([1, SHOWN + BEFORE - 10, SHOWN + BEFORE - 3]) {
                let tail = Tail::default();
                tail.push(format!("{secret} {}", "x".repeat(behind)).as_bytes());
                let text = tail.text(&[&hidden]);
                assert!(!text.contains("0123") && text.ends_with('x'), "{behind}: {text}");
            }
        }
    }
}
