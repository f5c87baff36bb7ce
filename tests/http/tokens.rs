//! An issuer of tokens: a key that is made of a number, and the set that holds it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "bots";
/// In the year 2100.
pub(crate) const LATER: u64 = 4_102_444_800;

/// A private key in PKCS #8 is this and the key.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

pub(crate) struct Issuer(SigningKey);

impl Issuer {
    pub(crate) fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    fn id(&self) -> String {
        format!("key-{}", self.0.to_bytes()[0])
    }

    pub(crate) fn key_set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.id(), "x": x});
        json!({"keys": [key]}).to_string()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.id(), claims)
    }

    /// A token that names another key.
    pub(crate) fn sign_as(&self, id: &str, claims: &Value) -> String {
        let key = EncodingKey::from_ed_der(&[PKCS8.as_slice(), &self.0.to_bytes()].concat());
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &key).unwrap()
    }
}

pub(crate) fn claims(tenant: &str) -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": LATER, "tenant": tenant})
}

/// A token with this header and no signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}
