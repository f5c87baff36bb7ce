use std::collections::VecDeque;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::egress::{Answer, Auth, ClientCredentials, Rate, by_status};
use crate::secret::Secret;
use crate::session::{SessionKey, reply_route};
use crate::store::{Completion, End, MemoryStore, NewEvent, NewReply};

/// How many routes are looked for at once.
const FEW: usize = 4;

/// A platform on a port of its own.
#[derive(Default)]
struct Platform {
    /// What was taken, as `place text`.
    taken: Mutex<Vec<String>>,
    /// What the next requests are answered with; then 200.
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    tokens: Mutex<u32>,
    changed: Notify,
}

async fn take(
    State(platform): State<Arc<Platform>>,
    Path(place): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let scripted = platform.answers.lock().pop_front();
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    if let Some((status, retry_after)) = scripted {
        platform.changed.notify_one();
        return (StatusCode::from_u16(status).unwrap(), [("retry-after", retry_after)]).into_response();
    }
    if place == "app" && token != format!("Bearer t{}", *platform.tokens.lock()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    platform.taken.lock().push(format!("{place} {body}"));
    platform.changed.notify_one();
    StatusCode::OK.into_response()
}

async fn token(State(platform): State<Arc<Platform>>, body: String) -> Response {
    assert_eq!(body, "grant_type=client_credentials&client_id=app&client_secret=canary%26&scope=all");
    let mut tokens = platform.tokens.lock();
    *tokens += 1;
    json!({"access_token": format!("t{tokens}"), "expires_in": 3600}).to_string().into_response()
}

impl Platform {
    async fn start(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.serve(listener);
        address
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) {
        let routes = Router::new().route("/to/{place}", post(take)).route("/token", post(token));
        let router = routes.with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    /// Waits until so many requests were taken.
    async fn took(&self, count: usize) -> Vec<String> {
        loop {
            let taken = self.taken.lock().clone();
            if taken.len() >= count {
                return taken;
            }
            self.changed.notified().await;
        }
    }
}

/// Sends each text of a reply by a request of its own, `!` first where there is another way.
struct ByText(SocketAddr);

impl Sender for ByText {
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>> {
        let base = self.0;
        let auth = match to {
            "app" => Auth::Client(ClientCredentials {
                token_url: format!("http://{base}/token"),
                client_id: "app".into(),
                client_secret: Secret::new("canary&"),
                scope: "all".into(),
            }),
            _ => Auth::Bearer(Secret::new("canary")),
        };
        let call = |text: &Value| {
            let call = |place: &str| Call::post("say", format!("http://{base}/to/{place}"), auth.clone(), text.clone());
            if text == "!" { call(to).or(call("other")) } else { call(to) }
        };
        match reply {
            Value::Array(texts) => Ok(texts.iter().map(call).collect()),
            Value::Null => Err(Error::new(Code::RequestInvalid, "nothing can be made of it")),
            Value::Bool(_) => panic!("a bug"),
            text => Ok(vec![call(text)]),
        }
    }

    fn judge(&self, _: &Call, answer: &Answer<'_>) -> Verdict {
        assert_ne!(answer.status, 418, "a bug");
        by_status(answer)
    }
}

struct Host {
    store: Arc<MemoryStore>,
    watch: Arc<ReplyWatch>,
    courier: Arc<Courier>,
    clock: Arc<ManualClock>,
}

impl Host {
    fn new(address: SocketAddr) -> Self {
        Self::with(address, Arc::default())
    }

    fn with(address: SocketAddr, store: Arc<MemoryStore>) -> Self {
        let (watch, clock) = (Arc::<ReplyWatch>::default(), Arc::new(ManualClock::new(Timestamp(1000))));
        let rate = Rate { every: Duration::from_millis(1), burst: 1000 };
        let outlet = Outlet { tenant: Id::from("t"), provider: "chat", sender: Arc::new(ByText(address)), rate };
        let (store_, watch_) = (Arc::clone(&store), Arc::clone(&watch));
        let courier = Courier::with_scan(store_, watch_, vec![outlet], clock.clone(), FEW).unwrap();
        Self { store, watch, courier, clock }
    }

    fn start(&self) -> tokio::task::JoinHandle<()> {
        let courier = Arc::clone(&self.courier);
        tokio::spawn(async move { courier.run(std::future::pending(), Duration::from_secs(5)).await })
    }

    /// Stores a reply as a run does.
    async fn reply(&self, place: &str, reply: Value) {
        let lane = SessionKey::canonical("t", "chat", place, "u").lane("p");
        let event = NewEvent {
            tenant: Id::from("t"),
            lane: lane.clone(),
            dedupe: Vec::new(),
            dedupe_ttl: Duration::ZERO,
            once: None,
            payload: Bytes::new(),
            accepted_at: self.clock.now(),
            deadline: self.clock.now(),
        };
        self.store.accept(event).await.unwrap();
        let claim = self.store.claim(&lane, self.clock.now(), Duration::MAX).await.unwrap().unwrap();
        let route = route(place);
        let replies = vec![NewReply {
            route: route.clone(),
            payload: Bytes::from(reply.to_string()),
            at: self.clock.now(),
            trace: None,
        }];
        let end = End::Finished { run: None };
        self.store.complete(&claim.token, Completion { state: Vec::new(), replies, end, result: None }).await.unwrap();
        self.watch.tell(&route);
    }

    /// Waits until nothing is under way.
    async fn idle(&self) {
        while !self.courier.active.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    async fn undelivered(&self) -> Vec<(String, u32)> {
        let all = self.store.undelivered_replies(None, 10).await.unwrap();
        all.into_iter().map(|one| (one.failure.code, one.done)).collect()
    }

    fn count(&self, of: Delivery) -> u64 {
        self.courier.counts().iter().filter(|count| count.delivery == of).map(|count| count.count).sum()
    }
}

fn route(place: &str) -> ReplyRoute {
    reply_route("t", "chat", place)
}

#[tokio::test]
async fn replies_go_out_in_order_before_and_after_the_start() {
    let platform = Arc::new(Platform::default());
    let host = Host::new(platform.start().await);
    host.reply("a", json!("1")).await;
    host.reply("a", json!(["2", "3"])).await;
    let task = host.start();
    platform.took(3).await;
    for text in 4..10 {
        host.reply("a", json!(text.to_string())).await;
        host.reply("b", json!(text.to_string())).await;
    }
    platform.took(15).await;
    host.idle().await;
    let taken = platform.taken.lock().clone();
    let of = |place: &str| -> Vec<_> {
        taken.iter().filter_map(|line| line.strip_prefix(place)?.trim_matches([' ', '"']).parse::<u32>().ok()).collect()
    };
    assert_eq!((of("a"), of("b")), ((1..10).collect(), (4..10).collect()));
    assert_eq!(host.store.counts().await.unwrap().replies, 0);
    assert_eq!(host.count(Delivery::Sent), 14);
    task.abort();
}

#[tokio::test]
async fn more_routes_than_are_looked_for_at_once_are_sent_to() {
    let platform = Arc::new(Platform::default());
    let host = Host::new(platform.start().await);
    let mut all: Vec<_> = (0..5 * FEW).map(|place| format!("p{place:02}")).collect();
    for place in &all {
        host.reply(place, json!("1")).await;
    }
    let task = host.start();
    let mut taken = platform.took(all.len()).await;
    taken.sort_unstable();
    all.iter_mut().for_each(|place| place.push_str(r#" "1""#));
    assert_eq!(taken, all);
    task.abort();
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_and_keeps_its_place() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(429, "0"), (503, "0")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!("1")).await;
    host.reply("a", json!("2")).await;
    let task = host.start();
    assert_eq!(platform.took(2).await, [r#"a "1""#, r#"a "2""#]);
    assert_eq!(host.count(Delivery::Later), 2);
    task.abort();
}

#[tokio::test]
async fn what_may_have_been_taken_is_not_repeated() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(500, "")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!(["1", "2"])).await;
    host.reply("a", json!("3")).await;
    let task = host.start();
    assert_eq!(platform.took(2).await, [r#"a "2""#, r#"a "3""#]);
    host.idle().await;
    assert_eq!(host.undelivered().await, [("GRH-0849".to_owned(), 0)]);
    // Somebody looked, and wants it sent again: from the part on of which nobody knew.
    let id = host.store.undelivered_replies(None, 1).await.unwrap()[0].id;
    let route = host.store.resend(id, Timestamp(2000)).await.unwrap().unwrap();
    host.watch.tell(&route);
    assert_eq!(platform.took(4).await[2..], [r#"a "1""#, r#"a "2""#]);
    task.abort();
}

#[tokio::test]
async fn a_request_that_a_crash_interrupted_is_not_repeated() {
    let platform = Arc::new(Platform::default());
    let address = platform.start().await;
    let before = Host::new(address);
    before.reply("a", json!(["1", "2", "3"])).await;
    before.store.begin_part(&route("a"), 1, 1).await.unwrap();
    let host = Host::with(address, Arc::clone(&before.store));
    let task = host.start();
    assert_eq!(platform.took(1).await, [r#"a "3""#]);
    host.idle().await;
    assert_eq!(host.undelivered().await, [("GRH-0849".to_owned(), 1)]);
    task.abort();
}

#[tokio::test]
async fn what_is_refused_is_kept_and_the_next_one_goes_on() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(403, "")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!("1")).await;
    host.reply("a", Value::Null).await;
    host.reply("a", json!((0..=MOST_PARTS).collect::<Vec<_>>())).await;
    host.reply("a", json!("2")).await;
    let task = host.start();
    assert_eq!(platform.took(1).await, [r#"a "2""#]);
    host.idle().await;
    let refused = ("GRH-0848".to_owned(), 0);
    assert_eq!(host.undelivered().await, [refused.clone(), refused.clone(), refused]);
    task.abort();
}

#[tokio::test]
async fn a_sender_that_panics_holds_no_other_reply_up() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(418, "")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!(true)).await;
    host.reply("a", json!("1")).await;
    host.reply("a", json!("2")).await;
    let task = host.start();
    assert_eq!(platform.took(1).await, [r#"a "2""#]);
    host.idle().await;
    // Newest first. A request had been made of the second.
    assert_eq!(host.undelivered().await, [("GRH-0849".to_owned(), 0), ("GRH-0848".to_owned(), 0)]);
    task.abort();
}

#[tokio::test]
async fn there_may_be_another_way() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(404, "")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!("!")).await;
    let task = host.start();
    assert_eq!(platform.took(1).await, [r#"other "!""#]);
    task.abort();
}

#[tokio::test]
async fn a_platform_that_is_down_gets_everything_once_it_is_up() {
    let platform = Arc::new(Platform::default());
    // The port is taken and refuses connections until somebody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let host = Host::new(socket.local_addr().unwrap());
    host.reply("a", json!("1")).await;
    let task = host.start();
    while host.count(Delivery::Later) == 0 {
        tokio::task::yield_now().await;
    }
    platform.serve(socket.listen(16).unwrap());
    assert_eq!(platform.took(1).await, [r#"a "1""#]);
    task.abort();
}

#[tokio::test]
async fn an_app_asks_for_one_token_and_for_another_when_it_is_refused() {
    let platform = Arc::new(Platform::default());
    let host = Host::new(platform.start().await);
    for text in ["1", "2", "3"] {
        host.reply("app", json!(text)).await;
    }
    let task = host.start();
    platform.took(3).await;
    assert_eq!(*platform.tokens.lock(), 1);
    // The platform revoked it.
    platform.answers.lock().extend([(401, "")]);
    host.reply("app", json!("4")).await;
    platform.took(4).await;
    assert_eq!(*platform.tokens.lock(), 2);
    task.abort();
}

#[tokio::test]
async fn it_stops_while_it_waits_and_loses_nothing() {
    let platform = Arc::new(Platform::default());
    platform.answers.lock().extend([(429, "3000")]);
    let host = Host::new(platform.start().await);
    host.reply("a", json!("1")).await;
    let stop = async {
        while host.count(Delivery::Later) == 0 {
            tokio::task::yield_now().await;
        }
    };
    host.courier.run(stop, Duration::from_secs(5)).await;
    let waiting = host.store.next_reply(&route("a")).await.unwrap().unwrap();
    assert_eq!((waiting.seq, waiting.done, waiting.begun), (1, 0, None));
}

#[tokio::test]
async fn replies_that_clients_fetch_are_left_alone() {
    let platform = Arc::new(Platform::default());
    let host = Host::new(platform.start().await);
    let other = reply_route("t", "webchat", "a");
    host.watch.tell(&other);
    let task = host.start();
    host.reply("a", json!("1")).await;
    platform.took(1).await;
    assert!(host.courier.way(&other).is_none() && host.courier.way(&reply_route("u", "chat", "a")).is_none());
    task.abort();
}
