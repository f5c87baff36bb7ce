//! Slack: replies as requests of its Web API.
//!
//! A reply is one or more `chat.postMessage`, in the thread or channel of its address. What answers a slash command goes to
//! the command's `response_url`, which also works where the app is no member; when that is used up or too old, to the
//! channel if everybody may see it, else to the user alone.
//!
//! Texts are plain unless the reply says otherwise (`format`): nothing in them is a mention, a link or markup. Buttons,
//! images and links are blocks; what has no block is told in words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Answer, Auth, Call, Message, Pace, Rate, Sender, Verdict};
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::secret::Secret;
use post::Post;

mod address;
mod button;
mod judge;
mod post;
#[cfg(test)]
mod tests;
mod text;

pub use address::Address;
pub(crate) use address::response_url;
pub(crate) use button::{Pressed, pressed};
pub use text::escape;

/// Where Slack's Web API is.
pub const BASE_URL: &str = "https://slack.com/api";

/// The request that answers a slash command.
const RESPONSE: &str = "response_url";

/// An app of Slack that replies are sent by.
#[derive(Clone, Debug)]
pub struct Slack {
    /// What the methods' names are appended to, without a slash at the end.
    pub base_url: String,
    /// What takes the place of `https://hooks.slack.com`, without a slash at the end.
    pub hooks_url: Option<String>,
    /// The app's token.
    pub token: Option<Secret>,
    /// The tokens of workspaces that have their own.
    pub tokens: BTreeMap<String, Secret>,
    /// Whether Slack shows previews of what texts link to.
    pub unfurl: bool,
}

impl Sender for Slack {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        let refused = |what: String| Error::new(Code::ReplyPlace, what);
        let address = Address::parse(to).ok_or_else(|| refused("the place of a reply is none of Slack's".into()))?;
        let own = address.team.as_ref().and_then(|team| self.tokens.get(team));
        let token = own.or(self.token.as_ref()).ok_or_else(|| {
            let team = clip(address.team.as_deref().unwrap_or("?")).escape_debug().to_string();
            refused(format!("there is no token for the workspace {team}"))
                .hint("set SLACK_BOT_TOKEN, or SLACK_BOT_TOKEN_ and the workspace's id")
        })?;
        let way = Way { slack: self, address: &address, token };
        let posts = Message::of_reply(reply).into_iter().flat_map(post::posts);
        Ok(posts.filter_map(|post| way.call(post)).collect())
    }

    fn judge(&self, call: &Call, answer: &Answer<'_>) -> Verdict {
        match call.what {
            RESPONSE => judge::response(answer),
            _ => judge::method(answer),
        }
    }

    /// Slack takes a message a second in a channel, a few at once, and some hundreds a minute in a workspace.
    fn pace(&self, _to: &str) -> Pace {
        Pace {
            place: Some(Rate { every: Duration::from_secs(1), burst: 3 }),
            all: Some(Rate { every: Duration::from_millis(200), burst: 20 }),
        }
    }
}

/// A place, and how it is reached.
struct Way<'a> {
    slack: &'a Slack,
    address: &'a Address,
    token: &'a Secret,
}

impl Way<'_> {
    /// The request for a post, with those that take its place if Slack refuses it.
    fn call(&self, post: Post) -> Option<Call> {
        let Post { fields, plainer, in_channel } = post;
        let forms: Vec<_> = [Some(fields), plainer].into_iter().flatten().collect();
        let response = self.address.response_url.as_deref().map(|url| self.to_response(url, &forms, in_channel));
        let place = match (&response, &self.address.user) {
            (Some(_), None) if !in_channel => None,
            // What only the user was to see is sent to the user.
            (Some(_), Some(user)) if !in_channel => Some((user, None)),
            _ => Some((&self.address.channel, self.address.thread.as_ref())),
        };
        let message =
            place.map(|(channel, thread)| forms.iter().map(move |form| self.to_channel(channel, thread, form)));
        let calls: Vec<_> = response.into_iter().flatten().chain(message.into_iter().flatten()).collect();
        calls.into_iter().rev().reduce(|next, call| call.or(next))
    }

    fn to_channel(&self, channel: &str, thread: Option<&String>, said: &Map<String, Value>) -> Call {
        let mut body = Map::new();
        body.insert("channel".into(), channel.into());
        if let Some(thread) = thread {
            body.insert("thread_ts".into(), thread.as_str().into());
        }
        body.extend(said.clone());
        for name in ["unfurl_links", "unfurl_media"] {
            body.insert(name.into(), self.slack.unfurl.into());
        }
        let url = format!("{}/chat.postMessage", self.slack.base_url);
        Call::post("chat.postMessage", url, Auth::Bearer(self.token.clone()), body.into())
    }

    fn to_response(&self, url: &str, forms: &[Map<String, Value>], in_channel: bool) -> Vec<Call> {
        let moved = self.slack.hooks_url.as_deref().and_then(|base| address::moved(url, base));
        let url = moved.unwrap_or_else(|| url.to_owned());
        let call = |said: &Map<String, Value>| {
            let mut body = Map::new();
            body.insert("response_type".into(), if in_channel { "in_channel" } else { "ephemeral" }.into());
            body.insert("replace_original".into(), false.into());
            body.extend(said.clone());
            Call::post(RESPONSE, url.as_str(), Auth::None, body.into())
        };
        forms.iter().map(call).collect()
    }
}
