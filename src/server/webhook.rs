//! Answering with a flow's result, as `ANY /webhook/{flow_id}` does, and with the same to a request that is repeated.

use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::http::{Response as Answer, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt as _;

use super::App;
use super::answer::{Problem, status};
use super::backend::{Backend, Submitted};
use crate::error::{Code, Error, Result};
use crate::ingress::webhook::answer;
use crate::run::event::Event;
use crate::run::outcome::{Outcome, Status};
use crate::store::Once;

/// What a flow answers with is shown by browsers under the host's own origin: nothing in it may run.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; img-src data: https:; style-src 'unsafe-inline'");

/// Answers that tell a caller to try again: no repetition gets them.
const NOT_KEPT: [StatusCode; 2] = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// Submits what comes under an idempotency key. It acts once; what repeats it gets what the first ended with.
///
/// # Errors
///
/// `IdempotencyKeyReused` if something else came under the key, `IdempotencyKeyInUse` while the first is being worked on.
pub(super) async fn submit_once(backend: &dyn Backend, event: Event, fingerprint: [u8; 32]) -> Result<Submitted> {
    let mut supersedes = None;
    // The second time the key is free, or somebody else was faster and is being worked on.
    for _ in 0..3 {
        let submitted = backend.submit_once(event.clone(), Once { fingerprint, supersedes }).await?;
        let Some(repeats) = submitted.repeats else { return Ok(submitted) };
        if !repeats.ended {
            return Err(if repeats.same { in_use() } else { reused() });
        }
        let outcome = submitted.outcome.await;
        if NOT_KEPT.contains(&status_of(&outcome)) {
            supersedes = Some(submitted.event);
            continue;
        }
        if !repeats.same {
            return Err(reused());
        }
        return Ok(Submitted { outcome: std::future::ready(outcome).boxed(), ..submitted });
    }
    Err(in_use())
}

fn reused() -> Error {
    Error::new(Code::IdempotencyKeyReused, "another request came under this key before")
        .hint("choose a new key for each request, and repeat a request as it was")
}

fn in_use() -> Error {
    Error::new(Code::IdempotencyKeyInUse, "the first request with this key is still being worked on")
        .hint("try again a little later")
}

/// Waits for the outcome of a request and answers with it.
pub(super) async fn answer(app: &App, submitted: Submitted) -> Result<Response, Problem> {
    let outcome =
        tokio::time::timeout(app.options.limits.answer_timeout, submitted.outcome).await.unwrap_or_else(|_| {
            Err(Error::new(Code::DeadlinePassed, "the flow goes on, but its caller has waited long enough"))
        });
    Ok(respond(outcome?)?.map(Body::from))
}

fn respond(outcome: Outcome) -> Result<Answer<Bytes>> {
    if matches!(outcome.status, Status::Waiting { .. }) && outcome.replies.is_empty() {
        let mut waits = Answer::new(Bytes::new());
        *waits.status_mut() = StatusCode::ACCEPTED;
        return Ok(waits);
    }
    let mut response = answer::of_replies(outcome.replies)?;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response)
}

/// The status that an outcome is answered with.
fn status_of(outcome: &Result<Outcome>) -> StatusCode {
    match outcome.clone().and_then(respond) {
        Ok(response) => response.status(),
        Err(error) => status(error.code()),
    }
}
