//! Telegram: replies as requests of the Bot API.
//!
//! A reply becomes `sendMessage` and the methods for files. Marks go as `entities` beside a plain text, never as a markup
//! that Telegram would have to read: so nothing has to be escaped, nothing is refused for its markup, and a text can be
//! cut anywhere.

use std::time::Duration;

use serde_json::{Value, json};

use super::sender::{Answer, Auth, Call, Pace, Rate, Sender, Verdict};
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

mod address;
mod files;
mod keyboard;
mod reply;
#[cfg(test)]
mod tests;
mod verdict;

pub use address::Address;
use reply::Place;

/// Where the Bot API is, unless the binding's `config.base_url` says otherwise.
pub const BASE_URL: &str = "https://api.telegram.org";

/// In a private chat: one message a second, a few at once.
const CHAT: Rate = Rate { every: Duration::from_secs(1), burst: 3 };

/// In a group or channel: 20 messages a minute, those at once included.
const GROUP: Rate = Rate { every: Duration::from_secs(4), burst: 5 };

/// Of a bot: 30 messages a second, those at once included.
const BOT: Rate = Rate { every: Duration::from_millis(40), burst: 5 };

/// A bot that replies are sent by.
pub struct TelegramSender {
    /// What the names of methods are appended to. It holds the token.
    methods: Secret,
}

impl TelegramSender {
    /// The bot with this token, at this URL of the Bot API.
    ///
    /// # Errors
    ///
    /// `ChannelInvalid` if the token is none.
    pub fn new(base_url: &str, token: &Secret) -> Result<Self> {
        let is_token = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b':' | b'-' | b'_');
        if !token.expose().bytes().all(is_token) {
            return Err(Error::new(Code::ChannelInvalid, "the bot's token is no token of Telegram")
                .hint("BotFather gives it, as 123456:ABC-DEF1234"));
        }
        Ok(Self { methods: Secret::new(format!("{base_url}/bot{}/", token.expose())) })
    }

    fn url(&self, method: &str) -> String {
        format!("{}{method}", self.methods.expose())
    }

    fn call(&self, method: &'static str, body: Value) -> Call {
        Call::post(method, self.url(method), Auth::None, body)
    }
}

impl Sender for TelegramSender {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        Ok(reply::calls(self, &Place::of(to)?, reply))
    }

    fn judge(&self, call: &Call, answer: &Answer<'_>) -> Verdict {
        verdict::of(call, answer)
    }

    fn pace(&self, to: &str) -> Pace {
        // Groups, supergroups and channels have negative ids.
        let is_group = Address::parse(to).is_some_and(|address| address.chat.starts_with('-'));
        Pace { place: Some(if is_group { GROUP } else { CHAT }), all: Some(BOT) }
    }

    /// Ends the sign of waiting at a pressed button.
    fn noticed(&self, raw: &Value) -> Option<Call> {
        let id = raw.get("callback_query")?.get("id")?.as_str()?;
        Some(self.call("answerCallbackQuery", json!({ "callback_query_id": id })))
    }
}
