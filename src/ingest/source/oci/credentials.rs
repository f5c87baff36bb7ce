//! Which login a registry gets.
//!
//! A login belongs to one registry and goes to no other: locators may come from an index that somebody else wrote.

use std::fmt;

use zeroize::Zeroizing;

use super::super::Fault;
use super::docker::{self, Entry};
use super::helper;
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::OciReference;

/// A way to log in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A name and a password.
    Basic {
        /// The name.
        name: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// What is exchanged for tokens.
    Refresh(Zeroizing<String>),
    /// A token itself.
    Token(Zeroizing<String>),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Refresh(_) => "Refresh(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// The logins that this machine's settings hold.
pub(super) struct Credentials {
    environment: Environment,
}

impl Credentials {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// The login for the registry of `reference`, read anew each time, so that new credentials count at once.
    pub(super) async fn of(&self, reference: &OciReference) -> Result<Option<Login>, Fault> {
        if let Some(login) = self.named(&reference.registry)? {
            return Ok(Some(login));
        }
        for file in docker::files(&self.environment) {
            match docker::read(&file).await?.map(|config| config.entry(reference)).transpose()?.flatten() {
                Some(Entry::Login(login)) => return Ok(Some(login)),
                Some(Entry::Helper { name, server }) => {
                    if let Some(login) = helper::get(&self.environment, &name, &server).await? {
                        return Ok(Some(login));
                    }
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// The login that the environment itself holds.
    fn named(&self, registry: &str) -> Result<Option<Login>> {
        let get = |name| self.environment.get(name);
        match (get("OCI_REGISTRY"), get("OCI_USERNAME"), get("OCI_PASSWORD")) {
            (_, None, None) => Ok(None),
            (Some(host), Some(name), Some(password)) => Ok(host
                .eq_ignore_ascii_case(registry)
                .then(|| Login::Basic { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) })),
            _ => Err(Error::new(
                Code::CredentialsInvalid,
                "OCI_USERNAME and OCI_PASSWORD have to be set together, and with OCI_REGISTRY",
            )
            .hint("name the registry that the login is for; it is sent to no other")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_login_is_for_one_registry() {
        let named = |settings: &[(&str, &str)], registry| {
            Credentials::new(Environment::from_iter(settings.iter().copied())).named(registry)
        };
        let all = [("OCI_REGISTRY", "r.example:5000"), ("OCI_USERNAME", "ann"), ("OCI_PASSWORD", "secret")];
        let login = named(&all, "R.example:5000").unwrap();
        assert_eq!(login, Some(Login::Basic { name: "ann".into(), password: Zeroizing::new("secret".into()) }));
        assert_eq!(format!("{login:?}"), "Some(Basic(…))");
        assert_eq!(named(&all, "r.example").unwrap(), None);
        assert_eq!(named(&all[..1], "r.example:5000").unwrap(), None);
        for part in [&all[1..], &all[..2], &all[2..]] {
            let error = named(part, "r.example:5000").unwrap_err();
            assert_eq!(error.code(), Code::CredentialsInvalid);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
