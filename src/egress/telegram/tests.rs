use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::sender::Body;
use super::super::testing::{TOKEN, any_reply, json_body, judged, long_text, rendered, replies, shown, solid};
use super::*;

const TO: &str = r#"["456","",""]"#;

fn sender() -> TelegramSender {
    TelegramSender::new(BASE_URL, &Secret::new(TOKEN)).unwrap()
}

fn calls(reply: &Value) -> Vec<Call> {
    sender().render(TO, reply).unwrap()
}

#[test]
fn replies_become_calls_of_methods() {
    insta::assert_json_snapshot!(rendered(&sender(), TO, &replies()));
}

#[test]
fn a_place_is_a_chat_a_topic_and_a_business_connection() {
    let body = |to: &str| json_body(&sender().render(to, &json!("hi")).unwrap()[0]).clone();
    assert_eq!(body(TO), json!({"chat_id": 456, "text": "hi"}));
    assert_eq!(
        body(r#"["-100123","42","bc"]"#),
        json!({"chat_id": -100_123, "message_thread_id": 42, "business_connection_id": "bc", "text": "hi"})
    );
    for bad in ["", "[]", r#"["","",""]"#, r#"["@channel","",""]"#, r#"["1","x",""]"#] {
        assert_eq!(sender().render(bad, &json!("hi")).unwrap_err().code(), Code::ReplyPlace, "{bad}");
    }
}

#[test]
fn a_token_is_never_a_path_of_its_own() {
    for bad in ["1:a/../b", "1:a?b", "1:a#", "1:ä"] {
        let error = TelegramSender::new(BASE_URL, &Secret::new(bad)).err().unwrap();
        assert!(error.code() == Code::ChannelInvalid && !error.to_string().contains(bad));
    }
}

#[test]
fn answers_say_what_became_of_it() {
    let call = &calls(&json!("hi"))[0];
    let of = |status: u16, body: Value| judged(&sender(), call, status, None, &body);
    let no = |description: &str| json!({"ok": false, "description": description});
    assert_eq!(of(200, json!({"ok": true, "result": {"message_id": 1}})), Verdict::Sent);
    let wait = json!({"ok": false, "error_code": 429, "parameters": {"retry_after": 7}});
    assert_eq!(of(429, wait), Verdict::Later(Some(Duration::from_secs(7))));
    assert_eq!(judged(&sender(), call, 429, Some("3"), &json!("")), Verdict::Later(Some(Duration::from_secs(3))));
    let refused = |status, body| match of(status, body) {
        Verdict::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(403, no("Forbidden: bot was blocked by the user")),
        "the bot may not write there: Forbidden: bot was blocked by the user"
    );
    assert!(refused(400, no("Bad Request: chat not found\u{1b}[31m")).ends_with("chat not found\\u{1b}[31m"));
    assert!(refused(401, no("Unauthorized")).contains("token"));
    assert!(refused(413, Value::Null).contains("413"));
    for (status, body) in [(500, no("Internal Server Error")), (502, Value::Null), (504, json!("<html>"))] {
        assert!(matches!(of(status, body), Verdict::Unclear(_)), "{status}");
    }
}

#[test]
fn a_group_that_became_a_supergroup_is_followed_once() {
    let moved = json!({"ok": false, "error_code": 400, "description": "group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -100_987}});
    let of = |to: &str, reply: &Value| {
        let call = sender().render(to, reply).unwrap().remove(0);
        judged(&sender(), &call, 400, None, &moved)
    };
    let picture = json!({"attachments": [{"mime": "image/png", "url": "https://a.example/x.png"}]});
    let Verdict::Next(next) = of(r#"["-5","",""]"#, &picture) else { panic!("not followed") };
    assert_eq!(json_body(&next)["chat_id"], -100_987);
    assert_eq!(json_body(next.otherwise.as_ref().unwrap())["chat_id"], -100_987);
    let upload = json!({"attachments": [{"mime": "image/png", "data_inline_b64": "aGk="}]});
    let Verdict::Next(next) = of(r#"["-5","",""]"#, &upload) else { panic!("not followed") };
    let Body::Multipart { fields, .. } = &next.body else { panic!("no form") };
    assert_eq!(fields[0], ("chat_id".to_owned(), "-100987".to_owned()));
    assert!(matches!(of(r#"["-1005","",""]"#, &picture), Verdict::Refused(_)));
}

#[test]
fn a_pressed_button_is_noticed_and_groups_are_slower() {
    let raw = json!({"update_id": 1, "callback_query": {"id": "q1", "data": "x"}});
    let call = sender().noticed(&raw).unwrap();
    assert_eq!(
        shown(&call),
        json!({"request": "POST https://api.telegram.org/bot<token>/answerCallbackQuery", "auth": "none",
            "body": {"callback_query_id": "q1"}})
    );
    assert!(sender().noticed(&json!({"message": {}})).is_none());
    let per_minute = |to: &str| {
        let rate = sender().pace(to).place.unwrap();
        rate.burst + u32::try_from(60_000 / rate.every.as_millis()).unwrap()
    };
    assert!(per_minute(r#"["-5","",""]"#) <= 20 && per_minute(TO) > 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn long_texts_are_split_and_nothing_is_lost(text in long_text(4096)) {
        let calls = calls(&json!({"text": text, "buttons": ["Ok"]}));
        let texts: Vec<&str> = calls.iter().map(|call| json_body(call)["text"].as_str().unwrap()).collect();
        prop_assert!(texts.iter().all(|text| (1..=4096).contains(&text.encode_utf16().count())));
        prop_assert_eq!(solid(&texts.concat()), solid(&text));
        let with_buttons = calls.iter().filter(|call| json_body(call).get("reply_markup").is_some()).count();
        prop_assert!(with_buttons == 1 && json_body(calls.last().unwrap()).get("reply_markup").is_some());
    }

    #[test]
    fn marks_are_within_their_texts(text in long_text(1500), format in "(markdown|html)") {
        for call in calls(&json!({"text": text, "format": format})) {
            let body = json_body(&call);
            let length = body["text"].as_str().unwrap().encode_utf16().count() as u64;
            for mark in body["entities"].as_array().into_iter().flatten() {
                let (offset, mark_length) = (mark["offset"].as_u64().unwrap(), mark["length"].as_u64().unwrap());
                prop_assert!(mark_length > 0 && offset + mark_length <= length);
            }
        }
    }

    #[test]
    fn any_value_is_rendered_within_the_limits(reply in any_reply()) {
        for call in calls(&reply) {
            let Body::Json(body) = &call.body else { continue };
            prop_assert_eq!(&body["chat_id"], &json!(456));
            if call.what == "sendMessage" {
                let text = body["text"].as_str().unwrap();
                prop_assert!(!text.trim().is_empty() && text.encode_utf16().count() <= 4096, "{body}");
            }
            for row in body["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten() {
                for button in row.as_array().into_iter().flatten() {
                    let data = button["callback_data"].as_str();
                    prop_assert!(data.is_none_or(|data| (1..=64).contains(&data.len())), "{button}");
                }
            }
        }
    }
}
