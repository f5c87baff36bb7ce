//! Server-sent events: streams that are bounded in number and end when the server stops.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};

use super::App;
use crate::error::{Code, Error, Result};

/// Answers with `events` until they end, the client goes, or the server stops.
pub(super) fn answer(app: &Arc<App>, events: impl Stream<Item = Event> + Send + 'static) -> Result<Response> {
    let slot = Arc::clone(&app.streams)
        .try_acquire_owned()
        .map_err(|_| Error::new(Code::Overloaded, "too many open streams"))?;
    let events = events.take_until(app.draining.clone().cancelled_owned()).map(move |event| {
        let _held = &slot;
        Ok::<_, Infallible>(event)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(app.options.limits.keep_alive)).into_response())
}
