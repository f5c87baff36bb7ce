use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::clock::Timestamp;
use crate::ingress::testing;

fn channel() -> WebhookChannel {
    WebhookChannel { verification: Verification::PathPolicy, policy: WebhookPolicy::default() }
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
