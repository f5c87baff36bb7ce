use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ingress::testing;
use crate::session::parts_of;

mod replies;

/// A channel of the tenant `demo` with these values of `TEAMS_APP_ID`.
pub(super) fn open(config: &Value, apps: &[&str]) -> Result<Box<dyn Channel>> {
    let secrets: Vec<_> = apps.iter().map(|app| (APP_ID, *app)).collect();
    testing::open(&Teams, config, &secrets)
}

fn received(channel: &dyn Channel, body: &[u8]) -> Result<Intake> {
    testing::normalized(channel, body)
}

fn insecure() -> Box<dyn Channel> {
    open(&json!({"insecure": true}), &[]).unwrap()
}

/// An activity with some fields changed; null takes one out.
pub(super) fn activity(changes: &Value) -> Value {
    let mut activity = json!({
        "type": "message", "id": "1", "channelId": "msteams", "serviceUrl": "https://smba.example/emea/",
        "timestamp": "2026-01-02T18:27:44.6315648Z", "text": "hi",
        "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "T"},
        "from": {"id": "29:u", "name": "Ann", "aadObjectId": "oid"}, "recipient": {"id": "28:bot", "name": "Bot"},
    });
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            activity.as_object_mut().unwrap().remove(key);
        } else {
            activity[key] = value.clone();
        }
    }
    activity
}

fn message(changes: Value) -> Inbound {
    testing::message(&*insecure(), &activity(&changes))
}

fn place(inbound: &Inbound) -> String {
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies have no route") };
    parts_of(route).unwrap().2
}

const THREAD: &str = "19:c@thread.tacv2;messageid=100";

#[test]
fn a_message_becomes_an_event() {
    let inbound = message(json!({
        "text": "<at>Bot</at> see https://a.example, <at>Bob</at>.",
        "conversation": {"id": THREAD, "conversationType": "channel", "tenantId": "T", "isGroup": true},
        "channelData": {"channel": {"id": "19:c@thread.tacv2"}, "team": {"id": "19:t"}, "tenant": {"id": "T"}},
        "entities": [
            {"type": "mention", "text": "<at>Bot</at>", "mentioned": {"id": "28:bot", "name": "Bot"}},
            {"type": "mention", "text": "<at>Bob</at>", "mentioned": {"id": "29:bob", "name": "Bob"}},
            {"type": "clientInfo", "locale": "de-DE"},
        ],
    }));
    let address = Address::parse(&place(&inbound)).unwrap();
    assert_eq!(
        address,
        Address {
            service_url: "https://smba.example/emea/".into(),
            conversation: THREAD.into(),
            activity: None,
            bot: Some("28:bot".into())
        }
    );
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(202)));
    let event = inbound.into_event("corr".into()).unwrap();
    assert_eq!(
        (&*event.tenant, event.user.as_deref(), event.provider.as_deref()),
        ("demo", Some("29:u"), Some("teams"))
    );
    assert_eq!(
        event.input["provider_ids"],
        json!({"workspace_id": "T", "team_id": "19:t", "channel_id": "19:c@thread.tacv2", "conversation_id": THREAD,
               "user_id": "29:u", "message_id": "1"})
    );
    assert_eq!(event.input["session"]["key"], format!("demo:teams:{THREAD}:29:u"));
    assert_eq!(event.input["text"], "see https://a.example, Bob.");
    assert_eq!(
        event.input["entities"],
        json!({"mentions": [{"id": "28:bot", "name": "Bot"}, {"id": "29:bob", "name": "Bob"}],
               "urls": ["https://a.example"]})
    );
    assert_eq!(
        (&event.input["locale"], &event.input["timestamp"]),
        (&json!("de-DE"), &json!("2026-01-02T18:27:44.6315648Z"))
    );
    assert_eq!(
        event.input["channel_data"],
        json!({"type": "message", "channel_id": "msteams", "service_url": "https://smba.example/emea/",
               "conversation_type": "channel", "thread_root": "100", "user_name": "Ann", "aad_object_id": "oid",
               "bot_id": "28:bot"})
    );
    assert_eq!(event.input["metadata"]["ip"], "127.0.0.1");
}

#[test]
fn the_bots_mention_is_no_part_of_the_text() {
    let text = |text: &str, entities: Value| message(json!({"text": text, "entities": entities})).envelope.text;
    let named = json!([{"type": "mention", "mentioned": {"id": "28:bot", "name": "Bot"}}]);
    let tagged = json!([{"type": "mention", "text": "<at id=\"0\">Bot</at>", "mentioned": {"id": "28:bot"}}]);
    assert_eq!(text("<at>Bot</at> Hey", named.clone()).as_deref(), Some("Hey"));
    assert_eq!(text("<at>Bot</at>\u{a0}Hey", named.clone()).as_deref(), Some("Hey"));
    assert_eq!(text("Hey <at>Bot</at> you <at>Bot</at>", named.clone()).as_deref(), Some("Hey you"));
    assert_eq!(text("<at id=\"0\">Bot</at> Hey", tagged).as_deref(), Some("Hey"));
    assert_eq!(text("<at>Bot</at>", named), None);
    // What is called a mention and is none takes no words out of the text.
    let false_tag = json!([{"type": "mention", "text": "pay", "mentioned": {"id": "28:bot"}}]);
    assert_eq!(text("pay me", false_tag).as_deref(), Some("pay me"));
}

#[test]
fn sessions_follow_the_rule_without_its_trap() {
    let key = |changes: Value| message(changes).envelope.session.key;
    let group = json!({"id": "19:g@thread.v2"});
    let thread = json!({"id": THREAD});
    let in_thread = format!("demo:teams:{THREAD}:29:u");
    // To the letter: replyToId, then conversation.id.
    assert_eq!(key(json!({"conversation": group})), "demo:teams:19:g@thread.v2:29:u");
    assert_eq!(key(json!({"conversation": group, "replyToId": "77"})), "demo:teams:77:29:u");
    assert_eq!(key(json!({"conversation": null, "channelData": {"teamsChannelId": "19:c"}})), "demo:teams:19:c:29:u");
    // A channel's thread is in conversation.id, whether the message says what it replies to or not.
    assert_eq!(key(json!({"conversation": thread})), in_thread);
    assert_eq!(key(json!({"conversation": thread, "replyToId": "100"})), in_thread);
    // A click names the card, and finds the run that waits for it all the same: in threads, chats and invokes.
    let click = json!({"conversation": thread, "replyToId": "55", "value": {"a": 1}, "text": null});
    assert_eq!(key(click), in_thread);
    assert_eq!(key(json!({"replyToId": "55", "value": {"a": 1}, "text": null})), "demo:teams:a:1:29:u");
    assert_eq!(key(json!({"replyToId": "55", "value": {"a": 1}, "text": "Yes"})), "demo:teams:a:1:29:u");
    let invoke = json!({"type": "invoke", "name": "adaptiveCard/action", "replyToId": "55", "value": {}});
    assert_eq!(key(invoke), "demo:teams:a:1:29:u");
}

#[test]
fn replies_go_where_the_message_came_from() {
    let of = |changes: Value| Address::parse(&place(&message(changes))).unwrap();
    let (first, second) = (of(json!({"id": "1"})), of(json!({"id": "2", "text": "more"})));
    assert_eq!(first, second, "a conversation has one address");
    assert_eq!(of(json!({"replyToId": "77"})).activity.as_deref(), Some("77"));
    assert_eq!(of(json!({"serviceUrl": null})).service_url, "");
    assert_eq!(Address::parse(r#"["https://a/","","",""]"#), None);
    assert_eq!(Address::parse(r#"["https://a/","c",""]"#), None);
}

#[test]
fn what_is_pressed_is_a_button() {
    let buttons = |changes: Value| serde_json::to_value(message(changes).envelope.buttons).unwrap();
    let submitted = json!({"text": null, "value": {"actionId": "info"}});
    assert_eq!(buttons(submitted), json!([{"id": "0", "title": "", "payload": {"actionId": "info"}}]));
    let back = json!({"text": "Yes", "value": {"yes": true}});
    assert_eq!(buttons(back), json!([{"id": "0", "title": "Yes", "payload": {"yes": true}}]));
    let executed = json!({"type": "invoke", "name": "adaptiveCard/action", "text": null,
        "value": {"action": {"type": "Action.Execute", "verb": "approve", "data": {"n": 1}}}});
    assert_eq!(buttons(executed), json!([{"id": "approve", "title": "approve", "payload": {"n": 1}}]));
    let task = json!({"type": "invoke", "name": "task/submit", "text": null, "value": {"data": {"n": 1}}});
    assert_eq!(buttons(task), json!([{"id": "0", "title": "", "payload": {"n": 1}}]));
    let query =
        json!({"type": "invoke", "name": "composeExtension/query", "text": null, "value": {"queryOptions": {}}});
    assert_eq!(buttons(query), json!([]));
    assert_eq!(buttons(json!({})), json!([]));
}

#[test]
fn files_are_told_from_copies_of_the_text() {
    let inbound = message(json!({"attachments": [
        {"contentType": "text/html", "content": "<p>hi</p>"},
        {"contentType": "image/png", "contentUrl": "https://smba.example/v3/attachments/1/views/original"},
        {"contentType": "image/png", "contentUrl": "https://smba.example.evil.example/1"},
        {"contentType": "application/vnd.microsoft.teams.file.download.info", "name": "a.pdf",
         "contentUrl": "https://files.example/a.pdf",
         "content": {"downloadUrl": "https://files.example/d?t=1", "uniqueId": "1", "fileType": "pdf"}},
        {"contentType": "messageReference", "content": {"messageId": "5"}},
    ]}));
    let shown = serde_json::to_value(inbound.envelope.attachments).unwrap();
    let none = Value::Null;
    assert_eq!(
        shown,
        json!([
            {"type": "image", "name": none, "mime": "image/png", "size": 0,
             "url": "https://smba.example/v3/attachments/1/views/original", "data_inline_b64": none, "requires_auth": true},
            {"type": "image", "name": none, "mime": "image/png", "size": 0, "url": "https://smba.example.evil.example/1",
             "data_inline_b64": none},
            {"type": "file", "name": "a.pdf", "mime": "application/pdf", "size": 0, "url": "https://files.example/d?t=1",
             "data_inline_b64": none,
             "content": {"downloadUrl": "https://files.example/d?t=1", "uniqueId": "1", "fileType": "pdf"}},
            {"type": "card", "name": none, "mime": "messageReference", "size": 0, "url": none, "data_inline_b64": none,
             "content": {"messageId": "5"}},
        ])
    );
    let many: Vec<_> = (0..100).map(|_| json!({"contentType": "image/png", "contentUrl": "https://a/"})).collect();
    assert_eq!(message(json!({ "attachments": many })).envelope.attachments.len(), MOST);
}

#[test]
fn an_id_alone_is_no_repetition() {
    let keys = |changes: Value| message(changes).dedupe;
    let first = keys(json!({}));
    assert_eq!((first.len(), &first), (1, &keys(json!({}))));
    for changes in [
        json!({"id": "2"}),
        json!({"timestamp": "2026-01-02T18:28:14Z"}),
        json!({"conversation": {"id": "a:2"}}),
        json!({"recipient": {"id": "28:other"}}),
        json!({"type": "invoke", "name": "task/fetch"}),
        json!({"channelId": "emulator"}),
    ] {
        assert_ne!(keys(changes.clone()), first, "{changes}");
    }
    // Without a time the content says whether it is the same.
    let timeless = |text: &str| keys(json!({"timestamp": null, "text": text}));
    assert_eq!(timeless("a"), timeless("a"));
    assert_ne!(timeless("a"), timeless("b"));
    assert!(keys(json!({"id": null})).is_empty());
}

#[test]
fn an_invoke_is_answered_in_the_body() {
    let invoke = message(json!({"type": "invoke", "name": "task/fetch", "text": null, "value": {"data": {}}}));
    let fallback = Answer::empty(501);
    assert_eq!(invoke.respond, Respond::Sync { within: Duration::from_secs(10), fallback });
    assert_eq!((invoke.envelope.text, &invoke.envelope.channel_data["name"]), (None, &json!("task/fetch")));
    let answer = insecure().respond(&invoke.envelope.raw, &[json!({"text": "Bye"})]).unwrap();
    assert_eq!(answer, Answer::json(200, &json!({"task": {"type": "message", "value": "Bye"}})));
}

#[test]
fn what_is_no_users_message_is_ignored() {
    for changes in [
        json!({"type": "messageUpdate"}),
        json!({"type": "messageDelete"}),
        json!({"type": "messageReaction"}),
        json!({"type": "conversationUpdate", "from": 5}),
        json!({"type": "typing"}),
        json!({"type": "somethingNew"}),
        json!({"type": null}),
        json!({"type": "invoke", "name": "signin/failure"}),
        json!({"from": {"id": "28:bot"}}),
        json!({"from": {"id": "28:other"}}),
        json!({"from": {"id": "x", "role": "bot"}}),
    ] {
        let body = activity(&changes).to_string();
        assert!(matches!(received(&*insecure(), body.as_bytes()), Ok(Intake::Ignored(_))), "{body}");
    }
}

#[test]
fn other_bots_are_let_in_where_it_is_said_and_the_bot_itself_never() {
    let channel = open(&json!({"allow_bots": true, "app_id": "App"}), &[]).unwrap();
    let is_message = |from: &str, recipient: &str| {
        let body = activity(&json!({"from": {"id": from, "role": "bot"}, "recipient": {"id": recipient}})).to_string();
        matches!(received(&*channel, body.as_bytes()), Ok(Intake::Messages(_)))
    };
    assert!(is_message("28:other", "28:app"));
    assert!(!is_message("28:app", "28:other"));
    assert!(!is_message("x", "x"));
}

#[test]
fn other_channels_of_the_bot_are_not_teams() {
    let channel = open(&json!({"app_id": "app"}), &[]).unwrap();
    for (channel_id, wanted) in [(json!("msteams"), true), (json!("webchat"), false), (Value::Null, false)] {
        let body = activity(&json!({"channelId": channel_id})).to_string();
        assert_eq!(matches!(received(&*channel, body.as_bytes()), Ok(Intake::Messages(_))), wanted, "{body}");
    }
}

#[test]
fn what_cannot_be_a_message_is_refused() {
    for changes in [
        json!({"from": {}}),
        json!({"from": {"id": ""}}),
        json!({"conversation": null}),
        json!({"text": 5}),
        json!({"from": {"id": "u".repeat(513)}}),
        json!({"from": {"id": "a\nb"}}),
        json!({"conversation": {"id": "c\u{0}"}}),
        json!({"serviceUrl": "x".repeat(513)}),
        json!({"attachments": {}}),
        json!({"channelId": 7}),
        json!({"from": ["29:u"]}),
    ] {
        let body = activity(&changes).to_string();
        assert_eq!(received(&*insecure(), body.as_bytes()).unwrap_err().code(), Code::RequestInvalid, "{body}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    for config in [
        json!({"cloud": "gcc"}),
        json!({"cloud": ["public", "usgov"]}),
        json!({"login_base_url": true}),
        json!({"login_base_url": "login.example"}),
        json!({"app_id": {}}),
        json!({"app_id": ""}),
        json!({"emulator": "yes"}),
        json!({"insecure": 1}),
        json!({"emulator": true, "cloud": "usgov"}),
    ] {
        assert_eq!(open(&config, &["app"]).err().unwrap().code(), Code::ChannelInvalid, "{config}");
    }
}

#[test]
fn the_keys_are_where_the_cloud_publishes_them() {
    let source = |config: Value| open(&config, &["app"]).unwrap().key_source().map(str::to_owned);
    let path = "/v1/.well-known/openidconfiguration";
    assert_eq!(source(json!({})), Some(format!("https://login.botframework.com{path}")));
    assert_eq!(source(json!({"cloud": "usgov"})), Some(format!("https://login.botframework.azure.us{path}")));
    assert_eq!(source(json!({"login_base_url": "http://127.0.0.1:9/"})), Some(format!("http://127.0.0.1:9{path}")));
    assert_eq!(
        source(json!({"emulator": true})).unwrap(),
        "https://login.microsoftonline.com/botframework.com/v2.0/.well-known/openid-configuration"
    );
    assert_eq!(insecure().key_source(), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(received(&*insecure(), &body));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[<>/at Bot\u{e4}]{0,40}", tag in "(<at)?[>Bot ]{0,6}(</at>)?", own in any::<bool>()) {
        let id = if own { "28:bot" } else { "29:x" };
        let entities = json!([{"type": "mention", "text": tag, "mentioned": {"id": id, "name": "Bot"}}]);
        let body = activity(&json!({"text": text, "entities": entities})).to_string();
        prop_assert!(matches!(received(&*insecure(), body.as_bytes()), Ok(Intake::Messages(_))));
    }

    #[test]
    fn different_tuples_never_share_a_session(a in tuple(), b in tuple()) {
        let of = |(conversation, reply, user): &(String, String, String)| {
            let changes = json!({"conversation": {"id": conversation}, "replyToId": reply, "from": {"id": user}});
            let inbound = message(changes);
            let place = if reply.is_empty() { conversation } else { reply };
            ((place.clone(), user.clone()), inbound.session.stored())
        };
        let ((a, key_of_a), (b, key_of_b)) = (of(&a), of(&b));
        prop_assert_eq!(a == b, key_of_a == key_of_b);
    }

    #[test]
    fn an_address_is_read_as_it_was_written(service_url in ".{0,12}", conversation in ".{1,12}", activity in ".{0,3}",
                                            bot in ".{0,3}") {
        let some = |part: String| Some(part).filter(|part| !part.is_empty());
        let address = Address { service_url, conversation, activity: some(activity), bot: some(bot) };
        prop_assert_eq!(Address::parse(&address.to_text()), Some(address));
    }
}

fn tuple() -> impl Strategy<Value = (String, String, String)> {
    ("[a:%]{1,3}", "[a:%]{0,2}", "[a:%]{1,3}")
}
