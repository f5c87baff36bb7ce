//! The command as a process: what goes where, and how it ends.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::fixtures::{component, importing, node, over_host, wat};
use crate::util::put;

fn command(dir: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("greentic-runner").unwrap();
    command.current_dir(dir).args(args).env_remove("CLICOLOR_FORCE");
    command
}

#[test]
fn a_component_that_fits_is_described_and_clean() {
    let dir = tempfile::tempdir().unwrap();
    let world = "import greentic:host/kv-v1@1.0.0; import greentic:component/control@0.6.0;
                 export greentic:component/node@0.6.0;";
    put(dir.path(), "greet.wasm", over_host(world));
    let ok = "greet.wasm: ok, speaks greentic:component/node@0.6.0, takes the grants kv\n";
    command(&dir, &["check", "greet.wasm"]).assert().code(0).stdout(contains(ok)).stderr("");
    let verbose = command(&dir, &["check", "-v", "greet.wasm"]).assert().code(0);
    verbose.stdout(contains("greentic:host/kv-v1@1.0.0 linked [kv]: the host has exactly this version"));
}

#[test]
fn findings_end_with_1_and_what_cannot_be_checked_with_2() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "good.wasm", node());
    put(dir.path(), "bad.wasm", importing("acme:billing/ledger@1.0.0"));
    put(dir.path(), "module.wasm", wat("(module)"));
    for (targets, code) in [
        (&["good.wasm"][..], 0),
        (&["good.wasm", "bad.wasm"], 1),
        (&["module.wasm", "bad.wasm"], 2),
        (&["gone.wasm", "good.wasm"], 2),
        (&["."], 2),
    ] {
        let mut args = vec!["check", "--format", "json"];
        args.extend(targets);
        let output = command(&dir, &args).assert().code(code).stderr("").get_output().stdout.clone();
        let report: Value = serde_json::from_slice(&output).unwrap();
        let checked = report["targets"].as_array().unwrap();
        assert!(checked.len() >= targets.len(), "the others are checked: {report:#}");
        let statuses: Vec<_> = checked.iter().map(|target| target["status"].as_str().unwrap()).collect();
        assert_eq!(statuses.contains(&"unchecked"), code == 2, "{statuses:?}");
    }
}

#[test]
fn a_directory_stands_for_what_lies_in_it() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a/one.wasm", node());
    put(dir.path(), "a/deeper/two.wat", "(component)");
    put(
        dir.path(),
        "a/pack/index.ygtc",
        "id: main\ntype: messaging\nnodes:\n  a:\n    emit.text: hi\n    routing: out\n",
    );
    put(dir.path(), "a/target/built.wasm", node());
    put(dir.path(), "a/.hidden/built.wasm", node());
    put(dir.path(), "a/notes.txt", "text");
    let output = command(&dir, &["check", "a", "--format", "json"]).assert().code(1).get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    let targets: Vec<_> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["path"].as_str().unwrap(), t["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(targets, [("a/deeper/two.wat", "component"), ("a/one.wasm", "component"), ("a/pack", "pack")]);
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    command(&dir, &["check", "empty"]).assert().code(2).stdout(contains("holds nothing that can be checked"));
}

#[test]
fn grants_are_information_unless_they_are_given() {
    let dir = tempfile::tempdir().unwrap();
    let world = "import greentic:host/kv-v1@1.0.0; import greentic:state/state-store@1.0.0;
                 export greentic:component/node@0.6.0;";
    put(dir.path(), "c.wasm", over_host(world));
    put(dir.path(), "acme.yaml", "tenant: acme\ngrants: [kv]\nflow_type_bindings: {}\n");
    command(&dir, &["check", "c.wasm"]).assert().code(0).stdout(contains("takes the grants state, kv"));
    for args in [&["--grant", "kv"][..], &["--bindings", "acme.yaml"], &["--grant", "kv,telemetry"]] {
        let mut all = vec!["check", "c.wasm"];
        all.extend(args);
        let lacks = contains("state/state-store@1.0.0 without the grant state").and(contains("kv-v1").not());
        command(&dir, &all).assert().code(1).stdout(lacks);
    }
    command(&dir, &["check", "c.wasm", "--grant", "none"]).assert().code(1).stdout(contains("without the grant kv"));
    command(&dir, &["check", "c.wasm", "--grant", "kvv"]).assert().code(2).stderr(contains("the grants are state"));
}

#[test]
fn bindings_that_name_a_pack_are_held_against_it() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "pack/index.ygtc", "id: main\ntype: messaging\nnodes: { a: { emit.text: hi, routing: out } }\n");
    put(dir.path(), "pack/pack.yaml", "pack_id: acme.demo\nversion: 1.0.0\n");
    put(dir.path(), "acme.yaml", "tenant: acme\ngrants: [state]\n");
    let bound = "tenant: acme\npack_id: acme.demo\npack_locator: pack\nflows: [{ id: main }]\n";
    put(dir.path(), "acme.gtbind", bound);
    put(dir.path(), "other.gtbind", bound.replace("main", "late").replace("acme.demo", "acme.other"));
    put(dir.path(), "far.gtbind", bound.replace("tenant: acme", "tenant: far"));
    put(dir.path(), "open.gtbind", "tenant: acme\npack_id: acme.demo\n");
    // Without a target it is the pack that the file names.
    let both = ["check", "--bindings", "acme.yaml", "--bindings", "acme.gtbind"];
    command(&dir, &both).assert().code(0).stdout(contains("pack: ok, pack acme.demo 1.0.0"));
    let said = command(&dir, &["check", "--bindings", "acme.gtbind"]).assert().code(0);
    said.stderr(contains("note: ").and(contains("no bindings limit its secrets")));
    let differs = contains("error[GRH-0233]: the pack is \"acme.demo\"").and(contains("name flow \"late\""));
    command(&dir, &["check", "pack", "--bindings", "other.gtbind"]).assert().code(1).stdout(differs);
    for wrong in [
        &["--bindings", "acme.yaml"][..],
        &["--bindings", "open.gtbind"],
        &[&both[1..], &["--bindings", "far.gtbind"]].concat(),
    ] {
        command(&dir, &[&["check"], wrong].concat()).assert().code(2).stderr(contains("GRH-0006"));
    }
}

#[test]
fn bindings_with_a_timer_that_cannot_work_are_told() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "pack/index.ygtc", "id: main\ntype: job\nnodes: { a: { emit.text: hi, routing: out } }\n");
    let bindings = |timer: &str| format!("tenant: acme\ntimers:\n  - {timer}\n");
    put(dir.path(), "good.yaml", bindings("{ flow_id: main, cron: '@hourly' }"));
    put(dir.path(), "far.yaml", bindings("{ flow_id: mian, cron: '@hourly', schedule_id: hourly }"));
    put(dir.path(), "bad.yaml", bindings("{ flow_id: main, cron: '0 0 30 2 *' }"));
    command(&dir, &["check", "pack", "--bindings", "good.yaml"]).assert().code(0).stdout(contains("GRH").not());
    let warned =
        contains("warning[GRH-0870]: timer \"hourly\" starts flow \"mian\"").and(contains("did you mean \"main\"?"));
    command(&dir, &["check", "pack", "--bindings", "far.yaml"]).assert().code(1).stdout(warned);
    let refused = contains("GRH-0100").and(contains("bad.yaml:3:28")).and(contains("day of month \"30\""));
    command(&dir, &["check", "pack", "--bindings", "bad.yaml"]).assert().code(2).stderr(refused);
}

#[test]
fn a_report_goes_where_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "bad.wasm", importing("acme:billing/ledger@1.0.0"));
    command(&dir, &["check", "bad.wasm", "--format", "junit", "--output", "check.xml"]).assert().code(1).stdout("");
    let xml = std::fs::read_to_string(dir.path().join("check.xml")).unwrap();
    assert!(xml.contains("<testsuite name=\"bad.wasm\""), "{xml}");
    command(&dir, &["check", "bad.wasm", "-o", "no/such/dir.txt"]).assert().code(2).stderr(contains("cannot write"));
    command(&dir, &["check", "bad.wasm"]).env("CLICOLOR_FORCE", "1").assert().code(1).stdout(contains("\u{1b}["));
    command(&dir, &["check", "bad.wasm"]).assert().code(1).stdout(contains("\u{1b}[").not());
}

#[test]
fn an_upgrade_is_told_from_what_was_wrong_before() {
    let dir = tempfile::tempdir().unwrap();
    let surface = command(&dir, &["surface", "--format", "json"]).assert().code(0).get_output().stdout.clone();
    put(dir.path(), "same.json", &surface);
    command(&dir, &["check", "--against", "same.json"]).assert().code(0).stdout(contains("surface: ok"));

    let mut old: Value = serde_json::from_slice(&surface).unwrap();
    let imports = old["imports"].as_object_mut().unwrap();
    imports.insert(
        "acme:old/api@1.0.0".into(),
        serde_json::json!({ "grants": [], "functions": { "f": { "params": {} } } }),
    );
    put(dir.path(), "old.json", old.to_string());
    let gone = contains("error[GRH-0362]: acme:old/api@1.0.0 is gone");
    command(&dir, &["check", "--against", "old.json"]).assert().code(1).stdout(gone);

    let old = "package acme:old@1.0.0; interface api { f: func(); }";
    let unknown = "package acme:unknown@1.0.0; interface api { f: func(); }";
    let root = "package test:c; world root { import acme:old/api@1.0.0; import acme:unknown/api@1.0.0; }";
    put(dir.path(), "c.wasm", component(&[old, unknown, root]));
    let args = ["check", "c.wasm", "--against", "old.json", "--format", "json"];
    let output = command(&dir, &args).assert().code(1).get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    let findings = report["targets"][0]["findings"].as_array().unwrap();
    let new: Vec<_> =
        findings.iter().map(|f| (f["interface"].as_str().unwrap(), f["new"].as_bool().unwrap())).collect();
    assert!(new.contains(&("acme:old/api@1.0.0", true)) && new.contains(&("acme:unknown/api@1.0.0", false)), "{new:?}");

    put(dir.path(), "not.json", "{}");
    command(&dir, &["check", "--against", "not.json"]).assert().code(2).stderr(contains("error[GRH-0364]"));
    command(&dir, &["check"]).assert().code(2).stderr(contains("TARGET"));
}

/// What `docs/check.md` shows is what the command prints.
#[test]
fn the_sample_in_the_documents_is_true() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/check.md")).unwrap();
    let sample = page.split("$ greentic-runner check greet.wasm\n").nth(1).unwrap().split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let asked = "package greentic:state@1.0.0; interface state-stor { read: func(key: string) -> list<u8>; }";
    let types = greentic_runner_bindings::WIT_PACKAGES.iter().map(|(_, text)| *text);
    let mut sources: Vec<&str> = types.filter(|text| !text.contains("package greentic:state@")).collect();
    sources.push(asked);
    sources.push(
        "package test:c; world root {
           import greentic:state/state-stor@1.0.0; export greentic:component/node@0.6.0; }",
    );
    put(dir.path(), "greet.wasm", component(&sources));
    command(&dir, &["check", "greet.wasm"]).assert().code(1).stdout(predicates::str::diff(sample.to_owned()));
}
