//! Webex: replies as requests of its messages API.
//!
//! A reply becomes messages with a text, one file or one card each. Buttons are a card of their own, whose actions carry
//! the buttons' values. A plain text goes as `text`, in which nothing is a mark, so that nothing has to be escaped.

use serde_json::Value;

use super::sender::{Answer, Auth, Call, Sender, Verdict, by_status, quoted};
use crate::error::Result;
use crate::secret::Secret;

mod address;
mod cards;
mod place;
mod reply;
#[cfg(test)]
mod tests;

pub use address::Address;
pub(crate) use cards::{TITLE, VALUE};
use place::Place;

/// Where Webex answers, unless the binding's `config.base_url` says otherwise.
pub const BASE_URL: &str = "https://webexapis.com";

/// A bot that replies are sent by.
pub struct WebexSender {
    /// Where Webex answers, without a slash at its end.
    pub base_url: String,
    /// The bot's token.
    pub token: Secret,
}

impl WebexSender {
    fn url(&self) -> String {
        format!("{}/v1/messages", self.base_url)
    }

    fn auth(&self) -> Auth {
        Auth::Bearer(self.token.clone())
    }
}

impl Sender for WebexSender {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        Ok(reply::calls(&Place::of(self, to)?, reply))
    }

    fn judge(&self, _call: &Call, answer: &Answer<'_>) -> Verdict {
        let body = answer.json();
        let said = |what: &str| {
            let message = quoted(body.get("message").and_then(Value::as_str).unwrap_or("no reason"));
            let tracking = quoted(body.get("trackingId").and_then(Value::as_str).unwrap_or("none"));
            Verdict::Refused(format!("{what}: {message} (status {}, trackingId {tracking})", answer.status))
        };
        match (answer.status, by_status(answer)) {
            (401, _) => said("Webex does not know the bot's token"),
            (403 | 404, _) => said("the bot is not in the room, or may not write there"),
            (_, Verdict::Refused(_)) => said("Webex refuses it"),
            (_, verdict) => verdict,
        }
    }
}
