//! What is stored of events and runs: CBOR, with a version in front. A record of a newer version is refused, never
//! guessed at. Golden tests freeze the bytes.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::flow::template::NodeOutput;
use crate::id::Id;
use crate::run::event::{Event, FlowChoice, ReplyTo};
use crate::run::outcome::Status;
use crate::session::SessionKey;
use crate::telemetry::TraceContext;

const VERSION: u8 = 1;

/// An accepted event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EventRecord {
    pub(super) flow: FlowChoice,
    pub(super) session: SessionKey,
    pub(super) user: Option<Id>,
    pub(super) provider: Option<Id>,
    pub(super) input: Value,
    pub(super) reply_to: ReplyTo,
    pub(super) correlation_id: String,
    pub(super) deduped: bool,
    /// The caller that waits for the replies, if the event's replies are for it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<Uuid>,
    /// Whether what it ends with is kept for its repetitions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) once: bool,
    /// The span in which it was accepted, of which the work on it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<TraceContext>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl EventRecord {
    pub(super) fn of(event: Event) -> Self {
        Self {
            flow: event.flow,
            session: event.session,
            user: event.user,
            provider: event.provider,
            input: event.input,
            reply_to: event.reply_to,
            correlation_id: event.correlation_id,
            deduped: !event.dedupe.is_empty(),
            ticket: None,
            once: false,
            trace: None,
        }
    }
}

/// What an event ended with, for its repetitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OutcomeRecord {
    pub(super) status: Status,
    pub(super) replies: Vec<Value>,
    pub(super) session: Id,
    pub(super) flow: Id,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HeadRecord {
    /// The digest of the pack that the run stands in.
    pub(super) digest: String,
    /// The nodes to go on at, one for each flow that is being executed, the innermost last.
    pub(super) at: Vec<Pointer>,
    /// Steps for the current event.
    pub(super) steps: u32,
    /// Steps over the run's whole life.
    pub(super) total: u64,
    /// Whether anything was replied in this event.
    pub(super) replied: bool,
    /// Jumps to other flows for the current event. Not in records that were written before there were any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) redirects: u32,
    /// The span in which the run began to wait, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<TraceContext>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A node of a flow, by name, so that it survives a change of the pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) flow: Id,
    pub(super) node: Id,
}

/// Something that a run did. Replaying the entries in order rebuilds the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A flow began, called by the node of the flow above it or by an event.
    Begin { flow: Id, entry: Arc<Value> },
    /// A node of the innermost flow is done.
    Step { node: Id, output: Arc<NodeOutput> },
    /// The innermost flow ended; its result is recorded by the calling node's step.
    End,
    /// A waiting run got its event.
    Resume { input: Arc<Value> },
}

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<bytes::Bytes> {
    let mut out = vec![VERSION];
    ciborium::into_writer(record, &mut out)
        .map_err(|e| Error::new(Code::Internal, format!("a record cannot be encoded: {e}")))?;
    Ok(out.into())
}

/// A record from bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&VERSION, body)) => ciborium::from_reader(body)
            .map_err(|e| Error::new(Code::StoreFormat, format!("a stored record is damaged: {e}"))),
        Some((version, _)) => Err(Error::new(Code::StoreFormat, format!("a stored record has version {version}"))
            .hint("it was written by a newer greentic-runner; use that one, or another data directory")),
        None => Err(Error::new(Code::StoreFormat, "a stored record is empty")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is stored in the field must be read by every later version: the bytes change only on purpose, with a new
    /// version in front.
    #[test]
    fn the_bytes_are_frozen() {
        let event = EventRecord {
            flow: FlowChoice::Kind("messaging".to_owned()),
            session: SessionKey::canonical("t", "webchat", "c:1", "u"),
            user: Some(Id::from("u")),
            provider: None,
            input: json!({ "text": "hi", "n": 1.5 }),
            reply_to: ReplyTo::Caller,
            correlation_id: "c".to_owned(),
            deduped: true,
            ticket: None,
            once: false,
            trace: None,
        };
        let at = Pointer { flow: Id::from("f"), node: Id::from("n") };
        let head = HeadRecord {
            digest: "sha256:00".to_owned(),
            at: vec![at],
            steps: 3,
            total: 9,
            replied: true,
            redirects: 0,
            trace: None,
        };
        let output = NodeOutput { ok: false, payload: json!([null, true]), meta: Value::Null };
        let entries = [
            Entry::Begin { flow: Id::from("f"), entry: Arc::new(json!({})) },
            Entry::Step { node: Id::from("n"), output: Arc::new(output) },
            Entry::End,
            Entry::Resume { input: Arc::new(json!("again")) },
        ];
        let mut lines = vec![hex::encode(encode(&event).unwrap()), hex::encode(encode(&head).unwrap())];
        lines.extend(entries.iter().map(|entry| hex::encode(encode(entry).unwrap())));
        insta::assert_snapshot!(lines.join("\n"));

        assert_eq!(decode::<EventRecord>(&encode(&event).unwrap()).unwrap(), event);
        assert_eq!(decode::<HeadRecord>(&encode(&head).unwrap()).unwrap(), head);
        for entry in entries {
            assert_eq!(decode::<Entry>(&encode(&entry).unwrap()).unwrap(), entry);
        }
    }

    #[test]
    fn kept_outcomes_are_frozen() {
        let record = |status| OutcomeRecord {
            status,
            replies: vec![json!({ "text": "hi" }), json!([1.5, null])],
            session: Id::from("t:webhook:f:k"),
            flow: Id::from("f"),
        };
        let records = [
            record(Status::Completed),
            record(Status::Waiting { reason: None }),
            record(Status::Waiting { reason: Some("a name".to_owned()) }),
        ];
        let lines: Vec<_> = records.iter().map(|record| hex::encode(encode(record).unwrap())).collect();
        insta::assert_snapshot!(lines.join("\n"));
        for record in records {
            assert_eq!(decode::<OutcomeRecord>(&encode(&record).unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn jumps_are_counted_and_heads_without_a_count_are_read() {
        let head = |redirects| HeadRecord {
            digest: String::new(),
            at: Vec::new(),
            steps: 1,
            total: 1,
            replied: false,
            redirects,
            trace: None,
        };
        let (none, two) = (encode(&head(0)).unwrap(), encode(&head(2)).unwrap());
        assert!(!String::from_utf8_lossy(&none).contains("redirects"), "as before there were jumps");
        assert_eq!(decode::<HeadRecord>(&none).unwrap(), head(0));
        assert_eq!(decode::<HeadRecord>(&two).unwrap(), head(2));
    }

    #[test]
    fn newer_damaged_and_empty_records_are_refused() {
        for bytes in [&b""[..], &[2, 0x00], &[VERSION], &[VERSION, 0xff], &[VERSION, 0xa1]] {
            let error = decode::<HeadRecord>(bytes).unwrap_err();
            assert_eq!(error.code(), Code::StoreFormat, "{bytes:?}");
        }
    }
}
