//! The profiles of `~/.aws/credentials` and `~/.aws/config`, where the environment itself holds no keys.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::error::{Code, Error, Result};

/// The largest file that is read, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Other ways to say who one is, which come before the keys of a profile.
const OTHERS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// What a profile says.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) keys: Option<Keys>,
    pub(super) region: Option<String>,
}

/// Keys that stay the same.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
    pub(super) token: Option<Zeroizing<String>>,
}

type Section = BTreeMap<String, Zeroizing<String>>;

/// The profile that `AWS_PROFILE` names, or the default one.
pub(super) fn load(environment: &Environment) -> Result<Profile> {
    if environment.get("AWS_SKIP_SIGNATURE").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Profile::default());
    }
    let named = environment.get("AWS_PROFILE").or_else(|| environment.get("AWS_DEFAULT_PROFILE"));
    let name = named.unwrap_or("default");
    let of_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    let credentials = read(file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"))?;
    let config = read(file(environment, "AWS_CONFIG_FILE", "config"))?;
    let sections =
        [credentials.as_deref().map(|t| section(t, name)), config.as_deref().map(|t| section(t, &of_config))];
    let found: Section = sections.into_iter().flatten().rev().flatten().flatten().collect();
    let region = found.get("region").map(|region| region.to_string());
    if OTHERS.iter().any(|name| environment.get(name).is_some()) {
        return Ok(Profile { keys: None, region });
    }
    let keys = match (found.get("aws_access_key_id"), found.get("aws_secret_access_key")) {
        (Some(id), Some(secret)) => {
            let token = found.get("aws_session_token").cloned();
            Some(Keys { id: id.to_string(), secret: secret.clone(), token })
        }
        (None, None) if named.is_none() => None,
        (None, None) if found.is_empty() => return Err(invalid(name, "is in none of the files")),
        (None, None) => return Err(invalid(name, "holds no keys, and other ways to log in are not read")),
        _ => return Err(invalid(name, "holds only one of the two keys")),
    };
    Ok(Profile { keys, region })
}

fn invalid(name: &str, why: &str) -> Error {
    Error::new(Code::CredentialsInvalid, format!("the AWS profile {:?} {why}", crate::id::clip(name))).hint(
        "write aws_access_key_id and aws_secret_access_key into ~/.aws/credentials, or set the variables that \
         aws configure export-credentials --format env prints",
    )
}

fn file(environment: &Environment, variable: &str, name: &str) -> Option<PathBuf> {
    environment.path(variable).or_else(|| Some(environment.path("HOME")?.join(".aws").join(name)))
}

/// The text of a file, if it is there.
fn read(file: Option<PathBuf>) -> Result<Option<Zeroizing<String>>> {
    let Some(file) = file else { return Ok(None) };
    match std::fs::metadata(&file).map(|found| found.len()) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(unreadable(&file, &e.to_string())),
        Ok(len) if len > MAX_LEN => Err(unreadable(&file, "it is larger than 1 MiB")),
        Ok(_) => match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(e) => Err(unreadable(&file, &e.to_string())),
        },
    }
}

fn unreadable(file: &Path, why: &str) -> Error {
    Error::new(Code::CredentialsInvalid, format!("a file of AWS profiles cannot be read: {why}"))
        .in_file(file)
        .hint("let the user that the host runs as read it, or unset the variable that names it")
}

/// The settings under `[name]`, none if it is not there.
fn section(text: &str, name: &str) -> Option<Section> {
    let mut found: Option<Section> = None;
    let mut is_ours = false;
    for line in text.lines() {
        // What is indented belongs to the setting above it.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_ours = header.0.split_whitespace().eq(name.split_whitespace());
            if is_ours {
                found.get_or_insert_default();
            }
        } else if let (true, false, Some((key, value))) = (is_ours, is_nested, line.split_once('=')) {
            let value = Zeroizing::new(value.trim().to_owned());
            found.get_or_insert_default().insert(key.trim().to_ascii_lowercase(), value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "
# comment
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=secret/default=

[ci]
AWS_ACCESS_KEY_ID = AKIACI
aws_secret_access_key = secret-ci
aws_session_token = token-ci
s3 =
  aws_access_key_id = nested
[half]
aws_access_key_id = AKIAHALF
";
    const CONFIG: &str = "
[default]
region = eu-central-1
[profile ci]
region = eu-west-1
[profile sso]
sso_start_url = https://sso.example
";

    fn profile(settings: &[(&str, &str)]) -> Result<Profile> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".aws")).unwrap();
        std::fs::write(dir.path().join(".aws/credentials"), CREDENTIALS).unwrap();
        std::fs::write(dir.path().join(".aws/config"), CONFIG).unwrap();
        let home = [("HOME", dir.path().to_str().unwrap())];
        load(&Environment::from_iter(home.into_iter().chain(settings.iter().copied())))
    }

    #[test]
    fn a_profile_gives_keys_and_region() {
        for (settings, id, secret, token, region) in [
            (&[][..], "AKIADEFAULT", "secret/default=", None, "eu-central-1"),
            (&[("AWS_PROFILE", "ci")], "AKIACI", "secret-ci", Some("token-ci"), "eu-west-1"),
        ] {
            let profile = profile(settings).unwrap();
            let keys = profile.keys.unwrap();
            let token_found = keys.token.as_ref().map(|token| token.as_str());
            assert_eq!((keys.id.as_str(), keys.secret.as_str(), token_found), (id, secret, token));
            assert_eq!(profile.region.as_deref(), Some(region));
        }
    }

    #[test]
    fn other_ways_to_log_in_come_first() {
        for name in OTHERS {
            let profile = profile(&[(name, "x"), ("AWS_PROFILE", "ci")]).unwrap();
            assert!(profile.keys.is_none() && profile.region.is_some(), "{name}");
        }
        let public = profile(&[("AWS_SKIP_SIGNATURE", "true"), ("AWS_PROFILE", "nobody")]).unwrap();
        assert!(public.keys.is_none());
        assert!(load(&Environment::default()).unwrap().keys.is_none());
    }

    #[test]
    fn a_profile_that_cannot_be_used_is_named() {
        for (name, why) in [("nobody", "in none"), ("half", "only one"), ("sso", "other ways")] {
            let Err(error) = profile(&[("AWS_PROFILE", name)]) else { panic!("{name}") };
            assert_eq!(error.code(), Code::CredentialsInvalid);
            assert!(error.to_string().contains(why) && error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("AKIA"), "{error}");
        }
    }
}
