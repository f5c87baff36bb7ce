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
use crate::ingress::Verification;
use crate::ingress::adapter::platform_id;
use crate::ingress::webchat::{self, WebchatChannel};
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
    watermark: Option<String>,
}

/// The replies of a conversation after a watermark: `{activities, watermark}`.
pub(super) async fn activities(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>, Problem> {
    let place = Place::open(&tenant, conversation)?;
    let after = watermark(since.watermark.as_deref())?;
    let stored = app.backend.replies(&place.route, after, PAGE).await?;
    let watermark = stored.last().map_or(after, |reply| reply.seq);
    let activities: Vec<Value> =
        stored.iter().flat_map(|reply| activity::of_reply(&place.tenant, &place.conversation, reply)).collect();
    Ok(Json(json!({"activities": activities, "watermark": watermark.to_string()})))
}

/// The replies of a conversation as they come. A client that connects again says by `Last-Event-ID` what it has.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = Place::open(&tenant, conversation)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = watermark(last.or(since.watermark.as_deref()))?;
    let changed = app.backend.watch(&place.route);
    let source = Source { app: Arc::clone(&app), place, after, changed, ready: VecDeque::new() };
    Ok(sse::answer(&app, stream::unfold(source, Source::next))?)
}

fn watermark(text: Option<&str>) -> Result<u64> {
    match text {
        None | Some("") => Ok(0),
        Some(text) => text.parse().map_err(|_| Error::new(Code::RequestInvalid, "the watermark is not a number")),
    }
}

/// A conversation whose replies may be read: its id is what gives the right to.
struct Place {
    tenant: String,
    conversation: String,
    route: ReplyRoute,
}

impl Place {
    fn open(tenant: &Tenant, conversation: String) -> Result<Self> {
        let channel = tenant.channels.find::<WebchatChannel>();
        let verification = channel.map_or(Verification::Off, |channel| channel.verification);
        verification.require("/webchat/conversations")?;
        let conversation = platform_id("the conversation's id", &conversation)?;
        Ok(Self { route: webchat::route_of(&tenant.id, &conversation), tenant: tenant.id.to_string(), conversation })
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
            let activities = activity::of_reply(&self.place.tenant, &self.place.conversation, &reply);
            self.ready.extend(activities.into_iter().map(|activity| {
                Event::default().event("activity").id(reply.seq.to_string()).data(activity.to_string())
            }));
        }
        Some(())
    }
}
