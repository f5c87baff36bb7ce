//! A place for secrets that a test changes while the host runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use greentic_runner_host::secret::Secret;
use greentic_runner_host::secrets::{SecretScope, SecretsManager};
use greentic_runner_host::{Code, Error, Result};

/// Longer than the host keeps what it read.
pub(crate) const LATER: Duration = Duration::from_secs(1_000);

/// What becomes of a question.
#[derive(Clone)]
pub(crate) enum Said {
    /// These values, the newest first.
    Values(&'static [&'static str]),
    /// It fails.
    Failure,
    /// There is no answer.
    Nothing,
}

type Places = HashMap<(&'static str, &'static str), Said>;

#[derive(Default)]
pub(crate) struct Shelf(Mutex<Places>);

impl Shelf {
    /// Secrets by tenant and name.
    pub(crate) fn of(secrets: &[(&'static str, &'static str, Said)]) -> Arc<Self> {
        let places = secrets.iter().map(|(tenant, name, said)| ((*tenant, *name), said.clone()));
        Arc::new(Self(Mutex::new(places.collect())))
    }

    pub(crate) fn set(&self, tenant: &'static str, name: &'static str, said: Said) {
        self.0.lock().unwrap().insert((tenant, name), said);
    }
}

#[async_trait]
impl SecretsManager for Shelf {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let said = {
            let places = self.0.lock().unwrap();
            let found = places.iter().find(|((tenant, known), _)| *tenant == &*scope.tenant && *known == name);
            found.map(|(_, said)| said.clone())
        };
        match said {
            Some(Said::Values(values)) => Ok(values.iter().map(|value| Secret::new(*value)).collect()),
            Some(Said::Failure) => Err(Error::new(Code::SecretUnavailable, "the shelf fell down")),
            Some(Said::Nothing) => std::future::pending().await,
            None => Ok(Vec::new()),
        }
    }
}
