//! Tokens that authorities give for an app's password, kept while they are valid and asked for once at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::post::read;
use crate::egress::{ClientCredentials, Verdict};
use crate::secret::Secret;

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a token is used if its authority does not say how long it is valid.
const UNSTATED: Duration = Duration::from_secs(600);

/// The tokens that are known.
#[derive(Default)]
pub(super) struct Tokens {
    known: parking_lot::Mutex<HashMap<Key, Arc<Slot>>>,
}

/// Which token: the authority, the app, and what it is for.
type Key = (String, String, String);
type Slot = tokio::sync::Mutex<Option<Known>>;

struct Known {
    token: Secret,
    until: Instant,
}

impl Tokens {
    fn slot(&self, of: &ClientCredentials) -> Arc<Slot> {
        let key = (of.token_url.clone(), of.client_id.clone(), of.scope.clone());
        Arc::clone(self.known.lock().entry(key).or_default())
    }

    /// A token that is valid now.
    ///
    /// # Errors
    ///
    /// What becomes of a request that cannot be made without it.
    pub(super) async fn get(&self, http: &reqwest::Client, of: &ClientCredentials) -> Result<Secret, Verdict> {
        let slot = self.slot(of);
        // Held while the token is asked for, so that it is asked for once.
        let mut known = slot.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return Ok(known.token.clone());
        }
        let fresh = ask(http, of).await?;
        let token = fresh.token.clone();
        *known = Some(fresh);
        Ok(token)
    }

    /// Forgets a token that was refused.
    pub(super) async fn forget(&self, of: &ClientCredentials, token: &Secret) {
        let slot = self.slot(of);
        let mut known = slot.lock().await;
        if known.as_ref().is_some_and(|known| known.token == *token) {
            *known = None;
        }
    }
}

async fn ask(http: &reqwest::Client, of: &ClientCredentials) -> Result<Known, Verdict> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &of.client_id),
        ("client_secret", of.client_secret.expose()),
        ("scope", &of.scope),
    ];
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http.post(&of.token_url).header("content-type", "application/x-www-form-urlencoded").body(body);
    // Nothing was sent to the platform yet, so whatever fails for a while may be tried again.
    let response = request.send().await.map_err(|error| {
        tracing::warn!("the app's token cannot be asked for: {}", error.without_url());
        Verdict::Later(None)
    })?;
    let (status, headers, body) = read(response).await;
    let answer = crate::egress::Answer { status, headers: &headers, body: &body };
    let given = answer.json();
    match status {
        200..=299 => {}
        429 | 500..=599 => return Err(Verdict::Later(answer.retry_after())),
        _ => {
            let code = given.get("error").and_then(Value::as_str).filter(|code| is_code(code)).unwrap_or("no reason");
            return Err(Verdict::Refused(format!("the app gets no token: {status}, {code}")));
        }
    }
    let Some(token) = given.get("access_token").and_then(Value::as_str).filter(|token| is_token(token)) else {
        return Err(Verdict::Refused("the app gets no token: the answer holds none".into()));
    };
    let seconds =
        given.get("expires_in").and_then(|seconds| seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok()));
    let valid = seconds.map_or(UNSTATED, Duration::from_secs);
    let used = valid.saturating_sub(MARGIN).max(valid / 2).min(Duration::from_secs(24 * 3600));
    Ok(Known { token: Secret::new(token), until: Instant::now() + used })
}

/// Whether a text is an error code of OAuth, and not something longer.
fn is_code(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a text can be sent as a token.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}
