//! Errors as HTTP answers: `{"error": {"code", "message", "correlation_id"}}` with the status that fits the code.
//!
//! A caller learns what is wrong with the request. What is wrong behind it stays in the log: the message is then the
//! code's title.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Code, Error, Kind};

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct Problem(pub(super) Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the answer's body once the correlation id is known.
pub(super) fn fill(response: &mut Response, error: &Error, correlation_id: &str) {
    let mut body = json!({"error": {
        "code": error.code().to_string(),
        "message": message(error),
        "correlation_id": correlation_id,
    }});
    let mut content_type = HeaderValue::from_static("application/json");
    if is_problem(error.code())
        && let Some(body) = body.as_object_mut()
    {
        content_type = HeaderValue::from_static(PROBLEM_JSON);
        body.extend([
            ("type".to_owned(), format!("urn:greentic:error:{}", error.code()).into()),
            ("title".to_owned(), error.code().title().into()),
            ("status".to_owned(), response.status().as_u16().into()),
            ("detail".to_owned(), message(error).into()),
        ]);
    }
    *response.body_mut() = Body::from(body.to_string());
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, content_type);
    if error.code().kind() == Kind::Unavailable {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(challenge) = challenge(error.code()) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
}

/// The media type of errors about idempotency keys, as the draft of that header wants them.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Whether an error is told as a problem of RFC 9457. The members of other errors are there too.
pub(super) fn is_problem(code: Code) -> bool {
    matches!(code, Code::DuplicateEvent | Code::IdempotencyKey | Code::IdempotencyKeyReused | Code::IdempotencyKeyInUse)
}

/// What a client has to prove, where an answer is 401.
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::AdminToken => Some("Bearer realm=\"admin\""),
        Code::Unauthenticated => Some("Signature"),
        Code::TenantToken => Some("Bearer realm=\"tenant\", error=\"invalid_token\""),
        Code::DirectLineToken => Some("Bearer realm=\"directline\""),
        _ => None,
    }
}

/// The status for an error.
pub(super) fn status(code: Code) -> StatusCode {
    match code {
        Code::TenantUnknown
        | Code::FlowUnknown
        | Code::RouteUnknown
        | Code::ReloadUnknown
        | Code::ConversationUnknown
        | Code::DeadLetterUnknown
        | Code::ProviderNotStored
        | Code::UndeliveredUnknown => StatusCode::NOT_FOUND,
        Code::TenantToken | Code::AdminToken | Code::Unauthenticated | Code::DirectLineToken => {
            StatusCode::UNAUTHORIZED
        }
        // The published client takes 403 as the end of its token, and waits for another one.
        Code::DirectLineDenied | Code::DirectLineExpired | Code::OriginDenied => StatusCode::FORBIDDEN,
        Code::RequestDenied | Code::RouteOff | Code::TenantConflict | Code::AdminDenied => StatusCode::FORBIDDEN,
        Code::NoReloads => StatusCode::NOT_IMPLEMENTED,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::FlowAmbiguous | Code::DuplicateEvent | Code::IdempotencyKeyInUse | Code::ReplayImpossible => {
            StatusCode::CONFLICT
        }
        Code::IdempotencyKeyReused | Code::ProviderConfig | Code::StoredProvider => StatusCode::UNPROCESSABLE_ENTITY,
        Code::BodyTooLarge | Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::RequestInvalid | Code::InvalidJson | Code::InvalidId | Code::IdempotencyKey => StatusCode::BAD_REQUEST,
        Code::OAuthRequest | Code::OAuthState | Code::OAuthRefused => StatusCode::BAD_REQUEST,
        Code::DeadlinePassed | Code::GuestTimeout => StatusCode::GATEWAY_TIMEOUT,
        code => match code.kind() {
            Kind::Failed => StatusCode::BAD_GATEWAY,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            // Bad input that is not the request's: the host was given something that cannot work.
            Kind::BadInput | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

fn message(error: &Error) -> &str {
    let about_the_request = matches!(
        error.code(),
        Code::AdminDenied
            | Code::AdminToken
            | Code::BodyTooLarge
            | Code::ConversationUnknown
            | Code::DeadLetterUnknown
            | Code::DirectLineDenied
            | Code::DirectLineExpired
            | Code::DirectLineToken
            | Code::IdempotencyKey
            | Code::IdempotencyKeyInUse
            | Code::IdempotencyKeyReused
            | Code::MediaType
            | Code::MethodNotAllowed
            | Code::NoReloads
            | Code::OriginDenied
            | Code::ProviderConfig
            | Code::ProviderNotStored
            | Code::ReplayImpossible
            | Code::RequestDenied
            | Code::RequestInvalid
            | Code::RequestTimeout
            | Code::RouteOff
            | Code::StoredProvider
            | Code::TenantConflict
            | Code::TenantToken
            | Code::UndeliveredUnknown
    );
    if about_the_request { error.message() } else { error.code().title() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_answers_with_success() {
        for &code in Code::ALL {
            let status = status(code);
            assert!(status.is_client_error() || status.is_server_error(), "{code}: {status}");
            assert_eq!(status == StatusCode::UNAUTHORIZED, challenge(code).is_some(), "{code}");
        }
    }

    #[test]
    fn what_is_behind_the_request_stays_inside() {
        let inside = Error::new(Code::StoreFailed, "disk /srv/canary is gone").hint("canary");
        assert!(!message(&inside).contains("canary"));
        assert_eq!(status(inside.code()), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(message(&Error::new(Code::RequestInvalid, "from.id is missing")), "from.id is missing");
    }
}
