//! Which secrets a tenant's guests may read and write, and where each is looked for.

use std::collections::BTreeMap;

use super::key::SecretKey;
use super::{SecretScope, env};
use crate::id::Id;

/// On whose behalf a secret is asked for, as the host knows it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The deployment environment.
    pub env: &'a Id,
    /// The tenant.
    pub tenant: &'a Id,
    /// The pack.
    pub pack: &'a Id,
    /// The component.
    pub component: &'a Id,
    /// The type of the flow that runs; none outside of flows.
    pub flow_type: Option<&'a str>,
    /// The user, if known.
    pub user: Option<&'a Id>,
}

/// Names of secrets as the bindings spell them, by what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names(BTreeMap<SecretKey, String>);

impl Names {
    fn get(&self, key: &SecretKey) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

impl<T: Into<String>> Extend<T> for Names {
    fn extend<I: IntoIterator<Item = T>>(&mut self, names: I) {
        for name in names.into_iter().map(Into::into) {
            if let Some(key) = SecretKey::parse(&name) {
                self.0.entry(key).or_insert(name);
            }
        }
    }
}

/// Which secrets a tenant's guests may read and write, and where each is looked for. The default is none at all.
///
/// A secret may be read in runs of flows of the types whose bindings name it. A component that has a list of its own gets
/// nothing beyond it; what is on it, the component may also read outside of flows, when it is started or checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretsPolicy {
    all: bool,
    flow_types: BTreeMap<String, Names>,
    components: BTreeMap<String, Names>,
    write: Names,
    team: Option<Id>,
    per_user: bool,
}

impl SecretsPolicy {
    /// Every secret may be read in every flow.
    pub fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Lets flows of a type read the secrets of these names.
    pub fn allow<T: Into<String>>(&mut self, flow_type: &str, names: impl IntoIterator<Item = T>) {
        self.flow_types.entry(flow_type.to_owned()).or_default().extend(names);
    }

    /// Gives a component a list of its own.
    pub fn narrow<T: Into<String>>(&mut self, component: &str, names: impl IntoIterator<Item = T>) {
        self.components.entry(component.to_owned()).or_default().extend(names);
    }

    /// Lets guests that may read the secrets of these names store them too.
    pub fn allow_writing<T: Into<String>>(&mut self, names: impl IntoIterator<Item = T>) {
        self.write.extend(names);
    }

    /// Looks for secrets of this team too, before those of the whole tenant.
    pub fn of_team(&mut self, team: Option<Id>) {
        self.team = team;
    }

    /// Looks for secrets of the user for whom a flow runs first.
    pub fn of_users(&mut self, per_user: bool) {
        self.per_user = per_user;
    }

    /// The same, with the types of flows by the names that `own` gives them. Types without one can be no flow's.
    #[must_use]
    pub fn by_types(&self, own: impl Fn(&str) -> Option<&'static str>) -> Self {
        let mut renamed = Self { flow_types: BTreeMap::new(), ..self.clone() };
        for (flow_type, names) in &self.flow_types {
            if let Some(flow_type) = own(flow_type) {
                renamed.allow(flow_type, names.0.values().cloned());
            }
        }
        renamed
    }

    /// Whether flows of any type may read the secret.
    pub fn allows(&self, name: &str) -> bool {
        SecretKey::parse(name).is_some_and(|key| self.spelt(&key).is_some())
    }

    /// The name of the secret as the bindings spell it, if flows of any type may read it.
    pub(super) fn spelt(&self, key: &SecretKey) -> Option<String> {
        let named = self.flow_types.values().find_map(|names| names.get(key));
        named.map(str::to_owned).or_else(|| self.of_all(key))
    }

    /// The name of a secret that no binding spells, where every secret may be read.
    fn of_all(&self, key: &SecretKey) -> Option<String> {
        let name = self.all.then(|| key.as_str().to_ascii_uppercase());
        name.filter(|name| !env::is_setting(name))
    }

    /// The names of the secrets that bindings of flow types name, in the order of their keys; each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all: BTreeMap<_, _> = self.flow_types.values().flat_map(|names| &names.0).collect();
        all.into_values().map(String::as_str)
    }

    /// The name of the secret as the bindings spell it, if `asker` may read it.
    pub(super) fn readable(&self, asker: &Asker<'_>, key: &SecretKey) -> Option<String> {
        let own = self.components.get(&**asker.component);
        if own.is_some_and(|own| own.get(key).is_none()) {
            return None;
        }
        let named = match asker.flow_type {
            Some(flow_type) => self.flow_types.get(flow_type).and_then(|names| names.get(key)),
            None => own.and_then(|own| own.get(key)),
        };
        named.map(str::to_owned).or_else(|| self.of_all(key))
    }

    /// Whether who may read the secret may store it too.
    pub(super) fn is_writable(&self, key: &SecretKey) -> bool {
        self.write.get(key).is_some()
    }

    /// Where a secret is looked for on behalf of `asker`, in this order.
    pub(super) fn places(&self, asker: &Asker<'_>) -> Vec<SecretScope> {
        let tenant = SecretScope::of_tenant(asker.env, asker.tenant);
        let pack = SecretScope { pack: Some(asker.pack.clone()), ..tenant.clone() };
        let teams: Vec<_> = self.team.iter().cloned().map(Some).chain([None]).collect();
        let user = asker.user.filter(|_| self.per_user);
        let users = user.map(|user| SecretScope { team: self.team.clone(), user: Some(user.clone()), ..pack.clone() });
        let in_teams =
            |scope: SecretScope| teams.iter().map(move |team| SecretScope { team: team.clone(), ..scope.clone() });
        users.into_iter().chain(in_teams(pack)).chain(in_teams(tenant)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::from(text)
    }

    fn policy() -> SecretsPolicy {
        let mut policy = SecretsPolicy::default();
        policy.allow("messaging", ["CRM_KEY", "crm-key", "Both"]);
        policy.allow("http", ["HOOK_KEY", "both"]);
        policy.narrow("narrow", ["CRM_KEY", "OUTSIDE"]);
        policy.narrow("mute", Vec::<String>::new());
        policy.allow_writing(["Crm.Key"]);
        policy
    }

    /// As what `component` may read `key` in flows of a type, or outside of flows.
    fn readable(policy: &SecretsPolicy, component: &str, flow_type: Option<&str>, key: &str) -> Option<String> {
        let (env, tenant, pack, component) = (id("local"), id("t"), id("p"), id(component));
        let asker = Asker { env: &env, tenant: &tenant, pack: &pack, component: &component, flow_type, user: None };
        policy.readable(&asker, &SecretKey::parse(key)?)
    }

    #[test]
    fn a_secret_is_readable_where_the_bindings_name_it() {
        let (policy, messaging, http) = (policy(), Some("messaging"), Some("http"));
        for (component, flow_type, key, name) in [
            ("any", messaging, "crm_key", Some("CRM_KEY")),
            ("any", messaging, "CRM-KEY", Some("CRM_KEY")),
            ("any", messaging, "hook_key", None),
            ("any", messaging, "both", Some("Both")),
            ("any", http, "BOTH", Some("both")),
            ("any", http, "crm_key", None),
            ("any", Some("event"), "crm_key", None),
            ("any", None, "crm_key", None),
            ("any", messaging, "outside", None),
            ("narrow", messaging, "crm_key", Some("CRM_KEY")),
            ("narrow", messaging, "both", None),
            ("narrow", http, "crm_key", None),
            ("narrow", messaging, "outside", None),
            ("narrow", None, "outside", Some("OUTSIDE")),
            ("narrow", None, "crm_key", Some("CRM_KEY")),
            ("narrow", None, "both", None),
            ("mute", messaging, "crm_key", None),
            ("mute", None, "crm_key", None),
        ] {
            assert_eq!(
                readable(&policy, component, flow_type, key).as_deref(),
                name,
                "{component} {flow_type:?} {key}"
            );
        }
        assert_eq!(policy.names().collect::<Vec<_>>(), ["Both", "CRM_KEY", "HOOK_KEY"]);
        assert!(policy.allows("hook-key") && !policy.allows("outside") && !policy.allows(".."));
        let writable = |key| policy.is_writable(&SecretKey::parse(key).unwrap());
        assert!(writable("CRM_KEY") && !writable("BOTH"));
    }

    #[test]
    fn nothing_is_readable_by_default_and_everything_where_nothing_is_said() {
        let all = SecretsPolicy::everything();
        for flow_type in [Some("messaging"), None] {
            assert_eq!(readable(&SecretsPolicy::default(), "any", flow_type, "key"), None);
            assert_eq!(readable(&all, "any", flow_type, "my/key").as_deref(), Some("MY_KEY"));
        }
        assert!(all.allows("any") && !all.is_writable(&SecretKey::parse("any").unwrap()));
    }

    #[test]
    fn the_hosts_own_settings_take_a_binding() {
        let (mut all, messaging) = (SecretsPolicy::everything(), Some("messaging"));
        let own =
            ["AWS_SECRET_ACCESS_KEY", "azure-client-secret", "OTLP_HEADERS", "admin_token", "HTTPS_PROXY", "PATH"];
        for key in own {
            assert_eq!(readable(&all, "any", messaging, key), None, "{key}");
        }
        all.allow("messaging", ["AWS_SECRET_ACCESS_KEY"]);
        assert!(readable(&all, "any", messaging, "aws_secret_access_key").is_some());
    }

    #[test]
    fn types_have_the_names_of_flows() {
        let mut policy = policy();
        policy.allow("webhook", ["FURTHER"]);
        let own = policy.by_types(|name| match name {
            "http" | "webhook" => Some("http"),
            _ => None,
        });
        for key in ["hook_key", "further"] {
            assert!(readable(&own, "any", Some("http"), key).is_some(), "{key}");
        }
        assert!(readable(&own, "any", Some("webhook"), "further").is_none());
        assert!(readable(&own, "any", Some("messaging"), "crm_key").is_none() && !own.allows("crm_key"));
    }

    #[test]
    fn a_secret_is_looked_for_from_the_narrowest_place_to_the_tenants() {
        let (env, tenant, pack, component, user) = (id("local"), id("t"), id("p"), id("c"), id("u"));
        let asker = Asker {
            env: &env,
            tenant: &tenant,
            pack: &pack,
            component: &component,
            flow_type: None,
            user: Some(&user),
        };
        let places = |team: Option<&str>, per_user| {
            let mut policy = policy();
            policy.of_team(team.map(id));
            policy.of_users(per_user);
            let shown = |id: &Option<Id>| id.as_deref().unwrap_or("_").to_owned();
            let places = policy.places(&asker);
            assert!(places.iter().all(|place| (&place.env, &place.tenant, place.shared) == (&env, &tenant, false)));
            places.iter().map(|it| [&it.team, &it.pack, &it.user].map(shown).join("/")).collect::<Vec<_>>()
        };
        assert_eq!(places(None, false), ["_/p/_", "_/_/_"]);
        assert_eq!(places(Some("eu"), false), ["eu/p/_", "_/p/_", "eu/_/_", "_/_/_"]);
        assert_eq!(places(None, true), ["_/p/u", "_/p/_", "_/_/_"]);
        assert_eq!(places(Some("eu"), true), ["eu/p/u", "eu/p/_", "_/p/_", "eu/_/_", "_/_/_"]);
    }
}
