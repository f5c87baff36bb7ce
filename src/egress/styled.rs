//! Texts with marks (bold, links, code), read from Markdown or HTML, for platforms that have marks of their own.
//!
//! A text is plain unless its message says otherwise, by `format` or `textFormat` (`plain`, `markdown`, `html`) or by
//! Telegram's `parse_mode`. What is no mark stays text, so that nothing of a text is lost but the marks themselves.

use std::ops::Range;

use super::message::Message;
use super::text::spans;

mod html;
mod markdown;

/// The most marks that are kept of a text.
const MOST_MARKS: usize = 1000;

/// How a message's text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As it is.
    Plain,
    /// In CommonMark, with `~~`.
    Markdown,
    /// In Telegram's `MarkdownV2` or `Markdown`: `*` is bold and `__` underlined.
    TelegramMarkdown,
    /// In the tags that Telegram knows and their like.
    Html,
}

impl Format {
    /// What a message says.
    pub(super) fn of(message: &Message) -> Self {
        let text = |key: &str| message.native.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let stated = ["format", "textFormat"].map(text).into_iter().find(|text| !text.is_empty());
        let stated = stated.map(str::to_ascii_lowercase).unwrap_or_default();
        match (stated.as_str(), text("parse_mode").to_ascii_lowercase().as_str()) {
            ("markdown", _) => Self::Markdown,
            ("html" | "xml", _) | ("", "html") => Self::Html,
            ("markdownv2", _) | ("", "markdown" | "markdownv2") => Self::TelegramMarkdown,
            _ => Self::Plain,
        }
    }
}

/// What becomes of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are marks.
    Marked,
    /// Where they lead stands behind them: `label (https://…)`.
    Spelled,
}

/// A text with marks, each within another one or apart from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Styled {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

/// A part of a text that looks or does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where it is, in bytes.
    pub(super) span: Range<usize>,
    pub(super) style: Style,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Bold,
    Italic,
    Underline,
    Strike,
    Spoiler,
    Code,
    /// A block of code, perhaps in a language.
    Pre(Option<String>),
    Quote,
    /// A link to an `http`, `https` or `tg` URL.
    Link(String),
}

impl Styled {
    /// A message's text.
    pub(super) fn of(message: &Message, links: Links) -> Self {
        match Format::of(message) {
            Format::Plain => Self::plain(&message.text),
            Format::Markdown => markdown::read(&message.text, false, links),
            Format::TelegramMarkdown => markdown::read(&message.text, true, links),
            Format::Html => html::read(&message.text, links),
        }
    }

    /// A text without marks.
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), marks: Vec::new() }
    }

    /// In pieces of at most `most` by `size`; a mark that goes over a cut is in both pieces.
    pub(super) fn split(&self, most: usize, size: impl Fn(&str) -> usize) -> Vec<Self> {
        spans(&self.text, most, size).into_iter().map(|span| self.piece(span)).collect()
    }

    fn piece(&self, span: Range<usize>) -> Self {
        let within = |mark: &Mark| {
            let (from, to) = (mark.span.start.max(span.start), mark.span.end.min(span.end));
            let style = mark.style.clone();
            (from < to).then(|| Mark { span: from - span.start..to - span.start, style })
        };
        let marks = self.marks.iter().filter_map(within).collect();
        Self { text: self.text.get(span.clone()).unwrap_or_default().to_owned(), marks }
    }

    /// A line more.
    pub(super) fn push_line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
    }
}

/// A text that is being put together, with the marks that are open.
struct Builder {
    styled: Styled,
    open: Vec<(usize, Style)>,
    links: Links,
}

impl Builder {
    fn new(links: Links) -> Self {
        Self { styled: Styled::default(), open: Vec::new(), links }
    }

    fn text(&mut self, text: &str) {
        self.styled.text.push_str(text);
    }

    fn open(&mut self, style: Style) {
        self.open.push((self.styled.text.len(), style));
    }

    /// Closes the mark that was opened last.
    fn close(&mut self) {
        let Some((from, style)) = self.open.pop() else { return };
        let shown = self.styled.text.get(from..).unwrap_or_default();
        let to = from + shown.trim_end().len();
        let from = from + (shown.len() - shown.trim_start().len());
        let style = match style {
            Style::Link(url) => {
                let shown = self.styled.text.get(from..to).unwrap_or_default();
                if self.links == Links::Spelled || !is_link(&url) {
                    let spelled = match () {
                        () if shown == url || url.is_empty() => String::new(),
                        () if shown.is_empty() => url,
                        () => format!(" ({url})"),
                    };
                    self.text(&spelled);
                    return;
                }
                if shown.is_empty() {
                    self.text(&url);
                    return;
                }
                Style::Link(url)
            }
            other => other,
        };
        if from < to && self.styled.marks.len() < MOST_MARKS {
            self.styled.marks.push(Mark { span: from..to, style });
        }
    }

    /// Begins a block: a paragraph of its own, or only a line.
    fn block(&mut self, apart: bool) {
        let text = &mut self.styled.text;
        if text.trim().is_empty() {
            return;
        }
        let wanted = if apart { 2 } else { 1 };
        let there = text.len() - text.trim_end_matches('\n').len();
        text.extend(std::iter::repeat_n('\n', wanted.max(there) - there));
    }

    fn finish(mut self) -> Styled {
        while !self.open.is_empty() {
            self.close();
        }
        let end = self.styled.text.trim_end().len();
        self.styled.text.truncate(end);
        // Outer marks come before inner ones.
        self.styled.marks.sort_by_key(|mark| (mark.span.start, std::cmp::Reverse(mark.span.end)));
        self.styled
    }
}

fn is_link(url: &str) -> bool {
    ["https://", "http://", "tg://"].iter().any(|scheme| url.starts_with(scheme))
}

#[cfg(test)]
mod tests;
