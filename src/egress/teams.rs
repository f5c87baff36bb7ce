//! Microsoft Teams: replies as activities for the Bot Framework's connector.
//!
//! A reply is one or more `POST {service_url}v3/conversations/{conversation}/activities`. The service URL is what the
//! connector's own token named, and the app's token goes nowhere else: only to hosts of the connector, by HTTPS.
//!
//! Texts are plain unless the reply says otherwise (`format`). Text, images, cards and buttons are activities of their own:
//! Teams takes them apart itself if they come together, and then names no message. Buttons are an Adaptive Card, as
//! suggested actions are shown in some chats only, three of them at most. What Teams cannot be given is told in words.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Answer, Auth, Call, ClientCredentials, Message, Pace, Rate, Sender, Verdict};
use crate::error::{Code, Error, Result};

mod activity;
mod address;
mod button;
mod judge;
mod service;
#[cfg(test)]
mod tests;

pub use address::Address;
pub(crate) use button::pressed;
pub use service::ServiceHosts;

/// What is not escaped in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bot of Teams that replies are sent by.
#[derive(Clone, Debug)]
pub struct Teams {
    /// What the app's token is given for.
    pub credentials: ClientCredentials,
    /// The hosts that the token may go to.
    pub hosts: ServiceHosts,
}

impl Sender for Teams {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        let refused = |what: String| Error::new(Code::ReplyPlace, what);
        let address = Address::parse(to).ok_or_else(|| refused("the place of a reply is none of Teams'".into()))?;
        let url = self.url(&address).map_err(refused)?;
        let said = Message::of_reply(reply).into_iter().flat_map(activity::said);
        let call = |said| {
            let body = self.activity(&address, said);
            Call::post("activities", url.as_str(), Auth::Client(self.credentials.clone()), body)
        };
        Ok(said.map(call).collect())
    }

    fn judge(&self, _call: &Call, answer: &Answer<'_>) -> Verdict {
        judge::of(answer)
    }

    /// Teams takes 7 messages a second, 8 in two and 60 in thirty in a conversation, and 30 a second of a bot.
    fn pace(&self, _to: &str) -> Pace {
        Pace {
            place: Some(Rate { every: Duration::from_millis(600), burst: 4 }),
            all: Some(Rate { every: Duration::from_millis(50), burst: 10 }),
        }
    }
}

impl Teams {
    fn url(&self, address: &Address) -> Result<String, String> {
        let base = self.hosts.base(&address.service_url)?;
        let mut url = format!("{base}/v3/conversations/{}/activities", part(&address.conversation)?);
        if let Some(activity) = &address.activity {
            url.push('/');
            url.push_str(&part(activity)?);
        }
        Ok(url)
    }

    fn activity(&self, address: &Address, said: Map<String, Value>) -> Value {
        let own = || format!("28:{}", self.credentials.client_id);
        let mut activity = Map::new();
        activity.insert("type".into(), "message".into());
        activity.insert("from".into(), json!({"id": address.bot.clone().unwrap_or_else(own)}));
        activity.insert("conversation".into(), json!({"id": address.conversation}));
        if let Some(replied) = &address.activity {
            activity.insert("replyToId".into(), replied.as_str().into());
        }
        activity.extend(said);
        activity.into()
    }
}

/// An id as a part of a path.
fn part(id: &str) -> Result<String, String> {
    match id {
        "" | "." | ".." => Err("the reply's place has an id that is none".into()),
        id => Ok(utf8_percent_encode(id, PLAIN).to_string()),
    }
}
