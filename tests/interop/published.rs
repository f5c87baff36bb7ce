//! What was published, what becomes of it here, and whether that is what is expected.

mod artefacts;
mod files;
mod table;
mod trial;

use std::fs;
use std::path::Path;

use artefacts::{ARTEFACTS, Artefact, Origin};
use serde_json::{Value, json};
use trial::{Ran, Trial};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

async fn try_it(name: &str) -> Trial {
    let artefact = ARTEFACTS.iter().find(|artefact| artefact.name == name).unwrap();
    trial::of(artefact).await
}

/// The answer of the call of `op`, which must have succeeded.
fn answer<'a>(trial: &'a Trial, op: &str) -> &'a Value {
    match &trial.calls.iter().find(|call| call.op == op).unwrap().ran {
        Ran::Answered(answer) => answer,
        other => panic!("{op}: {other:?}"),
    }
}

/// The codes and interfaces of the findings that keep something from loading.
fn refusals(trial: &Trial) -> Vec<(String, &str)> {
    trial.refusals().map(|finding| (finding.code.to_string(), finding.interface.as_str())).collect()
}

#[tokio::test]
async fn the_table_says_what_happened() {
    let mut trials: Vec<(&Artefact, Trial)> = Vec::new();
    for artefact in ARTEFACTS {
        trials.push((artefact, trial::of(artefact).await));
    }
    let path = Path::new(ROOT).join("docs/compatibility.md");
    let page = fs::read_to_string(&path).unwrap();
    let written = table::into_page(&page, &trials);
    if std::env::var_os("UPDATE_COMPATIBILITY").is_some() {
        fs::write(&path, &written).unwrap();
        return;
    }
    assert!(page == written, "docs/compatibility.md is out of date; UPDATE_COMPATIBILITY=1 writes it anew:\n{written}");
}

#[test]
fn every_guest_on_the_sdk_is_tried() {
    let mut guests = Vec::new();
    for workspace in fs::read_dir(Path::new(ROOT).join("guest-fixtures/sdk")).unwrap() {
        let workspace = workspace.unwrap().path();
        if workspace.is_dir() {
            let entries = fs::read_dir(&workspace).unwrap().map(|entry| entry.unwrap().path());
            guests.extend(entries.filter(|path| path.join("Cargo.toml").is_file()));
        }
    }
    assert!(guests.len() >= 6, "{guests:?}");
    for guest in guests {
        let tried =
            |artefact: &Artefact| matches!(artefact.origin, Origin::Sdk { guest: name, .. } if guest.ends_with(name));
        assert!(ARTEFACTS.iter().any(tried), "{}", guest.display());
    }
}

#[tokio::test]
async fn a_provider_of_state_answers_what_it_asks_at_setup() {
    for (name, question) in [("a provider of state", "max_entries"), ("another provider of state", "redis_url")] {
        let trial = try_it(name).await;
        assert_eq!(refusals(&trial), []);
        let questions = answer(&trial, "qa-spec")["questions"].as_array().unwrap();
        assert!(questions.iter().any(|asked| asked["id"] == question), "{name}: {questions:?}");
        assert!(answer(&trial, "apply-answers")["ok"].is_boolean(), "{name}");
    }
}

#[tokio::test]
async fn the_adapter_is_refused_for_the_router_that_it_has_to_be_composed_with() {
    let trial = try_it("the adapter for MCP routers").await;
    assert_eq!(refusals(&trial), [("GRH-0302".to_owned(), "wasix:mcp/router@25.6.18")]);
}

#[tokio::test]
async fn what_exports_nothing_that_a_flow_calls_is_refused_by_name() {
    let trial = try_it("an action of a page").await;
    assert_eq!(refusals(&trial), []);
    let Ran::Refused(error) = &trial.calls[0].ran else { panic!("{:?}", trial.calls[0].ran) };
    assert!(error.to_string().contains("repo-ui-actions"), "{error}");
}

#[tokio::test]
async fn a_provider_on_the_sdk_answers_and_fails() {
    let trial = try_it("provider").await;
    assert_eq!(answer(&trial, "echo"), &json!({ "text": "grüezi" }));
    assert!(matches!(&trial.calls[1].ran, Ran::Failed(error) if error.message().contains("refused: it was asked")));
}

#[tokio::test]
async fn nodes_on_the_sdk_are_told_on_whose_behalf_they_work_whatever_their_records() {
    for (name, identity) in [
        ("node, first shape", json!({ "tenant": "t", "flow_id": "f", "node_id": "n", "attempt": 1 })),
        (
            "node, second shape",
            json!({ "tenant_id": "t", "tenant_flow_id": "f", "node_id": "n", "impersonated": false }),
        ),
        ("node, third shape", json!({ "tenant": "t", "flow_id": "f", "node_id": "n", "i18n_id": "en" })),
        ("node 0.6.0", json!({ "tenant_id": "t", "flow_id": "f", "step_id": "n", "component_id": "c" })),
    ] {
        let trial = try_it(name).await;
        assert_eq!(refusals(&trial), [], "{name}");
        assert_eq!(answer(&trial, "echo"), &json!({ "text": "grüezi", "list": [1, 2.5, null] }), "{name}");
        let context = answer(&trial, "context");
        for (key, value) in identity.as_object().unwrap() {
            assert_eq!(&context[key], value, "{name}: {key} of {context}");
        }
        assert_eq!(answer(&trial, "count"), &json!({ "count": 1 }), "{name}");
        let Ran::Failed(error) = &trial.calls.last().unwrap().ran else { panic!("{name}") };
        assert!(error.message().contains("busy: it was asked to fail this once"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_component_of_the_early_0_6_0_is_called_with_its_payload_alone() {
    let on_sdk = try_it("the early 0.6.0").await;
    assert_eq!(refusals(&on_sdk), []);
    assert_eq!(answer(&on_sdk, "run"), &json!({ "input": { "text": "grüezi" }, "runs": 1 }));
    let trial = try_it("a component that answers messages").await;
    assert_eq!(refusals(&trial), []);
    let answer = answer(&trial, "handle_message");
    assert_eq!(answer, &json!({ "message": r#"component-templates::handle_message => {"text":"hello"}"# }));
}

#[tokio::test]
async fn a_provider_of_state_says_as_a_component_that_its_host_keeps_the_state() {
    let trial = try_it("the same as a component").await;
    let answer = answer(&trial, "state.dispatch");
    assert!(answer["error"].as_str().unwrap().contains("dispatched natively"), "{answer}");
}

#[tokio::test]
async fn a_pack_of_another_tool_loads_as_that_tool_built_it() {
    for (name, holds) in [
        ("that pack as it was built", "state-memory 0.5.1: state-provider-memory"),
        ("the other as it was built", "state-redis 0.5.1: state-provider-redis"),
    ] {
        assert_eq!(try_it(name).await.pack.unwrap().unwrap(), holds);
    }
}
