//! Components that call tools through the host.

use std::sync::Arc;

use greentic_runner_host::{Code, HostBuilder};
use serde_json::{Value, json};

use super::common::{Sources, host_of};
use super::{OneSecret, ask, fixtures, host};

fn user(op: &str) -> Sources {
    let flow = format!(
        "id: main\ntype: messaging\nnodes:\n  in: {{ component: user, operation: {op}, payload: '{{{{in}}}}' }}\n"
    );
    Sources::of_flow(&flow).component("user", "tool-user")
}

/// The error by its name, or the result: the languages' bindings spell errors in several ways.
fn named(answer: &Value) -> String {
    const NAMES: [&str; 5] = ["invalidarg", "notfound", "denied", "unavailable", "internal"];
    let text = answer["error"].as_str().unwrap_or_default().to_lowercase().replace('-', "");
    NAMES.iter().find(|name| text.contains(*name)).map_or_else(|| answer.to_string(), |name| (*name).to_owned())
}

#[tokio::test]
async fn both_interfaces_call_tools_and_say_what_failed() {
    let host = host(&fixtures(), &user("call")).await.unwrap();
    for by in ["host-import@0.2.0", "host-import@0.6.0"] {
        for (tool, action, args, expected) in [
            ("mcp-exec-tool", "add", r#"{"a":1,"b":2}"#, json!({ "ok": "{\"sum\":3}" })),
            ("mcp-exec-tool", "bump", "", json!({ "ok": "{\"count\":1}" })),
            ("mcp-exec-tool", "fail", "{}", json!({ "error": "IfaceError::Denied" })),
            ("mcp-exec-tool", "nothing", "{}", json!({ "error": "IfaceError::NotFound" })),
            ("no-such-tool", "add", "{}", json!({ "error": "IfaceError::NotFound" })),
            ("../../etc/passwd", "add", "{}", json!({ "error": "IfaceError::NotFound" })),
            ("mcp-exec-tool", "add", "no json", json!({ "error": "IfaceError::InvalidArg" })),
            ("mcp-exec-tool", "add", "[1]", json!({ "error": "IfaceError::InvalidArg" })),
            ("mcp-router-24-11-5", "add", r#"{"a":"x"}"#, json!({ "error": "IfaceError::InvalidArg" })),
            ("mcp-router-25-6-18", "ask", "{}", json!({ "error": "IfaceError::Unavailable" })),
            ("echo-node", "add", "{}", json!({ "error": "IfaceError::Unavailable" })),
        ] {
            let asked = json!({ "tool": tool, "action": action, "args": args, "by": by });
            // Each in a session and a pack state of its own.
            let answer: Value = ask(&host, asked).await;
            if action == "bump" {
                assert!(answer["ok"].as_str().unwrap().contains("count"), "{by}: {answer}");
                continue;
            }
            assert_eq!(named(&answer), named(&expected), "{by} {tool} {action} {args}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_tool_sees_what_its_caller_wrote_and_the_caller_what_the_tool_did() {
    let host = host(&fixtures(), &user("count")).await.unwrap();
    let answer = ask(&host, json!({ "tool": "mcp-exec-tool" })).await;
    assert_eq!(answer, json!({ "by_tool": { "ok": "{\"count\":42}" }, "seen": "42" }));
}

#[tokio::test]
async fn a_tool_reads_what_the_bindings_give_to_it_and_not_what_they_give_to_its_caller() {
    let bindings = format!(
        "tenant: t\nflow_type_bindings: {{ messaging: {{ adapter: webchat, secrets: [MCP_TEST_KEY, OTHER] }} }}\n\
         secrets: {{ components: {{ user: [MCP_TEST_KEY], mcp-exec-tool: [OTHER] }} }}\nmcp:\n{}",
        fixtures()
    );
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_secrets_manager(Arc::new(OneSecret));
    let host = host_of(&bindings, &user("call"), set_up).await.unwrap();
    let asked = json!({ "tool": "mcp-exec-tool", "action": "secrets", "args": r#"{"name":"MCP_TEST_KEY"}"# , "by": "host-import@0.6.0" });
    let answer = ask(&host, asked).await;
    assert!(answer["ok"].as_str().unwrap().contains(r#""read":{"Err":"denied:"#), "{answer}");
}

#[tokio::test]
async fn a_tool_ends_before_its_caller_does() {
    let bindings = format!("tenant: t\nlimits: {{ timeout: 5s }}\nmcp:\n{}", fixtures());
    let host = host_of(&bindings, &user("call"), |builder| builder.with_memory_store()).await.unwrap();
    let asked = json!({ "tool": "mcp-exec-tool", "action": "spin", "args": "{}", "by": "host-import@0.6.0" });
    let answer = ask(&host, asked).await;
    assert_eq!(named(&answer), "unavailable", "{answer}");
}

#[tokio::test]
async fn without_the_block_the_import_is_refused_with_what_to_do() {
    for bindings in ["tenant: t", "tenant: t\ngrants: [kv, http, secrets, telemetry]\nmcp: {}"] {
        let error = host_of(bindings, &user("call"), |builder| builder.with_memory_store()).await.unwrap_err();
        let all = format!("{error:#?} {error}");
        assert!(all.contains("greentic:host-import/mcp@0.6.0") && all.contains("`mcp` block"), "{all}");
    }
}

#[tokio::test]
async fn the_oldest_import_without_tools_is_loaded_and_told_with_what_would_supply_it() {
    const WAT: &str = r#"(component (import "greentic:host-import/imports@0.2.0" (instance
        (type $error (variant (case "invalid-arg") (case "not-found") (case "denied") (case "unavailable") (case "internal")))
        (export "iface-error" (type $iface-error (eq $error)))
        (type $ctx (record (field "tenant" string)))
        (export "tenant-ctx" (type $tenant-ctx (eq $ctx)))
        (export "tool-invoke" (func
            (param "tool" string) (param "action" string) (param "args-json" string) (param "ctx" (option $tenant-ctx))
            (result (result string (error $iface-error))))))))"#;
    let pack = Sources::of_flow("{ id: main, type: messaging, nodes: { a: { emit.response: { done: true } } } }");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), wat::parse_str(WAT).unwrap()).unwrap();
    let pack = pack.component_file("old", file.path());
    let grants = "grants: [http, secrets, telemetry]";
    for (bindings, is_told) in [
        (format!("tenant: t\n{grants}\npacks: {{ strict: true }}"), true),
        ("tenant: t".to_owned(), true),
        (format!("tenant: t\n{grants}\nmcp: {{}}"), true),
        ("tenant: t\nmcp: {}".to_owned(), false),
    ] {
        let host = host_of(&bindings, &pack, |builder| builder.with_memory_store()).await.unwrap();
        let notes = host.tenant("t").unwrap().notes().to_vec();
        let told: Vec<_> = notes.iter().filter(|note| note.code() == Code::ToolsDenied).collect();
        assert_eq!(told.len(), usize::from(is_told), "{bindings}: {notes:?}");
        for note in told {
            let text = format!("{note} {}", note.hint_text().unwrap());
            assert!(text.contains("component old") && text.contains("`mcp` block"), "{text}");
        }
    }
}
