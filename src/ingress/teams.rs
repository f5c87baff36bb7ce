//! Microsoft Teams: activities that the Bot Framework's connector sends.
//!
//! Every request carries a token that the connector signed (`teams/token.rs`); it does not cover the body, except that it names
//! the service URL, which is where replies and the bot's own token go. What becomes of an activity:
//!
//! * `message` is a message. A card's `Action.Submit` is one too: it has a `value`, which becomes a button.
//! * `invoke` is a message that the platform wants answered in the response's body (`teams/invoke.rs`); 501 if no flow does.
//!   `signin/failure` only reports, and is ignored.
//! * Edits, deletions, reactions, members and all other kinds are ignored: they must not answer a question that a run
//!   asks. So are activities of other channels of the same bot: their users are not those of Teams.
//!
//! **The session** is `{conversation}:{user}`, or `{replyToId}:{user}` for a message that names what it replies to.
//! Read to the letter that rule has a trap, so that `replyToId` is passed over in two cases:
//!
//! * in a thread of a channel. Its `conversation.id` ends with `;messageid=<root>`: it *is* the thread, and only some of
//!   the thread's activities have a `replyToId`;
//! * on a click. There `replyToId` is the card's own id, and the click would not find the run that showed the card and
//!   waits under the conversation. A click is an invoke, or a message with a `value`.
//!
//! **Repetitions** are recognised by bot, channel, conversation, type, id and timestamp (without a timestamp by the body's
//! digest). The id alone would not do: edits and reactions have the id of the message that they are about. Teams also
//! repeats under a new id and time what is not acknowledged for half a minute; nothing tells that from a message that
//! was written twice, so only the quick acknowledgement prevents it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::activity::{self, Activity};
use super::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Inbound, Intake, Request, Respond, Settings, json_object,
};
use super::channels::Verification;
use super::envelope::{Entities, IngressEnvelope, MOST, Session, urls_in};
use super::gate;
use crate::egress::Sender;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::reply_route;

mod invoke;
mod sending;
#[cfg(test)]
mod tests;
mod token;
mod turn;

pub use crate::egress::teams::Address;
use token::{Trust, Verifier};
use turn::Turn;

/// The provider's name in envelopes, session keys and bindings.
pub const PROVIDER: &str = "teams";

/// The name of the secret with the bot's App ID, which is none, but is found beside the app's password.
pub const APP_ID: &str = "TEAMS_APP_ID";

/// The name of the app's password.
pub const APP_PASSWORD: &str = "TEAMS_APP_PASSWORD";

const ROUTE: AdapterRoute = AdapterRoute { path: "/teams/activities", methods: &["POST"] };

/// The id of the channel in activities.
const CHANNEL: &str = "msteams";

/// Teams repeats within minutes; a click may be repeated by its user's client.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

/// Microsoft Teams, through the Bot Framework.
#[derive(Clone, Copy, Debug, Default)]
pub struct Teams;

impl Adapter for Teams {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[ROUTE]
    }

    fn sends_with(&self) -> &'static [&'static str] {
        &[APP_ID, APP_PASSWORD]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let config = settings.config;
        let flag = |name| gate::flag(config, name).map(|flag| flag.unwrap_or(false));
        let cloud = text(config, "cloud")?;
        let trust = match (cloud.as_deref(), flag("emulator")?) {
            (None | Some("public"), false) => Trust::Public,
            (Some("usgov"), false) => Trust::UsGov,
            (None | Some("public"), true) => Trust::Emulator,
            (Some("usgov"), true) => {
                return Err(unusable("config.emulator of the binding cannot be combined with the cloud usgov"));
            }
            (Some(other), _) => {
                let message = format!("config.cloud of the binding is {:?}", clip(other));
                return Err(unusable(message).hint("use public or usgov"));
            }
        };
        let secrets = settings.secrets.get(APP_ID);
        let secrets: Vec<_> =
            secrets.iter().map(|id| id.expose().trim().to_owned()).filter(|id| !id.is_empty()).collect();
        let stated = gate::texts(config, "app_id")?;
        // The one that is kept beside the password is the password's.
        let app = secrets.first().or(stated.first()).cloned();
        let apps: Vec<_> = stated.into_iter().chain(secrets).filter(|id| !id.is_empty()).collect();
        let verification = match (apps.is_empty(), flag("insecure")?) {
            (false, _) => Verification::By(trust.described()),
            (true, true) => Verification::Insecure,
            (true, false) => Verification::Off,
        };
        let login = gate::url(config, "login_base_url")?;
        Ok(Box::new(Bot {
            sender: sending::sender(settings, app, trust)?,
            verifier: Verifier::new(apps, trust, login.as_deref()),
            verification,
            flow: settings.flow.clone(),
            allow_bots: flag("allow_bots")?,
        }))
    }
}

fn unusable(what: impl Into<String>) -> Error {
    Error::new(Code::ChannelInvalid, what)
}

/// A setting that is one text.
fn text(config: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    let mut stated = gate::texts(config, name)?;
    match stated.len() {
        0 | 1 => Ok(stated.pop()),
        _ => Err(unusable(format!("config.{name} of the binding must be one text"))),
    }
}

/// A tenant's bot.
struct Bot {
    sender: Option<Arc<dyn Sender>>,
    verifier: Verifier,
    verification: Verification,
    flow: FlowChoice,
    allow_bots: bool,
}

impl Channel for Bot {
    fn verification(&self) -> Verification {
        self.verification
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        self.verification.require("POST /teams/activities")?;
        match self.verification {
            Verification::By(_) => self.verifier.verify(context, request),
            _ => Ok(()),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        let raw = json_object(request.body)?;
        let is_invoke = match activity::kind(&raw)? {
            Some("message") => false,
            Some("invoke") => true,
            Some("messageUpdate" | "messageDelete" | "messageReaction") => {
                return Ok(Intake::Ignored("the activity is about a message that was sent before"));
            }
            _ => return Ok(Intake::Ignored("the activity is neither a message nor an invoke")),
        };
        let activity = Activity::of(&raw)?;
        if let Some(why) = self.unwanted(&activity, is_invoke) {
            return Ok(Intake::Ignored(why));
        }
        let turn = Turn::new(activity, is_invoke, self.verifier.apps())?;
        self.inbound(&turn, raw, context, request).map(Intake::message)
    }

    fn respond(&self, request: &Value, replies: &[Value]) -> Option<Answer> {
        invoke::respond(request, replies)
    }

    fn sender(&self) -> Option<Arc<dyn Sender>> {
        self.sender.clone()
    }

    fn key_source(&self) -> Option<&str> {
        matches!(self.verification, Verification::By(_)).then(|| self.verifier.keys_url())
    }
}

impl Bot {
    /// Why an activity is none for a flow. The bot's own messages never are.
    fn unwanted(&self, activity: &Activity, is_invoke: bool) -> Option<&'static str> {
        let from = activity.from.id.as_deref().unwrap_or_default();
        let own_id = |app: &String| from.strip_prefix("28:").is_some_and(|id| id.eq_ignore_ascii_case(app));
        if activity.is_own() || self.verifier.apps().iter().any(own_id) {
            return Some("the activity is the bot's own");
        }
        if !self.allow_bots && (activity.is_by_bot() || from.starts_with("28:")) {
            return Some("the activity comes from another bot");
        }
        if is_invoke && activity.name.as_deref() == Some("signin/failure") {
            return Some("the invoke only reports a failure");
        }
        let channel = activity.channel_id.as_deref();
        let is_teams = channel == Some(CHANNEL) || self.verifier.is_for_emulator();
        (self.verification != Verification::Insecure && !is_teams).then_some("the activity is none of Teams")
    }

    fn inbound(&self, turn: &Turn, raw: Value, context: &Context, request: &Request<'_>) -> Result<Inbound> {
        let ids = turn.ids()?;
        let session = ids.session_key(&context.tenant, PROVIDER);
        let nameless = || Error::new(Code::RequestInvalid, "the activity names neither a conversation nor a user");
        let session = session.ok_or_else(nameless)?;
        let address = turn.address(&ids)?;
        let text = turn.text();
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: PROVIDER.into(),
            session: Session {
                key: session.shown().to_string(),
                scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
            },
            timestamp: turn.sent().unwrap_or_else(|| context.received()),
            locale: turn.locale(),
            attachments: turn.attachments(),
            buttons: turn.buttons().into_iter().take(MOST).collect(),
            entities: Entities {
                mentions: turn.activity.mentions(),
                urls: text.as_deref().map(urls_in).unwrap_or_default(),
            },
            text,
            metadata: request.metadata(),
            channel_data: turn.channel_data(),
            provider_ids: ids,
            raw,
        };
        Ok(Inbound {
            dedupe: turn.dedupe(&envelope.provider_ids, request.body),
            envelope,
            session,
            flow: self.flow.clone(),
            remember: REMEMBER,
            reply_to: ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &address.to_text())),
            respond: match turn.is_invoke {
                true => invoke::wanted(turn.activity.name.as_deref().unwrap_or_default()),
                false => Respond::Ack(Answer::empty(202)),
            },
        })
    }
}
