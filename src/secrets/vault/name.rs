//! How secrets are called in stores: environment, tenant, team, pack and key, so that no two secrets have one name.

#[cfg(any(feature = "aws", feature = "gcp"))]
use std::fmt::Write as _;

use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::secrets::{SecretKey, SecretScope};

/// What the names of all secrets begin with unless `SECRETS_PREFIX` says otherwise.
const PREFIX: &str = "greentic";

/// What stands where there is no team or no pack.
const NONE: &str = "_";

/// What the names of all secrets begin with.
pub(super) fn prefix(environment: &Environment) -> String {
    environment.get("SECRETS_PREFIX").unwrap_or(PREFIX).to_owned()
}

/// The pack's id as it stands in names.
fn pack(scope: &SecretScope) -> String {
    let plain = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }
    };
    scope.pack.as_ref().map_or_else(|| NONE.to_owned(), |pack| pack.chars().map(plain).collect())
}

/// `prefix/env/tenant/team/pack/key`, and `user.{user}.key` as key for a user's secret.
#[cfg(feature = "aws")]
pub(super) fn path(prefix: &str, scope: &SecretScope, key: &SecretKey) -> Result<String> {
    let key = match &scope.user {
        Some(user) => format!("user.{}.{key}", escaped(user, '=', |b| b.is_ascii_alphanumeric() || b"-_".contains(&b))),
        None => key.to_string(),
    };
    let team = scope.team.as_deref().unwrap_or(NONE);
    bounded(format!("{prefix}/{}/{}/{team}/{}/{key}", scope.env, scope.tenant, pack(scope)), 512)
}

/// The same parts with `--` between them, where a name may hold nothing but letters, digits, `-` and `_`: what else
/// there is, `-` among it, is `-` and two hexadecimal digits.
#[cfg(feature = "gcp")]
pub(super) fn dashed(prefix: &str, scope: &SecretScope, key: &SecretKey) -> Result<String> {
    let (pack, team) = (pack(scope), scope.team.as_deref().unwrap_or(NONE));
    let mut parts = vec![prefix, &*scope.env, &*scope.tenant, team, &*pack];
    parts.extend(scope.user.as_deref());
    parts.push(key.as_str());
    let parts = parts.into_iter().map(|part| escaped(part, '-', |b| b.is_ascii_alphanumeric() || b == b'_'));
    bounded(parts.collect::<Vec<_>>().join("--"), 255)
}

/// The same parts with `--` between them, where a name may hold nothing but letters of either case, which are the same,
/// digits and `-`. A key's `_` is `-`; a part that cannot be written so is `0x` and its hexadecimal form, and one that is
/// not there just `0x`.
#[cfg(feature = "azure")]
pub(super) fn plain(prefix: &str, scope: &SecretScope, key: &SecretKey) -> Result<String> {
    let id = |id: &str| simple(id, '-');
    let pack = scope.pack.as_ref().map(|_| pack(scope).replace('-', "_"));
    let mut parts = vec![id(prefix), id(&scope.env), id(&scope.tenant)];
    parts.push(id(scope.team.as_deref().unwrap_or_default()));
    parts.push(simple(pack.as_deref().unwrap_or_default(), '_'));
    parts.extend(scope.user.as_deref().map(id));
    parts.push(simple(key.as_str(), '_'));
    bounded(parts.join("--"), 127)
}

/// `text` with `-` for each `between`, if small letters and digits stand around each of those; else in hexadecimal.
#[cfg(feature = "azure")]
fn simple(text: &str, between: char) -> String {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match text.split(between).all(is_word) && !text.starts_with("0x") {
        true => text.replace(between, "-"),
        false => format!("0x{}", hex::encode(text)),
    }
}

#[cfg(any(feature = "aws", feature = "gcp"))]
fn escaped(text: &str, mark: char, is_plain: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match is_plain(byte) {
            true => escaped.push(byte.into()),
            // Writing to a text does not fail.
            false => drop(write!(escaped, "{mark}{byte:02x}")),
        }
        escaped
    })
}

fn bounded(name: String, longest: usize) -> Result<String> {
    if name.len() <= longest {
        return Ok(name);
    }
    let message = format!("a secret would have a name of {} characters, and may have {longest}", name.len());
    Err(Error::new(Code::SecretInvalid, message).hint("give tenant, pack or secret a shorter name"))
}

#[cfg(test)]
#[cfg(all(feature = "aws", feature = "azure", feature = "gcp"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::Id;

    type Namer = fn(&str, &SecretScope, &SecretKey) -> Result<String>;
    const ALL: [Namer; 3] = [path, dashed, plain];

    fn scope(tenant: &str, team: Option<&str>, pack: Option<&str>, user: Option<&str>) -> SecretScope {
        let id = |text: Option<&str>| text.map(Id::from);
        let tenant = SecretScope::of_tenant(&Id::from("prod"), &Id::from(tenant));
        SecretScope { team: id(team), pack: id(pack), user: id(user), ..tenant }
    }

    fn key(text: &str) -> SecretKey {
        SecretKey::parse(text).unwrap()
    }

    #[test]
    fn names_are_as_documented() {
        for (scope, key, names) in [
            (
                scope("acme", None, None, None),
                "CRM_KEY",
                [
                    "greentic/prod/acme/_/_/crm_key",
                    "greentic--prod--acme--_--_--crm_key",
                    "greentic--prod--acme--0x--0x--crm-key",
                ],
            ),
            (
                scope("acme", Some("eu"), Some("Crm.demo"), None),
                "crm/key",
                [
                    "greentic/prod/acme/eu/crm_demo/crm_key",
                    "greentic--prod--acme--eu--crm_demo--crm_key",
                    "greentic--prod--acme--eu--crm-demo--crm-key",
                ],
            ),
            (
                scope("Acme.eu", None, Some("crm"), Some("ann@x")),
                "key",
                [
                    "greentic/prod/Acme.eu/_/crm/user.ann=40x.key",
                    "greentic--prod--Acme-2eeu--_--crm--ann-40x--key",
                    "greentic--prod--0x41636d652e6575--0x--crm--0x616e6e4078--key",
                ],
            ),
        ] {
            for (namer, name) in ALL.into_iter().zip(names) {
                assert_eq!(namer(PREFIX, &scope, &self::key(key)).unwrap(), name);
            }
        }
        for namer in ALL {
            let long = namer(PREFIX, &scope(&"t".repeat(300), Some(&"t".repeat(300)), None, None), &key("k"));
            assert_eq!(long.unwrap_err().code(), Code::SecretInvalid);
        }
    }

    fn ids() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c._-]{1,4}", "[aA0x_-]{1,5}"]
    }

    type Secret = (String, Option<String>, Option<String>, String);

    fn secret() -> impl Strategy<Value = Secret> {
        // A team called `_` would be none.
        let team = ids().prop_filter("a team", |team| team != NONE);
        (ids(), proptest::option::of(team), proptest::option::of(ids()), "[ab_]{0,3}a")
    }

    proptest! {
        /// Whoever shares a name shares a secret.
        #[test]
        fn no_two_secrets_have_one_name(one in secret(), other in secret()) {
            for namer in ALL {
                let name = |(tenant, team, user, name): &Secret| {
                    namer(PREFIX, &scope(tenant, team.as_deref(), None, user.as_deref()), &key(name)).unwrap()
                };
                prop_assert_eq!(name(&one) == name(&other), one == other);
            }
            let (tenant, ..) = &one;
            let name = plain(PREFIX, &scope(tenant, None, None, None), &key("k")).unwrap();
            prop_assert_eq!(name.to_ascii_lowercase(), name, "case is nothing there");
        }
    }
}
