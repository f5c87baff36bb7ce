//! The courier: takes replies from the store and sends them, route by route.
//!
//! A route is driven by one task while it holds replies, in their order; routes in parallel. Before a request is made the
//! store notes that it is about to be, so that after a crash it is known of which request nobody knows whether it was
//! taken. Such a request is not repeated: the reply is kept as undelivered, and somebody decides. What certainly was not
//! taken is tried again, at the pace that the platform asks for.
//!
//! There is one courier per store.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::{Call, Pace, Sender, Verdict};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::watch::ReplyWatch;
use crate::session::parts_of;
use crate::store::{Failure, Outgoing, ReplyRoute, Store};
use crate::telemetry::{TraceContext, spans};
use pace::Pacer;
use post::Post;
use tally::Tally;

mod pace;
mod post;
mod tally;
mod tokens;

pub use tally::{Delivery, DeliveryCount};

/// The most requests that one reply may take.
const MOST_PARTS: usize = 100;
/// The most requests that one request may lead to.
const MOST_STEPS: u32 = 8;
/// The most requests under way at once.
const AT_ONCE: usize = 256;
/// How many routes are looked for at once when the courier starts or fell behind; further ones when half of them are done.
const SCAN: usize = 100_000;
/// The first pause after a request that was not taken; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, unless the platform asks for a longer one.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a platform that takes nothing is tried.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A platform that a tenant's replies are sent to.
#[derive(Clone)]
pub struct Outlet {
    /// The tenant.
    pub tenant: Id,
    /// The provider, as in the routes of its replies.
    pub provider: &'static str,
    /// How it is sent to.
    pub sender: Arc<dyn Sender>,
    /// How fast the tenant may send in all.
    pub rate: super::Rate,
}

/// Sends replies. See the module.
pub struct Courier {
    store: Arc<dyn Store>,
    watch: Arc<ReplyWatch>,
    outlets: HashMap<(Id, String), Way>,
    post: Post,
    clock: Arc<dyn Clock>,
    /// Routes with a task; true if replies came since it looked last.
    active: Mutex<HashMap<ReplyRoute, bool>>,
    /// A route has no task any more.
    done: Notify,
    under_way: Semaphore,
    tally: Tally,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// How many routes are looked for at once.
    scan: usize,
    me: Weak<Self>,
}

/// An outlet, and how fast it may be used.
struct Way {
    provider: &'static str,
    sender: Arc<dyn Sender>,
    pacer: Pacer,
}

/// The reply that is being sent.
#[derive(Clone, Copy)]
struct Delivering<'a> {
    route: &'a ReplyRoute,
    way: &'a Way,
    pace: Pace,
    seq: u64,
    trace: Option<&'a TraceContext>,
}

/// What became of one request of a reply.
enum Ended {
    Sent,
    Refused(String),
    /// Of this part, and perhaps later ones, nobody knows; says why.
    Unclear(u32, String),
    /// The courier stops; the reply stays where it is.
    Stopped,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier").field("outlets", &self.outlets.len()).finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier for these outlets. It does nothing before [`Courier::run`].
    pub fn new(
        store: Arc<dyn Store>,
        watch: Arc<ReplyWatch>,
        outlets: Vec<Outlet>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>> {
        Self::with_scan(store, watch, outlets, clock, SCAN)
    }

    fn with_scan(
        store: Arc<dyn Store>,
        watch: Arc<ReplyWatch>,
        outlets: Vec<Outlet>,
        clock: Arc<dyn Clock>,
        scan: usize,
    ) -> Result<Arc<Self>> {
        let post = Post::new()?;
        let tenants: HashMap<Id, Arc<pace::Bucket>> =
            outlets.iter().map(|outlet| (outlet.tenant.clone(), Arc::new(pace::Bucket::new(outlet.rate)))).collect();
        let way = |outlet: Outlet| {
            let pacer = Pacer::new(tenants.get(&outlet.tenant).cloned());
            let Outlet { tenant, provider, sender, .. } = outlet;
            ((tenant, provider.to_owned()), Way { provider, sender, pacer })
        };
        let outlets = outlets.into_iter().map(way).collect();
        Ok(Arc::new_cyclic(|me| Self {
            store,
            watch,
            outlets,
            post,
            clock,
            active: Mutex::default(),
            done: Notify::new(),
            under_way: Semaphore::new(AT_ONCE),
            tally: Tally::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            scan,
            me: me.clone(),
        }))
    }

    /// Sends what waits and what comes, until `stop` resolves; then finishes the requests that are under way, for at most
    /// `drain`.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send, drain: Duration) {
        let driving = async {
            // Heard from before the look into the store, so that nothing falls in between.
            let mut told = self.watch.all();
            let mut more = self.look(true).await;
            loop {
                tokio::select! {
                    route = told.recv() => match route {
                        Ok(route) if self.way(&route).is_some() => self.wake(route),
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => more = self.look(true).await,
                        // The watch lives as long as the courier.
                        Err(RecvError::Closed) => std::future::pending().await,
                    },
                    () = self.done.notified(), if more => {
                        let under_way = self.active.lock().len();
                        if under_way <= self.scan / 2 {
                            more = self.look(false).await;
                        }
                    }
                }
            }
        };
        if !self.outlets.is_empty() {
            tokio::select! {
                () = driving => {}
                () = stop => {}
            }
        } else {
            stop.await;
        }
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                "replies were still being sent when the time to drain was over; whether they arrived is unknown"
            );
        }
    }

    /// Tells the platform at once, and once, that a message was stored.
    pub fn noticed(&self, tenant: &Id, provider: &str, raw: &Value) {
        let key = (tenant.clone(), provider.to_owned());
        let Some(call) = self.outlets.get(&key).and_then(|way| way.sender.noticed(raw)) else { return };
        let Some(me) = self.me.upgrade().filter(|_| self.under_way.available_permits() > 0) else { return };
        self.tasks.spawn(async move {
            let Some(way) = me.outlets.get(&key) else { return };
            let Ok(_permit) = me.under_way.acquire().await else { return };
            match me.post.send(&*way.sender, &call).await {
                Verdict::Sent => {}
                verdict => tracing::debug!(provider = way.provider, what = call.what, ?verdict, "not noticed"),
            }
        });
    }

    /// What became of replies since the courier was made.
    pub fn counts(&self) -> Vec<DeliveryCount> {
        self.tally.counts()
    }

    /// Takes up what waits in the store, with `active` also where a task is at it already. True if there may be more.
    async fn look(&self, active: bool) -> bool {
        let mut pause = PAUSE;
        let wanted =
            |route: &ReplyRoute| self.way(route).is_some() && (active || !self.active.lock().contains_key(route));
        loop {
            match self.store.unsent_routes(self.scan, &wanted).await {
                Ok(routes) => {
                    let more = routes.len() >= self.scan;
                    routes.into_iter().for_each(|route| self.wake(route));
                    return more;
                }
                Err(error) => tracing::error!(code = %error.code(), "replies to send cannot be looked for: {error}"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// How a route is sent to.
    fn way(&self, route: &ReplyRoute) -> Option<(&Way, String)> {
        let (tenant, provider, place) = parts_of(route)?;
        self.outlets.get(&(Id::from(tenant), provider)).map(|way| (way, place))
    }

    fn wake(&self, route: ReplyRoute) {
        let Some(me) = self.me.upgrade() else { return };
        match self.active.lock().entry(route.clone()) {
            Entry::Occupied(mut again) => {
                again.insert(true);
                return;
            }
            Entry::Vacant(place) => place.insert(false),
        };
        self.tasks.spawn(async move { me.drive(route).await });
    }

    /// Sends what a route holds, until it holds nothing or the courier stops.
    async fn drive(self: Arc<Self>, route: ReplyRoute) {
        let mut pause = PAUSE;
        while !self.stop.is_cancelled() {
            match self.next(&route).await {
                Ok(true) => pause = PAUSE,
                Ok(false) if self.is_still(&route) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(code = %error.code(), tenant = route.tenant(), "a reply cannot be taken up: {error}");
                    if self.sleep(pause).await.is_none() {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    /// Takes a route off the active ones, unless replies came meanwhile.
    fn is_still(&self, route: &ReplyRoute) -> bool {
        let mut active = self.active.lock();
        match active.get_mut(route) {
            Some(again) if *again => {
                *again = false;
                false
            }
            _ => {
                active.remove(route);
                self.done.notify_one();
                true
            }
        }
    }

    /// Sends the route's oldest reply. False if there is none.
    async fn next(&self, route: &ReplyRoute) -> Result<bool> {
        let Some((way, place)) = self.way(route) else { return Ok(false) };
        let Some(reply) = self.store.next_reply(route).await? else { return Ok(false) };
        let attempt = AssertUnwindSafe(self.attempt(route, way, &place, &reply)).catch_unwind().await;
        let ended = match attempt {
            Ok(ended) => ended?,
            Err(_) => self.panicked(route).await?,
        };
        let (code, why) = match ended {
            Ended::Stopped => return Ok(true),
            Ended::Sent => {
                self.tally.count(way.provider, Delivery::Sent);
                self.noted(|| self.store.sent(route, reply.seq)).await?;
                return Ok(true);
            }
            Ended::Refused(why) => (Code::DeliveryRefused, why),
            Ended::Unclear(part, why) => {
                // So that it is sent from there on, if somebody wants it sent again.
                self.noted(|| self.store.clear_part(route, reply.seq, part)).await?;
                (Code::DeliveryUnclear, why)
            }
        };
        let delivery = if code == Code::DeliveryRefused { Delivery::Refused } else { Delivery::Unclear };
        self.tally.count(way.provider, delivery);
        // The place may hold what somebody could answer with, such as a response URL.
        let (tenant, provider, seq) = (route.tenant(), way.provider, reply.seq);
        tracing::warn!(%code, tenant, provider, seq, "a reply was not delivered: {why}");
        let failure = Failure { code: code.to_string(), message: why, at: self.clock.now() };
        self.noted(|| self.store.undelivered(route, reply.seq, failure.clone())).await?;
        Ok(true)
    }

    /// Sends a reply.
    async fn attempt(&self, route: &ReplyRoute, way: &Way, place: &str, reply: &Outgoing) -> Result<Ended> {
        match calls(way, place, reply) {
            Ok(calls) => {
                let (pace, trace) = (way.sender.pace(place), reply.trace.as_ref());
                let to = Delivering { route, way, pace, seq: reply.seq, trace };
                self.deliver(&to, reply, calls).await
            }
            Err(error) => Ok(Ended::Refused(error.message().to_owned())),
        }
    }

    /// What became of a reply whose sender panicked: one that panics once would do so each time.
    async fn panicked(&self, route: &ReplyRoute) -> Result<Ended> {
        let why = "the sender panicked".to_owned();
        Ok(match self.store.next_reply(route).await?.and_then(|reply| reply.begun) {
            Some(begun) => Ended::Unclear(begun.part, why),
            None => Ended::Refused(why),
        })
    }

    /// Makes the requests of a reply that are not done.
    async fn deliver(&self, to: &Delivering<'_>, reply: &Outgoing, calls: Vec<Call>) -> Result<Ended> {
        let begun = reply.begun.map(|begun| begun.part);
        let mut unclear = begun.map(|part| (part, "the host stopped while it was being sent".to_owned()));
        let first = begun.map_or(reply.done, |part| part.saturating_add(1));
        for (part, call) in (0u32..).zip(calls).skip(usize::try_from(first).unwrap_or(usize::MAX)) {
            match self.part(to, part, call).await? {
                Ended::Sent => {}
                // The rest of a long text is worth having.
                Ended::Unclear(part, why) => unclear = unclear.or(Some((part, why))),
                ended @ (Ended::Refused(_) | Ended::Stopped) => return Ok(ended),
            }
        }
        Ok(unclear.map_or(Ended::Sent, |(part, why)| Ended::Unclear(part, why)))
    }

    /// Makes one request, again as long as it is certain that it was not taken, and those that it leads to.
    async fn part(&self, to: &Delivering<'_>, part: u32, mut call: Call) -> Result<Ended> {
        let Delivering { route, way, pace, seq, trace } = *to;
        let (mut began, mut pause, mut steps) = (Instant::now(), PAUSE, 0);
        loop {
            if self.sleep(way.pacer.book(&route.0, pace, Instant::now())).await.is_none() {
                return Ok(Ended::Stopped);
            }
            self.store.begin_part(route, seq, part).await?;
            let verdict = match self.under_way.acquire().await {
                Ok(_permit) => {
                    let span = spans::delivery(route.tenant(), way.provider, call.what);
                    if let Some(made) = trace {
                        made.adopt(&span);
                    }
                    let verdict = self.post.send(&*way.sender, &call).instrument(span.clone()).await;
                    if let Some(word) = verdict.failure() {
                        spans::failed_as(&span, word);
                    }
                    verdict
                }
                Err(_) => return Ok(Ended::Stopped),
            };
            let wanted = match verdict {
                Verdict::Sent => return Ok(Ended::Sent),
                // Of a step to the message itself nobody sees anything, so that it may be repeated.
                Verdict::Unclear(_) if call.then.is_some() => None,
                Verdict::Unclear(why) => return Ok(Ended::Unclear(part, format!("{}: {why}", call.what))),
                Verdict::Later(wanted) => wanted,
                Verdict::Refused(why) => match call.otherwise.take() {
                    Some(otherwise) if steps < MOST_STEPS => {
                        tracing::debug!(provider = way.provider, what = call.what, "sent otherwise: {why}");
                        self.noted(|| self.store.clear_part(route, seq, part)).await?;
                        (call, began, pause, steps) = (*otherwise, Instant::now(), PAUSE, steps + 1);
                        continue;
                    }
                    _ => return Ok(Ended::Refused(format!("{}: {why}", call.what))),
                },
                Verdict::Next(next) if steps < MOST_STEPS => {
                    self.noted(|| self.store.clear_part(route, seq, part)).await?;
                    (call, began, pause, steps) = (*next, Instant::now(), PAUSE, steps + 1);
                    continue;
                }
                Verdict::Next(_) => return Ok(Ended::Refused(format!("{}: it leads nowhere", call.what))),
            };
            self.noted(|| self.store.clear_part(route, seq, part)).await?;
            self.tally.count(way.provider, Delivery::Later);
            let wait = wanted.unwrap_or(pause).max(pause);
            if began.elapsed() + wait > PATIENCE {
                return Ok(Ended::Refused(format!("{}: it took nothing for an hour", call.what)));
            }
            tracing::debug!(provider = way.provider, what = call.what, "sending again in {wait:?}");
            if self.sleep(wait).await.is_none() {
                return Ok(Ended::Stopped);
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Notes what became of a request, again while the store fails and the courier does not stop: what is not noted looks
    /// as if nobody knew.
    async fn noted<T, F: Future<Output = Result<T>>>(&self, note: impl Fn() -> F) -> Result<T> {
        let mut pause = PAUSE;
        loop {
            let error = match note().await {
                Err(error) if error.code() != Code::ReplyGone => error,
                done => return done,
            };
            tracing::error!(code = %error.code(), "what became of a reply cannot be noted: {error}");
            if self.sleep(pause).await.is_none() {
                return Err(error);
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Waits. None if the courier stops.
    async fn sleep(&self, time: Duration) -> Option<()> {
        if time.is_zero() {
            return (!self.stop.is_cancelled()).then_some(());
        }
        self.stop.run_until_cancelled(tokio::time::sleep(time)).await
    }
}

/// The requests of a reply.
fn calls(way: &Way, place: &str, reply: &Outgoing) -> Result<Vec<Call>> {
    let value: Value = serde_json::from_slice(&reply.payload)
        .map_err(|e| Error::new(Code::StoreFormat, format!("a stored reply cannot be read: {e}")))?;
    let calls = way.sender.render(place, &value)?;
    if calls.len() > MOST_PARTS {
        let message = format!("the reply takes {} requests, and one may take {MOST_PARTS}", calls.len());
        return Err(Error::new(Code::TooLarge, message));
    }
    Ok(calls)
}

#[cfg(test)]
mod tests;
