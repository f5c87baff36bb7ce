//! What is expected of a recorded request, as the recordings' own files say it: null is not checked, and ids are a subset.

use serde_json::Value;

/// What became of a recorded request.
pub(crate) struct Got<'a> {
    /// `message`, `ack_ignore` or `handshake`.
    pub(crate) disposition: &'a str,
    pub(crate) envelopes: &'a [Value],
    /// By what each message's repetitions are recognised, where that can be seen.
    pub(crate) dedupe: Option<&'a [Vec<String>]>,
    /// The status and body of an answer that is a handshake's.
    pub(crate) answer: Option<(u16, &'a str)>,
}

/// Compares what became of `name` with what is expected.
pub(crate) fn check(name: &str, expected: &Value, got: &Got<'_>) {
    let wanted = expected["envelopes"].as_array();
    match (expected["disposition"].as_str().unwrap(), got.disposition) {
        ("optional", "message") if wanted.is_none() => {}
        ("message" | "optional", "message") => {
            let wanted = wanted.unwrap();
            assert_eq!(wanted.len(), got.envelopes.len(), "{name}");
            for (place, (wanted, envelope)) in wanted.iter().zip(got.envelopes).enumerate() {
                check_envelope(name, wanted, envelope);
                check_dedupe(name, wanted, got.dedupe.map(|dedupe| &*dedupe[place]));
            }
        }
        ("optional" | "ack_ignore", "ack_ignore") => assert!(got.envelopes.is_empty(), "{name}"),
        ("handshake", "handshake") => {
            let (status, body) = got.answer.unwrap();
            assert_eq!(expected["http"]["status"], status, "{name}");
            assert!(body.contains(expected["http"]["body_contains"].as_str().unwrap()), "{name}");
        }
        (wanted, got) => panic!("{name}: expected {wanted}, got {got}"),
    }
}

fn check_envelope(name: &str, wanted: &Value, got: &Value) {
    assert_eq!(got["provider"], wanted["provider"], "{name}");
    let ids = &got["provider_ids"];
    for (id, value) in wanted["provider_ids"].as_object().unwrap() {
        if id == "channel_or_conversation_id" {
            assert!([&ids["channel_id"], &ids["conversation_id"]].contains(&value), "{name}: {ids}");
            continue;
        }
        assert_eq!(&ids[id], value, "{name}: {id}");
    }
    if !wanted["session"]["key"].is_null() {
        assert_eq!(got["session"]["key"], wanted["session"]["key"], "{name}");
    }
    if let Some(text) = wanted["text"].as_str() {
        assert_eq!(got["text"].as_str().unwrap_or_default(), text, "{name}");
    }
    if !wanted["attachments_count"].is_null() {
        assert_eq!(wanted["attachments_count"], got["attachments"].as_array().unwrap().len(), "{name}");
    }
    check_buttons(name, &wanted["buttons"], got["buttons"].as_array().unwrap());
}

fn check_buttons(name: &str, wanted: &Value, got: &[Value]) {
    if let Some(wanted) = wanted.as_array() {
        assert_eq!(got.len(), wanted.len(), "{name}");
        for (got, wanted) in got.iter().zip(wanted) {
            for (field, value) in wanted.as_object().unwrap() {
                assert_eq!(&got[field], value, "{name}: {field} of a button");
            }
        }
    }
    if !wanted["count"].is_null() {
        assert_eq!(wanted["count"], got.len(), "{name}");
    }
}

/// The host may put more in front of the platform's own id.
fn check_dedupe(name: &str, wanted: &Value, keys: Option<&[String]>) {
    if let (Some(id), Some(keys)) = (wanted["dedupe_id"].as_str(), keys) {
        assert!(keys.iter().any(|key| key.ends_with(id)), "{name}: {keys:?}");
    }
}
