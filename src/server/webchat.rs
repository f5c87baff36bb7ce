//! WebChat's way back for a web page: a list to poll and a stream to listen to.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::params::{Asked, Param};
use super::tenant::Tenant;
use super::{App, sse};
use crate::error::{Code, Error, Result};
use crate::ingress::adapter::platform_id;
use crate::ingress::channels::off;
use crate::ingress::webchat::{self, Caller, WebchatChannel};
use crate::run::watch::RouteWatch;
use crate::store::ReplyRoute;

mod activity;

/// The most replies that one answer holds.
const PAGE: usize = 100;

#[derive(Deserialize)]
pub(super) struct ConversationPath {
    conversation: String,
}

#[derive(Deserialize)]
pub(super) struct Since {
    pub(super) watermark: Option<String>,
}

/// The replies of a conversation after a watermark: `{activities, watermark}`.
pub(super) async fn activities(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let place = Place::open(&app, &tenant, conversation, &headers)?;
    let after = watermark(since.watermark.as_deref())?;
    Ok(Json(place.after(&app, after).await?.into_json()))
}

/// The replies of a conversation as they come. A client that connects again says by `Last-Event-ID` what it has.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = Place::open(&app, &tenant, conversation, &headers)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = watermark(last.or(since.watermark.as_deref()))?;
    let changed = app.backend.watch(&place.route);
    let source = Source { app: Arc::clone(&app), place, after, changed, ready: VecDeque::new() };
    Ok(sse::answer(&app, stream::unfold(source, Source::next))?)
}

/// The place in a conversation that a watermark stands for; the beginning without one.
pub(super) fn watermark(text: Option<&str>) -> Result<u64> {
    let invalid = || Error::new(Code::RequestInvalid, "the watermark is not a number");
    match text {
        None | Some("") => Ok(0),
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map_err(|_| invalid()),
        Some(_) => Err(invalid()),
    }
}

/// A conversation whose activities may be read.
pub(super) struct Place {
    tenant: String,
    conversation: String,
    route: ReplyRoute,
}

/// Activities in a row, and the watermark of the last.
pub(super) struct Set {
    pub(super) activities: Vec<Value>,
    pub(super) watermark: u64,
}

impl Set {
    pub(super) fn into_json(self) -> Value {
        json!({"activities": self.activities, "watermark": self.watermark.to_string()})
    }
}

impl Place {
    /// Without a secret the conversation's id is what gives the right to read it.
    fn open(app: &App, tenant: &Tenant, conversation: String, headers: &HeaderMap) -> Result<Self> {
        let route = "/webchat/conversations";
        let channel = tenant.channels.find::<WebchatChannel>().ok_or_else(|| off(route))?;
        channel.verification.require(route)?;
        let conversation = platform_id("the conversation's id", &conversation)?;
        let caller = channel.access.caller(&tenant.id, headers, app.clock.now())?;
        if matches!(caller, Caller::Token(_)) {
            caller.may_use(&conversation)?;
        }
        Ok(Self::of(&tenant.id, conversation))
    }

    /// A conversation that its reader was found to have a right to.
    pub(super) fn of(tenant: &str, conversation: String) -> Self {
        Self { route: webchat::route_of(tenant, &conversation), tenant: tenant.to_owned(), conversation }
    }

    pub(super) fn route(&self) -> &ReplyRoute {
        &self.route
    }

    /// What is new since a watermark, at most a page of it.
    pub(super) async fn after(&self, app: &App, after: u64) -> Result<Set> {
        let stored = app.backend.replies(&self.route, after, PAGE).await?;
        let watermark = stored.last().map_or(after, |entry| entry.seq);
        let shown = stored.iter().flat_map(|entry| activity::of_entry(&self.tenant, &self.conversation, entry));
        Ok(Set { activities: shown.collect(), watermark })
    }
}

struct Source {
    app: Arc<App>,
    place: Place,
    after: u64,
    changed: RouteWatch,
    ready: VecDeque<Event>,
}

impl Source {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            // The watch is older than this look into the store: what is stored in between is noticed.
            self.fill().await?;
            if self.ready.is_empty() {
                self.changed.changed().await;
            }
        }
    }

    /// Reads what is new. None ends the stream: the client comes back and goes on where it was.
    async fn fill(&mut self) -> Option<()> {
        let stored = match self.app.backend.replies(&self.place.route, self.after, PAGE).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(%error, "replies could not be read");
                return None;
            }
        };
        for reply in stored {
            self.after = reply.seq;
            let activities = activity::of_entry(&self.place.tenant, &self.place.conversation, &reply);
            self.ready.extend(activities.into_iter().map(|activity| {
                Event::default().event("activity").id(reply.seq.to_string()).data(activity.to_string())
            }));
        }
        Some(())
    }
}
