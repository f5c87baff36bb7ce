//! What is fuzzed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::form::Form;
use super::super::kind::Kind;
use super::super::recording::Recording;
use super::super::sign::{self, Headers, Signed};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::ingress::adapter::{Adapter, Context, Inbound};
use crate::ingress::{slack, teams, telegram, webex, webhook, whatsapp};
use crate::secret::Secret;

/// An adapter, and what is known about it.
pub struct Target {
    /// The adapter.
    pub adapter: Arc<dyn Adapter>,
    /// The path of its requests.
    pub path: String,
    /// The form of their bodies.
    pub form: Form,
    /// How they prove where they come from; none if they do not.
    pub proof: Option<Proof>,
    /// Who and where a message is from: messages that differ in it must not share a session. None takes the host's one
    /// policy, by the envelope's ids.
    pub identity: Option<fn(&Context, &Inbound) -> Vec<String>>,
    /// Whether the place that replies go to can be read again.
    pub is_place: fn(&str) -> bool,
}

/// How requests prove where they come from.
#[derive(Clone, Copy)]
pub enum Proof {
    /// By headers that are made with a secret.
    Secret(Signing),
    /// By a token of the Bot Framework's connector.
    Connector,
}

/// How requests are signed.
#[derive(Clone, Copy)]
pub struct Signing {
    /// The secret's name.
    pub secret: &'static str,
    /// The binding's `config` with which requests have to be signed so; JSON.
    pub config: &'static str,
    /// The headers that sign a request at a time.
    pub sign: fn(&Secret, Timestamp, &Recording) -> Result<Headers>,
}

impl Target {
    /// An adapter of which nothing further is known: its requests are JSON, and not signed.
    pub fn of(adapter: Arc<dyn Adapter>, path: &str) -> Self {
        Self { adapter, path: path.into(), form: Form::Json, proof: None, identity: None, is_place: |_| true }
    }

    /// The host's own adapter for this kind of request.
    ///
    /// # Errors
    ///
    /// If the host has none.
    pub fn of_kind(kind: Kind) -> Result<Self> {
        let path = if kind == Kind::Webhook { "/webhook/fuzz" } else { kind.path() };
        Ok(Self {
            form: kind.form(),
            proof: proof(kind),
            identity: identity(kind),
            is_place: is_place(kind),
            ..Self::of(kind.adapter()?, path)
        })
    }
}

/// A webhook whose requests are signed as GitHub signs.
const HOOKS: &str = r#"{"default_scheme": {"scheme": "hmac", "secret": "PROBE", "header": "X-Hub-Signature-256", "prefix": "sha256="}}"#;

fn proof(kind: Kind) -> Option<Proof> {
    macro_rules! by {
        ($kind:ident) => {
            |secret, now, recording| {
                let body = &recording.body;
                sign::sign(&Signed { kind: Kind::$kind, scheme: None, body, id: None, now }, secret)
            }
        };
    }
    let sign: fn(&Secret, Timestamp, &Recording) -> Result<Headers> = match kind {
        Kind::Telegram => by!(Telegram),
        Kind::Slack | Kind::SlackInteractive | Kind::SlackSlash => by!(Slack),
        Kind::Webex => by!(Webex),
        Kind::Whatsapp => by!(Whatsapp),
        Kind::Teams => return Some(Proof::Connector),
        Kind::Webhook => return Some(Proof::Secret(Signing { secret: "PROBE", config: HOOKS, sign: of_flow })),
        Kind::Webchat => return None,
    };
    kind.secret_name().map(|secret| Proof::Secret(Signing { secret, config: "{}", sign }))
}

/// Signs a webhook's request, if its path names a flow: what names none is refused however it is signed.
fn of_flow(secret: &Secret, now: Timestamp, recording: &Recording) -> Result<Headers> {
    if !webhook::is_of_flow(&recording.path) {
        return Err(Error::new(Code::SigningImpossible, "the path names no flow"));
    }
    let signed = Signed { kind: Kind::Webhook, scheme: None, body: &recording.body, id: None, now };
    sign::sign(&signed, secret)
}

fn identity(kind: Kind) -> Option<fn(&Context, &Inbound) -> Vec<String>> {
    match kind {
        Kind::Whatsapp => Some(of_whatsapp),
        Kind::Webhook => Some(of_webhook),
        _ => None,
    }
}

fn told(inbound: &Inbound, name: &str) -> Option<String> {
    inbound.envelope.channel_data.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// What stands for a user whose number may be hidden; a number of the tenant's is a place.
fn of_whatsapp(_: &Context, inbound: &Inbound) -> Vec<String> {
    let ids = &inbound.envelope.provider_ids;
    let user = told(inbound, "user_id").or_else(|| ids.user_id.clone());
    [ids.channel_id.clone(), told(inbound, "group_id"), user].map(Option::unwrap_or_default).into()
}

/// Whoever repeats a key, or nobody else.
fn of_webhook(context: &Context, inbound: &Inbound) -> Vec<String> {
    let key = inbound.envelope.provider_ids.event_id.clone();
    vec![told(inbound, "flow_id").unwrap_or_default(), key.unwrap_or_else(|| context.nonce.to_string())]
}

fn is_place(kind: Kind) -> fn(&str) -> bool {
    match kind {
        Kind::Telegram => |place| telegram::Address::parse(place).is_some(),
        Kind::Teams => |place| teams::Address::parse(place).is_some(),
        Kind::Slack | Kind::SlackInteractive | Kind::SlackSlash => |place| slack::Address::parse(place).is_some(),
        Kind::Webex => |place| webex::Address::parse(place).is_some(),
        Kind::Whatsapp => |place| whatsapp::Address::parse(place).is_some(),
        Kind::Webchat | Kind::Webhook => |place| !place.is_empty(),
    }
}

/// Settings of bindings that let in as much as there is.
pub(super) fn open_settings() -> [Value; 2] {
    [
        json!({"insecure": true}),
        json!({"insecure": true, "allow_bots": true, "bot_id": "999", "reply_in_thread": true,
            "events": ["reaction_added", "member_joined_channel"]}),
    ]
}
