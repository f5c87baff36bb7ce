//! One id per request: in its log lines, in its answer, in the run that it starts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::App;
use super::answer::{self, Problem};
use crate::telemetry::{TraceContext, spans};

/// Routes that are asked again and again by whoever watches the host; a span for each would tell nobody anything.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

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
pub(super) async fn correlate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let correlation = Correlation::of(request.headers());
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(correlation.clone());
    let (span, known) = (span_of(&request, route.as_deref()), spans::method_name(&method));
    let mut response = next.run(request).instrument(span.clone()).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(Problem(error)) = &problem {
        answer::fill(&mut response, error, &correlation.0);
    }
    if let Ok(value) = HeaderValue::from_str(&correlation.0) {
        response.headers_mut().insert(HEADER, value);
    }
    let (status, micros) = (response.status().as_u16(), started.elapsed().as_micros());
    spans::answered(&span, status);
    if let Some(Problem(error)) = problem.as_ref().filter(|_| status >= 500) {
        spans::failed(&span, error.code());
    }
    app.metrics.request_served(known, &spans::route_name(route.as_deref()), status, started.elapsed());
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

/// The span of a request, in the trace that it says it belongs to.
fn span_of(request: &Request, route: Option<&str>) -> Span {
    let route = route.unwrap_or_default();
    if UNTRACED.contains(&route) {
        return Span::none();
    }
    let span = spans::request(spans::method_name(request.method()), route);
    if !span.is_disabled()
        && let Some(caller) = TraceContext::of_headers(request.headers())
    {
        caller.adopt(&span);
    }
    span
}
