//! What a tenant's bindings say about the ways into it: which are on, how their requests are verified, what they start.

use std::fmt;

use serde_json::Value;

use crate::config::{HostConfig, WebhookPolicy};
use crate::error::{Code, Error, Result};
use crate::ingress::webchat;
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
    /// By a signature or token, of this kind: `Slack signature v0`.
    By(&'static str),
}

impl Verification {
    /// Refuses a request of a route that is off.
    pub fn require(self, route: &str) -> Result<()> {
        match self {
            Self::Off => Err(Error::new(Code::RouteOff, format!("{route} is off for this tenant")).hint(
                "bind the route in the tenant's bindings; without a way to verify it also takes `insecure: true`",
            )),
            Self::Insecure | Self::Loopback | Self::PathPolicy | Self::By(_) => Ok(()),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::By(how) => return write!(f, "verified: {how}"),
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
    pub policy: WebhookPolicy,
}

impl Channels {
    /// The ways into a tenant that its bindings open: the web chat by a binding with `adapter: webchat`, which starts
    /// the flows of the type that it is bound to; the webhook by a binding of the type `webhook`.
    pub fn of_bindings(config: &HostConfig) -> Self {
        let webchat = config.flow_types().find(|(_, binding)| binding.adapter.eq_ignore_ascii_case(webchat::PROVIDER));
        let webchat = webchat.map(|(flow_type, binding)| WebchatChannel {
            verification: match binding.config.get("insecure") {
                Some(Value::Bool(true)) => Verification::Insecure,
                _ => Verification::Off,
            },
            flow: FlowChoice::Kind(flow_type.to_owned()),
        });
        let webhook = config
            .webhook_policy()
            .map(|policy| WebhookChannel { verification: Verification::PathPolicy, policy: policy.clone() });
        Self { webchat: webchat.unwrap_or_default(), webhook: webhook.unwrap_or_default() }
    }

    /// Every way into a tenant, for a server that only this machine reaches.
    pub fn loopback() -> Self {
        Self {
            webchat: WebchatChannel { verification: Verification::Loopback, flow: FlowChoice::Default },
            webhook: WebhookChannel { verification: Verification::Loopback, policy: WebhookPolicy::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_open_what_they_name() {
        let of = |bindings: &str| {
            let config = HostConfig::from_yaml(&format!("tenant: t\n{bindings}"), "t.yaml").unwrap();
            let channels = Channels::of_bindings(&config);
            (channels.webchat.verification, channels.webchat.flow, channels.webhook.verification)
        };
        let none = (Verification::Off, FlowChoice::Default, Verification::Off);
        assert_eq!(of(""), none);
        assert_eq!(of("flow_type_bindings: { messaging: { adapter: slack, config: { insecure: true } } }"), none);
        let chat = FlowChoice::Kind("messaging".into());
        assert_eq!(
            of("flow_type_bindings: { messaging: { adapter: webchat } }"),
            (Verification::Off, chat.clone(), Verification::Off)
        );
        assert_eq!(
            of(
                "flow_type_bindings: { messaging: { adapter: webchat, config: { insecure: true } }, webhook: { adapter: generic } }"
            ),
            (Verification::Insecure, chat, Verification::PathPolicy)
        );
    }

    #[test]
    fn a_route_without_verification_is_off() {
        assert_eq!(Verification::default().require("POST /x").unwrap_err().code(), Code::RouteOff);
        assert!(Verification::Insecure.require("POST /x").is_ok());
        assert!(Verification::Insecure.to_string().contains("OPEN"));
    }
}
