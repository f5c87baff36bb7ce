//! Invokes: requests that Teams wants answered in the response's body.
//!
//! There is one answer, so the flow makes one reply. A reply `{status, body}` is the answer as it is (what the Bot Framework
//! calls an invoke response); else the answer is made of the reply's text or card, in the form that the operation takes.
//! Several texts are one. What does not fit into the answer is none of it: it goes where other replies go.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ingress::adapter::{Answer, Respond};

/// How long a user looks at a spinner before Teams gives up, with some room for the way.
const WITHIN: Duration = Duration::from_secs(10);

/// Message extensions are given up sooner.
const WITHIN_EXTENSION: Duration = Duration::from_secs(4);

const MESSAGE: &str = "application/vnd.microsoft.activity.message";
const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// How an operation is answered: by the flow, else as one that is not implemented.
pub(super) fn wanted(operation: &str) -> Respond {
    let within = if operation.starts_with("composeExtension/") { WITHIN_EXTENSION } else { WITHIN };
    Respond::Sync { within, fallback: Answer::empty(501) }
}

/// The answer to an invoke, made of a flow's replies.
pub(super) fn respond(request: &Value, replies: &[Value]) -> Option<Answer> {
    let operation = request.get("name").and_then(Value::as_str)?;
    let texts: Option<Vec<&str>> = replies.iter().map(text).collect();
    let (text, card) = match (replies, texts) {
        ([], _) => return None,
        ([reply], _) => match stated(reply) {
            Some(answer) => return Some(answer),
            None => (text(reply).map(str::to_owned), adaptive_card(reply)),
        },
        (_, Some(texts)) if replies.iter().all(|reply| adaptive_card(reply).is_none()) => {
            (Some(texts.join("\n\n")), None)
        }
        _ => return None,
    };
    let body = match (operation, card, text) {
        ("adaptiveCard/action", Some(card), _) => json!({"statusCode": 200, "type": CARD, "value": card}),
        ("adaptiveCard/action", None, Some(text)) => json!({"statusCode": 200, "type": MESSAGE, "value": text}),
        ("task/fetch" | "task/submit", Some(card), title) => {
            let attachment = json!({"contentType": CARD, "content": card});
            json!({"task": {"type": "continue", "value": {"title": title, "card": attachment}}})
        }
        ("task/fetch" | "task/submit", None, Some(text)) => json!({"task": {"type": "message", "value": text}}),
        // Only the operation's own form would be understood, which the flow states as `{status, body}`.
        _ => return None,
    };
    Some(Answer::json(200, &body))
}

/// What a reply says.
fn text(reply: &Value) -> Option<&str> {
    reply.as_str().or_else(|| reply.get("text")?.as_str())
}

/// The answer that a reply states as it is to be.
fn stated(reply: &Value) -> Option<Answer> {
    let status = reply.get("status")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    if !(200..600).contains(&status) {
        return None;
    }
    Some(match reply.get("body") {
        None | Some(Value::Null) => Answer::empty(status),
        Some(body) => Answer::json(status, body),
    })
}

/// The card of a reply: `card`, or the first attachment that is one.
fn adaptive_card(reply: &Value) -> Option<&Value> {
    let attachments = reply.get("attachments").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_card = |attachment: &&Value| {
        let mime = attachment.get("contentType").or_else(|| attachment.get("mime"));
        mime.and_then(Value::as_str) == Some(CARD)
    };
    let attached = attachments.iter().find(is_card).and_then(|attachment| attachment.get("content"));
    reply.get("card").or(attached).filter(|card| card.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(name: &str, reply: Value) -> Option<(u16, String)> {
        respond(&json!({"type": "invoke", "name": name}), &[reply]).map(|answer| (answer.status, answer.body))
    }

    #[test]
    fn a_reply_becomes_what_the_operation_takes() {
        let card = json!({"type": "AdaptiveCard"});
        let attached = json!({"attachments": [{"contentType": CARD, "content": card}]});
        for (name, reply, body) in [
            (
                "adaptiveCard/action",
                json!({"text": "Done"}),
                json!({"statusCode": 200, "type": MESSAGE, "value": "Done"}),
            ),
            ("adaptiveCard/action", json!("Done"), json!({"statusCode": 200, "type": MESSAGE, "value": "Done"})),
            ("adaptiveCard/action", json!({"card": card}), json!({"statusCode": 200, "type": CARD, "value": card})),
            ("adaptiveCard/action", attached.clone(), json!({"statusCode": 200, "type": CARD, "value": card})),
            ("task/submit", json!({"text": "Bye"}), json!({"task": {"type": "message", "value": "Bye"}})),
            (
                "task/fetch",
                json!({"text": "T", "card": card}),
                json!({"task": {"type": "continue", "value":
                    {"title": "T", "card": {"contentType": CARD, "content": card}}}}),
            ),
            (
                "composeExtension/query",
                json!({"status": 200, "body": {"composeExtension": {}}}),
                json!({"composeExtension": {}}),
            ),
        ] {
            let (status, got) = answered(name, reply.clone()).unwrap();
            assert_eq!((status, serde_json::from_str::<Value>(&got).unwrap()), (200, body), "{name} {reply}");
        }
        assert_eq!(answered("signin/verifyState", json!({"status": 200})), Some((200, String::new())));
        assert_eq!(answered("signin/verifyState", json!({"status": 412, "body": null})), Some((412, String::new())));
    }

    #[test]
    fn what_the_operation_does_not_take_is_no_answer() {
        for (name, reply) in [
            ("composeExtension/query", json!({"text": "hi"})),
            ("adaptiveCard/action", json!({"attachments": [{"contentType": "image/png", "content": {}}]})),
            ("task/fetch", Value::Null),
            ("signin/verifyState", json!({"status": 42})),
            ("signin/verifyState", json!({"status": 100})),
            ("signin/verifyState", json!({"status": "200"})),
        ] {
            assert_eq!(answered(name, reply.clone()), None, "{name} {reply}");
        }
        assert_eq!(respond(&json!({"name": "task/fetch"}), &[]), None);
        assert_eq!(respond(&json!({}), &[json!("x")]), None);
    }

    #[test]
    fn nothing_is_lost_of_several_replies() {
        let of =
            |replies: &[Value]| respond(&json!({"name": "adaptiveCard/action"}), replies).map(|answer| answer.body);
        let both = of(&[json!({"text": "One"}), json!("Two")]).unwrap();
        assert!(both.contains(r#""value":"One\n\nTwo""#), "{both}");
        let card = json!({"text": "Three", "card": {"type": "AdaptiveCard"}});
        assert_eq!(of(&[json!("One"), card]), None);
        assert_eq!(of(&[json!({"status": 200}), json!("Two")]), None);
    }

    #[test]
    fn message_extensions_wait_less() {
        let within = |name| match wanted(name) {
            Respond::Sync { within, fallback } => (within, fallback.status),
            other => panic!("an invoke is answered, not {other:?}"),
        };
        assert_eq!(within("composeExtension/query"), (WITHIN_EXTENSION, 501));
        assert_eq!(within("task/fetch"), (WITHIN, 501));
    }
}
