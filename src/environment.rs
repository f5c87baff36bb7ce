//! The settings of other tools that are read as those tools do.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;

use zeroize::Zeroizing;

/// What the names of those settings begin with.
const PREFIXES: [&str; 6] = ["AWS_", "AZURE_", "GOOGLE_", "OCI_", "IDENTITY_", "MSI_"];

/// Those that are named as a whole.
const NAMES: [&str; 10] = [
    "APPDATA",
    "DOCKER_CONFIG",
    "GCE_METADATA_HOST",
    "HOME",
    "PATH",
    "REGISTRY_AUTH_FILE",
    "SECRETS_PREFIX",
    "STORAGE_EMULATOR_HOST",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// The environment variables that say which credentials and endpoints registries, object stores and stores of secrets are
/// used with. They belong to whoever rules this machine: no locator, index or pack can change them. Shown without their
/// values.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Zeroizing<String>>);

impl Environment {
    /// Those of this process. What is not Unicode is left out.
    pub fn of_process() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| Some((text(&name)?, text(&value)?)));
        texts.filter(|(name, _)| is_read(name)).collect()
    }

    /// The value of `name`, unless it is empty.
    #[cfg(any(feature = "oci", feature = "object-store", feature = "aws", feature = "azure", feature = "gcp", test))]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The path that `name` holds.
    #[cfg(any(feature = "oci", feature = "object-store"))]
    pub(crate) fn path(&self, name: &str) -> Option<std::path::PathBuf> {
        self.get(name).map(std::path::PathBuf::from)
    }

    /// The names that begin with `prefix`, and their values.
    #[cfg(any(feature = "object-store", feature = "aws", feature = "gcp"))]
    pub(crate) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(settings: I) -> Self {
        Self(settings.into_iter().map(|(name, value)| (name.into(), Zeroizing::new(value.into()))).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn text(text: &OsStr) -> Option<String> {
    text.to_str().map(str::to_owned)
}

/// Whether a variable is one of those settings.
pub(crate) fn is_read(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let environment = Environment::from_iter([("OCI_PASSWORD", "secret"), ("HOME", "")]);
        assert_eq!(format!("{environment:?}"), r#"{"HOME", "OCI_PASSWORD"}"#);
        assert_eq!((environment.get("OCI_PASSWORD"), environment.get("HOME")), (Some("secret"), None));
    }

    #[test]
    fn only_the_settings_of_such_tools_are_taken_from_the_process() {
        assert!(["AWS_REGION", "PATH", "OCI_USERNAME", "STORAGE_EMULATOR_HOST"].into_iter().all(is_read));
        assert!(!["PACK_PUBLIC_KEY", "ADMIN_TOKEN", "HOMEPAGE"].into_iter().any(is_read));
        assert!(Environment::of_process().0.keys().all(|name| is_read(name)));
    }
}
