//! Slack: the events, interactions and slash commands of an app.
//!
//! All three are signed with the app's signing secret over the raw body and the time, and nothing unsigned is believed;
//! the `token` in the bodies is not looked at. Only the probe `ssl_check=1` comes unsigned: it is answered, and whatever
//! else its body holds is dropped. What becomes of a request:
//!
//! * `message` and `app_mention` events of people are messages. Slack sends a mention as both, each with an id of its
//!   own, and now and then one message under several ids: the second key by which repetitions are recognised is what the
//!   message is, so that all of them are one. Edits, deletions, joins and topics are not messages; an edit must not
//!   answer a question that a run asks. Other kinds of events are if the binding lists them (`events`).
//! * Pressed buttons, shortcuts, submitted and closed views and commands are messages. Requests for the options of a
//!   menu start a flow as well, but never resume one: they come while a user types, and what waits for the user's
//!   choice must go on waiting.
//!
//! The session is `{thread_ts, else channel}:{user}`. The reply to a message goes to the place that the message was in:
//! to the thread of a message in a thread, else to the channel and not into a new thread. So a wait is always kept under
//! the key of the place where the question stands, and the answer there finds it. With `reply_in_thread` a message
//! outside of threads counts as the root of one, from the first message on, which keeps to the same rule. As threads
//! are counted per channel, the stored session of a thread holds the channel too. Views have no place: they belong to
//! the one that `private_metadata` names, as `{"channel": …, "thread_ts": …}`, else to the user.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use super::adapter::{Adapter, AdapterRoute, Answer, Channel, Context, Intake, Request, Settings};
use super::channels::Verification;
use super::gate::{self, Gate, only_header};
use super::verify;
use crate::clock::Timestamp;
use crate::egress::{self, Sender};
use crate::error::{Code, Error, Result};
use crate::run::event::FlowChoice;
use crate::secret::Secret;

mod actions;
mod answers;
mod draft;
mod events;
mod files;
mod form;
mod interactive;
mod slash;
#[cfg(test)]
mod tests;
mod text;

pub use crate::egress::slack::{Address, escape};

/// The provider's name in envelopes, session keys and bindings.
pub const PROVIDER: &str = "slack";

/// The name of the app's signing secret.
pub const SIGNING_SECRET: &str = "SLACK_SIGNING_SECRET";

/// The name of the bot's token. A workspace of `teams` may have its own: the name with `_` and the workspace's id.
pub const BOT_TOKEN: &str = "SLACK_BOT_TOKEN";

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";

/// The header with the time that is signed.
pub const TIME_HEADER: &str = "x-slack-request-timestamp";

/// Where events go.
pub const EVENTS: &str = "/slack/events";

/// Where interactions go.
pub const INTERACTIVE: &str = "/slack/interactive";

/// Where slash commands go.
pub const COMMANDS: &str = "/slack/commands";

const ROUTES: &[AdapterRoute] = &[
    AdapterRoute { path: EVENTS, methods: &["POST"] },
    AdapterRoute { path: INTERACTIVE, methods: &["POST"] },
    AdapterRoute { path: COMMANDS, methods: &["POST"] },
];

/// An app of Slack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slack;

impl Adapter for Slack {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        ROUTES
    }

    fn sends_with(&self) -> &'static [&'static str] {
        &[BOT_TOKEN]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let flag = |name| gate::flag(settings.config, name).map(Option::unwrap_or_default);
        let teams = gate::texts(settings.config, "teams")?;
        Ok(Box::new(App {
            sender: sender(settings, &teams)?,
            gate: Gate::open(settings, "/slack", SIGNING_SECRET, "Slack signature v0")?,
            flow: settings.flow.clone(),
            allow_bots: flag("allow_bots")?,
            reply_in_thread: flag("reply_in_thread")?,
            teams,
            events: gate::texts(settings.config, "events")?,
        }))
    }
}

/// How replies are sent, if there is a token.
fn sender(settings: &Settings<'_>, teams: &[String]) -> Result<Option<Arc<dyn Sender>>> {
    let first = |name: &str| settings.secrets.get(name).into_iter().find(|token| !token.expose().is_empty());
    let own = |team: &String| Some((team.clone(), first(&format!("{BOT_TOKEN}_{team}"))?));
    let sender = egress::slack::Slack {
        base_url: gate::base_url(settings.config, egress::slack::BASE_URL)?,
        hooks_url: gate::url(settings.config, "hooks_url")?,
        token: first(BOT_TOKEN),
        tokens: teams.iter().filter_map(own).collect::<BTreeMap<_, _>>(),
        unfurl: gate::flag(settings.config, "unfurl")?.unwrap_or_default(),
    };
    let has_token = sender.token.is_some() || !sender.tokens.is_empty();
    Ok(has_token.then(|| Arc::new(sender) as Arc<dyn Sender>))
}

/// A tenant's app.
struct App {
    sender: Option<Arc<dyn Sender>>,
    gate: Gate,
    flow: FlowChoice,
    /// Whether messages of other bots are messages.
    allow_bots: bool,
    /// Whether messages outside of threads are answered in a thread of their own.
    reply_in_thread: bool,
    /// The workspaces and organisations that are the tenant's; all if there are none.
    teams: Vec<String>,
    /// The kinds of events that are messages beside those of people.
    events: Vec<String>,
}

impl Channel for App {
    fn verification(&self) -> Verification {
        self.gate.verification()
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        let Some(secrets) = self.gate.secrets()? else { return Ok(()) };
        if is_probe(request) {
            return Ok(());
        }
        is_signed(secrets, context.now, request.headers, request.body)
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        if is_probe(request) {
            return Ok(Intake::Answer(Answer::empty(200)));
        }
        let (raw, draft) = match request.path {
            EVENTS => events::read(self, request.body)?,
            INTERACTIVE => interactive::read(request.body)?,
            COMMANDS => slash::read(request.body)?,
            _ => return Err(Error::new(Code::RequestInvalid, "Slack sends nothing to this path")),
        };
        match draft {
            Read::Draft(draft) => Ok(draft.finish(self, context, request, raw)),
            Read::Answer(answer) => Ok(Intake::Answer(answer)),
            Read::Ignored(why) => Ok(Intake::Ignored(why)),
        }
    }

    fn respond(&self, request: &Value, replies: &[Value]) -> Option<Answer> {
        answers::respond(request, replies)
    }

    fn sender(&self) -> Option<Arc<dyn Sender>> {
        self.sender.clone()
    }
}

/// What a body stands for.
enum Read {
    Draft(Box<draft::Draft>),
    Answer(Answer),
    Ignored(&'static str),
}

/// Whether Slack only looks whether the certificate is right. Whatever else such a body holds is not read.
fn is_probe(request: &Request<'_>) -> bool {
    request.path != EVENTS && request.body.split(|byte| *byte == b'&').any(|field| field == b"ssl_check=1")
}

/// Whether the body was signed with one of the secrets, and lately.
fn is_signed(secrets: &[Secret], now: Timestamp, headers: &HeaderMap, body: &[u8]) -> Result<()> {
    let time = only_header(headers, TIME_HEADER)?;
    let given = only_header(headers, SIGNATURE_HEADER)?;
    verify::within_window(std::str::from_utf8(time).unwrap_or_default(), now, "signature")?;
    let Some(digits) = given.strip_prefix(b"v0=") else {
        return Err(verify::refused(format!("the header {SIGNATURE_HEADER} is no signature of version 0")));
    };
    let digest = gate::hex_digest(SIGNATURE_HEADER, digits)?;
    // The header's text was signed, and not the number that it stands for.
    match verify::is_hmac_sha256(secrets, &[b"v0:", time, b":", body], &digest) {
        true => Ok(()),
        false => Err(verify::refused(format!(
            "the header {SIGNATURE_HEADER} does not fit the body of {} bytes and the signing secret",
            body.len()
        ))),
    }
}

/// The headers that sign a body at a time, as Slack sends them.
pub fn sign(secret: &Secret, now: Timestamp, body: &[u8]) -> [(&'static str, String); 2] {
    let time = now.0.div_euclid(1000).to_string();
    let digest = verify::hmac_sha256(secret.expose().as_bytes(), &[b"v0:", time.as_bytes(), b":", body]);
    [(TIME_HEADER, time), (SIGNATURE_HEADER, format!("v0={}", hex::encode(digest)))]
}
