//! What replies need of the binding, and buttons on their way there and back.

use super::*;
use crate::egress::{Body, Call};

fn calls(reply: &Value) -> Vec<Call> {
    channel().sender().unwrap().render(r#"["r1",""]"#, reply).unwrap()
}

fn body(call: &Call) -> &Value {
    match &call.body {
        Body::Json(body) => body,
        Body::Multipart { .. } => panic!("a form"),
    }
}

/// What a flow gets of a reply's buttons as they are pressed: the text and the payload.
fn pressed(reply: &Value) -> Vec<(Option<String>, Value)> {
    let event = webhook("attachmentActions", "created", &json!({"id": "a1", "roomId": "r1", "personId": "p1"}));
    let calls = calls(reply);
    let actions = calls
        .iter()
        .flat_map(|call| body(call)["attachments"][0]["content"]["actions"].as_array().into_iter().flatten());
    let press = |action: &Value| {
        let fetched = json!({"id": "a1", "type": "submit", "messageId": "m1", "inputs": action["data"], "personId": "p1", "roomId": "r1"});
        let envelope = completed(&*channel(), &event, &fetched).envelope;
        (envelope.text, envelope.buttons[0].payload.clone())
    };
    actions.filter(|action| action["type"] == "Action.Submit").map(press).collect()
}

#[test]
fn replies_take_the_bots_token() {
    assert!(open(&json!({}), &[(WEBHOOK_SECRET, "s")]).sender().is_none());
    assert_eq!(Webex.sends_with(), [BOT_TOKEN]);
    let local = open(&json!({"base_url": "http://127.0.0.1:81/"}), &[(BOT_TOKEN, "token")]);
    assert_eq!(local.source().unwrap().base_url, "http://127.0.0.1:81");
    let call = local.sender().unwrap().render(r#"["r1",""]"#, &json!("hi")).unwrap().remove(0);
    assert_eq!(call.url.expose(), "http://127.0.0.1:81/v1/messages");
    let bad = testing::open(&Webex, &json!({"base_url": "nowhere"}), &[]).err().unwrap();
    assert_eq!(bad.code(), Code::ChannelInvalid);
}

#[test]
fn a_button_gives_its_value_back() {
    let buttons = json!(["Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": [1, null]}},
        {"title": "Seven", "payload": 7}, {"title": "Text", "payload": "json:7"}, {"title": "Site", "url": "https://a.example"},
        {"title": "Long", "payload": "v".repeat(1000)}]);
    let of = |title: &str, payload: Value| (Some(title.to_owned()), payload);
    let expected = [
        of("Yes", json!("Yes")),
        of("No", json!("no")),
        of("Edit", json!({"n": [1, null]})),
        of("Seven", json!(7)),
        of("Text", json!("json:7")),
        of("Long", json!("v".repeat(1000))),
    ];
    assert_eq!(pressed(&json!({"text": "?", "buttons": buttons})), expected);
    // A flow's own card gives back what was entered, as before.
    let card = json!({"type": "AdaptiveCard", "body": [], "actions": [{"type": "Action.Submit", "title": "Go", "data": {"a": 1}}]});
    assert_eq!(pressed(&card), [(None, json!({"a": 1}))]);
}
