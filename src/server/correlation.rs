//! One id per request: in its log lines, in its answer, in the run that it starts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::answer::{self, Problem};

/// The header in which the id comes and goes.
const HEADER: &str = "x-request-id";

/// The peer of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The id by which a request's traces are found. The caller may choose it: nothing may depend on its being unique.
#[derive(Clone, Debug)]
pub(super) struct Correlation(pub(super) Arc<str>);

impl Correlation {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let usable = given.filter(|text| text.len() <= 128 && crate::id::is_valid(text));
        Self(usable.map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from))
    }
}

/// Gives the request its id, turns an error into the answer's body, logs what came of it.
pub(super) async fn correlate(mut request: Request, next: Next) -> Response {
    let correlation = Correlation::of(request.headers());
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(correlation.clone());
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(Problem(error)) = &problem {
        answer::fill(&mut response, error, &correlation.0);
    }
    if let Ok(value) = HeaderValue::from_str(&correlation.0) {
        response.headers_mut().insert(HEADER, value);
    }
    let (status, micros) = (response.status().as_u16(), started.elapsed().as_micros());
    let (route, error) = (route.as_deref().unwrap_or("-"), problem.map(|Problem(error)| error));
    match error {
        Some(error) if status >= 500 => {
            tracing::warn!(%method, route, status, micros, correlation_id = %correlation.0, %error, "request failed");
        }
        Some(error) => {
            tracing::info!(%method, route, status, micros, correlation_id = %correlation.0, code = %error.code(), "request refused");
        }
        None => tracing::debug!(%method, route, status, micros, correlation_id = %correlation.0, "request served"),
    }
    response
}
