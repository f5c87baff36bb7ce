//! Hostile guests: each ends with its own coded error within its limits, while a neighbour on the same engine and the
//! same thread answers correctly, and nothing of what it wrote remains.

#[cfg(test)]
mod guests;

use std::time::Duration;

use greentic_runner_host::Code;
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::engine::limits::Limits;
use guests::{Rig, limits, scope};
use serde_json::{Value, json};

struct Case {
    guest: &'static str,
    op: &'static str,
    input: Value,
    limits: Limits,
    code: Code,
}

fn case(guest: &'static str, op: &'static str, input: Value, code: Code) -> Case {
    Case { guest, op, input, limits: limits(), code }
}

fn hostile() -> Vec<Case> {
    let soon = Limits { timeout: Duration::from_millis(120), ..limits() };
    vec![
        Case { limits: soon, ..case("spinning", "spin-call", json!({}), Code::GuestTimeout) },
        case("memory-eating", "eat", json!({}), Code::GuestMemory),
        case("memory-eating", "take", json!({"mib": 8}), Code::GuestMemory),
        case("deep-recursing", "recurse", json!({}), Code::GuestStack),
        case("trapping", "trap", json!({}), Code::GuestTrap),
        case("trapping", "out-of-bounds", json!({}), Code::GuestTrap),
        case("giant-results", "giant", json!({"bytes": 65 << 10}), Code::GuestOutput),
        case("giant-results", "giant", json!({"bytes": 1 << 20}), Code::GuestOutput),
        case("giant-results", "giant-error", json!({"bytes": 1 << 20}), Code::GuestOutput),
        case("chatty", "many", json!({"calls": 201}), Code::GuestHostCalls),
        case("chatty", "big", json!({"bytes": 33 << 10}), Code::GuestHostCalls),
        case("chatty", "big", json!({"bytes": 1 << 20}), Code::GuestHostCalls),
        case("chatty", "long-key", json!({"bytes": 1 << 20}), Code::GuestHostCalls),
        case("chatty", "wide", json!({"entries": 50_000}), Code::GuestHostCalls),
    ]
}

#[tokio::test]
async fn a_hostile_guest_ends_with_its_code_and_its_neighbour_does_not_notice() {
    let rig = Rig::new(limits());
    let echo = rig.guest("echo-node").await;
    for case in hostile() {
        let guest = rig.guest(case.guest).await;
        // The limits are the attacker's alone: the neighbour has time, also while the machine is busy.
        let attack = rig.call_within(&case.limits, &guest, scope("evil", "s"), case.op, &case.input);
        let neighbour = async {
            for n in 0..20 {
                let input = json!({"n": n, "text": "grüezi"});
                let answer = rig.call(&echo, scope("good", "s"), "echo", &input).await.unwrap();
                assert_eq!(answer.output, input);
            }
        };
        let (attacked, ()) = tokio::join!(attack, neighbour);
        let failure = attacked.expect_err(case.guest);
        assert_eq!(failure.error.code(), case.code, "{} {}: {}", case.guest, case.op, failure.error);
        assert!(!failure.retryable && failure.error.hint_text().is_some(), "{}", failure.error);
        assert!(failure.error.message().contains(case.op), "{}", failure.error);
        assert_eq!(failure.value["code"], case.code.to_string());
    }
    assert_eq!(rig.registry.engine().free_guests(), 15, "every place is free again");
}

#[tokio::test]
async fn more_guests_than_places_take_turns() {
    let rig = Rig::new(limits());
    let echo = rig.guest("echo-node").await;
    let input = json!({"text": "hello"});
    let calls = (0..60).map(|_| rig.call(&echo, scope("t", "s"), "echo", &input));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.unwrap().output, input);
    }
}

#[tokio::test]
async fn limits_leave_room_up_to_their_edge() {
    let rig = Rig::new(limits());
    for (guest, op, input) in [
        ("memory-eating", "take", json!({"mib": 5})),
        ("deep-recursing", "recurse", json!({"depth": 1000})),
        ("giant-results", "giant", json!({"bytes": 63 << 10})),
        ("chatty", "many", json!({"calls": 200})),
        ("chatty", "big", json!({"bytes": 31 << 10})),
    ] {
        let guest = rig.guest(guest).await;
        let answer = rig.call(&guest, scope("t", "s"), op, &input).await;
        answer.unwrap_or_else(|failure| panic!("{op}: {}", failure.error));
    }
}

#[tokio::test]
async fn a_guest_that_never_starts_is_refused_at_load() {
    let rig = Rig::new(limits());
    let error = rig.prepare("spinning-start", Grants::all()).await.unwrap_err();
    assert_eq!(error.code(), Code::SmokeTest);
    assert_eq!(error.details()[0].code(), Code::GuestTimeout);
}

#[tokio::test]
async fn what_is_not_offered_or_granted_is_refused_by_name() {
    let rig = Rig::new(limits());
    let error = rig.prepare("unknown-import", Grants::all()).await.unwrap_err();
    assert_eq!(error.code(), Code::ImportUnknown);
    assert!(error.message().contains("acme:billing/ledger@1.0.0"), "{error}");

    let error = rig.prepare("stateful-counter", Grants::all().without(Grant::State)).await.unwrap_err();
    assert_eq!(error.code(), Code::ImportNotGranted);
    assert!(error.message().contains("greentic:state/state-store@1.0.0"), "{error}");
}

#[tokio::test]
async fn what_a_failed_guest_wrote_is_gone() {
    let mut rig = Rig::new(limits());
    let counter = rig.guest("stateful-counter").await;
    let me = || scope("t", "s");
    assert_eq!(rig.node(&counter, me(), "bump", json!({})).await, json!({"count": 1}));
    for (op, code) in [("bump-then-fail", Code::ComponentFailed), ("bump-then-trap", Code::GuestTrap)] {
        let failure = rig.call(&counter, me(), op, &json!({})).await.unwrap_err();
        assert_eq!(failure.error.code(), code);
        assert!(failure.host_calls.iter().any(|call| call.function == "write"), "the trace shows the write");
        assert_eq!(rig.node(&counter, me(), "read", json!({})).await, json!({"count": 1}));
    }
}

#[tokio::test]
async fn state_belongs_to_tenant_and_session_whatever_a_guest_claims() {
    let mut rig = Rig::new(limits());
    let liar = rig.guest("liar").await;
    let claim = |op_value: &str| json!({"key": "secret", "tenant": "victim", "session": "s", "value": op_value});
    rig.node(&liar, scope("victim", "s"), "write", claim("mine")).await;

    for other in [scope("evil", "s"), scope("victim", "other")] {
        assert_eq!(rig.node(&liar, other.clone(), "read", claim("")).await, json!({"value": null}));
        rig.node(&liar, other.clone(), "write", claim("overwritten")).await;
        rig.node(&liar, other, "delete", claim("")).await;
    }
    assert_eq!(rig.node(&liar, scope("victim", "s"), "read", claim("")).await, json!({"value": "mine"}));
}
