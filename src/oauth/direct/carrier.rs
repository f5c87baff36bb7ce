//! Requests of the protocol's library, carried out; and answers of providers, put as the protocol has them where providers
//! are known to differ.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use url::Url;

use crate::error::{Code, Error, Result};
use crate::oauth::web::{Web, nonsense};

/// Carries requests out, until a time.
pub(super) struct Carrier {
    web: Arc<Web>,
    end: Instant,
}

impl Carrier {
    pub(super) fn new(web: &Arc<Web>, end: Instant) -> Self {
        Self { web: Arc::clone(web), end }
    }

    async fn carry(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())
            .map_err(|_| Error::new(Code::Internal, "an address of a provider cannot be read"))?;
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        let answer = self.web.ask(head.method.as_str(), &url, headers.collect(), body, self.end).await?;
        let (status, body) = read(answer.status, &answer.body);
        let mut response = http::Response::builder().status(status);
        for (name, value) in &answer.headers {
            response = response.header(name, value.as_slice());
        }
        response.body(body.into_owned()).map_err(|_| nonsense(url.as_str(), "its head cannot be read"))
    }
}

impl<'c> oauth2::AsyncHttpClient<'c> for Carrier {
    type Error = Error;
    type Future = BoxFuture<'c, Result<oauth2::HttpResponse>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.carry(request))
    }
}

/// An answer as the protocol has it.
fn read(status: u16, body: &[u8]) -> (u16, Cow<'_, [u8]>) {
    let as_it_is = (status, Cow::Borrowed(body));
    if status != 200 {
        return as_it_is;
    }
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(body) else { return as_it_is };
    if !answer.contains_key("access_token") {
        // Some refuse with a status that says that all went well.
        return if answer.contains_key("error") { (400, as_it_is.1) } else { as_it_is };
    }
    // Some leave out what kind of token it is: then it is the usual one.
    if !answer.get("token_type").is_some_and(Value::is_string) {
        answer.insert("token_type".to_owned(), json!("Bearer"));
    }
    if let Some(time) = answer.get("expires_in").map(seconds) {
        answer.insert("expires_in".to_owned(), json!(time));
    }
    if let Some(Value::Array(scopes)) = answer.get("scope") {
        let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
        answer.insert("scope".to_owned(), json!(scopes.join(" ")));
    }
    if answer.get("refresh_token").is_some_and(|token| token.as_str().is_none_or(str::is_empty)) {
        answer.shift_remove("refresh_token");
    }
    (status, Cow::Owned(Value::Object(answer).to_string().into_bytes()))
}

/// How many seconds something lasts, however it is written; none if nothing says so.
fn seconds(time: &Value) -> Option<u64> {
    let float = match time {
        Value::Number(number) if number.is_u64() => return number.as_u64(),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }?;
    // What ended before it began is at its end.
    Some(std::time::Duration::try_from_secs_f64(float.max(0.0)).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_read(body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (status, read) = read(200, body.as_bytes());
        (status, serde_json::from_slice(&read).unwrap())
    }

    #[test]
    fn answers_that_differ_are_put_as_the_protocol_has_them() {
        let usual = json!({"access_token": "a", "token_type": "bearer", "expires_in": 3600, "scope": "x y", "own": 1});
        assert_eq!(as_read(&usual), (200, usual.clone()));
        for (said, read) in [
            (json!({"expires_in": "3600"}), json!({"expires_in": 3600})),
            (json!({"expires_in": 3600.9}), json!({"expires_in": 3600})),
            (json!({"expires_in": -1}), json!({"expires_in": 0})),
            (json!({"expires_in": null}), json!({"expires_in": null})),
            (json!({"expires_in": "soon"}), json!({"expires_in": null})),
            (json!({"expires_in": 1e300}), json!({"expires_in": null})),
            (json!({"expires_in": u64::MAX}), json!({"expires_in": u64::MAX})),
            (json!({"token_type": null}), json!({"token_type": "Bearer"})),
            (json!({"scope": ["x", "y", 7]}), json!({"scope": "x y"})),
            (json!({"refresh_token": ""}), json!({"refresh_token": null})),
            (json!({"refresh_token": "r"}), json!({"refresh_token": "r"})),
        ] {
            let mut answer = usual.clone();
            answer.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
            let (status, answer) = as_read(&answer);
            for (name, value) in read.as_object().unwrap() {
                assert_eq!((status, &answer[name]), (200, value), "{said}");
            }
        }
        assert_eq!(as_read(&json!({"access_token": "a"})).1["token_type"], "Bearer");
    }

    #[test]
    fn refusals_are_refusals_whatever_their_status() {
        assert_eq!(as_read(&json!({"error": "bad_refresh_token"})).0, 400);
        assert_eq!(as_read(&json!({"error": "x", "access_token": "a"})).0, 200);
        assert_eq!(as_read(&json!({"ok": false})).0, 200);
        for body in ["", "[]", "canary", "[\"access_token\"]"] {
            assert_eq!(read(200, body.as_bytes()), (200, Cow::Borrowed(body.as_bytes())), "{body}");
        }
        assert_eq!(read(400, b"{\"access_token\": 1}").0, 400);
    }
}
