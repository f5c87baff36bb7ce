//! The HTTP server through real connections: limits, answers, streams, drain.
//!
//! Behind it stands a backend of a few lines (`http/backend.rs`) whose flows the tests steer, so that every
//! situation can be made without a clock: a flow that is still running, a full queue, a lost store.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "http/admin.rs"]
mod admin;
#[path = "http/backend.rs"]
mod backend;
#[path = "http/openapi.rs"]
mod openapi;
#[path = "http/tenants.rs"]
#[allow(clippy::type_complexity, reason = "tables of cases")]
mod tenants;
#[path = "http/tokens.rs"]
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use backend::TestHost;
use greentic_runner_host::server::{HttpLimits, Server, ServerOptions};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    host: Arc<TestHost>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    client: Client,
}

impl Running {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let host = Arc::new(TestHost::default());
        let mut options = ServerOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            default_tenant: Some("demo".into()),
            ..ServerOptions::default()
        };
        change(&mut options);
        let server = Server::bind(options, Arc::clone(&host) as _).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async { drop(stopped.await) }));
        let client = client();
        Self { address, host, stop: Some(stop), server, client }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.client.post(self.url(path)).json(body).send().await.unwrap()
    }

    async fn say(&self, text: &str) -> reqwest::Response {
        self.post("/webchat/activities", &activity(text)).await
    }

    fn stop(&mut self) {
        drop(self.stop.take());
    }
}

fn client() -> Client {
    greentic_runner_host::net::tls::install();
    Client::builder().no_proxy().build().unwrap()
}

fn activity(text: &str) -> Value {
    json!({"type": "message", "conversation": {"id": "c1"}, "from": {"id": "u1"}, "text": text})
}

/// The error's code, after a check of the whole answer's form.
async fn code(response: reqwest::Response) -> String {
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["correlation_id"], *id);
    assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn health_has_the_published_form() {
    let server = Running::start().await;
    let response = server.get("/healthz").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({"status": "ok", "telemetry_ready": true, "secrets_ready": true, "active_packs": 1,
               "last_reload": "1970-01-01T00:00:01Z", "last_error": "GRH-0207"})
    );
    server.host.set_packs(0);
    assert_eq!(server.get("/healthz").await.json::<Value>().await.unwrap()["status"], "degraded");
}

#[tokio::test]
async fn a_message_is_acknowledged_and_its_reply_fetched() {
    let server = Running::start().await;
    let response = server.say("hi").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.json::<Value>().await.unwrap()["id"].is_string());
    let list: Value = server.get("/webchat/conversations/c1/activities").await.json().await.unwrap();
    assert_eq!((&list["activities"][0]["text"], &list["watermark"]), (&json!("echo: hi"), &json!("1")));
    server.say("again").await;
    let list: Value = server.get("/webchat/conversations/c1/activities?watermark=1").await.json().await.unwrap();
    assert_eq!(list["activities"].as_array().unwrap().len(), 1);
    assert_eq!(list["activities"][0]["text"], "echo: again");
    let other: Value = server.get("/webchat/conversations/c2/activities").await.json().await.unwrap();
    assert_eq!(other, json!({"activities": [], "watermark": "0"}));
    assert_eq!(code(server.get("/webchat/conversations/c1/activities?watermark=x").await).await, "GRH-0801");
}

#[tokio::test]
async fn replies_are_streamed_and_a_stream_goes_on_where_it_was() {
    let server = Running::start().await;
    server.say("one").await;
    let mut stream = server.get("/webchat/conversations/c1/stream").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(until(&mut stream, "echo: one").await.contains("id: 1"));
    server.say("two").await;
    assert!(until(&mut stream, "echo: two").await.contains("event: activity"));
    let request = server.client.get(server.url("/webchat/conversations/c1/stream")).header("Last-Event-ID", "1");
    let mut second = request.send().await.unwrap();
    assert!(!until(&mut second, "echo: two").await.contains("echo: one"));
}

async fn until(stream: &mut reqwest::Response, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        seen.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    seen
}

#[tokio::test]
async fn what_is_no_activity_is_refused_or_ignored() {
    let server = Running::start().await;
    let missing_from = json!({"type": "message", "conversation": {"id": "c"}, "text": "x"});
    let response = server.post("/webchat/activities", &missing_from).await;
    assert_eq!((response.status(), &*code(response).await), (StatusCode::BAD_REQUEST, "GRH-0801"));
    let update = json!({"type": "conversationUpdate", "conversation": {"id": "c"}});
    assert_eq!(server.post("/webchat/activities", &update).await.status(), StatusCode::ACCEPTED);
    assert_eq!(server.host.runs(), 0);

    let send = |content_type: &'static str, body: Vec<u8>| {
        server.client.post(server.url("/webchat/activities")).header("content-type", content_type).body(body).send()
    };
    let bad = send("application/json", b"{\"text\": \"\xff\"}".to_vec()).await.unwrap();
    assert_eq!((bad.status(), &*code(bad).await), (StatusCode::BAD_REQUEST, "GRH-0801"));
    let form = send("text/plain", activity("x").to_string().into_bytes()).await.unwrap();
    assert_eq!((form.status(), &*code(form).await), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "GRH-0808"));
}

#[tokio::test]
async fn a_body_of_ten_megabytes_gets_its_answer() {
    let server = Running::start().await;
    let mut big = activity("");
    big["text"] = json!("x".repeat(10 << 20));
    let response = server.post("/webchat/activities", &big).await;
    assert_eq!((response.status(), &*code(response).await), (StatusCode::PAYLOAD_TOO_LARGE, "GRH-0802"));
    // Without a stated length too.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /webhook/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [b"100000\r\n", vec![b'x'; 1 << 20].as_slice(), b"\r\n"].concat();
    for _ in 0..10 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(server.host.runs(), 0);
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn webhook_results_become_answers() {
    let server = Running::start().await;
    let call = |body: Value| server.post("/webhook/answer", Box::leak(Box::new(body)));
    let text = call(json!("hello")).await;
    assert_eq!(text.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(text.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(text.text().await.unwrap(), "hello");
    let shaped = call(json!({"status": 201, "headers": {"x-made-by": "flow"}, "body": {"id": 7}})).await;
    assert_eq!((shaped.status(), &shaped.headers()["x-made-by"]), (StatusCode::CREATED, &"flow".parse().unwrap()));
    assert_eq!(shaped.json::<Value>().await.unwrap(), json!({"id": 7}));
    assert_eq!(call(json!({"plain": true})).await.json::<Value>().await.unwrap(), json!({"plain": true}));
    let bad = call(json!({"headers": {"content-length": "99"}})).await;
    assert_eq!((bad.status(), &*code(bad).await), (StatusCode::BAD_GATEWAY, "GRH-0809"));
}

#[tokio::test]
async fn every_method_reaches_a_webhook_and_the_flow_sees_the_request() {
    let server = Running::start().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = server.url("/t/acme/webhook/input?a=1");
        let response =
            server.client.request(method.clone(), url).header("authorization", "canary").send().await.unwrap();
        let input: Value = response.json().await.unwrap();
        assert_eq!(input["raw"]["method"], method.as_str());
        assert_eq!((&input["raw"]["query"], &input["tenant"]), (&json!({"a": "1"}), &json!("acme")));
        assert_eq!(input["raw"]["path"], "/webhook/input");
        assert!(!input.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn policy_unknown_flows_and_failures_have_their_status() {
    let server = Running::start().await;
    for (path, status, expected) in [
        ("/webhook/private", 403, "GRH-0803"),
        ("/webhook/no-such-flow", 404, "GRH-0602"),
        ("/webhook/a%2Fb", 404, "GRH-0602"),
        ("/webhook/%FF", 400, "GRH-0801"),
        ("/webhook/trap", 502, "GRH-0503"),
        ("/webhook/busy", 503, "GRH-0611"),
        ("/t/nobody/webhook/echo", 404, "GRH-0600"),
        ("/t/closed/webhook/echo", 403, "GRH-0805"),
        ("/t/closed/webchat/conversations/c/activities", 403, "GRH-0805"),
        ("/nothing", 404, "GRH-0804"),
        ("/webchat/activities", 405, "GRH-0807"),
        ("/", 404, "GRH-0804"),
        ("/demo/trace?conversation=c", 404, "GRH-0804"),
    ] {
        let response = server.get(path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        let retry = response.headers().contains_key("retry-after");
        assert_eq!(retry, status == 503, "{path}");
        assert_eq!(code(response).await, expected, "{path}");
    }
}

#[tokio::test]
async fn errors_keep_the_insides_inside() {
    let server = Running::start().await;
    for path in ["/webhook/trap", "/webhook/busy", "/webhook/panic", "/%3Cscript%3Ealert(1)%3C/script%3E"] {
        let response = server.client.get(server.url(path)).header("x-request-id", "my.id-1").send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"], "my.id-1");
        let body = response.text().await.unwrap();
        assert!(body.contains("my.id-1") && !body.contains("canary") && !body.contains("<script"), "{body}");
    }
    let strange = server.client.get(server.url("/nothing")).header("x-request-id", "a b\"<x>").send().await.unwrap();
    assert_ne!(strange.headers()["x-request-id"], "a b\"<x>");
    // A panic is one request's misfortune.
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn the_tenant_is_in_the_path_or_the_default_or_the_only_one() {
    let server = Running::start().await;
    let tenant = async |server: &Running, path: &str| {
        server.get(path).await.json::<Value>().await.unwrap()["tenant"].as_str().map(str::to_owned)
    };
    assert_eq!(tenant(&server, "/webhook/input").await.as_deref(), Some("demo"));
    assert_eq!(tenant(&server, "/t/acme/webhook/input").await.as_deref(), Some("acme"));
    let unsure = Running::with(|options| options.default_tenant = None).await;
    assert_eq!(code(unsure.get("/webhook/input").await).await, "GRH-0600");
    unsure.host.only("acme");
    assert_eq!(tenant(&unsure, "/webhook/input").await.as_deref(), Some("acme"));
}

/// The code of an error that is told as a problem, after a check of the whole answer's form.
async fn problem(response: reqwest::Response) -> String {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    let code = body["error"]["code"].as_str().unwrap().to_owned();
    assert_eq!((&body["error"]["correlation_id"], &body["status"]), (&json!(id), &json!(status)));
    assert_eq!(body["type"], format!("urn:greentic:error:{code}"));
    assert!(body["title"].is_string() && body["detail"] == body["error"]["message"], "{body}");
    code
}

#[tokio::test]
async fn a_repeated_idempotency_key_runs_once_and_gets_the_same_answer() {
    let server = Running::start().await;
    let call =
        |key: &'static str| server.client.post(server.url("/webhook/count")).header("Idempotency-Key", key).send();
    let first = call("k1").await.unwrap().text().await.unwrap();
    let again = call("\"k1\"").await.unwrap().text().await.unwrap();
    let other = call("k2").await.unwrap().text().await.unwrap();
    assert_eq!((&*first, &*again, &*other), ("run 1", "run 1", "run 2"));
    let mut answered = 0;
    for response in futures::future::join_all((0..20).map(|_| call("k3"))).await {
        let response = response.unwrap();
        match response.status().as_u16() {
            200 => {
                answered += 1;
                assert_eq!(response.text().await.unwrap(), "run 3");
            }
            _ => assert_eq!(problem(response).await, "GRH-0867"),
        }
    }
    assert!(answered > 0);
    assert_eq!(server.host.runs(), 3);
}

#[tokio::test]
async fn an_idempotency_key_is_told_what_is_wrong_with_it() {
    let server = Running::start().await;
    let call = |flow: &str, key: &'static str, body: &'static str| {
        let url = server.url(&format!("/webhook/{flow}"));
        server.client.post(url).header("Idempotency-Key", key).body(body).send()
    };
    let bad = call("echo", "\"open", "x").await.unwrap();
    assert_eq!((bad.status().as_u16(), &*problem(bad).await), (400, "GRH-0865"));

    let first = tokio::spawn(call("hold", "k", "x"));
    server.host.held().await;
    let early = call("hold", "k", "x").await.unwrap();
    assert_eq!((early.status().as_u16(), &early.headers()["retry-after"]), (409, &"1".parse().unwrap()));
    assert_eq!(problem(early).await, "GRH-0867");
    let other = call("hold", "k", "y").await.unwrap();
    assert_eq!((other.status().as_u16(), &*problem(other).await), (422, "GRH-0866"));
    server.host.release();
    assert_eq!(first.await.unwrap().unwrap().text().await.unwrap(), "released");
    assert_eq!(call("hold", "k", "x").await.unwrap().text().await.unwrap(), "released");
    let other = call("hold", "k", "y").await.unwrap();
    assert_eq!((other.status().as_u16(), &*problem(other).await), (422, "GRH-0866"));
    assert_eq!(call("echo", "k", "y").await.unwrap().text().await.unwrap(), "echo", "another flow, another key");
    assert_eq!(server.host.runs(), 2);
}

#[tokio::test]
async fn answers_to_try_again_are_not_repeated() {
    let server = Running::start().await;
    for status in [429, 503] {
        let key = format!("k{status}");
        let call = || {
            let request = server.client.post(server.url("/webhook/answer")).header("Idempotency-Key", &key);
            request.json(&json!({ "status": status, "body": "later" })).send()
        };
        let before = server.host.runs();
        for _ in 0..3 {
            assert_eq!(call().await.unwrap().status(), status);
        }
        assert_eq!(server.host.runs(), before + 3, "{status}");
        let request = server.client.post(server.url("/webhook/answer")).header("Idempotency-Key", &key);
        let changed = request.json(&json!({ "status": 500, "body": "now" })).send().await.unwrap();
        assert_eq!(changed.status(), 500, "what is not kept binds nobody");
        assert_eq!(problem(call().await.unwrap()).await, "GRH-0866");
    }
}

#[tokio::test]
async fn a_slow_head_and_a_silent_connection_are_cut() {
    let limits = HttpLimits { header_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let server = Running::with(|options| options.limits = limits).await;
    for opening in [&b""[..], b"P", b"PRI * HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(opening).await.unwrap();
        let mut answer = Vec::new();
        // Ends when the server closes: the connection was not held.
        drop(stream.read_to_end(&mut answer).await);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_slow_body_is_refused_and_an_idle_connection_closed() {
    let limits = HttpLimits { body_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let server = Running::with(|options| options.limits = limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /webhook/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("GRH-0806"), "{answer}");

    // Nothing else would end the connection. An answer takes far less than a second, on a busy machine too.
    let limits = HttpLimits {
        idle_timeout: Duration::from_secs(1),
        header_timeout: Duration::from_secs(3600),
        ..HttpLimits::default()
    };
    let server = Running::with(|options| options.limits = limits).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(idle.read_to_end(&mut answer).await);
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = Running::start().await;
    let many = (0..200).fold(String::new(), |all, n| all + &format!("x-{n}: v\r\n"));
    let long = format!("x-long: {}\r\n", "v".repeat(100 << 10));
    for headers in [many, long] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may close before it has read all of it.
        drop(stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn too_many_requests_and_streams_are_shed() {
    let limits = HttpLimits { max_requests: 1, max_streams: 1, ..HttpLimits::default() };
    let server = Running::with(|options| options.limits = limits).await;
    let held = tokio::spawn(server.client.get(server.url("/webhook/hold")).send());
    server.host.held().await;
    let shed = server.get("/healthz").await;
    assert_eq!(
        (shed.status(), shed.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    server.host.release();
    assert_eq!(held.await.unwrap().unwrap().status(), 200);

    let first = server.get("/webchat/conversations/c1/stream").await;
    assert_eq!(server.get("/webchat/conversations/c1/stream").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(first.status(), 200);
}

#[tokio::test]
async fn what_is_under_way_finishes_when_the_server_stops() {
    let mut server = Running::start().await;
    let held = tokio::spawn(server.client.get(server.url("/webhook/hold")).send());
    server.host.held().await;
    let mut stream = server.get("/webchat/conversations/c1/stream").await;
    server.stop();
    // The stream ends because the server stops; the request does not.
    while let Ok(Some(_)) = stream.chunk().await {}
    assert!(TcpStream::connect(server.address).await.is_err() || !server.server.is_finished());
    server.host.release();
    assert_eq!(held.await.unwrap().unwrap().text().await.unwrap(), "released");
    server.server.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn draining_has_an_end() {
    let limits = HttpLimits { drain_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let mut server = Running::with(|options| options.limits = limits).await;
    let held = tokio::spawn(server.client.get(server.url("/webhook/hold")).send());
    server.host.held().await;
    server.stop();
    (&mut server.server).await.unwrap();
    assert!(held.await.unwrap().is_err());
}

#[tokio::test]
async fn the_demo_serves_its_page_to_this_machine_only() {
    let server = Running::with(|options| options.demo = true).await;
    let page = server.get("/").await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    assert!(page.text().await.unwrap().contains("/app.js"));
    for path in ["/app.js", "/style.css", "/icon.svg"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
    let rebound = server.client.get(server.url("/")).header("host", "evil.example").send().await.unwrap();
    assert_eq!((rebound.status(), &*code(rebound).await), (StatusCode::FORBIDDEN, "GRH-0803"));
    let request = server.client.post(server.url("/webchat/activities")).header("origin", "http://evil.example");
    let foreign = request.json(&activity("x")).send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.host.runs(), 0);
}

#[tokio::test]
async fn the_trace_shows_one_conversation_only() {
    let server = Running::with(|options| options.demo = true).await;
    let mut trace = server.get("/demo/trace?conversation=c1").await;
    let mut other = activity("secret of another");
    other["conversation"]["id"] = json!("c12");
    server.post("/webchat/activities", &other).await;
    server.say("mine").await;
    let seen = until(&mut trace, "\"what\":\"finished\"").await;
    assert!(seen.contains("demo:webchat:c1:u1") && !seen.contains("c12"), "{seen}");
    for bad in ["/demo/trace", "/demo/trace?conversation=", "/demo/trace?conversation=a:b"] {
        assert_eq!(code(server.get(bad).await).await, "GRH-0801", "{bad}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_said_so() {
    let server = Running::start().await;
    let options = ServerOptions { listen: server.address, ..ServerOptions::default() };
    let error = Server::bind(options, Arc::clone(&server.host) as _).await.unwrap_err();
    assert_eq!(error.code().to_string(), "GRH-0800");
    assert!(error.hint_text().unwrap().contains("--port"));
}

#[tokio::test]
async fn the_report_names_every_route_and_how_it_is_verified() {
    let options = ServerOptions { listen: ([127, 0, 0, 1], 0).into(), ..ServerOptions::default() };
    let server = Server::bind(options, Arc::new(TestHost::default())).await.unwrap();
    let routes = server.routes();
    for tenant in ["acme", "closed", "demo"] {
        let of_tenant: Vec<_> = routes.iter().filter(|route| *route.tenant == *tenant).collect();
        let (bound, rest): (Vec<_>, Vec<_>) = of_tenant.iter().copied().partition(|route| route.bound);
        let bound: Vec<_> = bound.iter().map(|r| format!("{} {} {}", r.route, r.on, r.verified)).collect();
        let expected: &[&str] = match tenant {
            "closed" => &[],
            _ => &[
                "POST /webchat/activities true OPEN: not verified (insecure: true)",
                "POST /v3/directline/conversations/{conversation}/activities true OPEN: not verified (insecure: true)",
                "POST /v3/directline/conversations/{conversation}/upload true OPEN: not verified (insecure: true)",
                "ANY /webhook/{flow_id} true OPEN: by allow_paths and deny_paths only",
            ],
        };
        assert_eq!(bound, expected, "{tenant}");
        assert!(rest.iter().all(|route| !route.on && route.verified == "off"), "{tenant}");
        assert!(of_tenant.iter().any(|route| route.route == "POST /slack/events"), "{tenant}");
    }
}

#[tokio::test]
async fn a_browser_that_comes_back_gets_a_page_with_nothing_of_its_request() {
    let server = Running::start().await;
    let script = "<script>alert(1)</script>";
    for (state, status, text) in [
        ("good", 200, "You can close this window"),
        ("refused", 400, "gave no consent"),
        ("down", 503, "does not answer now"),
        ("broken", 500, "finds the reason in its log"),
        (script, 400, "not good any more"),
    ] {
        for path in ["/oauth/callback", "/t/acme/oauth/callback"] {
            let query = [("state", state), ("code", script), ("error", script), ("error_description", script)];
            let answer = server.client.get(server.url(path)).query(&query).send().await.unwrap();
            let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!((answer.status().as_u16(), header("content-type")), (status, "text/html; charset=utf-8".into()));
            assert!(header("content-security-policy").contains("default-src 'none'"));
            assert_eq!((header("referrer-policy"), header("cache-control")), ("no-referrer".into(), "no-store".into()));
            let page = answer.text().await.unwrap();
            assert!(page.contains(text) && !page.contains("script") && !page.contains("canary"), "{page}");
        }
    }
    let twice = server.get("/oauth/callback?state=good&state=good").await;
    assert_eq!(twice.status(), 400, "which one counts is not guessed");
    let head = server.client.head(server.url("/oauth/callback?state=good")).send().await.unwrap();
    assert_eq!(head.status(), 405, "it would spend the state");
    assert_eq!(server.get("/t/nobody/oauth/callback?state=good").await.status(), 404);
}
