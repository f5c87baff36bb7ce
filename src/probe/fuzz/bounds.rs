//! The bounds of envelopes, as `docs/envelope.schema.json` states them beside the types.

use super::super::recording::Recording;
use crate::ingress::adapter::MAX_PLATFORM_ID;
use crate::ingress::envelope::{IngressEnvelope, MOST};

/// By how much an envelope may be larger than its request: a text is in `text` and in `raw`, and a byte that has to be
/// escaped is six.
const FACTOR: usize = 24;
const FLOOR: usize = 16 << 10;

/// The most bytes that a request of `bytes` may become.
pub(super) fn most_of(bytes: usize) -> usize {
    FLOOR + bytes.saturating_mul(FACTOR)
}

/// How many bytes an envelope has as JSON.
pub(super) fn size(envelope: &IngressEnvelope) -> usize {
    serde_json::to_vec(envelope).map_or(usize::MAX, |bytes| bytes.len())
}

pub(super) fn size_of_request(recording: &Recording) -> usize {
    let headers: usize = recording.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let query = recording.query.as_ref().map_or(0, String::len);
    let fetched = recording.fetched.as_ref().map_or(0, Vec::len);
    headers + query + recording.method.len() + recording.path.len() + recording.body.len() + fetched
}

/// What of an envelope breaks a bound.
pub(super) fn check(envelope: &IngressEnvelope) -> Result<(), String> {
    let entities = &envelope.entities;
    for (name, count) in [
        ("attachments", envelope.attachments.len()),
        ("buttons", envelope.buttons.len()),
        ("entities.mentions", entities.mentions.len()),
        ("entities.urls", entities.urls.len()),
    ] {
        if count > MOST {
            return Err(format!("{name} are {count}, more than {MOST}"));
        }
    }
    let ids = &envelope.provider_ids;
    for (name, id) in [
        ("workspace_id", &ids.workspace_id),
        ("team_id", &ids.team_id),
        ("channel_id", &ids.channel_id),
        ("conversation_id", &ids.conversation_id),
        ("thread_id", &ids.thread_id),
        ("user_id", &ids.user_id),
        ("message_id", &ids.message_id),
        ("event_id", &ids.event_id),
    ] {
        // What an adapter puts together of two ids may be as long as both.
        let fits =
            |id: &String| !id.is_empty() && id.len() <= 2 * MAX_PLATFORM_ID + 64 && !id.contains(char::is_control);
        if !id.as_ref().is_none_or(fits) {
            return Err(format!("provider_ids.{name} is empty, too long or holds control characters"));
        }
    }
    let session = &envelope.session;
    if session.key.is_empty() || session.scopes.is_empty() || session.scopes.iter().any(String::is_empty) {
        return Err("the session has no key or no scopes".into());
    }
    Ok(())
}
