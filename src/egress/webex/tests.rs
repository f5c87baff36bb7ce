use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::sender::Body;
use super::super::testing::{TOKEN, any_reply, json_body, judged, long_text, rendered, replies, solid};
use super::*;
use crate::error::Code;

const TO: &str = r#"["r1","m1"]"#;

fn sender() -> WebexSender {
    WebexSender { base_url: BASE_URL.into(), token: Secret::new(TOKEN) }
}

fn calls(reply: &Value) -> Vec<Call> {
    sender().render(TO, reply).unwrap()
}

#[test]
fn replies_become_messages() {
    insta::assert_json_snapshot!(rendered(&sender(), TO, &replies()));
}

#[test]
fn a_place_is_a_room_and_a_thread() {
    let body = |to: &str| json_body(&sender().render(to, &json!("hi")).unwrap()[0]).clone();
    assert_eq!(body(TO), json!({"roomId": "r1", "parentId": "m1", "text": "hi"}));
    assert_eq!(body(r#"["r1",""]"#), json!({"roomId": "r1", "text": "hi"}));
    for bad in ["", "[]", r#"["",""]"#] {
        assert_eq!(sender().render(bad, &json!("hi")).unwrap_err().code(), Code::ReplyPlace, "{bad}");
    }
}

#[test]
fn answers_say_what_became_of_it() {
    let call = &calls(&json!("hi"))[0];
    let body = json!({"message": "no\u{7}", "errors": [], "trackingId": "ROUTER_1"});
    let of = |status| judged(&sender(), call, status, None, &body);
    assert_eq!(of(200), Verdict::Sent);
    assert_eq!(judged(&sender(), call, 429, Some("5"), &body), Verdict::Later(Some(Duration::from_secs(5))));
    for (status, expected) in [
        (401, "token"),
        (403, "not in the room"),
        (404, "not in the room"),
        (400, "Webex refuses it: no\\u{7} (status 400, trackingId ROUTER_1)"),
    ] {
        let Verdict::Refused(why) = of(status) else { panic!("{status}") };
        assert!(why.contains(expected), "{why}");
    }
    for status in [500, 502, 503, 504] {
        assert!(matches!(of(status), Verdict::Unclear(_)), "{status}");
    }
}

#[test]
fn long_texts_of_every_kind_fit() {
    for format in ["plain", "markdown", "html"] {
        let text = "**ä** <b>x</b> ".repeat(1500);
        let calls = calls(&json!({"text": text, "format": format}));
        assert!(calls.len() > 1, "{format}");
        for call in calls {
            let body = json_body(&call);
            let text = ["text", "markdown", "html"].iter().find_map(|field| body[*field].as_str()).unwrap();
            assert!((1..=7439).contains(&text.len()), "{format}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn long_texts_are_split_and_nothing_is_lost(text in long_text(7439), with_buttons in any::<bool>()) {
        let buttons = if with_buttons { json!(["Ok"]) } else { json!([]) };
        let calls = calls(&json!({"text": text, "buttons": buttons}));
        let texts: Vec<&str> = calls.iter().map(|call| json_body(call)["text"].as_str().unwrap()).collect();
        prop_assert!(texts.iter().all(|text| (1..=7439).contains(&text.len())));
        prop_assert!(solid(&texts.concat()).starts_with(&solid(&text)));
    }

    #[test]
    fn any_value_is_rendered_within_the_limits(reply in any_reply()) {
        for call in calls(&reply) {
            let Body::Json(body) = &call.body else { continue };
            prop_assert_eq!(&body["roomId"], &json!("r1"));
            let text = ["text", "markdown", "html"].iter().find_map(|field| body[*field].as_str());
            let is_file = body.get("files").is_some();
            prop_assert!(text.map_or(is_file, |text| text.len() <= 7439 && !text.trim().is_empty()), "{body}");
            let attachments = body["attachments"].as_array().map_or(0, Vec::len);
            let files = body["files"].as_array().map_or(0, Vec::len);
            prop_assert!(attachments <= 1 && files <= 1 && attachments + files <= 1);
            // Without what only this host would know, each is sent in some way.
            let otherwise = call.otherwise.is_some();
            prop_assert_eq!(otherwise, is_file || attachments > 0);
        }
    }
}
