//! Requests that guests have the host make: every interface, by a guest that calls them all, against servers on this
//! machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Redirect;
use axum::routing::{any, get};
use bytes::Bytes;
use futures::{StreamExt, stream};
use greentic_runner_host::abi::Prepared;
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::capabilities::services::Services;
use greentic_runner_host::engine::limits::Limits;
use greentic_runner_host::outbound::{Outbound, Policy, Reason};
use greentic_runner_host::{Code, HostConfig};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::common::{Sources, event, host_of};
use crate::guests::{Rig, scope};
use crate::logged::Logged;

/// The interfaces as the guest calls them.
const ALL: [&str; 10] = [
    "http-client@1.0.0",
    "client@1.0.0",
    "http-client@1.1.0",
    "client@1.1.0",
    "http-v1",
    "http-v1 lines",
    "host-import@0.2.0",
    "host-import@0.4.0",
    "host-import@0.6.0",
    "wasi",
];

/// A server on a port of its own.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Says what it was asked, and does what the path says.
fn router() -> Router {
    let echo = any(|method: Method, headers: HeaderMap, uri: Uri, body: String| async move {
        let own: Vec<_> = headers.get_all("x-own").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        (
            [("x-answer", "1")],
            json!({ "method": method.as_str(), "uri": uri.to_string(), "own": own, "body": body }).to_string(),
        )
    });
    let endless = get(|| async {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 4096]))))
    });
    Router::new()
        .route("/echo", echo)
        .route("/endless", endless)
        .route(
            "/count",
            any(|body: Body| async move {
                let counted =
                    body.into_data_stream().fold(0, |sum, chunk| async move { sum + chunk.map_or(0, |c| c.len()) });
                counted.await.to_string()
            }),
        )
        .route("/limited", get(|| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "slow down") }))
        .route("/binary", get(|| async { vec![0xff_u8, 0xfe] }))
        .route("/metadata", get(|| async { Redirect::temporary("http://169.254.169.254/latest/meta-data") }))
        .route("/again", get(|| async { Redirect::temporary("/echo") }))
}

/// A server that takes connections and never answers.
async fn hanging() -> SocketAddr {
    hanging_and_telling().await.0
}

/// The same, which tells of each connection.
async fn hanging_and_telling() -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // Nobody may be listening.
            let _ = tell.send(());
            tokio::spawn(async move { connection.read_to_end(&mut Vec::new()).await });
        }
    });
    (address, told)
}

/// What the `http` section of bindings says, as a policy.
fn policy(http: &str) -> Policy {
    HostConfig::from_yaml(&format!("tenant: t\nhttp: {http}"), "test.yaml").unwrap().outbound()
}

fn limits() -> Limits {
    Limits { host_call_bytes: 8 << 20, memory_bytes: 32 << 20, output_bytes: 1 << 20, ..crate::guests::limits() }
}

/// A rig with a guest whose requests `http` allows.
async fn rig(http: &str) -> (Rig, Arc<Prepared>) {
    let mut rig = Rig::new(limits());
    rig.services = Services { http: Arc::new(Outbound::new(policy(http))), ..Services::default() };
    let guest = rig.guest("web-client").await;
    (rig, guest)
}

async fn ask(rig: &Rig, guest: &Prepared, input: Value) -> Value {
    rig.call(guest, scope("t", "s"), "ask", &input).await.unwrap_or_else(|f| panic!("{input}: {}", f.error)).output
}

/// Asserts that the guest got the error of the interface `by` for `reason`.
fn assert_failed(by: &str, output: &Value, reason: Reason) {
    let (code, message) = error_for(by, reason);
    let said = |key| output["error"][key].as_str().unwrap_or_else(|| panic!("{by} {reason}: {output}"));
    assert!(said("code").contains(&code), "{by} {reason}: {output}");
    assert!(said("message").starts_with(&message), "{by} {reason}: {output}");
}

/// What the code of an error holds, and how its message begins.
fn error_for(by: &str, reason: Reason) -> (String, String) {
    use greentic_runner_host::outbound::Kind;
    let (code, case) = match reason.kind() {
        Kind::Invalid => ("invalid-arg", "InvalidArg"),
        Kind::Denied => ("denied", "Denied"),
        Kind::Unavailable => ("unavailable", "Unavailable"),
        Kind::Internal => ("internal", "Internal"),
    };
    match by {
        // In the middle of a stream there is only text.
        "wasi" if reason == Reason::AnswerTooLarge => {
            ("wasi".to_owned(), "HTTP response body size exceeds limit".to_owned())
        }
        "wasi" => {
            let name = match reason {
                Reason::AddressNotPublic => "DestinationIpProhibited",
                Reason::TimedOut => "HttpResponseTimeout",
                Reason::RequestTooLarge => "HttpRequestBodySize(None)",
                Reason::NotConnected => "ConnectionRefused",
                _ => "HttpRequestDenied",
            };
            ("wasi".to_owned(), format!("ErrorCode::{name}"))
        }
        "host-import@0.2.0" => (format!("IfaceError::{case}"), String::new()),
        _ if by.starts_with("host-import") => (format!("name: \"{code}\""), String::new()),
        _ => (code.to_owned(), format!("{reason}: ")),
    }
}

#[tokio::test]
async fn every_interface_sends_a_request_and_gets_the_answer() {
    let address = serve(router()).await;
    let (rig, guest) = rig(&format!("{{ allow: ['http://{address}'] }}")).await;
    for by in ALL {
        let input = json!({
            "by": by, "method": "POST", "url": format!("http://{address}/echo?q=1"), "body": "grüezi",
            "headers": [["x-own", "a: b"], ["x-other", "c"]],
        });
        let answer = rig.call(&guest, scope("t", "s"), "ask", &input).await.unwrap();
        let body: Value = serde_json::from_str(answer.output["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({ "method": "POST", "uri": "/echo?q=1", "own": ["a: b"], "body": "grüezi" }), "{by}");
        if !by.starts_with("http-v1") {
            assert_eq!(answer.output["status"], 200, "{by}");
            assert!(answer.output["headers"].to_string().contains("x-answer"), "{by}");
        }
        let [call] = answer.host_calls.as_slice() else { panic!("{by}: {:?}", answer.host_calls) };
        assert!(call.ok && call.note == format!("POST http://{address}: 200"), "{by}: {call:?}");
    }
    assert_eq!(rig.services.http.tally().counts().answered, ALL.len() as u64);
    let logged = rig.call(&guest, scope("t", "s"), "log", &json!({ "note": "n", "url": "" })).await.unwrap();
    assert_eq!(logged.output, json!({ "logged": true }));
}

#[tokio::test]
async fn every_interface_refuses_in_its_own_terms_and_the_reason_is_the_same_everywhere() {
    let address = serve(router()).await;
    let http = format!("{{ allow: ['http://{address}', '*', 'https://api.example.com'] }}");
    for (url, reason) in [
        ("http://169.254.169.254/latest/meta-data/canary", Reason::AddressNotPublic),
        ("http://[::ffff:169.254.169.254]/canary", Reason::AddressNotPublic),
        ("http://2852039166/canary", Reason::AddressNotPublic),
        ("http://localhost/canary", Reason::AddressNotPublic),
        (&format!("http://127.0.0.1:{}/canary", address.port() ^ 1), Reason::AddressNotPublic),
        ("https://user:canary@api.example.com/", Reason::CredentialsInUrl),
        (&format!("http://{address}/endless"), Reason::AnswerTooLarge),
    ] {
        let (logged, _guard) = Logged::here();
        let (rig, guest) = rig(&http).await;
        let mut asked = 0;
        for by in ALL {
            // WASI takes no such authority, whatever the host says.
            if by == "wasi" && reason == Reason::CredentialsInUrl {
                continue;
            }
            asked += 1;
            let answer = rig.call(&guest, scope("t", "s"), "ask", &json!({ "by": by, "url": url })).await.unwrap();
            let error = &answer.output["error"];
            assert_failed(by, &answer.output, reason);
            assert!(!error.to_string().contains("canary"), "{by} {url}: {error}");
            // A body that streams fails after its head was there.
            if by == "wasi" && reason == Reason::AnswerTooLarge {
                continue;
            }
            let [call] = answer.host_calls.as_slice() else { panic!("{by} {url}: {:?}", answer.host_calls) };
            assert!(!call.ok && call.note.ends_with(&format!(": {reason}")), "{by} {url}: {call:?}");
        }
        let counts = rig.services.http.tally().counts();
        assert_eq!(counts.failed, [(reason, asked)], "{url}");
        let log = logged.take();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("greentic::outbound")).collect();
        assert_eq!(lines.len() as u64, asked, "{log}");
        for line in lines {
            assert!(line.contains(&format!("reason={reason} tenant=t pack=pack component=component")), "{line}");
        }
        assert!(!log.contains("canary") && !log.contains("somebody-else"), "{log}");
    }
}

#[tokio::test]
async fn nothing_is_asked_unless_the_bindings_say_so() {
    let address = serve(router()).await;
    let url = format!("http://{address}/echo");
    let bound = "flow_type_bindings: { messaging: { adapter: webchat } }";
    for (bindings, reason) in [
        (String::new(), Reason::Disabled),
        ("http_enabled: true".to_owned(), Reason::HostNotAllowed),
        (bound.to_owned(), Reason::HostNotAllowed),
        (format!("{bound}\nhttp_enabled: false"), Reason::Disabled),
        (format!("http_enabled: false\nhttp: {{ allow: ['http://{address}'] }}"), Reason::Disabled),
        (format!("grants: [state]\nhttp: {{ allow: ['http://{address}'] }}"), Reason::Disabled),
        ("http: { allow: ['*'] }".to_owned(), Reason::AddressNotPublic),
        (format!("http: {{ allow: ['https://{address}'] }}"), Reason::HostNotAllowed),
    ] {
        let config = HostConfig::from_yaml(&format!("tenant: t\n{bindings}"), "test.yaml").unwrap();
        let mut rig = Rig::new(limits());
        rig.services = Services { http: Arc::new(Outbound::new(config.outbound())), ..Services::default() };
        let guest = rig.guest("web-client").await;
        let answer = ask(&rig, &guest, json!({ "by": "http-client@1.1.0", "url": url })).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{reason}: ")), "{bindings}: {message}");
    }
    let rig = Rig::new(limits());
    let guest = rig.guest("web-client").await;
    let answer = ask(&rig, &guest, json!({ "by": "wasi", "url": url })).await;
    assert_eq!(answer["error"]["message"], "ErrorCode::HttpRequestDenied", "nobody's guest asks nobody");
}

#[tokio::test]
async fn a_component_without_the_grant_is_refused_by_name() {
    let rig = Rig::new(limits());
    let error = rig.prepare("web-client", Grants::all().without(Grant::Http)).await.unwrap_err();
    let details = error.details();
    assert_eq!(details.len(), 8, "{error}");
    for detail in details {
        assert_eq!(detail.code(), Code::ImportNotGranted);
        assert!(detail.hint_text().unwrap().contains("grant `http`"), "{detail}");
    }
}

#[tokio::test]
async fn every_option_of_a_request_works_or_is_refused_by_name() {
    let (address, hanging) = (serve(router()).await, hanging().await);
    let (rig, guest) =
        rig(&format!("{{ allow: ['http://{address}', 'http://{hanging}', 'https://{address}'] }}")).await;
    let with = async |by: &str, url: String, options: Value| {
        ask(&rig, &guest, json!({ "by": by, "url": url, "options": options })).await
    };
    for by in ["http-client@1.1.0", "client@1.1.0"] {
        let again = format!("http://{address}/again");
        assert_eq!(with(by, again.clone(), json!({})).await["status"], 200);
        assert_eq!(with(by, again.clone(), json!({ "follow-redirects": true })).await["status"], 200);
        assert_eq!(with(by, again, json!({ "follow-redirects": false })).await["status"], 307);
        let late = with(by, format!("http://{hanging}/"), json!({ "timeout-ms": 50 })).await;
        assert!(late["error"]["message"].as_str().unwrap().starts_with("timed_out: "), "{late}");
        let careless = with(by, format!("https://{address}/"), json!({ "allow-insecure": true })).await;
        assert_eq!(careless["error"]["code"], "denied");
        assert!(careless["error"]["message"].as_str().unwrap().starts_with("insecure_not_allowed: "), "{careless}");
        let plain = with(by, format!("http://{address}/echo"), json!({ "allow-insecure": true })).await;
        assert_eq!(plain["status"], 200, "there is no certificate to verify");
    }
    let late = with("wasi", format!("http://{hanging}/"), json!({ "first-byte-timeout-ms": 50 })).await;
    assert_eq!(late["error"]["message"], "ErrorCode::HttpResponseTimeout");
    let redirect = with("wasi", format!("http://{address}/again"), json!({})).await;
    assert_eq!(redirect["status"], 307, "the interface leaves redirects to the component");
}

#[tokio::test]
async fn answers_of_every_status_are_answers_and_redirects_are_judged() {
    let address = serve(router()).await;
    let (rig, guest) = rig(&format!("{{ allow: ['http://{address}', '*'] }}")).await;
    for by in ALL {
        let limited = ask(&rig, &guest, json!({ "by": by, "url": format!("http://{address}/limited") })).await;
        assert_eq!(limited["body"], "slow down", "{by}");
        if !by.starts_with("http-v1") {
            assert_eq!(limited["status"], 429, "{by}");
            assert!(limited["headers"].to_string().contains("retry-after"), "{by}");
        }
        let metadata = ask(&rig, &guest, json!({ "by": by, "url": format!("http://{address}/metadata") })).await;
        if by == "wasi" {
            assert_eq!(metadata["status"], 307);
            continue;
        }
        assert_failed(by, &metadata, Reason::AddressNotPublic);
    }
    for by in ["host-import@0.2.0", "host-import@0.4.0", "host-import@0.6.0"] {
        let binary = ask(&rig, &guest, json!({ "by": by, "url": format!("http://{address}/binary") })).await;
        assert_failed(by, &binary, Reason::NotText);
    }
    assert!(rig.services.http.tally().counts().failed.contains(&(Reason::NotText, 3)));
}

#[tokio::test]
async fn headers_that_would_mislead_are_refused() {
    let address = serve(router()).await;
    let (rig, guest) = rig(&format!("{{ allow: ['http://{address}'] }}")).await;
    let url = format!("http://{address}/echo");
    for (name, value, reason) in [
        ("x-own", "a\r\nhost: evil", Reason::BadHeader),
        ("x\r\nhost: evil", "a", Reason::BadHeader),
        ("host", "evil.example", Reason::HeaderNotAllowed),
        ("Transfer-Encoding", "chunked", Reason::HeaderNotAllowed),
        ("connection", "x-own", Reason::HeaderNotAllowed),
        ("content-length", "9", Reason::HeaderNotAllowed),
        ("proxy-authorization", "x", Reason::HeaderNotAllowed),
    ] {
        for by in ALL.iter().filter(|by| **by != "wasi" && **by != "http-v1 lines") {
            let answer = ask(&rig, &guest, json!({ "by": by, "url": url, "headers": [[name, value]] })).await;
            assert_failed(by, &answer, reason);
        }
        let wasi = ask(&rig, &guest, json!({ "by": "wasi", "url": url, "headers": [[name, value]] })).await;
        assert!(wasi["error"].is_object(), "{name:?}: {wasi}");
    }
    let flood = rig.call(&guest, scope("t", "s"), "flood", &json!({ "url": url, "count": 1000 })).await.unwrap();
    assert!(flood.output["error"]["message"].as_str().unwrap().starts_with("too_many_headers: "), "{}", flood.output);
    let flood = rig.call(&guest, scope("t", "s"), "flood", &json!({ "url": url, "count": 100_000 })).await;
    match flood {
        Ok(answer) => assert!(answer.output["error"]["message"].as_str().unwrap().starts_with("too_many_headers: ")),
        Err(failure) => {
            assert!(matches!(failure.error.code(), Code::GuestHostCalls | Code::GuestMemory), "{}", failure.error)
        }
    }
    assert_eq!(ask(&rig, &guest, json!({ "by": "wasi", "url": url })).await["status"], 200, "the host is unharmed");
}

#[tokio::test]
async fn headers_beyond_what_a_request_may_have_are_an_error_of_wasi() {
    let address = serve(router()).await;
    let (rig, guest) = rig(&format!("{{ allow: ['http://{address}'] }}")).await;
    let url = format!("http://{address}/echo");
    let headers = |count: usize, bytes: usize| -> Value {
        (0..count).map(|n| json!([format!("x-{n}"), "y".repeat(bytes)])).collect()
    };
    for (count, bytes) in [(1, 20 << 10), (5_000, 1)] {
        let answer = ask(&rig, &guest, json!({ "by": "wasi", "url": url, "headers": headers(count, bytes) })).await;
        assert_eq!(answer["error"]["message"], "HeaderError::Forbidden", "{count} of {bytes}: {answer}");
    }
    let fits = ask(&rig, &guest, json!({ "by": "wasi", "url": url, "headers": headers(10, 100) })).await;
    assert_eq!(fits["status"], 200, "{fits}");
}

#[tokio::test]
async fn requests_are_host_calls_of_which_an_invocation_has_so_many() {
    let address = serve(router()).await;
    let (mut rig, guest) = rig(&format!("{{ allow: ['http://{address}'] }}")).await;
    rig.limits.host_calls = 3;
    let asked = |by: &str, times: u32| json!({ "by": by, "times": times, "url": format!("http://{address}/echo") });
    for by in ["wasi", "http-client@1.1.0"] {
        // Of the requests all but the last are made by `wasi`.
        assert_eq!(ask(&rig, &guest, asked(by, 3)).await["status"], 200, "{by}");
    }
    let beyond = ask(&rig, &guest, asked("wasi", 4)).await;
    assert_eq!(beyond["error"]["message"], "ErrorCode::HttpRequestDenied", "{beyond}");
    let answered = rig.services.http.tally().counts().answered;
    assert_eq!(answered, 9, "the one too many was not sent");
    let mixed = rig.call(&guest, scope("t", "s"), "ask", &asked("http-client@1.1.0", 4)).await.unwrap_err();
    assert_eq!(mixed.error.code(), Code::GuestHostCalls, "{}", mixed.error);
}

#[tokio::test]
async fn bodies_are_bounded_both_ways() {
    let address = serve(router()).await;
    let (rig, guest) =
        rig(&format!("{{ allow: ['http://{address}'], max_request: 64KiB, max_response: 64KiB }}")).await;
    let url = format!("http://{address}/count");
    for by in ALL {
        let fits = json!({ "by": by, "url": url, "method": "POST", "body": "x".repeat(64 << 10) });
        assert_eq!(ask(&rig, &guest, fits).await["body"], "65536", "{by}");
        let beyond = json!({ "by": by, "url": url, "method": "POST", "body": "x".repeat((64 << 10) + 1) });
        let answer = ask(&rig, &guest, beyond).await;
        assert_failed(by, &answer, Reason::RequestTooLarge);
    }
    let poured = rig.call(&guest, scope("t", "s"), "pour", &json!({ "url": url, "method": "POST" })).await.unwrap();
    assert_eq!(poured.output["error"]["message"], "ErrorCode::HttpRequestBodySize(None)", "{}", poured.output);
}

#[tokio::test]
async fn a_guest_hears_in_time_that_its_time_is_up() {
    let (address, hanging) = (serve(router()).await, hanging().await);
    let (mut rig, guest) = rig(&format!("{{ allow: ['http://{address}', 'http://{hanging}'] }}")).await;
    // It hears of it a tenth before its end, which is time enough to end by itself on a busy machine too.
    rig.limits.timeout = Duration::from_secs(2);
    let asked = ALL.map(|by| ask(&rig, &guest, json!({ "by": by, "url": format!("http://{hanging}/") })));
    for (by, answer) in ALL.iter().zip(futures::future::join_all(asked).await) {
        assert_failed(by, &answer, Reason::TimedOut);
    }
    assert_eq!(
        ask(&rig, &guest, json!({ "by": "wasi", "url": format!("http://{address}/echo") })).await["status"],
        200
    );
}

#[tokio::test]
async fn one_tenant_that_waits_for_answers_does_not_hold_up_another() {
    let (address, (hanging, mut asked)) = (serve(router()).await, hanging_and_telling().await);
    let http = format!("{{ allow: ['http://{address}', 'http://{hanging}'], concurrency: 2 }}");
    let (evil, guest) = rig(&http).await;
    let (good, other) = rig(&http).await;
    let by = |url: String, ms: u32| json!({ "by": "client@1.1.0", "url": url, "options": { "timeout-ms": ms } });
    let hang = |ms| by(format!("http://{hanging}/"), ms);
    let attack = async {
        let (one, two) = (hang(2000), hang(2000));
        tokio::join!(ask(&evil, &guest, one), ask(&evil, &guest, two))
    };
    let rest = async {
        asked.recv().await.unwrap();
        asked.recv().await.unwrap();
        // Both places are taken now.
        let further = ask(&evil, &guest, by(format!("http://{address}/echo"), 50)).await;
        assert_failed("client@1.1.0", &further, Reason::Busy);
        let neighbour = ask(&good, &other, by(format!("http://{address}/echo"), 2000)).await;
        assert_eq!(neighbour["status"], 200);
    };
    let ((one, two), ()) = tokio::join!(attack, rest);
    assert_failed("client@1.1.0", &one, Reason::TimedOut);
    assert_failed("client@1.1.0", &two, Reason::TimedOut);
    let counts = evil.services.http.tally().counts();
    assert_eq!((counts.answered, counts.failed), (0, vec![(Reason::Busy, 1), (Reason::TimedOut, 2)]));
}

#[tokio::test]
async fn shapes_of_their_own_make_the_same_requests() {
    let address = serve(router()).await;
    let (rig, _) = rig(&format!("{{ allow: ['http://{address}'] }}")).await;
    let guest = rig.guest("drifted-web").await;
    for op in ["client", "alias", "own"] {
        let input = json!({ "url": format!("http://{address}/echo"), "body": "text" });
        let answer = rig.call(&guest, scope("t", "s"), op, &input).await.unwrap().output;
        assert_eq!(answer["status"], 200, "{op}: {answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({ "method": "POST", "uri": "/echo", "own": ["given"], "body": "text" }), "{op}");
        let denied = json!({ "url": "http://169.254.169.254/", "body": "" });
        let answer = rig.call(&guest, scope("t", "s"), op, &denied).await.unwrap().output;
        let code = if op == "own" { "Failure::Denied" } else { "denied" };
        assert_eq!(answer["error"], code, "{op}: {answer}");
        assert!(answer["message"].as_str().unwrap().starts_with("host_not_allowed: "), "{op}: {answer}");
    }
    let redirected = json!({ "url": format!("http://{address}/again"), "body": "" });
    let answer = rig.call(&guest, scope("t", "s"), "own", &redirected).await.unwrap().output;
    assert_eq!(answer["status"], 405, "its option to follow no redirects is read, and no other is asked: {answer}");
}

#[tokio::test]
async fn what_bindings_allow_holds_in_flows() {
    const FLOW: &str = "
id: main
type: messaging
nodes:
  call:
    component.exec:
      component: web
      operation: ask
      input: { by: http-client@1.1.0, url: '{{in.text}}' }
    routing: reply
";
    let address = serve(router()).await;
    let pack = Sources::of_flow(FLOW).component("web", "web-client");
    let bindings = format!("tenant: t\nhttp: {{ allow: ['http://{address}'] }}");
    let host = host_of(&bindings, &pack, |builder| builder.with_memory_store()).await.unwrap();
    let say = async |text: String| {
        let outcome = host.submit(event("s", json!({ "text": text }))).await.unwrap().outcome().await.unwrap();
        outcome.replies[0].clone()
    };
    assert_eq!(say(format!("http://{address}/limited")).await["body"], "slow down");
    let denied = say("http://169.254.169.254/".to_owned()).await;
    assert_eq!(denied["error"]["code"], "denied", "{denied}");
    let counts = host.outbound_counts("t").unwrap();
    assert_eq!((counts.answered, counts.failed), (1, vec![(Reason::HostNotAllowed, 1)]));
    host.stop().await.unwrap();
    // The event's time ends before the component's, and the component hears of it.
    let hanging = hanging().await;
    let bindings = format!(
        "tenant: t\nlimits: {{ timeout: 1m, event_deadline: 8s }}\nhttp: {{ allow: ['http://{hanging}'], timeout: 1m }}"
    );
    let host = host_of(&bindings, &pack, |builder| builder.with_memory_store()).await.unwrap();
    let outcome =
        host.submit(event("s", json!({ "text": format!("http://{hanging}/") }))).await.unwrap().outcome().await;
    let answer = outcome.unwrap().replies[0].clone();
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("timed_out: "), "{answer}");
    host.stop().await.unwrap();
}
