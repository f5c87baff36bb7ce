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
    for (name, question) in [("state-provider-memory", "max_entries"), ("state-provider-redis", "redis_url")] {
        let trial = try_it(name).await;
        assert_eq!(refusals(&trial), []);
        let questions = answer(&trial, "qa-spec")["questions"].as_array().unwrap();
        assert!(questions.iter().any(|asked| asked["id"] == question), "{name}: {questions:?}");
        assert!(answer(&trial, "apply-answers")["ok"].is_boolean(), "{name}");
    }
}

#[tokio::test]
async fn the_adapter_is_refused_for_the_router_that_it_has_to_be_composed_with() {
    let trial = try_it("mcp_adapter_25_06_18").await;
    assert_eq!(refusals(&trial), [("GRH-0302".to_owned(), "wasix:mcp/router@25.6.18")]);
}

#[tokio::test]
async fn what_exports_nothing_that_a_flow_calls_is_refused_by_name() {
    let trial = try_it("repo_ui_actions_dummy").await;
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
