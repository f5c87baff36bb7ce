use super::*;

const URL: &str = "https://hooks.slack.com/commands/T1/1/x";

fn command(pairs: &[(&str, &str)]) -> Intake {
    normalized(&*channel(&json!({})), COMMANDS, &form(pairs)).unwrap()
}

fn usual<'a>(text: &'a str, url: &'a str) -> [(&'a str, &'a str); 9] {
    [
        ("token", "old"),
        ("team_id", "T1"),
        ("channel_id", "C1"),
        ("user_id", "U1"),
        ("command", "/deploy"),
        ("text", text),
        ("api_app_id", "A1"),
        ("response_url", url),
        ("trigger_id", "1.2.x"),
    ]
}

#[test]
fn a_command_is_a_message_whose_text_follows_its_name() {
    let inbound = one(command(&usual("prod &amp; <@U2|ann>", URL)));
    let envelope = &inbound.envelope;
    assert_eq!((envelope.text.as_deref(), envelope.session.key.as_str()), (Some("prod & @ann"), "demo:slack:C1:U1"));
    assert_eq!(envelope.entities.mentions[0].id, "U2");
    assert_eq!(
        envelope.channel_data,
        json!({"type": "slash_command", "command": "/deploy", "trigger_id": "1.2.x", "api_app_id": "A1", "response_url": URL})
    );
    assert_eq!(envelope.raw["command"], "/deploy");
    assert_eq!(envelope.provider_ids.event_id.as_deref(), Some("1.2.x"));
    assert_eq!(inbound.dedupe, ["command:A1:T1:1.2.x"]);
    assert!(matches!(&inbound.respond, Respond::Sync { fallback, .. } if *fallback == Answer::empty(200)));
    let place = Address {
        team: Some("T1".into()),
        channel: "C1".into(),
        thread: None,
        response_url: Some(URL.into()),
        user: Some("U1".into()),
    };
    assert_eq!(address(&inbound), place);

    let plain = one(command(&usual("", "https://evil.example/x")));
    assert_eq!((plain.envelope.text.as_deref(), address(&plain).response_url), (None, None));
    assert!(matches!(command(&[("text", "x"), ("user_id", "U1")]), Intake::Ignored(_)));
    assert!(matches!(command(&[("command", "/x"), ("channel_id", "C1")]), Intake::Ignored(_)));
}

#[test]
fn a_command_is_answered_with_the_flows_texts() {
    let channel = channel(&json!({}));
    let answer = |replies: &[Value]| -> Option<Value> {
        let answer = channel.respond(&json!({"command": "/deploy"}), replies)?;
        assert_eq!((answer.status, answer.content_type), (200, Some("application/json")));
        Some(serde_json::from_str(&answer.body).unwrap())
    };
    assert_eq!(
        answer(&[json!("a <b>")]),
        Some(json!({"response_type": "ephemeral", "text": "a &lt;b&gt;", "mrkdwn": false}))
    );
    assert_eq!(
        answer(&[json!({"text": "*a* <@U1>", "format": "mrkdwn"})]),
        Some(json!({"response_type": "ephemeral", "text": "*a* <@U1>"}))
    );
    assert_eq!(
        answer(&[json!("one"), json!({"text": "two", "response_type": "in_channel", "buttons": [], "mood": "good"})]),
        Some(json!({"response_type": "in_channel", "text": "one\ntwo", "mrkdwn": false}))
    );
    let blocks = json!([{"type": "divider"}]);
    assert_eq!(
        answer(&[json!({"text": "t", "blocks": blocks})]),
        Some(json!({"response_type": "ephemeral", "text": "t", "mrkdwn": false, "blocks": blocks}))
    );
    for other in [
        vec![json!({"text": "t", "buttons": [{"id": "a"}]})],
        vec![json!({"text": "t", "card": {"type": "AdaptiveCard"}})],
        vec![json!(7)],
        vec![json!("")],
        vec![json!({"blocks": blocks})],
        vec![json!("a"), json!({"text": "t", "blocks": blocks})],
        vec![json!("x".repeat(3001))],
        vec![json!({"text": "**a**", "format": "markdown"})],
        vec![json!("a"), json!({"text": "*a*", "format": "mrkdwn"})],
        vec![],
    ] {
        assert_eq!(answer(&other), None, "{other:?} is a message like others");
    }
}
