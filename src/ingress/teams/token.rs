//! The tokens of the Bot Framework: who signed them, for whom, until when, for which service URL and channel.
//!
//! All of it is compared exactly: a prefix or a pattern would let in what the platform did not sign. Times are judged by
//! the clock of the request's context and not by the JWT library's.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::Deserialize;
use url::{Host, Url};

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::ingress::adapter::{Context, MAX_PLATFORM_ID, Request};
use crate::ingress::gate::only_header;
use crate::ingress::keys::PublishedKey;
use crate::ingress::verify::{WINDOW, refused};

#[cfg(test)]
mod tests;

/// The longest token that is read, in bytes. The connector's have about 1 KiB.
const MAX_TOKEN: usize = 16 << 10;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// Who issues the Emulator's tokens, by their version.
const EMULATOR_V1: [&str; 2] = [
    "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/",
    "https://sts.windows.net/f8cdef31-a31e-4b4a-93e4-5f571e91255a/",
];
const EMULATOR_V2: [&str; 2] = [
    "https://login.microsoftonline.com/d6d49420-f39b-4df7-a1dc-d59a935871db/v2.0",
    "https://login.microsoftonline.com/f8cdef31-a31e-4b4a-93e4-5f571e91255a/v2.0",
];

/// Whose tokens are believed. One of them only: each has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The connector.
    Public,
    /// The connector of the cloud for the US Government.
    UsGov,
    /// The Bot Framework Emulator on this machine, which sends what Entra issued to the bot itself.
    Emulator,
}

impl Trust {
    /// For the report at start.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Public => "Bot Framework token",
            Self::UsGov => "Bot Framework token (US Government)",
            Self::Emulator => "Bot Framework Emulator's token, from this machine only",
        }
    }

    fn keys_url(self, login: Option<&str>) -> String {
        let (base, path) = match self {
            Self::Public => ("https://login.botframework.com", "/v1/.well-known/openidconfiguration"),
            Self::UsGov => ("https://login.botframework.azure.us", "/v1/.well-known/openidconfiguration"),
            Self::Emulator => {
                ("https://login.microsoftonline.com", "/botframework.com/v2.0/.well-known/openid-configuration")
            }
        };
        format!("{}{path}", login.unwrap_or(base).trim_end_matches('/'))
    }
}

/// What a token claims, as far as it matters.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    #[serde(alias = "serviceUrl")]
    serviceurl: Option<String>,
    ver: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
}

/// What of the activity a token is about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    service_url: Option<String>,
    channel_id: Option<String>,
}

/// Verifies the requests to a bot.
pub(super) struct Verifier {
    apps: Vec<String>,
    trust: Trust,
    keys_url: String,
}

impl Verifier {
    /// For the bot of these App IDs: more than one while a bot is moved. `login` is what the keys are published below.
    pub(super) fn new(apps: Vec<String>, trust: Trust, login: Option<&str>) -> Self {
        Self { apps, trust, keys_url: trust.keys_url(login) }
    }

    /// The bot's App IDs.
    pub(super) fn apps(&self) -> &[String] {
        &self.apps
    }

    /// Where the keys are published.
    pub(super) fn keys_url(&self) -> &str {
        &self.keys_url
    }

    pub(super) fn is_for_emulator(&self) -> bool {
        self.trust == Trust::Emulator
    }

    /// Refuses a request that was not sent by whom the bot trusts.
    pub(super) fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        if self.is_for_emulator() && !request.peer.is_some_and(|ip| ip.to_canonical().is_loopback()) {
            return Err(refused("the Emulator's tokens are taken from this machine only"));
        }
        let token = bearer(request.headers)?;
        let (header, key_id) = header_of(token)?;
        // Judged before the signature, so that only a token that is in order otherwise can make the host fetch keys.
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token);
        let claims = claims.map_err(|_| refused("the token lacks claims that it must have"))?;
        self.judge(&claims, context.now)?;
        let keys = context.keys.as_deref();
        let Some(key) = keys.and_then(|keys| keys.find(&key_id)) else {
            let known = keys.map_or(0, |keys| keys.len());
            let named = clip(&key_id).escape_debug().to_string();
            return Err(Error::new(
                Code::KeysWanted,
                format!("the token names the key \"{named}\", which is not among the {known} keys that are known"),
            ));
        };
        is_signed(token, &header, key)?;
        self.is_about(&claims, key, request.body)
    }

    fn judge(&self, claims: &Claims, now: Timestamp) -> Result<()> {
        let is_ours = |id: &str| self.apps.iter().any(|app| app.eq_ignore_ascii_case(id));
        let is_issuer = match self.trust {
            Trust::Public => claims.iss == "https://api.botframework.com",
            Trust::UsGov => claims.iss == "https://api.botframework.us",
            Trust::Emulator => match claims.ver.as_deref() {
                Some("1.0") => EMULATOR_V1.contains(&&*claims.iss) && claims.appid.as_deref().is_some_and(is_ours),
                Some("2.0") => EMULATOR_V2.contains(&&*claims.iss) && claims.azp.as_deref().is_some_and(is_ours),
                _ => false,
            },
        };
        if !is_issuer {
            return Err(refused("the token is by another issuer"));
        }
        if !is_ours(&claims.aud) {
            return Err(refused("the token is for another App ID"));
        }
        let (now, window) = (now.0.div_euclid(1000), WINDOW.cast_signed());
        let late = now.saturating_sub(claims.exp);
        if late > window {
            return Err(refused(format!("the token expired {late} s ago; {window} s are allowed")));
        }
        let early = claims.nbf.map_or(0, |nbf| nbf.saturating_sub(now));
        if early > window {
            return Err(refused(format!("the token is valid in {early} s; {window} s are allowed")));
        }
        Ok(())
    }

    /// Whether the activity is the one that the token is for, as far as tokens say so. Replies go to its service URL
    /// together with the bot's own token.
    fn is_about(&self, claims: &Claims, key: &PublishedKey, body: &[u8]) -> Result<()> {
        let about: About =
            serde_json::from_slice(body).map_err(|_| refused("the body is no activity that a token could be about"))?;
        let service = about.service_url.ok_or_else(|| refused("the activity has no serviceUrl"))?;
        if self.is_for_emulator() {
            return match is_local(&service) {
                true => Ok(()),
                false => Err(refused("the Emulator's serviceUrl is not on this machine")),
            };
        }
        let claimed = claims.serviceurl.as_deref().filter(|url| !url.is_empty());
        let claimed = claimed.ok_or_else(|| refused("the token has no claim serviceurl"))?;
        if without_slash(claimed) != without_slash(&service) {
            return Err(refused("the token is for another serviceUrl than the activity's"));
        }
        let endorsed = key.endorsements();
        let channel = about.channel_id.unwrap_or_default();
        if !endorsed.is_empty() && !endorsed.contains(&channel) {
            return Err(refused("the token's key is not endorsed for the activity's channel"));
        }
        Ok(())
    }
}

fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// The one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let line = std::str::from_utf8(only_header(headers, AUTHORIZATION.as_str())?);
    let (scheme, token) = line.ok().and_then(|line| line.split_once(' ')).unwrap_or_default();
    if token.is_empty() || token.contains([' ', '\t', ',']) || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("the header authorization is not one bearer token"));
    }
    if token.len() > MAX_TOKEN {
        return Err(refused(format!("the token has {} bytes; {MAX_TOKEN} are read", token.len())));
    }
    Ok(token)
}

/// The header of a token, and the id of the key that it names.
fn header_of(token: &str) -> Result<(Header, String)> {
    // An algorithm that is none, or that nobody knows, cannot be read either.
    let header = jsonwebtoken::decode_header(token).map_err(|_| refused("the token cannot be read"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(refused(format!("the token is signed by {:?}, which is not believed here", header.alg)));
    }
    if header.crit.is_some() {
        return Err(refused("the token asks for extensions that this host does not know"));
    }
    match &header.kid {
        Some(id) if !id.is_empty() && id.len() <= MAX_PLATFORM_ID => Ok((header.clone(), id.clone())),
        _ => Err(refused("the token does not name its key")),
    }
}

/// Refuses a token that `key` did not sign. What it claims is judged elsewhere.
fn is_signed(token: &str, header: &Header, key: &PublishedKey) -> Result<()> {
    let fitting = key.for_algorithm(header.alg).ok_or_else(|| refused("the token's key is for other signatures"))?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let signed = jsonwebtoken::decode::<serde::de::IgnoredAny>(token, fitting, &validation);
    signed.map(drop).map_err(|_| refused("the token's signature is not valid"))
}
