//! What a tenant's bindings say about the ways into it: which are on, how their requests are verified, what they start.

use std::fmt;

use crate::error::{Code, Error, Result};
use crate::run::event::FlowChoice;

/// How the requests of a route are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Nothing says how: the route is off.
    #[default]
    Off,
    /// Not at all, because the bindings say `insecure: true`.
    Insecure,
    /// Not at all, because only this machine reaches the server.
    Loopback,
    /// By the path alone: the bindings list which flows anyone may call.
    PathPolicy,
}

impl Verification {
    /// Refuses a request of a route that is off.
    pub fn require(self, route: &str) -> Result<()> {
        match self {
            Self::Off => Err(Error::new(Code::RouteOff, format!("{route} is off for this tenant")).hint(
                "bind the route in the tenant's bindings; without a way to verify it also takes `insecure: true`",
            )),
            Self::Insecure | Self::Loopback | Self::PathPolicy => Ok(()),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Insecure => "OPEN: not verified (insecure: true)",
            Self::Loopback => "open to this machine only",
            Self::PathPolicy => "OPEN: by allow_paths and deny_paths only",
        })
    }
}

/// The ways into a tenant.
#[derive(Clone, Debug, Default)]
pub struct Channels {
    /// `POST /webchat/activities` and the way back.
    pub webchat: WebchatChannel,
    /// `ANY /webhook/{flow_id}`.
    pub webhook: WebhookChannel,
}

/// The web chat of a tenant.
#[derive(Clone, Debug)]
pub struct WebchatChannel {
    /// How its requests are verified.
    pub verification: Verification,
    /// What a message starts.
    pub flow: FlowChoice,
}

impl Default for WebchatChannel {
    fn default() -> Self {
        Self { verification: Verification::Off, flow: FlowChoice::Default }
    }
}

/// The generic webhook of a tenant.
#[derive(Clone, Debug, Default)]
pub struct WebhookChannel {
    /// How its requests are verified.
    pub verification: Verification,
    /// Which paths it serves.
    pub policy: PathPolicy,
}

/// Path prefixes that are allowed and denied. A denied prefix wins; an empty allow-list allows every path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// Prefixes that are served.
    pub allow: Vec<String>,
    /// Prefixes that are refused.
    pub deny: Vec<String>,
}

impl PathPolicy {
    /// Refuses a path that is not served. `path` is the canonical one: no tenant prefix, nothing percent-encoded.
    pub fn require(&self, path: &str) -> Result<()> {
        let under = |prefix: &String| path.starts_with(prefix.as_str());
        if self.deny.iter().any(under) || !(self.allow.is_empty() || self.allow.iter().any(under)) {
            return Err(Error::new(Code::RequestDenied, "the tenant's webhook policy does not allow this path"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_prefixes_win_and_an_empty_allow_list_allows_all() {
        let policy = |allow: &[&str], deny: &[&str]| PathPolicy {
            allow: allow.iter().map(|&s| s.to_owned()).collect(),
            deny: deny.iter().map(|&s| s.to_owned()).collect(),
        };
        let cases: [(&[&str], &[&str], &str, bool); 6] = [
            (&[], &[], "/webhook/a", true),
            (&["/webhook/"], &[], "/webhook/a", true),
            (&["/webhook/b"], &[], "/webhook/a", false),
            (&["/webhook/"], &["/webhook/a"], "/webhook/a", false),
            (&[], &["/webhook/a"], "/webhook/b", true),
            (&["/webhook/a"], &["/webhook/"], "/webhook/a", false),
        ];
        for (allow, deny, path, allowed) in cases {
            assert_eq!(policy(allow, deny).require(path).is_ok(), allowed, "{allow:?} {deny:?} {path}");
        }
    }

    #[test]
    fn a_route_without_verification_is_off() {
        assert_eq!(Verification::default().require("POST /x").unwrap_err().code(), Code::RouteOff);
        assert!(Verification::Insecure.require("POST /x").is_ok());
        assert!(Verification::Insecure.to_string().contains("OPEN"));
    }
}
