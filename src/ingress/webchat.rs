//! WebChat: activities in the Bot Framework's schema, sent by a browser or a client of one's own, and Direct Line 3.0, the
//! protocol of the published clients.
//!
//! With a Direct Line secret every request carries it, or a token that was made by it: a token is bound to a conversation
//! and, if it says so, to a user, whatever a body claims. Without a secret the routes are off unless the binding says
//! `insecure: true`; then `from.id` and `conversation.id` are what the sender says, and the conversation's id is its only
//! secret.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::error::{Code, Error, Result};
use crate::ingress::activity::{self, Activity};
use crate::ingress::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Intake, Request, Respond, Settings, json_object, platform_id,
};
use crate::ingress::channels::Verification;
use crate::ingress::gate::Gate;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::reply_route;
use crate::store::ReplyRoute;

pub mod access;
pub mod directline;
mod message;
mod token;
mod upload;

pub use access::{Access, Caller};
pub use token::{Grant, LIFETIME, Use};

/// The provider's name in envelopes and session keys.
pub const PROVIDER: &str = "webchat";

/// The name of the secret that Direct Line's tokens are made by.
pub const SECRET: &str = "DIRECT_LINE_SECRET";

/// Where activities are sent that are not Direct Line's.
const ACTIVITIES: &str = "/webchat/activities";

/// Where the replies of a conversation wait.
pub fn route_of(tenant: &str, conversation: &str) -> ReplyRoute {
    reply_route(tenant, PROVIDER, conversation)
}

/// The web chat, as `adapter: webchat`.
#[derive(Clone, Copy, Debug)]
pub struct Webchat;

impl Adapter for Webchat {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[
            AdapterRoute { path: ACTIVITIES, methods: &["POST"] },
            AdapterRoute { path: directline::ACTIVITIES, methods: &["POST"] },
            AdapterRoute { path: directline::UPLOAD, methods: &["POST"] },
        ]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let gate = Gate::open(settings, ACTIVITIES, SECRET, "Direct Line secret, or a token made by it")?;
        let access = Access::open(&gate, settings)?;
        Ok(Box::new(WebchatChannel { verification: gate.verification(), flow: settings.flow.clone(), access }))
    }
}

/// The web chat of a tenant.
#[derive(Clone, Debug)]
pub struct WebchatChannel {
    /// How its requests are verified.
    pub verification: Verification,
    /// What a message starts.
    pub flow: FlowChoice,
    /// Who may do what.
    pub access: Access,
}

impl Channel for WebchatChannel {
    fn verification(&self) -> Verification {
        self.verification
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        self.verification.require(request.path)?;
        self.access.caller(&context.tenant, request.headers, context.now)?;
        match directline::place(request.path) {
            Some(directline::Place::Upload(_)) => Ok(()),
            Some(directline::Place::Activities(_)) | None => require_json(request.headers),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        match directline::place(request.path) {
            Some(place) => directline::receive(self, context, request, place),
            None => receive(self, context, request),
        }
    }

    fn ignored(&self) -> Answer {
        Answer::json(202, &json!({}))
    }

    fn ignored_request(&self, context: &Context, request: &Request<'_>) -> Answer {
        directline::place(request.path).map_or_else(|| self.ignored(), |place| directline::ignored(context, place))
    }
}

/// Other media types are what a form of another site could send without asking.
fn require_json(headers: &HeaderMap) -> Result<()> {
    let mime = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim();
    if mime.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::new(Code::MediaType, "an activity is sent as application/json"))
}

/// Why an activity is none of a user's.
const NO_MESSAGE: &str = "the activity is no message";

/// Normalizes one activity that is not Direct Line's. Activities that are no message of a user are ignored.
pub fn receive(channel: &WebchatChannel, context: &Context, request: &Request<'_>) -> Result<Intake> {
    let caller = channel.access.caller(&context.tenant, request.headers, context.now)?;
    let mut raw = json_object(request.body)?;
    if !matches!(activity::kind(&raw)?, None | Some("message")) {
        return Ok(Intake::Ignored(NO_MESSAGE));
    }
    if let Caller::Token(grant) = &caller {
        grant.bind(&mut raw)?;
    }
    let activity = Activity::of(&raw)?;
    // Own messages that come back, and those of other bots: answering them would be a loop.
    if activity.is_own() || activity.is_by_bot() {
        return Ok(Intake::Ignored("the activity comes from a bot"));
    }
    let conversation = platform_id("conversation.id", activity.conversation.id.as_deref().unwrap_or_default())?;
    let given = activity.id.as_deref().filter(|id| !id.is_empty()).map(|id| platform_id("id", id)).transpose()?;
    let nonce = context.nonce.to_string();
    let answer = Answer::json(202, &json!({ "id": given.as_deref().unwrap_or(&nonce) }));
    let reply_to = ReplyTo::Route(route_of(&context.tenant, &conversation));
    let message = message::Message { activity, raw, conversation, id: given, repeats: message::Repeats::ByAnyId };
    message.inbound(channel, context, request, reply_to, Respond::Ack(answer)).map(Intake::message)
}

#[cfg(test)]
mod tests;
