//! The body of a request for a token or a conversation.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde_json::{Value, json};

use super::Wanted;
use crate::ingress::adapter::json_object;
use crate::server::answer::Problem;
use crate::server::{App, body};

/// What a request wants; nothing in particular if it has no body.
pub(in crate::server) struct Posted(pub(super) Wanted);

impl FromRequest<Arc<App>> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, &app.options.limits).await?;
        let body: Value = if body.is_empty() { json!({}) } else { json_object(&body)? };
        Ok(Self(Wanted::of(&body)?))
    }
}
