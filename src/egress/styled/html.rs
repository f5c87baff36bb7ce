//! HTML, as far as chats know it. Tags that are not known, and what only looks like a tag, are text.

use std::borrow::Cow;

use super::{Builder, Links, Style, Styled};

/// The deepest nesting that is kept.
const MOST_DEPTH: usize = 32;

/// Reads a text.
pub(super) fn read(text: &str, links: Links) -> Styled {
    let mut reader = Reader { builder: Builder::new(links), names: Vec::new() };
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        reader.text(before);
        rest = match Tag::of(from) {
            Some((tag, after)) if reader.tag(&tag) => after,
            _ => {
                reader.text("<");
                from.get(1..).unwrap_or_default()
            }
        };
    }
    reader.text(rest);
    reader.builder.finish()
}

struct Tag<'a> {
    name: String,
    closes: bool,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag that a text begins with, and what follows.
    fn of(text: &'a str) -> Option<(Self, &'a str)> {
        let inner = text.strip_prefix('<')?;
        let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(length);
        let end = end_of_tag(rest).filter(|_| name.starts_with(|c: char| c.is_ascii_alphabetic()))?;
        let (attributes, after) = rest.split_at(end);
        Some((Self { name: name.to_ascii_lowercase(), closes, attributes }, after.get(1..)?))
    }

    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let length = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            if name.is_empty() {
                return None;
            }
            let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
                rest = after;
                continue;
            };
            let (value, after) = match value.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
                Some(quote) => value.get(1..)?.split_once(quote)?,
                None => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(unescaped(value).into_owned());
            }
            rest = after;
        }
    }
}

/// Where the `>` of a tag is, outside of quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '<') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

struct Reader {
    builder: Builder,
    /// The names of the tags that are open, as many as the builder has marks.
    names: Vec<String>,
}

impl Reader {
    fn text(&mut self, text: &str) {
        self.builder.text(&unescaped(text));
    }

    /// Follows a tag; false if it is not known.
    fn tag(&mut self, tag: &Tag<'_>) -> bool {
        match tag.name.as_str() {
            "br" => self.builder.text("\n"),
            "p" | "div" => self.builder.block(true),
            "ul" | "ol" => self.builder.block(false),
            "li" if tag.closes => {}
            "li" => {
                self.builder.block(false);
                self.builder.text("• ");
            }
            _ => {
                let Some(style) = style(tag) else { return false };
                match tag.closes {
                    true => self.close(&tag.name),
                    false if self.names.len() < MOST_DEPTH => self.open(tag, style),
                    false => return false,
                }
            }
        }
        true
    }

    fn open(&mut self, tag: &Tag<'_>, style: Style) {
        if matches!(style, Style::Pre(_) | Style::Quote) || is_heading(&tag.name) {
            self.builder.block(is_heading(&tag.name));
        }
        self.names.push(tag.name.clone());
        self.builder.open(style);
    }

    /// Closes a tag, and those that were opened within it.
    fn close(&mut self, name: &str) {
        let Some(place) = self.names.iter().rposition(|open| open == name) else { return };
        while self.names.len() > place {
            self.names.pop();
            self.builder.close();
        }
        if is_heading(name) || matches!(name, "pre" | "blockquote") {
            self.builder.block(is_heading(name));
        }
    }
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn style(tag: &Tag<'_>) -> Option<Style> {
    Some(match tag.name.as_str() {
        "b" | "strong" => Style::Bold,
        name if is_heading(name) => Style::Bold,
        "i" | "em" => Style::Italic,
        "u" | "ins" => Style::Underline,
        "s" | "strike" | "del" => Style::Strike,
        "tg-spoiler" => Style::Spoiler,
        "span" if tag.closes || tag.attribute("class").as_deref() == Some("tg-spoiler") => Style::Spoiler,
        "code" => Style::Code,
        "pre" => Style::Pre(None),
        "blockquote" => Style::Quote,
        "a" => Style::Link(tag.attribute("href").unwrap_or_default()),
        _ => return None,
    })
}

/// The text with its characters in place of their names.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let named = from.get(1..).and_then(|name| name.split_once(';')).filter(|(name, _)| name.len() <= 8);
        match named.and_then(|(name, after)| Some((character(name)?, after))) {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => {
                out.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|&c| !c.is_control() || matches!(c, '\n' | '\t'))?
        }
    })
}
