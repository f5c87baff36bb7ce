//! The files in which `docker login`, `podman login` and `oras login` keep credentials.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::Fault;
use super::credentials::Login;
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::OciReference;

/// The largest file that is read, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// As which the tools know the registry that has three names.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a file says of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The login itself.
    Login(Login),
    /// The program that knows it.
    Helper {
        /// What stands after `docker-credential-`.
        name: String,
        /// What it is asked for.
        server: String,
    },
}

/// A file, read.
#[derive(Debug)]
pub(super) struct Config {
    file: PathBuf,
    parsed: Parsed,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Parsed {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.auths.keys()).finish()
    }
}

/// The files that are looked at, in this order: the one that is named for this, docker's, and podman's.
pub(super) fn files(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.path("HOME");
    let docker = environment.path("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
    let podman = environment.path("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json"));
    let all = [environment.path("REGISTRY_AUTH_FILE"), docker.map(|dir| dir.join("config.json")), podman];
    all.into_iter().flatten().collect()
}

/// Reads a file, if it is there.
pub(super) async fn read(file: &Path) -> Result<Option<Config>, Fault> {
    let wrong = |why: String| Fault::from(invalid(file, &why));
    let size = match tokio::fs::metadata(file).await {
        Ok(found) => found.len(),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
    };
    if size > MAX_LEN {
        return Err(wrong("is larger than 1 MiB".to_owned()));
    }
    let bytes = tokio::fs::read(file).await.map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let bytes = Zeroizing::new(bytes);
    // What the parser says of a value could quote it.
    let parsed = serde_json::from_slice(&bytes)
        .map_err(|e| wrong(format!("is not such a file: line {}, column {}", e.line(), e.column())))?;
    Ok(Some(Config { file: file.to_owned(), parsed }))
}

fn invalid(file: &Path, why: &str) -> Error {
    Error::new(Code::CredentialsInvalid, format!("the file with logins for registries {why}"))
        .in_file(file)
        .hint("log in again (docker login, podman login, oras login), or repair the file")
}

impl Config {
    /// What it says of the registry of `reference`.
    pub(super) fn entry(&self, reference: &OciReference) -> Result<Option<Entry>> {
        let registry = host(&reference.registry);
        let server = if registry == host(DOCKER_HUB) { DOCKER_HUB } else { &reference.registry };
        let helper = |name: &str| Entry::Helper { name: name.to_owned(), server: server.to_owned() };
        let own = self.parsed.cred_helpers.iter().find(|(key, name)| host(key) == registry && !name.is_empty());
        if let Some((_, name)) = own {
            return Ok(Some(helper(name)));
        }
        // Podman's keys may name a part of the repository, of which the longest counts.
        let path = format!("{registry}/{}", reference.repository);
        let fits = |key: &str| {
            let key = name(key);
            key == path || path.strip_prefix(&key).is_some_and(|rest| rest.starts_with('/'))
        };
        let found = self.parsed.auths.iter().filter(|(key, _)| fits(key)).max_by_key(|(key, _)| name(key).len());
        if let Some(login) = found.map(|(_, auth)| self.login(auth)).transpose()?.flatten() {
            return Ok(Some(Entry::Login(login)));
        }
        let store = self.parsed.creds_store.as_str();
        Ok((!store.is_empty()).then(|| helper(store)))
    }

    fn login(&self, auth: &Auth) -> Result<Option<Login>> {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        if !auth.identitytoken.is_empty() {
            return Ok(Some(Login::Refresh(secret(&auth.identitytoken))));
        }
        if !auth.registrytoken.is_empty() {
            return Ok(Some(Login::Token(secret(&auth.registrytoken))));
        }
        if !auth.username.is_empty() {
            return Ok(Some(Login::Basic { name: auth.username.clone(), password: secret(&auth.password) }));
        }
        if auth.auth.is_empty() {
            return Ok(None);
        }
        let wrong = || invalid(&self.file, "holds an entry `auth` that is not a name and a password in base64");
        let both = Zeroizing::new(BASE64.decode(auth.auth.trim()).map_err(|_| wrong())?);
        let both = std::str::from_utf8(&both).map_err(|_| wrong())?;
        let (name, password) = both.split_once(':').ok_or_else(wrong)?;
        // Docker fills old files with zeros.
        let password = secret(password.trim_end_matches('\0'));
        Ok(Some(Login::Basic { name: name.to_owned(), password }))
    }
}

/// A key without scheme and version, with one name for each registry.
fn name(key: &str) -> String {
    let (key, had_scheme) = match key.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (key, false),
    };
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = match host {
        "docker.io" | "registry-1.docker.io" => "index.docker.io",
        other => other,
    };
    let path = path.trim_end_matches('/');
    // With a scheme it is docker's form, of which the host counts.
    if had_scheme || path.is_empty() {
        host.to_ascii_lowercase()
    } else {
        format!("{}/{path}", host.to_ascii_lowercase())
    }
}

/// The host of a key.
fn host(key: &str) -> String {
    let name = name(key);
    name.split_once('/').map_or(name.as_str(), |(host, _)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config { file: PathBuf::from("config.json"), parsed: serde_json::from_str(text).unwrap() }
    }

    fn reference(registry: &str, repository: &str) -> OciReference {
        OciReference { registry: registry.into(), repository: repository.into(), tag: Some("1".into()), digest: None }
    }

    fn basic(name: &str, password: &str) -> Option<Entry> {
        Some(Entry::Login(Login::Basic { name: name.into(), password: Zeroizing::new(password.into()) }))
    }

    fn helper(name: &str, server: &str) -> Option<Entry> {
        Some(Entry::Helper { name: name.into(), server: server.into() })
    }

    #[test]
    fn an_entry_counts_for_its_registry() {
        let config = config(
            r#"{
                "auths": {
                    "a.example": {"auth": "YW5uOnNlY3JldA=="},
                    "https://b.example/v1/": {"auth": "Ym9iOnA6cQ"},
                    "https://index.docker.io/v1/": {"auth": "aHViOmg="},
                    "c.example": {"username": "carl", "password": "c"},
                    "c.example/team": {"username": "team", "password": "t"},
                    "i.example": {"auth": "eDp5", "identitytoken": "refresh"},
                    "t.example:5000": {"registrytoken": "token"},
                    "marker.example": {}
                },
                "credHelpers": {"h.example": "ecr-login"},
                "HttpHeaders": {"User-Agent": "x"}
            }"#,
        );
        let token = |text: &str| Zeroizing::new(text.to_owned());
        for (registry, repository, entry) in [
            ("a.example", "x", basic("ann", "secret")),
            ("A.example", "x", basic("ann", "secret")),
            ("a.example:5000", "x", None),
            ("b.example", "x", basic("bob", "p:q")),
            ("docker.io", "library/x", basic("hub", "h")),
            ("index.docker.io", "library/x", basic("hub", "h")),
            ("c.example", "x", basic("carl", "c")),
            ("c.example", "team/x", basic("team", "t")),
            ("c.example", "teams/x", basic("carl", "c")),
            ("i.example", "x", Some(Entry::Login(Login::Refresh(token("refresh"))))),
            ("t.example:5000", "x", Some(Entry::Login(Login::Token(token("token"))))),
            ("h.example", "x", helper("ecr-login", "h.example")),
            ("marker.example", "x", None),
            ("other.example", "x", None),
        ] {
            assert_eq!(config.entry(&reference(registry, repository)).unwrap(), entry, "{registry}/{repository}");
        }
    }

    #[test]
    fn a_store_is_asked_for_what_the_file_does_not_hold() {
        let config = config(
            r#"{"auths": {"a.example": {}, "b.example": {"auth": "Ym9iOmI="}}, "credsStore": "pass",
                "credHelpers": {"h.example": "gcloud"}}"#,
        );
        for (registry, entry) in [
            ("a.example", helper("pass", "a.example")),
            ("b.example", basic("bob", "b")),
            ("h.example", helper("gcloud", "h.example")),
            ("docker.io", helper("pass", DOCKER_HUB)),
        ] {
            assert_eq!(config.entry(&reference(registry, "x")).unwrap(), entry, "{registry}");
        }
    }

    #[tokio::test]
    async fn broken_files_are_named_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        assert!(read(&file).await.unwrap().is_none());
        assert!(read(&file.join("below")).await.unwrap().is_none());
        for text in ["", "{\"auths\": \"secret\"}", "[\"secret\"]", "{\"auths\": {\"a\": {\"auth\": 7}}}"] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).await.unwrap_err().error;
            assert_eq!(error.code(), Code::CredentialsInvalid, "{text}");
            assert!(error.to_string().contains("config.json") && !error.to_string().contains("secret"), "{error}");
        }
        for auth in ["c2VjcmV0", "!secret!", "/w=="] {
            std::fs::write(&file, format!(r#"{{"auths": {{"a.example": {{"auth": "{auth}"}}}}}}"#)).unwrap();
            let config = read(&file).await.unwrap().unwrap();
            let error = config.entry(&reference("a.example", "x")).unwrap_err();
            assert_eq!(error.code(), Code::CredentialsInvalid);
            assert!(!error.to_string().contains("secret") && !error.to_string().contains(auth), "{error}");
            assert!(!format!("{config:?}").contains(auth));
        }
        std::fs::write(&file, " ".repeat(usize::try_from(MAX_LEN).unwrap() + 1)).unwrap();
        assert!(read(&file).await.unwrap_err().error.to_string().contains("1 MiB"));
    }

    #[test]
    fn files_are_where_the_tools_keep_them() {
        let files = |settings: &[(&str, &str)]| -> Vec<String> {
            let files = files(&Environment::from_iter(settings.iter().copied()));
            files.iter().map(|file| file.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(files(&[("HOME", "/h")]), ["/h/.docker/config.json"]);
        let all =
            [("HOME", "/h"), ("DOCKER_CONFIG", "/d"), ("XDG_RUNTIME_DIR", "/run/1"), ("REGISTRY_AUTH_FILE", "/r.json")];
        assert_eq!(files(&all), ["/r.json", "/d/config.json", "/run/1/containers/auth.json"]);
        assert!(files(&[]).is_empty());
    }
}
