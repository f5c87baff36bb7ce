//! What replies need of the binding, and buttons on their way there and back.

use super::*;
use crate::egress::{Body, Call};

const SECRETS: &[(&str, &str)] = &[(APP_SECRET, "s"), (ACCESS_TOKEN, "token")];
const TO: &str = r#"["1122","4917","",""]"#;

fn calls(config: &Value, reply: &Value) -> Vec<Call> {
    open(config, SECRETS).sender().unwrap().render(TO, reply).unwrap()
}

fn body(call: &Call) -> &Value {
    match &call.body {
        Body::Json(body) => body,
        Body::Multipart { .. } => panic!("a form"),
    }
}

/// What a flow gets of a reply's buttons as they are pressed: the text and the payload.
fn pressed(reply: &Value) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    for call in calls(&json!({}), reply) {
        let action = &body(&call)["interactive"]["action"];
        for button in action["buttons"].as_array().into_iter().flatten() {
            answers.push(json!({"type": "button_reply", "button_reply": button["reply"]}));
        }
        for row in action["sections"][0]["rows"].as_array().into_iter().flatten() {
            answers.push(json!({"type": "list_reply", "list_reply": row}));
        }
    }
    let press = |answer: Value| {
        let envelope = message(&*channel(), &of_type("interactive", &json!({ "interactive": answer }))).envelope;
        (envelope.text.unwrap(), envelope.buttons[0].payload.clone())
    };
    answers.into_iter().map(press).collect()
}

#[test]
fn replies_take_the_accounts_token() {
    assert!(channel().sender().is_none());
    assert!(open(&json!({}), &[(ACCESS_TOKEN, "")]).sender().is_none());
    assert_eq!(Whatsapp.sends_with(), [ACCESS_TOKEN]);
    let config = json!({"base_url": "http://127.0.0.1:81/", "api_version": "v30.1", "phone_number_id": 77, "list_button": "Open"});
    let sender = open(&config, SECRETS).sender().unwrap();
    let buttons = json!({"text": "?", "buttons": ["a", "b", "c", "d"]});
    let call = sender.render(r#"["","4917","",""]"#, &buttons).unwrap().remove(0);
    assert_eq!(call.url.expose(), "http://127.0.0.1:81/v30.1/77/messages");
    assert_eq!(body(&call)["interactive"]["action"]["button"], "Open");
    for bad in [
        json!({"base_url": "nowhere"}),
        json!({"api_version": "25"}),
        json!({"api_version": "v25.0/x"}),
        json!({"mark_read": "yes"}),
        json!({"list_button": "x".repeat(21)}),
    ] {
        assert_eq!(
            testing::open(&Whatsapp, &bad, SECRETS).err().map(|error| error.code()),
            Some(Code::ChannelInvalid),
            "{bad}"
        );
    }
}

#[test]
fn a_message_is_marked_as_the_binding_says() {
    let noticed = |config: Value| {
        let channel = open(&config, SECRETS);
        let raw = message(&*channel, &text(&json!({}))).envelope.raw;
        channel.sender().unwrap().noticed(&raw).map(|call| body(&call).clone())
    };
    assert_eq!(noticed(json!({})), None);
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"});
    assert_eq!(noticed(json!({"mark_read": true})), Some(read.clone()));
    let typing = noticed(json!({"typing": true})).unwrap();
    assert_eq!((&typing["message_id"], &typing["typing_indicator"]), (&read["message_id"], &json!({"type": "text"})));
}

#[test]
fn a_button_gives_its_value_back() {
    let few = json!({"text": "?", "buttons": ["Yes", {"title": "Edit", "payload": {"n": [1, null]}}, {"title": "T", "payload": "json:7"}]});
    let of = |title: &str, payload: Value| (title.to_owned(), payload);
    assert_eq!(pressed(&few), [of("Yes", json!("Yes")), of("Edit", json!({"n": [1, null]})), of("T", json!("json:7"))]);
    let choice = |n: u32| json!({"title": format!("Choice {n}"), "payload": {"n": n}});
    let many = json!({"text": "?", "buttons": (0..23).map(choice).collect::<Vec<_>>()});
    let expected: Vec<_> = (0..23).map(|n| of(&format!("Choice {n}"), json!({"n": n}))).collect();
    assert_eq!(pressed(&many), expected);
    let alike = json!({"text": "?", "buttons": [{"title": "A", "payload": "1"}, {"title": "A", "payload": "2"}, {"title": "B", "payload": "2"}]});
    assert_eq!(pressed(&alike), [of("A", json!("1")), of("A", json!("2")), of("B", json!("2"))]);
    // Longer than WhatsApp carries: what it says.
    let long = json!({"text": "?", "buttons": [{"title": "Long", "payload": "v".repeat(257)}]});
    assert_eq!(pressed(&long), [of("Long", json!("Long"))]);
}
