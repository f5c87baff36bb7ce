//! Secrets in environment variables.
//!
//! A tenant's secret `NAME` is the variable `{TENANT}__{NAME}`, the tenant in upper case and with `_` for what is no
//! letter or digit. The only tenant of a host may also use the variable `NAME`, as may a tenant whose bindings say
//! `shared_secret: true`. The value that is being replaced is in the same name with `_PREVIOUS`.
//!
//! Secrets of a team or a pack have `TEAM_{TEAM}__` or `PACK_{PACK}__` behind the tenant. A name that is no variable's
//! is tried as its canonical form in upper case.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use async_trait::async_trait;

use super::{SecretKey, SecretScope, SecretsManager};
use crate::environment;
use crate::error::{Code, Error, Result};
use crate::id::{Id, clip};
use crate::secret::Secret;

/// Variables that open the host itself: whoever has them needs no grants, so that no component is given them.
pub(crate) const OF_HOST: [&str; 2] = ["ADMIN_TOKEN", "TENANT_JWT_KEY"];

/// Whether a variable is one of the host's own settings. They may open other doors, so that no component gets one that no
/// binding names.
pub(super) fn is_setting(name: &str) -> bool {
    const TELEMETRY: [&str; 3] = ["OTEL_", "OTLP_", "TELEMETRY_"];
    let is_own = OF_HOST.contains(&name) || environment::is_read(name) || name.ends_with("_PROXY");
    is_own || TELEMETRY.iter().any(|prefix| name.starts_with(prefix))
}

type Var = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// Secrets of the process's environment.
pub struct EnvSecrets {
    /// Each tenant with the prefix of its variables.
    prefixes: BTreeMap<Id, String>,
    var: Box<Var>,
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvSecrets").field("prefixes", &self.prefixes).finish_non_exhaustive()
    }
}

impl EnvSecrets {
    /// The secrets of these tenants. Fails if variables of two of them could not be told apart.
    pub fn new<'a>(tenants: impl IntoIterator<Item = &'a Id>) -> Result<Self> {
        Self::with_vars(tenants, |name| std::env::var_os(name))
    }

    /// The same, with variables read through `var`.
    pub fn with_vars<'a>(
        tenants: impl IntoIterator<Item = &'a Id>,
        var: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Result<Self> {
        let prefixes: BTreeMap<_, _> = tenants.into_iter().map(|tenant| (tenant.clone(), prefix(tenant))).collect();
        for (a, one) in &prefixes {
            for (b, other) in &prefixes {
                // `A__B__C` would be the secret `B__C` of the tenant a and the secret `C` of the tenant a__b.
                if a != b && other.starts_with(one.as_str()) {
                    let message = format!("secrets of the tenants {a} and {b} have the same variables: {one}… ");
                    return Err(Error::new(Code::SecretsAmbiguous, message.trim_end())
                        .hint("rename one of them: variables begin with the tenant in upper case, and with _ for other characters than letters and digits"));
                }
            }
        }
        Ok(Self { prefixes, var: Box::new(var) })
    }

    /// The value of a variable and the one that it replaces.
    fn values(&self, variable: &str) -> Result<Vec<Secret>> {
        let previous = format!("{variable}_PREVIOUS");
        let values = [variable, &previous].map(|name| self.value(name));
        values.into_iter().filter_map(Result::transpose).collect()
    }

    /// A variable that is empty counts as not set.
    fn value(&self, variable: &str) -> Result<Option<Secret>> {
        let Some(value) = (self.var)(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
        let text = value.into_string().map_err(|_| {
            Error::new(Code::SecretInvalid, format!("the environment variable {variable} is not valid UTF-8"))
                .hint("set it anew")
        })?;
        Ok(Some(Secret::new(text)))
    }
}

#[async_trait]
impl SecretsManager for EnvSecrets {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        // Users have no variables: their secrets are never a tenant's.
        if scope.user.is_some() {
            return Ok(Vec::new());
        }
        let Some(tenant) = self.prefixes.get(&scope.tenant) else {
            return Err(Error::new(Code::TenantUnknown, format!("no secrets for tenant {}", clip(&scope.tenant))));
        };
        let prefix = format!("{tenant}{}", owners(scope));
        for name in spellings(name) {
            let own = self.values(&format!("{prefix}{name}"))?;
            if !own.is_empty() {
                return Ok(own);
            }
            // A name that begins as another tenant's variables do is no bare name.
            let is_bare = !self.prefixes.values().any(|prefix| name.starts_with(prefix.as_str()));
            let is_bare = is_bare && !OF_HOST.iter().any(|own| name.eq_ignore_ascii_case(own));
            let may_share = scope.shared || self.prefixes.len() == 1;
            let is_tenants = scope.team.is_none() && scope.pack.is_none();
            if is_bare && may_share && is_tenants {
                let bare = self.values(&name)?;
                if !bare.is_empty() {
                    return Ok(bare);
                }
            }
        }
        Ok(Vec::new())
    }

    fn place(&self, scope: &SecretScope, name: &str) -> String {
        let prefix = format!("{}{}", prefix(&scope.tenant), owners(scope));
        match (&scope.user, spellings(name).pop()) {
            (None, Some(name)) => format!("the environment variable {prefix}{name}"),
            _ => format!("no environment variable, which {name} of a user cannot be"),
        }
    }
}

/// How a variable for `name` may be spelt: as it is, and in the canonical form.
fn spellings(name: &str) -> Vec<String> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let canonical = SecretKey::parse(name).map(|key| key.as_str().to_ascii_uppercase());
    let mut spellings: Vec<_> = is_name.then(|| name.to_owned()).into_iter().chain(canonical).collect();
    spellings.dedup();
    spellings
}

/// What stands behind the tenant in the variables of a team's or a pack's secrets.
fn owners(scope: &SecretScope) -> String {
    let owners = [("TEAM_", &scope.team), ("PACK_", &scope.pack)];
    owners.into_iter().filter_map(|(what, id)| Some(format!("{what}{}", prefix(id.as_deref()?)))).collect()
}

fn prefix(tenant: &str) -> String {
    let letters = tenant.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    letters.chain("__".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARS: &[(&str, &str)] = &[
        ("ADMIN_TOKEN", "canary"),
        ("TENANT_JWT_KEY", "canary"),
        ("NAME", "bare"),
        ("ACME__NAME", "acme-new"),
        ("ACME__NAME_PREVIOUS", "acme-old"),
        ("BETA_1__NAME", ""),
        ("BETA_1__NAME_PREVIOUS", "beta-old"),
        ("BARE", "b"),
        ("BARE_PREVIOUS", "b-old"),
        ("ACME__PACK_CRM_DEMO__NAME", "pack"),
        ("ACME__TEAM_EU__NAME", "team"),
        ("ACME__TEAM_EU__PACK_CRM_DEMO__NAME", "team and pack"),
        ("PACK_CRM_DEMO__NAME", "nobody's"),
        ("ACME__CRM_API_KEY", "written otherwise"),
    ];

    fn manager(tenants: &[&str]) -> Result<EnvSecrets> {
        let tenants: Vec<Id> = tenants.iter().map(|tenant| Id::from(*tenant)).collect();
        EnvSecrets::with_vars(&tenants, |name| {
            VARS.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    async fn read(tenants: &[&str], tenant: &str, shared: bool, name: &str) -> Vec<String> {
        let scope = SecretScope { shared, ..SecretScope::of_tenant(&Id::from("local"), &Id::from(tenant)) };
        let found = manager(tenants).unwrap().read(&scope, name).await.unwrap();
        found.iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_tenant_gets_its_own_and_nobody_elses() {
        let both = ["acme", "beta.1", "gamma"];
        assert_eq!(read(&both, "acme", false, "NAME").await, ["acme-new", "acme-old"]);
        assert_eq!(read(&both, "beta.1", false, "NAME").await, ["beta-old"]);
        assert!(read(&both, "gamma", false, "NAME").await.is_empty(), "a bare name is nobody's");
        assert_eq!(read(&both, "gamma", true, "NAME").await, ["bare"]);
        assert_eq!(read(&both, "acme", true, "NAME").await, ["acme-new", "acme-old"], "its own goes first");
        assert_eq!(read(&["gamma"], "gamma", false, "BARE").await, ["b", "b-old"], "the only tenant's");
        assert_eq!(read(&["acme"], "acme", false, "NAME").await, ["acme-new", "acme-old"]);
        for name in ["ADMIN_TOKEN", "admin_token", "tenant-jwt-key"] {
            assert!(read(&["gamma"], "gamma", true, name).await.is_empty(), "{name}: it opens the host itself");
        }
        for name in ["", "NA=ME", "../NAME", "NAME\0", "ACME__NAME"] {
            assert!(read(&["acme", "gamma"], "gamma", true, name).await.is_empty(), "{name:?}");
        }
    }

    #[tokio::test]
    async fn secrets_of_users_are_no_secrets_of_tenants() {
        let tenant = SecretScope::of_tenant(&Id::from("local"), &Id::from("acme"));
        let user = SecretScope { user: Some(Id::from("u")), ..tenant.clone() };
        let manager = manager(&["acme"]).unwrap();
        assert!(manager.read(&user, "NAME").await.unwrap().is_empty());
        let stranger = SecretScope { tenant: Id::from("other"), shared: true, ..tenant };
        assert_eq!(manager.read(&stranger, "NAME").await.unwrap_err().code(), Code::TenantUnknown);
    }

    #[tokio::test]
    async fn teams_and_packs_have_variables_of_their_own() {
        let manager = manager(&["acme"]).unwrap();
        let tenant = SecretScope::of_tenant(&Id::from("local"), &Id::from("acme"));
        let id = |text: Option<&str>| text.map(Id::from);
        for (team, pack, value, variable) in [
            (None, None, Some("acme-new"), "ACME__NAME"),
            (None, Some("crm.demo"), Some("pack"), "ACME__PACK_CRM_DEMO__NAME"),
            (Some("eu"), None, Some("team"), "ACME__TEAM_EU__NAME"),
            (Some("eu"), Some("crm.demo"), Some("team and pack"), "ACME__TEAM_EU__PACK_CRM_DEMO__NAME"),
            (None, Some("other"), None, "ACME__PACK_OTHER__NAME"),
        ] {
            let scope = SecretScope { team: id(team), pack: id(pack), ..tenant.clone() };
            let found = manager.read(&scope, "NAME").await.unwrap();
            assert_eq!(found.first().map(Secret::expose), value, "{team:?} {pack:?}");
            assert_eq!(manager.place(&scope, "NAME"), format!("the environment variable {variable}"));
        }
        let found = manager.read(&tenant, "crm/api-key").await.unwrap();
        assert_eq!(found.first().map(Secret::expose), Some("written otherwise"));
    }

    #[test]
    fn tenants_with_the_same_variables_are_refused() {
        for tenants in [["a-b", "a.b"], ["a", "A"], ["a", "a__b"]] {
            let error = manager(&tenants).unwrap_err();
            assert_eq!(error.code(), Code::SecretsAmbiguous, "{tenants:?}");
        }
        manager(&["a", "a_b"]).unwrap();
        manager(&["a", "ab"]).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_no_text_is_refused_and_not_shown() {
        use std::os::unix::ffi::OsStringExt as _;
        let manager = EnvSecrets::with_vars([&Id::from("a")], |_| Some(OsString::from_vec(b"canary\xff".to_vec())));
        let manager = manager.unwrap();
        let error = manager.read(&SecretScope::of_tenant(&Id::from("e"), &Id::from("a")), "NAME").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretInvalid);
        assert!(!error.to_string().contains("canary") && !format!("{manager:?}").contains("canary"));
    }
}
