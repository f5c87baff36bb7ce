//! What every request passes first: the bound on requests at once, and in demo mode the check that it comes from this
//! machine and from no other site.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::answer::Problem;
use super::{App, origin};
use crate::error::{Code, Error};

/// Admits a request, or says why not.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_running) = app.requests.try_acquire() else {
        return Problem(Error::new(Code::Overloaded, "too many requests at once")).into_response();
    };
    if app.options.demo
        && let Err(why) = origin::local(request.uri(), request.headers())
    {
        let error = Error::new(Code::RequestDenied, format!("the demo serves this machine only: {why}"));
        return Problem(error).into_response();
    }
    next.run(request).await
}
