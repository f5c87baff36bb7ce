//! A token like those of the Bot Framework's connector, by a key of one's own: for hosts whose `login_base_url` is a server
//! that publishes that key.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{Headers, impossible};
use crate::clock::Timestamp;
use crate::error::Result;

/// Who issues the connector's tokens.
const ISSUER: &str = "https://api.botframework.com";

/// How long a token is valid, in seconds.
const VALID: i64 = 3600;

/// Who signs, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Connector<'a> {
    /// The private RSA key, in PEM.
    pub key: &'a [u8],
    /// The id that the key is published under.
    pub key_id: &'a str,
    /// The bot's App ID.
    pub app_id: &'a str,
}

/// The header with a token for this activity.
///
/// # Errors
///
/// `SigningImpossible` if the key is none, or the activity names no service URL.
pub fn sign(connector: &Connector<'_>, now: Timestamp, activity: &[u8]) -> Result<Headers> {
    let key = EncodingKey::from_rsa_pem(connector.key)
        .map_err(|_| impossible("the key is no private RSA key in PEM").hint("openssl genrsa 2048 makes one"))?;
    let activity: Option<Value> = serde_json::from_slice(activity).ok();
    let service = activity.as_ref().and_then(|activity| activity.get("serviceUrl")?.as_str());
    let service = service.ok_or_else(|| {
        impossible("the activity names no serviceUrl, which a token is about").hint("add \"serviceUrl\" to the file")
    })?;
    let now = now.0.div_euclid(1000);
    let claims = json!({"iss": ISSUER, "aud": connector.app_id, "nbf": now, "exp": now + VALID, "serviceurl": service});
    let header = Header { kid: Some(connector.key_id.to_owned()), ..Header::new(Algorithm::RS256) };
    let token = jsonwebtoken::encode(&header, &claims, &key)
        .map_err(|_| impossible("the key cannot sign").hint("take a key of 2048 bits or more"))?;
    Ok(vec![("Authorization", format!("Bearer {token}"))])
}
