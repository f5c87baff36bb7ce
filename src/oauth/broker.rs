//! A broker service: it knows the providers, sends users there, exchanges their codes and keeps the tokens. What the host
//! keeps is the handle under which the broker has a subject's tokens, which it tells over NATS once a consent came about.
//!
//! Where both are stated NATS is asked first, and HTTP where nobody answers there.

mod nats;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::ask;
use super::owner::{Owner, bound};
use super::seal::unguessable;
use super::secrets::Secrets;
use super::settings::OAuthBroker;
use super::vault::{Place, Vault};
use super::web::{Web, nonsense};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::outbound::Answer;
use crate::secret::Secret;
use nats::{Nats, Unheard};
use wire::Start;

/// How long a broker waits for a user.
const KEEP: Duration = Duration::from_secs(900);

/// Asks a broker for one tenant.
#[derive(Debug)]
pub(super) struct Broker {
    tenant: Id,
    settings: Arc<OAuthBroker>,
    web: Arc<Web>,
    vault: Arc<Vault>,
    secrets: Arc<Secrets>,
    nats: Option<Nats>,
    /// Told when a consent came about.
    came: Notify,
}

/// A consent that has begun at the broker.
#[derive(Serialize, Deserialize)]
struct Begun {
    provider: String,
    subject: String,
    flow_id: String,
    /// What the broker calls it, if it says so.
    state: Option<String>,
}

/// Under what the broker has a subject's tokens.
#[derive(Serialize, Deserialize)]
struct Handle {
    handle: String,
    flow_id: String,
}

impl Broker {
    pub(super) fn new(
        tenant: Id,
        settings: Arc<OAuthBroker>,
        web: Arc<Web>,
        vault: Arc<Vault>,
        secrets: Arc<Secrets>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|broker| {
            let nats = settings.nats_url.clone().map(|url| Nats::new(url, broker.clone()));
            Self { tenant, settings, web, vault, secrets, nats, came: Notify::new() }
        })
    }

    /// Begins to listen for consents.
    pub(super) async fn listen(&self) -> Result<()> {
        match &self.nats {
            Some(nats) => nats.client(self).await.map(drop),
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
                        self.vault.put(&latest(owner), &written(&begun)?, Some(KEEP)).await?;
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

    /// What a code is worth. A broker exchanges the provider's code itself: to a component it is the consent's name.
    pub(super) async fn exchange(&self, owner: &Owner, code: &str, path: &str, end: Instant) -> Result<Secret> {
        let code = ask::code(code)?;
        if let Some(place) = &self.settings.exchange_path {
            let redirect = self.redirect(path)?;
            let answer = self.post(place, &wire::exchange(owner, code, redirect.as_ref()), end).await?;
            return self.exchanged(owner, answer, end).await;
        }
        if self.nats.is_none() {
            return Err(ask::bad("this broker exchanges codes itself, and says nothing of it over HTTP").hint(
                "ask for the token; or state `oauth.nats_url`, or `oauth.exchange_path` if the broker takes codes",
            ));
        }
        let begun = self.vault.get(&latest(owner)).await?;
        let begun = begun.and_then(|opened| serde_json::from_slice::<Begun>(&opened.plain).ok());
        let is_meant = |begun: &Begun| {
            let names = [Some(&begun.flow_id), begun.state.as_ref()];
            names.into_iter().flatten().any(|name| Secret::new(name.as_str()).matches(code.as_bytes()))
        };
        let begun = begun.filter(is_meant).ok_or_else(|| {
            Error::new(Code::OAuthState, "no consent of this subject is under way at the broker under this name")
                .hint("pass the `state` or the flow id with which the broker's redirect came")
        })?;
        let handle = self.await_handle(owner, &begun.flow_id, end).await?;
        self.by_handle(owner, &handle, end).await?.ok_or_else(|| wire::nothing(&owner.provider))
    }

    async fn exchanged(&self, owner: &Owner, answer: Answer, end: Instant) -> Result<Secret> {
        match answer.status {
            200 | 201 => {}
            status => return Err(self.refused(status)),
        }
        let Some(handle) = wire::handle(&answer.body)? else { return wire::tokens(&answer.body) };
        self.keep_handle(owner, handle.clone(), String::new()).await?;
        self.by_handle(owner, &handle, end).await?.ok_or_else(|| wire::nothing(&owner.provider))
    }

    /// The tokens of a subject, by the handle that the broker gave for it, else the tenant's own for the provider.
    pub(super) async fn tokens(&self, owner: &Owner, scopes: &[String], end: Instant) -> Result<Option<Secret>> {
        if let Some(handle) = self.handle(owner).await? {
            return self.by_handle(owner, &handle.handle, end).await;
        }
        let body = wire::resource(owner, scopes);
        self.token(nats::RESOURCE, "resource-token", &body, end).await
    }

    async fn by_handle(&self, owner: &Owner, handle: &str, end: Instant) -> Result<Option<Secret>> {
        let body = json!({"token_handle": handle, "force_refresh": false});
        let token = self.token(nats::TOKEN, "token", &body, end).await?;
        // Not one that came meanwhile.
        if token.is_none() && self.handle(owner).await?.is_some_and(|kept| kept.handle == handle) {
            self.vault.forget(&handle_place(owner)).await?;
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
            200 | 201 => wire::tokens(&answer.body).map(Some),
            404 | 410 => Ok(None),
            status => Err(self.refused(status)),
        }
    }

    /// What the broker tells of a consent that came about. Only what the host began is believed.
    async fn hear(&self, told: &Bytes) -> Result<()> {
        let Some(result) = wire::result(told, &self.settings, &self.tenant)? else { return Ok(()) };
        let place = self.flow_place(&result.flow_id);
        let Some(opened) = self.vault.get(&place).await? else { return Ok(()) };
        let Ok(begun) = serde_json::from_slice::<Begun>(&opened.plain) else { return Ok(()) };
        if begun.provider != result.provider {
            return Err(nonsense(
                self.settings.nats_url.as_deref().unwrap_or_default(),
                "a result of another provider",
            ));
        }
        self.vault.forget(&place).await?;
        let owner = self.owner(begun.provider, begun.subject);
        self.keep_handle(&owner, result.token_handle, result.flow_id).await?;
        self.came.notify_waiters();
        Ok(())
    }

    async fn await_handle(&self, owner: &Owner, flow_id: &str, end: Instant) -> Result<String> {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if let Some(handle) = self.handle(owner).await?.filter(|handle| handle.flow_id == flow_id) {
                return Ok(handle.handle);
            }
            if tokio::time::timeout_at(end.into(), came).await.is_err() {
                let message = "the time was up before the broker told that the subject consented";
                return Err(Error::new(Code::OAuthUnavailable, message));
            }
        }
    }

    async fn keep(&self, owner: &Owner, begun: &Begun) -> Result<()> {
        if self.nats.is_none() {
            return Ok(());
        }
        let record = written(begun)?;
        self.vault.put(&self.flow_place(&begun.flow_id), &record, Some(KEEP)).await?;
        self.vault.put(&latest(owner), &record, Some(KEEP)).await
    }

    async fn keep_handle(&self, owner: &Owner, handle: String, flow_id: String) -> Result<()> {
        let record = zeroize::Zeroizing::new(written(&Handle { handle, flow_id })?);
        self.vault.put_surely(&handle_place(owner), &record, None).await
    }

    async fn handle(&self, owner: &Owner) -> Result<Option<Handle>> {
        let opened = self.vault.get(&handle_place(owner)).await?;
        Ok(opened.and_then(|opened| serde_json::from_slice(&opened.plain).ok()))
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

    fn flow_place(&self, flow_id: &str) -> Place {
        let bound = bound(&["flow", &self.settings.env, &self.tenant, flow_id]);
        Place { key: format!("oauth/flow/{}", blake3::hash(&bound).to_hex()), bound }
    }
}

fn latest(owner: &Owner) -> Place {
    Place { key: owner.key("begun", ""), bound: owner.bound("begun", "") }
}

fn handle_place(owner: &Owner) -> Place {
    Place { key: owner.key("handle", ""), bound: owner.bound("handle", "") }
}

fn written(record: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(record).map_err(|e| Error::new(Code::Internal, format!("a record could not be written: {e}")))
}
