//! Consents that have begun: found by their state when a browser comes back, and by their owner and path when a
//! component does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::Direct;
use crate::error::{Code, Error, Result};
use crate::oauth::owner::{Owner, bound};
use crate::oauth::vault::Place;
use crate::secret::Secret;

/// How long a consent may take.
const KEEP: Duration = Duration::from_secs(600);

/// A consent that has begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) provider: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) redirect: String,
    pub(super) verifier: String,
    pub(super) state: String,
    /// Who the provider says it is, if that is known.
    pub(super) issuer: Option<String>,
    /// Whether browsers come back with that name.
    pub(super) names_issuer: bool,
}

impl Direct {
    /// Keeps a consent until its browser comes back. It takes the place of one that the owner began before for the same path.
    pub(super) async fn keep(&self, owner: &Owner, pending: &Pending) -> Result<()> {
        let latest = latest(owner, &pending.redirect);
        if let Some(before) = self.vault.take(&latest).await? {
            self.vault.forget(&self.place(&String::from_utf8_lossy(&before))).await?;
        }
        let failed = |e| Error::new(Code::Internal, format!("a consent could not be written: {e}"));
        let record = zeroize::Zeroizing::new(serde_json::to_vec(pending).map_err(failed)?);
        self.vault.put(&self.place(&pending.state), &record, Some(KEEP)).await?;
        self.vault.put(&latest, pending.state.as_bytes(), Some(KEEP)).await
    }

    /// The consent with this state, which nobody gets a second time.
    pub(super) async fn of_state(&self, state: &str) -> Result<Option<Pending>> {
        let Some(record) = self.vault.take(&self.place(state)).await? else { return Ok(None) };
        let pending: Pending = serde_json::from_slice(&record)
            .map_err(|_| Error::new(Code::OAuthSealed, "what is stored of a consent is damaged"))?;
        // It lay under a digest of the state already; the text itself is compared in constant time.
        Ok(Some(pending).filter(|pending| Secret::new(pending.state.as_str()).matches(state.as_bytes())))
    }

    /// The consent that the owner began last for this redirect; nobody gets it a second time.
    pub(super) async fn latest(&self, owner: &Owner, redirect: &str) -> Result<Option<Pending>> {
        let Some(state) = self.vault.take(&latest(owner, redirect)).await? else { return Ok(None) };
        let pending = self.of_state(&String::from_utf8_lossy(&state)).await?;
        Ok(pending.filter(|pending| pending.subject == owner.subject && pending.provider == owner.provider))
    }

    /// Whose consent it is.
    pub(super) fn owner_of(&self, pending: &Pending) -> Owner {
        Owner {
            env: self.settings.env.clone(),
            tenant: self.tenant.clone(),
            team: self.settings.team.clone(),
            provider: pending.provider.clone(),
            subject: pending.subject.clone(),
        }
    }

    fn place(&self, state: &str) -> Place {
        let bound = bound(&["consent", &self.settings.env, &self.tenant, state]);
        Place { key: format!("oauth/consent/{}", blake3::hash(&bound).to_hex()), bound }
    }
}

fn latest(owner: &Owner, redirect: &str) -> Place {
    Place { key: owner.key("latest", redirect), bound: owner.bound("latest", redirect) }
}

/// The error for a consent that is not there.
pub(super) fn unknown(what: &str) -> Error {
    Error::new(Code::OAuthState, what)
        .hint("a consent is good for ten minutes and for one return; ask for a new address")
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.verifier.zeroize();
        self.state.zeroize();
    }
}

impl ZeroizeOnDrop for Pending {}
