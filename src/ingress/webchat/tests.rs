use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::clock::Timestamp;
use crate::id::Id;
use crate::ingress::adapter::Inbound;
use crate::ingress::testing;

fn receive_bytes(body: &[u8]) -> Result<Intake> {
    let flow = FlowChoice::Kind("messaging".into());
    let channel = WebchatChannel { verification: Verification::Insecure, flow, access: Access::default() };
    let context =
        Context { tenant: Id::from("demo"), now: Timestamp(1_762_851_600_000), nonce: Uuid::nil(), keys: None };
    let headers = HeaderMap::new();
    let request = Request {
        method: "POST",
        path: "/webchat/activities",
        query: None,
        headers: &headers,
        body,
        peer: Some([127, 0, 0, 1].into()),
    };
    receive(&channel, &context, &request).inspect(testing::valid)
}

fn message(body: &Value) -> Inbound {
    match receive_bytes(body.to_string().as_bytes()).unwrap() {
        Intake::Messages(mut inbound) => inbound.remove(0),
        other => panic!("no message: {other:?}"),
    }
}

fn activity(extra: &Value) -> Value {
    let mut activity = json!({"type": "message", "conversation": {"id": "c"}, "from": {"id": "u"}});
    for (key, value) in extra.as_object().unwrap() {
        activity[key] = value.clone();
    }
    activity
}

#[test]
fn an_activity_becomes_an_event() {
    let body = activity(&json!({
        "id": "c|1", "text": "see https://a.example.", "timestamp": "2022-03-25T00:57:22.5223034+00:00",
        "locale": "en-GB", "channelData": {"k": 1},
        "entities": [{"type": "mention", "mentioned": {"id": "b", "name": "Bot"}}, {"type": "place"}, 7],
    }));
    let inbound = message(&body);
    assert_eq!(inbound.dedupe, ["c:u:id:c|1"]);
    let event = inbound.into_event("corr".into()).unwrap();
    assert_eq!(
        (&*event.tenant, event.user.as_deref(), event.provider.as_deref()),
        ("demo", Some("u"), Some("webchat"))
    );
    assert_eq!(event.reply_to, ReplyTo::Route(reply_route("demo", "webchat", "c")));
    assert_eq!(event.input["session"]["key"], "demo:webchat:c:u");
    assert_eq!(event.input["timestamp"], "2022-03-25T00:57:22.5223034Z");
    assert_eq!(event.input["locale"], "en-GB");
    assert_eq!(event.input["channel_data"], json!({"k": 1}));
    assert_eq!(
        event.input["entities"],
        json!({"mentions": [{"id": "b", "name": "Bot"}], "urls": ["https://a.example"]})
    );
    assert_eq!(event.input["metadata"]["ip"], "127.0.0.1");
    assert_eq!(event.input["raw"], body);
}

#[test]
fn attachments_are_mapped_one_to_one() {
    let inbound = message(&activity(&json!({"attachments": [
        {"contentType": "image/png", "contentUrl": "https://a.example/x.png", "name": "x.png"},
        {"contentType": "text/plain", "contentUrl": "data:text/plain;base64,aGVsbG8="},
        {"contentType": "application/vnd.microsoft.card.hero", "content": {"title": "T"}},
    ]})));
    let shown = serde_json::to_value(inbound.envelope.attachments).unwrap();
    assert_eq!(
        shown,
        json!([
            {"type": "image", "name": "x.png", "mime": "image/png", "size": 0, "url": "https://a.example/x.png",
             "data_inline_b64": null},
            {"type": "file", "name": null, "mime": "text/plain", "size": 5, "url": null, "data_inline_b64": "aGVsbG8="},
            {"type": "card", "name": null, "mime": "application/vnd.microsoft.card.hero", "size": 0, "url": null,
             "data_inline_b64": null, "content": {"title": "T"}},
        ])
    );
}

#[test]
fn a_pressed_button_is_a_button_and_a_value_beside_a_text_is_not() {
    let pressed = message(&activity(&json!({"value": "approve"}))).envelope;
    assert_eq!(pressed.text.as_deref(), Some("approve"));
    assert_eq!(
        serde_json::to_value(&pressed.buttons).unwrap(),
        json!([{"id": "0", "title": "approve", "payload": "approve"}])
    );
    let form = message(&activity(&json!({"value": {"size": "L"}}))).envelope;
    assert_eq!((form.text, form.buttons[0].payload.clone()), (None, json!({"size": "L"})));
    let beside = message(&activity(&json!({"text": "hi", "value": {"size": "L"}}))).envelope;
    assert!(beside.buttons.is_empty());
    let suggested = message(&activity(&json!({"text": "hi", "suggestedActions": {"actions": [
        {"type": "imBack", "title": "Yes", "value": "yes"}]}})))
    .envelope;
    assert_eq!(
        serde_json::to_value(&suggested.buttons).unwrap(),
        json!([{"id": "0", "title": "Yes", "payload": "yes"}])
    );
}

#[test]
fn the_clients_own_id_recognises_what_it_sends_again() {
    let of = |id: &str| message(&activity(&json!({"id": id, "channelData": {"clientActivityID": "x"}}))).dedupe;
    assert_eq!(of("c|1"), of("c|2"));
    assert!(message(&activity(&json!({}))).dedupe.is_empty());
}

#[test]
fn what_is_no_users_message_is_ignored() {
    for extra in [
        json!({"type": "conversationUpdate"}),
        json!({"type": "typing", "from": {}}),
        json!({"from": {"id": "b", "role": "bot"}}),
        json!({"from": {"id": "b"}, "recipient": {"id": "b"}}),
    ] {
        let body = activity(&extra).to_string();
        assert!(matches!(receive_bytes(body.as_bytes()), Ok(Intake::Ignored(_))), "{body}");
    }
}

#[test]
fn what_cannot_be_a_message_is_refused() {
    for extra in [
        json!({"from": {}}),
        json!({"from": null}),
        json!({"conversation": {}}),
        json!({"conversation": {"id": ""}}),
        json!({"from": {"id": ""}, "recipient": {"id": ""}}),
        json!({"text": 5}),
        json!({"type": 5}),
        json!({"from": {"id": "u".repeat(513)}}),
        json!({"attachments": {}}),
        json!({"from": ["u"]}),
        json!({"attachments": [["image/png"]]}),
        json!({"suggestedActions": {"actions": [["Yes"]]}}),
    ] {
        let body = activity(&extra).to_string();
        assert_eq!(receive_bytes(body.as_bytes()).unwrap_err().code(), Code::RequestInvalid, "{body}");
    }
}

#[test]
fn ids_with_separators_do_not_collide() {
    let of = |conversation: &str, user: &str| {
        message(&activity(&json!({"conversation": {"id": conversation}, "from": {"id": user}}))).session.stored()
    };
    assert_ne!(of("a:b", "c"), of("a", "b:c"));
}

const CONVERSATION: &str = "0123456789abcdef0123456789abcdef";

/// What a channel with a secret makes of what is posted with a token of `dl_ada`, verified first.
fn posted(path: &str, content_type: &str, body: &[u8]) -> Result<Intake> {
    let channel = testing::open(&Webchat, &json!({}), &[(SECRET, "s")]).unwrap();
    let chat: &dyn std::any::Any = &*channel;
    let access = &chat.downcast_ref::<WebchatChannel>().unwrap().access;
    let context = testing::context();
    let grant = Grant { conversation: CONVERSATION.into(), user: Some("dl_ada".into()), origins: Vec::new() };
    let token = access.issue("demo", &grant, Use::Requests, context.now).unwrap();
    let bearer = format!("Bearer {token}");
    let headers = testing::headers(&[("authorization", &bearer), ("content-type", content_type)]);
    let request = Request { path, ..testing::post(&headers, body) };
    channel.verify(&context, &request)?;
    channel.normalize(&context, &request)
}

fn path(rest: &str) -> String {
    format!("/v3/directline/conversations/{CONVERSATION}/{rest}")
}

#[test]
fn what_is_posted_is_the_users_of_the_token_and_kept_in_the_transcript() {
    let body = json!({
        "type": "message", "text": "hi", "id": "x", "from": {"id": "dl_eve", "role": "bot", "name": 7},
        "recipient": {"id": "dl_ada"}, "conversation": ["x"], "channelData": {"clientActivityID": "a"},
    });
    let Ok(Intake::Messages(mut inbound)) =
        posted(&path("activities"), "application/json", body.to_string().as_bytes())
    else {
        panic!("no message")
    };
    let inbound = inbound.remove(0);
    assert_eq!(inbound.dedupe, [format!("{CONVERSATION}:dl_ada:client:a")]);
    let envelope = &inbound.envelope;
    assert_eq!(envelope.session.key, format!("demo:webchat:{CONVERSATION}:dl_ada"));
    assert_eq!(envelope.raw["from"], json!({"id": "dl_ada", "role": "user"}));
    assert_eq!(envelope.raw.get("recipient"), None);
    assert_eq!(envelope.timestamp, testing::context().received());
    let id = envelope.provider_ids.message_id.clone().unwrap();
    assert_eq!(inbound.respond, Respond::Ack(Answer::json(200, &json!({ "id": id }))));
    let ReplyTo::Transcript { route, said } = &inbound.reply_to else { panic!("{:?}", inbound.reply_to) };
    assert_eq!(*route, route_of("demo", CONVERSATION));
    assert_eq!((&said.id, said.message.as_ref()), (&id, Some(&envelope.raw)));
}

#[test]
fn other_places_and_media_types_are_refused() {
    let body = json!({"type": "message", "text": "hi"}).to_string();
    let elsewhere = path("activities").replace('0', "1");
    for (path, content_type, code) in [
        (&*elsewhere, "application/json", Code::DirectLineDenied),
        (&path("activities"), "text/plain", Code::MediaType),
        (&path("upload"), "application/json", Code::MediaType),
    ] {
        assert_eq!(posted(path, content_type, body.as_bytes()).unwrap_err().code(), code, "{path}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(receive_bytes(&body));
        drop(posted(&path("activities"), "application/json", &body));
        drop(posted(&path("upload"), "multipart/form-data; boundary=b", &body));
        let part = [&b"--b\r\ncontent-disposition: form-data; "[..], &body].concat();
        drop(posted(&path("upload"), "multipart/form-data; boundary=b", &part));
    }

    #[test]
    fn whoever_an_activity_says_it_is_from_it_is_from_the_tokens_user(id in ".{0,40}", more in any::<bool>()) {
        let mut body = json!({"type": "message", "text": "hi", "from": {"id": id}});
        if more {
            body["from"] = json!(id);
            body["conversation"] = json!({ "id": id });
        }
        let intake = posted(&path("activities"), "application/json", body.to_string().as_bytes());
        let Ok(Intake::Messages(inbound)) = intake else { panic!("{intake:?}") };
        prop_assert_eq!(inbound[0].envelope.provider_ids.user_id.as_deref(), Some("dl_ada"));
        prop_assert_eq!(inbound[0].envelope.provider_ids.conversation_id.as_deref(), Some(CONVERSATION));
    }
}
