use proptest::prelude::*;
use uuid::Uuid;

use http::HeaderMap;

use super::*;
use crate::clock::Timestamp;
use crate::ingress::testing;

fn channel() -> WebhookChannel {
    WebhookChannel { verification: Verification::PathPolicy, ..WebhookChannel::default() }
}

fn receive_with(channel: &WebhookChannel, flow: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Inbound> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let context = Context { tenant: Id::from("demo"), now: Timestamp(0), nonce: Uuid::from_u128(7), keys: None };
    let request =
        Request { method: "PUT", path: "/webhook/x", query: Some("a=1&b=%20x&a=2"), headers: &map, body, peer: None };
    receive(channel, &context, flow, &request).inspect(|inbound| testing::valid_envelope(&inbound.envelope))
}

fn body_of(content_type: &str, body: &[u8]) -> (Value, Value) {
    let inbound = receive_with(&channel(), "f", &[("content-type", content_type)], body).unwrap();
    (inbound.envelope.raw["body_kind"].clone(), inbound.envelope.raw["body"].clone())
}

#[test]
fn a_request_is_wrapped() {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer canary"), ("x-event", "opened")];
    let inbound = receive_with(&channel(), "orders.v1", &headers, br#"{"n": 1}"#).unwrap();
    assert_eq!(inbound.flow, FlowChoice::Id(Id::from("orders.v1")));
    assert_eq!((inbound.dedupe.clone(), inbound.reply_to.clone()), (Vec::new(), ReplyTo::Caller));
    let event = inbound.into_event("c".into()).unwrap();
    assert_eq!(
        event.input["raw"],
        json!({
            "method": "PUT",
            "path": "/webhook/orders.v1",
            "query": {"a": ["1", "2"], "b": " x"},
            "headers": {"content-type": "application/json", "x-event": "opened"},
            "body_kind": "json",
            "body": {"n": 1},
        })
    );
    assert_eq!(event.input["provider"], "webhook");
    assert_eq!(event.input["provider_ids"], json!({}));
    assert_eq!(event.input["session"]["key"], "demo:webhook:orders.v1:00000000-0000-0000-0000-000000000007");
    assert!(!event.input.to_string().contains("canary"));
}

#[test]
fn bodies_are_what_they_hold() {
    assert_eq!(body_of("text/plain", b""), (json!("none"), Value::Null));
    assert_eq!(body_of("application/problem+json; x=y", b"[1]"), (json!("json"), json!([1])));
    assert_eq!(
        body_of("application/x-www-form-urlencoded", b"a=1&a=2&a=3&b=%C3%A4+"),
        (json!("form"), json!({"a": ["1", "2", "3"], "b": "ä "}))
    );
    assert_eq!(body_of("text/plain", "grüß".as_bytes()), (json!("text"), json!({"text": "grüß"})));
    assert_eq!(body_of("text/plain", b"\xff\xfe"), (json!("base64"), json!({"base64": "//4="})));
    assert_eq!(body_of("", b"a\0b"), (json!("base64"), json!({"base64": "YQBi"})));
    let broken = receive_with(&channel(), "f", &[("content-type", "application/json")], b"{");
    assert_eq!(broken.unwrap_err().code(), Code::RequestInvalid);
}

#[test]
fn the_idempotency_key_names_session_and_repetition_per_flow() {
    let of = |flow: &str, key: &str| receive_with(&channel(), flow, &[("idempotency-key", key)], b"").unwrap();
    let (a, b) = (of("f", "k1"), of("f", "\"k1\""));
    assert_eq!(&*a.session.shown(), "demo:webhook:f:k1");
    assert_eq!((a.dedupe.clone(), a.session.stored()), (b.dedupe, b.session.stored()));
    assert!(!a.dedupe.is_empty() && matches!(a.reply_to, ReplyTo::Route(_)));
    assert_ne!(a.dedupe, of("g", "k1").dedupe);
    assert_ne!(a.dedupe, of("f", "k2").dedupe);
}

#[test]
fn policy_and_switch_hold() {
    let code = |channel: &WebhookChannel, flow: &str| receive_with(channel, flow, &[], b"").unwrap_err().code();
    assert_eq!(code(&WebhookChannel::default(), "f"), Code::RouteOff);
    let config = json!({"deny_paths": ["/webhook/admin"]});
    let policy = WebhookPolicy::of(config.as_object().unwrap()).unwrap();
    let denied = WebhookChannel { policy, ..channel() };
    assert_eq!(code(&denied, "admin-x"), Code::RequestDenied);
    for flow in ["", "a/b", "..%2f", "a b", &"x".repeat(257)] {
        assert_eq!(code(&channel(), flow), Code::FlowUnknown);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(content_type in "[ -~]{0,40}", body in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(receive_with(&channel(), "f", &[("content-type", &content_type)], &body));
    }
}

fn open(config: Value, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    crate::ingress::testing::open(&Webhook, &config, secrets).unwrap()
}

fn received(channel: &dyn Channel, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Inbound> {
    let headers = crate::ingress::testing::headers(headers);
    let context = crate::ingress::testing::context();
    let request = Request { method, path, query: None, headers: &headers, body, peer: None };
    match channel.normalize(&context, &request)? {
        Intake::Messages(mut inbound) => Ok(inbound.remove(0)),
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn a_key_is_required_where_it_is_said_and_where_something_changes() {
    let code = |channel: &dyn Channel, method: &str, flow: &str| {
        received(channel, method, &format!("/webhook/{flow}"), &[], b"").err().map(|error| error.code())
    };
    let all = open(json!({"require_idempotency_key": true}), &[]);
    let some = open(json!({"require_idempotency_key": ["f"]}), &[]);
    for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE"] {
        assert_eq!(code(&*all, method, "g"), Some(Code::IdempotencyKey), "{method}");
        assert_eq!(code(&*some, method, "f"), Some(Code::IdempotencyKey), "{method}");
        assert_eq!(code(&*some, method, "g"), None, "{method}");
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(code(&*all, method, "f"), None, "{method}");
    }
    assert!(received(&*all, "POST", "/webhook/f", &[("idempotency-key", "k")], b"").is_ok());
}

#[test]
fn the_id_of_a_delivery_is_its_key_where_ids_are_verified() {
    let standard = json!({"scheme": "standard-webhooks", "secret": "S"});
    let config = json!({"schemes": {"f": standard, "g": {"scheme": "none"}}, "require_idempotency_key": true});
    let channel = open(config, &[("S", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]);
    let of = |path: &str, headers: &[(&str, &str)]| received(&*channel, "POST", path, headers, b"x");
    let inbound = of("/webhook/f", &[("webhook-id", "msg_1"), ("idempotency-key", "other")]).unwrap();
    assert_eq!(inbound.envelope.provider_ids.event_id.as_deref(), Some("msg_1"));
    assert!(inbound.dedupe[0].ends_with(":msg_1"), "{:?}", inbound.dedupe);
    let Respond::Outcome { once: Some(print) } = inbound.respond else { panic!("it acts once") };
    let again = of("/webhook/f", &[("webhook-id", "msg_1"), ("webhook-timestamp", "7")]).unwrap();
    assert_eq!(again.respond, Respond::Outcome { once: Some(print) }, "headers tell no difference");
    assert_eq!(of("/webhook/g", &[("webhook-id", "msg_1")]).unwrap_err().code(), Code::IdempotencyKey);
    assert_eq!(of("/webhook/f", &[("webhook-id", "")]).unwrap_err().code(), Code::IdempotencyKey);
}

#[test]
fn a_key_belongs_to_its_caller_and_headers_that_prove_are_not_shown() {
    let of = |scheme: Value, header: &str| {
        let channel = open(json!({ "default_scheme": scheme }), &[("A", "a"), ("B", "b")]);
        received(&*channel, "POST", "/webhook/f", &[("idempotency-key", "k"), (header, "canary")], b"").unwrap()
    };
    let bearer = |secret: &str| json!({"scheme": "bearer", "secret": secret, "header": "X-Acme-Code"});
    let (a, b) = (of(bearer("A"), "x-acme-code"), of(bearer("B"), "x-acme-code"));
    let open = of(json!({"scheme": "none"}), "x-acme-code");
    let hmac = of(json!({"scheme": "hmac", "secret": "A", "header": "X-Acme-Mac"}), "x-acme-mac");
    assert_ne!(a.dedupe, b.dedupe);
    assert_ne!(a.dedupe, open.dedupe);
    assert_eq!(a.dedupe, hmac.dedupe, "the secret's name is the caller");
    for inbound in [&a, &b, &hmac] {
        assert!(!serde_json::to_string(&inbound.envelope).unwrap().contains("canary"));
    }
    assert_eq!(open.envelope.metadata.raw_headers["x-acme-code"], "canary", "it proves nothing here");
}
