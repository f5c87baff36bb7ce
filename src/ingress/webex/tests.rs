use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::adapter::{Answer, Inbound, Respond};
use super::*;
use crate::ingress::testing::{self, context, headers, ignored, normalized, post};
use crate::run::event::ReplyTo;
use crate::session::parts_of;

mod replies;

fn open(config: &Value, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    testing::open(&Webex, config, secrets).unwrap()
}

fn channel() -> Box<dyn Channel> {
    open(&json!({}), &[(WEBHOOK_SECRET, "s"), (BOT_TOKEN, "token")])
}

fn webhook(resource: &str, event: &str, data: &Value) -> Value {
    json!({"id": "hook", "resource": resource, "event": event, "orgId": "org", "createdBy": "bot", "data": data})
}

fn created(data: &Value) -> Value {
    let mut all = json!({"id": "m1", "roomId": "r1", "roomType": "group", "personId": "p1", "personEmail": "ada@example.com",
        "created": "2019-08-26T20:10:15.849Z"});
    data.as_object().unwrap().iter().for_each(|(name, value)| all[name] = value.clone());
    webhook("messages", "created", &all)
}

fn pending(channel: &dyn Channel, body: &Value) -> Pending {
    match normalized(channel, body.to_string().as_bytes()).unwrap() {
        Intake::Fetch(pending) => *pending,
        other => panic!("nothing to fetch: {other:?}"),
    }
}

fn complete(channel: &dyn Channel, body: &Value, status: u16, answer: &[u8]) -> Result<Intake> {
    // As it comes back from the store.
    let stored = serde_json::to_string(&pending(channel, body)).unwrap();
    let pending = serde_json::from_str(&stored).unwrap();
    channel.complete(&context(), &pending, Completion { status, body: answer }).inspect(testing::valid)
}

fn completed(channel: &dyn Channel, body: &Value, answer: &Value) -> Inbound {
    match complete(channel, body, 200, answer.to_string().as_bytes()).unwrap() {
        Intake::Messages(mut inbound) if inbound.len() == 1 => inbound.remove(0),
        other => panic!("not one message: {other:?}"),
    }
}

/// The message that Webex answers with, with these fields as well.
fn fetched(fields: &Value) -> Value {
    let mut all = json!({"id": "m1", "roomId": "r1", "roomType": "group", "personId": "p1", "personEmail": "ada@example.com",
        "text": "hi", "created": "2019-08-26T20:10:15.849Z"});
    fields.as_object().unwrap().iter().for_each(|(name, value)| all[name] = value.clone());
    all
}

#[test]
fn an_event_is_asked_for_and_becomes_a_message() {
    let event = created(&json!({}));
    let asked = pending(&*channel(), &event);
    assert_eq!((asked.path.as_str(), asked.order.as_str()), ("/v1/messages/m1", "r1"));
    assert_eq!((&asked.dedupe, &asked.event), (&vec!["messages:m1".to_owned()], &event));
    let channel = channel();
    let source = channel.source().unwrap();
    assert_eq!((source.base_url, source.token.unwrap().expose()), ("https://webexapis.com", "token"));

    let inbound = completed(&*channel, &event, &fetched(&json!({"parentId": "m0"})));
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies go to a route") };
    let address = Address { room: "r1".into(), parent: Some("m0".into()) };
    assert_eq!(Address::parse(&parts_of(route).unwrap().2), Some(address));
    let mut input = inbound.into_event("corr".into()).unwrap().input;
    assert_eq!(input["raw"].take(), json!({"event": event, "fetched": fetched(&json!({"parentId": "m0"}))}));
    assert_eq!(
        input,
        json!({
            "tenant": "demo",
            "provider": "webex",
            "provider_ids": {"workspace_id": "org", "channel_id": "r1", "conversation_id": "r1", "thread_id": "m0",
                "user_id": "p1", "message_id": "m1", "event_id": "hook"},
            "session": {"key": "demo:webex:m0:p1", "scopes": ["chat", "attachments", "buttons"]},
            "timestamp": "2019-08-26T20:10:15.849Z",
            "locale": null,
            "text": "hi",
            "attachments": [],
            "buttons": [],
            "entities": {"mentions": [], "urls": []},
            "metadata": {"raw_headers": {"user-agent": "test"}, "ip": "127.0.0.1"},
            "channel_data": {"type": "message", "roomType": "group", "personEmail": "ada@example.com"},
            "raw": null,
        })
    );
    let unthreaded = completed(&*channel, &event, &fetched(&json!({})));
    assert_eq!(unthreaded.envelope.session.key, "demo:webex:r1:p1");
}

#[test]
fn a_card_that_was_filled_in_is_a_button() {
    let event = webhook("attachmentActions", "created", &json!({"id": "a1", "roomId": "r1", "personId": "p1"}));
    assert_eq!(pending(&*channel(), &event).path, "/v1/attachment/actions/a1");
    let action = json!({"id": "a1", "type": "submit", "messageId": "m1", "inputs": {"size": "L"}, "personId": "p1", "roomId": "r1"});
    let envelope = completed(&*channel(), &event, &action).envelope;
    assert_eq!(envelope.session.key, "demo:webex:r1:p1");
    assert_eq!(
        serde_json::to_value(&envelope.buttons).unwrap(),
        json!([{"id": "0", "title": "", "payload": {"size": "L"}}])
    );
    assert_eq!((envelope.text, &envelope.channel_data["messageId"]), (None, &json!("m1")));
    assert_eq!(envelope.channel_data["type"], "attachment_action");
}

#[test]
fn files_take_the_token_and_cards_come_whole() {
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard"}});
    let answer = fetched(&json!({"files": ["https://webexapis.com/v1/contents/1", 7], "attachments": [card]}));
    let found = completed(&*channel(), &created(&json!({})), &answer).envelope.attachments;
    assert_eq!(
        serde_json::to_value(found).unwrap(),
        json!([
            {"type": "file", "name": null, "mime": null, "size": 0, "url": "https://webexapis.com/v1/contents/1",
             "data_inline_b64": null, "requires_auth": true},
            {"type": "card", "name": null, "mime": "application/vnd.microsoft.card.adaptive", "size": 0, "url": null,
             "data_inline_b64": null, "content": {"type": "AdaptiveCard"}},
        ])
    );
    let many = fetched(&json!({"files": vec!["https://webexapis.com/v1/contents/1"; 500]}));
    assert_eq!(completed(&*channel(), &created(&json!({})), &many).envelope.attachments.len(), 50);
}

/// Somebody's id as Webex writes it in webhooks.
fn encoded(id: &str) -> String {
    STANDARD_NO_PAD.encode(format!("ciscospark://us/PEOPLE/{id}"))
}

#[test]
fn mentions_have_names_and_the_bots_own_is_cut() {
    let html = |id: &str| {
        format!(
            r#"<p><spark-mention data-object-type="person" data-object-id="{id}">My Bot</spark-mention>: hi
            <spark-mention data-object-id='{}'>A &amp; B</spark-mention></p>"#,
            encoded("p2")
        )
    };
    let config = json!({"bot_id": encoded("b1")});
    for id in [encoded("b1"), "b1".to_owned()] {
        let answer =
            fetched(&json!({"text": "My Bot: hi A & B", "html": html(&id), "mentionedPeople": [encoded("b1"), "p2"],
            "mentionedGroups": ["all"]}));
        let found = completed(&*open(&config, &[]), &created(&json!({})), &answer).envelope;
        assert_eq!(found.text.as_deref(), Some("hi A & B"));
        assert_eq!(
            serde_json::to_value(&found.entities.mentions).unwrap(),
            json!([{"id": encoded("b1"), "name": "My Bot"}, {"id": "p2", "name": "A & B"}, {"id": "all", "name": null}])
        );
        // Nobody knows that it is the bot.
        let kept = completed(&*channel(), &created(&json!({})), &answer).envelope;
        assert_eq!(kept.text.as_deref(), Some("My Bot: hi A & B"));
    }
    // The bot created the webhook.
    let answer = |text: &str| fetched(&json!({"text": text, "html": html("bot")}));
    for (text, wanted) in [
        ("My Bot hi", Some("hi")),
        ("My Bot", None),
        ("My Bots hi", Some("My Bots hi")),
        ("hi My Bot", Some("hi My Bot")),
    ] {
        let found = completed(&*channel(), &created(&json!({})), &answer(text)).envelope;
        assert_eq!(found.text.as_deref(), wanted, "{text}");
    }
    for broken in [
        "<spark-mention",
        "<spark-mention data-object-id=\"a>b</spark-mention>",
        "<spark-mention data-object-id=ä>x</spark-mention>",
    ] {
        let answer = fetched(&json!({"html": broken}));
        assert_eq!(completed(&*channel(), &created(&json!({})), &answer).envelope.text.as_deref(), Some("hi"));
    }
}

#[test]
fn what_is_no_users_turn_is_acknowledged_and_dropped() {
    let data = json!({"id": "m1"});
    for (body, why) in [
        (webhook("messages", "updated", &data), "a change of what was announced before"),
        (webhook("messages", "deleted", &data), "a change of what was announced before"),
        (webhook("memberships", "created", &data), "no kind of event that concerns a flow"),
        (webhook("invented", "in 2031", &data), "no kind of event that concerns a flow"),
        (created(&json!({"personId": "bot", "personEmail": "me@webex.bot"})), "the bot's own message"),
        (created(&json!({"personId": encoded("bot"), "personEmail": "me@sparkbot.io"})), "the bot's own message"),
    ] {
        assert_eq!(ignored(&*channel(), &body), why, "{body}");
    }
    let stated = open(&json!({"bot_id": ["b1", encoded("b2")], "allow_bots": false}), &[]);
    for id in ["b1", "b2", &encoded("b1"), &encoded("b2")] {
        assert_eq!(ignored(&*stated, &created(&json!({"personId": id}))), "the bot's own message");
    }
    let other = created(&json!({"personEmail": "other@WEBEX.bot"}));
    assert_eq!(ignored(&*stated, &other), "a message of another bot");
    assert_eq!(pending(&*channel(), &other).path, "/v1/messages/m1");
    // A person may create the webhook and write.
    assert_eq!(pending(&*channel(), &created(&json!({"personId": "bot"}))).path, "/v1/messages/m1");
    // What the event did not tell, the answer does.
    let answer = fetched(&json!({"personId": "b1"})).to_string();
    let own = complete(&*stated, &created(&json!({})), 200, answer.as_bytes()).unwrap();
    assert!(matches!(own, Intake::Ignored("the bot's own message")));
}

#[test]
fn what_cannot_be_fetched_is_refused() {
    for id in [
        json!(""),
        json!(null),
        json!(7),
        json!("../people/me"),
        json!("a/b"),
        json!("a?b"),
        json!("."),
        json!("a%2Fb"),
        json!("ä"),
        json!("x".repeat(513)),
    ] {
        let body = created(&json!({"id": id})).to_string();
        assert_eq!(normalized(&*channel(), body.as_bytes()).unwrap_err().code(), Code::RequestInvalid, "{body}");
    }
    for bad in
        [&b""[..], b"[]", b"{}", b"{\"resource\":\"messages\"}", b"{\"resource\":7,\"event\":\"created\"}", b"\xff"]
    {
        assert_eq!(normalized(&*channel(), bad).unwrap_err().code(), Code::RequestInvalid, "{bad:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_told_apart() {
    let of = |status, body: &[u8]| complete(&*channel(), &created(&json!({})), status, body);
    for status in [404, 410] {
        assert!(matches!(of(status, b"{}"), Ok(Intake::Ignored("what was announced is gone"))));
    }
    for (status, body) in
        [(500, &b"{}"[..]), (401, b"{}"), (302, b""), (200, b""), (200, b"[]"), (200, b"\xff"), (200, b"{\"id\":")]
    {
        let error = of(status, body).unwrap_err();
        assert_eq!(error.code(), Code::CompletionFailed, "{status}");
    }
    // What an answer does not tell, the event does; what neither tells is nobody's.
    let empty = completed(&*channel(), &created(&json!({})), &json!({})).envelope;
    assert_eq!((empty.session.key.as_str(), empty.text), ("demo:webex:r1:p1", None));
    let anonymous = created(&json!({"personId": null, "personEmail": null}));
    let found = complete(&*channel(), &anonymous, 200, b"{}").unwrap();
    assert!(matches!(found, Intake::Ignored("a message that does not tell its sender")));
    let nowhere = created(&json!({"roomId": null}));
    let found = complete(&*channel(), &nowhere, 200, b"{}").unwrap();
    assert!(matches!(found, Intake::Ignored("a message that does not tell its room")));
}

#[test]
fn only_the_webhooks_signature_lets_in() {
    const BODY: &[u8] = b"{\"a\": 1}";
    let signed = |secret: &str, body: &[u8]| hex::encode(verify::hmac_sha1(secret.as_bytes(), body));
    let with = |config: Value, secrets: &[(&str, &str)], given: &[(&str, &str)]| {
        let headers = headers(given);
        open(&config, secrets).verify(&context(), &post(&headers, BODY)).map_err(|error| error.code())
    };
    let secrets = &[(WEBHOOK_SECRET, "old"), (WEBHOOK_SECRET, "new")];
    let good = signed("new", BODY);
    let refused = Err(Code::Unauthenticated);
    for (value, wanted) in [
        (signed("old", BODY), Ok(())),
        (good.clone(), Ok(())),
        (signed("new", b"{\"a\":1}"), refused),
        (good[2..].to_owned(), refused),
        (format!("sha1={good}"), refused),
        (hex::encode(verify::hmac_sha256(b"new", &[BODY])), refused),
        (String::new(), refused),
    ] {
        assert_eq!(with(json!({}), secrets, &[("X-Spark-Signature", &value)]), wanted, "{value}");
        assert_eq!(with(json!({"insecure": true}), secrets, &[("X-Spark-Signature", &value)]), wanted, "{value}");
    }
    assert_eq!(with(json!({}), secrets, &[]), refused);
    assert_eq!(with(json!({}), secrets, &[("X-Webex-Signature", &good)]), refused);
    assert_eq!(with(json!({}), &[(BOT_TOKEN, "t")], &[("X-Spark-Signature", &good)]), Err(Code::RouteOff));
    assert_eq!(with(json!({"insecure": true}), &[], &[]), Ok(()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), status in any::<u16>()) {
        drop(normalized(&*channel(), &body));
        drop(complete(&*channel(), &created(&json!({})), status, &body));
    }

    #[test]
    fn no_html_makes_it_panic(html in "(<spark-mention|data-object-id=|[\"'>äa]|</spark-mention>){0,12}", text in "[ä a]{0,4}") {
        let answer = fetched(&json!({"html": html, "text": text, "mentionedPeople": ["a"]}));
        completed(&*channel(), &created(&json!({})), &answer);
    }

    #[test]
    fn different_places_and_people_never_share_a_session(
        one in ("[a:%]{1,3}", "[a:%]{1,3}"), other in ("[a:%]{1,3}", "[a:%]{1,3}"),
    ) {
        let of = |(parent, person): &(String, String)| {
            let answer = fetched(&json!({"parentId": parent, "personId": person}));
            completed(&*channel(), &created(&json!({})), &answer).session.stored()
        };
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    #[test]
    fn an_address_comes_back_as_it_was(room in "[a-c:%\",]{1,5}", parent in "[\\\\a]{0,3}") {
        let address = Address { room, parent: Some(parent).filter(|parent| !parent.is_empty()) };
        prop_assert_eq!(Address::parse(&address.to_text()), Some(address));
    }
}
