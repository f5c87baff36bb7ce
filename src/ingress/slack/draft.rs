//! From what a request says to a message: what events, interactions and commands have in common.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::adapter::{Answer, Context, Inbound, Intake, Request, Respond, dedupe_key};
use super::super::envelope::{Attachment, Button, IngressEnvelope, ProviderIds, Session};
use super::super::json;
use super::text::Shown;
use super::{Address, App, PROVIDER, Read};
use crate::run::event::ReplyTo;
use crate::session::{SessionKey, reply_route};

/// Slack repeats an event for minutes, and for a day where an app asks for delayed events.
pub(super) const REMEMBER_EVENT: Duration = Duration::from_secs(25 * 3600);

/// Slack does not repeat interactions and commands; proxies might.
pub(super) const REMEMBER_INTERACTION: Duration = Duration::from_secs(3600);

/// Slack waits for 3 seconds, and the answer has to reach it.
pub(super) const WITHIN: Duration = Duration::from_millis(2500);

/// What a request says.
pub(super) struct Draft {
    pub(super) ids: ProviderIds,
    /// The organisation, where workspaces belong to one.
    pub(super) enterprise: Option<String>,
    /// Whether the message may be the root of a thread: it is seen by others and in none yet.
    pub(super) can_be_root: bool,
    pub(super) sent: Option<jiff::Timestamp>,
    pub(super) shown: Shown,
    pub(super) attachments: Vec<Attachment>,
    pub(super) buttons: Vec<Button>,
    pub(super) channel_data: Map<String, Value>,
    pub(super) dedupe: Vec<String>,
    pub(super) remember: Duration,
    pub(super) respond: Respond,
    pub(super) response_url: Option<String>,
    /// Whether it may neither resume a run nor be answered elsewhere than where it waits.
    pub(super) alone: bool,
}

impl Draft {
    /// A draft of these ids, acknowledged at once.
    pub(super) fn new(ids: ProviderIds) -> Self {
        Self {
            ids,
            enterprise: None,
            can_be_root: false,
            sent: None,
            shown: Shown::default(),
            attachments: Vec::new(),
            buttons: Vec::new(),
            channel_data: Map::new(),
            dedupe: Vec::new(),
            remember: REMEMBER_INTERACTION,
            respond: Respond::Ack(Answer::empty(200)),
            response_url: None,
            alone: false,
        }
    }

    /// Has Slack wait for the flow's reply.
    pub(super) fn waits(mut self, fallback: Answer) -> Self {
        self.respond = Respond::Sync { within: WITHIN, fallback };
        self
    }

    pub(super) fn read(self) -> Read {
        Read::Draft(Box::new(self))
    }

    /// The message for the app's flow.
    pub(super) fn finish(mut self, app: &App, context: &Context, request: &Request<'_>, raw: Value) -> Intake {
        let teams = [&self.ids.workspace_id, &self.enterprise];
        if !app.teams.is_empty() && !teams.into_iter().flatten().any(|team| app.teams.contains(team)) {
            return Intake::Ignored("the workspace is none of the tenant's");
        }
        // Direct messages are a place of two, where a thread would only hide the answer.
        let is_shared = self.ids.channel_id.as_deref().is_some_and(|channel| !channel.starts_with('D'));
        if app.reply_in_thread && self.can_be_root && is_shared && self.ids.thread_id.is_none() {
            self.ids.thread_id.clone_from(&self.ids.message_id);
        }
        let (Some(user), Some(shown)) = (&self.ids.user_id, self.ids.session_key(&context.tenant, PROVIDER)) else {
            return Intake::Ignored("there is no user");
        };
        let address = Address {
            team: self.ids.workspace_id.clone(),
            channel: self.ids.channel_id.clone().unwrap_or_else(|| user.clone()),
            thread: self.ids.thread_id.clone(),
            response_url: self.response_url.clone(),
            user: self.response_url.is_some().then(|| user.clone()),
        };
        let session = self.session(context, &shown);
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: PROVIDER.into(),
            session: Session {
                key: shown.shown().to_string(),
                scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
            },
            provider_ids: self.ids,
            timestamp: self.sent.unwrap_or_else(|| context.received()),
            locale: None,
            text: self.shown.text,
            attachments: self.attachments,
            buttons: self.buttons,
            entities: self.shown.entities,
            metadata: request.metadata(),
            channel_data: self.channel_data.into(),
            raw,
        };
        Intake::message(Inbound {
            envelope,
            session,
            flow: app.flow.clone(),
            dedupe: self.dedupe,
            remember: self.remember,
            reply_to: match self.alone {
                true => ReplyTo::Caller,
                false => ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &address.to_text())),
            },
            respond: self.respond,
        })
    }

    /// The session as it is stored: that of a thread with its channel, that of a request by itself with the request.
    fn session(&self, context: &Context, shown: &SessionKey) -> SessionKey {
        let ids = &self.ids;
        let user = ids.user_id.as_deref().unwrap_or_default();
        let place = ids.thread_id.as_deref().or(ids.channel_id.as_deref()).unwrap_or_default();
        let channel = ids.channel_id.as_deref().unwrap_or_default();
        if self.alone {
            let nonce = context.nonce.to_string();
            return SessionKey::of([&*context.tenant, PROVIDER, place, user, channel, &nonce]);
        }
        match ids.thread_id.is_some() {
            true => SessionKey::of([&*context.tenant, PROVIDER, place, user, channel]),
            false => shown.clone(),
        }
    }
}

/// A key of parts that are there or not. An app's and a workspace's ids are part of every key.
pub(super) fn key<'a>(kind: &'a str, parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    dedupe_key([kind].into_iter().chain(parts.into_iter().map(Option::unwrap_or_default)))
}

/// The fields of a payload that `channel_data` repeats.
pub(super) fn channel_data(kind: &str, payload: &Value, names: &[&str]) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("type".into(), kind.into());
    json::copy(payload, names, &mut data);
    data
}
