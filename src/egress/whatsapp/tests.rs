use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::sender::Body;
use super::super::testing::{TOKEN, any_reply, json_body, judged, long_text, rendered, replies, shown, solid};
use super::*;
use crate::error::Code;

const TO: &str = r#"["1122","4917","US.1",""]"#;
const GROUP: &str = r#"["1122","4917","US.1","g1"]"#;

fn sender() -> WhatsappSender {
    WhatsappSender {
        base_url: BASE_URL.into(),
        api_version: API_VERSION.into(),
        token: Secret::new(TOKEN),
        number: None,
        notice: Notice::None,
        list_button: "☰".into(),
    }
}

fn calls(reply: &Value) -> Vec<Call> {
    sender().render(TO, reply).unwrap()
}

#[test]
fn replies_become_messages() {
    insta::assert_json_snapshot!(rendered(&sender(), TO, &replies()));
}

#[test]
fn groups_have_no_buttons() {
    let buttons: Vec<_> =
        replies().into_iter().filter(|(what, _)| what.contains("button") || *what == "one link").collect();
    insta::assert_json_snapshot!(rendered(&sender(), GROUP, &buttons));
}

#[test]
fn a_place_is_a_number_and_a_user_or_a_group() {
    let call = |to: &str| sender().render(to, &json!("hi")).unwrap().remove(0);
    let fields = |to: &str| {
        let body = json_body(&call(to)).clone();
        ["recipient_type", "to", "recipient"].map(|name| body[name].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(fields(TO), [some("individual"), some("4917"), None]);
    assert_eq!(fields(r#"["1122","","US.1",""]"#), [some("individual"), None, some("US.1")]);
    assert_eq!(fields(GROUP), [some("group"), some("g1"), None]);
    for bad in
        ["", r#"["1122","","",""]"#, r#"["","4917","",""]"#, r#"["../me","4917","",""]"#, r#"["1?x","4917","",""]"#]
    {
        assert_eq!(sender().render(bad, &json!("hi")).unwrap_err().code(), Code::ReplyPlace, "{bad}");
    }
    let of_one = WhatsappSender { number: Some("77".into()), ..sender() };
    let call = of_one.render(r#"["","4917","",""]"#, &json!("hi")).unwrap().remove(0);
    assert_eq!(call.url.expose(), "https://graph.facebook.com/v25.0/77/messages");
}

#[test]
fn what_only_whatsapp_has_is_passed_on() {
    let template = json!({"name": "hello", "language": {"code": "en"}});
    let own = json!({"type": "template", "template": template, "to": "1", "recipient": "x", "messaging_product": "y"});
    let call = calls(&json!({"text": "not sent", "whatsapp": own})).remove(0);
    assert_eq!(
        json_body(&call),
        &json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": "4917", "type": "template", "template": template})
    );
    for bad in [
        json!({}),
        json!("x"),
        json!({"type": "template"}),
        json!({"type": "type"}),
        json!({"type": "text", "text": "x"}),
    ] {
        let error = sender().render(TO, &json!({ "whatsapp": bad })).unwrap_err();
        assert_eq!(error.code(), Code::ReplyInvalid, "{bad}");
    }
}

#[test]
fn marks_are_written_as_whatsapp_reads_them() {
    let text = |format: &str, text: &str| {
        json_body(&calls(&json!({"format": format, "text": text}))[0])["text"]["body"].clone()
    };
    assert_eq!(text("markdown", "**bo _it_** ~~no~~ `c` <u>u</u>"), "*bo _it_* ~no~ `c` <u>u</u>");
    assert_eq!(text("html", "<b>over\nlines</b> <pre>a\nb</pre>"), "*over*\n*lines* \n```a\nb```");
    assert_eq!(text("markdown", "> said\n> more"), "> said\n> more");
    assert_eq!(text("markdown", "[l](https://a.example)"), "l (https://a.example)");
}

#[test]
fn answers_say_what_became_of_it() {
    let call = &calls(&json!("hi"))[0];
    let of = |status: u16, code: u64| {
        let body = json!({"error": {"message": "(#1) no", "code": code, "error_data": {"details": "no\nreason"}}});
        judged(&sender(), call, status, None, &body)
    };
    assert_eq!(judged(&sender(), call, 200, None, &json!({"messages": [{"id": "wamid.1"}]})), Verdict::Sent);
    for code in [4, 80007, 130_429, 131_056, 131_057, 133_016] {
        assert_eq!(of(400, code), Verdict::Later(None), "{code}");
    }
    assert_eq!(judged(&sender(), call, 429, Some("9"), &Value::Null), Verdict::Later(Some(Duration::from_secs(9))));
    for (status, code, expected) in [
        (400, 131_047, "24 hours"),
        (401, 190, "the token is not valid"),
        (400, 131_030, "WhatsApp refuses it: no\\nreason (131030)"),
    ] {
        let Verdict::Refused(why) = of(status, code) else { panic!("{code}") };
        assert!(why.contains(expected), "{why}");
    }
    for (status, code) in [(500, 1), (500, 131_000), (503, 131_016), (502, 2)] {
        assert!(matches!(of(status, code), Verdict::Unclear(_)), "{code}");
    }
}

#[test]
fn a_file_is_uploaded_and_then_sent() {
    let upload =
        calls(&json!({"text": "see", "attachments": [{"mime": "image/png", "data_inline_b64": "aGk="}]})).remove(0);
    let Verdict::Next(message) = judged(&sender(), &upload, 200, None, &json!({"id": "m7"})) else {
        panic!("no message")
    };
    assert_eq!(json_body(&message)["image"], json!({"caption": "see", "id": "m7"}));
    assert_eq!(judged(&sender(), &message, 200, None, &json!({"messages": []})), Verdict::Sent);
    assert_eq!(judged(&sender(), &upload, 500, None, &Value::Null), Verdict::Later(None));
    assert!(matches!(judged(&sender(), &upload, 400, None, &Value::Null), Verdict::Refused(_)));
    assert!(matches!(judged(&sender(), &upload, 200, None, &Value::Null), Verdict::Refused(_)));
}

#[test]
fn a_message_is_noticed_as_the_binding_says() {
    let raw = json!({"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "1122"}, "messages": [{"id": "wamid.1"}]}}]}]});
    let body = |notice| {
        let sender = WhatsappSender { notice, ..sender() };
        sender.noticed(&raw).map(|call| shown(&call))
    };
    assert_eq!(body(Notice::None), None);
    let read = body(Notice::Read).unwrap();
    assert_eq!(read["request"], "POST https://graph.facebook.com/v25.0/1122/messages");
    assert_eq!(read["body"], json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}));
    assert_eq!(body(Notice::Typing).unwrap()["body"]["typing_indicator"], json!({"type": "text"}));
}

fn text_of(call: &Call) -> &str {
    let body = json_body(call);
    body.pointer("/text/body").or(body.pointer("/interactive/body/text")).and_then(Value::as_str).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn long_texts_are_split_and_nothing_is_lost(text in long_text(4096), with_buttons in any::<bool>()) {
        let buttons = if with_buttons { json!(["Ok"]) } else { json!([]) };
        let calls = calls(&json!({"text": text, "buttons": buttons}));
        let texts: Vec<&str> = calls.iter().map(text_of).collect();
        prop_assert!(texts.iter().all(|text| (1..=4096).contains(&text.encode_utf16().count())));
        prop_assert_eq!(solid(&texts.concat()), solid(&text));
    }

    #[test]
    fn marks_do_not_make_texts_too_long(text in long_text(3000)) {
        for call in calls(&json!({"text": text, "format": "markdown"})) {
            prop_assert!((1..=4096).contains(&text_of(&call).encode_utf16().count()));
        }
    }

    #[test]
    fn any_value_is_rendered_within_the_limits(reply in any_reply()) {
        let Ok(calls) = sender().render(TO, &reply) else { return Ok(()) };
        for call in calls {
            let Body::Json(body) = &call.body else { continue };
            prop_assert_eq!(&body["to"], &json!("4917"));
            let units = |value: &Value| value.as_str().unwrap_or_default().encode_utf16().count();
            let interactive = &body["interactive"];
            for button in interactive.pointer("/action/buttons").and_then(Value::as_array).into_iter().flatten() {
                prop_assert!((1..=20).contains(&units(&button["reply"]["title"])) && (1..=256).contains(&units(&button["reply"]["id"])));
            }
            for row in interactive.pointer("/action/sections/0/rows").and_then(Value::as_array).into_iter().flatten() {
                prop_assert!((1..=24).contains(&units(&row["title"])) && (1..=200).contains(&units(&row["id"])));
                prop_assert!(units(&row["description"]) <= 72);
            }
            if interactive.is_object() && reply.get("whatsapp").is_none() {
                prop_assert!((1..=1024).contains(&units(&interactive["body"]["text"])), "{body}");
            }
        }
    }
}
