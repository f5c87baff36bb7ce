//! The kinds of requests that there are samples, files and signatures of: an adapter, or one of its routes.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::form::Form;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::adapter::{Adapter, Channel, ChannelSecrets, Settings};
use crate::ingress::{Adapters, slack, teams, telegram, webchat, webex, webhook, whatsapp};
use crate::run::event::FlowChoice;
use crate::secret::Secret;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An update of Telegram.
    Telegram,
    /// An activity of Teams.
    Teams,
    /// An event of Slack.
    Slack,
    /// An interaction of Slack.
    SlackInteractive,
    /// A slash command of Slack.
    SlackSlash,
    /// An activity of the web chat.
    Webchat,
    /// An event of Webex.
    Webex,
    /// A delivery of WhatsApp.
    Whatsapp,
    /// A request of anybody.
    Webhook,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Telegram,
        Self::Teams,
        Self::Slack,
        Self::SlackInteractive,
        Self::SlackSlash,
        Self::Webchat,
        Self::Webex,
        Self::Whatsapp,
        Self::Webhook,
    ];

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Teams => "teams",
            Self::Slack => "slack",
            Self::SlackInteractive => "slack-interactive",
            Self::SlackSlash => "slack-slash",
            Self::Webchat => "webchat",
            Self::Webex => "webex",
            Self::Whatsapp => "whatsapp",
            Self::Webhook => "webhook",
        }
    }

    /// The provider whose adapter reads it.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Telegram => telegram::PROVIDER,
            Self::Teams => teams::PROVIDER,
            Self::Slack | Self::SlackInteractive | Self::SlackSlash => slack::PROVIDER,
            Self::Webchat => webchat::PROVIDER,
            Self::Webex => webex::PROVIDER,
            Self::Whatsapp => whatsapp::PROVIDER,
            Self::Webhook => webhook::PROVIDER,
        }
    }

    /// The path that it is sent to, below a tenant's prefix. Of a webhook it is only the beginning.
    pub fn path(self) -> &'static str {
        match self {
            Self::Telegram => "/messaging/telegram/webhook",
            Self::Teams => "/teams/activities",
            Self::Slack => slack::EVENTS,
            Self::SlackInteractive => slack::INTERACTIVE,
            Self::SlackSlash => slack::COMMANDS,
            Self::Webchat => "/webchat/activities",
            Self::Webex => "/webex/webhook",
            Self::Whatsapp => "/whatsapp/webhook",
            Self::Webhook => "/webhook/",
        }
    }

    /// How a file holds it.
    pub fn form(self) -> Form {
        match self {
            Self::Telegram | Self::Teams | Self::Slack | Self::Webchat | Self::Whatsapp => Form::Json,
            Self::SlackInteractive => Form::Payload,
            Self::SlackSlash => Form::Fields,
            Self::Webex => Form::Announced,
            Self::Webhook => Form::Described,
        }
    }

    /// The promised name of the secret that its requests are verified by; none if there is no such secret.
    pub fn secret_name(self) -> Option<&'static str> {
        match self {
            Self::Telegram => Some(telegram::WEBHOOK_SECRET),
            Self::Slack | Self::SlackInteractive | Self::SlackSlash => Some(slack::SIGNING_SECRET),
            Self::Webex => Some(webex::WEBHOOK_SECRET),
            Self::Whatsapp => Some(whatsapp::APP_SECRET),
            Self::Teams | Self::Webchat | Self::Webhook => None,
        }
    }

    /// The host's adapter for it.
    pub fn adapter(self) -> Result<Arc<dyn Adapter>> {
        let known = Adapters::default();
        let found = known.iter().find(|adapter| adapter.provider() == self.provider()).cloned();
        found.ok_or_else(|| Error::new(Code::Internal, format!("this host has no adapter {}", self.provider())))
    }

    /// A channel of `tenant` with this `config` of a binding, that lets everybody in: nothing is verified by it.
    ///
    /// # Errors
    ///
    /// What in `config` the adapter cannot use.
    pub fn open(self, tenant: &Id, config: &Map<String, Value>) -> Result<Box<dyn Channel>> {
        let mut config = config.clone();
        config.insert("insecure".into(), true.into());
        self.adapter()?.open(&Settings {
            tenant: tenant.clone(),
            flow: FlowChoice::Kind("messaging".into()),
            config: &config,
            secrets: &NoSecrets,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct NoSecrets;

impl ChannelSecrets for NoSecrets {
    fn get(&self, _: &str) -> Vec<Secret> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_adapter_that_serves_its_path() {
        for kind in Kind::ALL {
            let adapter = kind.adapter().unwrap();
            let serves = |route: &str| route == kind.path() || route.starts_with("/webhook/{");
            assert!(adapter.routes().iter().any(|route| serves(route.path)), "{kind}");
            assert!(kind.open(&Id::from("demo"), &Map::new()).is_ok(), "{kind}");
        }
    }
}
