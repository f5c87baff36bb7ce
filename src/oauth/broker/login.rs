//! What the host logs in to NATS with. The secret is read for each connection, so that one that was replaced is used from
//! the next connection on. While it is replaced, the server may know the old value or the new one: a connection that is
//! refused is tried again with the next of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::Auth;
use nkeys::KeyPair;
use parking_lot::Mutex;

use crate::error::{Code, Error, Result};
use crate::oauth::secrets::Secrets;
use crate::oauth::settings::OAuthBroker;
use crate::secret::Secret;

/// What stands before the two parts of a credentials file.
const JWT: &str = "-----BEGIN NATS USER JWT-----";
const SEED: &str = "-----BEGIN USER NKEY SEED-----";

pub(super) struct Login {
    secrets: Arc<Secrets>,
    /// The secret, by its name.
    name: String,
    /// Whose password it is; else it is a token or a credentials file.
    user: Option<String>,
    /// Attempts to connect since there was a connection.
    attempts: AtomicUsize,
    /// Why there is nothing to log in with.
    trouble: Mutex<Option<Error>>,
}

impl Login {
    /// What `settings` say; none if nothing is needed.
    pub(super) fn of(settings: &OAuthBroker, secrets: &Arc<Secrets>) -> Option<Self> {
        Some(Self {
            secrets: Arc::clone(secrets),
            name: settings.nats_credentials.clone()?,
            user: settings.nats_user.clone(),
            attempts: AtomicUsize::new(0),
            trouble: Mutex::new(None),
        })
    }

    /// Looks whether there is something to log in with.
    pub(super) async fn check(&self) -> Result<()> {
        self.read(0, b"").await.map(drop)
    }

    /// What to log in with now, to a server that wants `nonce` signed.
    pub(super) async fn auth(&self, nonce: &[u8]) -> Result<Auth> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let auth = self.read(attempt, nonce).await;
        *self.trouble.lock() = auth.as_ref().err().cloned();
        auth
    }

    /// Notes that the server takes what it was shown.
    pub(super) fn is_taken(&self) {
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// Why there is nothing to log in with.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.trouble.lock().clone()
    }

    async fn read(&self, attempt: usize, nonce: &[u8]) -> Result<Auth> {
        let values = self.secrets.values(&self.name).await?;
        let place = attempt.checked_rem(values.len()).unwrap_or_default();
        let value = values.get(place).ok_or_else(|| self.secrets.missing(&self.name))?;
        self.auth_of(value, nonce)
    }

    fn auth_of(&self, value: &Secret, nonce: &[u8]) -> Result<Auth> {
        let (text, mut auth) = (value.expose().trim(), Auth::new());
        match &self.user {
            Some(user) => {
                auth.username = Some(user.clone());
                auth.password = Some(text.to_owned());
            }
            None if text.contains(JWT) => {
                let wrong = || {
                    Error::new(Code::OAuthSecret, format!("the secret {} is no credentials file of NATS", self.name))
                };
                let key = part(text, SEED).and_then(|seed| KeyPair::from_seed(seed).ok()).ok_or_else(wrong)?;
                auth.jwt = Some(part(text, JWT).ok_or_else(wrong)?.to_owned());
                auth.signature = Some(key.sign(nonce).map_err(|_| wrong())?);
            }
            None => auth.token = Some(text.to_owned()),
        }
        Ok(auth)
    }
}

/// The line of a credentials file that follows `head`.
fn part<'a>(text: &'a str, head: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != head).skip(1);
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with("---"))
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::id::Id;
    use crate::secrets::{SecretScope, SecretsManager};

    struct Fixed(Vec<&'static str>);

    #[async_trait]
    impl SecretsManager for Fixed {
        async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
            Ok(self.0.iter().map(|text| Secret::new(*text)).collect())
        }
    }

    fn login(user: Option<&str>, values: Vec<&'static str>) -> Login {
        let scope = SecretScope::of_tenant(&Id::from("local"), &Id::from("acme"));
        Login {
            secrets: Arc::new(Secrets::new(Arc::new(Fixed(values)), scope)),
            name: "NATS".into(),
            user: user.map(str::to_owned),
            attempts: AtomicUsize::new(0),
            trouble: Mutex::new(None),
        }
    }

    #[tokio::test]
    async fn values_take_turns_until_one_is_taken() {
        let login = login(None, vec!["new\n", "old"]);
        let token = async || login.auth(b"").await.unwrap().token.unwrap();
        assert_eq!([token().await, token().await, token().await], ["new", "old", "new"]);
        login.is_taken();
        assert_eq!(token().await, "new", "the newest is the first to be shown");
    }

    #[tokio::test]
    async fn a_user_has_a_password() {
        let auth = login(Some("bot"), vec!["canary"]).auth(b"").await.unwrap();
        assert_eq!(
            (auth.username.as_deref(), auth.password.as_deref(), auth.token),
            (Some("bot"), Some("canary"), None)
        );
    }

    #[tokio::test]
    async fn a_credentials_file_signs_what_the_server_says() {
        let key = KeyPair::new_user();
        let file =
            format!("{JWT}\r\neyJ0.a-b_c.d\n------END NATS USER JWT------\n\n{SEED}\n{}\n----\n", key.seed().unwrap());
        let login = login(None, Vec::new());
        let auth = login.auth_of(&Secret::new(file.clone()), b"nonce").unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("eyJ0.a-b_c.d"));
        key.verify(b"nonce", &auth.signature.unwrap()).unwrap();
        for file in
            [JWT.to_owned(), format!("{JWT}\ncanary\n"), file.replace("SU", "XX"), format!("{JWT}\n{SEED}\ncanary")]
        {
            let error = login.auth_of(&Secret::new(file), b"").err().unwrap();
            assert!(error.code() == Code::OAuthSecret && !error.to_string().contains("canary"), "{error}");
        }
        assert_eq!(login.auth(b"").await.err().unwrap().code(), Code::OAuthSecret, "there is none");
        assert!(login.trouble().unwrap().message().contains("no secret NATS"));
        assert!(!format!("{login:?}").contains("canary"));
    }
}
