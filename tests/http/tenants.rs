//! Which tenant a request is for, by each way of `TENANT_RESOLVER`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use greentic_runner_host::config::{JwtKeys, JwtSettings, TenantResolver};
use jsonwebtoken::Algorithm;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::tokens::{AUDIENCE, ISSUER, Issuer, claims, unsigned};
use crate::{Running, code};

async fn resolving(tenants: TenantResolver) -> Running {
    Running::with(|options| options.tenants = tenants).await
}

/// The tenant that a request reaches; else status and code.
async fn reached(server: &Running, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = server.client.get(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    if status != 200 {
        return format!("{status} {}", code(response).await);
    }
    response.json::<Value>().await.unwrap()["tenant"].as_str().unwrap().to_owned()
}

async fn expect(server: &Running, cases: &[(&str, &[(&str, &str)], &str)]) {
    for (path, headers, expected) in cases {
        assert_eq!(reached(server, path, headers).await, *expected, "{path} {headers:?}");
    }
}

const HOOK: &str = "/webhook/input";

#[tokio::test]
async fn by_default_requests_are_for_the_default_tenant() {
    let server = Running::start().await;
    let cases: &[(&str, &[(&str, &str)], &str)] = &[
        (HOOK, &[], "demo"),
        (HOOK, &[("host", "acme.example"), ("x-greentic-tenant", "acme"), ("authorization", "Bearer x")], "demo"),
        ("/t/acme/webhook/input", &[], "acme"),
        ("/t/nobody/webhook/input", &[], "404 GRH-0600"),
    ];
    expect(&server, cases).await;
}

#[tokio::test]
async fn the_hosts_first_label_names_the_tenant() {
    let server = resolving(TenantResolver::Host).await;
    let cases: &[(&str, &[(&str, &str)], &str)] = &[
        // The client's own Host is an address and a port.
        (HOOK, &[], "demo"),
        (HOOK, &[("host", "acme.bots.example")], "acme"),
        (HOOK, &[("host", "acme.bots.example:8443")], "acme"),
        (HOOK, &[("host", "ACME.bots.example")], "acme"),
        (HOOK, &[("host", "acme.bots.example.")], "acme"),
        (HOOK, &[("host", "localhost:8080")], "demo"),
        (HOOK, &[("host", "[::1]:8080")], "demo"),
        (HOOK, &[("host", "nobody.bots.example")], "404 GRH-0600"),
        (HOOK, &[("host", "acme@bots.example")], "400 GRH-0801"),
        (HOOK, &[("x-greentic-tenant", "acme")], "demo"),
        // A path that names a tenant needs no host.
        ("/t/acme/webhook/input", &[("host", "nobody.bots.example")], "acme"),
    ];
    expect(&server, cases).await;
    for (head, expected) in [
        ("GET /webhook/input HTTP/1.0\r\n\r\n", "\"demo\""),
        ("GET http://acme.example/webhook/input HTTP/1.1\r\nHost: x\r\n\r\n", "\"acme\""),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("\"tenant\":{expected}")), "{head}: {answer}");
    }
}

#[tokio::test]
async fn the_header_counts_from_declared_proxies_only() {
    let of = |net: &str| TenantResolver::Header { proxies: vec![net.parse().unwrap()] };
    let believed = resolving(of("127.0.0.0/8")).await;
    let acme = ("x-greentic-tenant", "acme");
    let cases: &[(&str, &[(&str, &str)], &str)] = &[
        (HOOK, &[], "demo"),
        (HOOK, &[acme], "acme"),
        (HOOK, &[("x-greentic-tenant", "")], "demo"),
        (HOOK, &[("x-greentic-tenant", "nobody")], "404 GRH-0600"),
        (HOOK, &[("x-greentic-tenant", "a b")], "404 GRH-0600"),
        (HOOK, &[acme, acme], "400 GRH-0801"),
        ("/t/acme/webhook/input", &[], "acme"),
        ("/t/acme/webhook/input", &[acme], "acme"),
        ("/t/demo/webhook/input", &[acme], "403 GRH-0812"),
    ];
    expect(&believed, cases).await;
    let other = resolving(of("10.0.0.0/8")).await;
    expect(&other, &[(HOOK, &[acme], "demo"), ("/t/demo/webhook/input", &[acme], "demo")]).await;
}

fn jwt(keys: JwtKeys) -> TenantResolver {
    let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
    TenantResolver::Jwt(JwtSettings { algorithm: Algorithm::EdDSA, issuer, audience, keys })
}

#[tokio::test]
async fn a_token_proves_its_tenant_or_is_refused() {
    let issuer = Issuer::new(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    std::fs::write(&path, issuer.key_set()).unwrap();
    let server = resolving(jwt(JwtKeys::SetFile(path))).await;
    assert_eq!(reached(&server, HOOK, &[]).await, "demo");
    let bearer = |token: String| format!("Bearer {token}");
    let acme = bearer(issuer.sign(&claims("acme")));
    let refused = "401 GRH-0810";
    let change = |name: &str, value: Value| {
        let mut claims = claims("acme");
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims("acme");
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, expected) in [
        (claims("acme"), "acme"),
        (claims("nobody"), "404 GRH-0600"),
        (change("aud", json!(["x", AUDIENCE])), "acme"),
        (change("nbf", json!(1)), "acme"),
        (change("exp", json!(1)), refused),
        (change("exp", json!("later")), refused),
        (change("nbf", json!(4_102_444_000_u64)), refused),
        (change("aud", json!("others")), refused),
        (change("iss", json!("https://evil.example")), refused),
        (change("tenant", json!("")), refused),
        (change("tenant", json!("a b")), refused),
        (change("tenant", json!(["acme"])), refused),
        (change("tenant", Value::Null), refused),
        (without("exp"), refused),
        (without("aud"), refused),
        (without("iss"), refused),
        (without("tenant"), refused),
    ] {
        let token = bearer(issuer.sign(&claims));
        assert_eq!(reached(&server, HOOK, &[("authorization", &token)]).await, expected, "{claims}");
    }
    let forged = Issuer::new(2);
    for token in [
        bearer(unsigned(&json!({"alg": "none"}), &claims("acme"))),
        bearer(unsigned(&json!({"alg": "None", "kid": "key-1"}), &claims("acme"))),
        bearer(unsigned(&json!({"alg": "EdDSA", "kid": "key-1"}), &claims("acme"))),
        bearer(unsigned(&json!({"alg": "HS256", "kid": "key-1"}), &claims("acme"))),
        bearer(forged.sign(&claims("acme"))),
        bearer(forged.sign_as("key-1", &claims("acme"))),
        acme.replace("Bearer", "Basic"),
        "Bearer".to_owned(),
        "Bearer a.b.c".to_owned(),
        String::new(),
    ] {
        assert_eq!(reached(&server, HOOK, &[("authorization", &token)]).await, refused, "{token}");
    }
    let twice = [("authorization", acme.as_str()), ("authorization", acme.as_str())];
    assert_eq!(reached(&server, HOOK, &twice).await, refused);
    let response = server.client.get(server.url(HOOK)).header("authorization", "Bearer x").send().await.unwrap();
    assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
}

#[tokio::test]
async fn a_path_that_contradicts_the_token_is_refused() {
    let issuer = Issuer::new(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    std::fs::write(&path, issuer.key_set()).unwrap();
    let server = resolving(jwt(JwtKeys::SetFile(path))).await;
    let acme = format!("Bearer {}", issuer.sign(&claims("acme")));
    let forged = format!("Bearer {}", Issuer::new(2).sign(&claims("acme")));
    let mut platform = claims("x");
    platform["iss"] = json!("https://api.botframework.com");
    let platform = format!("Bearer {}", Issuer::new(3).sign(&platform));
    let cases: &[(&str, &[(&str, &str)], &str)] = &[
        ("/t/acme/webhook/input", &[], "acme"),
        ("/t/acme/webhook/input", &[("authorization", &acme)], "acme"),
        ("/t/demo/webhook/input", &[("authorization", &acme)], "403 GRH-0812"),
        ("/t/acme/webhook/input", &[("authorization", &forged)], "401 GRH-0810"),
        // A platform's own token is the adapter's to verify.
        ("/t/demo/webhook/input", &[("authorization", &platform)], "demo"),
        ("/t/demo/webhook/input", &[("authorization", "Basic abc")], "demo"),
        (HOOK, &[("authorization", &platform)], "401 GRH-0810"),
    ];
    expect(&server, cases).await;
}

#[tokio::test]
async fn a_storm_of_unknown_keys_fetches_the_set_once() {
    let issuer = Issuer::new(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let (fetched, body) = (Arc::new(AtomicUsize::new(0)), issuer.key_set());
    let counted = Arc::clone(&fetched);
    let keys = axum::Router::new().route(
        "/keys",
        axum::routing::get(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let body = body.clone();
            async move { body }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, keys).await });
    let server = resolving(jwt(JwtKeys::SetUrl(url))).await;
    let storm = (0..40).map(|n| {
        let token = format!("Bearer {}", issuer.sign_as(&format!("unknown-{n}"), &claims("acme")));
        let server = &server;
        async move { reached(server, HOOK, &[("authorization", &token)]).await }
    });
    assert!(futures::future::join_all(storm).await.iter().all(|answer| answer == "401 GRH-0810"));
    let token = format!("Bearer {}", issuer.sign(&claims("acme")));
    assert_eq!(reached(&server, HOOK, &[("authorization", &token)]).await, "acme");
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_key_set_that_is_not_there_is_no_reason_to_believe_anybody() {
    // Nobody else gets the port, and nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = socket.local_addr().unwrap();
    let url: Url = format!("http://{closed}/canary").parse().unwrap();
    let server = resolving(jwt(JwtKeys::SetUrl(url))).await;
    let token = format!("Bearer {}", Issuer::new(1).sign(&claims("acme")));
    let response = server.client.get(server.url(HOOK)).header("authorization", &token).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(code(response).await, "GRH-0811");
}
