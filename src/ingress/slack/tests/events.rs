use super::*;

#[test]
fn a_message_becomes_the_promised_envelope() {
    let payload = message(&json!({"channel_type": "channel", "client_msg_id": "x"}));
    let inbound = one(event(&*channel(&json!({})), &payload));
    assert_eq!(
        serde_json::to_value(&inbound.envelope).unwrap(),
        json!({
            "tenant": "demo",
            "provider": "slack",
            "provider_ids": {
                "workspace_id": "T1", "channel_id": "C1", "user_id": "U1", "message_id": "1731315600.000100", "event_id": "Ev1"
            },
            "session": {"key": "demo:slack:C1:U1", "scopes": ["chat", "attachments", "buttons"]},
            "timestamp": "2024-11-11T09:00:00.0001Z",
            "locale": null,
            "text": "Hi",
            "attachments": [],
            "buttons": [],
            "entities": {"mentions": [], "urls": []},
            "metadata": {"raw_headers": {"x-slack-retry-num": "1"}, "ip": "127.0.0.1"},
            "channel_data": {"type": "message", "channel_type": "channel", "api_app_id": "A1"},
            "raw": payload,
        })
    );
    assert_eq!(inbound.dedupe, ["event:A1:T1:Ev1", "message:A1:T1:C1:1731315600.000100:"]);
    assert!(inbound.remember >= std::time::Duration::from_secs(3600));
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));
    let place = Address { team: Some("T1".into()), channel: "C1".into(), ..Address::default() };
    assert_eq!(address(&inbound), place);
}

#[test]
fn a_thread_is_a_session_of_its_own_and_replies_stay_in_it() {
    let of = |config: &Value, fields: &Value| one(event(&*channel(config), &message(fields)));
    let none = json!({});
    let in_thread = json!({"thread_ts": "1731315000.000100", "ts": "1731315700.000200"});
    let reply = of(&none, &in_thread);
    assert_eq!(reply.envelope.session.key, "demo:slack:1731315000.000100:U1");
    assert_eq!(address(&reply).thread.as_deref(), Some("1731315000.000100"));
    let elsewhere = of(&none, &json!({"thread_ts": "1731315000.000100", "channel": "C2"}));
    assert_eq!(elsewhere.envelope.session.key, reply.envelope.session.key);
    assert_ne!(elsewhere.session, reply.session);

    let threads = json!({"reply_in_thread": true});
    let root = of(&threads, &json!({"ts": "1731315000.000100"}));
    assert_eq!(root.envelope.provider_ids.thread_id.as_deref(), Some("1731315000.000100"));
    assert_eq!(root.session, reply.session, "the answer in the thread finds the run that the root started");
    assert_eq!(address(&root), address(&reply));
    let direct = of(&threads, &json!({"channel": "D1"}));
    assert_eq!((direct.envelope.session.key.as_str(), address(&direct).thread), ("demo:slack:D1:U1", None));
}

#[test]
fn one_message_under_several_ids_is_one() {
    let channel = channel(&json!({}));
    let of = |id: &str, fields: &Value| {
        let mut payload = message(fields);
        payload["event_id"] = id.into();
        one(event(&*channel, &payload)).dedupe
    };
    let shared = |a: &[String], b: &[String]| a.iter().any(|key| b.contains(key));
    let first = of("Ev1", &json!({}));
    assert!(shared(&first, &of("Ev2", &json!({"type": "app_mention"}))));
    assert!(shared(&first, &of("Ev3", &json!({}))));
    for other in [
        json!({"ts": "1731315600.000101"}),
        json!({"channel": "C2"}),
        json!({"type": "app_mention", "edited": {"user": "U1", "ts": "1731315650.000000"}}),
    ] {
        assert!(!shared(&first, &of("Ev4", &other)), "{other}");
    }
    let mut elsewhere = message(&json!({}));
    elsewhere["team_id"] = "T2".into();
    assert!(!shared(&first, &one(event(&*channel, &elsewhere)).dedupe));
    let mut without = message(&json!({}));
    without.as_object_mut().unwrap().remove("event_id");
    assert!(shared(&first, &one(event(&*channel, &without)).dedupe));
}

#[test]
fn what_nobody_wrote_is_ignored() {
    let channel = channel(&json!({}));
    for fields in [
        json!({"subtype": "message_changed", "hidden": true, "message": {"user": "U1", "text": "x"}}),
        json!({"subtype": "message_deleted", "deleted_ts": "1.2"}),
        json!({"subtype": "channel_join"}),
        json!({"subtype": "channel_topic"}),
        json!({"subtype": "to_be_invented"}),
        json!({"hidden": true}),
        json!({"user": null}),
        json!({"user": ""}),
        json!({"user": 7}),
        json!({"user": "U\n1"}),
        json!({"channel": null}),
        json!({"channel": {"id": "C1"}}),
        json!({"ts": null}),
        json!({"type": null}),
        json!({"type": "reaction_added"}),
    ] {
        assert!(matches!(event(&*channel, &message(&fields)), Intake::Ignored(_)), "{fields}");
    }
    for payload in [
        json!({}),
        json!({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1_518_467_820}),
        json!({"type": "event_callback"}),
        json!({"type": "event_callback", "event": []}),
        json!({"type": "to_be_invented"}),
    ] {
        assert!(matches!(event(&*channel, &payload), Intake::Ignored(_)), "{payload}");
    }
    for fields in
        [json!({"subtype": "me_message"}), json!({"subtype": "thread_broadcast"}), json!({"subtype": "file_share"})]
    {
        let inbound = one(event(&*channel, &message(&fields)));
        assert_eq!(inbound.envelope.channel_data["subtype"], fields["subtype"]);
    }
}

#[test]
fn bots_do_not_talk_to_each_other_and_never_to_themselves() {
    let (usual, open) = (channel(&json!({})), channel(&json!({"allow_bots": true})));
    let why = |channel: &dyn Channel, fields: &Value| match event(channel, &message(fields)) {
        Intake::Ignored(why) => why,
        other => panic!("{fields}: {other:?}"),
    };
    for own in [
        json!({"user": "UBOT"}),
        json!({"bot_id": "B1", "app_id": "A1"}),
        json!({"bot_id": "B1", "bot_profile": {"id": "B1", "app_id": "A1"}}),
        json!({"subtype": "bot_message", "user": null, "bot_id": "B1"}),
        json!({"bot_id": "B1"}),
        json!({"user": "USLACKBOT"}),
    ] {
        assert!(why(&*usual, &own).contains("itself"), "{own}");
        assert!(why(&*open, &own).contains("itself"), "{own}");
    }
    for (other, user) in [
        (json!({"bot_id": "B2", "app_id": "A2"}), "U1"),
        (json!({"user": null, "subtype": "bot_message", "bot_id": "B2", "app_id": "A2"}), "B2"),
        (json!({"user": null, "bot_profile": {"id": "B2", "app_id": "A2"}}), "B2"),
    ] {
        assert!(why(&*usual, &other).contains("from a bot"), "{other}");
        let ids = one(event(&*open, &message(&other))).envelope.provider_ids;
        assert_eq!(ids.user_id.as_deref(), Some(user));
    }
}

#[test]
fn texts_are_read_as_people_see_them() {
    let own = &["UBOT".to_owned()];
    for (source, text, mentions, urls) in [
        ("a &lt;b&gt; &amp;amp; &copy;", Some("a <b> &amp; &copy;"), &[][..], &[][..]),
        ("<@UBOT> hello", Some("hello"), &["UBOT"], &[]),
        (" <@UBOT|bot>:  <@UBOT>, hello", Some("hello"), &["UBOT", "UBOT"], &[]),
        ("<@UBOT>", None, &["UBOT"], &[]),
        ("ask <@UBOT> and <@U2|ann>", Some("ask @UBOT and @ann"), &["UBOT", "U2"], &[]),
        ("<#C2|general> <#C3> <#C4|>", Some("#general #C3 #C4"), &[], &[]),
        ("<!here> <!subteam^S1|@ops> <!subteam^S2>", Some("@here @ops @S2"), &["S1", "S2"], &[]),
        ("<!date^1392734382^{date}|Feb 18>", Some("Feb 18"), &[], &[]),
        (
            "see <https://a.example/?x=1&amp;y=2> or <http://b.example|b.example>",
            Some("see https://a.example/?x=1&y=2 or b.example"),
            &[],
            &["https://a.example/?x=1&y=2", "http://b.example"],
        ),
        ("<mailto:a@b.example|a@b.example> <mailto:c@d.example>", Some("a@b.example c@d.example"), &[], &[]),
        ("half <@U1", Some("half <@U1"), &[], &[]),
        ("<>", None, &[], &[]),
        ("", None, &[], &[]),
    ] {
        let shown = text::read(source, own);
        assert_eq!(shown.text.as_deref(), text, "{source}");
        let found: Vec<_> = shown.entities.mentions.iter().map(|mention| mention.id.as_str()).collect();
        assert_eq!((found.as_slice(), shown.entities.urls.as_slice()), (mentions, &urls.map_owned()[..]), "{source}");
    }
    let many = text::read(&"<@U1><https://a.example>".repeat(1000), &[]);
    assert_eq!((many.entities.mentions.len(), many.entities.urls.len()), (50, 50));
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn the_app_is_called_by_mentioning_it() {
    let channel = channel(&json!({}));
    let mut old = message(&json!({"type": "app_mention", "text": "<@UOLD> hi"}));
    old["authorizations"] = Value::Null;
    old["authed_users"] = json!(["UOLD"]);
    let inbound = one(event(&*channel, &old));
    assert_eq!(inbound.envelope.text.as_deref(), Some("hi"));
    assert_eq!(inbound.envelope.entities.mentions[0].id, "UOLD");
    old["event"]["type"] = "message".into();
    assert_eq!(one(event(&*channel, &old)).envelope.text.as_deref(), Some("@UOLD hi"));
}

#[test]
fn files_say_whether_they_take_the_bots_token() {
    let own = "https://files.slack.com/files-pri/T1-F1/download/a.png";
    let payload = message(&json!({
        "subtype": "file_share",
        "files": [
            {"id": "F1", "name": "a.png", "mimetype": "image/png", "size": 7, "url_private": "https://files.slack.com/x",
             "url_private_download": own},
            {"id": "F2", "title": "Plan", "mode": "external", "url_private": "https://drive.example/x"},
            {"id": "F3", "url_private": "https://files.slack.com.evil.example/x"},
            {"id": "F4", "url_private": "http://files.slack.com/x"},
            {"id": "F5", "mode": "tombstone"},
            {"id": "F6", "file_access": "check_file_info"},
            7,
        ],
        "attachments": [{"is_share": true, "title": "Quoted", "text": "x", "from_url": "https://x.slack.com/p1"}, null],
    }));
    let attachments = one(event(&*channel(&json!({})), &payload)).envelope.attachments;
    let found: Vec<_> =
        attachments.iter().map(|a| (a.name.as_deref(), a.size, a.requires_auth, a.content.is_some())).collect();
    assert_eq!(
        found,
        [
            (Some("a.png"), 7, true, false),
            (Some("Plan"), 0, false, false),
            (None, 0, false, false),
            (None, 0, false, false),
            (None, 0, false, true),
            (Some("Quoted"), 0, false, true),
        ]
    );
    assert_eq!(attachments[0].url.as_deref(), Some(own));
    let shown = serde_json::to_value(&attachments[0]).unwrap();
    assert_eq!(
        (&shown["type"], &shown["mime"], &shown["requires_auth"]),
        (&json!("image"), &json!("image/png"), &json!(true))
    );
    let many = message(&json!({"files": vec![json!({"id": "F1"}); 500]}));
    assert_eq!(one(event(&*channel(&json!({})), &many)).envelope.attachments.len(), 50);
}

#[test]
fn the_buttons_of_a_bots_message_are_shown() {
    let payload = message(&json!({"bot_id": "B2", "app_id": "A2", "blocks": [
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "yes", "text": {"type": "plain_text", "text": "Yes"}, "value": "1"},
            {"type": "static_select", "action_id": "pick"},
        ]},
        {"type": "section", "accessory": {"type": "button", "text": {"type": "plain_text", "text": "More"}}},
    ]}));
    let buttons = one(event(&*channel(&json!({"allow_bots": true})), &payload)).envelope.buttons;
    assert_eq!(
        serde_json::to_value(buttons).unwrap(),
        json!([{"id": "yes", "title": "Yes", "payload": "1"}, {"id": "1", "title": "More", "payload": null}])
    );
}

#[test]
fn listed_kinds_of_events_are_messages_too() {
    let listed = channel(&json!({"events": ["reaction_added", "app_home_opened", "channel_created"]}));
    let reaction =
        message(&json!({"type": "reaction_added", "channel": null, "ts": null, "text": null, "reaction": "eyes",
        "item": {"type": "message", "channel": "C9", "ts": "5.000100"}, "event_ts": "1731315601.000000"}));
    let inbound = one(event(&*listed, &reaction));
    let ids = &inbound.envelope.provider_ids;
    assert_eq!((ids.channel_id.as_deref(), ids.message_id.as_deref()), (Some("C9"), Some("5.000100")));
    assert_eq!(inbound.envelope.channel_data["reaction"], "eyes");
    assert_eq!((inbound.envelope.text, inbound.dedupe), (None, vec!["event:A1:T1:Ev1".to_owned()]));
    let created = message(&json!({"type": "channel_created", "channel": {"id": "C7"}}));
    assert_eq!(address(&one(event(&*listed, &created))).channel, "C7");
    for ignored in [json!({"user": "UBOT"}), json!({"user": null}), json!({"type": "team_join"})] {
        let mut payload = reaction.clone();
        for (name, value) in ignored.as_object().unwrap() {
            payload["event"][name] = value.clone();
        }
        assert!(matches!(event(&*listed, &payload), Intake::Ignored(_)), "{ignored}");
    }
}

#[test]
fn a_tenant_has_its_own_workspaces() {
    let channel = channel(&json!({"teams": ["T2", "E1"]}));
    let mut payload = message(&json!({}));
    assert!(matches!(event(&*channel, &payload), Intake::Ignored(_)));
    payload["enterprise_id"] = "E1".into();
    assert_eq!(one(event(&*channel, &payload)).envelope.channel_data["enterprise_id"], "E1");
    payload["enterprise_id"] = Value::Null;
    payload["team_id"] = "T2".into();
    one(event(&*channel, &payload));
}

#[test]
fn the_handshake_is_answered_with_its_challenge() {
    let channel = channel(&json!({}));
    let answer = event(&*channel, &json!({"type": "url_verification", "token": "x", "challenge": "3eZb<rw1"}));
    assert!(matches!(answer, Intake::Answer(answer) if answer == Answer::text(200, "3eZb<rw1")));
    for challenge in [json!(null), json!(""), json!(7), json!("x".repeat(1025))] {
        let body = json!({"type": "url_verification", "challenge": challenge}).to_string();
        let error = normalized(&*channel, EVENTS, body.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
    }
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    for body in [&b""[..], b"{\"text\":\"\xff\xfe raw bytes\"}", b"[]", b"payload=%7B%7D", deep.as_bytes()] {
        let error = normalized(&*channel(&json!({})), EVENTS, body).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
    }
}

#[test]
fn times_are_read_to_the_microsecond() {
    let shown = |ts: &str| text::time(ts).map(|time| time.to_string());
    assert_eq!(shown("1731315600.000100").as_deref(), Some("2024-11-11T09:00:00.0001Z"));
    assert_eq!(shown("1731315600").as_deref(), Some("2024-11-11T09:00:00Z"));
    assert_eq!(shown("1731315600.5").as_deref(), Some("2024-11-11T09:00:00.5Z"));
    for bad in ["", ".", "-1.0", "1.0000000", "x.1", "1.x", "999999999999.0", "99999999999999999999", "+1"] {
        assert_eq!(shown(bad), None, "{bad}");
    }
}
