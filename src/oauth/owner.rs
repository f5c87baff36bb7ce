//! Whose tokens they are.

use std::fmt;

use crate::id::Id;

/// Whose tokens: nobody else gets them, and what is stored for one cannot be read as another's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) env: Id,
    pub(super) tenant: Id,
    pub(super) team: Option<String>,
    pub(super) provider: String,
    pub(super) subject: String,
}

impl Owner {
    /// The key under which something of the owner's is kept; `about` says more of what.
    pub(super) fn key(&self, kind: &str, about: &str) -> String {
        format!("oauth/{kind}/{}", blake3::hash(&self.bound(kind, about)).to_hex())
    }

    /// What it is bound to: all of the owner, and what it is.
    pub(super) fn bound(&self, kind: &str, about: &str) -> Vec<u8> {
        let team = if self.team.is_some() { "team" } else { "no team" };
        let named = self.team.as_deref().unwrap_or_default();
        bound(&[kind, &self.env, &self.tenant, team, named, &self.provider, &self.subject, about])
    }
}

/// Texts as bytes, of which no others make the same.
pub(super) fn bound(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Who consents is nothing for logs.
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("tenant", &self.tenant).field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::oauth) fn owner(tenant: &str, team: Option<&str>, provider: &str, subject: &str) -> Owner {
        let team = team.map(str::to_owned);
        Owner { env: "local".into(), tenant: tenant.into(), team, provider: provider.into(), subject: subject.into() }
    }

    #[test]
    fn no_two_owners_meet() {
        let owners = [
            owner("a", None, "p", "s"),
            owner("a", Some(""), "p", "s"),
            owner("a", Some("p"), "s", ""),
            owner("ap", None, "", "s"),
            owner("a", None, "ps", ""),
            owner("a", None, "", "ps"),
            Owner { env: "prod".into(), ..owner("a", None, "p", "s") },
        ];
        let mut keys: Vec<_> =
            owners.iter().flat_map(|o| [o.key("token", ""), o.key("token", "x"), o.key("x", "")]).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), owners.len() * 3);
        assert!(!format!("{:?}", owner("a", None, "p", "canary")).contains("canary"));
    }
}
