//! What a webhook announces, and how people are told apart in it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::super::adapter::{dedupe_key, platform_id};
use super::super::json;
use crate::error::{Code, Error, Result};

/// Something that a user did, by its id.
pub(super) struct Announced {
    /// The resource, and the path below which it is fetched by its id.
    resource: &'static str,
    path: &'static str,
    id: String,
    room: Option<String>,
}

impl Announced {
    /// What is announced, or why it is nothing that a user did.
    ///
    /// # Errors
    ///
    /// What is no webhook of Webex, or names nothing that can be fetched.
    pub(super) fn of(webhook: &Value) -> Result<Result<Self, &'static str>> {
        let invalid = |what: &str| Error::new(Code::RequestInvalid, format!("the body is no event of Webex: {what}"));
        let named = |name| json::text(webhook, &[name]).ok_or_else(|| invalid(&format!("it has no {name}")));
        let (resource, path) = match (named("resource")?, named("event")?) {
            ("messages", "created") => ("messages", "/v1/messages/"),
            ("attachmentActions", "created") => ("attachmentActions", "/v1/attachment/actions/"),
            ("messages" | "attachmentActions", _) => return Ok(Err("a change of what was announced before")),
            _ => return Ok(Err("no kind of event that concerns a flow")),
        };
        let id = platform_id("data.id", json::text(webhook, &["data", "id"]).unwrap_or_default())?;
        // It becomes a part of a URL that the bot's token is sent to.
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')) {
            return Err(invalid("data.id is no id of Webex"));
        }
        Ok(Ok(Self { resource, path, id, room: json::id(webhook, &["data", "roomId"]) }))
    }

    pub(super) fn path(&self) -> String {
        format!("{}{}", self.path, self.id)
    }

    pub(super) fn dedupe(&self) -> Vec<String> {
        vec![dedupe_key([self.resource, &self.id])]
    }

    pub(super) fn order(&self) -> String {
        self.room.clone().unwrap_or_else(|| self.id.clone())
    }
}

/// Whether the address belongs to a bot.
pub(super) fn is_bot(email: &str) -> bool {
    email
        .rsplit_once('@')
        .is_some_and(|(_, domain)| ["webex.bot", "sparkbot.io"].iter().any(|bots| domain.eq_ignore_ascii_case(bots)))
}

/// An id in its plain form. Webex writes the same id plainly (a UUID), or as a URI in base64
/// (`ciscospark://us/PEOPLE/{uuid}`).
pub(super) fn plain(id: &str) -> String {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let uri = ENGINE.decode(id).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = uri.as_deref().and_then(|uri| uri.strip_prefix("ciscospark://")?.rsplit('/').next());
    name.filter(|name| !name.is_empty()).unwrap_or(id).to_owned()
}
