//! Calling components and providers, and what the host's interfaces answer them.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[cfg(test)]
mod common;
#[cfg(test)]
mod guests;
#[cfg(test)]
#[path = "common/logged.rs"]
mod logged;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use greentic_runner_host::Code;
use greentic_runner_host::capabilities::grants::Grants;
use greentic_runner_host::engine::limits::Limits;
use guests::{Rig, limits, scope};
use serde_json::json;

#[tokio::test]
async fn a_provider_answers_under_each_of_its_names() {
    let rig = Rig::new(limits());
    for name in ["echo-provider", "legacy-provider", "legacy-provider-core"] {
        let provider = rig.guest(name).await;
        provider.provider_callable().unwrap();
        assert_eq!(provider.component_callable().unwrap_err().code(), Code::ExportMissing);
        let input = json!({"text": "hello", "n": [1, 2.5, null]});
        let answer = rig.call(&provider, scope("t", "s"), "echo", &input).await.unwrap();
        assert_eq!(answer.output, input, "{name}");
        assert_eq!(provider.provider_ops(name, &rig.limits).await.unwrap().unwrap(), ["echo", "fail", "config"]);
        assert_eq!(provider.describe(name, &rig.limits).await.unwrap()["provider_type"], "fixture.echo");
        assert_eq!(provider.healthcheck(name, &rig.limits).await.unwrap(), json!({"status": "ok"}));
    }
}

#[tokio::test]
async fn a_provider_checks_its_configuration() {
    let rig = Rig::new(limits());
    let provider = rig.guest("echo-provider").await;
    provider.validate_config("echo", &json!({"greeting": "hi"}), &rig.limits).await.unwrap();
    let error = provider.validate_config("echo", &json!({}), &rig.limits).await.unwrap_err();
    assert_eq!(error.code(), Code::ProviderConfig);
    assert!(error.message().contains("`greeting` is missing"), "{error}");
}

#[tokio::test]
async fn a_components_own_error_is_passed_on_whole() {
    let rig = Rig::new(limits());
    let provider = rig.guest("echo-provider").await;
    let input = json!({"code": "rate", "message": "slow down", "retryable": true});
    let failure = rig.call(&provider, scope("t", "s"), "fail", &input).await.unwrap_err();
    assert_eq!(failure.error.code(), Code::ComponentFailed);
    assert!(failure.retryable);
    assert_eq!(failure.value, json!({"code": "rate", "message": "slow down", "retryable": true}));

    let node = rig.guest("echo-node").await;
    let failure = rig.call(&node, scope("t", "s"), "fail-retryable", &json!({})).await.unwrap_err();
    assert_eq!(
        failure.value,
        json!({"code": "busy", "message": "it was asked to fail this once", "retryable": true, "backoff_ms": 1})
    );
    assert_eq!(failure.backoff_ms, Some(1));
    let failure = rig.call(&node, scope("t", "s"), "fail", &json!({})).await.unwrap_err();
    assert!(!failure.retryable);
    assert!(failure.error.message().contains("component component failed: refused: it was asked to fail"));
}

#[tokio::test]
async fn a_node_names_its_operations() {
    let rig = Rig::new(limits());
    let node = rig.guest("echo-node").await;
    node.component_callable().unwrap();
    assert_eq!(
        node.component_ops("echo-node", &rig.limits).await.unwrap().unwrap(),
        ["echo", "fail", "fail-retryable", "fail-with-key", "fail-until"]
    );
    assert_eq!(node.provider_callable().unwrap_err().code(), Code::ExportMissing);
    let null = rig.call(&node, scope("t", "s"), "echo", &json!(null)).await.unwrap();
    assert_eq!(null.output, json!(null));
}

#[tokio::test]
async fn an_empty_component_loads_and_says_why_it_cannot_be_called() {
    let rig = Rig::new(limits());
    let empty = rig.guest("empty").await;
    for error in [empty.component_callable().unwrap_err(), empty.provider_callable().unwrap_err()] {
        assert_eq!(error.code(), Code::ExportMissing);
        assert!(error.message().contains("component empty is empty"), "{error}");
    }
    let failure = rig.call(&empty, scope("t", "s"), "run", &json!({})).await.unwrap_err();
    assert_eq!(failure.error.code(), Code::ExportMissing);
}

#[tokio::test]
async fn the_same_bytes_with_the_same_grants_are_prepared_once() {
    let rig = Rig::new(limits());
    let (a, b) = (rig.guest("echo-node").await, rig.guest("echo-node").await);
    assert!(Arc::ptr_eq(&a, &b));
    let other = rig.prepare("echo-node", Grants::none()).await.unwrap();
    assert!(!Arc::ptr_eq(&a, &other));
}

#[tokio::test]
async fn state_is_kept_per_session_and_read_back_by_its_writer() {
    let mut rig = Rig::new(limits());
    let counter = rig.guest("stateful-counter").await;
    for expected in 1..4 {
        assert_eq!(rig.node(&counter, scope("t", "a"), "bump", json!({})).await, json!({"count": expected}));
    }
    assert_eq!(rig.node(&counter, scope("t", "b"), "bump", json!({})).await, json!({"count": 1}));
    assert_eq!(rig.node(&counter, scope("t", "a"), "reset", json!({})).await, json!({"count": 0}));
    assert_eq!(rig.node(&counter, scope("t", "a"), "read", json!({})).await, json!({"count": 0}));
}

#[tokio::test]
async fn kv_is_shared_by_sessions_and_not_by_tenants() {
    let mut rig = Rig::new(limits());
    let counter = rig.guest("kv-counter").await;
    let name = || json!({"name": "visits"});
    assert_eq!(rig.node(&counter, scope("t", "a"), "bump", name()).await, json!({"count": 1}));
    assert_eq!(rig.node(&counter, scope("t", "b"), "bump", name()).await, json!({"count": 2}));
    assert_eq!(rig.node(&counter, scope("u", "a"), "read", name()).await, json!({"count": 0}));
}

#[tokio::test]
async fn the_0_6_imports_store_json_and_give_strings_without_quotes() {
    let mut rig = Rig::new(limits());
    let user = rig.guest("session-user").await;
    let me = || scope("t", "s");
    assert_eq!(rig.node(&user, me(), "get", json!({"key": "k"})).await, json!({"value": null}));
    for (stored, read) in [(r#""text""#, "text"), (r#"{"a":1}"#, r#"{"a":1}"#), ("plain", "plain")] {
        rig.node(&user, me(), "set", json!({"key": "k", "value": stored})).await;
        assert_eq!(rig.node(&user, me(), "get", json!({"key": "k"})).await, json!({"value": read}));
    }
    let session = rig.node(&user, me(), "update", json!({"node": "ask"})).await;
    assert_eq!(session, json!({"session": "t:test:s:user"}));
    let span = rig.node(&user, me(), "emit", json!({"span": "{\"a\":1}"})).await;
    assert_eq!(span, json!({"emitted": true}));
}

#[tokio::test]
async fn a_guest_cannot_reach_the_hosts_own_keys() {
    let mut rig = Rig::new(limits());
    let user = rig.guest("session-user").await;
    rig.node(&user, scope("t", "s"), "update", json!({"node": "ask"})).await;
    let reserved = rig.written.keys().next().unwrap().1.clone();
    for key in [reserved.as_str(), "", "\0x"] {
        let failure = rig.call(&user, scope("t", "s"), "get", &json!({"key": key})).await.unwrap_err();
        assert_eq!(failure.value["message"], "invalid-arg", "{key:?}");
    }
}

#[tokio::test]
async fn the_first_imports_work_too() {
    let mut rig = Rig::new(limits());
    let user = rig.guest("old-imports").await;
    let me = || scope("t", "s");
    rig.node(&user, me(), "state-set", json!({"key": "k", "value": "v"})).await;
    assert_eq!(rig.node(&user, me(), "state-get", json!({"key": "k"})).await, json!({"value": "v"}));
    let session = rig.node(&user, me(), "session-update", json!({"node": "n"})).await;
    assert_eq!(session, json!({"session": "t:test:s:user"}));
    rig.node(&user, me(), "telemetry-emit", json!({"note": "n"})).await;
    let missing = rig.call(&user, me(), "state-get", &json!({"key": "none"})).await.unwrap_err();
    assert!(missing.value["message"].as_str().unwrap().starts_with("not_found"), "{}", missing.value);
}

#[tokio::test]
async fn a_trace_shows_the_host_calls() {
    let rig = Rig::new(limits());
    let logger = rig.guest("logger").await;
    let input = json!({"level": "warn", "text": "a\nb"});
    let answer = rig.call(&logger, scope("t", "s"), "log", &input).await.unwrap();
    assert_eq!(answer.output, json!({"fields": 2}));
    let calls: Vec<_> = answer.host_calls.iter().map(|c| (c.interface.as_str(), c.function.as_str(), c.ok)).collect();
    assert_eq!(calls, [("greentic:telemetry/logger-api@1.0.0", "log", true)]);
}

#[tokio::test]
async fn a_guest_hears_that_its_time_is_nearly_up() {
    // It hears of it a tenth before its end, which is time enough to end by itself on a busy machine too.
    let limits = Limits { timeout: Duration::from_secs(2), host_calls: u32::MAX, ..limits() };
    let rig = Rig::new(limits);
    let user = rig.guest("control-user").await;
    let few = rig.call(&user, scope("t", "s"), "work", &json!({"rounds": 3})).await.unwrap();
    assert_eq!(few.output, json!({"rounds": 3, "cancelled": false}));
    let input = json!({"rounds": u64::MAX});
    let answer = rig.call(&user, scope("t", "s"), "work", &input).await.unwrap();
    assert_eq!(answer.output["cancelled"], true);
}
