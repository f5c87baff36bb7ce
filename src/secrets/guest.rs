//! Secrets that guests ask for.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::key::SecretKey;
use super::policy::{Asker, SecretsPolicy};
use super::refusal::{Refusal, RefusalReason};
use super::{SecretScope, SecretsManager};
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::secret::SecretBytes;

/// The largest value that a guest may store, in bytes; what the stores of the clouds take at most.
const MAX_VALUE: usize = 64 << 10;

/// What a tenant's guests may ask of its secrets. The default is for guests that run for nobody: it refuses all.
#[derive(Default)]
pub struct GuestSecrets {
    manager: Option<Arc<dyn SecretsManager>>,
    policy: SecretsPolicy,
}

impl GuestSecrets {
    /// Secrets that `manager` keeps, as far as `policy` allows them.
    pub fn new(manager: Arc<dyn SecretsManager>, policy: SecretsPolicy) -> Self {
        Self { manager: Some(manager), policy }
    }

    /// The secret that is called `key`, for `asker`, if it is there before `until`.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which says why not.
    pub async fn get(&self, asker: &Asker<'_>, key: &str, until: Instant) -> Result<SecretBytes, Refusal> {
        let (manager, _, name) = self.judge(asker, key)?;
        let places = self.policy.places(asker);
        match within(until, key, first(&**manager, &places, &name)).await? {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Refusal::new(RefusalReason::NotFound, key, looked_for(&**manager, &places, &name))),
            Err(error) => Err(unavailable(key, &error)),
        }
    }

    /// Stores a secret where `asker` reads it first.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which says why not.
    pub async fn put(&self, asker: &Asker<'_>, key: &str, value: SecretBytes, until: Instant) -> Result<(), Refusal> {
        let (manager, canonical, name) = self.judge(asker, key)?;
        if !self.policy.is_writable(&canonical) {
            let message = "the bindings do not name it in `secrets.write`";
            return Err(Refusal::new(RefusalReason::NotAllowed, key, message));
        }
        if value.expose().is_empty() || value.expose().len() > MAX_VALUE {
            let message = format!("a secret has 1 to {MAX_VALUE} bytes");
            return Err(Refusal::new(RefusalReason::TooLarge, key, message));
        }
        let places = self.policy.places(asker);
        let Some(place) = places.first() else { return Ok(()) };
        within(until, key, manager.write(place, &name, &value)).await?.map_err(|error| match error.code() {
            Code::SecretNotStored => Refusal::new(RefusalReason::NotStored, key, error.to_string()),
            _ => unavailable(key, &error),
        })
    }

    /// Looks whether a secret that a pack needs would be found in flows of any type.
    ///
    /// # Errors
    ///
    /// `SecretMissing`, with where it was looked for, or why that cannot be said now.
    pub async fn check(&self, asker: &Asker<'_>, name: &str) -> Result<()> {
        let lacking = |what: String, hint: &str| {
            let message = format!("secret {}, which pack {} needs, {what}", clip(name), asker.pack);
            Err(Error::new(Code::SecretMissing, message).hint(hint))
        };
        let Some(key) = SecretKey::parse(name) else {
            return lacking("is none: its name cannot be one".to_owned(), "ask the pack's author for another name");
        };
        let (Some(manager), Some(spelt)) = (&self.manager, self.policy.spelt(&key)) else {
            let what = format!("is in no list of the bindings of tenant {}", asker.tenant);
            return lacking(
                what,
                "name it under `flow_type_bindings`, in `secrets` of the types of flows that need it",
            );
        };
        let places = self.policy.places(asker);
        match first(&**manager, &places, &spelt).await? {
            Some(_) => Ok(()),
            None => {
                let what =
                    format!("is not there for tenant {}: {}", asker.tenant, looked_for(&**manager, &places, &spelt));
                lacking(what, "store it at one of these places")
            }
        }
    }

    /// What keeps secrets, the key as it is compared, and as the bindings spell it, if `asker` may have it at all.
    fn judge(&self, asker: &Asker<'_>, key: &str) -> Result<(&Arc<dyn SecretsManager>, SecretKey, String), Refusal> {
        let canonical = SecretKey::parse(key).ok_or_else(|| {
            let message = "a key has at most 256 bytes, a letter or digit among them, and no control characters";
            Refusal::new(RefusalReason::InvalidKey, key, message)
        })?;
        let name = self.policy.readable(asker, &canonical);
        match (&self.manager, name) {
            (Some(manager), Some(name)) => Ok((manager, canonical, name)),
            _ => Err(Refusal::new(RefusalReason::NotAllowed, key, not_allowed(asker))),
        }
    }
}

/// The newest value at the first of `places` that has one. A place that is not this host's to read may simply be empty,
/// so the others are asked before that is an error.
async fn first(manager: &dyn SecretsManager, places: &[SecretScope], name: &str) -> Result<Option<SecretBytes>> {
    let mut forbidden = None;
    for place in places {
        match manager.read_bytes(place, name).await {
            Ok(values) => {
                if let Some(newest) = values.into_iter().next() {
                    return Ok(Some(newest));
                }
            }
            Err(error) if error.code() == Code::SecretForbidden => forbidden = Some(error),
            Err(error) => return Err(error),
        }
    }
    forbidden.map_or(Ok(None), Err)
}

async fn within<T>(until: Instant, key: &str, asked: impl Future<Output = T>) -> Result<T, Refusal> {
    tokio::time::timeout_at(until.into(), asked).await.map_err(|_| {
        Refusal::new(RefusalReason::TimedOut, key, "the place where secrets are kept did not answer in time")
    })
}

fn unavailable(key: &str, error: &Error) -> Refusal {
    Refusal::new(RefusalReason::Unavailable, key, error.to_string())
}

fn looked_for(manager: &dyn SecretsManager, places: &[SecretScope], name: &str) -> String {
    let places: Vec<_> = places.iter().map(|place| manager.place(place, name)).collect();
    format!("looked for at {}", places.join(", then "))
}

fn not_allowed(asker: &Asker<'_>) -> String {
    match asker.flow_type {
        Some(flow_type) => format!(
            "the bindings do not name it in `flow_type_bindings` for flows of type {flow_type}, or `secrets.components` \
             keeps it from component {}",
            asker.component
        ),
        None => format!("outside of flows component {} reads what `secrets.components` lists for it", asker.component),
    }
}

impl fmt::Debug for GuestSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestSecrets").field("policy", &self.policy).finish_non_exhaustive()
    }
}
