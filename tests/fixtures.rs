//! The guest fixtures: each is built, fits the host as far as it is meant to, and is used by a test.

use std::fs;
use std::path::{Path, PathBuf};

use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::conform::{Finding, Surface, Want, compare, inspect};
use greentic_runner_host::{Code, error};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

struct Fixture {
    name: &'static str,
    want: Want,
    grants: &'static [Grant],
    findings: &'static [(Code, &'static str)],
}

const fn node(name: &'static str, grants: &'static [Grant]) -> Fixture {
    Fixture { name, want: Want::Node, grants, findings: &[] }
}

const fn provider(name: &'static str) -> Fixture {
    Fixture { name, want: Want::Provider, grants: &[], findings: &[] }
}

const FIXTURES: &[Fixture] = &[
    node("api-node", &[]),
    node("early-counter", &[]),
    node("node-0-4-a", &[]),
    node("node-0-4-b", &[]),
    node("node-0-4-c", &[]),
    node("node-0-5-a", &[]),
    node("node-0-5-b", &[]),
    node("node-0-5-c", &[]),
    node("node-0-6-short", &[]),
    node("node-own-shape", &[]),
    node("pack-exporter", &[]),
    node("pack-exporter-0-2", &[]),
    node("questioner", &[]),
    node("runtime-provider", &[]),
    provider("demo-prices"),
    provider("echo-provider"),
    provider("legacy-provider"),
    provider("legacy-provider-core"),
    provider("unhealthy-provider"),
    node("assets-reader", &[]),
    node("chatty", &[Grant::State]),
    node("control-user", &[]),
    node("deep-recursing", &[]),
    node("demo-desk", &[Grant::State]),
    Fixture {
        name: "drifted-host-import",
        want: Want::Node,
        grants: &[Grant::State, Grant::Session, Grant::Telemetry],
        findings: &[
            (Code::ImportConverted, "greentic:host-import/telemetry@0.6.0"),
            (Code::ImportConverted, "greentic:host-import/state@0.6.0"),
            (Code::ImportConverted, "greentic:host-import/session@0.6.0"),
        ],
    },
    Fixture {
        name: "drifted-imports",
        want: Want::Node,
        grants: &[Grant::State, Grant::Session, Grant::Telemetry],
        findings: &[
            (Code::ImportConverted, "greentic:state/state-store@1.0.0"),
            (Code::ImportConverted, "greentic:telemetry/logger-api@1.0.0"),
            (Code::ImportConverted, "greentic:interfaces-host/imports@0.1.0"),
        ],
    },
    Fixture {
        name: "drifted-web",
        want: Want::Node,
        grants: &[Grant::Http],
        findings: &[
            (Code::ImportCompatible, "greentic:http/http-client@1.1.2"),
            (Code::ImportConverted, "greentic:http/http-client@1.1.2"),
            (Code::ImportConverted, "greentic:http/http-client@1.1.0"),
            (Code::ImportConverted, "greentic:http/client@1.1.0"),
        ],
    },
    node("echo-node", &[]),
    node("failing", &[]),
    node("giant-results", &[]),
    node("kv-counter", &[Grant::Kv]),
    node("liar", &[Grant::State]),
    Fixture {
        name: "later-imports",
        want: Want::Node,
        grants: &[Grant::State, Grant::Session],
        findings: &[
            (Code::ImportCompatible, "greentic:state/state-store@1.0.3"),
            (Code::ImportConverted, "greentic:state/state-store@1.0.3"),
            (Code::ImportCompatible, "greentic:host-import/state@0.6.2"),
            (Code::ImportConverted, "greentic:host-import/state@0.6.2"),
            (Code::ImportCompatible, "greentic:host-import/session@0.6.2"),
            (Code::ImportConverted, "greentic:host-import/session@0.6.2"),
        ],
    },
    node("logger", &[Grant::Telemetry]),
    node("memory-eating", &[]),
    node("old-imports", &[Grant::State, Grant::Session, Grant::Telemetry]),
    node("reaching-out", &[]),
    // `imports@0.2.0` holds all that its line has.
    node("secret-reader", &[Grant::Http, Grant::Secrets, Grant::Telemetry]),
    node("session-user", &[Grant::State, Grant::Session, Grant::Telemetry]),
    node("spinning", &[]),
    node("spinning-start", &[]),
    node("stateful-counter", &[Grant::State]),
    node("telltale", &[Grant::Secrets]),
    #[cfg(feature = "mcp")]
    node("tool-user", &[Grant::Http, Grant::Kv, Grant::Mcp, Grant::Secrets, Grant::Telemetry]),
    node("trapping", &[]),
    node("wasi-user", &[]),
    node("waiting-bot", &[Grant::State, Grant::Session]),
    node("web-client", &[Grant::Http, Grant::Secrets, Grant::Telemetry]),
    Fixture {
        name: "empty",
        want: Want::Node,
        grants: &[],
        findings: &[(Code::ExportMissing, "greentic:component/node@0.6.0")],
    },
    Fixture {
        name: "flow-giver",
        want: Want::Node,
        grants: &[],
        findings: &[(Code::ExportMissing, "greentic:component/node@0.6.0")],
    },
    Fixture {
        name: "unknown-import",
        want: Want::Node,
        grants: &[],
        findings: &[(Code::ImportUnknown, "acme:billing/ledger@1.0.0")],
    },
];

#[cfg(test)]
fn findings(name: &str, grants: Grants, want: Want) -> error::Result<Vec<Finding>> {
    let path = Path::new(ROOT).join("target/guests").join(format!("{name}.wasm"));
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask guests`", path.display()));
    Ok(compare(&inspect(name, &bytes)?, Surface::host()?, grants, &[want]).findings)
}

#[test]
fn fixtures_fit_the_host_with_exactly_the_grants_they_use() {
    for fixture in FIXTURES {
        let granted: Grants = fixture.grants.iter().copied().collect();
        let found = findings(fixture.name, granted, fixture.want).unwrap();
        let mut found: Vec<_> = found.iter().map(|f| (f.code, f.interface.as_str())).collect();
        found.dedup();
        assert_eq!(found, fixture.findings, "{}", fixture.name);

        let without = findings(fixture.name, Grants::none(), fixture.want).unwrap();
        let refused = without.iter().filter(|f| f.code == Code::ImportNotGranted);
        let mut refused: Vec<_> = refused.map(|f| f.asked.clone().unwrap()).collect();
        let mut expected: Vec<_> = fixture.grants.iter().map(|g| g.name().to_owned()).collect();
        refused.sort();
        // Two versions of an interface may be imported beside each other.
        refused.dedup();
        expected.sort();
        assert_eq!(refused, expected, "{}", fixture.name);
    }
}

#[test]
fn every_fixture_is_used_by_a_test_beside_this_one() {
    let mut code = String::new();
    let table = Path::new(ROOT).join(file!());
    assert!(table.is_file(), "{}", table.display());
    for file in files(&Path::new(ROOT).join("tests")).into_iter().chain(files(&Path::new(ROOT).join("src"))) {
        // The table above names every fixture, which is no use of it.
        if file == table {
            continue;
        }
        if file.extension().is_some_and(|extension| extension == "rs") {
            code += &fs::read_to_string(&file).unwrap();
        }
    }
    // `tests/demo.rs` talks to the demo, whose pack names its guests.
    let talked_to = Path::new(ROOT).join("tests/demo.rs").is_file();
    let demo = fs::read_to_string(Path::new(ROOT).join("demo/pack.yaml")).unwrap();
    let in_demo = |name: &str| talked_to && demo.lines().any(|line| line.trim().starts_with(&format!("{name}:")));
    let fixtures = Path::new(ROOT).join("guest-fixtures");
    let mut names = Vec::new();
    for path in entries(&fixtures) {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("\"cdylib\"") {
            names.push(stem(&path));
        }
    }
    names.extend(entries(&fixtures.join("wat")).iter().map(|path| stem(path)));
    assert!(names.len() >= FIXTURES.len(), "{names:?}");
    let unused: Vec<_> = names
        .iter()
        .filter(|name| !code.contains(&format!("\"{name}\"")) && !code.contains(&format!("{name}.wasm")))
        .filter(|name| !in_demo(name))
        .collect();
    assert!(unused.is_empty(), "no test uses these fixtures: {unused:?}");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let (directories, mut found): (Vec<_>, Vec<_>) = entries(directory).into_iter().partition(|path| path.is_dir());
    found.extend(directories.iter().flat_map(|directory| files(directory)));
    found
}

#[cfg(test)]
fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[cfg(test)]
fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
