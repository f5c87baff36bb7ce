//! What loading a pack says is what `check` says, word by word.

use std::collections::BTreeSet;
use std::path::Path;

use greentic_runner_host::check::{self, Options};
use greentic_runner_host::conform::Severity;
use greentic_runner_host::{Error, HostBuilder, HostConfig};

use crate::fixtures::{component, importing, node, over_host, wat};
use crate::util::put;

const FLOW: &str = "id: main\ntype: messaging\nnodes:\n  a:\n    c: {}\n    operation: run\n    routing: out\n";

fn pack(dir: &Path, wasm: &[u8]) {
    put(dir, "index.ygtc", FLOW);
    put(dir, "components/c.wasm", wasm);
}

fn config() -> HostConfig {
    HostConfig::from_yaml("tenant: demo\ngrants: [state]\nflow_type_bindings: {}\n", "demo.yaml")
        .unwrap()
        .with_strict_packs(true)
}

async fn loading(what: &str, path: &Path) -> BTreeSet<String> {
    let host = HostBuilder::new().with_config(config()).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    let refused = host.load_pack("demo", path).await.expect_err(what);
    host.stop().await.unwrap();
    let mut said = BTreeSet::new();
    single(&refused, &mut said);
    said
}

/// The single problems in an error that sums them up.
fn single(error: &Error, into: &mut BTreeSet<String>) {
    if error.details().is_empty() {
        into.insert(format!("{}: {}; {}", error.code(), error.message(), error.hint_text().unwrap_or_default()));
    }
    error.details().iter().for_each(|detail| single(detail, into));
}

fn checking(path: &Path) -> BTreeSet<String> {
    let options = Options { grants: config().grants(), limits: config().limits(), ..Options::default() };
    let report = check::check(&[path.to_owned()], &options, None).unwrap();
    let findings = report.targets.iter().flat_map(|target| &target.findings);
    let errors = findings.filter(|finding| finding.severity == Severity::Error);
    errors.map(|f| format!("{}: {}; {}", f.code, f.message, f.hint.clone().unwrap_or_default())).collect()
}

#[tokio::test]
async fn loading_says_what_check_says() {
    let other_node = component(&[
        "package greentic:component@0.6.0; interface node { run: func(op: string) -> u8; }",
        "package test:c; world root { export greentic:component/node@0.6.0; }",
    ]);
    let imports = "import greentic:host/kv-v1@1.0.0; import greentic:telemetry/logger-api@1.0.0;
                   export greentic:component/node@0.6.0;";
    for (what, bytes) in [
        ("a module", wat("(module)")),
        ("text", b"(component)".to_vec()),
        ("cut off", node()[..node().len() - 9].to_vec()),
        ("an unknown import", importing("acme:billing/ledger@1.0.0")),
        ("an import that is not offered yet", importing("greentic:secrets/secret-store@1.0.0")),
        ("another version", importing("greentic:state/state-store@2.0.0")),
        ("two grants", over_host(imports)),
        ("no export", wat("(component)")),
        ("another export", other_node),
        ("64-bit memory", wat("(component (core module (memory i64 1)))")),
        ("too deep", wat(&format!("{}{}", "(component ".repeat(12), ")".repeat(12)))),
        ("a large table", wat("(component (core module $m (table 200000 funcref)) (core instance (instantiate $m)))")),
        ("much memory", wat("(component (core module $m (memory 2000)) (core instance (instantiate $m)))")),
        ("too much for the trial", wat("(component (core module $m (memory 9000)) (core instance (instantiate $m)))")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        pack(dir.path(), &bytes);
        let (loaded, checked) = (loading(what, dir.path()).await, checking(dir.path()));
        assert!(!loaded.is_empty());
        assert!(loaded.is_subset(&checked), "{what}: loading says\n{loaded:#?}\nand check says\n{checked:#?}");
    }
}
