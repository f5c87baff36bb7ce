//! Private keys, which sign packs.

use std::fmt;

use ed25519_dalek::ed25519::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, spki::der::pem::LineEnding};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Code, Error, Result};
use crate::trust::evidence::index_message;
use crate::trust::key::{ALGORITHM, PublicKey, base64_of};

/// A key that signs packs. Its bytes are wiped when it is dropped.
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// `Internal` if the system has no randomness.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|error| Error::new(Code::Internal, format!("the system gives no random bytes: {error}")))?;
        Self::of(SigningKey::from_bytes(&seed))
    }

    fn of(key: SigningKey) -> Result<Self> {
        let public = PublicKey::of(key.verifying_key())?;
        Ok(Self { key, public })
    }

    #[cfg(test)]
    pub(crate) fn of_seed(seed: [u8; 32]) -> Self {
        Self::of(SigningKey::from_bytes(&seed)).unwrap()
    }

    /// Reads a key in PKCS#8, as PEM.
    ///
    /// # Errors
    ///
    /// `KeyInvalid`.
    pub fn from_pem(text: &str) -> Result<Self> {
        let key = SigningKey::from_pkcs8_pem(text.trim()).map_err(|_| {
            Error::new(Code::KeyInvalid, "the private key cannot be used: it is no Ed25519 key in PKCS#8, as PEM")
                .hint("`pack keygen` makes one, and so does `openssl genpkey -algorithm ed25519`")
        })?;
        Self::of(key)
    }

    /// The key in PKCS#8, as PEM.
    ///
    /// # Errors
    ///
    /// `Internal` if it cannot be written so.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        // Without the public key, which older tools cannot read beside the private one.
        let mut key = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        let pem = key.to_pkcs8_pem(LineEnding::LF);
        key.secret_key.zeroize();
        pem.map_err(|error| Error::new(Code::Internal, format!("a private key cannot be written: {error}")))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// What an index states as the `signature` of a pack with this SHA-256.
    pub fn sign_for_index(&self, digest: &[u8; 32]) -> String {
        format!("{ALGORITHM}:{}", base64_of(&self.sign(index_message(digest).as_bytes())))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As openssl writes it: `openssl genpkey -algorithm ed25519`; the key is of RFC 8410, section 10.3.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

    #[test]
    fn keys_are_written_as_published_tools_write_them() {
        let key = PrivateKey::from_pem(PEM).unwrap();
        assert_eq!(key.public().to_string(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
        assert_eq!(*key.to_pem().unwrap(), PEM);
        assert!(PrivateKey::from_pem(&PEM.replace('\n', "\r\n")).is_ok());
    }

    #[test]
    fn keys_are_new_each_time_and_sign() {
        let (one, two) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        assert_ne!(one.public(), two.public());
        let signature = one.sign(b"x");
        assert!(one.public().has_signed(b"x", &signature));
        assert!(!two.public().has_signed(b"x", &signature));
    }

    #[test]
    fn debug_and_errors_do_not_show_the_key() {
        let key = PrivateKey::from_pem(PEM).unwrap();
        assert_eq!(format!("{key:?}"), format!("PrivateKey {{ id: {:?}, .. }}", key.public().id()));
        for text in
            ["", "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC", &PEM.replace("MC4C", "MC4D")]
        {
            let error = PrivateKey::from_pem(text).unwrap_err();
            assert_eq!(error.code(), Code::KeyInvalid);
            assert!(!error.to_string().contains("HU++CXqI9"), "{error}");
        }
    }
}
