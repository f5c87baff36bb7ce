//! What stands in the tables: CBOR maps with the field names below. [`FORMAT`] grows when a record changes in a way
//! that an older host would misread; a new optional field is no such change.

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fault::Fault;
use crate::clock::Timestamp;
use crate::id::Id;
use crate::store::{EventId, Failure, Lane, ReplyRoute, RunId};
use crate::telemetry::TraceContext;

/// The version of the tables and records that this host writes and reads.
pub(super) const FORMAT: u64 = 1;

/// An accepted event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventRecord {
    pub(super) tenant: Id,
    pub(super) lane: Lane,
    pub(super) accepted_at: Timestamp,
    pub(super) deadline: Timestamp,
    /// The process that accepted it.
    pub(super) boot: u64,
    pub(super) payload: Blob,
    /// The event as which it was accepted, if it was replayed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<EventId>,
    /// The run that it begins with, if it was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// Whether that run waits for the event still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) resumes: bool,
}

impl EventRecord {
    /// The event as which it was accepted; `event` is what it is now.
    pub(super) fn origin_of(&self, event: u64) -> EventId {
        self.origin.unwrap_or(EventId(event))
    }
}

/// Who works on an event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WorkRecord {
    pub(super) lane: Lane,
    /// How often it was claimed; also the fence.
    pub(super) attempts: u32,
    pub(super) claimed_at: Timestamp,
    /// The process that claimed it last.
    pub(super) boot: u64,
    /// The run that was checkpointed for it, or with which it was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// Whether that run waits for the event still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) resumes: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) lane: Lane,
    pub(super) owner: Owner,
    pub(super) head: Blob,
}

/// What keeps a run alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Owner {
    /// The event that works on it.
    Event(EventId),
    /// It waits since this event.
    Wait(EventId),
    /// The dead letter of this event.
    Dead(EventId),
}

/// A value of the state, with its key, which the table's key holds only hashed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateRecord {
    pub(super) key: String,
    pub(super) value: Blob,
}

/// A reply.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplyRecord {
    pub(super) at: Timestamp,
    pub(super) payload: Blob,
    /// The span in which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<TraceContext>,
}

/// How far the sending of a reply is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProgressRecord {
    pub(super) done: u32,
    pub(super) begun: bool,
}

/// A reply that could not be delivered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UndeliveredRecord {
    pub(super) route: ReplyRoute,
    pub(super) at: Timestamp,
    pub(super) done: u32,
    pub(super) failure: Failure,
    pub(super) payload: Blob,
}

/// A dead letter. Which run it has is not told by its event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeadRecord {
    pub(super) event: EventRecord,
    pub(super) failure: Failure,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    /// Whether that run waits for the event still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) resumes: bool,
}

/// What repetitions of an event learn.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OnceRecord {
    pub(super) fingerprint: Blob,
    /// How the event ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<EndRecord>,
}

/// How an event ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndRecord {
    /// With this result.
    Result(Blob),
    /// It failed.
    Failure(Failure),
    /// Its result was too large.
    Nothing,
}

/// Bytes that are a CBOR byte string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob(pub(super) Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytestring;

        impl Visitor<'_> for Bytestring {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(bytes)))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes.into()))
            }
        }

        from.deserialize_byte_buf(Bytestring).map_err(D::Error::custom)
    }
}

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    ciborium::into_writer(record, &mut bytes)
        .map_err(|e| Fault::Damaged(format!("a record cannot be encoded: {e}")))?;
    Ok(bytes)
}

/// A record of `table`.
pub(super) fn decode<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, Fault> {
    ciborium::from_reader(bytes).map_err(|e| Fault::Damaged(format!("a record of table `{table}` cannot be read: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventRecord {
        EventRecord {
            tenant: Id::from("acme"),
            lane: Lane(Id::from("acme:webchat:c:u")),
            accepted_at: Timestamp(1_700_000_000_000),
            deadline: Timestamp(1_700_000_030_000),
            boot: 1,
            payload: Blob(Bytes::from_static(b"\x00payload\xff")),
            origin: None,
            run: None,
            resumes: false,
        }
    }

    /// A record's bytes in CBOR's diagnostic form, and proof that they are read back as they were written.
    fn shown<T: Serialize + DeserializeOwned>(record: &T) -> String {
        let bytes = encode(record).unwrap();
        let again: T = decode("test", &bytes).unwrap();
        assert_eq!(encode(&again).unwrap(), bytes);
        let value: ciborium::Value = ciborium::from_reader(&*bytes).unwrap();
        diagnostic(&value)
    }

    fn diagnostic(value: &ciborium::Value) -> String {
        use ciborium::Value;
        match value {
            Value::Integer(n) => i128::from(*n).to_string(),
            Value::Bytes(bytes) => format!("h'{}'", hex::encode(bytes)),
            Value::Text(text) => format!("{text:?}"),
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}: {}", diagnostic(k), diagnostic(v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => panic!("records hold no {other:?}"),
        }
    }

    /// What is on users' disks. A change here needs a new [`FORMAT`], or must read what stands here.
    #[test]
    fn records_keep_their_format() {
        let lane = Lane(Id::from("acme:webchat:c:u"));
        let run = RunId(uuid::Uuid::from_u128(7));
        let head = Blob(Bytes::from_static(b"head"));
        let failure = Failure { code: "GRH-0503".into(), message: "trap".into(), at: Timestamp(3) };
        let owned = |owner| RunRecord { lane: lane.clone(), owner, head: head.clone() };
        let work = |run, resumes| {
            let (lane, claimed_at) = (lane.clone(), Timestamp(-1));
            WorkRecord { lane, attempts: 2, claimed_at, boot: 3, run, resumes }
        };
        let replayed = EventRecord { origin: Some(EventId(9)), run: Some(run), resumes: true, ..event() };
        let undelivered = UndeliveredRecord {
            route: ReplyRoute(Id::from("acme:slack:c")),
            at: Timestamp(5),
            done: 2,
            failure: failure.clone(),
            payload: head.clone(),
        };
        let dead = |resumes| DeadRecord { event: event(), failure: failure.clone(), run: Some(run), resumes };
        let once = |ended| OnceRecord { fingerprint: Blob(Bytes::from_static(&[7; 32])), ended };
        let caller = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
        let caller = caller.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let trace = TraceContext::of_headers(&caller.into_iter().collect()).unwrap();
        let wait = crate::store::Wait { run, flow: Id::from("chat"), expires_at: Some(Timestamp(4)) };
        let lines = [
            format!("format {FORMAT}"),
            shown(&event()),
            shown(&work(None, false)),
            shown(&work(Some(run), false)),
            shown(&owned(Owner::Event(EventId(1)))),
            shown(&owned(Owner::Wait(EventId(2)))),
            shown(&owned(Owner::Dead(EventId(3)))),
            shown(&wait),
            shown(&StateRecord { key: "k".into(), value: head.clone() }),
            shown(&ReplyRecord { at: Timestamp(5), payload: head.clone(), trace: None }),
            shown(&dead(false)),
            shown(&replayed),
            shown(&work(Some(run), true)),
            shown(&dead(true)),
            shown(&ProgressRecord { done: 2, begun: true }),
            shown(&undelivered),
            shown(&once(None)),
            shown(&once(Some(EndRecord::Result(head.clone())))),
            shown(&once(Some(EndRecord::Failure(failure.clone())))),
            shown(&once(Some(EndRecord::Nothing))),
            shown(&ReplyRecord { at: Timestamp(5), payload: head.clone(), trace: Some(trace) }),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn strange_bytes_are_damage() {
        for bytes in [&b""[..], b"\xff", b"\xa0", b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert!(matches!(decode::<EventRecord>("events", bytes), Err(Fault::Damaged(_))), "{bytes:?}");
        }
    }
}
