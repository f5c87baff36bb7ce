//! The `oauth` section: a broker, and providers that the host asks itself.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::units::{Name, NatsUrl, Text, WebUrl};
use super::yaml::{Cursor, Finding};
use crate::id::{self, Id};
use crate::oauth::{OAuthBroker, OAuthEndpoints, OAuthProvider, is_private};

/// The secret with the key of what is stored, unless the bindings name another.
const KEY: &str = "OAUTH_KEY";

/// Tokens of other services that components may ask for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuth {
    /// The broker's HTTP address.
    http_base_url: Option<WebUrl>,
    /// The broker's NATS address.
    nats_url: Option<NatsUrl>,
    /// The OAuth provider that is asked for where a component names none.
    provider: Option<Name>,
    /// The deployment environment, `GREENTIC_ENV` unless stated.
    env: Option<Name>,
    /// The team, if tokens are kept per team.
    team: Option<Text>,
    /// Under which browsers reach this host, such as `https://bots.example.com/`.
    public_url: Option<WebUrl>,
    /// The name of the secret that the broker is shown over HTTP as a bearer token.
    http_token: Option<Text>,
    /// The name of the secret with which the host logs in to NATS: a credentials file's text, a token, or the password of
    /// `nats_user`.
    nats_credentials: Option<Text>,
    /// As whom the host logs in to NATS, where that takes a password.
    nats_user: Option<Text>,
    /// Where below `http_base_url` the broker takes codes that components got, if it does.
    exchange_path: Option<Text>,
    /// The name of the secret with the key that stored tokens are encrypted with, `OAUTH_KEY` unless stated.
    key: Option<Text>,
    /// Lets `http_base_url` and addresses of providers on other machines be without TLS.
    #[serde(default)]
    insecure: bool,
    /// Providers that the host asks itself. The keys are their ids.
    #[serde(default)]
    providers: IndexMap<String, Provider>,
}

/// A provider that the host asks itself: where, by `issuer` or by two addresses, and as whom.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Provider {
    /// The provider's issuer, whose metadata say where it is asked.
    issuer: Option<WebUrl>,
    /// Where users consent, if there is no `issuer`.
    authorization_url: Option<WebUrl>,
    /// Where codes are exchanged, if there is no `issuer`.
    token_url: Option<WebUrl>,
    /// The host's id at the provider.
    client_id: Text,
    /// The name of the secret that proves it; none for public clients.
    client_secret: Option<Text>,
    /// How the secret is sent: `basic` unless stated.
    client_auth: Option<ClientAuth>,
    /// Scopes that are asked for whatever a component asks for.
    #[serde(default)]
    scopes: Vec<Text>,
    /// Further parameters of every request for consent, such as `access_type: offline`.
    #[serde(default)]
    authorization_params: IndexMap<String, Text>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ClientAuth {
    /// By HTTP's basic authentication.
    Basic,
    /// In the body.
    Post,
}

impl OAuth {
    pub(super) fn broker(&self, env: &Id) -> OAuthBroker {
        let text = |text: &Option<Text>| text.as_ref().map(|Text(text)| text.clone());
        let providers = self.providers.iter().filter_map(|(id, provider)| Some((id.clone(), provider.settings()?)));
        OAuthBroker {
            http_base_url: url_of(self.http_base_url.as_ref()).map(as_directory),
            nats_url: self.nats_url.as_ref().map(|NatsUrl(url)| url.clone()),
            provider: self.default_provider(),
            env: self.env.as_ref().map_or_else(|| env.clone(), |Name(env)| env.clone()),
            team: text(&self.team),
            public_url: url_of(self.public_url.as_ref()).map(as_directory),
            http_token: text(&self.http_token),
            nats_credentials: text(&self.nats_credentials),
            nats_user: text(&self.nats_user),
            exchange_path: text(&self.exchange_path),
            key: text(&self.key).unwrap_or_else(|| KEY.to_owned()),
            insecure: self.insecure,
            providers: providers.collect(),
        }
    }

    /// The provider where a component names none: the one that is stated, else the only one there is.
    fn default_provider(&self) -> Option<String> {
        let only = || match (self.providers.len(), self.http_base_url.is_none() && self.nats_url.is_none()) {
            (1, true) => self.providers.keys().next().cloned(),
            _ => None,
        };
        self.provider.as_ref().map(|Name(id)| id.to_string()).or_else(only)
    }

    /// Reports what no single value is wrong about.
    pub(super) fn check(&self, at: Cursor<'_>) {
        let place = |key: &str| at.get(key).map_or(at.place(), |at| at.place());
        let report = |key: &str, what: &str, hint: &str| {
            at.report(Finding::at(place(key), what.to_owned()).hint(hint.to_owned()));
        };
        let (http, nats) = (self.http_base_url.is_some(), self.nats_url.is_some());
        if !http && !nats && self.providers.is_empty() {
            report("", "`oauth` names nobody to ask", "add `http_base_url` or `nats_url` of a broker, or `providers`");
        }
        for (key, url) in [("http_base_url", &self.http_base_url), ("public_url", &self.public_url)] {
            let Some(WebUrl(url)) = url else { continue };
            if url.query().is_some() {
                report(key, &format!("`{key}` has a query"), "end it with the path");
            }
            if !self.insecure && !is_private(url) {
                report(key, &format!("`{key}` is without TLS"), "begin it with https://, or state `insecure: true`");
            }
        }
        for (key, stated, needs, has) in [
            ("http_token", self.http_token.is_some(), "http_base_url", http),
            ("exchange_path", self.exchange_path.is_some(), "http_base_url", http),
            ("nats_credentials", self.nats_credentials.is_some(), "nats_url", nats),
            ("nats_user", self.nats_user.is_some(), "nats_credentials", self.nats_credentials.is_some()),
            ("providers", !self.providers.is_empty(), "public_url", self.public_url.is_some()),
        ] {
            if stated && !has {
                report(key, &format!("`{key}` needs `{needs}`"), &format!("add `{needs}`, or remove `{key}`"));
            }
        }
        if self.exchange_path.as_ref().is_some_and(|Text(path)| !is_relative(path)) {
            report("exchange_path", "`exchange_path` is no path below `http_base_url`", "write it as oauth/exchange");
        }
        let Some(providers) = at.get("providers") else { return };
        for (id, provider) in &self.providers {
            let Some(at) = providers.get(id) else { continue };
            if !id::is_valid(id) {
                let finding = Finding::at(at.place(), "the id of a provider is no identifier");
                at.report(finding.hint("use ASCII letters, digits, '.', '-' and '_'"));
            }
            provider.check(id, self.insecure, at);
        }
    }
}

impl Provider {
    /// None for one that is refused.
    fn settings(&self) -> Option<OAuthProvider> {
        let endpoints = match (url_of(self.issuer.as_ref()), &self.authorization_url, &self.token_url) {
            (Some(issuer), ..) => OAuthEndpoints::Issuer(issuer),
            (None, Some(WebUrl(authorization)), Some(WebUrl(token))) => {
                OAuthEndpoints::Stated { authorization: authorization.clone(), token: token.clone() }
            }
            _ => return None,
        };
        let params = self.authorization_params.iter().map(|(name, Text(value))| (name.clone(), value.clone()));
        Some(OAuthProvider {
            endpoints,
            client_id: self.client_id.0.clone(),
            client_secret: self.client_secret.as_ref().map(|Text(name)| name.clone()),
            secret_in_body: self.client_auth == Some(ClientAuth::Post),
            scopes: self.scopes.iter().map(|Text(scope)| scope.clone()).collect(),
            authorization_params: params.collect::<BTreeMap<_, _>>(),
        })
    }

    fn check(&self, id: &str, insecure: bool, at: Cursor<'_>) {
        let report = |what: String, hint: &str| at.report(Finding::at(at.place(), what).hint(hint.to_owned()));
        let (authorization, token) = (self.authorization_url.is_some(), self.token_url.is_some());
        if self.issuer.is_some() && (authorization || token) {
            report(format!("provider `{id}` has an `issuer` and addresses"), "keep one of the two");
        }
        if self.issuer.is_none() && !(authorization && token) {
            report(
                format!("nothing says where provider `{id}` is"),
                "add `issuer`, or `authorization_url` and `token_url`",
            );
        }
        let urls = [&self.issuer, &self.authorization_url, &self.token_url].into_iter().flatten();
        if !insecure && urls.into_iter().any(|WebUrl(url)| !is_private(url)) {
            report(
                format!("provider `{id}` is asked without TLS"),
                "begin its addresses with https://, or state `insecure: true`",
            );
        }
        if let Some(name) = self.authorization_params.keys().find(|name| crate::oauth::is_reserved(name)) {
            report(format!("`authorization_params` of provider `{id}` has `{name}`, which the host sets"), "remove it");
        }
    }
}

fn url_of(url: Option<&WebUrl>) -> Option<Url> {
    url.map(|WebUrl(url)| url.clone())
}

/// The same address, to whose end paths can be added.
fn as_directory(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

fn is_relative(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(part) && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
}
