//! The way of a reply's buttons to Slack and back.

use super::interactive::click;
use super::*;
use crate::egress::testing::bodies;

const WITH_TOKEN: &[(&str, &str)] = &[(SIGNING_SECRET, "s"), (BOT_TOKEN, "canary")];

/// The elements that the buttons of a reply become.
fn elements(channel: &dyn Channel, buttons: &Value) -> Vec<Value> {
    let place = Address { channel: "C1".into(), ..Address::default() };
    let reply = json!({"text": "?", "buttons": buttons});
    let calls = channel.sender().unwrap().render(&place.to_text(), &reply).unwrap();
    let bodies = bodies(&calls);
    let blocks = bodies.iter().flat_map(|body| body["blocks"].as_array().cloned().unwrap_or_default());
    blocks.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default()).collect()
}

/// What is made of pressing an element.
fn pressed(channel: &dyn Channel, element: &Value) -> Intake {
    let mut action = element.clone();
    action["block_id"] = "b".into();
    action["action_ts"] = "1731315605.5".into();
    action.as_object_mut().unwrap().shift_remove("url");
    interaction(channel, &click(&json!({"actions": [action]})))
}

#[test]
fn a_pressed_button_stands_for_what_it_was_made_of() {
    let channel = open(&Slack, &json!({}), WITH_TOKEN).unwrap();
    for (button, text, payload) in [
        (json!("Yes"), "Yes", json!("Yes")),
        (json!({"title": "No", "payload": "no"}), "no", json!("no")),
        (json!({"title": "Edit", "payload": {"n": [1, null, "x"]}}), "Edit", json!({"n": [1, null, "x"]})),
        (json!({"title": "Seven", "payload": 7}), "Seven", json!(7)),
        (json!({"title": "Text", "payload": "json:7"}), "json:7", json!("json:7")),
    ] {
        let elements = elements(&*channel, &json!([button]));
        let inbound = one(pressed(&*channel, &elements[0]));
        assert_eq!(inbound.envelope.buttons[0].payload, payload);
        assert_eq!(inbound.envelope.text.as_deref(), Some(text), "{button}");
    }
    let foreign =
        json!({"type": "button", "action_id": "own", "value": "json:7", "text": {"type": "plain_text", "text": "t"}});
    assert_eq!(one(pressed(&*channel, &foreign)).envelope.buttons[0].payload, "json:7");
}

#[test]
fn a_pressed_link_says_nothing() {
    let channel = open(&Slack, &json!({}), WITH_TOKEN).unwrap();
    let elements = elements(&*channel, &json!([{"title": "Site", "url": "https://a.example"}]));
    assert_eq!(elements[0]["url"], "https://a.example");
    assert!(matches!(pressed(&*channel, &elements[0]), Intake::Ignored(_)));
}

#[test]
fn replies_are_sent_with_a_token_only() {
    let sender = |config: Value, secrets: &[(&str, &str)]| open(&Slack, &config, secrets).unwrap().sender();
    assert!(sender(json!({}), SECRET).is_none());
    assert!(sender(json!({}), &[(BOT_TOKEN, "")]).is_none());
    assert!(sender(json!({}), WITH_TOKEN).is_some());
    let own = &[("SLACK_BOT_TOKEN_T1", "canary")];
    assert!(sender(json!({}), own).is_none());
    assert!(sender(json!({"teams": ["T1"]}), own).is_some());
    for config in [json!({"base_url": "slack.com"}), json!({"hooks_url": 7}), json!({"unfurl": "no"})] {
        assert_eq!(
            open(&Slack, &config, WITH_TOKEN).err().map(|error| error.code()),
            Some(Code::ChannelInvalid),
            "{config}"
        );
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(text in "\\PC{1,60}", number in any::<i64>()) {
        let channel = open(&Slack, &json!({}), WITH_TOKEN).unwrap();
        for payload in [json!(text), json!({"a": text}), json!([text, number]), json!(number)] {
            let elements = elements(&*channel, &json!([{"title": "b", "payload": payload}]));
            let inbound = one(pressed(&*channel, &elements[0]));
            prop_assert_eq!(&inbound.envelope.buttons[0].payload, &payload);
        }
    }
}
