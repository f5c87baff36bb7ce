//! Answering with a flow's result, as `ANY /webhook/{flow_id}` does.

use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::Value;

use super::App;
use super::answer::Problem;
use super::backend::Submitted;
use crate::error::{Code, Error, Result};
use crate::ingress::webhook::answer;
use crate::run::event::ReplyTo;
use crate::run::outcome::Status;

/// The most stored replies that make up the answer to a repeated request.
const MOST_REPLIES: usize = 100;

/// What a flow answers with is shown by browsers under the host's own origin: nothing in it may run.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; img-src data: https:; style-src 'unsafe-inline'");

/// Waits for the outcome of a request and answers with it.
pub(super) async fn answer(app: &App, submitted: Submitted, reply_to: &ReplyTo) -> Result<Response, Problem> {
    let (status, replies) = outcome(app, submitted, reply_to).await?;
    respond(&status, replies)
}

/// What the flow made of the request. A repetition shares the outcome of the request that it repeats; when nobody knows
/// that any more, the stored replies tell it.
async fn outcome(app: &App, submitted: Submitted, reply_to: &ReplyTo) -> Result<(Status, Vec<Value>)> {
    match tokio::time::timeout(app.options.limits.answer_timeout, submitted.outcome).await {
        Ok(Err(unknown)) if unknown.code() == Code::DuplicateEvent => stored(app, reply_to).await?.ok_or(unknown),
        Ok(outcome) => outcome.map(|outcome| (outcome.status, outcome.replies)),
        Err(_) => Err(Error::new(Code::DeadlinePassed, "the flow goes on, but its caller has waited long enough")),
    }
}

/// The replies that are stored for a request, if there are any.
async fn stored(app: &App, reply_to: &ReplyTo) -> Result<Option<(Status, Vec<Value>)>> {
    let ReplyTo::Route(route) = reply_to else { return Ok(None) };
    let stored = app.backend.replies(route, 0, MOST_REPLIES).await?;
    let replies: Result<Vec<Value>, _> = stored.iter().map(|r| serde_json::from_slice(&r.payload)).collect();
    let replies = replies.map_err(|e| Error::new(Code::StoreFormat, format!("a stored reply is not JSON: {e}")))?;
    Ok((!replies.is_empty()).then_some((Status::Completed, replies)))
}

fn respond(status: &Status, replies: Vec<Value>) -> Result<Response, Problem> {
    if matches!(status, Status::Waiting { .. }) && replies.is_empty() {
        return Ok(axum::http::StatusCode::ACCEPTED.into_response());
    }
    let mut response = answer::of_replies(replies)?.map(|body: Bytes| Body::from(body));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response)
}
