//! Telegram: the updates of a bot, sent to a webhook by the Bot API.
//!
//! There is no signature: Telegram sends the secret that the webhook was set with, and nothing else proves that an
//! update is Telegram's. What becomes of an update:
//!
//! * `message`, `channel_post` and `business_message` with something of a user's in them are messages; so is
//!   `callback_query`, a pressed button.
//! * Edits are not: they must not answer a question that a run asks. Neither are service messages, nor any other kind.
//!   All of them are acknowledged, because an update that is refused keeps the chat's later ones back.
//!
//! The session is `{chat}:{user}`. Three decisions go beyond that rule, since with the rule alone different places
//! would share a session. A forum topic has a session of its own: the thread is `{chat}:{topic}`, as topics are counted
//! per chat; `message_thread_id` without `is_topic_message` is a reply in a plain group and no topic. A message to a
//! business account that the bot serves has the thread `business:{connection}:{chat}`, since the same user may also
//! talk with the bot itself. Who writes in a group's or a channel's name (`sender_chat`) is that chat: the account in
//! `from` is then one that all such messages share.

use std::sync::Arc;
use std::time::Duration;

use super::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Inbound, Intake, Request, Respond, Settings, dedupe_key,
    json_object,
};
use super::channels::Verification;
use super::envelope::{IngressEnvelope, Session};
use super::gate::{self, Gate, only_header};
use super::{json, verify};
use crate::egress::Sender;
use crate::egress::telegram::{BASE_URL, TelegramSender};
use crate::error::{Code, Error, Result};
use crate::run::event::{FlowChoice, ReplyTo};
use crate::secret::Secret;
use crate::session::reply_route;

mod files;
mod marks;
#[cfg(test)]
mod tests;
mod turn;

pub use crate::egress::telegram::Address;
use turn::Turn;

/// The provider's name in envelopes, session keys and bindings.
pub const PROVIDER: &str = "telegram";

/// The name of the secret that the webhook is set with.
pub const WEBHOOK_SECRET: &str = "TELEGRAM_WEBHOOK_SECRET";

/// The name of the bot's token. Its part before the `:` is the bot's id, and no secret.
pub const BOT_TOKEN: &str = "TELEGRAM_BOT_TOKEN";

/// The header that carries the webhook's secret.
pub const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

const ROUTE: AdapterRoute = AdapterRoute { path: "/messaging/telegram/webhook", methods: &["POST"] };

/// Telegram repeats an update for a day.
const REMEMBER: Duration = Duration::from_secs(48 * 3600);

/// The Telegram Bot API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Telegram;

impl Adapter for Telegram {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[ROUTE]
    }

    fn sends_with(&self) -> &'static [&'static str] {
        &[BOT_TOKEN]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let stated = gate::texts(settings.config, "bot_id")?;
        let tokens = settings.secrets.get(BOT_TOKEN);
        let base_url = gate::base_url(settings.config, BASE_URL)?;
        let token = tokens.iter().find(|token| !token.expose().is_empty());
        let sender = token.map(|token| TelegramSender::new(&base_url, token)).transpose()?;
        Ok(Box::new(Bot {
            gate: Gate::open(settings, "POST /messaging/telegram/webhook", WEBHOOK_SECRET, "Telegram secret token")?,
            flow: settings.flow.clone(),
            own: stated.into_iter().chain(tokens.iter().filter_map(bot_id)).collect(),
            allow_bots: gate::flag(settings.config, "allow_bots")?.unwrap_or(false),
            sender: sender.map(|sender| Arc::new(sender) as Arc<dyn Sender>),
        }))
    }
}

/// The bot's id, which a token begins with.
fn bot_id(token: &Secret) -> Option<String> {
    let (id, _) = token.expose().split_once(':')?;
    id.parse::<u64>().ok().map(|id| id.to_string())
}

/// A tenant's bot.
struct Bot {
    gate: Gate,
    flow: FlowChoice,
    /// The bot's own ids.
    own: Vec<String>,
    allow_bots: bool,
    sender: Option<Arc<dyn Sender>>,
}

impl Channel for Bot {
    fn verification(&self) -> Verification {
        self.gate.verification()
    }

    fn verify(&self, _context: &Context, request: &Request<'_>) -> Result<()> {
        let Some(secrets) = self.gate.secrets()? else { return Ok(()) };
        match verify::is_secret(secrets, only_header(request.headers, SECRET_HEADER)?) {
            true => Ok(()),
            false => Err(verify::refused(format!("the header {SECRET_HEADER} is not the webhook's secret"))),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        let update = json_object(request.body)?;
        let Some(update_id) = json::integer(&update, &["update_id"]) else {
            return Err(Error::new(Code::RequestInvalid, "the body is no update of Telegram: it has no update_id"));
        };
        let turn = match Turn::of(&update).and_then(|turn| self.admitted(turn)) {
            Ok(turn) => turn,
            Err(why) => return Ok(Intake::Ignored(why)),
        };
        let ids = turn.ids(update_id);
        let Some(session) = ids.session_key(&context.tenant, PROVIDER) else {
            return Ok(Intake::Ignored("the update names neither a chat nor a user"));
        };
        let address = turn.address().to_text();
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: PROVIDER.into(),
            session: Session {
                key: session.shown().to_string(),
                scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
            },
            timestamp: turn.sent().unwrap_or_else(|| context.received()),
            locale: turn.locale(),
            text: turn.text(),
            attachments: turn.attachments(),
            buttons: turn.buttons(),
            entities: turn.entities(),
            metadata: request.metadata(),
            channel_data: turn.channel_data(),
            provider_ids: ids,
            raw: update,
        };
        let scope = self.own.first().map_or("", String::as_str);
        Ok(Intake::message(Inbound {
            envelope,
            session,
            flow: self.flow.clone(),
            dedupe: vec![dedupe_key([scope, &update_id.to_string()])],
            remember: REMEMBER,
            reply_to: ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &address)),
            respond: Respond::Ack(Answer::empty(200)),
        }))
    }

    fn sender(&self) -> Option<Arc<dyn Sender>> {
        self.sender.clone()
    }
}

impl Bot {
    /// Guards against loops. Other bots are let in only where the bot knows itself, so that it never answers itself.
    fn admitted<'a>(&self, turn: Turn<'a>) -> Result<Turn<'a>, &'static str> {
        let Some(sender) = &turn.sender else { return Ok(turn) };
        match sender.is_bot {
            _ if self.own.contains(&sender.id) => Err("the bot's own message"),
            true if !self.allow_bots || self.own.is_empty() => Err("a message of another bot"),
            _ => Ok(turn),
        }
    }
}
