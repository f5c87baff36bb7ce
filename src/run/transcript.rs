//! What is kept at a route: replies, and where a transcript is kept also what users said.
//!
//! A reply is kept as its own JSON. What only the host may say of an entry stands behind a byte with which no JSON
//! begins, so that no reply can pretend to be something else.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::event::ReplyTo;

/// The record separator, which begins what the host says.
const MARK: u8 = 0x1e;

/// Something that is kept at a route.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What a user said.
    Said(Value),
    /// A reply.
    Reply {
        /// The reply itself.
        payload: Value,
        /// The id of what it replies to, where a transcript is kept.
        to: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Marked {
    Said(Value),
    Reply { to: String, payload: Value },
}

/// Reads an entry. What cannot be read is an empty reply.
pub fn read(bytes: &[u8]) -> Entry {
    let nothing = Entry::Reply { payload: Value::Null, to: None };
    let Some((&MARK, marked)) = bytes.split_first() else {
        return serde_json::from_slice(bytes).map_or(nothing, |payload| Entry::Reply { payload, to: None });
    };
    match serde_json::from_slice(marked) {
        Ok(Marked::Said(message)) => Entry::Said(message),
        Ok(Marked::Reply { to, payload }) => Entry::Reply { payload, to: Some(to) },
        Err(_) => nothing,
    }
}

/// A reply as it is kept.
pub(super) fn reply(reply_to: &ReplyTo, payload: &Value) -> Bytes {
    match reply_to {
        ReplyTo::Transcript { said, .. } => marked(&Marked::Reply { to: said.id.clone(), payload: payload.clone() }),
        ReplyTo::Caller | ReplyTo::Route(_) | ReplyTo::CallerFirst(_) => payload.to_string().into(),
    }
}

/// What a user said, as it is kept.
pub(super) fn said(message: &Value) -> Bytes {
    marked(&Marked::Said(message.clone()))
}

fn marked(entry: &Marked) -> Bytes {
    let mut bytes = vec![MARK];
    // Values have texts as keys, so that writing them cannot fail; what was cut short is read as nothing.
    drop(serde_json::to_writer(&mut bytes, entry));
    bytes.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run::event::Said;
    use crate::session::reply_route;

    fn transcript() -> ReplyTo {
        ReplyTo::Transcript { route: reply_route("t", "p", "c"), said: Said { id: "c|u1".into(), message: None } }
    }

    /// What is kept in the field must be read by every later version.
    #[test]
    fn the_bytes_are_frozen() {
        let shown = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let route = ReplyTo::Route(reply_route("t", "p", "c"));
        assert_eq!(shown(reply(&route, &json!({"text": "hi"}))), r#"{"text":"hi"}"#);
        assert_eq!(
            shown(reply(&transcript(), &json!({"text": "hi"}))),
            "\u{1e}{\"reply\":{\"to\":\"c|u1\",\"payload\":{\"text\":\"hi\"}}}"
        );
        assert_eq!(shown(said(&json!({"a": 1}))), "\u{1e}{\"said\":{\"a\":1}}");
    }

    #[test]
    fn entries_are_read_as_they_were_kept() {
        let payload = json!({"said": {"from": "somebody else"}});
        let of = |bytes: Bytes| read(&bytes);
        assert_eq!(of(said(&payload)), Entry::Said(payload.clone()));
        let to = Some("c|u1".to_owned());
        assert_eq!(of(reply(&transcript(), &payload)), Entry::Reply { payload: payload.clone(), to });
        let route = ReplyTo::Route(reply_route("t", "p", "c"));
        assert_eq!(of(reply(&route, &payload)), Entry::Reply { payload, to: None });
        let text = json!("\u{1e}{\"said\":1}");
        assert_eq!(of(reply(&route, &text)), Entry::Reply { payload: text, to: None });
        for damaged in [&b""[..], b"{", b"\x1e", b"\x1e{\"said\":", b"\x1e{\"other\":1}"] {
            assert_eq!(read(damaged), Entry::Reply { payload: Value::Null, to: None });
        }
    }
}
