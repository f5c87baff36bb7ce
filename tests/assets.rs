//! The assets of a pack as files of its components: theirs to read, and nobody else's.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::path::Path;

use common::{Sources, event, host_of};
use greentic_runner_host::{HostBuilder, HostConfig, Result, RunnerHost};
use serde_json::{Value, json};

const FLOW: &str = r#"
id: main
type: messaging
nodes:
  call:
    component.exec:
      component: reader
      operation: "{{in.op}}"
      input: { path: "{{in.path}}" }
    routing: reply
"#;

/// A flow per operation, since operations are no templates.
fn pack() -> Sources {
    let mut pack = Sources::new().component("reader", "assets-reader");
    for op in ["roots", "read", "write", "create", "remove", "link"] {
        let flow = FLOW.replace("id: main", &format!("id: {op}")).replace("\"{{in.op}}\"", op);
        pack = pack.file(&format!("{op}.ygtc"), &flow);
    }
    pack
}

async fn host(pack: &Sources, data: &Path) -> RunnerHost {
    host_of("tenant: t", pack, |builder| builder.with_data_dir(data)).await.unwrap()
}

/// What the reader answers, or the code that it was refused with.
async fn ask(host: &RunnerHost, op: &str, path: &str) -> Result<Value, String> {
    use greentic_runner_host::run::event::FlowChoice;
    let mut event = event("s", json!({ "path": path }));
    event.flow = FlowChoice::Id(op.into());
    let outcome = host.submit(event).await.unwrap().outcome().await;
    outcome.map(|outcome| outcome.replies[0].clone()).map_err(|error| error.to_string())
}

fn laid_out(data: &Path) -> usize {
    std::fs::read_dir(data.join("assets")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_component_reads_the_assets_of_its_pack() {
    let data = tempfile::tempdir().unwrap();
    let pack = pack().file("assets/cards/hello.json", "{\"a\":1}").file("index.txt", "no asset");
    let host = host(&pack, data.path()).await;
    assert_eq!(ask(&host, "roots", "").await.unwrap(), json!({ "roots": ["/assets"] }));
    assert_eq!(ask(&host, "read", "cards/hello.json").await.unwrap(), json!({ "text": "{\"a\":1}" }));
    assert_eq!(laid_out(data.path()), 1);
    host.stop().await.unwrap();
    assert_eq!(laid_out(data.path()), 0, "they go with the pack");
}

#[tokio::test]
async fn assets_are_for_reading_and_nothing_beside_them_is_there() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data.path().join("assets")).unwrap();
    let host = host(&pack().file("assets/a.txt", "mine"), data.path()).await;
    for (op, path) in [
        ("write", "a.txt"),
        ("create", "new.txt"),
        ("remove", "a.txt"),
        ("link", "root"),
        ("read", "../greentic.redb"),
        ("read", "/etc/passwd"),
        ("read", "missing.txt"),
    ] {
        let error = ask(&host, op, path).await.unwrap_err();
        assert!(error.contains("refused") || error.contains("GRH-0506"), "{op} {path}: {error}");
    }
    assert_eq!(ask(&host, "read", "a.txt").await.unwrap(), json!({ "text": "mine" }));
}

#[tokio::test]
async fn a_pack_sees_its_own_assets_only() {
    let data = tempfile::tempdir().unwrap();
    let config = |tenant: &str| HostConfig::from_yaml(&format!("tenant: {tenant}"), "bindings.yaml").unwrap();
    let builder = HostBuilder::new().with_data_dir(data.path());
    let host = builder.with_config(config("t")).with_config(config("u")).build().unwrap();
    host.start().await.unwrap();
    let (one, other, none) = (pack().file("assets/a.txt", "one"), pack().file("assets/b.txt", "other"), pack());

    host.load_pack("t", &one.path()).await.unwrap();
    host.load_pack("u", &other.path()).await.unwrap();
    assert_eq!(ask(&host, "read", "a.txt").await.unwrap(), json!({ "text": "one" }));
    assert!(ask(&host, "read", "b.txt").await.is_err());
    assert_eq!(laid_out(data.path()), 2);

    host.load_pack("u", &one.path()).await.unwrap();
    assert_eq!(laid_out(data.path()), 1, "tenants with the same assets share them");
    host.load_pack("u", &none.path()).await.unwrap();
    assert_eq!(laid_out(data.path()), 1);
    host.load_pack("t", &none.path()).await.unwrap();
    assert_eq!(laid_out(data.path()), 0);
    assert_eq!(ask(&host, "roots", "").await.unwrap(), json!({ "roots": [] }));
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed() {
    let data = tempfile::tempdir().unwrap();
    let left = data.path().join("assets/greentic-assets-old");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("a.txt"), "old").unwrap();
    let host = host(&pack().file("assets/a.txt", "new"), data.path()).await;
    assert_eq!(laid_out(data.path()), 1);
    assert_eq!(ask(&host, "read", "a.txt").await.unwrap(), json!({ "text": "new" }));
    host.stop().await.unwrap();
}
