//! Direct Line at a real host: tokens, conversations, what was said and replied, streams.

#[path = "directline/published.rs"]
mod published;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::id::Id;
use greentic_runner_host::ingress::adapter::{Adapter as _, Channel, ChannelSecrets, Settings};
use greentic_runner_host::ingress::webchat::{Access, Grant, Use, Webchat, WebchatChannel};
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::secret::Secret;
use greentic_runner_host::server::HttpLimits;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::gate::Gate;
use crate::{Running, Setup, code};

const SECRET: &str = "direct-line-secret";
const BASE: &str = "/v3/directline";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn setup(config: &str, vars: &[(&'static str, &'static str)]) -> Setup {
    let bindings = format!("flow_type_bindings: {{ messaging: {{ adapter: webchat, config: {{ {config} }} }} }}");
    Setup { vars: vars.to_vec(), ..Setup::of(&bindings) }
}

/// The host of the tenant `t` with this `config` of its web chat, and the secret.
async fn chat_of(config: &str) -> Running {
    setup(config, &[("DIRECT_LINE_SECRET", SECRET)]).start().await.unwrap()
}

fn ask(host: &Running, method: Method, path: &str, bearer: &str) -> RequestBuilder {
    let request = host.client.request(method, host.url(path));
    if bearer.is_empty() { request } else { request.bearer_auth(bearer) }
}

async fn get(host: &Running, path: &str, bearer: &str) -> Response {
    ask(host, Method::GET, path, bearer).send().await.unwrap()
}

async fn post(host: &Running, path: &str, bearer: &str, body: &Value) -> Response {
    ask(host, Method::POST, path, bearer).json(body).send().await.unwrap()
}

async fn answer(response: Response, status: u16) -> Value {
    let found = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{body}");
    body
}

async fn refused(response: Response) -> (u16, String) {
    (response.status().as_u16(), code(response).await)
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A token for a conversation below `base`, generated with `bearer`.
async fn generate(host: &Running, base: &str, bearer: &str, wanted: &Value) -> Value {
    let token = answer(post(host, &format!("{base}/tokens/generate"), bearer, wanted).await, 200).await;
    assert_eq!(token["expires_in"], 1800);
    token
}

/// A conversation and its token.
struct Talk {
    conversation: String,
    token: String,
    stream: String,
}

impl Talk {
    /// Begins a conversation of this user.
    async fn begin(host: &Running, user: &str) -> Self {
        let token = generate(host, BASE, SECRET, &json!({"user": {"id": user}})).await;
        let begun = post(host, &format!("{BASE}/conversations"), token["token"].as_str().unwrap(), &json!({})).await;
        Self::of(&answer(begun, 201).await)
    }

    fn of(begun: &Value) -> Self {
        let text = |key: &str| begun[key].as_str().unwrap().to_owned();
        Self { conversation: text("conversationId"), token: text("token"), stream: text("streamUrl") }
    }

    fn path(&self, rest: &str) -> String {
        format!("{BASE}/conversations/{}{rest}", self.conversation)
    }

    async fn say(&self, host: &Running, text: &str) -> String {
        let said = json!({"type": "message", "from": {"id": "somebody"}, "text": text});
        let answer = answer(post(host, &self.path("/activities"), &self.token, &said).await, 200).await;
        answer["id"].as_str().unwrap().to_owned()
    }

    /// The texts of the conversation once there are `count`, and the watermark.
    async fn texts(&self, host: &Running, count: usize) -> (Vec<String>, String) {
        let mut socket = open(&self.stream).await;
        let mut texts = Vec::new();
        let mut watermark = String::new();
        while texts.len() < count {
            let set = set(&mut socket).await;
            texts.extend(set["activities"].as_array().unwrap().iter().map(|a| a["text"].as_str().unwrap().to_owned()));
            watermark = set["watermark"].as_str().unwrap().to_owned();
        }
        let polled = answer(get(host, &self.path("/activities"), &self.token).await, 200).await;
        assert_eq!(polled["activities"].as_array().unwrap().len(), count);
        assert_eq!(polled["watermark"], *watermark);
        (texts, watermark)
    }
}

async fn open(url: &str) -> Socket {
    connect_async(url).await.unwrap().0
}

/// The status that opening a stream is refused with.
async fn not_opened(url: &str, origin: Option<&str>) -> u16 {
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Err(WsError::Http(response)) => response.status().as_u16(),
        other => panic!("it was opened: {other:?}"),
    }
}

/// The next message that is not empty.
async fn set(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.expect("nothing comes");
        match message.unwrap().unwrap() {
            Message::Text(text) if !text.is_empty() => return serde_json::from_str(&text).unwrap(),
            Message::Text(_) | Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// How the server closes a stream.
async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.expect("it stays open");
        match message {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_shows_what_was_said_and_replied_in_one_order() {
    let host = chat_of("").await;
    let talk = Talk::begin(&host, "dl_ada").await;
    let mut socket = open(&talk.stream).await;
    let said = json!({
        "type": "message", "text": "hello", "id": "mine", "timestamp": "2001-01-01T00:00:00Z", "serviceUrl": "http://evil.example",
        "from": {"id": "dl_eve", "role": "bot", "name": "Ada"}, "conversation": {"id": "other"},
        "channelData": {"clientActivityID": "a1"},
    });
    let id = answer(post(&host, &talk.path("/activities"), &talk.token, &said).await, 200).await["id"].clone();
    assert!(id.as_str().unwrap().starts_with(&format!("{}|u", talk.conversation)));
    let mut seen = Vec::new();
    let mut watermark = json!("0");
    while seen.len() < 2 {
        let set = set(&mut socket).await;
        seen.extend(set["activities"].as_array().unwrap().iter().cloned());
        watermark = set["watermark"].clone();
    }
    assert_eq!(watermark, "2");
    assert_eq!((&seen[0]["id"], &seen[0]["text"]), (&id, &json!("hello")));
    assert_eq!(seen[0]["from"], json!({"id": "dl_ada", "role": "user", "name": "Ada"}));
    assert_eq!(seen[0]["conversation"]["id"], *talk.conversation);
    assert_eq!(seen[0]["channelData"]["clientActivityID"], "a1");
    assert_eq!(seen[0].get("serviceUrl"), None);
    assert_ne!(seen[0]["timestamp"], "2001-01-01T00:00:00Z");
    assert_eq!((&seen[1]["text"], &seen[1]["replyToId"]), (&json!("echo: hello"), &id));

    // Whoever comes back says what they have, and gets what came since.
    talk.say(&host, "more").await;
    assert_eq!(talk.texts(&host, 4).await.0, ["hello", "echo: hello", "more", "echo: more"]);
    let again = answer(get(&host, &talk.path("?watermark=2"), &talk.token).await, 200).await;
    assert_ne!(again["token"], "");
    let mut later = open(again["streamUrl"].as_str().unwrap()).await;
    let set = set(&mut later).await;
    assert_eq!(set["activities"][0]["text"], "more");
    let begun = post(&host, &format!("{BASE}/conversations"), &talk.token, &json!({})).await;
    assert_eq!(answer(begun, 200).await["conversationId"], *talk.conversation, "it has begun");
    // The web page's own way shows the same, to who may.
    let page = format!("/webchat/conversations/{}/activities?watermark=3", talk.conversation);
    assert_eq!(answer(get(&host, &page, SECRET).await, 200).await["activities"][0]["text"], "echo: more");
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_seen_while_the_flow_still_runs_and_kept_once() {
    let gate = Gate::closed();
    let mut setup = setup("", &[("DIRECT_LINE_SECRET", SECRET)]);
    setup.store = Some(Arc::clone(&gate) as _);
    let host = setup.start().await.unwrap();
    let held = Talk::begin(&host, "dl_held").await;
    held.say(&host, "one").await;
    held.say(&host, "two").await;
    let mut socket = open(&held.stream).await;
    let mut texts = Vec::new();
    while texts.len() < 2 {
        texts.extend(set(&mut socket).await["activities"].as_array().unwrap().iter().map(|said| said["text"].clone()));
    }
    assert_eq!(texts, ["one", "two"]);
    gate.open();
    let (texts, _) = held.texts(&host, 4).await;
    assert_eq!(texts, ["one", "two", "echo: one", "echo: two"]);
    // The store fails after it was kept and before it is an event of its session: it is taken up again.
    let stumbling = Talk::begin(&host, "dl_stumbling").await;
    stumbling.say(&host, "once").await;
    assert_eq!(stumbling.texts(&host, 2).await.0, ["once", "echo: once"]);
    host.idle().await;
    assert_eq!(stumbling.texts(&host, 2).await.0, ["once", "echo: once"]);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_copies_of_an_activity_are_one() {
    let host = chat_of("").await;
    let talk = Talk::begin(&host, "dl_ada").await;
    let said =
        json!({"type": "message", "from": {"id": "dl_ada"}, "text": "once", "channelData": {"clientActivityID": "a"}});
    let path = talk.path("/activities");
    let all = (0..50).map(|_| async { answer(post(&host, &path, &talk.token, &said).await, 200).await["id"].clone() });
    let ids = futures::future::join_all(all).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    host.idle().await;
    assert_eq!(talk.texts(&host, 2).await.0, ["once", "echo: once"]);
    // The same id in another conversation is another activity.
    let other = Talk::begin(&host, "dl_ada").await;
    answer(post(&host, &other.path("/activities"), &other.token, &said).await, 200).await;
    assert_eq!(other.texts(&host, 2).await.0, ["once", "echo: once"]);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_one_conversation_of_one_tenant() {
    let vars = [("T__DIRECT_LINE_SECRET", SECRET), ("U__DIRECT_LINE_SECRET", SECRET)];
    let mut setup = setup("", &vars);
    setup.tenants.push(("u", setup.tenants[0].1.clone()));
    let host = setup.start().await.unwrap();
    let (mine, other) = (Talk::begin(&host, "dl_ada").await, Talk::begin(&host, "dl_eve").await);
    let hello = json!({"type": "message", "from": {"id": "dl_ada"}, "text": "hello"});
    let denied = is(403, "GRH-0861");
    assert_eq!(refused(post(&host, &other.path("/activities"), &mine.token, &hello).await).await, denied);
    assert_eq!(refused(get(&host, &other.path("/activities"), &mine.token).await).await, denied);
    assert_eq!(refused(get(&host, &other.path(""), &mine.token).await).await, denied);
    let stolen = other.stream.replace(&other.conversation, &mine.conversation);
    assert_eq!(not_opened(&stolen, None).await, 403);
    // A token for a stream is for nothing else, and one for requests opens no stream.
    let of_stream = mine.stream.split("&t=").nth(1).unwrap();
    assert_eq!(refused(get(&host, &mine.path("/activities"), of_stream).await).await, is(401, "GRH-0860"));
    assert_eq!(not_opened(&mine.stream.replace(of_stream, &mine.token), None).await, 401);
    assert_eq!(not_opened(mine.stream.split("&t=").next().unwrap(), None).await, 401);
    // The other tenant has the same secret, and still tokens of its own.
    for (method, path) in [(Method::GET, mine.path("/activities")), (Method::POST, format!("{BASE}/tokens/refresh"))] {
        let response = ask(&host, method, &format!("/t/u{path}"), &mine.token).send().await.unwrap();
        assert_eq!(refused(response).await, is(401, "GRH-0860"), "{path}");
    }
    // The activities route of the same channel takes tokens as well, and is bound by them.
    let at = |conversation: &str| json!({"type": "message", "from": {"id": "x"}, "conversation": {"id": conversation}, "text": "hi"});
    assert_eq!(refused(post(&host, "/webchat/activities", &mine.token, &at(&other.conversation)).await).await, denied);
    let page = format!("/webchat/conversations/{}/activities", other.conversation);
    assert_eq!(refused(get(&host, &page, &mine.token).await).await, denied);
    assert_eq!(refused(get(&host, &page, "").await).await, is(401, "GRH-0860"));
    answer(post(&host, "/webchat/activities", &mine.token, &at(&mine.conversation)).await, 202).await;
    assert_eq!(mine.texts(&host, 1).await.0, ["echo: hi"]);
    // With the secret every conversation may be used, but none may be made up.
    assert_eq!(answer(get(&host, &other.path("/activities"), SECRET).await, 200).await["activities"], json!([]));
    let made_up = format!("{BASE}/conversations/made-up/activities");
    assert_eq!(refused(post(&host, &made_up, SECRET, &hello).await).await, is(404, "GRH-0864"));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_tokens_give_are_given_by_nobody_else() {
    let host = chat_of("").await;
    let free = generate(&host, BASE, SECRET, &json!({})).await;
    let free = free["token"].as_str().unwrap();
    let start = format!("{BASE}/conversations");
    let of = |user: &str| json!({"user": {"id": user}});
    assert_eq!(refused(post(&host, &start, free, &of("dl_ada")).await).await, is(403, "GRH-0861"));
    let talk = Talk::of(&answer(post(&host, &start, free, &of("ada")).await, 201).await);
    talk.say(&host, "bound").await;
    let unbound =
        Talk { token: free.to_owned(), ..Talk::of(&answer(post(&host, &start, free, &json!({})).await, 200).await) };
    let as_user = |user: &str| json!({"type": "message", "from": {"id": user}, "text": user});
    let posted = post(&host, &unbound.path("/activities"), &unbound.token, &as_user("dl_ada")).await;
    assert_eq!(refused(posted).await, is(403, "GRH-0861"));
    answer(post(&host, &unbound.path("/activities"), &unbound.token, &as_user("eve")).await, 200).await;
    host.idle().await;
    let all = answer(get(&host, &talk.path("/activities"), &talk.token).await, 200).await;
    let users = all["activities"].as_array().unwrap().iter().filter(|a| a["from"]["role"] == "user");
    assert_eq!(users.map(|a| a["from"]["id"].clone()).collect::<Vec<_>>(), ["ada", "eve"]);
    // Only the secret generates, only tokens are refreshed.
    let generated = post(&host, &format!("{BASE}/tokens/generate"), free, &json!({})).await;
    assert_eq!(refused(generated).await, is(403, "GRH-0861"));
    let refreshed = post(&host, &format!("{BASE}/tokens/refresh"), SECRET, &json!({})).await;
    assert_eq!(refused(refreshed).await, is(403, "GRH-0861"));
    host.end().await;
}

struct Secrets(&'static str);

impl ChannelSecrets for Secrets {
    fn get(&self, name: &str) -> Vec<Secret> {
        if name == "DIRECT_LINE_SECRET" { vec![Secret::new(self.0)] } else { Vec::new() }
    }
}

/// What whoever knows a secret can make tokens with.
fn access(secret: &'static str) -> Access {
    let (config, secrets) = (serde_json::Map::new(), Secrets(secret));
    let settings = Settings { tenant: Id::from("t"), flow: FlowChoice::Default, config: &config, secrets: &secrets };
    let channel: Box<dyn Channel> = Webchat.open(&settings).unwrap();
    let channel: Box<dyn Any> = channel;
    channel.downcast::<WebchatChannel>().unwrap().access
}

fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond() - minutes * 60_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_are_refreshed_and_outlive_a_change_of_the_secret() {
    let vars = [("DIRECT_LINE_SECRET", "new"), ("DIRECT_LINE_SECRET_PREVIOUS", "old")];
    let host = setup("", &vars).start().await.unwrap();
    let conversation = "0123456789abcdef0123456789abcdef".to_owned();
    let grant = Grant { conversation: conversation.clone(), user: Some("dl_ada".into()), origins: Vec::new() };
    let issued = |secret, minutes| access(secret).issue("t", &grant, Use::Requests, minutes_ago(minutes)).unwrap();
    let path = format!("{BASE}/conversations/{conversation}/activities");
    let refresh = format!("{BASE}/tokens/refresh");
    for secret in ["new", "old"] {
        assert_eq!(get(&host, &path, &issued(secret, 29)).await.status(), 200);
        for minutes in [30, 31, 60 * 24] {
            assert_eq!(refused(get(&host, &path, &issued(secret, minutes)).await).await, is(403, "GRH-0862"));
            let late = post(&host, &refresh, &issued(secret, minutes), &json!({})).await;
            assert_eq!(refused(late).await, is(403, "GRH-0862"));
        }
        assert_eq!(generate(&host, BASE, secret, &json!({})).await["expires_in"], 1800);
    }
    // What is refreshed is signed by the new secret and grants the same.
    let refreshed = answer(post(&host, &refresh, &issued("old", 20), &json!({})).await, 200).await;
    assert_eq!(refreshed["conversationId"], *conversation);
    let token = refreshed["token"].as_str().unwrap();
    let mut lines = http::HeaderMap::new();
    lines.insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert!(access("new").caller("t", &lines, minutes_ago(0)).is_ok());
    assert!(access("old").caller("t", &lines, minutes_ago(0)).is_err());
    // Forged ones: another secret's, no algorithm, another claim.
    let [head, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = "eyJhbGciOiJub25lIn0";
    let changed = format!("{}A{}", &claims[..20], &claims[21..]);
    for forged in [
        issued("other", 0),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{head}.{changed}.{signature}"),
        format!("{head}.{claims}."),
        "ne".into(),
        "eyJ.eyJ.x".into(),
    ] {
        let response = get(&host, &path, &forged).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"directline\"");
        assert_eq!(refused(response).await, is(401, "GRH-0860"), "{forged}");
    }
    assert_eq!(refused(get(&host, &path, "").await).await, is(401, "GRH-0860"));
    let status: Value = get(&host, "/admin/channels", "").await.json().await.unwrap();
    let routes = status["routes"].as_array().unwrap();
    assert!(routes.iter().any(|route| route["route"] == "POST /v3/directline/conversations/{conversation}/activities"
        && route["verified"] == "verified: Direct Line secret, or a token made by it"));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_it_is_off_unless_it_is_said_to_be_open() {
    let off = setup("", &[]).start().await.unwrap();
    for (method, path) in [
        (Method::POST, "/tokens/generate"),
        (Method::POST, "/conversations"),
        (Method::GET, "/conversations/0123456789abcdef0123456789abcdef"),
        (Method::POST, "/conversations/0123456789abcdef0123456789abcdef/activities"),
        (Method::GET, "/conversations/0123456789abcdef0123456789abcdef/activities"),
        (Method::GET, "/conversations/0123456789abcdef0123456789abcdef/stream"),
    ] {
        let response = ask(&off, method, &format!("{BASE}{path}"), "").json(&json!({})).send().await.unwrap();
        assert_eq!(refused(response).await, is(403, "GRH-0805"), "{path}");
    }
    off.end().await;
    let open = setup("insecure: true", &[]).start().await.unwrap();
    for bearer in ["", "undefined"] {
        let begun = post(&open, &format!("{BASE}/conversations"), bearer, &json!({"user": {"id": "ada"}})).await;
        let talk = Talk::of(&answer(begun, 201).await);
        talk.say(&open, "hello").await;
        assert_eq!(talk.texts(&open, 2).await.0, ["hello", "echo: hello"]);
        let without = post(&open, &talk.path("/activities"), bearer, &json!({"type": "message", "text": "?"})).await;
        assert_eq!(refused(without).await, is(400, "GRH-0801"), "somebody must have said it");
    }
    open.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_taken_and_dropped_and_what_is_nothing_is_refused() {
    let host = chat_of("").await;
    let talk = Talk::begin(&host, "dl_ada").await;
    let path = talk.path("/activities");
    for kind in ["typing", "event", "conversationUpdate", "endOfConversation", "invented_in_2031"] {
        let id = answer(post(&host, &path, &talk.token, &json!({"type": kind, "from": {"id": "a"}})).await, 200).await;
        assert!(id["id"].as_str().unwrap().starts_with(&talk.conversation), "{kind}");
    }
    host.idle().await;
    let polled = answer(get(&host, &path, &talk.token).await, 200).await;
    assert_eq!(polled, json!({"activities": [], "watermark": "0"}));
    for watermark in ["-1", "x", "+1", "1.5", "99999999999999999999", "%00"] {
        for path in [talk.path(""), talk.path("/activities")] {
            let response = get(&host, &format!("{path}?watermark={watermark}"), &talk.token).await;
            assert_eq!(refused(response).await, is(400, "GRH-0801"), "{path} {watermark}");
        }
        let stream = talk.stream.replace("watermark=&", &format!("watermark={watermark}&"));
        assert_eq!(not_opened(&stream, None).await, 400, "{watermark}");
    }
    let far = get(&host, &talk.path("/activities?watermark=18446744073709551615"), &talk.token).await;
    assert_eq!(answer(far, 200).await["activities"], json!([]));
    for body in [&b"["[..], b"[]", b"{\"type\": 5}", b"{\"type\": \"message\", \"text\": 5}", b"\xff"] {
        let request = ask(&host, Method::POST, &path, &talk.token).header("content-type", "application/json");
        assert_eq!(refused(request.body(body).send().await.unwrap()).await, is(400, "GRH-0801"));
    }
    let text = ask(&host, Method::POST, &path, &talk.token).body("{}").send().await.unwrap();
    assert_eq!(refused(text).await, is(415, "GRH-0808"));
    let plain =
        get(&host, talk.stream.split_once("/v3").map(|(_, rest)| format!("/v3{rest}")).unwrap().as_str(), "").await;
    assert_eq!(refused(plain).await, is(400, "GRH-0801"), "no WebSocket");
    for wanted in [json!({"user": "ada"}), json!({"user": {"id": 1}}), json!({"trustedOrigins": ["*"]}), json!([])] {
        let response = post(&host, &format!("{BASE}/tokens/generate"), SECRET, &wanted).await;
        assert_eq!(refused(response).await, is(400, "GRH-0801"), "{wanted}");
    }
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_beside_an_activity() {
    let host = chat_of("").await;
    let talk = Talk::begin(&host, "dl_ada").await;
    let body = "--b\r\ncontent-disposition: form-data; name=\"activity\"\r\ncontent-type: application/vnd.microsoft.activity\r\n\r\n\
        {\"type\":\"message\",\"from\":{\"id\":\"eve\"},\"text\":\"see\"}\r\n\
        --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\ncontent-type: text/plain\r\n\r\nhello\r\n--b--\r\n";
    let upload = |body: String| {
        let request = ask(&host, Method::POST, &talk.path("/upload?userId=eve"), &talk.token);
        request.header("content-type", "multipart/form-data; boundary=b").body(body).send()
    };
    answer(upload(body.to_owned()).await.unwrap(), 200).await;
    assert_eq!(talk.texts(&host, 2).await.0, ["see", "echo: see"]);
    let polled = answer(get(&host, &talk.path("/activities"), &talk.token).await, 200).await;
    assert_eq!(polled["activities"][0]["from"]["id"], "dl_ada");
    assert_eq!(polled["activities"][0]["attachments"][0]["contentUrl"], "data:text/plain;base64,aGVsbG8=");
    assert_eq!(refused(upload("--b\r\n".into()).await.unwrap()).await, is(400, "GRH-0801"));
    let large = body.replace("hello", &"x".repeat(2 << 20));
    assert_eq!(refused(upload(large).await.unwrap()).await, is(413, "GRH-0802"));
    let json = post(&host, &talk.path("/upload"), &talk.token, &json!({})).await;
    assert_eq!(refused(json).await, is(415, "GRH-0808"));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_allowed_sites_may_use_it() {
    let host = chat_of("allowed_origins: [https://shop.example]").await;
    let talk = Talk::begin(&host, "dl_ada").await;
    let own = host.url("");
    let preflight = |origin: &str| {
        let request = ask(&host, Method::OPTIONS, &talk.path("/activities"), "").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,content-type,x-ms-bot-agent").send()
    };
    let asked = preflight("https://shop.example").await.unwrap();
    assert_eq!(asked.status(), 200);
    assert_eq!(asked.headers()["access-control-allow-origin"], "https://shop.example");
    let allowed = asked.headers()["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
    for name in ["authorization", "content-type", "x-ms-bot-agent"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    assert!(asked.headers()["vary"].to_str().unwrap().to_ascii_lowercase().contains("origin"));
    assert!(!asked.headers().contains_key("access-control-allow-credentials"));
    for (origin, status, told) in [
        (Some("https://shop.example"), 200, Some("https://shop.example")),
        (Some(&*own), 200, None),
        (None, 200, None),
        (Some("https://evil.example"), 403, None),
        (Some("http://shop.example"), 403, None),
        (Some("null"), 403, None),
    ] {
        let mut request = ask(&host, Method::GET, &talk.path("/activities"), &talk.token);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let response = request.send().await.unwrap();
        let found =
            response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((response.status().as_u16(), found.as_deref()), (status, told), "{origin:?}");
        if status == 403 {
            assert_eq!(code(response).await, "GRH-0863");
            assert_eq!(not_opened(&talk.stream, origin).await, 403);
        }
    }
    assert_eq!(refused(preflight("https://evil.example").await.unwrap()).await, is(403, "GRH-0863"));
    // What goes wrong is told to pages as well, and other routes are open to none.
    let wrong = ask(&host, Method::GET, &talk.path("/activities"), "x").header("origin", "https://shop.example");
    let wrong = wrong.send().await.unwrap();
    assert_eq!(wrong.headers()["access-control-allow-origin"], "https://shop.example");
    assert_eq!(refused(wrong).await, is(401, "GRH-0860"));
    let other = host.client.get(host.url("/healthz")).header("origin", "https://shop.example").send().await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    let plain = ask(&host, Method::OPTIONS, &talk.path("/activities"), "").send().await.unwrap();
    assert_eq!(refused(plain).await, is(405, "GRH-0807"));
    // A token may be for less than the binding allows.
    let wanted = json!({"trustedOrigins": ["https://other.example"]});
    let narrow = generate(&host, BASE, SECRET, &wanted).await;
    let request = ask(&host, Method::POST, &format!("{BASE}/conversations"), narrow["token"].as_str().unwrap());
    let response = request.header("origin", "https://shop.example").send().await.unwrap();
    assert_eq!(refused(response).await, is(403, "GRH-0861"));
    host.end().await;
}

/// A host that is called otherwise by its clients, and how it is called here.
async fn behind_a_proxy(keep_alive: Duration) -> (Running, impl Fn(&Talk) -> String) {
    let mut setup = setup("public_url: \"https://bots.example/chat/\"", &[("DIRECT_LINE_SECRET", SECRET)]);
    setup.options.limits = HttpLimits { keep_alive, ..HttpLimits::default() };
    let host = setup.start().await.unwrap();
    let local = format!("ws://{}", host.address);
    let stream = move |talk: &Talk| {
        let path =
            talk.stream.strip_prefix("wss://bots.example/chat").expect("streams are where clients find the host");
        format!("{local}{path}")
    };
    (host, stream)
}

/// Opens a stream once there is a place for it.
async fn open_in_time(url: &str) -> Socket {
    let opening = async {
        loop {
            if let Ok((socket, _)) = connect_async(url).await {
                return socket;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), opening).await.expect("places are not given back")
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_and_end_with_the_server() {
    let (host, stream) = behind_a_proxy(HttpLimits::default().keep_alive).await;
    let (talk, other) = (Talk::begin(&host, "dl_ada").await, Talk::begin(&host, "dl_eve").await);
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(open(&stream(&talk)).await);
    }
    assert_eq!(not_opened(&stream(&talk), None).await, 503);
    let mut others = open(&stream(&other)).await;
    let mut large = sockets.remove(0);
    large.send(Message::Text("x".repeat(5 << 10).into())).await.unwrap();
    assert_ne!(closed(&mut large).await, Some(CloseCode::Normal));
    let mut noisy = sockets.remove(0);
    while noisy.send(Message::Text("".into())).await.is_ok() {}
    drop(sockets);
    let mut again = open_in_time(&stream(&talk)).await;
    let stop = tokio::spawn(host.end());
    assert_eq!(closed(&mut again).await, Some(CloseCode::Away));
    assert_eq!(closed(&mut others).await, Some(CloseCode::Away));
    stop.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_show_that_they_are_alive_and_want_the_same_of_clients() {
    // Three beats are the time that a client has to answer in: enough of it on a machine that is busy.
    let (host, stream) = behind_a_proxy(Duration::from_millis(500)).await;
    let (talk, other) = (Talk::begin(&host, "dl_ada").await, Talk::begin(&host, "dl_eve").await);
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(open(&stream(&talk)).await);
    }
    // One that answers, as clients do by themselves, stays for more beats than may go unanswered.
    let mut socket = open(&stream(&other)).await;
    let answering = async {
        let mut empty = 0;
        while empty < 6 {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                assert!(text.is_empty());
                empty += 1;
            }
        }
    };
    // Ten clients that never read or answer anything are given up meanwhile, and an eleventh has a place.
    let eleventh = stream(&talk);
    tokio::join!(answering, open_in_time(&eleventh));
    host.end().await;
}
