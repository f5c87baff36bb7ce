//! Cisco Webex: the webhooks of a bot.
//!
//! Webex signs the raw bytes with HMAC-SHA1 (`X-Spark-Signature`), and no newer way of signing these webhooks is
//! published. It tells ids only, because contents are encrypted: a message is asked for after its event was
//! acknowledged, and [`Channel::complete`] makes the envelope of the answer.
//!
//! Only a created message and a created attachment action (a card that was filled in) are a user's turn; edits, deletions,
//! memberships and the rest of the firehose are acknowledged and dropped.
//!
//! The session is `{parentId, else roomId}:{personId}`. `parentId` is known once the message was fetched. An attachment
//! action does not tell the thread that its card stands in, so it belongs to the room's session.
//!
//! The same message comes once per webhook that hears of it, under different webhook ids; it is created once, so resource
//! and id recognise it.
//!
//! The bot's own messages come back, and are dropped: those of `config.bot_id`, and those of the bot that created the
//! webhook (`createdBy`, an account of a bot's domain). Messages of other bots come in unless `allow_bots: false`: in a
//! group they have to mention this bot, and alone two bots cannot be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::adapter::{
    Adapter, AdapterRoute, Channel, Completion, Context, Intake, Pending, Request, Settings, Source, json_object,
};
use super::channels::Verification;
use super::gate::{self, Gate, hex_digest, only_header};
use super::{json, verify};
use crate::egress::Sender;
use crate::egress::webex::WebexSender;
use crate::error::{Code, Error, Result};
use crate::run::event::FlowChoice;
use crate::secret::Secret;

mod event;
mod fetched;
mod mentions;
#[cfg(test)]
mod tests;

pub use crate::egress::webex::{Address, BASE_URL};
use event::Announced;

/// The provider's name in envelopes, session keys and bindings.
pub const PROVIDER: &str = "webex";

/// The name of the secret that the webhook was created with.
pub const WEBHOOK_SECRET: &str = "WEBEX_WEBHOOK_SECRET";

/// The name of the bot's token.
pub const BOT_TOKEN: &str = "WEBEX_BOT_TOKEN";

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-spark-signature";

const ROUTE: AdapterRoute = AdapterRoute { path: "/webex/webhook", methods: &["POST"] };

/// How long Webex repeats is not published; a day at least.
const REMEMBER: Duration = Duration::from_secs(48 * 3600);

/// Cisco Webex.
#[derive(Clone, Copy, Debug, Default)]
pub struct Webex;

impl Adapter for Webex {
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
        let own = gate::texts(settings.config, "bot_id")?;
        Ok(Box::new(Bot {
            gate: Gate::open(settings, "POST /webex/webhook", WEBHOOK_SECRET, "Webex signature, HMAC-SHA1")?,
            flow: settings.flow.clone(),
            own: own.iter().map(|id| event::plain(id)).collect(),
            allow_bots: gate::flag(settings.config, "allow_bots")?.unwrap_or(true),
            base_url: gate::base_url(settings.config, BASE_URL)?,
            token: settings.secrets.get(BOT_TOKEN).into_iter().find(|token| !token.expose().is_empty()),
        }))
    }
}

/// A tenant's bot.
struct Bot {
    gate: Gate,
    flow: FlowChoice,
    /// The bot's own ids, as plain ones.
    own: Vec<String>,
    allow_bots: bool,
    base_url: String,
    token: Option<Secret>,
}

impl Channel for Bot {
    fn verification(&self) -> Verification {
        self.gate.verification()
    }

    fn verify(&self, _context: &Context, request: &Request<'_>) -> Result<()> {
        let Some(secrets) = self.gate.secrets()? else { return Ok(()) };
        let digest = hex_digest(SIGNATURE_HEADER, only_header(request.headers, SIGNATURE_HEADER)?)?;
        match verify::is_hmac_sha1(secrets, request.body, &digest) {
            true => Ok(()),
            false => Err(verify::refused(format!(
                "the Webex signature is not valid for this body ({} bytes)",
                request.body.len()
            ))),
        }
    }

    fn normalize(&self, _context: &Context, request: &Request<'_>) -> Result<Intake> {
        let webhook = json_object(request.body)?;
        let announced = match Announced::of(&webhook)? {
            Ok(announced) => announced,
            Err(why) => return Ok(Intake::Ignored(why)),
        };
        if let Some(why) = self.dropped(&webhook, json::at(&webhook, &["data"]).unwrap_or(json::NULL)) {
            return Ok(Intake::Ignored(why));
        }
        let (path, dedupe, order) = (announced.path(), announced.dedupe(), announced.order());
        Ok(Intake::Fetch(Box::new(Pending { event: webhook, path, dedupe, order, metadata: request.metadata() })))
    }

    fn complete(&self, context: &Context, pending: &Pending, answer: Completion<'_>) -> Result<Intake> {
        match answer.status {
            200..=299 => {}
            404 | 410 => return Ok(Intake::Ignored("what was announced is gone")),
            status => {
                return Err(Error::new(Code::CompletionFailed, format!("Webex answered with the status {status}")));
            }
        }
        let unusable = |what: String| Error::new(Code::CompletionFailed, format!("what Webex answered {what}"));
        let fetched = json::parse(answer.body).map_err(|error| unusable(format!("cannot be read as JSON: {error}")))?;
        if !fetched.is_object() {
            return Err(unusable("is no JSON object".into()));
        }
        if let Some(why) = self.dropped(&pending.event, &fetched) {
            return Ok(Intake::Ignored(why));
        }
        fetched::normalize(self, context, pending, fetched)
    }

    fn source(&self) -> Option<Source<'_>> {
        Some(Source { base_url: &self.base_url, token: self.token.as_ref() })
    }

    fn sender(&self) -> Option<Arc<dyn Sender>> {
        let token = self.token.clone()?;
        Some(Arc::new(WebexSender { base_url: self.base_url.clone(), token }))
    }
}

impl Bot {
    /// Guards against loops: why something of this sender is dropped.
    fn dropped(&self, webhook: &Value, data: &Value) -> Option<&'static str> {
        let person = json::text(data, &["personId"]).map(event::plain);
        let is_bot = json::text(data, &["personEmail"]).is_some_and(event::is_bot);
        let creator = json::text(webhook, &["createdBy"]).map(event::plain);
        let own = person.as_ref().is_some_and(|person| self.own.contains(person));
        match is_bot {
            _ if own => Some("the bot's own message"),
            true if person.is_some() && person == creator => Some("the bot's own message"),
            true if !self.allow_bots => Some("a message of another bot"),
            _ => None,
        }
    }

    /// Whether somebody's id is the bot's, as far as it is known: whoever created the webhook is the bot, or the person
    /// that it acts for.
    fn is_addressed(&self, webhook: &Value, id: &str) -> bool {
        let id = event::plain(id);
        self.own.contains(&id) || json::text(webhook, &["createdBy"]).map(event::plain).as_ref() == Some(&id)
    }
}
