//! Encrypting what is kept: XChaCha20-Poly1305, under a key that a secret holds.
//!
//! What is sealed begins with its version and the id of its key, so that keys can be replaced: the newest seals, any that
//! is there opens. It is bound to whom it is for (as associated data), so that it opens for nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::secret::Secret;

const VERSION: u8 = 1;
const KEY: usize = 32;
const ID: usize = 8;
const NONCE: usize = 24;

/// The keys of one tenant, the newest first.
pub(super) struct Keys(Vec<Key>);

struct Key {
    id: [u8; ID],
    bytes: Zeroizing<[u8; KEY]>,
}

/// What was sealed.
pub(super) struct Opened {
    pub(super) plain: Zeroizing<Vec<u8>>,
    /// Whether it is sealed with a key that was replaced since.
    pub(super) stale: bool,
}

impl Keys {
    /// The keys that these texts are: 32 bytes each, in hexadecimal or base64.
    ///
    /// # Errors
    ///
    /// `OAuthSecret` if one is none.
    pub(super) fn of(name: &str, texts: &[Secret]) -> Result<Self> {
        let key = |text: &Secret| {
            decoded(text.expose().trim()).map(Key::new).ok_or_else(|| {
                Error::new(Code::OAuthSecret, format!("the secret {name} is no key: it is not 32 bytes"))
                    .hint("make one with `openssl rand -base64 32`")
            })
        };
        Ok(Self(texts.iter().map(key).collect::<Result<_>>()?))
    }

    /// A key that nobody else has, and that is gone with this process.
    pub(super) fn fleeting() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; KEY]);
        random(&mut *bytes)?;
        Ok(Self(vec![Key::new(bytes)]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn seal(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        self.seal_with(nonce, bound, plain)
    }

    fn seal_with(&self, nonce: [u8; NONCE], bound: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let failed = || Error::new(Code::Internal, "something could not be encrypted");
        let key = self.0.first().ok_or_else(failed)?;
        let payload = Payload { msg: plain, aad: bound };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| failed())?;
        Ok([&[VERSION][..], &key.id, &nonce, &sealed].concat())
    }

    /// What was sealed for whom `bound` says.
    ///
    /// # Errors
    ///
    /// `OAuthSealed` if none of the keys opens it.
    pub(super) fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Opened> {
        let damaged = || {
            Error::new(Code::OAuthSealed, "what is stored cannot be decrypted: it is damaged, or another owner's")
                .hint("the subject has to consent again")
        };
        let (head, rest) = sealed.split_at_checked(1 + ID).ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let (version, id) = head.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(damaged());
        }
        let place = self.0.iter().position(|key| key.id == id).ok_or_else(|| {
            Error::new(Code::OAuthSealed, "what is stored was encrypted with a key that is not there any more")
                .hint("keep a key that is replaced as the secret's previous value until its tokens were used once")
        })?;
        let key = self.0.get(place).ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: bound };
        let plain = key.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())?;
        Ok(Opened { plain: Zeroizing::new(plain), stale: place > 0 })
    }
}

impl Key {
    fn new(bytes: Zeroizing<[u8; KEY]>) -> Self {
        let digest = blake3::derive_key("greentic-runner-host 2026-11 id of an OAuth key", &*bytes);
        let mut id = [0; ID];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self { id, bytes }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.bytes).into())
    }
}

fn decoded(text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|form| form.decode(text).ok());
    let bytes = match hex::decode(text) {
        Ok(bytes) if bytes.len() == KEY => Zeroizing::new(bytes),
        _ => Zeroizing::new(bytes?),
    };
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

/// Bytes that nobody can guess.
pub(super) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| Error::new(Code::Internal, format!("the system gives no random bytes: {e}")))
}

/// A text that nobody can guess.
pub(super) fn unguessable() -> Result<String> {
    let mut bytes = [0; KEY];
    random(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Keys {
        Keys::of("K", &texts.iter().map(|text| Secret::new(*text)).collect::<Vec<_>>()).unwrap()
    }

    const ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const TWO: &str = "0202020202020202020202020202020202020202020202020202020202020202";

    /// What is on users' disks.
    #[test]
    fn what_is_sealed_keeps_its_format() {
        let sealed = keys(&[ONE]).seal_with([7; NONCE], b"owner", b"canary").unwrap();
        insta::assert_snapshot!(hex::encode(sealed));
    }

    #[test]
    fn it_opens_for_whom_it_was_sealed_alone() {
        let sealed = keys(&[ONE]).seal(b"owner", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert_eq!(&**keys(&[ONE]).open(b"owner", &sealed).unwrap().plain, b"canary");
        assert_ne!(sealed, keys(&[ONE]).seal(b"owner", b"canary").unwrap(), "no two are the same");
        for (bound, bytes) in [(&b"other"[..], sealed.clone()), (b"", sealed.clone()), (b"owner", Vec::new())] {
            assert_eq!(keys(&[ONE]).open(bound, &bytes).err().unwrap().code(), Code::OAuthSealed);
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys(&[ONE]).open(b"owner", &changed).is_err(), "byte {at}");
            assert!(keys(&[ONE]).open(b"owner", &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_key_can_be_replaced() {
        let old = keys(&[ONE]).seal(b"owner", b"x").unwrap();
        let both = keys(&[TWO, ONE]);
        assert!(both.open(b"owner", &old).unwrap().stale);
        let new = both.seal(b"owner", b"x").unwrap();
        assert!(!both.open(b"owner", &new).unwrap().stale);
        assert!(keys(&[TWO]).open(b"owner", &new).is_ok());
        let error = keys(&[TWO]).open(b"owner", &old).err().unwrap();
        assert!(error.message().contains("not there any more"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for text in ["canary", "", "AQEBAQ==", &"00".repeat(31), &"0".repeat(65)] {
            let error = Keys::of("K", &[Secret::new(text)]).err().unwrap();
            assert_eq!(error.code(), Code::OAuthSecret);
            assert!(!error.to_string().contains("canary"));
        }
        assert!(keys(&[]).is_empty() && !Keys::fleeting().unwrap().is_empty());
    }
}
