//! What an activity of a user says, field by field.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Address;
use crate::egress::teams::pressed;
use crate::error::Result;
use crate::ingress::activity::{Activity, WireAttachment, mention};
use crate::ingress::adapter::{dedupe_key, platform_id};
use crate::ingress::envelope::{Attachment, AttachmentKind, Button, MOST, ProviderIds};

/// What a file that was shared with the bot is described as.
const FILE: &str = "application/vnd.microsoft.teams.file.download.info";

/// A user's turn.
pub(super) struct Turn {
    pub(super) activity: Activity,
    pub(super) is_invoke: bool,
    /// The bot's accounts.
    own: Vec<String>,
}

impl Turn {
    /// The turn of a bot with these App IDs.
    pub(super) fn new(mut activity: Activity, is_invoke: bool, apps: &[String]) -> Result<Self> {
        // What a reply's button stands for is what was sent to the host, and not how it was packed for that.
        if let Some(value) = pressed(&activity.value) {
            activity.value = value;
        }
        let recipient = id("recipient.id", activity.recipient.id.as_deref())?;
        let own = apps.iter().map(|app| format!("28:{app}")).chain(recipient).collect();
        Ok(Self { activity, is_invoke, own })
    }

    /// The platform's ids.
    pub(super) fn ids(&self) -> Result<ProviderIds> {
        let Activity { conversation, from, channel_data, .. } = &self.activity;
        let told = |path: [&str; 2], flat: &str| {
            let nested = channel_data.get(path[0]).and_then(|part| part.get(path[1]));
            nested.or_else(|| channel_data.get(flat)).and_then(Value::as_str)
        };
        let tenant = told(["tenant", "id"], "").or(conversation.tenant_id.as_deref());
        let conversation_id = id("conversation.id", conversation.id.as_deref())?;
        let channel_id = id("channelData.channel.id", told(["channel", "id"], "teamsChannelId"))?;
        if conversation_id.is_none() && channel_id.is_none() {
            platform_id("conversation.id", "")?;
        }
        Ok(ProviderIds {
            workspace_id: id("channelData.tenant.id", tenant)?,
            team_id: id("channelData.team.id", told(["team", "id"], "teamsTeamId"))?,
            channel_id,
            conversation_id,
            thread_id: id("replyToId", self.thread())?,
            user_id: Some(platform_id("from.id", from.id.as_deref().unwrap_or_default())?),
            message_id: id("id", self.activity.id.as_deref())?,
            event_id: None,
        })
    }

    /// The message that this one replies to, where that makes a thread of its own: neither in a channel's thread nor on
    /// a click.
    fn thread(&self) -> Option<&str> {
        let is_click = self.is_invoke || !self.activity.value.is_null();
        self.activity.reply_to_id.as_deref().filter(|_| !is_click && self.root().is_none())
    }

    /// The message that began the channel's thread.
    fn root(&self) -> Option<&str> {
        let (_, root) = self.activity.conversation.id.as_deref()?.split_once(";messageid=")?;
        (!root.is_empty()).then_some(root)
    }

    /// Where replies go.
    pub(super) fn address(&self, ids: &ProviderIds) -> Result<Address> {
        let conversation = ids.conversation_id.as_ref().or(ids.channel_id.as_ref());
        Ok(Address {
            service_url: id("serviceUrl", self.activity.service_url.as_deref())?.unwrap_or_default(),
            conversation: conversation.cloned().unwrap_or_default(),
            activity: ids.thread_id.clone(),
            bot: id("recipient.id", self.activity.recipient.id.as_deref())?,
        })
    }

    /// By what repetitions are recognised; nothing where the activity has no id.
    pub(super) fn dedupe(&self, ids: &ProviderIds, body: &[u8]) -> Vec<String> {
        let Some(message) = ids.message_id.as_deref() else { return Vec::new() };
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let kind = if self.is_invoke { "invoke" } else { "message" };
        let same = match &self.activity.timestamp {
            Some(timestamp) => timestamp.clone(),
            None => hex::encode(Sha256::digest(body)),
        };
        let (bot, channel) = (text(&self.activity.recipient.id), text(&self.activity.channel_id));
        let conversation = text(&ids.conversation_id);
        vec![dedupe_key([bot.as_str(), &channel, &conversation, kind, message, &same])]
    }

    /// When it was sent.
    pub(super) fn sent(&self) -> Option<jiff::Timestamp> {
        self.activity.timestamp.as_deref()?.parse().ok()
    }

    /// The user's language: as the activity says, else as the client does.
    pub(super) fn locale(&self) -> Option<String> {
        let is_info = |entity: &&Value| entity.get("type").and_then(Value::as_str) == Some("clientInfo");
        let client = || self.activity.entities.iter().find(is_info)?.get("locale")?.as_str();
        self.activity.locale.as_deref().or_else(client).filter(|locale| !locale.is_empty()).map(str::to_owned)
    }

    /// The text without the mention of the bot, which is how it is called; other mentions are their names.
    pub(super) fn text(&self) -> Option<String> {
        let mut text = self.activity.said()?.to_owned();
        for entity in self.activity.entities.iter().take(MOST) {
            let Some(who) = mention(entity) else { continue };
            let name = who.name.unwrap_or_default();
            let tag = match entity.get("text").and_then(Value::as_str) {
                Some(tag) => tag.to_owned(),
                None => format!("<at>{name}</at>"),
            };
            // Anything else would take words out of the text that are no mention.
            let Some(inner) = tag.strip_prefix("<at").and_then(|rest| rest.strip_suffix("</at>")) else { continue };
            if self.own.contains(&who.id) {
                text = text.replace(&format!("{tag} "), "").replace(&tag, "");
            } else {
                text = text.replace(&tag, inner.split_once('>').map_or("", |(_, name)| name));
            }
        }
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// What was pressed, and suggested actions.
    pub(super) fn buttons(&self) -> Vec<Button> {
        let suggested = self.activity.suggested();
        let value = &self.activity.value;
        if value.is_null() {
            return suggested;
        }
        let pressed = match self.activity.name.as_deref().filter(|_| self.is_invoke) {
            None if self.is_invoke => return suggested,
            None => Button {
                id: suggested.len().to_string(),
                title: self.text().unwrap_or_default(),
                payload: value.clone(),
            },
            Some("adaptiveCard/action") => executed(value.get("action").unwrap_or(value)),
            Some("task/fetch" | "task/submit") => {
                Button { id: "0".to_owned(), title: String::new(), payload: value.get("data").unwrap_or(value).clone() }
            }
            Some(_) => return suggested,
        };
        suggested.into_iter().chain([pressed]).collect()
    }

    /// The files, images and cards of the user's, without the copy of the text as HTML.
    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let is_own = |attachment: &&WireAttachment| {
            let is_html = attachment.content_type.as_deref() == Some("text/html");
            !(is_html && attachment.content_url.is_none() && attachment.name.is_none())
        };
        let service = self.activity.service_url.as_deref();
        let own = self.activity.attachments.iter().filter(is_own).take(MOST);
        own.map(|attachment| normalized(attachment, service)).collect()
    }

    /// What only Teams has.
    pub(super) fn channel_data(&self) -> Value {
        let activity = &self.activity;
        let mut data = Map::new();
        let texts = [
            ("type", Some(if self.is_invoke { "invoke" } else { "message" })),
            ("name", activity.name.as_deref().filter(|_| self.is_invoke)),
            ("channel_id", activity.channel_id.as_deref()),
            ("service_url", activity.service_url.as_deref()),
            ("conversation_type", activity.conversation.conversation_type.as_deref()),
            ("thread_root", self.root()),
            ("reply_to_id", activity.reply_to_id.as_deref()),
            ("user_name", activity.from.name.as_deref()),
            ("aad_object_id", activity.from.aad_object_id.as_deref()),
            ("bot_id", activity.recipient.id.as_deref()),
        ];
        data.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))));
        Value::Object(data)
    }
}

/// An id that may be missing.
fn id(what: &str, text: Option<&str>) -> Result<Option<String>> {
    text.filter(|text| !text.is_empty()).map(|text| platform_id(what, text)).transpose()
}

/// A card's action that was executed.
fn executed(action: &Value) -> Button {
    let text = |names: &[&str]| {
        let found = names.iter().filter_map(|name| action.get(*name)?.as_str()).find(|text| !text.is_empty());
        found.map(str::to_owned)
    };
    Button {
        id: text(&["id", "verb"]).unwrap_or_else(|| "0".to_owned()),
        title: text(&["title", "verb"]).unwrap_or_default(),
        payload: action.get("data").unwrap_or(action).clone(),
    }
}

/// An attachment in the host's form. What lies at the connector takes the bot's token; a shared file has a link of its
/// own that lets anybody in for some minutes.
fn normalized(attachment: &WireAttachment, service: Option<&str>) -> Attachment {
    let mut attachment = attachment.clone();
    if attachment.content_type.as_deref() == Some(FILE) {
        let told = |name: &str| attachment.content.as_ref()?.get(name)?.as_str().map(str::to_owned);
        attachment.content_url = told("downloadUrl").or(attachment.content_url);
        let extension = told("fileType").unwrap_or_default();
        let mime = mime_guess::from_ext(&extension).first_or_octet_stream();
        attachment.content_type = Some(mime.essence_str().to_owned());
        return attachment.normalize();
    }
    let requires_auth = attachment.content_url.as_deref().is_some_and(|url| lies_at(url, service));
    let is_card = attachment.content_url.is_none() && attachment.content.is_some();
    let mut out = attachment.normalize();
    out.requires_auth = requires_auth;
    // A quoted message is such a thing as well: it has a content, and no file.
    out.kind = if is_card { AttachmentKind::Card } else { out.kind };
    out
}

fn lies_at(url: &str, service: Option<&str>) -> bool {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    let service = service.and_then(origin);
    service.is_some() && service == origin(url)
}
