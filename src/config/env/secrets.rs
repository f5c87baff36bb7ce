//! What the environment says about where secrets are kept.

use std::ffi::OsString;
use std::time::Duration;

use super::{Vars, invalid};
use crate::id::clip;
use crate::secrets::SecretsBackend;

const BACKEND: &str = "SECRETS_BACKEND";
const TTL: &str = "SECRETS_CACHE_TTL";

/// How long a secret that was read is used if nothing else is said.
const USUAL_TTL: Duration = Duration::from_secs(300);
/// The longest; who changes a secret does not wait for ever.
const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);

/// What the environment says about where secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretsSettings {
    /// `SECRETS_BACKEND`: the place; `env` unless set.
    pub backend: SecretsBackend,
    /// `SECRETS_CACHE_TTL`: how long a secret that was read is used before it is asked for again; `5m` unless set.
    pub cache_ttl: Duration,
}

impl Default for SecretsSettings {
    fn default() -> Self {
        Self { backend: SecretsBackend::default(), cache_ttl: USUAL_TTL }
    }
}

/// Reads the variables; what is wrong becomes a finding.
pub(super) fn read<F: Fn(&str) -> Option<OsString>>(vars: &mut Vars<'_, F>) -> SecretsSettings {
    let mut settings = SecretsSettings::default();
    if let Some(name) = vars.text(BACKEND) {
        match SecretsBackend::named(&name) {
            Some(backend) => settings.backend = backend,
            None => {
                let what = format!("is {:?}, which is no place for secrets", clip(&name));
                let names = SecretsBackend::ALL.map(SecretsBackend::name).join(", ");
                vars.findings.push(invalid(BACKEND, &what, &format!("use one of {names}")));
            }
        }
    }
    if let Some(text) = vars.text(TTL) {
        match humantime::parse_duration(text.trim()) {
            Ok(ttl) if ttl <= LONGEST_TTL => settings.cache_ttl = ttl,
            _ => {
                let what = format!("is {:?}, which is no length of time up to a day", clip(&text));
                vars.findings.push(invalid(TTL, &what, "write a number and a unit, as 30s or 5m; 0s keeps nothing"));
            }
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunnerConfig;
    use crate::error::{Code, Error};

    fn read(vars: &[(&str, &str)]) -> Result<SecretsSettings, Error> {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        RunnerConfig::from_vars(var).map(|config| config.secrets)
    }

    #[test]
    fn reads_what_is_set() {
        assert_eq!(read(&[]).unwrap(), SecretsSettings::default());
        assert_eq!(read(&[(BACKEND, ""), (TTL, "")]).unwrap(), SecretsSettings::default());
        for backend in SecretsBackend::ALL {
            assert_eq!(read(&[(BACKEND, &backend.name().to_ascii_uppercase())]).unwrap().backend, backend);
        }
        for (text, seconds) in [("0s", 0), ("30s", 30), ("1h", 3600), ("24h", 86_400)] {
            assert_eq!(read(&[(TTL, text)]).unwrap().cache_ttl, Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn names_every_variable_that_is_wrong() {
        for (name, value) in [(BACKEND, "vault"), (TTL, "often"), (TTL, "30"), (TTL, "25h")] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.code(), Code::EnvInvalid, "{error}");
            assert!(error.message().contains(name) && error.hint_text().is_some(), "{error}");
        }
    }
}
