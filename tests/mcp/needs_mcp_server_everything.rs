//! The reference server of the protocol, from npm, over standard streams and over streamable HTTP.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_runner_host::{HostBuilder, RunnerHost};
use serde_json::{Value, json};

use super::common::{Sources, host_of};
use super::{OneSecret, ask, host};

/// How long the server may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A flow that calls the tool and with the arguments that the event names.
fn any() -> Sources {
    Sources::of_flow(
        "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: { component: everything, action: '{{in.tool}}', args: '{{in.args}}' }\n    \
         err_map: { code: '{{error.code}}', message: '{{error.message}}' }\n",
    )
}

fn script() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/mcp/node_modules");
    tools.join("@modelcontextprotocol/server-everything/dist/index.js")
}

fn node() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join("node")).find(|node| node.is_file()).expect("node is in PATH")
}

fn by_streams(more: &str) -> String {
    let (node, script) = (node(), script());
    format!(
        "  servers:\n    everything:\n      command: '{}'\n      args: ['{}', stdio]\n      env: {{ GREETING: hello, KEY: {{ secret: \
         MCP_TEST_KEY }} }}\n{more}",
        node.display(),
        script.display()
    )
}

/// The server over HTTP, until this is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    async fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut command = Command::new(node());
        command.arg(script()).arg("streamableHttp").env("PORT", address.port().to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("localhost", address.port())).await.is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, url: format!("http://localhost:{}/mcp", address.port()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn call(host: &RunnerHost, tool: &str, args: Value) -> Value {
    ask(host, json!({ "tool": tool, "args": args })).await
}

/// What the server does, however it is reached.
async fn check(host: &RunnerHost) {
    let echo = call(host, "echo", json!({ "message": "hi" })).await;
    assert_eq!(echo, json!({ "content": [{ "type": "text", "text": "Echo: hi" }] }));
    let sum = call(host, "get-sum", json!({ "a": 2, "b": 40 })).await;
    assert_eq!(sum["content"][0]["text"], "The sum of 2 and 40 is 42.");
    let weather = call(host, "get-structured-content", json!({ "location": "New York" })).await;
    assert_eq!(weather["structuredContent"], json!({ "temperature": 33, "conditions": "Cloudy", "humidity": 82 }));
    let image = call(host, "get-tiny-image", json!({})).await;
    assert!(image["content"].as_array().unwrap().iter().any(|piece| piece["type"] == "image"), "{image}");
    let listed = call(host, "tools/list", json!({})).await;
    let tool = |name: &str| listed["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).cloned();
    assert_eq!(tool("get-sum").unwrap()["inputSchema"]["required"], json!(["a", "b"]));
    assert_eq!(tool("get-sum").unwrap()["annotations"]["readOnlyHint"], true);
    let unknown = call(host, "get-some", json!({})).await;
    assert_eq!(unknown["code"], "GRH-1121", "{unknown}");
    let wrong = call(host, "get-sum", json!({ "a": "x" })).await;
    assert!(["GRH-1124", "GRH-1125"].contains(&wrong["code"].as_str().unwrap()), "{wrong}");
}

#[tokio::test]
async fn over_standard_streams() {
    let host = started(&by_streams("")).await;
    check(&host).await;
    let env = call(&host, "get-env", json!({})).await;
    let env: Value = serde_json::from_str(env["content"][0]["text"].as_str().unwrap()).unwrap();
    // Only the secret itself is hidden so.
    assert_eq!(env, json!({ "GREETING": "hello", "KEY": "[redacted]" }), "its environment is what is stated");
    host.stop().await.unwrap();
}

/// A started host that knows the secret which the program is given.
async fn started(mcp: &str) -> RunnerHost {
    let bindings = format!("tenant: t\nmcp:\n{mcp}");
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_secrets_manager(Arc::new(OneSecret));
    host_of(&bindings, &any(), set_up).await.unwrap()
}

#[tokio::test]
async fn over_streamable_http() {
    let server = Server::start().await;
    let mcp = format!("  servers: {{ everything: {{ url: '{}' }} }}\n", server.url);
    let host = host(&mcp, &any()).await.unwrap();
    check(&host).await;
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_comes_back_is_greeted_again() {
    let server = Server::start().await;
    let (url, port) = (server.url.clone(), server.url.rsplit(':').next().unwrap().trim_end_matches("/mcp").to_owned());
    let mcp = format!("  servers: {{ everything: {{ url: '{url}' }} }}\n  retry: {{ max_attempts: 1 }}\n");
    let host = host(&mcp, &any()).await.unwrap();
    assert!(call(&host, "echo", json!({ "message": "a" })).await["content"].is_array());
    drop(server);
    assert_eq!(call(&host, "echo", json!({ "message": "b" })).await["code"], "GRH-1126");
    let mut command = Command::new(node());
    command.arg(script()).arg("streamableHttp").env("PORT", &port);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _again = Server { child, url };
    let until = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("localhost", port.parse().unwrap())).await.is_err() {
        assert!(Instant::now() < until, "the server does not listen again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let back = call(&host, "echo", json!({ "message": "c" })).await;
    assert!(back["content"].is_array(), "{back}");
}

#[tokio::test]
async fn a_long_call_ends_with_the_time_and_the_server_serves_on() {
    let host = started(&by_streams("  runtime: { timeout_ms: 10000 }\n")).await;
    let slow = call(&host, "trigger-long-running-operation", json!({ "duration": 600, "steps": 600 })).await;
    assert_eq!(slow["code"], "GRH-1127", "{slow}");
    assert!(call(&host, "echo", json!({ "message": "on" })).await["content"].is_array());
}
