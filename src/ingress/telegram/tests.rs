use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ingress::testing::{context, headers, ignored, message, normalized, open, post};
use crate::session::parts_of;

mod replies;

fn bot(config: &Value, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    open(&Telegram, config, secrets).unwrap()
}

fn channel() -> Box<dyn Channel> {
    bot(&json!({}), &[(WEBHOOK_SECRET, "s"), (BOT_TOKEN, "999:AAE")])
}

/// A message of the user 456 in the private chat with the bot, with these fields as well.
fn private(fields: &Value) -> Value {
    let mut message = json!({
        "message_id": 11, "date": 1_735_689_600,
        "chat": {"id": 456, "type": "private"}, "from": {"id": 456, "is_bot": false, "language_code": "de"},
    });
    fields.as_object().unwrap().iter().for_each(|(name, value)| message[name] = value.clone());
    json!({"update_id": 7, "message": message})
}

fn envelope(update: &Value) -> IngressEnvelope {
    message(&*channel(), update).envelope
}

#[test]
fn a_text_becomes_an_event() {
    let inbound = message(&*channel(), &private(&json!({"text": "hi"})));
    assert_eq!(inbound.dedupe, ["999:7"]);
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));
    let event = inbound.into_event("corr".into()).unwrap();
    assert_eq!(event.dedupe, ["demo:telegram:999%3A7"]);
    assert_eq!(event.user.as_deref(), Some("456"));
    let ReplyTo::Route(route) = &event.reply_to else { panic!("replies go to a route") };
    let (tenant, provider, address) = parts_of(route).unwrap();
    assert_eq!((&*tenant, &*provider, &*address), ("demo", "telegram", r#"["456","",""]"#));
    assert_eq!(Address::parse(&address), Some(Address { chat: "456".into(), ..Address::default() }));
    let mut input = event.input;
    assert_eq!(input["raw"].take(), private(&json!({"text": "hi"})));
    assert_eq!(
        input,
        json!({
            "tenant": "demo",
            "provider": "telegram",
            "provider_ids": {"channel_id": "456", "conversation_id": "456", "user_id": "456", "message_id": "11", "event_id": "7"},
            "session": {"key": "demo:telegram:456:456", "scopes": ["chat", "attachments", "buttons"]},
            "timestamp": "2025-01-01T00:00:00Z",
            "locale": "de",
            "text": "hi",
            "attachments": [],
            "buttons": [],
            "entities": {"mentions": [], "urls": []},
            "metadata": {"raw_headers": {"user-agent": "test"}, "ip": "127.0.0.1"},
            "channel_data": {"type": "message", "chat_id": 456, "chat_type": "private"},
            "raw": null,
        })
    );
}

#[test]
fn a_pressed_button_is_the_users_not_the_bots() {
    let keyboard =
        json!({"inline_keyboard": [[{"text": "No", "callback_data": "n"}, {"text": "Yes", "callback_data": "y"}]]});
    let query = |message: Value| {
        json!({"update_id": 8, "callback_query": {
            "id": "q1", "from": {"id": 456, "is_bot": false}, "message": message, "chat_instance": "ci", "data": "y"}})
    };
    let under = json!({"message_id": 12, "date": 1, "chat": {"id": -100_123, "type": "supergroup"},
        "from": {"id": 999, "is_bot": true}, "text": "Really?", "reply_markup": keyboard});
    let pressed = envelope(&query(under));
    assert_eq!(pressed.session.key, "demo:telegram:-100123:456");
    assert_eq!(serde_json::to_value(&pressed.buttons).unwrap(), json!([{"id": "y", "title": "Yes", "payload": "y"}]));
    assert_eq!((pressed.text.as_deref(), pressed.provider_ids.message_id.as_deref()), (Some("Yes"), Some("12")));
    assert_eq!(pressed.channel_data["callback_query_id"], "q1");
    assert_eq!(pressed.timestamp, context().received(), "when it was pressed is not told");

    // The message cannot be seen any more, or was sent through another chat.
    let gone = envelope(&query(json!({"message_id": 12, "date": 0, "chat": {"id": 456, "type": "private"}})));
    assert_eq!((gone.session.key.as_str(), gone.buttons[0].title.as_str()), ("demo:telegram:456:456", "y"));
    let mut inline = query(Value::Null);
    inline["callback_query"]["inline_message_id"] = "im".into();
    let inbound = message(&*channel(), &inline);
    assert_eq!(inbound.envelope.session.key, "demo:telegram:456:456");
    assert_eq!(inbound.envelope.provider_ids.message_id.as_deref(), Some("im"));
    assert_eq!(inbound.envelope.provider_ids.channel_id, None);
    inline["callback_query"]["from"] = Value::Null;
    assert_eq!(ignored(&*channel(), &inline), "a pressed button without a user");
}

#[test]
fn files_are_told_by_their_ids() {
    let file = |id: &str| json!({"file_id": id, "file_unique_id": "u", "file_size": 5});
    for (fields, kind, mime, name) in [
        (
            json!({"document": {"file_id": "a", "mime_type": "application/pdf", "file_name": "a.pdf"}}),
            "file",
            Some("application/pdf"),
            Some("a.pdf"),
        ),
        (json!({"document": {"file_id": "a", "mime_type": "image/png"}}), "image", Some("image/png"), None),
        (
            json!({"document": {"file_id": "a", "mime_type": "application/json"}}),
            "file",
            Some("application/json"),
            None,
        ),
        (json!({"document": file("a")}), "file", None, None),
        (json!({"voice": file("a")}), "audio", Some("audio/ogg"), None),
        (json!({"audio": file("a")}), "audio", None, None),
        (json!({"video": file("a")}), "video", None, None),
        (json!({"video_note": file("a")}), "video", Some("video/mp4"), None),
        (json!({"animation": file("a"), "document": file("a")}), "video", Some("video/mp4"), None),
        (json!({"sticker": {"file_id": "a", "is_animated": true}}), "image", Some("application/x-tgsticker"), None),
        (json!({"sticker": {"file_id": "a", "is_video": true}}), "image", Some("video/webm"), None),
        (json!({"sticker": file("a")}), "image", Some("image/webp"), None),
        (
            json!({"photo": [{"file_id": "s", "width": 90, "height": 90}, {"file_id": "a", "width": 800, "height": 600},
                             {"file_id": "m", "width": 320, "height": 320}]}),
            "image",
            Some("image/jpeg"),
            None,
        ),
    ] {
        let found = envelope(&private(&fields)).attachments;
        let found = serde_json::to_value(found).unwrap();
        assert_eq!(found.as_array().unwrap().len(), 1, "{fields}");
        let found = &found[0];
        assert_eq!(
            (found["type"].as_str(), found["mime"].as_str(), found["name"].as_str()),
            (Some(kind), mime, name),
            "{fields}"
        );
        assert_eq!((&found["requires_auth"], &found["content"]["file_id"]), (&json!(true), &json!("a")), "{fields}");
        assert_eq!(found["url"], Value::Null);
    }
    let captioned = envelope(&private(&json!({"caption": "see", "media_group_id": "g", "voice": file("a")})));
    assert_eq!((captioned.text.as_deref(), captioned.attachments[0].size), (Some("see"), 5));
    assert_eq!(captioned.channel_data["media_group_id"], "g");
    assert_eq!(ignored(&*channel(), &private(&json!({"voice": {}}))), "the message holds nothing for a flow");
}

#[test]
fn marks_count_in_utf_16() {
    let text = "🎲 @bot hi Ännchen, see example.org or here";
    let at = |word: &str| text.split(word).next().unwrap().encode_utf16().count();
    let mark =
        |kind: &str, word: &str| json!({"type": kind, "offset": at(word), "length": word.encode_utf16().count()});
    let mut marks = vec![
        mark("mention", "@bot"),
        mark("text_mention", "Ännchen"),
        mark("url", "example.org"),
        mark("text_link", "here"),
    ];
    marks[1]["user"] = json!({"id": 5});
    marks[3]["url"] = "https://a.example".into();
    marks.push(json!({"type": "mention", "offset": 1, "length": 1}));
    marks.push(json!({"type": "mention", "offset": 9000, "length": 1}));
    marks.push(json!({"type": "mention", "offset": -1, "length": i64::MAX}));
    let found = envelope(&private(&json!({"text": text, "entities": marks}))).entities;
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(found.mentions.len(), 2);
    assert_eq!((found.mentions[0].id.as_str(), found.mentions[0].name.clone()), ("@bot", name("@bot")));
    assert_eq!((found.mentions[1].id.as_str(), found.mentions[1].name.clone()), ("5", name("Ännchen")));
    assert_eq!(found.urls, ["example.org", "https://a.example"]);
    let many = json!({"type": "text_link", "url": "https://a.example"});
    let caption = private(&json!({"caption": "x", "caption_entities": vec![many; 500]}));
    assert_eq!(envelope(&caption).entities.urls.len(), 50);
    assert_eq!(envelope(&private(&json!({"text": "http://b.example"}))).entities.urls, ["http://b.example"]);
}

#[test]
fn other_contents_are_told_as_they_are() {
    for (name, value) in [
        ("location", json!({"latitude": 1.5, "longitude": 2.5})),
        ("contact", json!({"phone_number": "1", "first_name": "A"})),
        ("dice", json!({"emoji": "🎲", "value": 2})),
        ("poll", json!({"id": "p"})),
        ("users_shared", json!({"request_id": 1, "users": []})),
    ] {
        let found = envelope(&private(&json!({name: value})));
        assert_eq!((&found.channel_data[name], found.text), (&value, None));
    }
    let page = envelope(&private(&json!({"web_app_data": {"button_text": "Form", "data": "{\"a\":1}"}})));
    assert_eq!(page.text.as_deref(), Some("Form"));
    assert_eq!(
        serde_json::to_value(page.buttons).unwrap(),
        json!([{"id": "Form", "title": "Form", "payload": "{\"a\":1}"}])
    );
}

#[test]
fn what_is_no_users_turn_is_acknowledged_and_dropped() {
    let bots = json!({"from": {"id": 5, "is_bot": true}, "text": "x"});
    for (update, why) in [
        (json!({"update_id": 1, "edited_message": {"text": "x"}}), "an edit is no new message"),
        (json!({"update_id": 1, "edited_channel_post": {"text": "x"}}), "an edit is no new message"),
        (json!({"update_id": 1, "inline_query": {"id": "1"}}), "no kind of update that concerns a flow"),
        (json!({"update_id": 1, "invented_in_2031": {"id": "1"}}), "no kind of update that concerns a flow"),
        (json!({"update_id": 1, "message": "text"}), "no kind of update that concerns a flow"),
        (json!({"update_id": 1}), "no kind of update that concerns a flow"),
        (private(&json!({"pinned_message": {"text": "x"}})), "the message holds nothing for a flow"),
        (private(&json!({"new_chat_members": []})), "the message holds nothing for a flow"),
        (private(&json!({"text": ""})), "the message holds nothing for a flow"),
        (private(&json!({"text": 5})), "the message holds nothing for a flow"),
        (private(&bots), "a message of another bot"),
        (private(&json!({"from": {"id": 999, "is_bot": true}, "text": "x"})), "the bot's own message"),
        (
            private(&json!({"text": "x", "is_automatic_forward": true})),
            "a channel's post that Telegram copied into its discussion group",
        ),
        (json!({"update_id": 1, "message": {"text": "x"}}), "the update names neither a chat nor a user"),
        (
            json!({"update_id": 1, "message": {"text": "x", "message_thread_id": 2, "is_topic_message": true}}),
            "the update names neither a chat nor a user",
        ),
        (
            json!({"update_id": 1, "business_message": {"business_connection_id": "b", "text": "x"}}),
            "a message to a business account that does not tell its chat",
        ),
    ] {
        assert_eq!(ignored(&*channel(), &update), why, "{update}");
    }
}

#[test]
fn other_bots_are_let_in_where_the_bot_knows_itself() {
    let written = |id: i64| private(&json!({"from": {"id": id, "is_bot": true}, "text": "x"}));
    let open = json!({"allow_bots": true});
    let known = bot(&open, &[(BOT_TOKEN, "999:AAE"), (BOT_TOKEN, "nonsense")]);
    assert_eq!(message(&*known, &written(5)).envelope.provider_ids.user_id.as_deref(), Some("5"));
    assert_eq!(ignored(&*known, &written(999)), "the bot's own message");
    let stated = bot(&json!({"allow_bots": true, "bot_id": 999}), &[]);
    assert_eq!(ignored(&*stated, &written(999)), "the bot's own message");
    assert_eq!(message(&*stated, &written(5)).dedupe, ["999:7"]);
    assert_eq!(ignored(&*bot(&open, &[]), &written(5)), "a message of another bot");
    for bad in [json!({"allow_bots": 1}), json!({"bot_id": {}}), json!({"insecure": "yes"})] {
        let error = super::super::testing::open(&Telegram, &bad, &[]).err().unwrap();
        assert_eq!(error.code(), Code::ChannelInvalid, "{bad}");
    }
}

#[test]
fn who_writes_for_a_chat_is_that_chat() {
    let group = json!({"id": -100, "type": "supergroup"});
    let anonymous = private(&json!({"text": "x", "chat": group, "sender_chat": group,
        "from": {"id": 1_087_968_824, "is_bot": true, "first_name": "Group"}}));
    assert_eq!(envelope(&anonymous).session.key, "demo:telegram:-100:-100");
    let post = json!({"update_id": 3, "channel_post": {"message_id": 1, "date": 1, "text": "news",
        "chat": {"id": -200, "type": "channel"}, "sender_chat": {"id": -200, "type": "channel"}}});
    assert_eq!(envelope(&post).session.key, "demo:telegram:-200:-200");
    assert_eq!(envelope(&post).channel_data["type"], "channel_post");
    let nobody = json!({"update_id": 3, "channel_post": {"text": "news", "chat": {"id": -200}}});
    let inbound = message(&*channel(), &nobody);
    assert_eq!(
        (inbound.envelope.session.key.as_str(), inbound.envelope.provider_ids.user_id),
        ("demo:telegram:-200", None)
    );
}

#[test]
fn topics_are_places_of_their_own_and_replies_are_not() {
    let group = json!({"id": -100_123, "type": "supergroup"});
    let reply = private(&json!({"text": "x", "chat": group, "message_thread_id": 42,
        "reply_to_message": {"message_id": 42}}));
    let plain = message(&*channel(), &reply);
    assert_eq!(plain.envelope.session.key, "demo:telegram:-100123:456");
    assert_eq!(plain.envelope.channel_data["reply_to_message_id"], 42);
    let topic = |id: i64, chat: i64| {
        message(
            &*channel(),
            &private(&json!({"text": "x", "chat": {"id": chat, "type": "supergroup"},
            "message_thread_id": id, "is_topic_message": true})),
        )
    };
    let inbound = topic(42, -100_123);
    assert_eq!(inbound.envelope.session.key, "demo:telegram:-100123:42:456");
    assert_eq!(inbound.envelope.provider_ids.session_key("demo", PROVIDER).as_ref(), Some(&inbound.session));
    let sessions =
        [topic(42, -100_123), topic(43, -100_123), topic(42, -100_124), plain].map(|inbound| inbound.session.stored());
    assert_eq!(std::collections::HashSet::from(sessions).len(), 4);
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies go to a route") };
    let address = Address::parse(&parts_of(route).unwrap().2).unwrap();
    assert_eq!((address.chat.as_str(), address.topic.as_deref(), address.business), ("-100123", Some("42"), None));
}

#[test]
fn a_business_account_is_another_place_than_the_bot() {
    let business = |fields: Value| {
        let mut update = private(&fields);
        update["business_message"] = update["message"].take();
        update["business_message"]["business_connection_id"] = "bc:1".into();
        update
    };
    let inbound = message(&*channel(), &business(json!({"text": "x"})));
    assert_eq!(inbound.envelope.session.key, "demo:telegram:business:bc:1:456:456");
    assert_ne!(inbound.session, message(&*channel(), &private(&json!({"text": "x"}))).session);
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies go to a route") };
    assert_eq!(Address::parse(&parts_of(route).unwrap().2).unwrap().business.as_deref(), Some("bc:1"));
    let own = business(json!({"text": "x", "from": {"id": 1}}));
    assert_eq!(ignored(&*channel(), &own), "a message of the business account itself");
    let sent = business(json!({"text": "x", "sender_business_bot": {"id": 999}}));
    assert_eq!(ignored(&*channel(), &sent), "a message that a bot sent for the business account");
}

#[test]
fn what_is_no_update_is_refused() {
    for bad in [&b""[..], b"[]", b"{}", b"{\"update_id\":\"7\"}", b"{\"update_id\":1.5}", b"{\"update_id\":7", b"\xff"]
    {
        assert_eq!(normalized(&*channel(), bad).unwrap_err().code(), Code::RequestInvalid, "{bad:?}");
    }
}

#[test]
fn only_the_webhooks_secret_lets_in() {
    let with = |config: Value, secrets: &[(&str, &str)], given: &[(&str, &str)]| {
        let headers = headers(given);
        bot(&config, secrets).verify(&context(), &post(&headers, b"{}")).map_err(|error| error.code())
    };
    let secrets = &[(WEBHOOK_SECRET, "old"), (WEBHOOK_SECRET, "new")];
    let sent = |value| [("X-Telegram-Bot-Api-Secret-Token", value)];
    let refused = Err(Code::Unauthenticated);
    for (given, wanted) in [
        (&sent("old")[..], Ok(())),
        (&sent("new"), Ok(())),
        (&sent("ne"), refused),
        (&sent(""), refused),
        (&[], refused),
        (&[sent("new"), sent("new")].concat(), refused),
        (&[("authorization", "new")], refused),
    ] {
        assert_eq!(with(json!({}), secrets, given), wanted, "{given:?}");
        assert_eq!(with(json!({"insecure": true}), secrets, given), wanted, "{given:?}");
    }
    assert_eq!(with(json!({}), &[], &sent("new")), Err(Code::RouteOff));
    assert_eq!(with(json!({}), &[(WEBHOOK_SECRET, "")], &sent("")), Err(Code::RouteOff));
    assert_eq!(with(json!({"insecure": true}), &[], &[]), Ok(()));
    assert_eq!(channel().verification(), Verification::By("Telegram secret token"));
}

fn session_of(chat: i64, topic: Option<i64>, user: i64) -> crate::session::SessionKey {
    let mut fields = json!({"text": "x", "chat": {"id": chat}, "from": {"id": user}});
    if let Some(topic) = topic {
        fields["message_thread_id"] = topic.into();
        fields["is_topic_message"] = true.into();
    }
    message(&*bot(&json!({}), &[]), &private(&fields)).session
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(normalized(&*channel(), &body));
    }

    #[test]
    fn different_places_and_people_never_share_a_session(
        one in (any::<i64>(), prop::option::of(any::<i64>()), any::<i64>()),
        other in (-2_i64..2, prop::option::of(-2_i64..2), -2_i64..2),
        third in (-2_i64..2, prop::option::of(-2_i64..2), -2_i64..2),
    ) {
        let of = |(chat, topic, user): (i64, Option<i64>, i64)| session_of(chat, topic, user).stored();
        prop_assert_eq!(of(one) == of(other), one == other);
        prop_assert_eq!(of(other) == of(third), other == third);
    }

    #[test]
    fn an_address_comes_back_as_it_was(chat in "[-0-9\",:%]{1,8}", topic in "[0-9\"\\\\,]{0,4}", business in "[a-c:%\"]{0,4}") {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let address = Address { chat, topic: some(topic), business: some(business) };
        prop_assert_eq!(Address::parse(&address.to_text()), Some(address));
    }
}
