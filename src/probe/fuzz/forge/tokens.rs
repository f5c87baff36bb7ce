//! Tokens of Teams that nobody signed: the claims are right, and the signature is none.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use super::super::super::sign::Headers;
use crate::clock::Timestamp;
use crate::ingress::keys::PublishedKeys;
use crate::ingress::verify::hmac_sha256;

/// The bot that the tokens are for.
pub(super) const APP: &str = "11111111-2222-3333-4444-555555555555";

const KEY_ID: &str = "published";

/// The published key, of which nobody knows the private part.
pub(super) struct Tokens {
    keys: Arc<PublishedKeys>,
    modulus: Vec<u8>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        let mut modulus = vec![0; 256];
        blake3::Hasher::new().update(KEY_ID.as_bytes()).finalize_xof().fill(&mut modulus);
        // Of 2048 bits, and odd.
        for end in [0, 255] {
            if let Some(byte) = modulus.get_mut(end) {
                *byte |= 0x81;
            }
        }
        let key = json!({"kty": "RSA", "use": "sig", "kid": KEY_ID, "n": B64.encode(&modulus), "e": "AQAB",
            "endorsements": ["msteams"]});
        Self { keys: Arc::new(PublishedKeys::of([key])), modulus }
    }

    pub(super) fn keys(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.keys)
    }

    /// Tokens for an activity, each with what is wrong with it.
    pub(super) fn forged(&self, now: Timestamp, activity: &[u8]) -> Vec<(&'static str, Headers)> {
        let activity: Option<Value> = serde_json::from_slice(activity).ok();
        let service = activity.as_ref().and_then(|activity| activity.get("serviceUrl")).cloned().unwrap_or_default();
        let now = now.0.div_euclid(1000);
        let claims = json!({"iss": "https://api.botframework.com", "aud": APP, "nbf": now, "exp": now + 600,
            "serviceurl": service});
        let signed = |algorithm: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
            let header = json!({"alg": algorithm, "typ": "JWT", "kid": KEY_ID});
            let text = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
            let signature = B64.encode(sign(text.as_bytes()));
            vec![("Authorization", format!("Bearer {text}.{signature}"))]
        };
        vec![
            ("without a token", Headers::new()),
            ("with a token that is not signed", signed("none", &|_| Vec::new())),
            ("with a token that the public key signs", signed("HS256", &|text| hmac_sha256(&self.modulus, &[text]))),
            (
                "with a token that anything signs",
                signed("RS256", &|text| text.iter().copied().cycle().take(256).collect()),
            ),
        ]
    }
}
