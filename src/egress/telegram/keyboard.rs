//! Buttons, as an inline keyboard.

use serde_json::{Value, json};

use super::super::message::{Action, Button};
use super::super::value::{packed, shortened};

/// The most bytes of what a button gives back.
const MOST_DATA: usize = 64;

/// How many buttons stand side by side, and the most characters that they say together.
const ROW: (usize, usize) = (3, 24);

/// A message's buttons: those that Telegram has, and lines for the links that it would refuse.
#[derive(Default)]
pub(super) struct Keyboard {
    rows: Vec<Vec<Value>>,
    /// The titles' characters in the last row.
    width: usize,
    pub(super) lines: Vec<String>,
}

impl Keyboard {
    pub(super) fn of(buttons: &[Button]) -> Self {
        let mut keyboard = Self::default();
        for Button { title, action } in buttons {
            let title = Some(title.trim()).filter(|title| !title.is_empty()).unwrap_or("…");
            match action {
                Action::Open(url) if is_link(url) => keyboard.push(title, json!({"text": title, "url": url})),
                Action::Open(url) => keyboard.lines.push(format!("{title}: {url}")),
                action => keyboard.push(title, json!({"text": title, "callback_data": data(title, action)})),
            }
        }
        keyboard
    }

    fn push(&mut self, title: &str, button: Value) {
        let width = title.chars().count();
        let (most, widest) = ROW;
        match self.rows.last_mut().filter(|row| row.len() < most && self.width + width <= widest) {
            Some(row) => {
                row.push(button);
                self.width += width;
            }
            None => {
                self.rows.push(vec![button]);
                self.width = width;
            }
        }
    }

    /// What `reply_markup` takes; none without buttons.
    pub(super) fn markup(&self) -> Option<Value> {
        (!self.rows.is_empty()).then(|| json!({ "inline_keyboard": self.rows }))
    }
}

/// What a button gives back: its value, or what it says if the value is too long for Telegram.
fn data(title: &str, action: &Action) -> String {
    packed(action).filter(|data| data.len() <= MOST_DATA).unwrap_or_else(|| shortened(title, MOST_DATA, str::len))
}

/// Whether Telegram takes it for a link: it wants a name with a dot in it, as no host of an own machine has.
fn is_link(url: &str) -> bool {
    let Ok(parsed) = url::Url::parse(url) else { return false };
    match parsed.scheme() {
        "http" | "https" => parsed.host_str().is_some_and(|host| host.contains('.')),
        "tg" => true,
        _ => false,
    }
}
