//! Where a provider is asked: as the bindings state, or as its metadata do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use url::Url;

use super::Direct;
use crate::error::{Code, Error, Result};
use crate::oauth::settings::{OAuthEndpoints, OAuthProvider, is_private};
use crate::oauth::web::nonsense;

/// How long metadata are believed.
const KEEP: Duration = Duration::from_secs(3_600);

/// Where a provider is asked.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    /// Who it says it is, if that is known.
    pub(super) issuer: Option<String>,
    /// Whether browsers come back with that name.
    pub(super) names_issuer: bool,
}

/// Metadata that were fetched, by issuer.
#[derive(Debug, Default)]
pub(super) struct Discovered(Mutex<HashMap<Url, (Instant, Arc<Endpoints>)>>);

/// A provider's metadata, of OpenID Connect or of RFC 8414.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Direct {
    /// Where `provider` is asked.
    pub(super) async fn endpoints(&self, provider: &OAuthProvider, end: Instant) -> Result<Arc<Endpoints>> {
        let issuer = match &provider.endpoints {
            OAuthEndpoints::Issuer(issuer) => issuer,
            OAuthEndpoints::Stated { authorization, token } => {
                let (authorization, token) = (authorization.clone(), token.clone());
                return Ok(Arc::new(Endpoints { authorization, token, issuer: None, names_issuer: false }));
            }
        };
        let known = self.discovered.0.lock().get(issuer).cloned();
        if let Some((_, endpoints)) = known.filter(|(since, _)| since.elapsed() < KEEP) {
            return Ok(endpoints);
        }
        let endpoints = Arc::new(self.discover(issuer, end).await?);
        self.discovered.0.lock().insert(issuer.clone(), (Instant::now(), Arc::clone(&endpoints)));
        Ok(endpoints)
    }

    async fn discover(&self, issuer: &Url, end: Instant) -> Result<Endpoints> {
        for place in places(issuer) {
            let answer = self.web.get(&place, end).await?;
            match answer.status {
                200 => return read(&answer.body, issuer, self.settings.insecure),
                404 => {}
                status => return Err(nonsense(place.as_str(), &format!("its metadata have the status {status}"))),
            }
        }
        let message = format!("{} has no metadata", crate::outbound::shown_origin(issuer.as_str()));
        Err(Error::new(Code::OAuthAnswer, message)
            .hint("state `authorization_url` and `token_url` in place of `issuer`"))
    }
}

/// Where metadata lie: behind the issuer's path, as OpenID Connect has it, or before it.
fn places(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

fn read(body: &[u8], issuer: &Url, insecure: bool) -> Result<Endpoints> {
    let wrong = |what: &str| nonsense(issuer.as_str(), what);
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| wrong("these are no metadata"))?;
    if metadata.issuer.trim_end_matches('/') != issuer.as_str().trim_end_matches('/') {
        return Err(wrong("its metadata are of another issuer"));
    }
    let (authorization, token) = (metadata.authorization_endpoint, metadata.token_endpoint);
    let is_web = |url: &Url| matches!(url.scheme(), "https" | "http") && url.username().is_empty();
    if ![&authorization, &token].into_iter().all(|url| is_web(url) && (insecure || is_private(url))) {
        return Err(wrong("its metadata lead where nothing is encrypted"));
    }
    if metadata.code_challenge_methods_supported.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
        return Err(wrong("it does not know the challenge method S256"));
    }
    let names_issuer = metadata.authorization_response_iss_parameter_supported;
    Ok(Endpoints { authorization, token, issuer: Some(metadata.issuer), names_issuer })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_lie_in_two_places() {
        let found = |issuer: &str| places(&Url::parse(issuer).unwrap()).map(String::from);
        assert_eq!(
            found("https://a.example/t/1/"),
            [
                "https://a.example/t/1/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server/t/1"
            ]
        );
        assert_eq!(found("https://a.example")[0], "https://a.example/.well-known/openid-configuration");
    }

    #[test]
    fn metadata_are_of_the_issuer_and_lead_to_safe_places() {
        let issuer = Url::parse("https://a.example/").unwrap();
        let good = json!({
            "issuer": "https://a.example", "authorization_endpoint": "https://a.example/auth",
            "token_endpoint": "https://b.example/token", "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        let endpoints = read(good.to_string().as_bytes(), &issuer, false).unwrap();
        assert_eq!((endpoints.token.as_str(), endpoints.names_issuer), ("https://b.example/token", true));
        for (key, value) in [
            ("issuer", json!("https://b.example")),
            ("issuer", json!(null)),
            ("token_endpoint", json!("http://b.example/token")),
            ("token_endpoint", json!("file:///etc/passwd")),
            ("token_endpoint", json!("https://user@b.example/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!("x")),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            let error = read(bad.to_string().as_bytes(), &issuer, false).unwrap_err();
            assert_eq!(error.code(), Code::OAuthAnswer, "{bad}");
        }
        assert!(read(b"<html>", &issuer, false).is_err());
        let mut plain = good;
        plain["token_endpoint"] = json!("http://b.example/token");
        assert!(read(plain.to_string().as_bytes(), &issuer, true).is_ok());
    }
}
