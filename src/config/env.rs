//! The process's environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};

mod packs;

pub use packs::PackSettings;

const DATA_DIR: &str = "GREENTIC_DATA_DIR";

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
    /// Where packs come from.
    pub packs: PackSettings,
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
        let mut findings = Vec::new();
        let mut text = |name: &str| -> Option<String> {
            let value = var(name).filter(|value| !value.is_empty())?;
            value.into_string().map_err(|_| findings.push(invalid(name, "is not valid UTF-8", "set it anew"))).ok()
        };
        let (port, env, tenant) = (text("PORT"), text("GREENTIC_ENV"), text("DEFAULT_TENANT"));
        let config = Self {
            port: port.map_or(Some(8080), |port| port.trim().parse().ok()).unwrap_or_else(|| {
                findings.push(invalid("PORT", "is no port number", "give a number from 0 to 65535"));
                0
            }),
            data_dir: var(DATA_DIR).filter(|dir| !dir.is_empty()).map(PathBuf::from),
            env: identifier("GREENTIC_ENV", env, "local", &mut findings),
            default_tenant: identifier("DEFAULT_TENANT", tenant, "demo", &mut findings),
            packs: packs::read(&var, &mut findings),
        };
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

fn identifier(name: &str, value: Option<String>, default: &str, findings: &mut Vec<Error>) -> Id {
    let value = value.unwrap_or_else(|| default.to_owned());
    if !id::is_valid(&value) {
        let what = format!("is {:?}, which is no identifier", clip(&value));
        findings.push(invalid(name, &what, "use ASCII letters, digits, '.', '-' and '_'"));
    }
    Id::from(value)
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

    #[cfg(unix)]
    #[test]
    fn refuses_what_is_no_text() {
        use std::os::unix::ffi::OsStringExt;
        let error =
            RunnerConfig::from_vars(|name| (name == "PORT").then(|| OsString::from_vec(vec![0xff]))).unwrap_err();
        assert!(error.message().contains("PORT is not valid UTF-8"), "{error}");
    }
}
