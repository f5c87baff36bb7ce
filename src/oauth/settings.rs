//! What a tenant's bindings say of its broker and its providers. Secrets are named, never held.

use std::collections::BTreeMap;

use url::Url;

use crate::id::Id;

/// The tokens that a tenant's packs may ask for, and who gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthBroker {
    /// The broker's HTTP address.
    pub http_base_url: Option<Url>,
    /// The broker's NATS address.
    pub nats_url: Option<String>,
    /// The OAuth provider that is asked for where a component names none.
    pub provider: Option<String>,
    /// The deployment environment.
    pub env: Id,
    /// The team, if tokens are kept per team.
    pub team: Option<String>,
    /// Under which browsers reach this host.
    pub public_url: Option<Url>,
    /// The secret that the broker is shown over HTTP, by its name.
    pub http_token: Option<String>,
    /// The secret with which the host logs in to NATS, by its name.
    pub nats_credentials: Option<String>,
    /// As whom it logs in to NATS with that as the password; else it is a token, or the text of a credentials file.
    pub nats_user: Option<String>,
    /// Where below `http_base_url` codes are exchanged.
    pub exchange_path: Option<String>,
    /// The secret with the key of what is stored, by its name.
    pub key: String,
    /// Whether addresses of other machines may be without TLS.
    pub insecure: bool,
    /// Providers that the host asks itself, by their ids.
    pub providers: BTreeMap<String, OAuthProvider>,
}

impl OAuthBroker {
    /// Whether there is a broker.
    pub fn has_broker(&self) -> bool {
        self.http_base_url.is_some() || self.nats_url.is_some()
    }
}

/// A provider that the host asks itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthProvider {
    /// Where it is asked.
    pub endpoints: OAuthEndpoints,
    /// As whom the host asks.
    pub client_id: String,
    /// The secret that proves it, by its name; none for public clients.
    pub client_secret: Option<String>,
    /// Whether the secret is sent in the body, and not by basic authentication.
    pub secret_in_body: bool,
    /// Scopes that are asked for whatever a component asks for.
    pub scopes: Vec<String>,
    /// Further parameters of every request for consent.
    pub authorization_params: BTreeMap<String, String>,
}

/// Where a provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OAuthEndpoints {
    /// Its metadata say where.
    Issuer(Url),
    /// The bindings say where.
    Stated {
        /// Where users consent.
        authorization: Url,
        /// Where codes and refresh tokens are exchanged.
        token: Url,
    },
}

/// Whether what is sent to `url` cannot be read on its way: by TLS, or because it stays on this machine.
pub fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || is_this_machine(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
