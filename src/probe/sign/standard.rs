//! Standard Webhooks (standardwebhooks.com): an HMAC-SHA256 over id, time and body, by a key in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Headers, impossible};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ingress::verify::hmac_sha256;
use crate::secret::Secret;

/// What secrets of the scheme begin with.
pub const PREFIX: &str = "whsec_";

/// The headers of a message with this body. Without an `id` the body names it.
///
/// # Errors
///
/// `SigningImpossible` if the secret is none of the scheme, or the id can be none.
pub fn sign(secret: &Secret, now: Timestamp, id: Option<&str>, body: &[u8]) -> Result<Headers> {
    let text = secret.expose();
    let key = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text));
    let key = key.map_err(|_| {
        impossible("the secret is none of Standard Webhooks")
            .hint("it looks like whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    })?;
    let digest = || format!("msg_{}", blake3::hash(body).to_hex().split_at(24).0);
    let id = id.map_or_else(digest, str::to_owned);
    // A dot ends the id in what is signed.
    if id.is_empty() || id.contains('.') || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(impossible("the message's id cannot be signed").hint("use printable ASCII without spaces and dots"));
    }
    let time = now.0.div_euclid(1000).to_string();
    let signature = hmac_sha256(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", body]);
    let signature = format!("v1,{}", STANDARD.encode(signature));
    Ok(vec![("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)])
}
