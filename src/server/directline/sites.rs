//! From pages of which sites browsers may use Direct Line: the host's own, and those of the binding's `allowed_origins`.
//!
//! Others are refused before anything is done for them, also where no browser would ask first: a WebSocket is opened
//! without a preflight. Programs that are no browsers send no `Origin`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::{Code, Error};
use crate::id::clip;
use crate::ingress::webchat::WebchatChannel;
use crate::server::answer::Problem;
use crate::server::tenant::Tenant;
use crate::server::{App, origin};

/// Headers that the published client sends.
const BOT_AGENT: HeaderName = HeaderName::from_static("x-ms-bot-agent");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// By which an answer is found in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a browser remembers that it may ask.
const REMEMBER: Duration = Duration::from_secs(3600);

/// Lets a request of an allowed site pass and tells the browser so.
pub(in crate::server) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(ORIGIN) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let other = match judge(&app, &mut parts).await {
        Ok(other) => other,
        Err(problem) => return problem.into_response(),
    };
    let request = Request::from_parts(parts, body);
    let Some(site) = other else { return next.run(request).await };
    let answered = cors(site).layer(next).oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// The site of a request that comes from another one than the server's own.
async fn judge(app: &Arc<App>, parts: &mut Parts) -> Result<Option<HeaderValue>, Problem> {
    let host = origin::named_host(&parts.uri, &parts.headers)?;
    if host.is_some_and(|host| origin::same_site(&parts.headers, &host, &["http", "https"]).is_ok()) {
        return Ok(None);
    }
    let tenant = Tenant::from_request_parts(parts, app).await?;
    let channel = tenant.channels.find::<WebchatChannel>();
    let mut sites = parts.headers.get_all(ORIGIN).iter();
    let site = sites.next().filter(|_| sites.next().is_none());
    let text = site.and_then(|site| site.to_str().ok()).unwrap_or_default();
    match (channel, site) {
        (Some(channel), Some(site)) if channel.access.allows(text) => Ok(Some(site.clone())),
        _ => {
            let shown = clip(text).escape_debug().to_string();
            let message = format!("the web chat of {} is not open to pages of \"{shown}\"", tenant.id);
            let hint = "name the site in config.allowed_origins of the web chat's binding";
            Err(Error::new(Code::OriginDenied, message).hint(hint).into())
        }
    }
}

fn cors(site: HeaderValue) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list([site]))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, BOT_AGENT, REQUESTED_WITH])
        .expose_headers([RETRY_AFTER, REQUEST_ID])
        .max_age(REMEMBER)
}
