//! The message that a fetched resource stands for.

use serde_json::{Map, Value, json};

use super::super::adapter::{Answer, Context, Inbound, Intake, Pending, Respond};
use super::super::envelope::{
    Attachment, AttachmentKind, Button, Entities, IngressEnvelope, MOST, ProviderIds, Session, urls_in,
};
use super::super::json;
use super::{Address, Bot, PROVIDER, REMEMBER, mentions};
use crate::egress::{unpacked, webex};
use crate::error::Result;
use crate::run::event::ReplyTo;
use crate::session::reply_route;

/// Makes the message of what Webex answered. What the answer does not tell, the event does.
pub(super) fn normalize(bot: &Bot, context: &Context, pending: &Pending, fetched: Value) -> Result<Intake> {
    let event = pending.event.get("data").unwrap_or(json::NULL);
    let id = |name: &str| json::id(&fetched, &[name]).or_else(|| json::id(event, &[name]));
    let Some(user) = id("personId").or_else(|| id("personEmail")) else {
        return Ok(Intake::Ignored("a message that does not tell its sender"));
    };
    let Some(room) = id("roomId") else { return Ok(Intake::Ignored("a message that does not tell its room")) };
    let parent = id("parentId");
    let ids = ProviderIds {
        workspace_id: json::id(&pending.event, &["orgId"]),
        channel_id: Some(room.clone()),
        conversation_id: Some(room.clone()),
        thread_id: parent.clone(),
        user_id: Some(user),
        message_id: id("id"),
        event_id: json::id(&pending.event, &["id"]),
        ..ProviderIds::default()
    };
    let Some(session) = ids.session_key(&context.tenant, PROVIDER) else {
        return Ok(Intake::Ignored("a message that tells neither its sender nor its room"));
    };
    let is_action = json::text(&pending.event, &["resource"]) == Some("attachmentActions");
    let text = json::text(&fetched, &["text"]).filter(|_| !is_action).map(|text| {
        let html = json::text(&fetched, &["html"]).unwrap_or_default();
        mentions::without_address(text, html, |id| bot.is_addressed(&pending.event, id))
    });
    let buttons = if is_action { vec![filled_in(&fetched)] } else { Vec::new() };
    let pressed = buttons.first().map(|button| button.title.clone());
    let address = Address { room, parent };
    let sent = id("created").and_then(|created| created.parse().ok());
    let envelope = IngressEnvelope {
        tenant: context.tenant.to_string(),
        provider: PROVIDER.into(),
        provider_ids: ids,
        session: Session {
            key: session.shown().to_string(),
            scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
        },
        timestamp: sent.unwrap_or_else(|| context.received()),
        locale: None,
        entities: Entities { mentions: mentions::of(&fetched), urls: text.as_deref().map(urls_in).unwrap_or_default() },
        text: text.or(pressed).filter(|text| !text.is_empty()),
        attachments: attachments(&fetched),
        buttons,
        metadata: pending.metadata.clone(),
        channel_data: channel_data(is_action, &fetched, event),
        raw: json!({"event": pending.event, "fetched": fetched}),
    };
    Ok(Intake::message(Inbound {
        envelope,
        session,
        flow: bot.flow.clone(),
        dedupe: pending.dedupe.clone(),
        remember: REMEMBER,
        reply_to: ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &address.to_text())),
        respond: Respond::Ack(Answer::empty(200)),
    }))
}

/// A card that was filled in: Webex does not tell which of its buttons was pressed, but what was entered. The buttons
/// that the host makes of a reply's tell themselves.
fn filled_in(action: &Value) -> Button {
    let inputs = json::at(action, &["inputs"]).cloned().unwrap_or_else(|| json!({}));
    let text = |name: &str| json::text(&inputs, &[name]).map(str::to_owned);
    match text(webex::VALUE) {
        Some(value) => Button { payload: unpacked(&value), title: text(webex::TITLE).unwrap_or_default(), id: value },
        None => Button { id: "0".into(), title: String::new(), payload: inputs },
    }
}

/// Files, of which only URLs are told, and cards.
fn attachments(message: &Value) -> Vec<Attachment> {
    let plain = Attachment {
        kind: AttachmentKind::File,
        name: None,
        mime: None,
        size: 0,
        url: None,
        data_inline_b64: None,
        requires_auth: false,
        content: None,
    };
    let files = json::list(message, &["files"]).iter().filter_map(Value::as_str).map(|url| Attachment {
        url: Some(url.to_owned()),
        requires_auth: true,
        ..plain.clone()
    });
    let cards = json::list(message, &["attachments"]).iter().map(|card| Attachment {
        kind: AttachmentKind::Card,
        mime: json::text(card, &["contentType"]).map(str::to_owned),
        content: json::at(card, &["content"]).cloned(),
        ..plain.clone()
    });
    files.chain(cards).take(MOST).collect()
}

fn channel_data(is_action: bool, fetched: &Value, event: &Value) -> Value {
    let mut data = Map::new();
    data.insert("type".into(), if is_action { "attachment_action" } else { "message" }.into());
    json::copy(event, &["roomType", "personEmail"], &mut data);
    json::copy(fetched, &["roomType", "personEmail", "messageId", "inputs"], &mut data);
    Value::Object(data)
}
