//! `mcp tools` and `mcp sign`: what is listed, what is told of what cannot be asked, and signatures that tenants take.

use std::path::PathBuf;

use assert_cmd::assert::Assert;
use tempfile::TempDir;

use crate::common::guest_path;
use crate::fake::{GOOD, script};
use crate::trust::{PEM, PUBLIC};
use crate::{json_of, runner, stdout};

/// A directory with the tools `sum` and `words`, a key, and bindings.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.at("tools")).unwrap();
        for (name, guest) in [("sum", "mcp-router-25-6-18"), ("words", "mcp-exec-tool")] {
            std::fs::copy(guest_path(guest), place.at(&format!("tools/{name}.wasm"))).unwrap();
        }
        std::fs::write(place.at("key.pem"), PEM).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `mcp tools` for a tenant with these bindings.
    fn tools(&self, bindings: &str, args: &[&str]) -> Assert {
        std::fs::write(self.at("t.yaml"), bindings).unwrap();
        runner().args(["mcp", "tools", "--bindings"]).arg(self.at("t.yaml")).args(args).assert()
    }

    fn sign(&self, tool: &str, key: &str) -> Assert {
        runner().current_dir(self.0.path()).args(["mcp", "sign", tool, "--key", key]).assert()
    }

    /// Bindings with the store, the server of a script, and `more`.
    fn bindings(&self, more: &str) -> String {
        let starts = self.at("starts").display().to_string();
        format!("tenant: t\nmcp:\n{}{}", self.store(), script(GOOD, &starts, more))
    }

    fn store(&self) -> String {
        format!("  store: {{ kind: local-dir, path: '{}' }}\n", self.at("tools").display())
    }
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn tools_of_servers_and_components_are_listed() {
    let place = Place::new();
    std::fs::remove_file(place.at("tools/words.wasm")).unwrap();
    let bindings = place.bindings("");
    insta::assert_snapshot!("tools", stdout(place.tools(&bindings, &[]).success()));
    let json = json_of(place.tools(&bindings, &["--json"]).success());
    insta::assert_snapshot!("tools_json", serde_json::to_string_pretty(&json).unwrap());
    let only = stdout(place.tools(&bindings, &["bad"]).success());
    assert_eq!(only, "bad  x\nbad  y\n");
    assert_eq!(std::fs::read_to_string(place.at("starts")).unwrap().lines().count(), 3, "it was started for each");
    let nothing = place.tools("tenant: t\nmcp: {}", &["--json"]).success();
    assert_eq!(json_of(nothing), serde_json::json!({}));
}

#[test]
fn what_cannot_be_asked_is_told_and_the_rest_is_listed() {
    let place = Place::new();
    std::fs::write(place.at("tools/broken.wasm"), "no component").unwrap();
    let bindings = place.bindings("    gone: { command: /nowhere/at/all }\n  retry: { max_attempts: 1 }\n");
    let some = place.tools(&bindings, &[]).code(1);
    let told = stderr(&some);
    for (name, code, word) in [
        ("gone", "GRH-1126", "cannot be started"),
        ("words", "GRH-1121", "does not list its tools"),
        ("broken", "GRH-", "broken"),
    ] {
        assert!(told.contains(name) && told.contains(code) && told.contains(word), "{name}: {told}");
    }
    let listed = stdout(some);
    assert!(listed.contains("bad  x") && listed.contains("sum  add"), "{listed}");
    let unknown = place.tools(&bindings, &["summ"]).code(1);
    assert!(stderr(&unknown).contains("GRH-1121") && stderr(&unknown).contains("did you mean"), "{}", stderr(&unknown));
    assert_eq!(stdout(unknown).trim(), "");
}

#[test]
fn bad_bindings_and_usage_exit_2() {
    let place = Place::new();
    for (bindings, code) in [
        ("tenant: t", "GRH-1129"),
        ("tenant: t\nmcp: { servers: { s: {} } }", "GRH-"),
        ("tenant: t\nmcp: { unknown: 1 }", "GRH-"),
        ("{", "GRH-"),
    ] {
        let refused = place.tools(bindings, &[]).code(2);
        assert!(stderr(&refused).contains(code), "{bindings}: {}", stderr(&refused));
        assert_eq!(stdout(refused), "", "{bindings}");
    }
    let missing = runner().args(["mcp", "tools", "--bindings", "no-such-file.yaml"]).assert().code(2);
    assert!(stderr(&missing).contains("GRH-0003"), "{}", stderr(&missing));
    for args in [&["mcp"][..], &["mcp", "tools"], &["mcp", "sign", "x.wasm"], &["mcp", "sign", "--key", "k"]] {
        runner().args(args).assert().code(2).stdout("");
    }
}

#[test]
fn a_signature_lies_beside_its_tool() {
    let place = Place::new();
    std::fs::write(place.at("t.wasm"), b"\0asm fixed bytes").unwrap();
    let signed = place.sign("t.wasm", "key.pem").success();
    let signature = std::fs::read_to_string(place.at("t.wasm.sig")).unwrap();
    insta::assert_snapshot!("sign", format!("{}{}{signature}", stdout(signed), "t.wasm.sig: "));
    let again = place.sign("t.wasm", "key.pem").success();
    assert!(stderr(&again).contains("signed with the key"), "{}", stderr(&again));
    assert_eq!(
        std::fs::read_to_string(place.at("t.wasm.sig")).unwrap(),
        signature,
        "the same bytes, the same signature"
    );
    std::fs::write(place.at("none.pem"), "no key").unwrap();
    for (tool, key) in [("t.wasm", "none.pem"), ("t.wasm", "missing.pem"), ("missing.wasm", "key.pem")] {
        let refused = place.sign(tool, key).code(2);
        assert!(stderr(&refused).contains("GRH-"), "{tool} {key}: {}", stderr(&refused));
        assert_eq!(stdout(refused), "", "{tool} {key}");
    }
    assert!(!place.at("missing.wasm.sig").exists());
}

#[test]
fn tenants_that_want_signatures_take_those_that_were_made_for_these_bytes() {
    let place = Place::new();
    std::fs::remove_file(place.at("tools/words.wasm")).unwrap();
    let security = format!("  security: {{ require_signature: true, trusted_signers: ['{PUBLIC}'] }}\n");
    let bindings = format!("tenant: t\nmcp:\n{}{security}", place.store());
    let unsigned = place.tools(&bindings, &[]).code(1);
    assert!(stderr(&unsigned).contains("GRH-1122"), "{}", stderr(&unsigned));
    place.sign("tools/sum.wasm", "key.pem").success();
    let listed = stdout(place.tools(&bindings, &[]).success());
    assert!(listed.contains("sum  add"), "{listed}");
    std::fs::copy(guest_path("mcp-router-24-11-5"), place.at("tools/sum.wasm")).unwrap();
    let other = place.tools(&bindings, &[]).code(1);
    assert!(stderr(&other).contains("GRH-1122"), "{}", stderr(&other));
}
