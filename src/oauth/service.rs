//! The service of one tenant, by whichever way a provider is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::ask;
use super::broker::Broker;
use super::direct::{self, Direct, Landing};
use super::means::Means;
use super::owner::Owner;
use super::pace::Bucket;
use super::secrets::Secrets;
use super::settings::OAuthBroker;
use super::vault::Vault;
use super::web::Web;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::secret::Secret;
use crate::secrets::{SecretScope, SecretsManager};
use crate::store::Store;

/// Consents that a tenant's packs may begin at once, and then per second: each is kept until its time.
const BURST: u32 = 200;
const PER_SECOND: u32 = 5;

/// What the service needs of the host.
pub struct Host {
    /// Whose service it is.
    pub tenant: Id,
    /// The deployment environment.
    pub env: Id,
    /// Where tokens are kept, encrypted.
    pub store: Arc<dyn Store>,
    /// Where keys and secrets of clients are read.
    pub secrets: Arc<dyn SecretsManager>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Tokens of other services, for the packs of one tenant.
pub struct OAuth {
    means: Means,
    direct: Arc<Direct>,
    broker: Option<Arc<Broker>>,
    consents: Bucket,
}

impl OAuth {
    /// The service that `settings` describe.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] if the system gives no random bytes.
    pub fn new(settings: OAuthBroker, host: Host) -> Result<Self> {
        let Host { tenant, env, store, secrets, clock } = host;
        let settings = Arc::new(settings);
        let secrets = Arc::new(Secrets::new(secrets, SecretScope::of_tenant(&env, &tenant)));
        // Handles of a broker may be forgotten with the process; tokens may not.
        let may_forget = settings.providers.is_empty();
        let vault = Vault::new(store, clock, Arc::clone(&secrets), settings.key.clone(), may_forget)?;
        let (web, works) = (Arc::new(Web::new(&settings)), Arc::default());
        let means = Means { tenant, settings, web, vault: Arc::new(vault), secrets, works };
        let broker = means.settings.has_broker().then(|| Broker::new(means.clone()));
        let direct = Arc::new(Direct::new(means.clone()));
        let consents = Bucket::new(BURST, PER_SECOND, Instant::now());
        Ok(Self { means, direct, broker, consents })
    }

    /// Begins to listen for what a broker tells, and looks whether the key for tokens is there.
    ///
    /// # Errors
    ///
    /// What is wrong with the key, or with what the host logs in to NATS with. The service works as far as it can
    /// nevertheless, and says the same to whoever asks.
    pub async fn start(&self) -> Result<()> {
        let keys = self.means.vault.keys().await.map(drop);
        // Whatever is wrong with the key now, it may be set right while the host runs.
        let listens = match &self.broker {
            Some(broker) => broker.listen().await,
            None => Ok(()),
        };
        keys.and(listens)
    }

    /// Waits for what was begun with a code, a refresh token or a broker's result, for a while: what comes of it could not
    /// be had again.
    pub async fn stop(&self) {
        if !self.means.works.finish().await {
            let tenant = &self.means.tenant;
            tracing::warn!(target: super::TARGET, %tenant, "a provider did not answer in time; its subject may have to consent again");
        }
    }

    /// Where `subject` consents to `scopes` of a provider, for a user's browser.
    ///
    /// # Errors
    ///
    /// Why there is no such place, as a code of the group 111x, or of the store.
    pub async fn consent_url(
        &self,
        provider: &str,
        subject: &str,
        scopes: &[String],
        path: &str,
        extra: &str,
        end: Instant,
    ) -> Result<String> {
        let owner = self.owner(provider, ask::subject(subject)?)?;
        let scopes = ask::scopes(scopes)?;
        if !self.consents.take(Instant::now()) {
            let message = "the tenant's packs begin consents faster than users could give them";
            return Err(Error::new(Code::OAuthUnavailable, message).hint("ask once, and when a user waits for it"));
        }
        match self.way(&owner)? {
            Way::Direct(direct) => direct.consent(&owner, &scopes, path, extra, end).await,
            Way::Broker(broker) => broker.consent(&owner, &scopes, path, extra, end).await,
        }
    }

    /// The tokens, as JSON, that a code is worth which a browser brought to `path`.
    ///
    /// # Errors
    ///
    /// As [`Self::consent_url`].
    pub async fn exchange_code(
        &self,
        provider: &str,
        subject: &str,
        code: &str,
        path: &str,
        end: Instant,
    ) -> Result<Secret> {
        let owner = self.owner(provider, ask::subject(subject)?)?;
        match self.way(&owner)? {
            Way::Direct(direct) => direct.exchange(owner, code, path, end).await,
            Way::Broker(broker) => broker.exchange(owner, code, path, end).await,
        }
    }

    /// The tokens of `subject`, as JSON, valid now and for all of `scopes`; none if it did not consent to them.
    ///
    /// # Errors
    ///
    /// As [`Self::consent_url`].
    pub async fn get_token(
        &self,
        provider: &str,
        subject: &str,
        scopes: &[String],
        end: Instant,
    ) -> Result<Option<Secret>> {
        // A broker also has tokens that are the tenant's own.
        let subject = if subject.is_empty() { String::new() } else { ask::subject(subject)? };
        let owner = self.owner(provider, subject)?;
        let scopes = ask::scopes(scopes)?;
        match self.way(&owner)? {
            Way::Direct(_) if owner.subject.is_empty() => Err(ask::bad("the subject is empty")),
            Way::Direct(direct) => direct.tokens(owner, &scopes, end).await,
            Way::Broker(broker) => broker.tokens(&owner, &scopes, end).await,
        }
    }

    /// Takes a browser that came back from a provider to the host's own place.
    ///
    /// # Errors
    ///
    /// As [`Self::consent_url`].
    pub async fn land(&self, landing: Landing, end: Instant) -> Result<()> {
        self.direct.land(landing, end).await
    }

    fn owner(&self, provider: &str, subject: String) -> Result<Owner> {
        let OAuthBroker { env, team, provider: default, .. } = &*self.means.settings;
        let provider = ask::provider(provider, default.as_deref())?;
        Ok(Owner { env: env.clone(), tenant: self.means.tenant.clone(), team: team.clone(), provider, subject })
    }

    /// The way to the owner's provider: the host's own if the bindings have it, else the broker's.
    fn way(&self, owner: &Owner) -> Result<Way<'_>> {
        match &self.broker {
            _ if self.direct.knows(&owner.provider) => Ok(Way::Direct(&self.direct)),
            Some(broker) => Ok(Way::Broker(broker)),
            None => Err(direct::unknown_provider(&owner.provider, &self.means.settings)),
        }
    }
}

/// The two ways.
enum Way<'a> {
    Direct(&'a Arc<Direct>),
    Broker(&'a Arc<Broker>),
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("tenant", &self.means.tenant).finish_non_exhaustive()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}
