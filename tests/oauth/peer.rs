//! A server that stands for a broker or a provider: it answers what the test says, and tells what it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A parameter of a form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What is answered.
pub(crate) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    Wait(&'static str),
    Elsewhere,
    /// Without end.
    Endless,
    Never,
    /// Once the test lets it go.
    Held(Value),
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<Arc<Answers>>>,
    gate: Arc<Semaphore>,
}

impl Peer {
    pub(crate) async fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Arc<Answers> = Arc::new(answers);
        let (seen, answers, gate) = (Arc::default(), Arc::new(Mutex::new(answers)), Arc::new(Semaphore::new(0)));
        let peer = Self { address, seen: Arc::clone(&seen), answers: Arc::clone(&answers), gate: Arc::clone(&gate) };
        let router = Router::new().fallback(move |request: Request| {
            let (seen, answers, gate) = (Arc::clone(&seen), Arc::clone(&answers), Arc::clone(&gate));
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let authorization = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                let body = String::from_utf8(body.to_vec()).unwrap();
                let asked = Asked { path: head.uri.path().to_owned(), authorization, body };
                seen.lock().unwrap().push(asked.clone());
                let reply = {
                    let answer = Arc::clone(&*answers.lock().unwrap());
                    answer(&asked)
                };
                respond(reply, &gate).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Arc::new(answers);
    }

    /// What it was asked since it was last asked this.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Lets an answer go that is held, or will be.
    pub(crate) fn release(&self) {
        self.gate.add_permits(1);
    }
}

async fn respond(reply: Reply, gate: &Semaphore) -> Response {
    let json = |status, body: Value| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    };
    match reply {
        Reply::Json(status, body) => json(status, body),
        Reply::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Reply::Wait(time) => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, time)]).into_response(),
        Reply::Elsewhere => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response(),
        Reply::Endless => {
            let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096]));
            Body::from_stream(stream::repeat_with(chunk)).into_response()
        }
        Reply::Never => std::future::pending().await,
        Reply::Held(body) => {
            gate.acquire().await.unwrap().forget();
            json(200, body)
        }
    }
}
