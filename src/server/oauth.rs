//! Where browsers come back to from providers of OAuth: a page that says how it went, and nothing else.
//!
//! Anybody can call it with anything. Nothing of a request is written to the page, which loads nothing and tells nobody
//! where it was called from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::answer::{self, Problem};
use super::tenant::Tenant;
use crate::error::{Code, Error};
use crate::oauth::Landing;

/// How long a browser waits for the provider to give the tokens.
const TIME: Duration = Duration::from_secs(20);

pub(super) async fn callback(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    method: Method,
    uri: Uri,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        // It would spend the state of whoever comes after it.
        return Err(Error::new(Code::MethodNotAllowed, "this route does not serve HEAD").into());
    }
    let landing = Query::<Landing>::try_from_uri(&uri).map(|Query(landing)| landing).unwrap_or_default();
    let landed = app.backend.land(&tenant.id, landing, Instant::now() + TIME).await;
    Ok(match landed {
        Ok(()) => {
            tracing::info!(tenant = %tenant.id, "a subject consented");
            page(StatusCode::OK, "Connected", "You can close this window and go back to the conversation.", "")
        }
        Err(error) if error.code() == Code::RouteOff => return Err(error.into()),
        Err(error) => {
            match error.code() {
                // Strangers can cause it as often as they like.
                Code::OAuthState => tracing::debug!(tenant = %tenant.id, %error, "a browser came back for nothing"),
                _ => tracing::warn!(tenant = %tenant.id, %error, "a subject could not be connected"),
            }
            let code = error.code();
            page(answer::status(code), "Not connected", advice(code), &code.to_string())
        }
    })
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::OAuthState => {
            "This link was used already, or is not good any more. Go back to the conversation and ask for a new one."
        }
        Code::OAuthRefused => "The other service gave no consent. Go back to the conversation to try again.",
        Code::OAuthUnavailable => {
            "The other service does not answer now. Go back to the conversation and try again in a while."
        }
        _ => "This did not work. Whoever runs this service finds the reason in its log.",
    }
}

/// A page of these texts, which hold no markup.
fn page(status: StatusCode, title: &str, text: &str, code: &str) -> Response {
    let note = if code.is_empty() { String::new() } else { format!("<p><small>{code}</small></p>") };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>{note}</body></html>\n"
    );
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}
