//! How a request with messages is answered once they are stored.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::Taken;
use crate::ingress::Channel;
use crate::ingress::adapter::{Answer, Respond};
use crate::run::outcome::Outcome;
use crate::server::answer::Problem;
use crate::server::{App, webhook};

/// How much longer a caller waits for replies that are on their way to it: the time of a commit, with patience.
const ON_THEIR_WAY: Duration = Duration::from_secs(5);

/// Answers as the message wants.
pub(super) async fn with(app: &App, channel: &dyn Channel, taken: Taken) -> Result<Response, Problem> {
    match &taken.respond {
        Respond::Ack(answer) => Ok(plain(answer.clone())),
        Respond::Outcome { .. } => webhook::answer(app, taken.submitted).await,
        Respond::Sync { within, fallback } => {
            let (within, fallback) = (*within, fallback.clone());
            let request = taken.request.clone();
            let outcome = outcome(taken, within.min(app.options.limits.answer_timeout)).await;
            let replies = outcome.map(|outcome| outcome.replies).filter(|replies| !replies.is_empty());
            let answer = replies.and_then(|replies| channel.respond(&request, &replies));
            Ok(plain(answer.unwrap_or(fallback)))
        }
    }
}

/// What the flow made of a message within the time. None if it takes longer or fails; what it replies after that goes to
/// the message's route.
async fn outcome(taken: Taken, within: Duration) -> Option<Outcome> {
    let mut submitted = taken.submitted;
    let in_time = tokio::time::timeout(within, &mut submitted.outcome).await;
    let outcome = match in_time {
        Ok(outcome) => outcome,
        Err(_) if submitted.waiter.give_up() => return None,
        Err(_) => tokio::time::timeout(ON_THEIR_WAY, &mut submitted.outcome).await.ok()?,
    };
    outcome.inspect_err(|error| tracing::debug!(code = %error.code(), "no reply to answer with: {error}")).ok()
}

/// An adapter's answer as it is sent.
pub(super) fn plain(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(content_type) = answer.content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}
