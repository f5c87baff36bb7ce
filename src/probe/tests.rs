//! What the samples become, kind by kind: this is what each adapter is held to where no recordings are at hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::*;
use crate::clock::Timestamp;
use crate::id::Id;
use crate::ingress::testing;

const NOW: Timestamp = Timestamp(1_762_851_600_000);

fn normalized(kind: Kind, config: &Value) -> Vec<(String, Normalized)> {
    let tenant = Id::from("demo");
    let none = Map::new();
    let channel = kind.open(&tenant, config.as_object().unwrap_or(&none)).unwrap();
    let of = |sample: samples::Sample| {
        let context = normalize::context(&tenant, NOW, &sample.recording);
        let found = normalize(&*channel, &context, &sample.recording);
        (sample.name.clone(), found.unwrap_or_else(|error| panic!("{kind} {}: {error}", sample.name)))
    };
    samples::of(kind).unwrap().into_iter().map(of).collect()
}

#[test]
fn samples_become_what_they_say() {
    for kind in Kind::ALL {
        let mut shown = Map::new();
        for (name, normalized) in normalized(kind, &json!({"bot_id": ["bot", "999"]})) {
            let of = |inbound: &crate::ingress::Inbound| {
                testing::valid_envelope(&inbound.envelope);
                let mut message = json!(inbound.envelope);
                // It is what was sent.
                message.as_object_mut().unwrap().remove("raw");
                message["stored_session"] = json!(&*inbound.session.stored());
                message["dedupe"] = json!(inbound.dedupe);
                message
            };
            let messages: Vec<_> = normalized.messages.iter().map(of).collect();
            let answer = normalized.answer.map(|answer| json!({"status": answer.status, "body": answer.body}));
            let sample = json!({"disposition": normalized.disposition, "reason": normalized.reason, "answer": answer,
                "messages": messages});
            shown.insert(name, sample);
        }
        insta::assert_snapshot!(kind.name(), format!("{:#}", Value::Object(shown)));
    }
}

#[test]
fn samples_of_every_kind_are_messages_and_others() {
    for kind in Kind::ALL {
        let found = normalized(kind, &Value::Null);
        let is = |disposition| found.iter().filter(|(_, found)| found.disposition == disposition).count();
        assert!(is(Disposition::Message) >= 3, "{kind}");
        assert!(is(Disposition::AckIgnore) + is(Disposition::Handshake) >= 1 || kind == Kind::Webhook, "{kind}");
    }
}

#[test]
fn a_recording_becomes_the_same_every_time() {
    for kind in Kind::ALL {
        let shown = || format!("{:?}", normalized(kind, &Value::Null));
        assert_eq!(shown(), shown(), "{kind}");
    }
    // Requests without a key of their own are still told apart.
    let of_webhooks = normalized(Kind::Webhook, &Value::Null);
    let sessions = of_webhooks.iter().map(|(_, found)| found.messages[0].session.stored());
    assert_eq!(sessions.collect::<BTreeSet<_>>().len(), of_webhooks.len());
}

/// The table in `docs/channels.md` says what each channel carries back.
#[test]
fn scopes_are_those_of_the_documentation() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/channels.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut scopes: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
    for kind in Kind::ALL {
        for (_, found) in normalized(kind, &Value::Null) {
            let of = found.messages.into_iter().map(|inbound| inbound.envelope.session.scopes);
            scopes.entry(kind.provider()).or_default().extend(of);
        }
    }
    assert_eq!(scopes.len(), 7);
    for (provider, scopes) in scopes {
        assert_eq!(scopes.len(), 1, "{provider}: {scopes:?}");
        let mut listed: Vec<_> = scopes.iter().flatten().map(|scope| format!("`{scope}`")).collect();
        listed.sort_unstable();
        let row = format!("| `{provider}` | {} |", listed.join(", "));
        assert!(page.contains(&row), "docs/channels.md lacks the row {row:?}");
    }
}

#[test]
fn settings_of_a_binding_count() {
    let own = |config: &Value| {
        let found = normalized(Kind::Telegram, config);
        found.iter().find(|(name, _)| name == "of-a-bot").map(|(_, found)| found.disposition)
    };
    assert_eq!(own(&Value::Null), Some(Disposition::AckIgnore));
    assert_eq!(own(&json!({"allow_bots": true, "bot_id": "999"})), Some(Disposition::Message));
    assert!(Kind::Telegram.open(&Id::from("demo"), json!({"allow_bots": 5}).as_object().unwrap()).is_err());
}
