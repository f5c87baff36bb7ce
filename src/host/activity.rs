//! An activity as an event.

use crate::activity::{Activity, ActivityKind};
use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::run::event::{Event, FlowChoice, ReplyTo};
use crate::session::SessionKey;

/// The longest part of a session key that a caller may give, in bytes.
const PART: usize = 512;

pub(super) fn event_of(tenant: &str, activity: &Activity) -> Result<Event> {
    if let Some(other) = activity.tenant().filter(|other| *other != tenant) {
        return Err(Error::new(Code::RequestInvalid, format!("the activity is for tenant {:?}", id::clip(other)))
            .hint(format!("it was given to tenant {tenant}; leave the activity's tenant out or make them equal")));
    }
    Ok(Event {
        tenant: id::parse("tenant", tenant)?,
        pack: activity.pack_id().map(|pack| id::parse("pack id", pack)).transpose()?,
        flow: flow_of(activity)?,
        session: session_of(tenant, activity)?,
        user: activity.user().map(Id::from),
        provider: activity.provider_id().map(|provider| id::parse("provider id", provider)).transpose()?,
        dedupe: Vec::new(),
        remember: None,
        input: activity.payload().clone(),
        reply_to: ReplyTo::Caller,
        correlation_id: uuid::Uuid::new_v4().to_string(),
    })
}

fn flow_of(activity: &Activity) -> Result<FlowChoice> {
    if let Some(flow) = activity.flow_id() {
        return Ok(FlowChoice::Id(id::parse("flow id", flow)?));
    }
    let kind = match activity.kind() {
        ActivityKind::Custom { flow_type: Some(kind), .. } => Some(kind.as_str()),
        ActivityKind::Custom { flow_type: None, .. } | ActivityKind::Message => activity.flow_type(),
    };
    Ok(kind.map_or(FlowChoice::Default, |kind| FlowChoice::Kind(kind.to_owned())))
}

/// A session of the caller's own, else channel, conversation and user. An activity with neither stands alone: it
/// never shares a session with another nameless one.
fn session_of(tenant: &str, activity: &Activity) -> Result<SessionKey> {
    if let Some(session) = activity.session_id() {
        return Ok(SessionKey::of([tenant, "session", check_session(session)?]));
    }
    let alone = uuid::Uuid::new_v4().to_string();
    let named = [activity.user(), activity.conversation(), activity.channel()].iter().any(Option::is_some);
    let user = if named { activity.user().unwrap_or_default() } else { &alone };
    Ok(SessionKey::of([
        tenant,
        part("provider", activity.provider_id().unwrap_or_default())?,
        part("channel", activity.channel().unwrap_or_default())?,
        part("conversation", activity.conversation().unwrap_or_default())?,
        part("user", user)?,
    ]))
}

/// Checks the name of a session that a caller keeps.
pub(crate) fn check_session(name: &str) -> Result<&str> {
    if name.is_empty() {
        return Err(Error::new(Code::RequestInvalid, "the session's name is empty")
            .hint("name it, or leave it out for a session of its own"));
    }
    part("session", name)
}

/// Checks what a caller says that becomes part of a session key; `what` names it in the error.
pub(crate) fn part<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.len() <= PART && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(Error::new(Code::RequestInvalid, format!("the {what} {:?} cannot be used", id::clip(text)))
        .hint("use at most 512 bytes without control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_session_has_five_parts() {
        let activity = Activity::text("hi").from_user("u-1").in_channel("c");
        assert_eq!(&*event_of("t", &activity).unwrap().session.shown(), "t:-:c:-:u-1");
    }

    #[test]
    fn nameless_activities_never_share_a_session() {
        let lane = || event_of("t", &Activity::text("hi")).unwrap().session.stored();
        assert_ne!(lane(), lane());
    }

    #[test]
    fn sessions_have_usable_names() {
        let of = |name: &str| event_of("t", &Activity::text("hi").with_session(name)).map(drop);
        of("a session: 1").unwrap();
        for name in ["", "a\nb", &"x".repeat(513)] {
            assert_eq!(of(name).unwrap_err().code(), Code::RequestInvalid, "{name:?}");
        }
    }

    #[test]
    fn another_tenants_activity_is_refused() {
        let error = event_of("t", &Activity::text("hi").with_tenant("other")).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
    }
}
