//! Activities: what callers of [`crate::host::RunnerHost::handle_activity`] send, and what they get back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A message or a custom event for a tenant, or a reply.
///
/// ```
/// use greentic_runner_host::Activity;
///
/// let activity = Activity::text("hello").with_tenant("customera").from_user("u-1");
/// assert_eq!(activity.payload()["text"], "hello");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    #[serde(flatten)]
    kind: ActivityKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pack_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<String>,
    #[serde(default)]
    payload: Value,
}

/// What an activity is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActivityKind {
    /// A chat message.
    Message,
    /// Anything else; replies have the action `response`.
    Custom {
        /// What happened.
        action: String,
        /// The type of flow that serves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flow_type: Option<String>,
    },
}

macro_rules! setters {
    ($($(#[doc = $doc:literal])+ $setter:ident, $getter:ident => $field:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[must_use]
            pub fn $setter(mut self, value: impl Into<String>) -> Self {
                self.$field = Some(value.into());
                self
            }

            $(#[doc = $doc])+
            pub fn $getter(&self) -> Option<&str> {
                self.$field.as_deref()
            }
        )+
    };
}

impl Activity {
    /// A chat message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(ActivityKind::Message, json!({ "text": text.into() }))
    }

    /// An event of another kind.
    pub fn custom(action: impl Into<String>, payload: Value) -> Self {
        Self::of(ActivityKind::Custom { action: action.into(), flow_type: None }, payload)
    }

    fn of(kind: ActivityKind, payload: Value) -> Self {
        Self {
            kind,
            tenant: None,
            pack_id: None,
            flow_id: None,
            flow_type: None,
            session_id: None,
            provider_id: None,
            user: None,
            channel: None,
            conversation: None,
            payload,
        }
    }

    setters! {
        /// The tenant.
        with_tenant, tenant => tenant;
        /// The pack.
        with_pack, pack_id => pack_id;
        /// The flow to start.
        with_flow, flow_id => flow_id;
        /// The type of flow to start, where no flow is named.
        with_flow_type, flow_type => flow_type;
        /// The session, where the caller keeps sessions of its own.
        with_session, session_id => session_id;
        /// The provider that it came through.
        with_provider, provider_id => provider_id;
        /// The user who sent it.
        from_user, user => user;
        /// The channel it was sent in.
        in_channel, channel => channel;
        /// The conversation it belongs to.
        in_conversation, conversation => conversation;
    }

    /// A reply to this activity, in the same session.
    pub(crate) fn reply(&self, payload: Value) -> Self {
        let mut reply = self.clone();
        reply.kind = ActivityKind::Custom { action: "response".to_owned(), flow_type: None };
        reply.payload = payload;
        reply
    }

    /// What kind of activity it is.
    pub fn kind(&self) -> &ActivityKind {
        &self.kind
    }

    /// The content.
    pub fn payload(&self) -> &Value {
        &self.payload
    }
}
