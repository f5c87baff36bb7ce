//! `GET /demo/trace?conversation=ID`: what happens in the runs of one conversation, for the chat page. Served in demo
//! mode only.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::answer::Problem;
use super::tenant::Tenant;
use super::{App, sse};
use crate::error::{Code, Error};
use crate::ingress::webchat::PROVIDER;
use crate::run::trace::TraceEvent;

#[derive(Deserialize)]
pub(super) struct Wanted {
    conversation: String,
}

/// The stream of a conversation's trace, from now on.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    query: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let unusable = || Error::new(Code::RequestInvalid, "name the conversation: ?conversation=ID");
    let Query(Wanted { conversation }) = query.map_err(|_| unusable())?;
    // Sessions are recognised by their shown form, which is only safe for ids without a separator.
    if !crate::id::is_valid(&conversation) {
        return Err(unusable().into());
    }
    let session = format!("{}:{PROVIDER}:{conversation}:", tenant.id);
    let source = Source { trace: app.backend.trace(), tenant, session };
    Ok(sse::answer(&app, stream::unfold(source, Source::next))?)
}

struct Source {
    trace: Receiver<Arc<TraceEvent>>,
    tenant: Tenant,
    session: String,
}

impl Source {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            match self.trace.recv().await {
                Ok(event) if event.tenant == self.tenant.id && event.session.starts_with(&self.session) => {
                    let data = serde_json::to_string(&*event).unwrap_or_default();
                    return Some((Event::default().event("trace").data(data), self));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    return Some((Event::default().event("missed").data(missed.to_string()), self));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
