//! `TENANT_RESOLVER=jwt`: the claim `tenant` of a token that is verified.

use std::path::Path;
use std::sync::Arc;

use axum::http::HeaderMap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::key_set::KeySet;
use crate::clock::Clock;
use crate::config::{JwtKeys, JwtSettings};
use crate::error::{Code, Error, Result};
use crate::id;
use crate::secret::Secret;
use crate::server::bearer::Authorization;
use crate::server::fetch;

/// How far the clocks of issuer and host may differ, in seconds.
const LEEWAY: u64 = 30;

/// The tokens that are believed.
pub(in crate::server) struct Tokens {
    algorithm: Algorithm,
    validation: Validation,
    issuer: String,
    keys: Keys,
}

enum Keys {
    One(Box<DecodingKey>),
    Set(Arc<KeySet>),
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    tenant: Value,
}

#[derive(Deserialize)]
struct Unverified {
    #[serde(default)]
    iss: Value,
}

impl Tokens {
    pub(super) fn new(settings: &JwtSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let algorithm = settings.algorithm;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        let keys = match &settings.keys {
            JwtKeys::Key(key) => Keys::One(Box::new(decoding_key(algorithm, key, "TENANT_JWT_KEY")?)),
            JwtKeys::KeyFile(path) => Keys::One(Box::new(key_of_file(algorithm, path)?)),
            JwtKeys::SetFile(path) => Keys::Set(Arc::new(KeySet::of_file(path.clone(), algorithm, clock)?)),
            JwtKeys::SetUrl(url) => Keys::Set(Arc::new(KeySet::of_url(url.clone(), algorithm, clock)?)),
        };
        Ok(Self { algorithm, validation, issuer: settings.issuer.clone(), keys })
    }

    /// Whether the request carries a token that says to be one of these. Nothing is verified.
    pub(super) fn are_meant(&self, headers: &HeaderMap) -> bool {
        let Authorization::Bearer(token) = Authorization::of(headers) else { return false };
        let unverified = jsonwebtoken::dangerous::insecure_decode_claims::<Unverified>(token);
        unverified.is_ok_and(|claims| claims.iss == self.issuer.as_str())
    }

    /// The tenant that the request's token proves. None if there is no token.
    pub(super) async fn tenant(&self, headers: &HeaderMap) -> Result<Option<String>> {
        let token = match Authorization::of(headers) {
            Authorization::Absent => return Ok(None),
            Authorization::Bearer(token) => token,
            Authorization::Other => return Err(refused("the Authorization header is not one bearer token")),
        };
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("it is no signed token"))?;
        if header.alg != self.algorithm {
            return Err(refused("it is signed with another algorithm"));
        }
        if header.crit.is_some_and(|extensions| !extensions.is_empty()) {
            return Err(refused("it asks for extensions that this host does not know"));
        }
        let claims = match &self.keys {
            Keys::One(key) => self.verify(token, key)?,
            Keys::Set(set) => self.verify(token, &*set.find(header.kid.as_deref()).await?)?,
        };
        match claims.tenant {
            Value::String(tenant) if id::is_valid(&tenant) => Ok(Some(tenant)),
            Value::Null => Err(refused("it has no claim tenant")),
            _ => Err(refused("its claim tenant is no identifier")),
        }
    }

    fn verify(&self, token: &str, key: &DecodingKey) -> Result<Claims> {
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &self.validation);
        decoded.map(|token| token.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => refused("it has expired"),
            ErrorKind::ImmatureSignature => refused("it is not valid yet"),
            ErrorKind::InvalidAudience => refused("it is for another audience"),
            ErrorKind::InvalidIssuer => refused("it is by another issuer"),
            ErrorKind::MissingRequiredClaim(_) => refused("it lacks one of the claims exp, iss and aud"),
            ErrorKind::InvalidSignature => refused("its signature is not valid"),
            _ => refused("it cannot be read"),
        })
    }
}

/// The refusal of a token.
pub(super) fn refused(why: &str) -> Error {
    Error::new(Code::TenantToken, format!("the token is refused: {why}"))
}

/// A single key: a public one in PEM, or for HS algorithms the shared secret, which must be as long as the digest.
fn decoding_key(algorithm: Algorithm, key: &Secret, name: &str) -> Result<DecodingKey> {
    let unusable = |why: String| Error::new(Code::TenantKeys, format!("{name} {why}"));
    let pem = key.expose().as_bytes();
    let is_pem = key.expose().trim_start().starts_with("-----BEGIN");
    let parsed = match algorithm.family() {
        AlgorithmFamily::Hmac if is_pem => {
            return Err(unusable(format!("is a PEM file and no secret for {algorithm:?}")));
        }
        AlgorithmFamily::Hmac => {
            let least = match algorithm {
                Algorithm::HS512 => 64,
                Algorithm::HS384 => 48,
                _ => 32,
            };
            if pem.len() < least {
                return Err(unusable(format!("is shorter than the {least} bytes that {algorithm:?} needs"))
                    .hint("make a random one: openssl rand -base64 64"));
            }
            Ok(DecodingKey::from_secret(pem))
        }
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
    };
    parsed.map_err(|error| {
        unusable(format!("is no public key for {algorithm:?}: {error}")).hint("give a public key in PEM")
    })
}

fn key_of_file(algorithm: Algorithm, path: &Path) -> Result<DecodingKey> {
    let bytes = fetch::file(path).map_err(|e| Error::new(Code::TenantKeys, format!("the key cannot be read: {e}")))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Error::new(Code::TenantKeys, "the key is not text").in_file(path))?;
    // Editors end files with a line break that nobody means to be part of a secret.
    let key = Secret::new(text.trim_end_matches(['\r', '\n']));
    decoding_key(algorithm, &key, "the key").map_err(|error| error.in_file(path))
}

#[cfg(test)]
mod tests;
