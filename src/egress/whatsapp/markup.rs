//! Marks as WhatsApp writes them: `*bold*`, `_italic_`, `~struck~`, `` `code` ``, blocks between three backticks, and quotes
//! behind `> `. It has no way to write one of these characters as itself, so a text that is plain is left as it is.

use super::super::styled::{Mark, Style, Styled};

/// How long a text is for WhatsApp.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text in pieces of at most `most`, each with its marks; without any if they would be half of it.
pub(super) fn pieces(styled: &Styled, most: usize) -> Vec<String> {
    let lines = |mark: &Mark| styled.text.get(mark.span.clone()).map_or(0, |part| part.lines().count() + 1);
    let marks = styled.marks.iter().map(|mark| 6 * lines(mark)).fold(0, usize::saturating_add);
    if marks == 0 || marks > most / 2 {
        return Styled::plain(&styled.text).split(most, units).into_iter().map(|piece| piece.text).collect();
    }
    styled.split(most - marks, units).iter().map(written).collect()
}

/// A text with its marks.
fn written(styled: &Styled) -> String {
    // Where, whether it begins something, what of those at one place is first, and what is written.
    let mut inserted: Vec<(usize, bool, usize, &str)> = Vec::new();
    for (place, Mark { span, style }) in styled.marks.iter().enumerate() {
        let (delimiter, whole) = match style {
            Style::Bold => ("*", false),
            Style::Italic => ("_", false),
            Style::Strike => ("~", false),
            Style::Code => ("`", false),
            Style::Pre(_) => ("```", true),
            Style::Quote => {
                inserted.extend(lines(styled, span.start, span.end).map(|(from, _)| (from, true, place, "> ")));
                continue;
            }
            Style::Underline | Style::Spoiler | Style::Link(_) => continue,
        };
        // Marks do not go over the end of a line, except those of blocks.
        let parts: Vec<_> = match whole {
            true => vec![(span.start, span.end)],
            false => lines(styled, span.start, span.end).collect(),
        };
        for (from, to) in parts {
            inserted.push((from, true, place, delimiter));
            inserted.push((to, false, usize::MAX - place, delimiter));
        }
    }
    inserted.sort_by_key(|(at, begins, order, _)| (*at, *begins, *order));
    let mut out = String::with_capacity(styled.text.len() + inserted.len() * 3);
    let mut from = 0;
    for (at, _, _, text) in inserted {
        out.push_str(styled.text.get(from..at).unwrap_or_default());
        out.push_str(text);
        from = at;
    }
    out.push_str(styled.text.get(from..).unwrap_or_default());
    out
}

/// The lines between two places, without the white space around them.
fn lines(styled: &Styled, from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut at = from;
    styled.text.get(from..to).unwrap_or_default().split_inclusive('\n').filter_map(move |line| {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        (!line.trim().is_empty()).then(|| (start, start + line.trim().len()))
    })
}
