//! What replies need of the binding, and buttons on their way there and back.

use super::*;
use crate::egress::{Body, Call};

fn calls(reply: &Value) -> Vec<Call> {
    channel().sender().unwrap().render(r#"["456","",""]"#, reply).unwrap()
}

fn body(call: &Call) -> &Value {
    match &call.body {
        Body::Json(body) => body,
        Body::Multipart { .. } => panic!("a form"),
    }
}

/// The envelope of each button of a message, when it is pressed.
fn pressed(message: &Value) -> Vec<IngressEnvelope> {
    let rows = message["reply_markup"]["inline_keyboard"].as_array().unwrap();
    let buttons = rows.iter().flat_map(|row| row.as_array().unwrap());
    let press = |button: &Value| {
        envelope(&json!({"update_id": 8, "callback_query": {"id": "q1", "from": {"id": 456, "is_bot": false},
            "message": {"message_id": 12, "date": 1, "chat": {"id": 456, "type": "private"}, "from": {"id": 999, "is_bot": true},
                "text": "?", "reply_markup": message["reply_markup"]},
            "chat_instance": "ci", "data": button["callback_data"]}}))
    };
    buttons.filter(|button| button.get("callback_data").is_some()).map(press).collect()
}

#[test]
fn replies_take_the_bots_token() {
    assert!(bot(&json!({}), &[(WEBHOOK_SECRET, "s")]).sender().is_none());
    assert!(bot(&json!({}), &[(WEBHOOK_SECRET, "s"), (BOT_TOKEN, "")]).sender().is_none());
    assert_eq!(Telegram.sends_with(), [BOT_TOKEN]);
    let of = |config: Value, token: &str| open(&Telegram, &config, &[(BOT_TOKEN, token)]);
    let local = of(json!({"base_url": "http://127.0.0.1:81/"}), "9:x").unwrap();
    let call = local.sender().unwrap().render(r#"["4","",""]"#, &json!("hi")).unwrap().remove(0);
    assert_eq!(call.url.expose(), "http://127.0.0.1:81/bot9:x/sendMessage");
    for (config, token) in [(json!({"base_url": "nowhere"}), "9:x"), (json!({}), "9:x/y")] {
        assert_eq!(of(config, token).err().map(|error| error.code()), Some(Code::ChannelInvalid));
    }
}

#[test]
fn a_button_gives_its_value_back() {
    let long = "v".repeat(65);
    let buttons = json!(["Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": [1, null]}},
        {"title": "Seven", "payload": 7}, {"title": "Text", "payload": "json:7"}, {"title": "Site", "url": "https://a.example"},
        {"title": "Long", "payload": long}]);
    let calls = calls(&json!({"text": "?", "buttons": buttons}));
    let found: Vec<_> = pressed(body(&calls[0]))
        .into_iter()
        .map(|envelope| (envelope.text.unwrap(), envelope.buttons[0].payload.clone()))
        .collect();
    let of = |title: &str, payload: Value| (title.to_owned(), payload);
    let expected = [
        of("Yes", json!("Yes")),
        of("No", json!("no")),
        of("Edit", json!({"n": [1, null]})),
        of("Seven", json!(7)),
        of("Text", json!("json:7")),
        // Longer than Telegram carries: what it says.
        of("Long", json!("Long")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_button_that_was_pressed_is_noticed() {
    let raw = pressed(body(&calls(&json!({"buttons": ["Yes"]}))[0])).remove(0).raw;
    let call = channel().sender().unwrap().noticed(&raw).unwrap();
    assert_eq!((call.what, body(&call)), ("answerCallbackQuery", &json!({"callback_query_id": "q1"})));
}
