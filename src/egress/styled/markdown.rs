//! Markdown, as CommonMark reads it. Blocks become paragraphs and lines; tables and raw HTML stay as they are written.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{Builder, Links, Style, Styled};

/// Reads a text. In Telegram's own Markdown `*` is bold, `__` is underlined and `~` strikes.
pub(super) fn read(text: &str, is_telegrams: bool, links: Links) -> Styled {
    let mut reader = Reader { builder: Builder::new(links), lists: Vec::new(), item: false };
    for (event, span) in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        let delimiter = text.get(span).and_then(|written| written.chars().next()).filter(|_| is_telegrams);
        match event {
            Event::Start(tag) => reader.start(tag, delimiter),
            Event::End(end) => reader.end(end),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => reader.text(&text),
            Event::Code(code) => {
                reader.builder.open(Style::Code);
                reader.text(&code);
                reader.builder.close();
            }
            Event::SoftBreak | Event::HardBreak => reader.text("\n"),
            Event::Rule => {
                reader.block();
                reader.text("———");
            }
            // Kinds that are not asked for.
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => reader.text(&text),
            Event::TaskListMarker(_) => {}
        }
    }
    reader.builder.finish()
}

struct Reader {
    builder: Builder,
    /// The next number of each list that is open; none where it has no numbers.
    lists: Vec<Option<u64>>,
    /// Whether an item has just begun, so that its first block is in its line.
    item: bool,
}

impl Reader {
    fn text(&mut self, text: &str) {
        self.item = false;
        self.builder.text(text);
    }

    fn block(&mut self) {
        if !std::mem::take(&mut self.item) {
            self.builder.block(self.lists.is_empty());
        }
    }

    fn start(&mut self, tag: Tag<'_>, delimiter: Option<char>) {
        match tag {
            Tag::Heading { .. } => {
                self.block();
                self.builder.open(Style::Bold);
            }
            Tag::BlockQuote(_) => {
                self.block();
                self.builder.open(Style::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.split_whitespace().next().map(str::to_owned),
                    CodeBlockKind::Indented => None,
                };
                self.builder.open(Style::Pre(language));
            }
            Tag::List(first) => {
                self.block();
                self.lists.push(first);
            }
            Tag::Item => self.start_item(),
            Tag::Emphasis if delimiter == Some('*') => self.builder.open(Style::Bold),
            Tag::Emphasis => self.builder.open(Style::Italic),
            Tag::Strong if delimiter == Some('_') => self.builder.open(Style::Underline),
            Tag::Strong => self.builder.open(Style::Bold),
            Tag::Strikethrough => self.builder.open(Style::Strike),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.builder.open(Style::Link(dest_url.into_string()));
            }
            _ => self.block(),
        }
    }

    fn start_item(&mut self) {
        self.builder.block(false);
        let depth = self.lists.len().saturating_sub(1).min(8);
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            _ => "• ".to_owned(),
        };
        self.text(&format!("{}{mark}", "  ".repeat(depth)));
        self.item = true;
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image => self.builder.close(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item => self.item = false,
            _ => {}
        }
    }
}
