//! The ways into a tenant that are open, and how their requests are verified.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::adapter::{AdapterRoute, Channel};
use super::{webchat, webhook};
use crate::error::{Code, Error, Result};
use crate::ingress::registry::Adapters;
use crate::run::event::FlowChoice;

pub use super::webchat::WebchatChannel;
pub use super::webhook::WebhookChannel;

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

/// How the requests of one path of a channel are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVerification {
    /// The path, as `/webhook/orders`.
    pub path: String,
    /// The methods of these requests; none stands for all that the route takes.
    pub methods: &'static [&'static str],
    /// How its requests are verified.
    pub verification: Verification,
    /// Why so, where that needs saying.
    pub note: Option<String>,
}

impl fmt::Display for PathVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.note {
            Some(note) => write!(f, "{}: {note}", self.verification),
            None => self.verification.fmt(f),
        }
    }
}

impl Verification {
    /// Refuses a request of a route that is off.
    pub fn require(self, route: &str) -> Result<()> {
        match self {
            Self::Off => Err(off(route)),
            Self::Insecure | Self::Loopback | Self::PathPolicy | Self::By(_) => Ok(()),
        }
    }
}

/// The refusal of a request of a route that is off.
pub fn off(route: &str) -> Error {
    Error::new(Code::RouteOff, format!("{route} is off for this tenant"))
        .hint("bind the route in the tenant's bindings; without a way to verify it also takes `insecure: true`")
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
    pub(super) open: Vec<OpenChannel>,
    pub(super) notes: Vec<String>,
}

/// A way into a tenant.
#[derive(Clone)]
pub struct OpenChannel {
    /// The provider.
    pub provider: &'static str,
    /// Its adapter's place among the host's adapters.
    pub adapter: usize,
    /// Its adapter's routes.
    pub routes: &'static [AdapterRoute],
    /// The channel.
    pub channel: Arc<dyn Channel>,
}

impl fmt::Debug for OpenChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verification = self.channel.verification();
        f.debug_struct("OpenChannel").field("provider", &self.provider).field("verification", &verification).finish()
    }
}

impl Channels {
    /// The same, and the web chat and every webhook, for a server that only this machine reaches.
    #[must_use]
    pub fn with_loopback(mut self, adapters: &Adapters) -> Self {
        let local = Verification::Loopback;
        for (place, adapter) in adapters.iter().enumerate() {
            let channel: Arc<dyn Channel> = match adapter.provider() {
                webchat::PROVIDER => {
                    let access = self.find::<WebchatChannel>().map(|chat| chat.access.for_loopback());
                    let (flow, access) = (FlowChoice::Default, access.unwrap_or_default());
                    Arc::new(WebchatChannel { verification: local, flow, access })
                }
                webhook::PROVIDER => Arc::new(WebhookChannel { verification: local, ..WebhookChannel::default() }),
                _ => continue,
            };
            self.open.retain(|open| open.adapter != place);
            let (provider, routes) = (adapter.provider(), adapter.routes());
            self.open.push(OpenChannel { provider, adapter: place, routes, channel });
        }
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &OpenChannel> {
        self.open.iter()
    }

    /// What the adapter at this place among the host's adapters opened.
    pub fn of_adapter(&self, place: usize) -> Option<&Arc<dyn Channel>> {
        self.open.iter().find(|open| open.adapter == place).map(|open| &open.channel)
    }

    /// The channels of a provider.
    pub fn of_provider(&self, provider: &str) -> impl Iterator<Item = &Arc<dyn Channel>> {
        self.open.iter().filter(move |open| open.provider == provider).map(|open| &open.channel)
    }

    /// The channel of this type.
    pub fn find<C: Channel>(&self) -> Option<&C> {
        self.open.iter().find_map(|open| {
            let channel: &dyn Any = &*open.channel;
            channel.downcast_ref::<C>()
        })
    }

    /// What of the bindings opens nothing, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_without_verification_is_off() {
        assert_eq!(Verification::default().require("POST /x").unwrap_err().code(), Code::RouteOff);
        assert!(Verification::Insecure.require("POST /x").is_ok());
        assert!(Verification::Insecure.to_string().contains("OPEN"));
    }
}
