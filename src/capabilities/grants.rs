//! What a component may be linked to.

use std::fmt;

/// One thing that a tenant may grant to a pack's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// State of the session.
    State,
    /// Where the session stands.
    Session,
    /// Values shared by the pack's sessions.
    Kv,
    /// Records in the host's log.
    Telemetry,
    /// Requests over HTTP.
    Http,
    /// Secrets that the bindings name.
    Secrets,
    /// Tokens of other services: with the `oauth` block, and never without.
    #[serde(rename = "oauth")]
    OAuth,
    /// Tools.
    Mcp,
}

impl Grant {
    /// Every grant.
    pub const ALL: [Self; 8] =
        [Self::State, Self::Session, Self::Kv, Self::Telemetry, Self::Http, Self::Secrets, Self::OAuth, Self::Mcp];

    /// Its name, as messages show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Session => "session",
            Self::Kv => "kv",
            Self::Telemetry => "telemetry",
            Self::Http => "http",
            Self::Secrets => "secrets",
            Self::OAuth => "oauth",
            Self::Mcp => "mcp",
        }
    }

    fn bit(self) -> u16 {
        match self {
            Self::State => 1,
            Self::Session => 1 << 1,
            Self::Kv => 1 << 2,
            Self::Telemetry => 1 << 3,
            Self::Http => 1 << 4,
            Self::Secrets => 1 << 5,
            Self::OAuth => 1 << 6,
            Self::Mcp => 1 << 7,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of grants. Components with the same bytes and the same grants share their linked form.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Grants(u16);

impl Grants {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything that this host can offer.
    pub fn all() -> Self {
        Grant::ALL.into_iter().collect()
    }

    /// This set and `grant`.
    #[must_use]
    pub fn with(self, grant: Grant) -> Self {
        Self(self.0 | grant.bit())
    }

    /// This set without `grant`.
    #[must_use]
    pub fn without(self, grant: Grant) -> Self {
        Self(self.0 & !grant.bit())
    }

    /// Whether `grant` is in the set.
    pub fn has(self, grant: Grant) -> bool {
        self.0 & grant.bit() != 0
    }

    /// What is in this set or in `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and in `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The grants in the set.
    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL.into_iter().filter(move |grant| self.has(*grant))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().fold(Self::none(), Self::with)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Grant::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        for grant in Grant::ALL {
            assert!(Grants::all().has(grant) && !Grants::none().has(grant));
            assert_eq!(Grants::all().without(grant).with(grant), Grants::all());
            assert_ne!(Grants::all().without(grant), Grants::all());
        }
        assert_eq!(format!("{:?}", Grants::none().with(Grant::Kv)), r#"{"kv"}"#);
    }

    #[test]
    fn sets_are_joined_and_compared() {
        let set = |grants: &[Grant]| grants.iter().copied().collect::<Grants>();
        let (one, other) = (set(&[Grant::State, Grant::Kv]), set(&[Grant::Kv, Grant::Session]));
        assert_eq!(one.or(other), set(&[Grant::State, Grant::Kv, Grant::Session]));
        assert_eq!((one.and(other), one.beyond(other)), (set(&[Grant::Kv]), set(&[Grant::State])));
        assert_eq!(one.iter().collect::<Vec<_>>(), [Grant::State, Grant::Kv]);
    }
}
