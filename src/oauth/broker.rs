//! A broker service: it knows the providers, sends users there, exchanges their codes and keeps the tokens. What the host
//! keeps is the handle under which the broker has a subject's tokens, which it tells over NATS once a consent came about.
//!
//! Where both are stated NATS is asked first, and HTTP where nobody answers there.

mod exchange;
mod kept;
mod login;
mod nats;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::ask;
use super::flights::Flights;
use super::means::Means;
use super::owner::Owner;
use super::seal::unguessable;
use super::secrets::Secrets;
use super::settings::OAuthBroker;
use super::vault::{Vault, surely};
use super::web::{Web, nonsense};
use super::works::Works;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::outbound::Answer;
use crate::secret::Secret;
use kept::{Begun, Kept};
use login::Login;
use nats::{Nats, Unheard};
use wire::Start;

/// Asks a broker for one tenant.
#[derive(Debug)]
pub(super) struct Broker {
    tenant: Id,
    settings: Arc<OAuthBroker>,
    web: Arc<Web>,
    vault: Arc<Vault>,
    secrets: Arc<Secrets>,
    works: Arc<Works>,
    nats: Option<Nats>,
    /// Results of an owner's consents are kept one after another.
    flights: Flights,
    /// Told when a consent came about.
    came: Notify,
}

impl Broker {
    pub(super) fn new(means: Means) -> Arc<Self> {
        let Means { tenant, settings, web, vault, secrets, works } = means;
        Arc::new_cyclic(|broker| {
            let nats =
                settings.nats_url.clone().map(|url| Nats::new(url, Login::of(&settings, &secrets), broker.clone()));
            let (flights, came) = (Flights::default(), Notify::new());
            Self { tenant, settings, web, vault, secrets, works, nats, flights, came }
        })
    }

    /// Begins to listen for consents.
    pub(super) async fn listen(&self) -> Result<()> {
        match &self.nats {
            Some(nats) => nats.listen(self).await,
            None => Ok(()),
        }
    }

    /// Where the owner consents.
    pub(super) async fn consent(
        &self,
        owner: &Owner,
        scopes: &[String],
        path: &str,
        extra: &str,
        end: Instant,
    ) -> Result<String> {
        let redirect = self.redirect(path)?;
        let flow_id = unguessable()?;
        let start = Start::new(owner, &flow_id, scopes, redirect.as_ref(), ask::extra(extra)?)?;
        let mut begun =
            Begun { provider: owner.provider.clone(), subject: owner.subject.clone(), flow_id, state: None };
        // Before it is asked for: its end may be told before its beginning is answered.
        self.keep(owner, &begun).await?;
        if let Some(nats) = &self.nats {
            match nats.ask(self, &wire::start_subject(owner, &begun.flow_id), &start.over_nats(), end).await {
                Ok(answer) => {
                    let (url, state) = wire::started(&answer, &begun.flow_id)?;
                    if state.is_some() {
                        begun.state = state;
                        self.keep_latest(owner, &begun).await?;
                    }
                    return Ok(url);
                }
                Err(Unheard::Nobody(error)) if self.settings.http_base_url.is_none() => return Err(error),
                Err(Unheard::Nobody(_)) => {}
                Err(Unheard::Failed(error)) => return Err(error),
            }
        }
        let answer = self.post("oauth/start", &start.over_http(), end).await?;
        match answer.status {
            200 | 201 => wire::start_url(&answer.body),
            status => Err(self.refused(status)),
        }
    }

    /// The tokens of a subject: by the handle that the broker gave for it, or those that it gave in a handle's place; else
    /// the tenant's own for the provider.
    pub(super) async fn tokens(&self, owner: &Owner, scopes: &[String], end: Instant) -> Result<Option<Secret>> {
        match self.kept(owner).await? {
            Some(Kept::Handle { handle, .. }) => self.by_handle(owner, &handle, end).await,
            Some(Kept::Tokens { tokens }) => Ok(Some(Secret::new(tokens))),
            None => self.token(nats::RESOURCE, "resource-token", &wire::resource(owner, scopes), end).await,
        }
    }

    async fn by_handle(&self, owner: &Owner, handle: &str, end: Instant) -> Result<Option<Secret>> {
        let body = json!({"token_handle": handle, "force_refresh": false});
        let token = self.token(nats::TOKEN, "token", &body, end).await?;
        // Not one that came meanwhile.
        if token.is_none() && self.kept(owner).await?.is_some_and(|kept| kept.is_handle(handle)) {
            self.forget(owner).await?;
        }
        Ok(token)
    }

    /// Asks for a token. None if the broker has none.
    async fn token(&self, subject: &str, path: &str, body: &Value, end: Instant) -> Result<Option<Secret>> {
        if let Some(nats) = &self.nats {
            match nats.ask(self, subject, body, end).await {
                Ok(answer) => return wire::token_or_none(&answer),
                Err(Unheard::Nobody(error)) if self.settings.http_base_url.is_none() => return Err(error),
                Err(Unheard::Nobody(_)) => {}
                Err(Unheard::Failed(error)) => return Err(error),
            }
        }
        let answer = self.post(path, body, end).await?;
        match answer.status {
            200 | 201 => wire::tokens(&answer.body).map(|given| Some(given.tokens)),
            404 | 410 => Ok(None),
            status => Err(self.refused(status)),
        }
    }

    /// What the broker tells of a consent that came about. Only what the host began is believed. It is told once: what
    /// cannot be kept now is kept a little later.
    async fn hear(&self, told: &Bytes) -> Result<()> {
        let Some(result) = wire::result(told, &self.settings, &self.tenant)? else { return Ok(()) };
        let Some(begun) = surely(|| self.begun(&result.flow_id)).await? else { return Ok(()) };
        if begun.provider != result.provider {
            return Err(nonsense(
                self.settings.nats_url.as_deref().unwrap_or_default(),
                "a result of another provider",
            ));
        }
        let owner = self.owner(begun.provider, begun.subject);
        let _turn = self.flights.turn(&owner).await;
        // Another result of the same consent may have been taken meanwhile.
        if surely(|| self.begun(&result.flow_id)).await?.is_none() {
            return Ok(());
        }
        let ready = surely(|| self.vault.ready()).await?;
        self.keep_handle(&ready, &owner, result.token_handle, result.flow_id.clone()).await?;
        self.came.notify_waiters();
        // After it is kept: a result is taken once, and whole.
        surely(|| self.forget_begun(&result.flow_id)).await
    }

    async fn post(&self, path: &str, body: &Value, end: Instant) -> Result<Answer> {
        let base = self.settings.http_base_url.as_ref();
        let url = base.and_then(|base| base.join(path).ok());
        let url = url.ok_or_else(|| Error::new(Code::OAuthUnavailable, "the broker has no HTTP address"))?;
        let headers = match &self.settings.http_token {
            Some(name) => {
                let token = self.secrets.value(name).await?;
                vec![("authorization".to_owned(), format!("Bearer {}", token.expose()).into_bytes())]
            }
            None => Vec::new(),
        };
        self.web.post(&url, headers, body.to_string().into_bytes(), end).await
    }

    fn refused(&self, status: u16) -> Error {
        let base = self.settings.http_base_url.as_ref().map_or("", Url::as_str);
        if (300..400).contains(&status) {
            return nonsense(base, &format!("status {status}"));
        }
        let message = format!("{} refuses with status {status}", crate::outbound::shown_origin(base));
        Error::new(Code::OAuthRefused, message)
    }

    fn redirect(&self, path: &str) -> Result<Option<Url>> {
        if path.is_empty() {
            return Ok(None);
        }
        let public = self.settings.public_url.as_ref().ok_or_else(super::direct::no_public_url)?;
        ask::redirect(public, path).map(Some)
    }

    fn owner(&self, provider: String, subject: String) -> Owner {
        let OAuthBroker { env, team, .. } = &*self.settings;
        Owner { env: env.clone(), tenant: self.tenant.clone(), team: team.clone(), provider, subject }
    }
}
