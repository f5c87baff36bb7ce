//! Which components are run as tools: by their digests, by who signed them, from a directory and from an address.

use std::path::Path;

use axum::Router;
use greentic_runner_host::pack::model::Digest;
use greentic_runner_host::trust::PrivateKey;
use serde_json::json;
use tokio::net::TcpListener;

use super::common::guest;
use super::{ask, caller, host, strict_caller};

/// A directory with the tool `sum`, its signature if there is one, and the tool's digest.
fn directory(signature: Option<&str>) -> (tempfile::TempDir, Digest) {
    let dir = tempfile::tempdir().unwrap();
    let bytes = guest("mcp-exec-tool");
    std::fs::write(dir.path().join("sum.wasm"), &bytes).unwrap();
    if let Some(signature) = signature {
        std::fs::write(dir.path().join("sum.wasm.sig"), signature).unwrap();
    }
    (dir, Digest::of(&bytes))
}

fn block(dir: &Path, security: &str) -> String {
    format!("  store: {{ kind: local-dir, path: '{}' }}\n  security: {security}\n", dir.display())
}

async fn verdict(mcp: &str) -> String {
    match host(mcp, &strict_caller("sum", "add")).await {
        Ok(host) => ask(&host, json!({ "a": 1, "b": 2 })).await.to_string(),
        Err(error) => format!("{error:#?} {error}"),
    }
}

const SUM: &str = r#"{"sum":3}"#;

#[tokio::test]
async fn a_digest_that_does_not_match_is_refused() {
    let (dir, digest) = directory(None);
    assert_eq!(verdict(&block(dir.path(), &format!("{{ required_digests: {{ sum: '{digest}' }} }}"))).await, SUM);
    let other = "0".repeat(64);
    let refused = verdict(&block(dir.path(), &format!("{{ required_digests: {{ sum: '{other}' }} }}"))).await;
    assert!(refused.contains("GRH-1122") && refused.contains("is required"), "{refused}");
    // Another tool's digest says nothing of this one.
    assert_eq!(verdict(&block(dir.path(), &format!("{{ required_digests: {{ mul: '{other}' }} }}"))).await, SUM);
}

#[tokio::test]
async fn only_what_a_trusted_signer_signed_is_run_where_that_is_required() {
    let (key, stranger) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let (_, digest) = directory(None);
    let security = format!("{{ require_signature: true, trusted_signers: ['{}'] }}", key.public());
    for (signature, expected) in [
        (None, "it is not signed"),
        (Some(stranger.sign_for_index(&digest.0)), "not made over it by a trusted signer"),
        (Some(key.sign_for_index(&[0; 32])), "not made over it by a trusted signer"),
        (Some("nonsense".to_owned()), "malformed"),
        (Some(key.sign_for_index(&digest.0)), SUM),
    ] {
        let (dir, _) = directory(signature.as_deref());
        let found = verdict(&block(dir.path(), &security)).await;
        assert!(found.contains(expected), "{signature:?}: {found}");
        assert_eq!(found.contains("GRH-1122"), expected != SUM, "{found}");
    }
}

#[tokio::test]
async fn a_tool_is_fetched_from_an_address_and_kept() {
    let key = PrivateKey::generate().unwrap();
    let (served, digest) = directory(Some(&key.sign_for_index(&Digest::of(&guest("mcp-exec-tool")).0)));
    let bytes = std::fs::read(served.path().join("sum.wasm")).unwrap();
    let signature = std::fs::read_to_string(served.path().join("sum.wasm.sig")).unwrap();
    let app = Router::new()
        .route("/sum.wasm", axum::routing::get(move || async move { bytes }))
        .route("/sum.wasm.sig", axum::routing::get(move || async move { signature }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let cache = tempfile::tempdir().unwrap();
    let mcp = |file: &str, security: &str| {
        format!(
            "  store: {{ kind: http-single, name: sum, url: 'http://{address}/{file}', cache_dir: '{}' }}\n  security: \
             {security}\n",
            cache.path().display()
        )
    };
    let signed = format!("{{ require_signature: true, trusted_signers: ['{}'] }}", key.public());
    assert_eq!(verdict(&mcp("sum.wasm", &signed)).await, SUM);
    let other = "0".repeat(64);
    let refused = verdict(&mcp("sum.wasm", &format!("{{ required_digests: {{ sum: '{other}' }} }}"))).await;
    assert!(refused.contains("digest"), "{refused}");
    assert_ne!(refused, SUM);
    let missing = verdict(&mcp("mul.wasm", "{}")).await;
    assert!(missing.contains("GRH-1002"), "{missing}");
    server.abort();
    let _ = server.await;
    // What is pinned and was fetched before needs no server.
    assert_eq!(verdict(&mcp("sum.wasm", &format!("{{ required_digests: {{ sum: '{digest}' }} }}"))).await, SUM);
}

#[tokio::test]
async fn a_tool_is_read_and_prepared_once_per_load() {
    let (dir, _) = directory(None);
    let host = host(&block(dir.path(), "{}"), &caller("sum", "add")).await.unwrap();
    let made = host.work().components;
    // Whatever becomes of the file, the load goes on with what it verified.
    std::fs::write(dir.path().join("sum.wasm"), "no component").unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&host, json!({ "a": 1, "b": 2 })).await, json!({ "sum": 3 }));
    }
    assert_eq!(host.work().components, made);
}
