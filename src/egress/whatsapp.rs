//! WhatsApp: replies as requests of the Cloud API.
//!
//! A reply becomes messages of the types text, image, video, audio, document and interactive. What a flow says for
//! WhatsApp alone (a template, a location) is passed on as it is.

use std::time::Duration;

use serde_json::{Value, json};

use super::sender::{Answer, Auth, Call, Pace, Rate, Sender, Verdict};
use crate::error::Result;
use crate::secret::Secret;

mod address;
mod interactive;
mod markup;
mod media;
mod place;
mod reply;
#[cfg(test)]
mod tests;
mod verdict;

pub use address::Address;
use place::Place;

/// Where the Graph API is, unless the binding's `config.base_url` says otherwise.
pub const BASE_URL: &str = "https://graph.facebook.com";

/// The version of the Graph API, unless the binding's `config.api_version` says otherwise.
pub const API_VERSION: &str = "v25.0";

/// To one user: a message every six seconds; what goes at once is taken off the time that follows.
const PAIR: Rate = Rate { every: Duration::from_secs(6), burst: 20 };

/// Of a number: 80 messages a second, those at once and those that come in included.
const NUMBER: Rate = Rate { every: Duration::from_millis(20), burst: 20 };

/// An account that replies are sent by.
pub struct WhatsappSender {
    /// Where the Graph API is, without a slash at its end.
    pub base_url: String,
    /// Its version: `v25.0`.
    pub api_version: String,
    /// The token of the account.
    pub token: Secret,
    /// The number that sends where a message did not say to which it was sent: `phone_number_id`.
    pub number: Option<String>,
    /// What is done as soon as a message is stored.
    pub notice: Notice,
    /// What stands on the button that opens a list.
    pub list_button: String,
}

/// What a user sees of it that a message came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notice {
    /// Nothing.
    #[default]
    None,
    /// That it was read.
    Read,
    /// That it was read, and that an answer is being written.
    Typing,
}

impl WhatsappSender {
    /// A request to one of a number's endpoints.
    fn url(&self, number: &str, endpoint: &str) -> String {
        format!("{}/{}/{number}/{endpoint}", self.base_url, self.api_version)
    }

    fn auth(&self) -> Auth {
        Auth::Bearer(self.token.clone())
    }
}

impl Sender for WhatsappSender {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        reply::calls(&Place::of(self, to)?, reply)
    }

    fn judge(&self, call: &Call, answer: &Answer<'_>) -> Verdict {
        verdict::of(call, answer)
    }

    fn pace(&self, _to: &str) -> Pace {
        Pace { place: Some(PAIR), all: Some(NUMBER) }
    }

    fn noticed(&self, raw: &Value) -> Option<Call> {
        let value = raw.pointer("/entry/0/changes/0/value")?;
        let number = value.pointer("/metadata/phone_number_id")?.as_str().filter(|number| place::is_number(number))?;
        let message = value.pointer("/messages/0/id")?.as_str()?;
        let body = match self.notice {
            Notice::None => return None,
            Notice::Read => json!({"messaging_product": "whatsapp", "status": "read", "message_id": message}),
            Notice::Typing => json!({"messaging_product": "whatsapp", "status": "read", "message_id": message,
                "typing_indicator": {"type": "text"}}),
        };
        Some(Call::post("markRead", self.url(number, "messages"), self.auth(), body))
    }
}
