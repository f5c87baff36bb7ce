//! Providers that the host asks itself: authorization codes with PKCE, and refresh tokens that rotate.
//!
//! A consent begins with a state that nobody can guess, kept for some minutes and good for one browser that comes back.
//! It knows for whom it began, where the browser is to come back to, and the secret half of the challenge. What is worth
//! something once (a code, a refresh token) is spent in a task of its own: a caller whose time is up loses nothing.

mod carrier;
mod client;
mod discovery;
mod landing;
mod pending;
mod renewal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use oauth2::{AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, Scope};
use url::Url;

pub use landing::Landing;

use super::ask;
use super::flights::Flights;
use super::means::Means;
use super::owner::Owner;
use super::seal::unguessable;
use super::secrets::Secrets;
use super::settings::{OAuthBroker, OAuthProvider};
use super::tokens::Tokens;
use super::vault::{Place, Ready, Vault};
use super::web::{TIME, Web};
use super::works::Works;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::secret::Secret;
use carrier::Carrier;
use discovery::Discovered;
use pending::Pending;

/// Asks providers for one tenant.
#[derive(Debug)]
pub(super) struct Direct {
    tenant: Id,
    settings: Arc<OAuthBroker>,
    web: Arc<Web>,
    vault: Arc<Vault>,
    secrets: Arc<Secrets>,
    works: Arc<Works>,
    flights: Flights,
    discovered: Discovered,
}

impl Direct {
    pub(super) fn new(means: Means) -> Self {
        let Means { tenant, settings, web, vault, secrets, works } = means;
        let (flights, discovered) = (Flights::default(), Discovered::default());
        Self { tenant, settings, web, vault, secrets, works, flights, discovered }
    }

    /// Whether it asks this provider.
    pub(super) fn knows(&self, provider: &str) -> bool {
        self.settings.providers.contains_key(provider)
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
        let provider = self.provider(&owner.provider)?;
        let redirect = self.redirect(path)?;
        let extra = ask::extra(extra)?;
        let extra = extra.iter().map(|(name, value)| Ok((name.clone(), ask::param(name, value)?)));
        let extra = extra.collect::<Result<Vec<_>>>()?;
        let endpoints = self.endpoints(provider, end).await?;
        let mut wanted = provider.scopes.clone();
        wanted.extend(scopes.iter().filter(|scope| !provider.scopes.contains(scope)).cloned());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = unguessable()?;
        let client = client::of(provider, None, &endpoints, &redirect);
        let mut request = client
            .authorize_url(|| CsrfToken::new(state.clone()))
            .add_scopes(wanted.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        let stated =
            provider.authorization_params.iter().filter(|(name, _)| !extra.iter().any(|(own, _)| own == *name));
        for (name, value) in stated.map(|(name, value)| (name.clone(), value.clone())).chain(extra.iter().cloned()) {
            request = request.add_extra_param(name, value);
        }
        let (url, _) = request.url();
        let pending = Pending {
            provider: owner.provider.clone(),
            subject: owner.subject.clone(),
            scopes: wanted,
            redirect: redirect.into(),
            verifier: verifier.into_secret(),
            state,
            issuer: endpoints.issuer.clone(),
            names_issuer: endpoints.names_issuer,
        };
        self.keep(owner, &pending).await?;
        Ok(url.into())
    }

    /// What a code is worth that a component got at `path`.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        owner: Owner,
        code: &str,
        path: &str,
        end: Instant,
    ) -> Result<Secret> {
        let code = Secret::new(ask::code(code)?);
        let redirect = self.redirect(path)?;
        let direct = Arc::clone(self);
        let exchanged = self.works.within(end, async move {
            let pending = direct.latest(&owner, redirect.as_str()).await?.ok_or_else(|| {
                pending::unknown("no consent of this subject was begun for this provider and path, or it was exchanged")
            })?;
            direct.spend(&owner, &pending, code).await
        });
        Ok(exchanged.await?.shown())
    }

    /// The tokens of an owner who consented to all of `scopes`.
    pub(super) async fn tokens(
        self: &Arc<Self>,
        owner: Owner,
        scopes: &[String],
        end: Instant,
    ) -> Result<Option<Secret>> {
        self.provider(&owner.provider)?;
        let now = self.vault.now();
        let Some(kept) = self.kept(&owner).await?.filter(|tokens| tokens.cover(scopes)) else { return Ok(None) };
        if kept.are_fresh(now) {
            return Ok(Some(kept.shown()));
        }
        let renewing = Arc::clone(self);
        match self.works.within(end, async move { renewing.renew(owner).await }).await {
            Ok(tokens) => Ok(tokens.filter(|tokens| tokens.cover(scopes)).map(|tokens| tokens.shown())),
            Err(error) if kept.are_valid(self.vault.now()) => {
                tracing::warn!(target: super::TARGET, tenant = %self.tenant, %error, "a token was not renewed, and lasts a moment still");
                Ok(Some(kept.shown()))
            }
            Err(error) => Err(error),
        }
    }

    /// Exchanges a code for the tokens of `owner`, and keeps them. Everything that it takes to do so is there before the
    /// code is shown to anybody.
    async fn spend(&self, owner: &Owner, pending: &Pending, code: Secret) -> Result<Tokens> {
        let provider = self.provider(&owner.provider)?;
        let end = Instant::now() + TIME;
        let endpoints = self.endpoints(provider, end).await?;
        let redirect = Url::parse(&pending.redirect)
            .map_err(|_| Error::new(Code::Internal, "a redirect that was kept cannot be read"))?;
        let client = client::of(provider, self.client_secret(provider).await?, &endpoints, &redirect);
        let ready = self.vault.ready().await?;
        let request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()));
        // What lasts for an hour lasts from now on at the most.
        let now = self.vault.now();
        let answer = request.request_async(&Carrier::new(&self.web, end)).await;
        let answer = answer.map_err(|error| client::failure(&owner.provider, error).into_error())?;
        let tokens = client::tokens(&answer, &pending.scopes, now);
        let mut turn = self.flights.turn(owner).await;
        let stored = self.store(&ready, owner, &tokens).await;
        turn.note(&stored);
        stored.map(|()| tokens)
    }

    fn provider(&self, id: &str) -> Result<&OAuthProvider> {
        self.settings.providers.get(id).ok_or_else(|| unknown_provider(id, &self.settings))
    }

    async fn client_secret(&self, provider: &OAuthProvider) -> Result<Option<Secret>> {
        match &provider.client_secret {
            Some(name) => self.secrets.value(name).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where a browser comes back to: the path, or the host's own.
    fn redirect(&self, path: &str) -> Result<Url> {
        let public = self.settings.public_url.as_ref().ok_or_else(no_public_url)?;
        match path {
            "" => ask::redirect(public, &format!("/t/{}/oauth/callback", self.tenant)),
            path => ask::redirect(public, path),
        }
    }

    async fn kept(&self, owner: &Owner) -> Result<Option<Tokens>> {
        let opened = self.vault.get(&place(owner)).await?;
        let Some(opened) = opened else { return Ok(None) };
        let tokens = Tokens::of_record(&opened.plain)?;
        if opened.stale
            && let Err(error) = self.seal_anew(owner, &tokens, &opened.plain).await
        {
            tracing::warn!(target: super::TARGET, tenant = %self.tenant, %error, "tokens are not encrypted anew yet");
        }
        Ok(Some(tokens))
    }

    /// Seals tokens with the newest key that a replaced one had sealed.
    async fn seal_anew(&self, owner: &Owner, tokens: &Tokens, plain: &[u8]) -> Result<()> {
        let _turn = self.flights.turn(owner).await;
        // Renewed meanwhile, they are sealed with the new key already.
        match self.vault.get(&place(owner)).await? {
            Some(now) if now.stale && *now.plain == plain => {
                self.vault.put(&place(owner), &tokens.record()?, self.time_of(tokens)).await
            }
            _ => Ok(()),
        }
    }

    async fn store(&self, ready: &Ready, owner: &Owner, tokens: &Tokens) -> Result<()> {
        self.vault.put_surely(ready, &place(owner), &tokens.record()?, self.time_of(tokens)).await
    }

    /// How long tokens are kept: without a refresh token nothing is left of them at their end.
    fn time_of(&self, tokens: &Tokens) -> Option<Duration> {
        let end = tokens.expires_at.filter(|_| tokens.refresh.is_none());
        end.map(|end| end.since(self.vault.now()))
    }
}

fn place(owner: &Owner) -> Place {
    Place { key: owner.key("tokens", ""), bound: owner.bound("tokens", "") }
}

pub(super) fn no_public_url() -> Error {
    ask::bad("nothing says where browsers come back to").hint("state `oauth.public_url` in the bindings")
}

pub(super) fn unknown_provider(id: &str, settings: &OAuthBroker) -> Error {
    let known = settings.providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let hint =
        if known.is_empty() { "the bindings name none".to_owned() } else { format!("the bindings have: {known}") };
    Error::new(Code::OAuthProvider, format!("there is no provider {:?}", crate::id::clip(id))).hint(hint)
}
