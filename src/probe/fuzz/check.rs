//! What is promised of messages.

use serde_json::{Value, json};

use super::super::recording::Recording;
use super::sessions::Message;
use super::target::Target;
use super::{Broken, Promise, bounds};
use crate::ingress::adapter::{Answer, Channel, Context, Inbound, Pending};
use crate::ingress::envelope::IngressEnvelope;
use crate::session::{SessionKey, parts_of};

/// The longest body of an answer to a handshake, in bytes.
const LONGEST_ANSWER: usize = 4 << 10;

/// The most of dedupe keys, and of their bytes.
const MOST_KEYS: usize = 8;
const LONGEST_KEY: usize = 4 << 10;

fn held(holds: bool, promise: Promise, how: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(promise, how())) }
}

/// All messages of a request: they are not larger than what they are made of, by far.
pub(super) fn together(inbound: &[Inbound], input: &Recording) -> Result<(), Broken> {
    let made: usize = inbound.iter().map(|inbound| bounds::size(&inbound.envelope)).sum();
    let of = bounds::size_of_request(input);
    held(made <= bounds::most_of(of), Promise::Bounded, || format!("{of} bytes became {made}"))
}

/// One message.
pub(super) fn message(target: &Target, context: &Context, inbound: Inbound) -> Result<Message, Broken> {
    let provider = target.adapter.provider();
    let envelope = &inbound.envelope;
    held(envelope.tenant == *context.tenant && envelope.provider == provider, Promise::Belonging, || {
        format!("the envelope is of {:?} and {:?}", envelope.tenant, envelope.provider)
    })?;
    bounds::check(envelope).map_err(|how| Broken::new(Promise::Bounded, how))?;
    keys(&inbound)?;
    reads_back(envelope)?;
    place(target, context, &inbound)?;
    let session = inbound.session.stored().to_string();
    let mine = session.starts_with(&format!("{}:{provider}:", context.tenant));
    held(mine, Promise::Belonging, || format!("the session {session:?} is not the tenant's"))?;
    let identity = match target.identity {
        Some(identity) => identity(context, &inbound),
        None => policy(envelope)?,
    };
    let (tenant, input) = (context.tenant.clone(), serde_json::to_value(envelope).unwrap_or_default());
    let event = inbound.into_event("fuzz".into());
    let event = event.map_err(|error| Broken::new(Promise::RoundTrip, error.to_string()))?;
    held(event.tenant == tenant, Promise::Belonging, || format!("the event is {}'s", event.tenant))?;
    held(event.input == input, Promise::RoundTrip, || "the flow's input is not the envelope".into())?;
    Ok(Message { session, identity })
}

/// Who and where, by the host's one policy. A message with neither has no session to be in.
fn policy(envelope: &IngressEnvelope) -> Result<Vec<String>, Broken> {
    let ids = &envelope.provider_ids;
    let key: Option<SessionKey> = ids.session_key(&envelope.tenant, &envelope.provider);
    let key = key.ok_or_else(|| Broken::new(Promise::Sessions, "a message of nobody, from nowhere"))?;
    let place = ids.thread_id.as_ref().or(ids.conversation_id.as_ref()).or(ids.channel_id.as_ref());
    Ok(match (place, &ids.user_id) {
        (Some(place), Some(user)) => vec![place.clone(), user.clone()],
        _ => vec![key.stored().to_string()],
    })
}

fn keys(inbound: &Inbound) -> Result<(), Broken> {
    let fit = inbound.dedupe.iter().all(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    let remembered = inbound.dedupe.is_empty() || !inbound.remember.is_zero();
    held(fit && remembered && inbound.dedupe.len() <= MOST_KEYS, Promise::Bounded, || {
        format!("repetitions are recognised by {} keys that are too many, empty or too long", inbound.dedupe.len())
    })
}

fn reads_back(envelope: &IngressEnvelope) -> Result<(), Broken> {
    let broken = |error: serde_json::Error| Broken::new(Promise::RoundTrip, format!("an envelope: {error}"));
    let value = serde_json::to_value(envelope).map_err(broken)?;
    let text = value.to_string();
    serde_json::from_str::<IngressEnvelope>(&text).map_err(broken)?;
    let back: IngressEnvelope = serde_json::from_value(value).map_err(broken)?;
    held(back == *envelope, Promise::RoundTrip, || "an envelope is not read back as it was".into())
}

fn place(target: &Target, context: &Context, inbound: &Inbound) -> Result<(), Broken> {
    let Some(route) = inbound.reply_to.route() else { return Ok(()) };
    let parts = parts_of(route);
    let leads = parts.as_ref().is_some_and(|(tenant, provider, place)| {
        *tenant == *context.tenant && *provider == target.adapter.provider() && (target.is_place)(place)
    });
    held(leads, Promise::Routes, || format!("replies go to {:?}", route.0))
}

/// An announcement: it is stored and read back, and asks below the platform's base URL.
pub(super) fn pending(pending: &Pending) -> Result<(), Broken> {
    let value = serde_json::to_value(pending).unwrap_or_default();
    let back = serde_json::from_value::<Pending>(value).ok();
    held(back.as_ref() == Some(pending), Promise::RoundTrip, || "an announcement is not read back as it was".into())?;
    let path = &pending.path;
    let below = path.starts_with('/') && !path.starts_with("//") && !path.split(['/', '?']).any(|part| part == "..");
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'@'));
    held(below && plain, Promise::Routes, || format!("it asks for {path:?}"))
}

/// An answer to a handshake.
pub(super) fn answer(answer: &Answer) -> Result<(), Broken> {
    let fits = (200..600).contains(&answer.status) && answer.body.len() <= LONGEST_ANSWER;
    held(fits, Promise::Bounded, || format!("an answer of {} bytes with {}", answer.body.len(), answer.status))
}

/// Answers that are made of a flow's replies: whatever flows reply, an adapter makes something of it or nothing.
pub(super) fn answers(channel: &dyn Channel, inbound: &Inbound) {
    let raw = &inbound.envelope.raw;
    for replies in [vec![], vec![json!({"text": "hi"})], vec![raw.clone(), Value::Null]] {
        drop(channel.respond(raw, &replies));
    }
}

/// What the envelope tells about the delivery holds no secret.
pub(super) fn discreet(inbound: &Inbound, canary: &str) -> Result<(), Broken> {
    let told = serde_json::to_string(&inbound.envelope.metadata).unwrap_or_default();
    held(!told.contains(canary), Promise::Discreet, || {
        "metadata.raw_headers shows a header that proves something".into()
    })
}
