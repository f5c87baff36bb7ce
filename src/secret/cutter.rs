//! What somebody prints in pieces of any size, as lines that hold no secret: none is cut where a secret stands.

use super::credentials;
use super::hidden::Hidden;

/// Bytes of a line; what is beyond goes on in the next.
const LONGEST: usize = 4096;
/// Bytes that are taken at once where a line waits for the end of a secret.
const STEP: usize = 256;

/// Cuts what comes into lines.
#[derive(Default)]
pub(crate) struct Cutter(Vec<u8>);

impl Cutter {
    /// Takes `bytes`, and gives every line that ends by them to `each`: without `hidden`, without what looks like a
    /// credential, and with the bytes that were taken for it.
    pub(crate) fn push(&mut self, bytes: &[u8], hidden: &[&Hidden], mut each: impl FnMut(&str, usize)) {
        for mut piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            while !piece.is_empty() {
                let room = LONGEST.saturating_sub(self.0.len()).max(STEP);
                let (part, rest) = piece.split_at(piece.len().min(room));
                self.0.extend_from_slice(part);
                piece = rest;
                if self.0.ends_with(b"\n") {
                    self.give(self.0.len(), hidden, &mut each);
                } else if self.0.len() >= LONGEST {
                    self.give(self.0.len() - unfinished(&self.0, hidden), hidden, &mut each);
                }
            }
        }
    }

    /// Gives what was begun and not ended.
    pub(crate) fn end(&mut self, hidden: &[&Hidden], mut each: impl FnMut(&str, usize)) {
        self.give(self.0.len(), hidden, &mut each);
    }

    fn give(&mut self, length: usize, hidden: &[&Hidden], each: &mut impl FnMut(&str, usize)) {
        let bytes: Vec<u8> = self.0.drain(..length.min(self.0.len())).collect();
        let text = String::from_utf8_lossy(&bytes);
        let text = hidden.iter().fold(text.into_owned(), |text, hidden| hidden.hide(&text));
        let text = credentials::hide(text.trim_end());
        let (mut rest, mut length) = (&*text, bytes.len());
        while !rest.is_empty() {
            let (line, further) = rest.split_at(rest.floor_char_boundary(LONGEST));
            each(line, std::mem::take(&mut length));
            rest = further;
        }
    }
}

/// How many bytes at the end of a line that is cut may be the beginning of a secret, or of a character.
fn unfinished(line: &[u8], hidden: &[&Hidden]) -> usize {
    let (text, character) = line.utf8_chunks().last().map_or(("", 0), |last| (last.valid(), last.invalid().len()));
    let credential = match credentials::begun(text) {
        0 => 0,
        begun => begun + character,
    };
    hidden.iter().map(|hidden| hidden.begun(line)).chain([character, credential]).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]], hidden: &Hidden) -> Vec<String> {
        let (mut cutter, mut lines) = (Cutter::default(), Vec::new());
        for piece in pieces {
            cutter.push(piece, &[hidden], |line, _| lines.push(line.to_owned()));
        }
        cutter.end(&[hidden], |line, _| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let hidden = Hidden::of(["canary"]);
        assert_eq!(lines(&[b"one\ntw", b"o\n\n\r\n", b"a can", b"ary"], &hidden), ["one", "two", "a [redacted]"]);
    }

    #[test]
    fn no_line_is_cut_where_a_secret_stands() {
        let long = "canary-".repeat(2 * LONGEST / 7);
        for (secret, hidden) in [
            ("canary-\u{fc}-0123", Hidden::of(["canary-\u{fc}-0123"])),
            (&*long, Hidden::of([&*long])),
            ("Bearer canary-0123456", Hidden::default()),
            ("https://me:canary-0123456@host", Hidden::default()),
        ] {
            for before in LONGEST - 40..LONGEST + 2 {
                let text = format!("{}{secret} {}", " x".repeat(before / 2), "y".repeat(LONGEST));
                let lines = lines(&[text.as_bytes()], &hidden);
                assert!(
                    lines.iter().all(|line| !line.contains("anary") && !line.contains("0123")),
                    "{before}: {lines:?}"
                );
                let kept: usize = lines.iter().map(|line| line.matches(['x', 'y']).count()).sum();
                assert_eq!(kept, before / 2 + LONGEST, "nothing else is lost");
            }
        }
    }

    #[test]
    fn what_is_no_text_hides_no_credential_from_the_cut() {
        for before in LONGEST - 40..LONGEST + 2 {
            let text = [b"\xff".as_slice(), &vec![b' '; before], b"Bearer canary-0123456 ", &[b'y'; LONGEST]].concat();
            let lines = lines(&[&text], &Hidden::default());
            assert!(lines.iter().all(|line| !line.contains("anary") && !line.contains("0123")), "{before}: {lines:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_between_characters() {
        let text = "ü".repeat(LONGEST);
        let lines = lines(&[b"x", text.as_bytes()], &Hidden::default());
        assert_eq!(lines.concat(), format!("x{text}"));
        assert!(lines.iter().all(|line| line.len() <= LONGEST));
    }

    #[test]
    fn what_is_begun_and_none_is_shown() {
        let hidden = Hidden::of([&*"ab".repeat(10_000)]);
        let text = "ab".repeat(LONGEST);
        assert_eq!(lines(&[text.as_bytes(), b"!"], &hidden).concat(), format!("{text}!"));
    }
}
