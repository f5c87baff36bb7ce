//! A browser that comes back from a provider.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;

use super::Direct;
use super::pending::{Pending, unknown};
use crate::error::{Code, Error, Result};
use crate::oauth::ask;
use crate::secret::Secret;

/// Bytes of a state; the host's own have 43.
const MAX_STATE: usize = 128;
/// Bytes of a code for an error, and of an issuer.
const MAX_TEXT: usize = 512;

/// What providers say when there is no consent (RFC 6749 4.1.2.1, OpenID Connect 3.1.2.6). Nothing else is repeated.
const REASONS: [&str; 16] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "registration_not_supported",
    "request_not_supported",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
];

/// What a browser brings along. Anybody can make one up.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Landing {
    /// The state with which the consent began.
    pub state: Option<String>,
    /// The code to exchange.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who the provider says it is.
    pub iss: Option<String>,
}

/// It may hold a code.
impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Landing").field("has_code", &self.code.is_some()).finish_non_exhaustive()
    }
}

impl Direct {
    /// Exchanges the code of a browser that came back, for the owner whose consent had begun with its state.
    pub(in crate::oauth) async fn land(self: &Arc<Self>, landing: Landing, end: Instant) -> Result<()> {
        let state = landing.state.as_deref().filter(|state| !state.is_empty() && state.len() <= MAX_STATE);
        let state = state.ok_or_else(|| unknown("the browser brings no state along"))?;
        let (direct, state) = (Arc::clone(self), Secret::new(state));
        self.works.within(end, async move { direct.landed(&state, landing).await }).await
    }

    async fn landed(&self, state: &Secret, landing: Landing) -> Result<()> {
        // From here on the state is spent, whatever comes of it.
        let pending = self.of_state(state.expose()).await?;
        let pending = pending
            .ok_or_else(|| unknown("no consent with this state is under way here, or it was used, or took too long"))?;
        if pending.redirect != self.redirect("")?.as_str() {
            return Err(unknown("the consent with this state comes back elsewhere"));
        }
        check_issuer(&pending, landing.iss.as_deref())?;
        if let Some(error) = &landing.error {
            return Err(refused(&pending.provider, error));
        }
        let code = Secret::new(ask::code(landing.code.as_deref().unwrap_or_default())?);
        self.spend(&self.owner_of(&pending), &pending, code).await.map(drop)
    }
}

/// A provider that names itself is the one that was asked (RFC 9207): no other gets the code.
fn check_issuer(pending: &Pending, named: Option<&str>) -> Result<()> {
    let fits = match (&pending.issuer, named) {
        (Some(issuer), Some(named)) => named.len() <= MAX_TEXT && issuer == named,
        (Some(_), None) => !pending.names_issuer,
        (None, _) => true,
    };
    match fits {
        true => Ok(()),
        false => {
            let message = format!("the answer is not of provider {}, which was asked", pending.provider);
            Err(Error::new(Code::OAuthRefused, message))
        }
    }
}

fn refused(provider: &str, error: &str) -> Error {
    let reason = REASONS.into_iter().find(|reason| *reason == error).unwrap_or("for a reason of its own");
    Error::new(Code::OAuthRefused, format!("provider {provider} gives no consent: {reason}"))
        .hint("the subject can try again with a new address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_browser_brings_nothing_is_repeated_but_known_words() {
        assert!(refused("p", "access_denied").message().ends_with("access_denied"));
        for error in ["<script>alert(1)</script>", "access_denied ", "canary"] {
            let said = refused("p", error).to_string();
            assert!(said.contains("for a reason of its own") && !said.contains(error), "{said}");
        }
        let landing = Landing { code: Some("canary".into()), state: Some("canary".into()), ..Landing::default() };
        assert!(!format!("{landing:?}").contains("canary"));
    }
}
