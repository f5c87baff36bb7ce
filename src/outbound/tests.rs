//! The policy as tables, and the client against real servers on this machine.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body as AxumBody;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::net::Lookup;

mod bounds;
mod connecting;
mod judging;

fn allowed(entries: &[&str]) -> Vec<Allowed> {
    entries.iter().map(|text| text.parse().unwrap()).collect()
}

fn policy(allow: &[&str]) -> Policy {
    Policy { enabled: true, allow: allowed(allow), timeout: Duration::from_secs(20), ..Policy::default() }
}

/// A policy that allows this machine's own servers.
fn local() -> Policy {
    policy(&["http://127.0.0.1:*"])
}

fn request(url: &str) -> Request {
    let options = Options { follow_redirects: true, ..Options::default() };
    Request { method: "GET".into(), url: url.into(), headers: Vec::new(), body: Body::Whole(Bytes::new()), options }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// A server on a port of its own.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A server that knows no HTTP: it reads until a request's head is there, and does the rest by `answer`.
async fn raw<F: Future<Output = ()> + Send + 'static>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && connection.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            tokio::spawn(answer(connection));
        }
    });
    address
}

/// A server that says `text` to every request and then closes the connection.
async fn saying(text: impl Into<Vec<u8>>) -> SocketAddr {
    let text = Arc::new(text.into());
    raw(move |mut connection| {
        let text = Arc::clone(&text);
        async move {
            let _ = connection.write_all(&text).await;
        }
    })
    .await
}

async fn failure_of(outbound: &Outbound, request: Request) -> Failure {
    outbound.send(request, far()).await.unwrap_err()
}

#[tokio::test]
async fn a_request_and_its_answer_pass_unchanged() {
    let echo = any(|headers: HeaderMap, uri: Uri, body: String| async move {
        let mut given: Vec<_> =
            headers.iter().map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v.as_bytes()))).collect();
        given.sort();
        ([("x-one", "1"), ("x-two", "2")], format!("{uri}\n{}\n{body}", given.join("\n")))
    });
    let address = serve(Router::new().fallback(echo)).await;
    let outbound = Outbound::new(local());
    let given = Request {
        method: "post".into(),
        headers: vec![
            ("X-Own".into(), b"a".to_vec()),
            ("x-own".into(), "ü".into()),
            ("Host".into(), address.to_string().into()),
        ],
        body: Body::Whole("text".into()),
        ..request(&format!("http://{address}/path?q=1#fragment"))
    };
    let answer = outbound.send(given, far()).await.unwrap();
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "/path?q=1\naccept: */*\ncontent-length: 4\nhost: {address}\nuser-agent: greentic-runner-host/{version}\n\
         x-own: a\nx-own: ü\ntext"
    );
    assert_eq!(text, expected);
    assert!(answer.headers.contains(&("x-one".into(), b"1".to_vec())));
    assert!(!answer.headers.iter().any(|(name, _)| name == "connection" || name == "transfer-encoding"));
    let other = outbound.send(request(&format!("http://{address}/")), far()).await.unwrap();
    assert_eq!(other.status, 200);
    assert_eq!(outbound.tally().counts(), Counts { answered: 2, failed: Vec::new() });
}

#[tokio::test]
async fn a_redirect_is_judged_like_the_first_request() {
    let redirects = get(|uri: Uri| async move { Redirect::temporary(uri.query().unwrap_or("/there")) });
    let here = any(|headers: HeaderMap| async move {
        let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        names.join(" ")
    });
    let router = Router::new()
        .route(
            "/to",
            redirects.clone().post(|uri: Uri| async move { Redirect::temporary(uri.query().unwrap_or("/there")) }),
        )
        .route("/loop", get(|| async { Redirect::to("/loop") }))
        .route("/there", here);
    let (one, two) = (serve(router.clone()).await, serve(router).await);
    let outbound =
        Outbound::new(policy(&[&format!("http://{one}"), &format!("http://{two}"), "http://169.254.169.254:81", "*"]));
    let secret = || vec![("authorization".into(), b"canary".to_vec()), ("accept".into(), b"text/html".to_vec())];
    let to = |target: &str| Request { headers: secret(), ..request(&format!("http://{one}/to?{target}")) };

    let same = outbound.send(to("/there"), far()).await.unwrap();
    assert_eq!(&*same.body, b"accept authorization host user-agent");
    let cross = outbound.send(to(&format!("http://{two}/there")), far()).await.unwrap();
    assert_eq!(&*cross.body, b"accept host user-agent");
    for (target, reason) in [
        ("http://169.254.169.254/latest/meta-data", Reason::AddressNotPublic),
        ("http://[::ffff:169.254.169.254]/", Reason::AddressNotPublic),
        ("http://localhost:1/", Reason::AddressNotPublic),
        ("file:///etc/passwd", Reason::SchemeNotAllowed),
        ("http://user:pass@127.0.0.1/", Reason::CredentialsInUrl),
    ] {
        let failure = failure_of(&outbound, to(target)).await;
        assert_eq!(failure.reason(), reason, "{target}");
        assert!(failure.message().starts_with(&format!("http://{one} redirected the request: ")), "{failure}");
        assert!(!failure.message().contains("canary") && !failure.message().contains("/to"), "{failure}");
    }
    let narrow = Outbound::new(policy(&[&format!("http://{one}")]));
    assert_eq!(failure_of(&narrow, to(&format!("http://{two}/there"))).await.reason(), Reason::HostNotAllowed);
    assert_eq!(failure_of(&outbound, request(&format!("http://{one}/loop"))).await.reason(), Reason::TooManyRedirects);
    for (most, answered) in [(0, false), (1, false), (2, true)] {
        let few = Outbound::new(Policy { max_redirects: most, ..policy(&[&format!("http://{one}")]) });
        // Two redirects, and then what was asked for.
        let answer = few.send(request(&format!("http://{one}/to?/to")), far()).await;
        assert_eq!(answer.is_ok(), answered, "{most}: {answer:?}");
    }
    let posted =
        Request { method: "POST".into(), body: Body::Whole("body".into()), ..to(&format!("http://{two}/there")) };
    assert_eq!(failure_of(&outbound, posted).await.reason(), Reason::BodyNotRedirected);
    let stays = Request { options: Options::default(), ..to("http://169.254.169.254/") };
    let answer = outbound.send(stays, far()).await.unwrap();
    assert_eq!(answer.status, 307);
    assert!(answer.headers.iter().any(|(name, value)| name == "location" && value == b"http://169.254.169.254/"));
}
