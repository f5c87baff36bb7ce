//! Making requests, and telling what became of them.

use std::time::Duration;

use http::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};

use super::tokens::Tokens;
use crate::egress::{Answer, Auth, Body, Call, Sender, Verdict};
use crate::error::{Code, Error, Result};
use crate::net;
use crate::telemetry::{self, spans};

/// How long one request may take; after that nobody knows whether it was taken.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read.
const MOST: usize = 256 << 10;

/// Makes requests.
pub(super) struct Post {
    http: reqwest::Client,
    tokens: Tokens,
}

impl Post {
    pub(super) fn new() -> Result<Self> {
        net::tls::install();
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT)
            .user_agent(concat!("greentic-runner/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))?;
        Ok(Self { http, tokens: Tokens::default() })
    }

    /// Makes a request, once; if the platform refuses the app's token, once more with a new one.
    pub(super) async fn send(&self, sender: &dyn Sender, call: &Call) -> Verdict {
        let Auth::Client(credentials) = &call.auth else { return self.once(sender, call, None).await.1 };
        let token = match self.tokens.get(&self.http, credentials).await {
            Ok(token) => token,
            Err(verdict) => return verdict,
        };
        let (status, verdict) = self.once(sender, call, Some(token.expose())).await;
        if status != Some(401) {
            return verdict;
        }
        self.tokens.forget(credentials, &token).await;
        match self.tokens.get(&self.http, credentials).await {
            Ok(token) => self.once(sender, call, Some(token.expose())).await.1,
            Err(verdict) => verdict,
        }
    }

    async fn once(&self, sender: &dyn Sender, call: &Call, token: Option<&str>) -> (Option<u16>, Verdict) {
        let request = self.http.request(call.method.clone(), call.url.expose());
        let request = match (&call.auth, token) {
            (Auth::Bearer(token), _) => request.bearer_auth(token.expose()),
            (Auth::Client(_), Some(token)) => request.bearer_auth(token),
            (Auth::None | Auth::Client(_), _) => request,
        };
        let request = match with_body(request, &call.body) {
            Ok(request) => request,
            Err(why) => return (None, Verdict::Refused(why)),
        };
        let mut trace = HeaderMap::new();
        telemetry::inject(&mut trace);
        let response = match request.headers(trace).send().await {
            Ok(response) => response,
            Err(error) => return (None, of_error(error)),
        };
        let (status, headers, body) = read(response).await;
        spans::answered(&tracing::Span::current(), status);
        (Some(status), sender.judge(call, &Answer { status, headers: &headers, body: &body }))
    }
}

fn with_body(request: RequestBuilder, body: &Body) -> Result<RequestBuilder, String> {
    Ok(match body {
        Body::Json(value) => request.json(value),
        Body::Multipart { fields, file } => {
            let fields = fields.iter().cloned();
            let form = fields.fold(reqwest::multipart::Form::new(), |form, (name, value)| form.text(name, value));
            let bytes = reqwest::multipart::Part::stream(file.bytes.clone()).file_name(file.name.clone());
            let part = bytes.mime_str(&file.mime).map_err(|_| "a file's media type cannot be sent".to_owned())?;
            request.multipart(form.part(file.field.clone(), part))
        }
    })
}

/// The status, the headers, and as much of the body as is worth reading.
pub(super) async fn read(mut response: Response) -> (u16, HeaderMap, Vec<u8>) {
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    // The status is known; a body that breaks off says no less than one that is missing.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            body.clear();
            break;
        }
    }
    (status, headers, body)
}

/// What a request that failed means. Without a connection nothing was sent; else nobody knows. The URL may hold a token.
fn of_error(error: reqwest::Error) -> Verdict {
    let error = error.without_url();
    match () {
        () if error.is_connect() => {
            tracing::debug!("no connection to the platform: {error}");
            Verdict::Later(None)
        }
        () if error.is_builder() => Verdict::Refused("the request cannot be made".into()),
        () if error.is_timeout() => Verdict::Unclear(format!("no answer within {} s", TIMEOUT.as_secs())),
        () => Verdict::Unclear("the connection broke off".into()),
    }
}
