//! The admin API: who may use it, what it shows, what it writes down.

use std::path::Path;
use std::sync::Arc;

use greentic_runner_host::audit::{self, AuditLog};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::server::AdminOptions;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{Running, code};

const STATUS: &str = "/admin/packs/status";
const RELOAD: &str = "/admin/packs/reload";

async fn with_token(token: Option<&str>, audit: AuditLog) -> Running {
    let admin = AdminOptions { token: token.map(Secret::new), audit: Arc::new(audit) };
    Running::with(|options| options.admin = admin).await
}

async fn send(server: &Running, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = server.client.request(method, server.url(path));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

fn audited(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join(audit::FILE)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn readiness_says_why_not_without_naming_tenants() {
    let server = Running::start().await;
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    assert_eq!(ready.json::<Value>().await.unwrap(), json!({"ready": true, "reasons": []}));
    server.host.set_packs(0);
    let not = server.get("/readyz").await;
    assert_eq!(not.status(), 503);
    let reasons = json!({"ready": false, "reasons": [{"code": "GRH-0209", "tenants": 2}]});
    assert_eq!(not.json::<Value>().await.unwrap(), reasons);
    assert_eq!(server.get("/healthz").await.status(), 200, "alive all the same");
}

#[tokio::test]
async fn a_server_that_drains_is_not_ready() {
    let mut server = Running::start().await;
    let held = tokio::spawn(server.client.get(server.url("/webhook/hold")).send());
    server.host.held().await;
    // A second request on a connection that is open already.
    let mut open = tokio::net::TcpStream::connect(server.address).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    open.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    // Connections are accepted in their order: once a later one is answered, that one is served too.
    let mut later = tokio::net::TcpStream::connect(server.address).await.unwrap();
    later.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    later.read_to_end(&mut Vec::new()).await.unwrap();
    server.stop();
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.write_all(b"\r\n").await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("503") && answer.contains("GRH-0610"), "{answer}");
    server.host.release();
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_reload_is_accepted_and_its_outcome_told() {
    let server = Running::start().await;
    let before = server.get("/admin/packs/reloads/reload-1").await;
    assert_eq!((before.status().as_u16(), &*code(before).await), (404, "GRH-0818"));
    let first = send(&server, Method::POST, RELOAD, &[]).await;
    assert_eq!(first.status(), 202);
    assert_eq!(first.headers()["location"], "/admin/packs/reloads/reload-1");
    assert_eq!(first.json::<Value>().await.unwrap(), json!({"status": "reload requested", "id": "reload-1"}));
    let report: Value = server.get("/admin/packs/reloads/reload-1").await.json().await.unwrap();
    assert_eq!((&report["id"], &report["state"]), (&json!("reload-1"), &json!("running")));
    // Requests of a storm share what the reloader lets them share.
    let storm = (0..4).map(|_| send(&server, Method::POST, RELOAD, &[]));
    for response in futures::future::join_all(storm).await {
        assert_eq!(response.json::<Value>().await.unwrap()["id"], "reload-1");
    }
    let refused = send(&server, Method::POST, RELOAD, &[]).await;
    assert_eq!((refused.status().as_u16(), &*code(refused).await), (503, "GRH-0611"));
    let other = server.get("/admin/packs/reloads/a%2F..%2Fb").await;
    assert_eq!((other.status().as_u16(), &*code(other).await), (404, "GRH-0818"));
}

#[tokio::test]
async fn with_a_token_requests_must_carry_it() {
    let server = with_token(Some("canary-token"), AuditLog::without_file()).await;
    let good = ("authorization", "Bearer canary-token");
    for (method, path) in [
        (Method::GET, STATUS),
        (Method::POST, RELOAD),
        (Method::GET, "/admin/packs/reloads/x"),
        (Method::GET, "/admin/dead-letters"),
        (Method::POST, "/admin/dead-letters/1/replay"),
        (Method::DELETE, "/admin/dead-letters/1"),
        (Method::GET, "/admin/undelivered"),
        (Method::GET, "/admin/timers"),
        (Method::GET, "/admin/grants"),
        (Method::GET, "/admin/providers"),
        (Method::GET, "/admin/providers/health"),
        (Method::PUT, "/admin/providers/demo/mail"),
        (Method::DELETE, "/admin/providers/demo/mail"),
        (Method::POST, "/admin/providers/demo/mail/enable"),
        (Method::POST, "/admin/providers/demo/mail/disable"),
        (Method::POST, "/admin/undelivered/7/resend"),
        (Method::DELETE, "/admin/undelivered/7"),
    ] {
        let response = send(&server, method.clone(), path, &[]).await;
        assert_eq!(response.status(), 401, "{method} {path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"admin\"");
        assert_eq!(code(response).await, "GRH-0814");
    }
    assert_eq!((server.host.reloads(), server.host.changes()), (0, 0));
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[good], 200),
        (&[("authorization", "BEARER canary-token")], 200),
        (&[good, ("host", "bots.example"), ("origin", "https://bots.example")], 200),
        (&[good, ("x-forwarded-for", "10.0.0.1")], 200),
        (&[("authorization", "Bearer canary")], 401),
        (&[("authorization", "Bearer canary-token-and-more")], 401),
        (&[("authorization", "Basic canary-token")], 401),
        (&[good, good], 401),
        (&[good, ("origin", "https://evil.example")], 403),
        (&[good, ("origin", "null")], 403),
    ];
    for (headers, status) in cases {
        assert_eq!(send(&server, Method::GET, STATUS, headers).await.status(), *status, "{headers:?}");
    }
    let refused = send(&server, Method::POST, RELOAD, &[good, ("origin", "https://evil.example")]).await;
    assert_eq!((refused.status().as_u16(), &*code(refused).await), (403, "GRH-0815"));
    assert_eq!(server.host.reloads(), 0);
    // Everybody may see how the host is.
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_a_page_cannot_use_the_operators_browser() {
    let server = Running::start().await;
    let port = server.address.port();
    let own = format!("http://localhost:{port}");
    let (host, local) = (format!("localhost:{port}"), ("host", "evil.example"));
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 200),
        (&[("host", &host), ("origin", &own)], 200),
        // A name that somebody else resolves to this machine.
        (&[local], 403),
        (&[local, ("origin", "http://evil.example")], 403),
        (&[("host", &host), ("origin", "http://evil.example")], 403),
        (&[("host", &host), ("origin", "null")], 403),
        // A proxy of this machine makes everybody a client of this machine.
        (&[("x-forwarded-for", "203.0.113.9")], 403),
    ];
    for (headers, status) in cases {
        assert_eq!(send(&server, Method::GET, STATUS, headers).await.status(), *status, "{headers:?}");
        if *status == 403 {
            for path in [RELOAD, "/admin/dead-letters/1/replay", "/admin/undelivered/7/resend"] {
                let response = send(&server, Method::POST, path, headers).await;
                assert_eq!(code(response).await, "GRH-0815", "{path} {headers:?}");
            }
        }
    }
    assert_eq!((server.host.reloads(), server.host.changes()), (0, 0));
}

#[tokio::test]
async fn changes_are_written_down_before_they_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_token(Some("canary"), AuditLog::open(dir.path()).unwrap()).await;
    let good = ("authorization", "Bearer canary");
    assert_eq!(send(&server, Method::POST, RELOAD, &[]).await.status(), 401);
    send(&server, Method::GET, STATUS, &[good]).await;
    send(&server, Method::POST, RELOAD, &[good, ("x-request-id", "c-1")]).await;
    for _ in 0..5 {
        send(&server, Method::POST, RELOAD, &[good, ("x-request-id", "c-2")]).await;
    }
    let lines = audited(dir.path());
    assert_eq!(lines.len(), 12, "each of six requests, before and after; nothing that was refused or only read");
    for line in &lines {
        assert_eq!((&line["action"], &line["by"]), (&json!("packs.reload"), &json!("127.0.0.1")));
        assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    let parts =
        |line: &Value| [&line["outcome"], &line["correlation_id"], &line["reload"], &line["code"]].map(Clone::clone);
    assert_eq!(parts(&lines[0]), [json!("begun"), json!("c-1"), Value::Null, Value::Null]);
    assert_eq!(parts(&lines[1]), [json!("done"), json!("c-1"), json!("reload-1"), Value::Null]);
    assert_eq!(parts(&lines[11]), [json!("failed"), json!("c-2"), Value::Null, json!("GRH-0611")]);
    let text = std::fs::read_to_string(dir.path().join(audit::FILE)).unwrap();
    assert!(!text.contains("canary"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join(audit::FILE)).unwrap();
    let server = with_token(None, AuditLog::open(dir.path()).unwrap()).await;
    for (method, path) in [
        (Method::POST, RELOAD),
        (Method::POST, "/admin/dead-letters/1/replay"),
        (Method::DELETE, "/admin/dead-letters/1"),
        (Method::POST, "/admin/undelivered/7/resend"),
        (Method::DELETE, "/admin/undelivered/7"),
    ] {
        let response = send(&server, method, path, &[]).await;
        assert_eq!((response.status().as_u16(), &*code(response).await), (503, "GRH-0816"), "{path}");
    }
    assert_eq!((server.host.reloads(), server.host.changes()), (0, 0));
}

#[tokio::test]
async fn dead_letters_are_replayed_and_purged() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_token(None, AuditLog::open(dir.path()).unwrap()).await;
    let replayed = send(&server, Method::POST, "/admin/dead-letters/3/replay", &[]).await;
    assert_eq!(replayed.status(), 202);
    assert_eq!(replayed.json::<Value>().await.unwrap(), json!({"status": "replay requested", "event": 103}));
    let purged = send(&server, Method::DELETE, "/admin/dead-letters/3", &[]).await;
    assert_eq!((purged.status().as_u16(), &*purged.text().await.unwrap()), (204, ""));
    let cases = [
        (Method::POST, "/admin/dead-letters/2/replay", 409, "GRH-0853"),
        (Method::POST, "/admin/dead-letters/4/replay", 404, "GRH-0852"),
        (Method::DELETE, "/admin/dead-letters/4", 404, "GRH-0852"),
        (Method::POST, "/admin/dead-letters/x/replay", 400, "GRH-0801"),
        (Method::POST, "/admin/dead-letters/-1/replay", 400, "GRH-0801"),
        (Method::DELETE, "/admin/dead-letters/18446744073709551616", 400, "GRH-0801"),
        (Method::GET, "/admin/dead-letters/3", 405, "GRH-0807"),
    ];
    for (method, path, status, expected) in cases {
        let response = send(&server, method.clone(), path, &[]).await;
        assert_eq!((response.status().as_u16(), &*code(response).await), (status, expected), "{method} {path}");
    }
    let told: Vec<_> = audited(dir.path())
        .iter()
        .map(|line| {
            ["action", "outcome", "detail", "code"].map(|key| line[key].as_str().unwrap_or("-").to_owned()).join(" ")
        })
        .collect();
    let expected = [
        "dead-letter.replay begun event 3 -",
        "dead-letter.replay done event 3 is event 103 now -",
        "dead-letter.purge begun event 3 -",
        "dead-letter.purge done event 3 -",
        "dead-letter.replay begun event 2 -",
        "dead-letter.replay failed event 2 GRH-0853",
        "dead-letter.replay begun event 4 -",
        "dead-letter.replay failed event 4 GRH-0852",
        "dead-letter.purge begun event 4 -",
        "dead-letter.purge failed event 4 GRH-0852",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn undelivered_replies_are_listed_without_what_they_say() {
    let server = Running::start().await;
    let all = server.get("/admin/undelivered").await.text().await.unwrap();
    assert!(!all.contains("canary"), "{all}");
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        all["undelivered"][0],
        json!({
            "id": 9, "tenant": "demo", "provider": "slack", "code": "GRH-0850",
            "title": "A reply is not the oldest of its route any more.", "made": "1970-01-01T00:00:00Z",
            "failed": "1970-01-01T00:00:01Z", "parts_delivered": 2, "payload_bytes": 6,
        })
    );
    let ids = async |query: &str| {
        let list: Value = server.get(&format!("/admin/undelivered?{query}")).await.json().await.unwrap();
        list["undelivered"].as_array().unwrap().iter().map(|reply| reply["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [9, 8, 7]);
    assert_eq!(ids("tenant=acme").await, [8]);
    assert_eq!(ids("limit=1").await, [9]);
    let response = server.get("/admin/undelivered?limit=0").await;
    assert_eq!((response.status().as_u16(), &*code(response).await), (400, "GRH-0801"));
}

#[tokio::test]
async fn undelivered_replies_are_sent_again_and_purged() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_token(None, AuditLog::open(dir.path()).unwrap()).await;
    let resent = send(&server, Method::POST, "/admin/undelivered/9/resend", &[]).await;
    assert_eq!(resent.status(), 202);
    assert_eq!(resent.json::<Value>().await.unwrap(), json!({"status": "resend requested"}));
    assert_eq!(send(&server, Method::DELETE, "/admin/undelivered/8", &[]).await.status(), 204);
    for (method, path) in [(Method::POST, "/admin/undelivered/1/resend"), (Method::DELETE, "/admin/undelivered/1")] {
        let response = send(&server, method, path, &[]).await;
        assert_eq!((response.status().as_u16(), &*code(response).await), (404, "GRH-0851"), "{path}");
    }
    let lines = audited(dir.path());
    let told: Vec<_> = lines.iter().map(|line| [&line["action"], &line["outcome"], &line["detail"]]).collect();
    assert_eq!(told.len(), 8);
    assert_eq!(told[1], [&json!("undelivered.resend"), &json!("done"), &json!("reply 9")]);
    assert_eq!(told[3], [&json!("undelivered.purge"), &json!("done"), &json!("reply 8")]);
    assert_eq!(told[7], [&json!("undelivered.purge"), &json!("failed"), &json!("reply 1")]);
}

#[tokio::test]
async fn dead_letters_are_listed_without_what_is_in_them() {
    let server = Running::start().await;
    let all = server.get("/admin/dead-letters").await.text().await.unwrap();
    assert!(!all.contains("canary"), "{all}");
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        all["dead_letters"][0],
        json!({
            "event": 3, "tenant": "demo", "code": "GRH-0503", "title": "A guest trapped.",
            "accepted": "1970-01-01T00:00:00Z", "failed": "1970-01-01T00:00:01Z", "payload_bytes": 6,
        })
    );
    let events = async |query: &str| {
        let list: Value = server.get(&format!("/admin/dead-letters?{query}")).await.json().await.unwrap();
        list["dead_letters"].as_array().unwrap().iter().map(|l| l["event"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((&all["dead_letters"][1]["event"], &all["dead_letters"][1]["origin"]), (&json!(2), &json!(1)));
    assert_eq!(events("").await, [3, 2, 1]);
    assert_eq!(events("tenant=demo").await, [3, 1]);
    assert_eq!(events("tenant=demo&limit=1").await, [3]);
    assert!(events("tenant=nobody").await.is_empty());
    for query in ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=1&limit=2", "tenant=a%20b", "tenant="] {
        let response = server.get(&format!("/admin/dead-letters?{query}")).await;
        assert_eq!((response.status().as_u16(), &*code(response).await), (400, "GRH-0801"), "{query}");
    }
}
