//! The headers by which platforms prove where a request comes from.

use http::HeaderValue;

use super::kind::Kind;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::ingress::{slack, verify};
use crate::secret::Secret;

pub mod connector;
pub mod standard;

/// Headers, as their platform writes them.
pub type Headers = Vec<(&'static str, String)>;

/// The ways in which senders of webhooks prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The secret itself, as a bearer token.
    Bearer,
    /// HMAC-SHA256 over the body, as GitHub and Meta sign.
    HmacSha256,
    /// Standard Webhooks.
    Standard,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The kind of request.
    pub kind: Kind,
    /// How a webhook signs; none chooses by the secret: those of Standard Webhooks begin with `whsec_`, and other secrets
    /// make an HMAC.
    pub scheme: Option<Scheme>,
    /// The body's raw bytes.
    pub body: &'a [u8],
    /// The id of the message, where the scheme signs one.
    pub id: Option<&'a str>,
    /// When it is sent.
    pub now: Timestamp,
}

/// The headers that prove that who sent the request knows `secret`.
///
/// # Errors
///
/// `SigningImpossible` if requests of the kind are not signed with a secret, or not with this one.
pub fn sign(signed: &Signed<'_>, secret: &Secret) -> Result<Headers> {
    takes_secret(signed.kind)?;
    if secret.expose().is_empty() {
        return Err(impossible("the secret is empty").hint("a host takes an empty secret for none"));
    }
    let key = secret.expose().as_bytes();
    let hub = || format!("sha256={}", hex::encode(verify::hmac_sha256(key, &[signed.body])));
    match signed.kind {
        Kind::Telegram => {
            let fits = key.len() <= 256 && key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            match fits {
                true => Ok(vec![("X-Telegram-Bot-Api-Secret-Token", secret.expose().to_owned())]),
                false => Err(impossible("Telegram takes no such secret")
                    .hint("1 to 256 letters and digits of ASCII, '_' and '-'")),
            }
        }
        Kind::Slack | Kind::SlackInteractive | Kind::SlackSlash => {
            let [(_, time), (_, signature)] = slack::sign(secret, signed.now, signed.body);
            Ok(vec![("X-Slack-Request-Timestamp", time), ("X-Slack-Signature", signature)])
        }
        Kind::Whatsapp => Ok(vec![("X-Hub-Signature-256", hub())]),
        Kind::Webex => Ok(vec![("X-Spark-Signature", hex::encode(verify::hmac_sha1(key, signed.body)))]),
        Kind::Webhook => webhook(signed, secret, hub),
        Kind::Teams | Kind::Webchat => takes_secret(signed.kind).map(|()| Vec::new()),
    }
}

/// Whether requests of a kind are signed with a secret.
///
/// # Errors
///
/// `SigningImpossible` if they are not, with what is done instead.
pub fn takes_secret(kind: Kind) -> Result<()> {
    match kind {
        Kind::Teams => Err(impossible("Teams signs with a private key and no secret")
            .hint("give --key FILE with an RSA key in PEM and --app-id; the host has to be told to trust that key")),
        Kind::Webchat => Err(impossible("requests of the web chat are not signed").hint("send them without a secret")),
        _ => Ok(()),
    }
}

fn webhook(signed: &Signed<'_>, secret: &Secret, hub: impl FnOnce() -> String) -> Result<Headers> {
    let is_standard = secret.expose().starts_with(standard::PREFIX);
    match signed.scheme.unwrap_or(if is_standard { Scheme::Standard } else { Scheme::HmacSha256 }) {
        Scheme::HmacSha256 => Ok(vec![("X-Hub-Signature-256", hub())]),
        Scheme::Standard => standard::sign(secret, signed.now, signed.id, signed.body),
        Scheme::Bearer => {
            let value = format!("Bearer {}", secret.expose());
            match HeaderValue::from_str(&value) {
                Ok(_) => Ok(vec![("Authorization", value)]),
                Err(_) => Err(impossible("the secret can be no bearer token").hint("use printable ASCII")),
            }
        }
    }
}

fn impossible(why: impl Into<String>) -> Error {
    Error::new(Code::SigningImpossible, why)
}

#[cfg(test)]
mod tests;
