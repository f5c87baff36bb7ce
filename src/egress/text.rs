//! Splitting what is longer than a platform takes.

use std::ops::Range;

/// `text` in pieces of at most `most`, measured by `size`: cut between paragraphs if possible, else between lines, else
/// between sentences, else between words, else between characters. The pieces hold everything but the white space at the
/// cuts. A single character counts as fitting, whatever its size. No text is smaller than it has characters.
pub fn split(text: &str, most: usize, size: impl Fn(&str) -> usize) -> Vec<String> {
    spans(text, most, size).into_iter().filter_map(|span| text.get(span).map(str::to_owned)).collect()
}

/// The same as places in `text`, in bytes.
pub(super) fn spans(text: &str, most: usize, size: impl Fn(&str) -> usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut rest = text.trim_end();
    // Only as much of a long text is measured as can fit.
    while rest.chars().nth(most).is_some() || size(rest) > most {
        let fits = longest_prefix(rest, most, &size);
        let (head, tail) = rest.split_at(cut(rest, fits));
        pieces.push(from..from + head.trim_end().len());
        rest = tail.trim_start();
        from += head.len() + tail.len() - rest.len();
    }
    pieces.push(from..from + rest.len());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Things in lists of at most `most` things and of a size of at most `size` in all, in their order. What is larger by
/// itself stands alone.
pub(super) fn pack<T>(things: Vec<T>, most: usize, size: usize, measure: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut packed: Vec<Vec<T>> = Vec::new();
    let mut full = 0;
    for thing in things {
        let more = measure(&thing);
        match packed.last_mut() {
            Some(last) if last.len() < most && more <= size.saturating_sub(full) => {
                full += more;
                last.push(thing);
            }
            _ => {
                full = more;
                packed.push(vec![thing]);
            }
        }
    }
    packed
}

/// The number of bytes of the longest prefix of whole characters that fits, at least one character.
pub(super) fn longest_prefix(text: &str, most: usize, size: &impl Fn(&str) -> usize) -> usize {
    let ends: Vec<usize> =
        text.char_indices().skip(1).map(|(at, _)| at).chain([text.len()]).take(most.max(1)).collect();
    let fitting = ends.partition_point(|&end| text.get(..end).is_some_and(|head| size(head) <= most));
    let place = fitting.max(1);
    ends.get(place.saturating_sub(1)).copied().unwrap_or(text.len())
}

/// Where to cut `text`, whose first `fits` bytes fit.
fn cut(text: &str, fits: usize) -> usize {
    let head = text.get(..fits).unwrap_or(text);
    if text.get(fits..).is_some_and(|tail| tail.starts_with(char::is_whitespace)) {
        return fits;
    }
    // A cut that leaves a piece nearly empty makes more messages than it is worth.
    let worth = |at: &usize| *at > fits / 4;
    ["\n\n", "\n", ". ", "! ", "? ", "。", " "]
        .iter()
        .find_map(|mark| head.rfind(mark).map(|at| at + mark.len()).filter(worth))
        .unwrap_or(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chars(text: &str) -> usize {
        text.chars().count()
    }

    #[test]
    fn it_is_cut_where_readers_would() {
        let of = |text: &str, most| split(text, most, chars);
        assert_eq!(of("short", 10), ["short"]);
        assert_eq!(of("", 10), Vec::<String>::new());
        assert_eq!(of("one two\n\nthree four", 12), ["one two", "three four"]);
        assert_eq!(of("One two. Three four", 12), ["One two.", "Three four"]);
        assert_eq!(of("one two three", 8), ["one two", "three"]);
        assert_eq!(of("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(of("ääää", 3), ["äää", "ä"]);
    }

    #[test]
    fn a_platform_may_measure_otherwise() {
        let utf16 = |text: &str| text.encode_utf16().count();
        assert_eq!(split("😀😀😀", 4, utf16), ["😀😀", "😀"]);
        assert_eq!(split("😀😀", 1, utf16), ["😀", "😀"]);
    }

    #[test]
    fn things_are_packed_by_number_and_size() {
        let of = |things: &[usize]| pack(things.to_vec(), 3, 10, |thing| *thing);
        assert_eq!(of(&[1, 1, 1, 1]), [vec![1, 1, 1], vec![1]]);
        assert_eq!(of(&[4, 6, 1]), [vec![4, 6], vec![1]]);
        assert_eq!(of(&[20, 1, 9, 30]), [vec![20], vec![1, 9], vec![30]]);
        assert!(of(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_piece_fits(text in "[ab .\n😀ä]{0,80}", most in 1usize..20) {
            let pieces = split(&text, most, chars);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && chars(piece) <= most));
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(solid(&pieces.concat()), solid(&text));
        }
    }
}
