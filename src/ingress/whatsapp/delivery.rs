//! A delivery: accounts, changes, messages. All of its messages become envelopes, or the delivery is refused.

use std::collections::HashSet;

use serde_json::Value;

use super::super::adapter::{Context, Inbound, Intake};
use super::super::envelope::Metadata;
use super::super::json;
use super::Numbers;
use super::message::Placed;
use crate::error::{Code, Error, Result};

/// The most messages in one delivery; Meta puts up to 1000 changes into one.
const MAX_MESSAGES: usize = 1000;

/// The most contacts beside the messages of a change.
const MAX_CONTACTS: usize = 1000;

/// Reads a delivery.
pub(super) fn read(numbers: &Numbers, context: &Context, metadata: &Metadata, body: Value) -> Result<Intake> {
    if json::text(&body, &["object"]) != Some("whatsapp_business_account") {
        return Ok(Intake::Ignored("a delivery about another product than WhatsApp"));
    }
    let (mut found, mut known, mut total) = (Vec::new(), HashSet::new(), 0_usize);
    let mut why = "a delivery without messages";
    for (entry, change) in changes(&body) {
        let (Some(value), Some(field)) = (json::at(change, &["value"]), json::at(change, &["field"])) else { continue };
        if field != "messages" {
            why = "a change that is no message to the tenant";
            continue;
        }
        let messages = json::list(value, &["messages"]);
        total = total.saturating_add(messages.len());
        if total > MAX_MESSAGES || json::list(value, &["contacts"]).len() > MAX_CONTACTS {
            return Err(Error::new(
                Code::RequestInvalid,
                format!("the delivery holds more than {MAX_MESSAGES} messages or {MAX_CONTACTS} contacts"),
            ));
        }
        if messages.is_empty() && !json::list(value, &["statuses"]).is_empty() {
            why = "a receipt is no message";
        }
        for message in messages {
            let placed = Placed { account: json::id(entry, &["id"]), value, message, alone: messages.len() == 1 };
            match placed.normalize(numbers, context, metadata) {
                Ok(mut inbound) => {
                    if known.insert(inbound.dedupe.clone()) {
                        inbound.envelope.raw = placed.narrowed(&body, field);
                        found.push(inbound);
                    }
                }
                Err(reason) => why = reason,
            }
        }
    }
    Ok(delivered(found, total, body, why))
}

fn changes(body: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let entries = json::list(body, &["entry"]).iter();
    entries.flat_map(|entry| json::list(entry, &["changes"]).iter().map(move |change| (entry, change)))
}

/// The delivery itself is the payload of a message that is the only one in it.
fn delivered(mut found: Vec<Inbound>, total: usize, body: Value, why: &'static str) -> Intake {
    match found.as_mut_slice() {
        [] => return Intake::Ignored(why),
        [only] if total == 1 => only.envelope.raw = body,
        _ => {}
    }
    Intake::Messages(found)
}
