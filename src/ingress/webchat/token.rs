//! The tokens of Direct Line: what the host itself signed, with a key that is made of the channel's secret and the tenant.
//!
//! They are judged by the clock of the request's context and not by the JWT library's.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::ingress::verify::hmac_sha256;
use crate::secret::Secret;

/// How long a token is good for. The published client asks for another one after half of it.
pub const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How long a stream's URL is good for. It stands in logs, so that it opens one stream at once and nothing later.
const STREAM_LIFETIME: Duration = Duration::from_secs(60);

/// The longest token that is read, in bytes.
pub(super) const MAX_TOKEN: usize = 16 << 10;

/// What sets keys of tokens apart from whatever else the secret is used for.
const PURPOSE: &[u8] = b"greentic-runner Direct Line token 1\0";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Requests.
    Requests,
    /// Opening a stream.
    Stream,
}

impl Use {
    fn audience(self) -> &'static str {
        match self {
            Self::Requests => "directline",
            Self::Stream => "directline-stream",
        }
    }

    fn lifetime(self) -> Duration {
        match self {
            Self::Requests => LIFETIME,
            Self::Stream => STREAM_LIFETIME,
        }
    }
}

/// What a token lets its holder do: speak in one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The conversation.
    pub conversation: String,
    /// Who speaks, whatever activities say. Without it their sender chooses a name, but none of a bound user's.
    pub user: Option<String>,
    /// The sites that browsers may use it from, beside what the binding says; none stands for any of those.
    pub origins: Vec<String>,
}

/// The claims, with the names that the published client and other hosts use.
#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    tenant: String,
    conv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<String>,
    iat: i64,
    exp: i64,
}

/// A token.
pub(super) fn sign(secret: &Secret, tenant: &str, grant: &Grant, purpose: Use, now: Timestamp) -> Result<String> {
    let Grant { conversation, user, origins } = grant.clone();
    let iat = now.0.div_euclid(1000);
    let lifetime = i64::try_from(purpose.lifetime().as_secs()).unwrap_or(0);
    let claims = Claims {
        aud: purpose.audience().to_owned(),
        tenant: tenant.to_owned(),
        conv: conversation,
        user,
        origins,
        iat,
        exp: iat.saturating_add(lifetime),
    };
    let key = EncodingKey::from_secret(&key(secret, tenant));
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|e| Error::new(Code::Internal, format!("a token cannot be made: {e}")))
}

/// What a token grants, if one of the `secrets` made it for this tenant and this use.
pub(super) fn read<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    tenant: &str,
    token: &str,
    purpose: Use,
    now: Timestamp,
) -> Result<Grant> {
    if token.len() > MAX_TOKEN {
        return Err(refused("the token is too long"));
    }
    let header =
        jsonwebtoken::decode_header(token).map_err(|_| refused("the bearer is neither the secret nor a token"))?;
    // Any other algorithm, none among them, is somebody else's choice.
    if header.alg != Algorithm::HS256 || header.crit.is_some() {
        return Err(refused("the token is not signed as this host signs"));
    }
    let claims = secrets.into_iter().find_map(|secret| verified(secret, tenant, token));
    let claims = claims.ok_or_else(|| refused("the token's signature is not valid for this tenant"))?;
    if claims.tenant != tenant {
        return Err(refused("the token is another tenant's"));
    }
    if claims.aud != purpose.audience() {
        return Err(refused("the token is for another use"));
    }
    let late = now.0.div_euclid(1000).saturating_sub(claims.exp);
    if late >= 0 {
        return Err(Error::new(Code::DirectLineExpired, format!("the token expired {late} s ago"))
            .hint("refresh tokens before they expire, or generate another one"));
    }
    Ok(Grant { conversation: claims.conv, user: claims.user, origins: claims.origins })
}

fn refused(what: &str) -> Error {
    Error::new(Code::DirectLineToken, what)
}

fn verified(secret: &Secret, tenant: &str, token: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(&key(secret, tenant));
    jsonwebtoken::decode::<Claims>(token, &key, &validation).ok().map(|token| token.claims)
}

fn key(secret: &Secret, tenant: &str) -> Vec<u8> {
    hmac_sha256(secret.expose().as_bytes(), &[PURPOSE, tenant.as_bytes()])
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_762_851_600_000);

    fn grant() -> Grant {
        Grant { conversation: "c".into(), user: Some("dl_ada".into()), origins: vec!["https://a.example".into()] }
    }

    fn code(secrets: &[Secret], tenant: &str, token: &str, purpose: Use, now: Timestamp) -> Result<Grant, Code> {
        read(secrets, tenant, token, purpose, now).map_err(|error| {
            assert!(!error.to_string().contains(token), "{error}");
            error.code()
        })
    }

    #[test]
    fn a_token_grants_what_it_was_made_for_until_it_expires() {
        let secrets = [Secret::new("new"), Secret::new("old")];
        for secret in &secrets {
            let token = sign(secret, "t", &grant(), Use::Requests, NOW).unwrap();
            assert_eq!(code(&secrets, "t", &token, Use::Requests, NOW), Ok(grant()));
            assert_eq!(code(&secrets, "t", &token, Use::Requests, NOW.plus(Duration::from_secs(1799))), Ok(grant()));
            let expired = code(&secrets, "t", &token, Use::Requests, NOW.plus(LIFETIME));
            assert_eq!(expired, Err(Code::DirectLineExpired));
            for (secrets, tenant, purpose) in [
                (&secrets[..], "u", Use::Requests),
                (&secrets[..], "t", Use::Stream),
                (&[Secret::new("other")], "t", Use::Requests),
                (&[], "t", Use::Requests),
            ] {
                assert_eq!(code(secrets, tenant, &token, purpose, NOW), Err(Code::DirectLineToken));
            }
        }
        let token = sign(&secrets[0], "t", &grant(), Use::Stream, NOW).unwrap();
        assert_eq!(code(&secrets, "t", &token, Use::Stream, NOW.plus(Duration::from_secs(59))), Ok(grant()));
        let late = code(&secrets, "t", &token, Use::Stream, NOW.plus(STREAM_LIFETIME));
        assert_eq!(late, Err(Code::DirectLineExpired));
        assert_eq!(code(&secrets, "t", &token, Use::Requests, NOW), Err(Code::DirectLineToken));
    }

    #[test]
    fn what_nobody_here_signed_is_no_token() {
        let secret = [Secret::new("s")];
        let token = sign(&secret[0], "t", &grant(), Use::Requests, NOW).unwrap();
        let [head, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let none = encoded(&json!({"alg": "none", "typ": "JWT"}));
        let mut other: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        other["conv"] = json!("somebody-elses");
        let raw_key = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &other, &EncodingKey::from_secret(b"s"));
        let hs512 = jsonwebtoken::encode(
            &Header::new(Algorithm::HS512),
            &other,
            &EncodingKey::from_secret(&key(&secret[0], "t")),
        );
        for forged in [
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{head}.{}.{signature}", encoded(&other)),
            format!("{head}.{claims}."),
            format!("{head}.{claims}"),
            format!("{head}.{claims}.{}", signature.chars().rev().collect::<String>()),
            raw_key.unwrap(),
            hs512.unwrap(),
            String::new(),
            "..".into(),
            "x".repeat(MAX_TOKEN + 1),
        ] {
            assert_eq!(read(&secret, "t", &forged, Use::Requests, NOW).unwrap_err().code(), Code::DirectLineToken);
        }
    }
}
