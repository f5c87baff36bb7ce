//! Direct Line 3.0: the paths of the protocol, and what clients post in a conversation.
//!
//! The host gives conversations and activities their ids. What a user says is kept in the conversation's transcript, in
//! front of the replies, so that every client of the conversation sees both in one order.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::access::set_speaker;
use super::message::{Message, Repeats, clients_id};
use super::{NO_MESSAGE, WebchatChannel, route_of, upload};
use crate::error::Result;
use crate::ingress::activity::{self, Activity};
use crate::ingress::adapter::{Answer, Context, Intake, Request, Respond, dedupe_key, json_object, platform_id};
use crate::run::event::{ReplyTo, Said};

/// What all paths begin with, below a tenant's prefix: the same as at the service that the protocol is of.
pub const PREFIX: &str = "/v3/directline";
/// Where activities are posted, and read.
pub const ACTIVITIES: &str = "/v3/directline/conversations/{conversation}/activities";
/// Where activities are posted with files.
pub const UPLOAD: &str = "/v3/directline/conversations/{conversation}/upload";

/// How many bytes of a digest an activity's id has.
const ID_BYTES: usize = 12;

/// What is posted, and in which conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Activities(&'a str),
    Upload(&'a str),
}

impl<'a> Place<'a> {
    fn conversation(self) -> &'a str {
        match self {
            Self::Activities(conversation) | Self::Upload(conversation) => conversation,
        }
    }
}

/// Where a path leads; none if it is not Direct Line's.
pub(super) fn place(path: &str) -> Option<Place<'_>> {
    let rest = path.strip_prefix(PREFIX)?.strip_prefix("/conversations/")?;
    match rest.split_once('/')? {
        (conversation, "activities") => Some(Place::Activities(conversation)),
        (conversation, "upload") => Some(Place::Upload(conversation)),
        _ => None,
    }
}

/// The id of a new conversation, which nobody can guess.
pub fn new_conversation() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Whether an id is of the form that [`new_conversation`] gives.
pub fn is_conversation(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The answer to an activity that stands for nothing that concerns a flow.
pub(super) fn ignored(context: &Context, place: Place<'_>) -> Answer {
    taken(&new_id(context, place.conversation()))
}

fn taken(id: &str) -> Answer {
    Answer::json(200, &json!({ "id": id }))
}

/// What a client has posted.
pub(super) fn receive(
    channel: &WebchatChannel,
    context: &Context,
    request: &Request<'_>,
    place: Place<'_>,
) -> Result<Intake> {
    let caller = channel.access.caller(&context.tenant, request.headers, context.now)?;
    let conversation = place.conversation();
    caller.may_use(conversation)?;
    let (mut raw, files) = match place {
        Place::Activities(_) => (json_object(request.body)?, Vec::new()),
        Place::Upload(_) => upload::read(request)?,
    };
    if !matches!(activity::kind(&raw)?, None | Some("message")) {
        return Ok(Intake::Ignored(NO_MESSAGE));
    }
    let claimed = raw.pointer("/from/id").and_then(Value::as_str).map(str::to_owned);
    let user = platform_id("from.id", caller.user(claimed.as_deref())?.unwrap_or_default())?;
    set_speaker(&mut raw, &user);
    let id = match clients_id(raw.get("channelData").unwrap_or(&Value::Null))? {
        Some(clients) => repeatable_id(conversation, &user, &clients),
        None => new_id(context, conversation),
    };
    place_in(&mut raw, context, conversation, &id);
    // The files are in what is shown and not also in the payload that the flow sees beside the attachments.
    let shown = upload::with_files(&raw, files);
    let activity = Activity::of(&shown)?;
    let said = Said { id: id.clone(), message: Some(shown) };
    let reply_to = ReplyTo::Transcript { route: route_of(&context.tenant, conversation), said };
    let respond = Respond::Ack(taken(&id));
    let repeats = Repeats::ByClientsId;
    let message = Message { activity, raw, conversation: conversation.to_owned(), id: Some(id), repeats };
    message.inbound(channel, context, request, reply_to, respond).map(Intake::message)
}

/// Fills in what is the host's to say of an activity.
fn place_in(raw: &mut Value, context: &Context, conversation: &str, id: &str) {
    let own = json!({
        "type": "message",
        "id": id,
        "timestamp": context.received(),
        "channelId": super::PROVIDER,
        "conversation": {"id": conversation},
    });
    if let (Value::Object(fields), Value::Object(own)) = (raw, own) {
        // Of the bot's side of a conversation a client says nothing.
        let is_clients = |name: &str| !own.contains_key(name) && !["recipient", "serviceUrl"].contains(&name);
        let sent = std::mem::take(fields).into_iter().filter(|(name, _)| is_clients(name)).collect::<Map<_, _>>();
        fields.extend(own);
        fields.extend(sent);
    }
}

/// The same whenever the client sends the same activity.
fn repeatable_id(conversation: &str, user: &str, clients: &str) -> String {
    let digest = Sha256::digest(dedupe_key([conversation, user, clients]).as_bytes());
    let short = digest.get(..ID_BYTES).unwrap_or_default();
    format!("{conversation}|u{}", hex::encode(short))
}

fn new_id(context: &Context, conversation: &str) -> String {
    format!("{conversation}|u{}", context.nonce.simple())
}
