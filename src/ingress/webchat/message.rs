//! A user's message: an activity as an event for a flow.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PROVIDER, WebchatChannel};
use crate::error::{Code, Error, Result};
use crate::ingress::activity::{Activity, WireAttachment};
use crate::ingress::adapter::{Context, Inbound, Request, Respond, dedupe_key, platform_id};
use crate::ingress::envelope::{Button, Entities, IngressEnvelope, MOST, ProviderIds, Session, urls_in};
use crate::run::event::ReplyTo;

/// How long an activity is remembered: clients send it again within minutes.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

/// A message, and what of it is not for its sender to say.
pub(super) struct Message {
    pub(super) activity: Activity,
    pub(super) raw: Value,
    pub(super) conversation: String,
    /// Its id.
    pub(super) id: Option<String>,
    pub(super) repeats: Repeats,
}

/// By what a message is known to be a repetition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// By the client's own id, else by the activity's.
    ByAnyId,
    /// By the client's own id alone: the activity's was given by the host.
    ByClientsId,
}

impl Message {
    /// The event that the message is.
    pub(super) fn inbound(
        self,
        channel: &WebchatChannel,
        context: &Context,
        request: &Request<'_>,
        reply_to: ReplyTo,
        respond: Respond,
    ) -> Result<Inbound> {
        let Self { activity, raw, conversation, id, repeats } = self;
        let user = platform_id("from.id", activity.from.id.as_deref().unwrap_or_default())?;
        let given = id.as_deref().filter(|_| repeats == Repeats::ByAnyId);
        let dedupe = dedupe(&activity, &conversation, &user, given)?;
        let ids = ProviderIds {
            conversation_id: Some(conversation),
            user_id: Some(user),
            message_id: id,
            ..ProviderIds::default()
        };
        let session = ids
            .session_key(&context.tenant, PROVIDER)
            .ok_or_else(|| Error::new(Code::RequestInvalid, "the activity names neither a conversation nor a user"))?;
        let text = activity.said().map(str::to_owned);
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: PROVIDER.into(),
            provider_ids: ids,
            session: Session {
                key: session.shown().to_string(),
                scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
            },
            timestamp: activity.timestamp.as_deref().and_then(|t| t.parse().ok()).unwrap_or_else(|| context.received()),
            entities: Entities {
                mentions: activity.mentions(),
                urls: text.as_deref().map(urls_in).unwrap_or_default(),
            },
            text,
            buttons: buttons(&activity),
            locale: activity.locale,
            attachments: activity.attachments.into_iter().take(MOST).map(WireAttachment::normalize).collect(),
            metadata: request.metadata(),
            channel_data: if activity.channel_data.is_null() { json!({}) } else { activity.channel_data },
            raw,
        };
        let flow = channel.flow.clone();
        Ok(Inbound { envelope, session, flow, dedupe, remember: REMEMBER, reply_to, respond })
    }
}

/// The client's own id of an activity, if it gave one.
pub(super) fn clients_id(channel_data: &Value) -> Result<Option<String>> {
    let given = channel_data.get("clientActivityID").and_then(Value::as_str).filter(|id| !id.is_empty());
    given.map(|id| platform_id("channelData.clientActivityID", id)).transpose()
}

/// A client that got no answer in time sends the same text again as a new activity; then only the client's own id is the
/// same.
fn dedupe(activity: &Activity, conversation: &str, user: &str, id: Option<&str>) -> Result<Vec<String>> {
    if let Some(id) = clients_id(&activity.channel_data)? {
        return Ok(vec![dedupe_key([conversation, user, "client", &id])]);
    }
    Ok(id.map(|id| dedupe_key([conversation, user, "id", id])).into_iter().collect())
}

/// Suggested actions, and the value of a button that was pressed: it comes without a text of the user's own.
fn buttons(activity: &Activity) -> Vec<Button> {
    let mut buttons = activity.suggested();
    if activity.text.as_deref().is_none_or(str::is_empty) && !activity.value.is_null() {
        let title = activity.value.as_str().unwrap_or_default().to_owned();
        buttons.push(Button { id: buttons.len().to_string(), title, payload: activity.value.clone() });
    }
    buttons
}
