use http::HeaderMap;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ingress::adapter::{Inbound, Respond};
use crate::ingress::testing::{self, context, headers, open};
use crate::run::event::ReplyTo;
use crate::session::parts_of;

mod commands;
mod events;
mod interactive;
mod replies;
mod signing;

const SECRET: &[(&str, &str)] = &[(SIGNING_SECRET, "8f742231b10e8888abcd99yyyzzz85a5")];

fn channel(config: &Value) -> Box<dyn Channel> {
    open(&Slack, config, SECRET).unwrap()
}

fn normalized(channel: &dyn Channel, path: &str, body: &[u8]) -> Result<Intake> {
    let headers = headers(&[("x-slack-retry-num", "1"), (SIGNATURE_HEADER, "v0=canary")]);
    channel.normalize(&context(), &Request { path, ..testing::post(&headers, body) }).inspect(testing::valid)
}

fn one(intake: Intake) -> Inbound {
    match intake {
        Intake::Messages(mut inbound) if inbound.len() == 1 => inbound.remove(0),
        other => panic!("not one message: {other:?}"),
    }
}

fn event(channel: &dyn Channel, payload: &Value) -> Intake {
    normalized(channel, EVENTS, payload.to_string().as_bytes()).unwrap()
}

fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
}

fn interaction(channel: &dyn Channel, payload: &Value) -> Intake {
    normalized(channel, INTERACTIVE, &form(&[("payload", &payload.to_string())])).unwrap()
}

/// The payload of a message event with these fields.
fn message(fields: &Value) -> Value {
    let mut payload = json!({
        "token": "old", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event_id": "Ev1",
        "event_time": 1_731_315_600,
        "event": {"type": "message", "user": "U1", "channel": "C1", "ts": "1731315600.000100", "text": "Hi"},
        "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": true}],
    });
    for (name, value) in fields.as_object().unwrap() {
        payload["event"][name] = value.clone();
    }
    payload
}

/// The place where the replies to a message go.
fn address(inbound: &Inbound) -> Address {
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("no route: {:?}", inbound.reply_to) };
    let (tenant, provider, place) = parts_of(route).unwrap();
    assert_eq!((&*tenant, &*provider), ("demo", PROVIDER));
    Address::parse(&place).unwrap()
}

#[test]
fn settings_are_read_strictly() {
    for config in
        [json!({"allow_bots": 1}), json!({"reply_in_thread": "yes"}), json!({"teams": {}}), json!({"events": 1.5})]
    {
        assert_eq!(
            open(&Slack, &config, SECRET).err().map(|error| error.code()),
            Some(Code::ChannelInvalid),
            "{config}"
        );
    }
    assert_eq!(channel(&json!({})).verification().to_string(), "verified: Slack signature v0");
}

#[test]
fn addresses_are_read_as_they_were_written() {
    let url = "https://hooks.slack.com/commands/T1/1/x";
    for (address, text) in [
        (Address { channel: "C1".into(), ..Address::default() }, r#"["","C1","",""]"#.to_owned()),
        (
            Address {
                team: Some("T1".into()),
                channel: "C1".into(),
                thread: Some("1.2".into()),
                response_url: Some(url.into()),
                user: None,
            },
            format!(r#"["T1","C1","1.2","{url}"]"#),
        ),
        (
            Address {
                channel: "C1".into(),
                response_url: Some(url.into()),
                user: Some("U1".into()),
                ..Address::default()
            },
            format!(r#"["","C1","","{url}","U1"]"#),
        ),
    ] {
        assert_eq!(address.to_text(), text);
        assert_eq!(Address::parse(&text), Some(address));
    }
    for bad in [
        "",
        "C1",
        "[]",
        r#"["T1","","",""]"#,
        r#"["","C1","","","U1",""]"#,
        r#"["T1","C1",""]"#,
        r#"["","C1","","https://evil.example/"]"#,
    ] {
        assert_eq!(Address::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_path_that_is_not_slacks_is_refused() {
    let error = normalized(&*channel(&json!({})), "/slack/other", b"{}").unwrap_err();
    assert_eq!(error.code(), Code::RequestInvalid);
}

/// Values that Slack's fields may have, and that they should not have.
fn field() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9.<>@#!|&;:/ ]{0,24}".prop_map(Value::from),
        Just(json!({"id": "X", "text": {"text": "t"}, "value": 1})),
        Just(json!([{"id": "X", "type": "button", "selected_options": [1, {}]}, 7, null, []])),
    ]
}

const NAMES: &[&str] = &[
    "type",
    "user",
    "channel",
    "ts",
    "thread_ts",
    "text",
    "subtype",
    "bot_id",
    "bot_profile",
    "files",
    "blocks",
    "hidden",
    "edited",
    "attachments",
    "team",
    "container",
    "actions",
    "view",
    "state",
    "message",
    "trigger_id",
    "response_url",
    "response_urls",
    "callback_id",
    "event",
    "authorizations",
    "authed_users",
    "event_id",
    "item",
    "submission",
    "original_message",
    "value",
    "enterprise",
    "command",
];

const KINDS: &[&str] = &[
    "event_callback",
    "url_verification",
    "message",
    "app_mention",
    "reaction_added",
    "block_actions",
    "view_submission",
    "view_closed",
    "block_suggestion",
    "shortcut",
    "message_action",
    "interactive_message",
    "dialog_submission",
];

fn object() -> impl Strategy<Value = Value> {
    let fields = prop::collection::vec((prop::sample::select(NAMES), field()), 0..16);
    (prop::sample::select(KINDS), fields).prop_map(|(kind, fields)| {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut object: serde_json::Map<_, _> = fields.collect();
        object.insert("type".into(), kind.into());
        Value::Object(object)
    })
}

fn holds(intake: Result<Intake>) {
    match intake {
        Ok(Intake::Messages(inbound)) => inbound.into_iter().for_each(|inbound| {
            assert!(inbound.envelope.provider_ids.user_id.is_some());
            assert!(inbound.session.stored().starts_with("demo:slack:"));
            inbound.into_event("x".into()).unwrap();
        }),
        Ok(_) => {}
        Err(error) => assert_eq!(error.code(), Code::RequestInvalid),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200),
                              path in prop::sample::select(&[EVENTS, INTERACTIVE, COMMANDS][..])) {
        let channel = channel(&json!({"allow_bots": true}));
        holds(normalized(&*channel, path, &body));
        let headers = HeaderMap::new();
        let verified = channel.verify(&context(), &Request { path, ..testing::post(&headers, &body) });
        prop_assert_eq!(verified.unwrap_err().code(), Code::Unauthenticated);
    }

    #[test]
    fn no_object_makes_it_panic(outer in object(), event in object(), reply in field()) {
        let channel = channel(&json!({"allow_bots": true, "reply_in_thread": true, "events": ["reaction_added"]}));
        let mut delivered = outer.clone();
        delivered["type"] = "event_callback".into();
        delivered["event"] = event;
        holds(normalized(&*channel, EVENTS, delivered.to_string().as_bytes()));
        holds(normalized(&*channel, INTERACTIVE, &form(&[("payload", &outer.to_string())])));
        drop(channel.respond(&outer, &[reply, delivered]));
    }

    #[test]
    fn different_places_and_people_never_share_a_session(
        a in ("[a:%]{1,3}", "[1.:]{0,3}", "[u:%]{1,3}"), b in ("[a:%]{1,3}", "[1.:]{0,3}", "[u:%]{1,3}"),
    ) {
        let channel = channel(&json!({}));
        let of = |(place, thread, user): &(String, String, String)| {
            one(event(&*channel, &message(&json!({"channel": place, "thread_ts": thread, "user": user})))).session.stored()
        };
        prop_assert_eq!(of(&a) == of(&b), a == b);
    }

    #[test]
    fn what_is_escaped_is_read_back(text in "[a-z&<>;@#|! ]{0,20}") {
        let read = text::read(&escape(&text), &[]).text.unwrap_or_default();
        prop_assert_eq!(read, text);
    }
}
