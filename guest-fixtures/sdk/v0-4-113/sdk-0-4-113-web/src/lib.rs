//! A node that fetches what its input names, with a token. Its imports are what matters.

use greentic_interfaces_guest::component::node::{InvokeResult, NodeError};
use greentic_interfaces_guest::http_client_v1_1::{Request, send};
use greentic_interfaces_guest::{component_entrypoint, secrets_store};
use serde_json::json;

fn manifest() -> String {
    json!({ "name": env!("CARGO_PKG_NAME"), "operations": ["fetch"] }).to_string()
}

fn invoke(_op: String, input: String) -> InvokeResult {
    let token = secrets_store::get("token").ok().flatten().unwrap_or_default();
    let request = Request {
        method: "GET".to_owned(),
        url: input.trim_matches('"').to_owned(),
        headers: vec![("authorization".to_owned(), String::from_utf8_lossy(&token).into_owned())],
        body: None,
    };
    match send(&request, None, None) {
        Ok(response) => InvokeResult::Ok(json!({ "status": response.status }).to_string()),
        Err(error) => InvokeResult::Err(NodeError {
            code: error.code,
            message: error.message,
            retryable: false,
            backoff_ms: None,
            details: None,
        }),
    }
}

component_entrypoint!({ manifest: manifest, invoke: invoke });
