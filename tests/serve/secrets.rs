//! Secrets through the program: who gets which, and that none stands in anything that the program writes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Serving, write};

/// What nobody but who is given it may see.
const CANARY: &str = "canary-5f0c9d2e";

/// Everything is logged, but what the compiler tells of code at length. What would show secrets is asked for expressly.
const ALL: &str = "trace,cranelift_codegen=off,cranelift_frontend=off,regalloc2=off,wasmtime_internal_cranelift=off,\
                   reqsign_core::api=trace,rmcp::service=trace,process_wrap=trace";

const READING: &str = "
id: reading
type: messaging
nodes:
  read:
    component.exec: { component: reader, operation: get, input: { by: secrets-store@1.1.0, key: CRM_KEY } }
    routing: [{ to: tell }]
  tell:
    emit.response: { text: 'read {{node.read.length}}' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: more }
    routing: [{ to: lack }]
  lack:
    component.exec: { component: reader, operation: get, input: { by: host-import@0.6.0, key: ABSENT } }
    routing: [{ to: fail }]
  fail:
    component.exec: { component: reader, operation: fail, input: { key: CRM_KEY } }
";

const TRAPPING: &str = "
id: trapping
type: http
nodes:
  trap:
    component.exec: { component: reader, operation: trap, input: { key: CRM_KEY } }
";

#[tokio::test]
async fn a_secret_that_a_component_reads_is_nowhere_in_what_the_host_writes() {
    let dir = tempfile::tempdir().unwrap();
    let bindings = "
tenant: open
flow_type_bindings:
  messaging: { adapter: webchat, config: { insecure: true }, secrets: [CRM_KEY, ABSENT] }
  webhook: { adapter: generic, secrets: [CRM_KEY] }
";
    write(dir.path(), "open.yaml", bindings);
    write(dir.path(), "pack/index.ygtc", READING);
    write(dir.path(), "pack/trapping.ygtc", TRAPPING);
    write(
        dir.path(),
        "pack/pack.yaml",
        "pack_id: p\nversion: 1.0.0\nsecret_requirements: [{ key: CRM_KEY }, { key: ABSENT }]",
    );
    put_reader(dir.path());
    let vars = [("OPEN__CRM_KEY", CANARY), ("RUST_LOG", ALL)];
    let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", &vars);
    let mut seen = Vec::new();
    let get = async |path: &str| get(&serving, path).await;

    assert_eq!(serving.say("c", "u", "hi").await.status(), 202);
    let replies = json!(serving.replies("c", 1).await).to_string();
    assert!(replies.contains(&format!("read {}", CANARY.len())), "{replies}");
    seen.push(replies);
    serving.say("c", "u", "go on").await;
    let trapped = serving.hook("trapping", "k").await;
    assert!(trapped.status().is_server_error());
    seen.push(trapped.text().await.unwrap());
    let letters = loop {
        let letters = get("/admin/dead-letters").await;
        let listed: Value = serde_json::from_str(&letters).unwrap();
        if listed["dead_letters"].as_array().unwrap().len() == 2 {
            break letters;
        }
    };
    let status = get("/admin/packs/status").await;
    let tenant: Value = serde_json::from_str(&status).unwrap();
    let tenant = &tenant["tenants"][0];
    assert_eq!(
        (&tenant["required_secrets"], &tenant["missing_secrets"]),
        (&json!(["ABSENT", "CRM_KEY"]), &json!(["ABSENT"]))
    );
    assert!(status.contains("OPEN__PACK_P__ABSENT, then the environment variable OPEN__ABSENT"), "{status}");
    let health = get("/healthz").await;
    assert!(health.contains("\"secrets_ready\":true"), "{health}");
    seen.extend([letters, status, health, get("/admin/channels").await, get("/readyz").await]);
    nothing_holds_it(
        serving,
        seen,
        &[
            "it is [redacted]",
            "a secret was refused: looked for at the environment variable OPEN__PACK_P__ABSENT",
            "GRH-1101",
        ],
    );
}

/// The directory of the compiled guests.
fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests")
}

/// Puts the component that reads secrets into the pack.
fn put_reader(dir: &Path) {
    std::fs::create_dir_all(dir.join("pack/components")).unwrap();
    std::fs::copy(guests().join("secret-reader.wasm"), dir.join("pack/components/reader.wasm")).unwrap();
}

async fn get(serving: &Serving, path: &str) -> String {
    serving.client.get(format!("{}{path}", serving.url)).send().await.unwrap().text().await.unwrap()
}

/// Ends the program, in whose log these `lines` have to be: the canary is neither there, nor in what was `seen`, nor in
/// any file of the program's.
fn nothing_holds_it(mut serving: Serving, mut seen: Vec<String>, lines: &[&str]) {
    serving.process.kill().unwrap();
    let log = serving.log.take().unwrap().join().unwrap();
    for line in lines {
        assert!(
            log.contains(line),
            "{line}: {}",
            log.lines().filter(|line| line.contains("greentic")).collect::<String>()
        );
    }
    seen.push(log);
    for (at, text) in seen.iter().enumerate() {
        let found = text.lines().find(|line| line.contains("canary"));
        assert_eq!(found, None, "{at}");
    }
    let mut files = 0;
    for file in below(&serving.dir.path().join(".greentic")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", file.display());
        files += 1;
    }
    assert!(files > 0);
}

/// The files below a directory.
fn below(dir: &Path) -> Vec<PathBuf> {
    let (dirs, mut files): (Vec<_>, Vec<_>) =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).partition(|path| path.is_dir());
    files.extend(dirs.iter().flat_map(|dir| below(dir)));
    files
}

#[cfg(any(feature = "gcp", feature = "mcp"))]
#[path = "secrets/server.rs"]
mod server;

#[cfg(feature = "gcp")]
#[path = "secrets/stores.rs"]
mod stores;

#[cfg(feature = "mcp")]
#[path = "secrets/tools.rs"]
mod tools;
