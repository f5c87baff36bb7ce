//! The process's environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::secret::Secret;
use crate::trust::TrustPolicy;

mod tenants;

pub use tenants::{JwtKeys, JwtSettings, TenantResolver};

mod packs;

pub use packs::PackSettings;

mod secrets;

pub use secrets::SecretsSettings;

const DATA_DIR: &str = "GREENTIC_DATA_DIR";
const PUBLIC_KEY: &str = "PACK_PUBLIC_KEY";
const VERIFY_STRICT: &str = "PACK_VERIFY_STRICT";

/// What environment variables say. A variable that is empty counts as not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerConfig {
    /// `PORT`: the port to listen on; 8080 unless set. 0 takes a free one.
    pub port: u16,
    /// `GREENTIC_DATA_DIR`: where the store lies, if it is set.
    pub data_dir: Option<PathBuf>,
    /// `GREENTIC_ENV`: the deployment environment; `local` unless set.
    pub env: Id,
    /// `DEFAULT_TENANT`: the tenant of requests that name none; `demo` unless set.
    pub default_tenant: Id,
    /// `PACK_PUBLIC_KEY`, the keys whose signatures count, and `PACK_VERIFY_STRICT`, what becomes of packs without one.
    pub trust: TrustPolicy,
    /// `TENANT_RESOLVER`: how the tenant of a request is found; `env` unless set.
    pub tenants: TenantResolver,
    /// `TRUSTED_PROXIES`: proxies that may say by `X-Forwarded-For` where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// `ADMIN_TOKEN`: what requests to the admin API must carry; without it only this machine may use it.
    pub admin_token: Option<Secret>,
    /// Where packs come from.
    pub packs: PackSettings,
    /// Where secrets are kept.
    pub secrets: SecretsSettings,
}

impl RunnerConfig {
    /// Where the store lies if nothing else is said.
    pub const DEFAULT_DATA_DIR: &'static str = ".greentic";

    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    /// Reads variables through `var`.
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let mut vars = Vars { var: &var, findings: Vec::new() };
        let port = vars.text("PORT").map_or(Some(8080), |port| port.trim().parse().ok()).unwrap_or_else(|| {
            vars.findings.push(invalid("PORT", "is no port number", "give a number from 0 to 65535"));
            0
        });
        let (public_key, verify_strict) = (vars.text(PUBLIC_KEY), vars.text(VERIFY_STRICT));
        let config = Self {
            port,
            data_dir: vars.path(DATA_DIR),
            env: vars.identifier("GREENTIC_ENV", "local"),
            default_tenant: vars.identifier("DEFAULT_TENANT", "demo"),
            trust: trust(public_key, verify_strict, &mut vars.findings),
            trusted_proxies: tenants::proxies(&mut vars),
            tenants: tenants::read(&mut vars),
            admin_token: vars.token("ADMIN_TOKEN"),
            secrets: secrets::read(&mut vars),
            packs: packs::read(&var, &mut vars.findings),
        };
        let findings = vars.findings;
        if findings.is_empty() {
            return Ok(config);
        }
        let summary = format!("{} environment variables cannot be used", findings.len());
        Err(Error::from_many(Code::EnvInvalid, summary, findings))
    }

    /// Where the store lies, from `chosen` and this process's environment alone; what else the environment says does
    /// not matter, so this cannot fail. See [`Self::data_dir`].
    pub fn data_dir_from_env(chosen: Option<&Path>) -> PathBuf {
        let variable = std::env::var_os(DATA_DIR).filter(|dir| !dir.is_empty());
        chosen.map(Path::to_owned).or(variable.map(PathBuf::from)).unwrap_or_else(|| Self::DEFAULT_DATA_DIR.into())
    }

    /// Where the store lies: as `chosen` by the command line, else by the variable, else `./.greentic`.
    pub fn data_dir(&self, chosen: Option<&Path>) -> PathBuf {
        let dir = chosen.or(self.data_dir.as_deref()).unwrap_or(Path::new(Self::DEFAULT_DATA_DIR));
        dir.to_owned()
    }
}

/// Variables, and what is wrong with them. One that is empty counts as not set.
struct Vars<'a, F> {
    var: &'a F,
    findings: Vec<Error>,
}

impl<F: Fn(&str) -> Option<OsString>> Vars<'_, F> {
    fn text(&mut self, name: &str) -> Option<String> {
        let value = (self.var)(name).filter(|value| !value.is_empty())?;
        value.into_string().map_err(|_| self.findings.push(invalid(name, "is not valid UTF-8", "set it anew"))).ok()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.var)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A text that must be set; `what` says to what.
    fn required(&mut self, name: &str, what: &str) -> Option<String> {
        if (self.var)(name).is_none_or(|value| value.is_empty()) {
            self.findings.push(invalid(name, "is not set", &format!("set it: {what}")));
            return None;
        }
        self.text(name)
    }

    fn identifier(&mut self, name: &str, default: &str) -> Id {
        let value = self.text(name).unwrap_or_else(|| default.to_owned());
        if !id::is_valid(&value) {
            let what = format!("is {:?}, which is no identifier", clip(&value));
            self.findings.push(invalid(name, &what, "use ASCII letters, digits, '.', '-' and '_'"));
        }
        Id::from(value)
    }

    /// A secret that is sent in a header.
    fn token(&mut self, name: &str) -> Option<Secret> {
        let token = self.text(name)?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let hint = "use ASCII letters, digits and punctuation, without spaces";
            self.findings.push(invalid(name, "holds characters that no header carries", hint));
        }
        Some(Secret::new(token))
    }
}

fn trust(keys: Option<String>, strict: Option<String>, findings: &mut Vec<Error>) -> TrustPolicy {
    let cannot = |name: &str, why: Error| {
        invalid(
            name,
            &format!("cannot be used: {}", why.message()),
            why.hint_text().unwrap_or("correct it or unset it"),
        )
    };
    let keys = keys.map_or(Ok(Vec::new()), |text| TrustPolicy::read_keys(&text)).unwrap_or_else(|errors| {
        findings.extend(errors.into_iter().map(|why| cannot(PUBLIC_KEY, why)));
        Vec::new()
    });
    let strictness = strict.map_or(Ok(Default::default()), |text| text.parse()).unwrap_or_else(|why| {
        findings.push(cannot(VERIFY_STRICT, why));
        Default::default()
    });
    TrustPolicy { keys, strictness }
}

fn invalid(name: &str, what: &str, hint: &str) -> Error {
    Error::new(Code::EnvInvalid, format!("the environment variable {name} {what}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<RunnerConfig> {
        RunnerConfig::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn has_defaults() {
        let unset = read(&[]).unwrap();
        assert_eq!((unset.port, &*unset.env, &*unset.default_tenant), (8080, "local", "demo"));
        assert_eq!(unset.data_dir(None), Path::new(".greentic"));
        assert_eq!(unset, read(&[("PORT", ""), ("GREENTIC_DATA_DIR", ""), ("DEFAULT_TENANT", "")]).unwrap());
    }

    #[test]
    fn reads_what_is_set() {
        let vars = [("PORT", "0"), ("GREENTIC_DATA_DIR", "/data"), ("GREENTIC_ENV", "prod"), ("DEFAULT_TENANT", "a-b")];
        let set = read(&vars).unwrap();
        assert_eq!((set.port, &*set.env, &*set.default_tenant), (0, "prod", "a-b"));
        assert_eq!(set.data_dir(None), Path::new("/data"));
        assert_eq!(set.data_dir(Some(Path::new("mine"))), Path::new("mine"));
    }

    #[test]
    fn names_every_variable_that_is_wrong() {
        for port in ["65536", "-1", "http", "80 80"] {
            let error = read(&[("PORT", port)]).unwrap_err();
            assert_eq!(error.code(), Code::EnvInvalid);
            assert!(error.message().contains("PORT"), "{error}");
        }
        let all = [("PORT", "x"), ("GREENTIC_ENV", "a b"), ("DEFAULT_TENANT", "é"), ("PACK_SOURCE", "x")];
        let all = read(&all).unwrap_err();
        let named: Vec<_> = all.details().iter().map(Error::message).collect();
        assert_eq!(named.len(), 4, "{all}");
        for name in ["PORT", "GREENTIC_ENV", "DEFAULT_TENANT", "PACK_SOURCE"] {
            assert!(named.iter().any(|message| message.contains(name)), "{all}");
        }
    }

    #[test]
    fn keys_and_strictness_are_read() {
        let key = "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let trust = |vars: &[(&str, &str)]| read(vars).map(|config| config.trust);
        assert_eq!(trust(&[(PUBLIC_KEY, ""), (VERIFY_STRICT, "")]).unwrap(), TrustPolicy::default());
        for (strict, expected) in [("", true), ("1", true), ("true", true), ("0", false), ("FALSE", false)] {
            let keyed = trust(&[(PUBLIC_KEY, key), (VERIFY_STRICT, strict)]).unwrap();
            assert_eq!((keyed.keys.len(), keyed.is_strict()), (1, expected), "{strict:?}");
            let without = trust(&[(VERIFY_STRICT, strict)]).unwrap();
            assert_eq!((without.keys.len(), without.is_strict()), (0, matches!(strict, "1" | "true")), "{strict:?}");
        }
        let error = trust(&[(PUBLIC_KEY, "ed25519:AAAA, rsa:AAAA"), (VERIFY_STRICT, "maybe")]).unwrap_err();
        let named: Vec<_> = error.details().iter().map(Error::message).collect();
        assert_eq!(named.len(), 3, "{error}");
        assert!(named[0].starts_with("the environment variable PACK_PUBLIC_KEY cannot be used: key 1: "), "{error}");
        assert!(named[2].starts_with("the environment variable PACK_VERIFY_STRICT cannot be used: "), "{error}");
        assert!(error.details().iter().all(|one| one.code() == Code::EnvInvalid && one.hint_text().is_some()));
    }

    #[test]
    fn the_admin_token_can_be_sent_and_is_not_shown() {
        let set = read(&[("ADMIN_TOKEN", "canary+/=_~")]).unwrap();
        assert!(set.admin_token.as_ref().unwrap().matches(b"canary+/=_~"));
        assert!(!format!("{set:?}").contains("canary"));
        assert_eq!(read(&[("ADMIN_TOKEN", "")]).unwrap().admin_token, None);
        for bad in ["canary\n", "can ary", "canäry"] {
            let error = read(&[("ADMIN_TOKEN", bad)]).unwrap_err();
            assert!(error.message().contains("ADMIN_TOKEN") && !error.to_string().contains("can"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn refuses_what_is_no_text() {
        use std::os::unix::ffi::OsStringExt;
        let error =
            RunnerConfig::from_vars(|name| (name == "PORT").then(|| OsString::from_vec(vec![0xff]))).unwrap_err();
        assert!(error.message().contains("PORT is not valid UTF-8"), "{error}");
    }
}
