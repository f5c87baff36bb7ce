//! Tools in WebAssembly, called by flows: all that they may export, and how they are bounded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_runner_host::{Code, HostBuilder};
use serde_json::json;

use super::common::{Sources, event, host_of, host_with, say};
use super::{OneSecret, ask, caller, fixtures, host, strict_caller};

#[tokio::test]
async fn a_plain_function_is_a_tool() {
    let host = host(&fixtures(), &caller("mcp-exec-tool", "add")).await.unwrap();
    assert_eq!(ask(&host, json!({ "a": 1, "b": 2 })).await, json!({ "sum": 3 }));
    let words = super::host(&fixtures(), &caller("mcp-exec-tool", "say")).await.unwrap();
    assert_eq!(ask(&words, json!({})).await, json!("just words"));
}

#[tokio::test]
async fn a_router_of_each_version_is_a_tool() {
    for (router, expected) in [
        (
            "mcp-router-24-11-5",
            json!({ "content": [{ "text": "{\"sum\":3}", "type": "text" }], "_meta": { "output": { "sum": 3 } } }),
        ),
        (
            "mcp-router-25-3-26",
            json!({
                "content": [{ "text": "{\"sum\":3}", "type": "text", "annotations": { "audience": ["user"] } }],
                "_meta": { "by": "router" },
            }),
        ),
        (
            "mcp-router-25-6-18",
            json!({
                "content": [{ "text": "{\"sum\":3}", "type": "text" }],
                "structuredContent": { "sum": 3 },
                "isError": false,
            }),
        ),
    ] {
        let host = host(&fixtures(), &caller(router, "add")).await.unwrap();
        assert_eq!(ask(&host, json!({ "a": 1, "b": 2 })).await, expected, "{router}");
        let listing = super::host(&fixtures(), &caller(router, "tools/list")).await.unwrap();
        let listed = ask(&listing, json!({})).await;
        assert_eq!(listed["tools"][0]["name"], "add", "{router}");
        assert_eq!(listed["tools"][0]["inputSchema"]["required"], json!(["a", "b"]), "{router}");
    }
}

#[tokio::test]
async fn failures_have_their_codes() {
    for (tool, action, input, code) in [
        ("mcp-exec-tool", "fail", json!({}), "GRH-1125"),
        ("mcp-exec-tool", "nothing", json!({}), "GRH-1121"),
        ("mcp-exec-tool", "tools/list", json!({}), "GRH-1121"),
        ("mcp-router-24-11-5", "fail", json!({}), "GRH-1125"),
        ("mcp-router-24-11-5", "nothing", json!({}), "GRH-1121"),
        ("mcp-router-25-3-26", "fail", json!({}), "GRH-1125"),
        ("mcp-router-25-3-26", "add", json!({ "a": "x" }), "GRH-1124"),
        ("mcp-router-25-6-18", "ask", json!({}), "GRH-1128"),
        ("mcp-router-25-6-18", "add", json!("no object"), "GRH-1124"),
        ("mcp-router-25-6-18", "huge", json!({ "size": 2_000_000 }), "GRH-0504"),
        ("mcp-router-25-6-18", "eat", json!({}), "GRH-0501"),
    ] {
        let host = host(&fixtures(), &caller(tool, action)).await.unwrap();
        let answer = ask(&host, input).await;
        assert_eq!(answer["code"], code, "{tool} {action}: {answer}");
    }
    let flow = "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: { component: mcp-router-25-6-18, action: ask }\n    err_map: { \
                asked: '{{error.details.elicit.message}}', again: '{{error.retryable}}' }\n";
    let host = host(&fixtures(), &Sources::of_flow(flow)).await.unwrap();
    assert_eq!(ask(&host, json!({})).await, json!({ "asked": "which city?", "again": false }));
}

#[tokio::test]
async fn a_tool_that_never_ends_is_ended_and_the_next_call_is_served() {
    let mcp = format!("{}  runtime: {{ timeout_ms: 200 }}\n", fixtures());
    let spinning = host(&mcp, &caller("mcp-router-25-6-18", "spin")).await.unwrap();
    assert_eq!(ask(&spinning, json!({})).await["code"], "GRH-0500");
    // The node's own limit counts as well.
    let flow = "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: { component: mcp-exec-tool, action: '{{in.action}}', args: \
                {a: 1, b: 1} }\n    timeout: 3s\n    err_map: { code: '{{error.code}}' }\n";
    let host = host(&fixtures(), &Sources::of_flow(flow)).await.unwrap();
    let begun = Instant::now();
    assert_eq!(ask(&host, json!({ "action": "spin" })).await, json!({ "code": "GRH-0500" }));
    assert!(begun.elapsed() < Duration::from_secs(20), "no other limit is shorter than half a minute");
    assert_eq!(ask(&host, json!({ "action": "add" })).await, json!({ "sum": 2 }));
}

#[tokio::test]
async fn memory_is_the_tools_own_limit() {
    // 48 MiB are less than the tenant's 64, and too much for this tool.
    let mcp = format!("{}  runtime: {{ max_memory_mb: 8 }}\n", fixtures());
    let host = host(&mcp, &caller("mcp-exec-tool", "eat")).await.unwrap();
    let answer = ask(&host, json!({})).await;
    assert_eq!(answer["code"], "GRH-0501", "{answer}");
    // It begins with more than that, and so is not begun.
    let mcp = format!("{}  runtime: {{ max_memory_mb: 1 }}\n", fixtures());
    let error = super::host(&mcp, &strict_caller("mcp-exec-tool", "add")).await.unwrap_err();
    let all = format!("{error:#?} {error}");
    assert!(all.contains(&Code::InitialMemory.to_string()), "{all}");
}

#[tokio::test]
async fn what_a_tool_writes_stays_and_what_a_failed_one_writes_does_not() {
    let host = host(&fixtures(), &caller("mcp-exec-tool", "bump")).await.unwrap();
    for count in 1..=3 {
        assert_eq!(ask(&host, json!({})).await, json!({ "count": count }));
    }
}

#[tokio::test]
async fn requests_of_tools_follow_the_tenants_rules() {
    // Nobody else gets the port, and nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let allowed = &*format!("http: {{ allow: ['http://{address}'] }}\n");
    for (tenants, tools, reason) in [
        ("", "", "denied: disabled: "),
        ("", "  http_enabled: true\n", "denied: host_not_allowed: "),
        (allowed, "", "unavailable: not_connected: "),
        (allowed, "  http_enabled: true\n", "unavailable: not_connected: "),
        (allowed, "  http_enabled: false\n", "denied: disabled: "),
    ] {
        let bindings = format!("tenant: t\n{tenants}mcp:\n{}{tools}", fixtures());
        let flow = caller("mcp-exec-tool", "fetch");
        let host = host_of(&bindings, &flow, |builder| builder.with_memory_store()).await.unwrap();
        let answer = ask(&host, json!({ "url": format!("http://{address}/") })).await;
        let refused = answer["refused"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(refused.starts_with(reason), "{tenants}{tools}: {refused}");
    }
}

#[tokio::test]
async fn tools_get_the_secrets_that_the_bindings_name_and_no_others() {
    let bindings = format!(
        "tenant: t\nflow_type_bindings: {{ messaging: {{ adapter: webchat, secrets: [MCP_TEST_KEY] }} }}\nmcp:\n{}",
        fixtures()
    );
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_secrets_manager(Arc::new(OneSecret));
    let host = host_of(&bindings, &caller("mcp-exec-tool", "secrets"), set_up).await.unwrap();
    let answer = ask(&host, json!({ "name": "MCP_TEST_KEY" })).await;
    assert_eq!(answer["read"], json!({ "Ok": "opened" }), "{answer}");
    for refused in ["write", "delete"] {
        assert!(answer[refused]["Err"].as_str().unwrap().starts_with("denied:"), "{answer}");
    }
    let other = ask(&host, json!({ "name": "OTHER" })).await;
    assert!(other["read"]["Err"].as_str().unwrap().starts_with("denied:"), "{other}");
    // It is a component of its own name, to which the bindings may give less.
    let narrow = format!("{bindings}secrets: {{ components: {{ mcp-exec-tool: [OTHER] }} }}\n");
    let host = host_of(&narrow, &caller("mcp-exec-tool", "secrets"), set_up).await.unwrap();
    let answer = ask(&host, json!({ "name": "MCP_TEST_KEY" })).await;
    assert!(answer["read"]["Err"].as_str().unwrap().starts_with("denied:"), "{answer}");
}

#[tokio::test]
async fn a_tool_has_no_more_grants_than_its_tenant() {
    let bindings = format!("tenant: t\ngrants: [kv, mcp, http]\nmcp:\n{}", fixtures());
    let flow = strict_caller("mcp-exec-tool", "add");
    let error = host_of(&bindings, &flow, |builder| builder.with_memory_store()).await.unwrap_err();
    let all = format!("{error:#?} {error}");
    assert!(
        all.contains(&Code::ImportNotGranted.to_string()) && all.contains("greentic:secrets/secret-store"),
        "{all}"
    );
}

#[tokio::test]
async fn what_cannot_be_called_disables_the_flow_at_load() {
    for (mcp, tool, code, word) in [
        (fixtures(), "mcp-exec-tol", Code::ToolUnknown, "did you mean"),
        (fixtures(), "echo-node", Code::ToolUnusable, "wasix:mcp/router"),
        ("  {}\n".to_owned(), "mcp-exec-tool", Code::ToolUnknown, ""),
    ] {
        let error = host(&mcp, &strict_caller(tool, "add")).await.unwrap_err();
        let all = format!("{error:#?} {error}");
        assert!(all.contains(&code.to_string()) && all.contains(word), "{tool}: {all}");
    }
    let error = host_with(&strict_caller("mcp-exec-tool", "add")).await.unwrap_err();
    let all = format!("{error:#?} {error}");
    assert!(all.contains("GRH-1129") && all.contains("`mcp` block"), "{all}");
}

#[tokio::test]
async fn nodes_are_written_in_every_dialect() {
    for node in [
        "{ mcp.exec: { server: mcp-exec-tool, tool: add, arguments: { a: 1, b: 2 } } }",
        "{ component: component.exec, operation: mcp.exec, payload: { component: mcp-exec-tool, action: add, args: { a: 1, b: 2 } } }",
        "{ component: mcp.exec, payload: { component: mcp-exec-tool, action: add, args: { a: 1, b: 2 } } }",
        "{ mcp.exec: { component: mcp-exec-tool, input: { a: 1, b: 2 } }, operation: add }",
    ] {
        let flow = format!("id: main\ntype: messaging\nnodes:\n  in: {node}\n");
        let host = host(&fixtures(), &Sources::of_flow(&flow)).await.unwrap_or_else(|e| panic!("{node}: {e}"));
        assert_eq!(ask(&host, json!({})).await, json!({ "sum": 3 }), "{node}");
    }
    for (payload, word) in [
        ("{ action: add }", "names no server"),
        ("{ component: mcp-exec-tool }", "which tool to call"),
        ("add", "not a mapping"),
    ] {
        let flow = format!("id: main\ntype: messaging\nnodes:\n  in: {{ mcp.exec: {payload} }}\n");
        let error = host(&fixtures(), &Sources::of_flow(&flow)).await.unwrap_err();
        assert!(format!("{error:#?} {error}").contains(word), "{payload}: {error:#?}");
    }
}

#[tokio::test]
async fn a_failure_that_nothing_catches_fails_the_event() {
    let host = host(&fixtures(), &strict_caller("mcp-router-24-11-5", "fail")).await.unwrap();
    let error = host.submit(event("s", json!({}))).await.unwrap().outcome().await.unwrap_err();
    assert_eq!(error.code(), Code::ToolFailed);
    assert!(error.to_string().contains("it broke"), "{error}");
    assert!(say(&host, "s", "x").await.is_err(), "the session goes on");
}
