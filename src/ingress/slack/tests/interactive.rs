use super::*;

/// The payload of a click in a channel with these fields.
pub(super) fn click(fields: &Value) -> Value {
    let mut payload = json!({
        "type": "block_actions", "user": {"id": "U1", "team_id": "T1"}, "api_app_id": "A1", "team": {"id": "T1"},
        "container": {"type": "message", "message_ts": "1731315600.000100", "channel_id": "C1"}, "channel": {"id": "C1"},
        "message": {"ts": "1731315600.000100", "text": "Sure?", "bot_id": "B1"}, "trigger_id": "1.2.x",
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        "actions": [{"type": "button", "action_id": "ok", "block_id": "b", "value": "yes", "action_ts": "1731315605.5",
                     "text": {"type": "plain_text", "text": "Yes"}}],
    });
    for (name, value) in fields.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}

fn buttons(inbound: &Inbound) -> Value {
    serde_json::to_value(&inbound.envelope.buttons).unwrap()
}

#[test]
fn a_click_is_a_button_in_the_session_of_its_place() {
    let channel = channel(&json!({}));
    let payload = click(&json!({}));
    let inbound = one(interaction(&*channel, &payload));
    assert_eq!(buttons(&inbound), json!([{"id": "ok", "title": "Yes", "payload": "yes"}]));
    let envelope = &inbound.envelope;
    assert_eq!((envelope.text.as_deref(), envelope.session.key.as_str()), (Some("Yes"), "demo:slack:C1:U1"));
    assert_eq!(envelope.timestamp.to_string(), "2024-11-11T09:00:05.5Z");
    assert_eq!(envelope.raw, payload);
    assert_eq!(envelope.channel_data["type"], "block_actions");
    assert_eq!(envelope.channel_data["response_url"], "https://hooks.slack.com/actions/T1/1/x");
    assert_eq!(
        serde_json::to_value(&envelope.provider_ids).unwrap(),
        json!({"workspace_id": "T1", "channel_id": "C1", "user_id": "U1", "message_id": "1731315600.000100",
               "event_id": "1.2.x"})
    );
    assert_eq!(inbound.dedupe, ["interaction:A1:T1:U1:block_actions:1.2.x"]);
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));

    let thread = json!({"container": {"channel_id": "C1", "message_ts": "1731315600.000100", "thread_ts": "1731315000.000100"},
                        "channel": null});
    let clicked = one(interaction(&*channel, &click(&thread)));
    let said = one(event(&*channel, &message(&json!({"thread_ts": "1731315000.000100"}))));
    assert_eq!(clicked.session, said.session, "a click resumes what waits in the thread");
    assert_eq!(address(&clicked), address(&said));
    let of_message =
        json!({"container": null, "message": {"ts": "1731315600.000100", "thread_ts": "1731315000.000100"}});
    assert_eq!(one(interaction(&*channel, &click(&of_message))).session, said.session);
}

#[test]
fn a_click_finds_the_thread_of_its_root() {
    let channel = channel(&json!({"reply_in_thread": true}));
    let said = one(event(&*channel, &message(&json!({}))));
    assert_eq!(one(interaction(&*channel, &click(&json!({})))).session, said.session);
    let hidden = json!({"container": {"message_ts": "1731315600.000100", "channel_id": "C1", "is_ephemeral": true}});
    assert_eq!(one(interaction(&*channel, &click(&hidden))).envelope.session.key, "demo:slack:C1:U1");
}

#[test]
fn every_kind_of_element_has_its_value() {
    let channel = channel(&json!({}));
    for (element, title, payload) in [
        (
            json!({"selected_option": {"text": {"text": "Hello", "type": "plain_text"}, "value": "greet"}}),
            "Hello",
            json!("greet"),
        ),
        (
            json!({"selected_option": {"text": {"text": "<@U2> &amp; co", "type": "mrkdwn"}, "value": "v"}}),
            "@U2 & co",
            json!("v"),
        ),
        (
            json!({"selected_options": [{"text": {"text": "A"}, "value": "a"}, {"text": {"text": "B"}, "value": "b"}]}),
            "A, B",
            json!(["a", "b"]),
        ),
        (json!({"selected_options": []}), "", json!([])),
        (json!({"selected_date": "2024-11-11"}), "2024-11-11", json!("2024-11-11")),
        (json!({"selected_date_time": 1_731_315_600}), "", json!(1_731_315_600)),
        (json!({"selected_users": ["U2", "U3"]}), "", json!(["U2", "U3"])),
        (json!({"type": "plain_text_input", "value": "typed"}), "typed", json!("typed")),
        (json!({"type": "button", "text": {"text": "No value"}}), "No value", json!(null)),
    ] {
        let mut element = element;
        element["action_id"] = "e".into();
        let inbound = one(interaction(&*channel, &click(&json!({"actions": [element]}))));
        assert_eq!(buttons(&inbound), json!([{"id": "e", "title": title, "payload": payload}]));
        assert_eq!(inbound.envelope.text.unwrap_or_default(), title);
    }
    let many = click(&json!({"actions": vec![json!({"value": "x"}); 200]}));
    assert_eq!(one(interaction(&*channel, &many)).envelope.buttons.len(), 50);
    let state = json!({"state": {"values": {"b": {"i": {"type": "plain_text_input", "value": "v"}}}}});
    let data = one(interaction(&*channel, &click(&state))).envelope.channel_data;
    assert_eq!((&data["values"], &data["state"]), (&json!({"b": {"i": "v"}}), &Value::Null));
}

#[test]
fn old_buttons_have_the_words_that_they_show() {
    let payload = click(&json!({
        "type": "interactive_message", "callback_id": "old", "container": null, "message": null, "message_ts": "5.000100",
        "original_message": {"thread_ts": "4.000100", "attachments": [{"actions": [
            {"name": "a", "type": "button", "text": "No", "value": "no"},
            {"name": "a", "type": "button", "text": "Yes", "value": "yes"}]}]},
        "actions": [{"name": "a", "type": "button", "value": "yes"}],
    }));
    let inbound = one(interaction(&*channel(&json!({})), &payload));
    assert_eq!(buttons(&inbound), json!([{"id": "a", "title": "Yes", "payload": "yes"}]));
    assert_eq!(inbound.envelope.provider_ids.thread_id.as_deref(), Some("4.000100"));
    assert_eq!(inbound.envelope.provider_ids.message_id.as_deref(), Some("5.000100"));
}

fn view(metadata: &str) -> Value {
    json!({
        "type": "view_submission", "user": {"id": "U1"}, "team": {"id": "T1"}, "api_app_id": "A1", "trigger_id": "1.2.x",
        "view": {"id": "V1", "hash": "h", "callback_id": "ask", "private_metadata": metadata,
                 "submit": {"type": "plain_text", "text": "Send"},
                 "state": {"values": {"b": {"name": {"type": "plain_text_input", "value": "Ann"},
                                             "day": {"type": "datepicker", "selected_date": "2024-11-11"}}}}},
    })
}

#[test]
fn a_submitted_view_is_a_button_with_what_was_filled_in() {
    let channel = channel(&json!({}));
    let values = json!({"b": {"name": "Ann", "day": "2024-11-11"}});
    let alone = one(interaction(&*channel, &view("mine")));
    assert_eq!(buttons(&alone), json!([{"id": "ask", "title": "Send", "payload": values}]));
    assert_eq!(alone.envelope.session.key, "demo:slack:U1");
    assert_eq!(address(&alone).channel, "U1");
    let data = &alone.envelope.channel_data;
    assert_eq!(
        (&data["values"], &data["private_metadata"], &data["callback_id"]),
        (&values, &json!("mine"), &json!("ask"))
    );
    assert!(matches!(alone.respond, Respond::Sync { fallback, .. } if fallback == Answer::empty(200)));

    let placed = one(interaction(&*channel, &view(r#"{"channel":"C1","thread_ts":"1731315000.000100"}"#)));
    let said = one(event(&*channel, &message(&json!({"thread_ts": "1731315000.000100"}))));
    assert_eq!((&placed.session, address(&placed)), (&said.session, address(&said)));
    for metadata in [r#"{"thread_ts":"1.2"}"#, r#"{"channel":7}"#, "[]", "{", r#"{"channel":""}"#] {
        assert_eq!(one(interaction(&*channel, &view(metadata))).envelope.session.key, "demo:slack:U1", "{metadata}");
    }
    let mut chosen = view("");
    chosen["response_urls"] = json!([{"channel_id": "C5", "response_url": "https://hooks.slack.com/app/x"}]);
    assert_eq!(address(&one(interaction(&*channel, &chosen))).channel, "C5");

    let mut closed = view("");
    closed["type"] = "view_closed".into();
    closed["trigger_id"] = Value::Null;
    let inbound = one(interaction(&*channel, &closed));
    assert_eq!(
        (inbound.dedupe[0].as_str(), inbound.envelope.buttons.len()),
        ("interaction:A1:T1:U1:view_closed:V1/h", 0)
    );
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));
}

#[test]
fn a_view_is_answered_by_what_the_flow_says_about_it() {
    let channel = channel(&json!({}));
    let answer = |replies: &[Value]| channel.respond(&view(""), replies);
    let errors = json!({"response_action": "errors", "errors": {"b": "too short"}});
    let update = json!({"response_action": "update", "view": {"type": "modal"}});
    assert_eq!(answer(std::slice::from_ref(&errors)), Some(Answer::json(200, &errors)));
    assert_eq!(answer(&[json!("x"), update.clone()]), Some(Answer::json(200, &update)));
    assert_eq!(answer(&[json!({"response_action": "clear"})]).unwrap().status, 200);
    for nothing in
        [json!("Thank you"), json!({"response_action": "errors"}), json!({"response_action": "x", "view": {}})]
    {
        assert_eq!(answer(&[nothing]), None, "texts go to the place");
    }
    let dialog = json!({"type": "dialog_submission", "submission": {"a": "1"}});
    let wrong = json!({"errors": [{"name": "a", "error": "no"}]});
    assert_eq!(channel.respond(&dialog, std::slice::from_ref(&wrong)), Some(Answer::json(200, &wrong)));
    assert_eq!(channel.respond(&dialog, &[json!("ok")]), None);
}

#[test]
fn a_menu_gets_its_options_and_resumes_nothing() {
    let channel = channel(&json!({}));
    let asked =
        click(&json!({"type": "block_suggestion", "value": "an", "action_id": "who", "block_id": "b", "actions": null,
                              "trigger_id": null}));
    let inbound = one(interaction(&*channel, &asked));
    assert_eq!(inbound.envelope.text.as_deref(), Some("an"));
    assert_eq!(inbound.envelope.channel_data["action_id"], "who");
    assert_eq!((inbound.dedupe.len(), &inbound.reply_to), (0, &ReplyTo::Caller));
    assert_ne!(inbound.session, one(interaction(&*channel, &click(&json!({})))).session);
    let Respond::Sync { fallback, within } = &inbound.respond else { panic!("{:?}", inbound.respond) };
    assert_eq!(fallback.body, r#"{"options":[]}"#);
    assert!(*within < std::time::Duration::from_secs(3));

    let answer = |kind: &str, replies: &[Value]| -> Value {
        let answer = channel.respond(&json!({ "type": kind }), replies).unwrap();
        serde_json::from_str(&answer.body).unwrap()
    };
    let plain = |text: &str, value: &str| json!({"text": {"type": "plain_text", "text": text}, "value": value});
    assert_eq!(
        answer("block_suggestion", &[json!(["Ann", {"text": "Bob", "value": "b"}, plain("Cy", "c"), "", 7, {}])]),
        json!({"options": [plain("Ann", "Ann"), plain("Bob", "b"), plain("Cy", "c")]})
    );
    let groups = json!({"option_groups": [{"label": {"type": "plain_text", "text": "g"}, "options": []}]});
    assert_eq!(answer("block_suggestion", std::slice::from_ref(&groups)), groups);
    assert_eq!(answer("block_suggestion", &[json!("no options in a text")]), json!({"options": []}));
    assert_eq!(
        answer("dialog_suggestion", &[json!({"options": [{"label": "L", "value": "v"}, "x"]})]),
        json!({"options": [{"label": "L", "value": "v"}, {"label": "x", "value": "x"}]})
    );
    let many = answer("block_suggestion", &[json!(vec!["ä".repeat(200); 300])]);
    assert_eq!(many["options"].as_array().unwrap().len(), 100);
    assert_eq!(many["options"][0]["text"]["text"].as_str().unwrap().chars().count(), 75);
}

#[test]
fn shortcuts_are_messages() {
    let channel = channel(&json!({}));
    let global = json!({"type": "shortcut", "user": {"id": "U1", "team_id": "T1"}, "team": null, "enterprise": {"id": "E1"},
                        "callback_id": "new", "trigger_id": "1.2.x", "action_ts": "1731315605.5"});
    let inbound = one(interaction(&*channel, &global));
    assert_eq!(inbound.envelope.session.key, "demo:slack:U1");
    assert_eq!(inbound.envelope.provider_ids.workspace_id.as_deref(), Some("T1"));
    assert_eq!(inbound.envelope.channel_data["callback_id"], "new");
    let on_message =
        click(&json!({"type": "message_action", "callback_id": "file it", "container": null, "actions": null,
        "message_ts": "5.000100", "message": {"ts": "5.000100", "user": "U9", "text": "<@U2> &lt;3",
                                               "files": [{"id": "F1", "url_private": "https://files.slack.com/x"}]}}));
    let inbound = one(interaction(&*channel, &on_message));
    assert_eq!(inbound.envelope.text.as_deref(), Some("@U2 <3"));
    assert_eq!((inbound.envelope.attachments.len(), &inbound.envelope.channel_data["user"]), (1, &json!("U9")));
    assert_eq!(inbound.envelope.provider_ids.user_id.as_deref(), Some("U1"));
}

#[test]
fn other_kinds_and_nobodys_are_ignored() {
    let channel = channel(&json!({}));
    for fields in [
        json!({"type": "workflow_step_edit"}),
        json!({"type": "to_be_invented"}),
        json!({"type": null}),
        json!({"user": null}),
        json!({"user": {"id": ""}}),
    ] {
        assert!(matches!(interaction(&*channel, &click(&fields)), Intake::Ignored(_)), "{fields}");
    }
}

#[test]
fn answers_go_to_slack_only() {
    let channel = channel(&json!({}));
    for url in [
        "http://hooks.slack.com/x",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/",
        "https://169.254.169.254/",
        "https://hooks.slack.com/\nx",
        "",
    ] {
        let data = one(interaction(&*channel, &click(&json!({"response_url": url})))).envelope.channel_data;
        assert_eq!(data.get("response_url"), None, "{url}");
    }
}

#[test]
fn forms_are_read_strictly() {
    let channel = channel(&json!({}));
    let many = "a=&".repeat(3).into_bytes();
    let fields: String = (0..100).map(|n| format!("f{n}=&")).collect();
    for body in [
        &b""[..],
        b"payload",
        b"payload=",
        b"payload=%FF",
        b"payload=[]",
        b"payload={",
        b"other={}",
        b"payload={}&payload={}",
        b"{\"type\":\"shortcut\"}",
        &many,
        fields.as_bytes(),
    ] {
        let error = normalized(&*channel, INTERACTIVE, body).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid, "{}", String::from_utf8_lossy(body));
    }
    let spaced = b"payload=%7B%22type%22%3A+%22shortcut%22%2C%22user%22:{%22id%22:%22U%2B1%22}}";
    let inbound = one(normalized(&*channel, INTERACTIVE, spaced).unwrap());
    assert_eq!(inbound.envelope.provider_ids.user_id.as_deref(), Some("U+1"));
}
