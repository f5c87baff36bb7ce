//! Signatures of the specification Standard Webhooks: over `id.timestamp.body`, by a shared secret (`v1`, HMAC-SHA256) or
//! by a key pair (`v1a`, ed25519). Any signature that fits any key is enough, so that both can be replaced.

use std::fmt;

use base64::Engine as _;
use ed25519_dalek::{PUBLIC_KEY_LENGTH, Signature, VerifyingKey};
use http::HeaderMap;
use zeroize::Zeroizing;

use super::hmac::BASE64;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::ingress::gate::only_header;
use crate::ingress::verify::{self, WINDOW, refused};
use crate::secret::Secret;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// The most signatures that are looked at: those of asymmetric keys take their time.
const MOST_SIGNATURES: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct StandardWebhooks {
    shared: Vec<Key>,
    public: Vec<VerifyingKey>,
}

/// A shared secret's bytes.
#[derive(Clone)]
struct Key(Zeroizing<Vec<u8>>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl StandardWebhooks {
    /// Reads the secrets of this name.
    pub(super) fn open(name: &str, secrets: &[Secret]) -> Result<Self> {
        let mut keys = Self::default();
        let unusable = |why: &str| {
            Error::new(Code::ChannelInvalid, format!("the secret {name} {why}"))
                .hint("set it to what the sender shows: whsec_ and a secret in base64, or whpk_ and a public key")
        };
        for secret in secrets {
            let text = secret.expose();
            if text.starts_with("whsk_") {
                return Err(unusable("is a private key; a receiver has the public one"));
            }
            if let Some(key) = text.strip_prefix("whpk_") {
                let bytes = BASE64.decode(key).ok().and_then(|bytes| <[u8; PUBLIC_KEY_LENGTH]>::try_from(bytes).ok());
                let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
                keys.public.push(key.ok_or_else(|| unusable("is no ed25519 key of 32 bytes in base64"))?);
                continue;
            }
            let key = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map(Zeroizing::new);
            let key = key.map_err(|_| unusable("is not base64"))?;
            if key.is_empty() {
                return Err(unusable("is empty"));
            }
            keys.shared.push(Key(key));
        }
        Ok(keys)
    }

    pub(super) fn verify(&self, now: Timestamp, headers: &HeaderMap, body: &[u8]) -> Result<()> {
        let id = only_header(headers, ID)?;
        let timestamp = only_header(headers, TIMESTAMP)?;
        let signatures = only_header(headers, SIGNATURE)?;
        verify::within(std::str::from_utf8(timestamp).unwrap_or_default(), now, "delivery", WINDOW)?;
        let signatures = std::str::from_utf8(signatures).map_err(|_| refused("the signatures are no text"))?;
        let signatures: Vec<&str> = signatures.split_ascii_whitespace().collect();
        if signatures.len() > MOST_SIGNATURES {
            return Err(refused(format!("there are more than {MOST_SIGNATURES} signatures")));
        }
        let signed: [&[u8]; 5] = [id, b".", timestamp, b".", body];
        match signatures.into_iter().fold(false, |found, signature| found | self.fits(signature, &signed)) {
            true => Ok(()),
            false => Err(refused(format!("no signature is that of this delivery of {} bytes", body.len()))),
        }
    }

    /// Whether one signature fits one of the keys. Unknown versions fit none.
    fn fits(&self, signature: &str, signed: &[&[u8]]) -> bool {
        let Some((version, text)) = signature.split_once(',') else { return false };
        let Ok(bytes) = BASE64.decode(text) else { return false };
        match version {
            "v1" => self.shared.iter().fold(false, |found, Key(key)| found | verify::sha256_by(key, signed, &bytes)),
            "v1a" => Signature::from_slice(&bytes).is_ok_and(|signature| {
                let message = signed.concat();
                self.public.iter().any(|key| key.verify_strict(&message, &signature).is_ok())
            }),
            _ => false,
        }
    }
}
