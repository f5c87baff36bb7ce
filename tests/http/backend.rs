//! A backend whose flows do what their names say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::config::HostConfig;
use greentic_runner_host::error::{Code, Error, Result};
use greentic_runner_host::host::Health;
use greentic_runner_host::id::Id;
use greentic_runner_host::oauth::Landing;
use greentic_runner_host::reload::status::{PacksStatus, ReloadReport, ReloadState};
use greentic_runner_host::reload::{NotReady, Readiness};
use greentic_runner_host::run::completion::Completer;
use greentic_runner_host::run::event::{Event, FlowChoice, ReplyTo};
use greentic_runner_host::run::outcome::{Outcome, Status};
use greentic_runner_host::run::trace::{Observer as _, TraceEvent, TraceFeed, What};
use greentic_runner_host::run::watch::{ReplyWatch, RouteWatch};
use greentic_runner_host::secrets::{EnvSecrets, SecretsManager};
use greentic_runner_host::server::Backend;
use greentic_runner_host::server::backend::{Fits, Outbox, Repeats, Submitted, Waiter};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::{
    DeadLetter, EventId, Failure, Lane, MemoryStore, Once, ReplyRoute, RunId, StoredReply, Undelivered,
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast};

/// Of the tenants `demo` and `acme`; the tenant `closed` has none.
const BINDINGS: &str = "
flow_type_bindings:
  messaging: { adapter: webchat, config: { insecure: true } }
  webhook: { adapter: generic, config: { allow_paths: [/webhook/], deny_paths: [/webhook/private] } }
";

type Shareable = Shared<BoxFuture<'static, Result<Outcome>>>;

/// An event that was seen, what it ends with, and the fingerprint of one that acts once.
type Seen = (EventId, Shareable, Option<[u8; 32]>);

pub(crate) struct TestHost {
    tenants: Mutex<BTreeMap<String, Arc<HostConfig>>>,
    packs: AtomicUsize,
    runs: AtomicUsize,
    seen: Mutex<BTreeMap<String, Seen>>,
    replies: Mutex<BTreeMap<ReplyRoute, Vec<StoredReply>>>,
    watch: Arc<ReplyWatch>,
    trace: TraceFeed,
    reloads: AtomicUsize,
    changes: AtomicUsize,
    held: Semaphore,
    released: Arc<Semaphore>,
}

impl Default for TestHost {
    fn default() -> Self {
        let open = |tenant: &str| HostConfig::from_yaml(&format!("tenant: {tenant}{BINDINGS}"), "open.yaml").unwrap();
        let closed = HostConfig::for_tenant(Id::from("closed"));
        let tenants = [("demo", open("demo")), ("acme", open("acme")), ("closed", closed)];
        Self {
            tenants: Mutex::new(tenants.map(|(id, config)| (id.to_owned(), Arc::new(config))).into()),
            packs: AtomicUsize::new(1),
            runs: AtomicUsize::new(0),
            seen: Mutex::default(),
            replies: Mutex::default(),
            watch: Arc::default(),
            trace: TraceFeed::new(100),
            reloads: AtomicUsize::new(0),
            changes: AtomicUsize::new(0),
            held: Semaphore::new(0),
            released: Arc::new(Semaphore::new(0)),
        }
    }
}

impl TestHost {
    pub(crate) fn set_packs(&self, packs: usize) {
        self.packs.store(packs, Ordering::SeqCst);
    }

    /// Serves no other tenant any more.
    pub(crate) fn only(&self, tenant: &str) {
        self.tenants.lock().unwrap().retain(|id, _| id == tenant);
    }

    /// How many reloads were asked for.
    pub(crate) fn reloads(&self) -> usize {
        self.reloads.load(Ordering::SeqCst)
    }

    /// How many dead letters and undelivered replies were to be changed.
    pub(crate) fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Resolves once a request is in the flow `hold`.
    pub(crate) async fn held(&self) {
        self.held.acquire().await.unwrap().forget();
    }

    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }

    fn trace(&self, event: &Event, id: EventId, what: What) {
        let (tenant, session) = (event.tenant.clone(), event.session.shown());
        let run = RunId(uuid::Uuid::nil());
        self.trace.observe(&TraceEvent { tenant, session, event: id, run, at: Timestamp(0), what });
    }

    fn result(&self, flow: &str, input: &Value, run: usize) -> Result<Value> {
        Ok(match flow {
            "chat" => json!({"text": format!("echo: {}", input["text"].as_str().unwrap_or_default())}),
            "echo" => json!("echo"),
            "answer" => input["raw"]["body"].clone(),
            "input" => json!({"status": 200, "body": input}),
            "count" => json!(format!("run {run}")),
            "hold" => json!("released"),
            "trap" => return Err(Error::new(Code::GuestTrap, "canary: unreachable at 0x1234")),
            "busy" => return Err(Error::new(Code::Overloaded, "canary: queue of 5 is full")),
            "panic" => panic!("canary"),
            _ => return Err(Error::new(Code::FlowUnknown, "canary: flows are a, b, c")),
        })
    }

    fn store(&self, event: &Event, reply: &Value) {
        if let ReplyTo::Route(route) = &event.reply_to {
            let mut replies = self.replies.lock().unwrap();
            let list = replies.entry(route.clone()).or_default();
            let seq = list.len() as u64 + 1;
            list.push(StoredReply { seq, payload: Bytes::from(reply.to_string()), at: Timestamp(0) });
            drop(replies);
            self.watch.tell(route);
        }
    }
}

impl TestHost {
    fn take(&self, event: Event, once: Option<Once>) -> Result<Submitted> {
        let keys = event.dedupe.clone();
        let mut seen = self.seen.lock().unwrap();
        if let Some((event, outcome, print)) = keys.iter().find_map(|key| seen.get(key)) {
            let superseded = once.is_some_and(|once| once.supersedes == Some(*event));
            if !superseded {
                let ended = outcome.peek().is_some();
                let repeats = once.map(|once| Repeats { same: *print == Some(once.fingerprint), ended });
                let (outcome, waiter) = (outcome.clone().boxed(), Waiter::default());
                return Ok(Submitted { event: *event, duplicate: true, repeats, outcome, waiter });
            }
        }
        let flow = match &event.flow {
            FlowChoice::Id(id) => id.to_string(),
            FlowChoice::Kind(_) | FlowChoice::Default | FlowChoice::Completion => "chat".into(),
        };
        let run = self.runs() + 1;
        let reply = self.result(&flow, &event.input, run)?;
        self.runs.store(run, Ordering::SeqCst);
        let id = EventId(run as u64);
        self.trace(&event, id, What::Started { flow: Id::from(&*flow) });
        self.store(&event, &reply);
        self.trace(&event, id, What::Finished { steps: 1, micros: 1 });
        let released = (flow == "hold").then(|| Arc::clone(&self.released));
        if released.is_some() {
            self.held.add_permits(1);
        }
        let session = event.session.shown();
        let outcome: Shareable = async move {
            if let Some(released) = released {
                released.acquire().await.unwrap().forget();
            }
            Ok(Outcome { status: Status::Completed, replies: vec![reply], session, flow: Id::from(flow) })
        }
        .boxed()
        .shared();
        let print = once.map(|once| once.fingerprint);
        seen.extend(keys.into_iter().map(|key| (key, (id, outcome.clone(), print))));
        let (outcome, waiter) = (outcome.boxed(), Waiter::default());
        Ok(Submitted { event: id, duplicate: false, repeats: None, outcome, waiter })
    }
}

#[async_trait]
impl Backend for TestHost {
    async fn submit(&self, event: Event) -> Result<Submitted> {
        self.take(event, None)
    }

    async fn submit_for(&self, event: Event, _: Fits) -> Result<Submitted> {
        self.take(event, None)
    }

    async fn submit_once(&self, event: Event, once: Once) -> Result<Submitted> {
        self.take(event, Some(once))
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        let replies = self.replies.lock().unwrap();
        let list = replies.get(route).into_iter().flatten();
        Ok(list.filter(|reply| reply.seq > after).take(limit).cloned().collect())
    }

    fn watch(&self, route: &ReplyRoute) -> RouteWatch {
        self.watch.subscribe(route)
    }

    fn outbox(&self) -> Outbox {
        Outbox { store: Arc::new(MemoryStore::default()), watch: Arc::clone(&self.watch) }
    }

    fn trace(&self) -> broadcast::Receiver<Arc<TraceEvent>> {
        self.trace.subscribe()
    }

    fn tenants(&self) -> Vec<Id> {
        self.tenants.lock().unwrap().keys().map(|id| Id::from(&**id)).collect()
    }

    fn config(&self, tenant: &str) -> Option<Arc<HostConfig>> {
        self.tenants.lock().unwrap().get(tenant).cloned()
    }

    fn env(&self) -> Id {
        Id::from("test")
    }

    fn secrets(&self) -> Arc<dyn SecretsManager> {
        Arc::new(EnvSecrets::with_vars(&self.tenants(), |_| None).unwrap())
    }

    fn is_loopback(&self) -> bool {
        false
    }

    async fn complete_with(&self, _: Arc<dyn Completer>) -> Result<()> {
        Ok(())
    }

    async fn land(&self, _: &str, landing: Landing, _: Instant) -> Result<()> {
        match landing.state.as_deref() {
            Some("good") => Ok(()),
            Some("refused") => Err(Error::new(Code::OAuthRefused, "canary")),
            Some("down") => Err(Error::new(Code::OAuthUnavailable, "canary")),
            Some("broken") => Err(Error::new(Code::OAuthSecret, "canary")),
            _ => Err(Error::new(Code::OAuthState, "canary")),
        }
    }

    fn health(&self) -> Health {
        Health {
            started: true,
            active_packs: self.packs.load(Ordering::SeqCst),
            last_load: Some(Timestamp(1000)),
            last_error: Some("GRH-0207: canary".to_owned()),
        }
    }

    fn readiness(&self) -> Readiness {
        let lacking = NotReady { code: "GRH-0209".into(), tenants: 2 };
        Readiness::unless(if self.packs.load(Ordering::SeqCst) == 0 { vec![lacking] } else { Vec::new() })
    }

    fn packs_status(&self) -> PacksStatus {
        PacksStatus { tenants: Vec::new(), active: 0, last_reload: None, last_error: None }
    }

    /// The first five go well and share an id.
    fn request_reload(&self, by: &str) -> Result<String> {
        assert_eq!(by, "127.0.0.1");
        match self.reloads.fetch_add(1, Ordering::SeqCst) {
            0..5 => Ok("reload-1".into()),
            _ => Err(Error::new(Code::Overloaded, "canary")),
        }
    }

    fn reload(&self, id: &str) -> Option<ReloadReport> {
        let known = id == "reload-1" && self.reloads() > 0;
        known.then(|| ReloadReport {
            id: id.into(),
            state: ReloadState::Running,
            requested: "2026-01-01T00:00:00Z".into(),
            ended: None,
            error: None,
            tenants: Vec::new(),
        })
    }

    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
        let letter = |tenant: &str, event| DeadLetter {
            event: EventId(event),
            origin: EventId(if event == 2 { 1 } else { event }),
            tenant: Id::from(tenant),
            lane: Lane(Id::from("canary")),
            payload: Bytes::from_static(b"canary"),
            accepted_at: Timestamp(0),
            failure: Failure { code: "GRH-0503".into(), message: "canary".into(), at: Timestamp(1000) },
        };
        let all = [letter("demo", 3), letter("acme", 2), letter("demo", 1)];
        Ok(all.into_iter().filter(|letter| tenant.is_none_or(|id| *id == letter.tenant)).take(limit).collect())
    }

    /// The dead letters 1 and 3 can be replayed.
    async fn replay(&self, event: EventId) -> Result<EventId> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        match event.0 {
            1 | 3 => Ok(EventId(event.0 + 100)),
            2 => Err(Error::new(Code::ReplayImpossible, "pack p is not loaded")),
            other => Err(Error::new(Code::DeadLetterUnknown, format!("event {other} is no dead letter"))),
        }
    }

    async fn purge_dead(&self, event: EventId) -> Result<()> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        match event.0 {
            1..=3 => Ok(()),
            other => Err(Error::new(Code::DeadLetterUnknown, format!("event {other} is no dead letter"))),
        }
    }

    async fn undelivered(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>> {
        let reply = |tenant: &str, id, done| Undelivered {
            id,
            tenant: Id::from(tenant),
            route: reply_route(tenant, "slack", "canary"),
            payload: Bytes::from_static(b"canary"),
            at: Timestamp(0),
            done,
            failure: Failure { code: "GRH-0850".into(), message: "canary".into(), at: Timestamp(1000) },
        };
        let all = [reply("demo", 9, 2), reply("acme", 8, 0), reply("demo", 7, 0)];
        Ok(all.into_iter().filter(|reply| tenant.is_none_or(|id| *id == reply.tenant)).take(limit).collect())
    }

    async fn resend(&self, id: u64) -> Result<()> {
        self.purge_undelivered(id).await
    }

    async fn purge_undelivered(&self, id: u64) -> Result<()> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        match id {
            7..=9 => Ok(()),
            other => Err(Error::new(Code::UndeliveredUnknown, format!("no undelivered reply has the number {other}"))),
        }
    }
}
