//! The router: the routes of [`super::routes`], and everything that a request passes on its way to them.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use super::admin::access;
use super::answer::Problem;
use super::routes::{self, Scope};
use super::{App, admission, correlation, directline, page, trace};
use crate::error::{Code, Error};

/// The server's routes with everything that a request passes on its way.
pub(super) fn router(app: Arc<App>) -> Router {
    let guard = from_fn_with_state(Arc::clone(&app), access::guard);
    let of_tenant = || {
        let sites = from_fn_with_state(Arc::clone(&app), directline::guard);
        // The method that asks on behalf of a page of another site is none of a route's own.
        let direct = routes::of_tenants(&app.adapters, true).method_not_allowed_fallback(unknown_method).layer(sites);
        routes::of_tenants(&app.adapters, false).merge(direct)
    };
    let mut router = routes::of(Scope::Host)
        .merge(routes::of(Scope::Admin).route_layer(guard))
        .merge(of_tenant())
        .nest("/t/{tenant}", of_tenant());
    if app.options.demo {
        router = router.merge(page::routes()).route("/demo/trace", get(trace::stream));
    }
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&app), admission::admit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), correlation::correlate))
        .layer(map_response(harden))
        .with_state(app)
}

async fn unknown_route() -> Problem {
    Problem(Error::new(Code::RouteUnknown, "no such route"))
}

async fn unknown_method(request: Request) -> Problem {
    let method = request.method().as_str();
    Problem(Error::new(Code::MethodNotAllowed, format!("this route does not serve {}", crate::id::clip(method))))
}

/// A panic is a defect; the request that met it gets an answer and no other request notices.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem(Error::new(Code::Internal, format!("a handler panicked: {}", text.unwrap_or("no message")))).into_response()
}

/// Headers that hold for every answer; a route that needs others has set them already.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    default_to(headers, REFERRER_POLICY, "no-referrer");
    default_to(headers, X_FRAME_OPTIONS, "DENY");
    default_to(headers, CACHE_CONTROL, "no-store");
    default_to(headers, CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    response
}

fn default_to(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
