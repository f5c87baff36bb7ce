//! The stream of a conversation: a WebSocket on which sets of activities come, `{activities, watermark}`, and empty
//! messages while there are none.
//!
//! A stream holds nothing: it reads from the store what is after its watermark, one page at a time, and only when the one
//! before was sent. A client that does not read, or is not heard any more, loses its stream and comes back with the
//! watermark that it has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::Response;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::ConversationPath;
use super::visit::Chat;
use crate::error::{Code, Error, Result};
use crate::ingress::webchat::{Caller, PROVIDER, Use};
use crate::run::watch::RouteWatch;
use crate::server::App;
use crate::server::answer::Problem;
use crate::server::params::{Asked, Param};
use crate::server::webchat::{Place, watermark};
use crate::store::ReplyRoute;

/// The most streams of one conversation: windows and devices of one user.
const OF_CONVERSATION: usize = 10;
/// The largest message that a client may send. It has nothing to say on a stream.
const LARGEST: usize = 4 << 10;
/// The most messages that a client may send in the time of a keep-alive.
const MOST_HEARD: u32 = 100;
/// How many keep-alives a client may leave unanswered.
const SILENT: u32 = 3;
/// How long a client may take to read a message.
const SLOW: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(in crate::server) struct Opening {
    watermark: Option<String>,
    t: Option<String>,
}

/// `GET conversations/{id}/stream`. Browsers cannot send `Authorization` with it, so a token for it stands in its URL.
pub(in crate::server) async fn stream(
    chat: Chat,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(opening): Asked<Opening>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Chat { app, tenant, access, now } = chat;
    let caller = match opening.t.as_deref() {
        Some(token) => access.holder(&tenant, token, Use::Stream, &headers, now).map(Caller::Token),
        None => access.caller(&tenant, &headers, now),
    };
    let caller = caller.inspect_err(|error| app.tally.refused(PROVIDER, error.code()))?;
    caller.may_use(&conversation)?;
    let after = watermark(opening.watermark.as_deref())?;
    let upgrade =
        upgrade.map_err(|why| Error::new(Code::RequestInvalid, format!("a stream is opened as a WebSocket: {why}")))?;
    let place = Place::of(&tenant, conversation);
    let slot = app.sockets.open(&app, place.route())?;
    let changed = app.backend.watch(place.route());
    let upgrade = upgrade.max_message_size(LARGEST).max_frame_size(LARGEST);
    Ok(upgrade.on_upgrade(move |socket| async move {
        Stream { app, place, after, changed, socket }.run().await;
        drop(slot);
    }))
}

/// The streams that are open.
#[derive(Default)]
pub(in crate::server) struct Sockets {
    open: Mutex<HashMap<ReplyRoute, usize>>,
    tasks: TaskTracker,
}

/// The place of an open stream among all and among those of its conversation.
struct Slot {
    sockets: Arc<Sockets>,
    route: ReplyRoute,
    _of_all: OwnedSemaphorePermit,
    _task: TaskTrackerToken,
}

impl Sockets {
    fn open(self: &Arc<Self>, app: &App, route: &ReplyRoute) -> Result<Slot> {
        let of_all = Arc::clone(&app.streams).try_acquire_owned();
        let of_all = of_all.map_err(|_| Error::new(Code::Overloaded, "too many open streams"))?;
        let mut open = self.open.lock();
        let count = open.entry(route.clone()).or_default();
        if *count >= OF_CONVERSATION {
            return Err(Error::new(Code::Overloaded, format!("the conversation has {OF_CONVERSATION} open streams")));
        }
        *count += 1;
        drop(open);
        Ok(Slot { sockets: Arc::clone(self), route: route.clone(), _of_all: of_all, _task: self.tasks.token() })
    }

    /// Waits until none is open, after all were told to end.
    pub(in crate::server) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.sockets.open.lock().entry(self.route.clone()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Gone,
    Stopping,
    Silent,
    Noisy,
    Slow,
    Unread,
}

impl End {
    /// How the client is told, if there is anybody to tell.
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone | Self::Slow => return None,
            Self::Stopping => (close_code::AWAY, "the server stops"),
            Self::Silent => (close_code::AWAY, "nothing was heard"),
            Self::Noisy => (close_code::POLICY, "too many messages"),
            Self::Unread => (close_code::ERROR, "the store cannot be read now"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

struct Stream {
    app: Arc<App>,
    place: Place,
    after: u64,
    changed: RouteWatch,
    socket: WebSocket,
}

impl Stream {
    async fn run(mut self) {
        let end = self.serve().await;
        tracing::debug!(?end, "a stream ended");
        if let Some(frame) = end.frame() {
            // Nobody is there to hear it if it cannot be sent.
            let _ = self.send(Message::Close(Some(frame))).await;
        }
    }

    async fn serve(&mut self) -> End {
        let stop = self.app.draining.clone();
        let mut beat = beat(self.app.options.limits.keep_alive);
        let (mut unanswered, mut heard) = (0, 0);
        // The watch is older than this look into the store: what is stored in between is noticed.
        if let Err(end) = self.send_new().await {
            return end;
        }
        loop {
            tokio::select! {
                () = self.changed.changed() => {
                    if let Err(end) = self.send_new().await {
                        return end;
                    }
                }
                () = stop.cancelled() => return End::Stopping,
                _ = beat.tick() => {
                    heard = 0;
                    unanswered += 1;
                    if unanswered > SILENT {
                        return End::Silent;
                    }
                    // The first is answered by every WebSocket, the second is how Direct Line says that it is there.
                    for message in [Message::Ping(bytes::Bytes::new()), Message::Text("".into())] {
                        if let Err(end) = self.send(message).await {
                            return end;
                        }
                    }
                }
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                    // What clients send, empty messages, says that they are there.
                    Some(Ok(_)) => {
                        unanswered = 0;
                        heard += 1;
                        if heard > MOST_HEARD {
                            return End::Noisy;
                        }
                    }
                },
            }
        }
    }

    /// Sends what is new, page by page. What was said but cannot be shown moves the watermark and nothing else.
    async fn send_new(&mut self) -> Result<(), End> {
        loop {
            let set = self.place.after(&self.app, self.after).await.map_err(|error| {
                tracing::warn!(%error, "a conversation could not be read");
                End::Unread
            })?;
            if set.watermark == self.after {
                return Ok(());
            }
            self.after = set.watermark;
            if !set.activities.is_empty() {
                self.send(Message::Text(set.into_json().to_string().into())).await?;
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SLOW, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
        }
    }
}

fn beat(every: Duration) -> Interval {
    let mut beat = interval(every);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    beat
}
