//! A reply as messages: texts, then files, then cards, then buttons.

use serde_json::Value;

use super::super::message::{Button, Card, File, FileSource, Message};
use super::super::sender::Call;
use super::super::styled::{Format, Links, Styled};
use super::super::text::split;
use super::cards::{Buttons, fitted, is_literal};
use super::place::Place;

/// The longest text, in bytes.
const MOST_TEXT: usize = 7439;

/// The longest URL that is passed on; longer ones are told.
const MOST_URL: usize = 2000;

/// The requests that a reply takes.
pub(super) fn calls(place: &Place<'_>, reply: &Value) -> Vec<Call> {
    Message::of_reply(reply).into_iter().flat_map(|message| written(place, message)).collect()
}

fn written(place: &Place<'_>, mut message: Message) -> Vec<Call> {
    let (cards, others) = std::mem::take(&mut message.cards).into_iter().partition(Card::is_adaptive);
    message.cards = others;
    let mut message = message.without_cards();
    let cards: Vec<Card> = cards;
    let buttons = Buttons::of(&message.buttons);
    let (files, told): (Vec<File>, Vec<File>) =
        std::mem::take(&mut message.files).into_iter().partition(|file| is_fetchable(&file.source));
    let lines: Vec<String> = told.iter().map(File::in_words).chain(buttons.lines.iter().cloned()).collect();
    let mut text = Text::of(&message, &lines);
    let mut calls = Vec::new();

    // A text beside a card is what is shown where no cards are; only the first has one.
    let instead = match cards.is_empty() {
        false if files.is_empty() => text.take_single().map(|_| text.plain.clone()),
        _ => None,
    };
    let in_card = match cards.is_empty() && files.is_empty() && buttons.any() && text.is_plain() {
        true => text.take_if(is_literal),
        false => None,
    };
    let beside = match files.as_slice() {
        [_] => text.take_single(),
        _ => None,
    };
    calls.extend(text.pieces.iter().map(|piece| place.text(text.field, piece)));
    for file in &files {
        let words = beside.iter().map(|_| text.plain.clone()).chain([file.in_words()]).collect::<Vec<_>>().join("\n");
        calls.push(place.file(file, beside.as_deref().map(|beside| (text.field, beside)), &cut(&words)));
    }
    for (number, card) in cards.into_iter().enumerate() {
        let words = in_words(card.clone(), instead.as_deref().filter(|_| number == 0));
        calls.push(place.card(&fitted(card.content), &cut(&words)));
    }
    let cards = buttons.cards(in_card.as_deref().unwrap_or_default());
    calls.extend(cards.iter().map(|(card, words)| place.card(card, &cut(words))));
    calls
}

/// A message's text in pieces, and the field that they go in.
struct Text {
    field: &'static str,
    pieces: Vec<String>,
    /// All of it without its marks.
    plain: String,
}

impl Text {
    fn of(message: &Message, lines: &[String]) -> Self {
        let text = |text: &str, gap: &str| {
            let parts = std::iter::once(text).chain(lines.iter().map(String::as_str)).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(gap)
        };
        let plain = text(&Styled::of(message, Links::Spelled).text, "\n");
        let (field, whole) = match Format::of(message) {
            Format::Markdown => ("markdown", text(&message.text, "\n\n")),
            Format::Html if lines.is_empty() && message.text.len() <= MOST_TEXT => ("html", message.text.clone()),
            // What cannot be cut, or is not Webex's, is told without its marks.
            Format::Plain | Format::Html | Format::TelegramMarkdown => ("text", plain.clone()),
        };
        Self { field, pieces: split(&whole, MOST_TEXT, str::len), plain }
    }

    fn is_plain(&self) -> bool {
        self.field == "text"
    }

    /// The text, if it is one piece.
    fn take_single(&mut self) -> Option<String> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, is_fit: impl Fn(&str) -> bool) -> Option<String> {
        match self.pieces.as_slice() {
            [only] if is_fit(only) => self.pieces.pop(),
            _ => None,
        }
    }
}

fn is_fetchable(source: &FileSource) -> bool {
    let FileSource::Url(url) = source else { return true };
    url.len() <= MOST_URL
        && url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What a card says, for clients that show none; a text that stands beside it says it better.
fn in_words(card: Card, instead: Option<&str>) -> String {
    let told = Message { cards: vec![card], ..Message::default() }.without_cards();
    let text = instead.map_or(told.text, str::to_owned);
    let lines = told.buttons.iter().map(Button::in_words);
    let words = std::iter::once(text).chain(lines).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    if words.is_empty() { "…".to_owned() } else { words }
}

/// As much of a text as a message takes.
fn cut(text: &str) -> String {
    split(text, MOST_TEXT, str::len).into_iter().next().unwrap_or_default()
}
