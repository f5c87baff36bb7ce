//! Platforms at the routes of a real host: what they sign becomes messages that a flow answers, once each.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::ingress::{slack, telegram, verify, webex, whatsapp};
use greentic_runner_host::run::trace::TraceFeed;
use greentic_runner_host::secret::Secret;
use greentic_runner_host::secrets::EnvSecrets;
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::ReplyRoute;
use greentic_runner_host::{HostBuilder, HostConfig, RunnerHost};
use reqwest::Response;
use serde_json::{Value, json};

use crate::client;

const FLOW: &str = "
id: echo
type: messaging
start: say
nodes:
  say: { emit.response: { text: 'You said {{in.text}}.' }, routing: out }
";

/// A host of the tenant `acme`, at `/t/acme` and everywhere else.
struct Served {
    host: Arc<RunnerHost>,
    base: String,
    _pack: tempfile::TempDir,
}

impl Served {
    async fn of(binding: &str, secrets: &'static [(&'static str, &'static str)]) -> Self {
        let bindings = format!("tenant: acme\nflow_type_bindings: {{ messaging: {binding} }}");
        let config = HostConfig::from_yaml(&bindings, "acme.yaml").unwrap();
        let var =
            move |name: &str| secrets.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(*value));
        let secrets = EnvSecrets::with_vars([config.tenant()], var).unwrap();
        let feed = TraceFeed::new(16);
        let host = HostBuilder::new().with_config(config).with_memory_store().with_observer(Arc::new(feed.clone()));
        let host = Arc::new(host.with_secrets_manager(Arc::new(secrets)).build().unwrap());
        let pack = tempfile::tempdir().unwrap();
        std::fs::write(pack.path().join("index.ygtc"), FLOW).unwrap();
        host.load_pack("acme", pack.path()).await.unwrap();
        host.start().await.unwrap();
        let options = ServerOptions { listen: ([127, 0, 0, 1], 0).into(), ..ServerOptions::default() };
        let server = Server::bind(options, Arc::new(HostBackend::new(Arc::clone(&host), feed))).await.unwrap();
        let base = format!("http://{}", server.address());
        tokio::spawn(server.run(std::future::pending()));
        Self { host, base, _pack: pack }
    }

    async fn post(&self, path: &str, header: (&str, &str), body: &str) -> Response {
        let request = client().post(format!("{}{path}", self.base)).header("content-type", "application/json");
        request.header(header.0, header.1).body(body.to_owned()).send().await.unwrap()
    }

    /// The replies at a place, once there are as many.
    async fn replies(&self, provider: &str, address: &str, count: usize) -> Vec<String> {
        let route: ReplyRoute = reply_route("acme", provider, address);
        let mut watch = self.host.watch(&route);
        loop {
            let replies = self.host.replies(&route, 0, 100).await.unwrap();
            if replies.len() >= count {
                let texts = replies.iter().map(|reply| serde_json::from_slice::<Value>(&reply.payload).unwrap());
                return texts.map(|reply| reply["text"].as_str().unwrap().to_owned()).collect();
            }
            watch.changed().await;
        }
    }
}

async fn acknowledged(response: Response) {
    assert_eq!((response.status(), response.text().await.unwrap().as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn updates_of_telegram_are_answered_once() {
    const ROUTE: &str = "/messaging/telegram/webhook";
    let secrets = &[("TELEGRAM_WEBHOOK_SECRET", "new"), ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", "old")];
    let served = Served::of("{ adapter: telegram }", secrets).await;
    let update = |id: u64, text: &str| {
        json!({"update_id": id, "message": {"message_id": 1, "date": 1, "chat": {"id": 456, "type": "private"},
            "from": {"id": 456, "is_bot": false}, "text": text}})
        .to_string()
    };
    let sent = |value| (telegram::SECRET_HEADER, value);
    for refused in [sent("ne"), sent(""), ("x-other", "new")] {
        assert_eq!(served.post(ROUTE, refused, &update(1, "no")).await.status(), 401);
    }
    acknowledged(served.post(ROUTE, sent("new"), &update(2, "one")).await).await;
    acknowledged(served.post(ROUTE, sent("old"), &update(2, "one")).await).await;
    acknowledged(served.post(ROUTE, sent("new"), r#"{"update_id": 3, "invented_in_2031": {}}"#).await).await;
    acknowledged(served.post(&format!("/t/acme{ROUTE}"), sent("new"), &update(4, "two")).await).await;
    assert_eq!(served.post(ROUTE, sent("new"), "{}").await.status(), 400);
    let address = telegram::Address { chat: "456".into(), ..telegram::Address::default() };
    let replies = served.replies(telegram::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(replies, ["You said one.", "You said two."]);
}

impl Served {
    /// Posts what Slack would, signed with `secret` now.
    async fn post_as_slack(&self, path: &str, secret: &str, body: &str) -> Response {
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        let request = client().post(format!("{}{path}", self.base)).body(body.to_owned());
        let signed = slack::sign(&Secret::new(secret), now, body.as_bytes()).into_iter();
        signed.fold(request, |request, (name, value)| request.header(name, value)).send().await.unwrap()
    }
}

#[tokio::test]
async fn what_slack_sends_is_answered_at_each_of_its_routes() {
    let secrets = &[("SLACK_SIGNING_SECRET", "new"), ("SLACK_SIGNING_SECRET_PREVIOUS", "old")];
    let served = Served::of("{ adapter: slack }", secrets).await;
    let event = |id: &str, kind: &str, ts: &str, text: &str| {
        json!({"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": id, "event": {
            "type": kind, "user": "U1", "channel": "C1", "ts": ts, "text": text}})
        .to_string()
    };
    let handshake = json!({"type": "url_verification", "challenge": "3eZbrw1a"}).to_string();
    for path in [slack::EVENTS, slack::INTERACTIVE, slack::COMMANDS] {
        assert_eq!(served.post_as_slack(path, "ne", &handshake).await.status(), 401);
        assert_eq!(served.post(path, ("x-other", "new"), &handshake).await.status(), 401);
    }
    let response = served.post_as_slack(slack::EVENTS, "new", &handshake).await;
    assert_eq!((response.status(), response.text().await.unwrap().as_str()), (StatusCode::OK, "3eZbrw1a"));
    acknowledged(served.post(slack::COMMANDS, ("x-other", "x"), "ssl_check=1&command=/x&user_id=U1").await).await;

    let one = event("Ev1", "app_mention", "1.000100", "one");
    acknowledged(served.post_as_slack(slack::EVENTS, "new", &one).await).await;
    acknowledged(served.post_as_slack(slack::EVENTS, "old", &one).await).await;
    let again = event("Ev2", "message", "1.000100", "one");
    acknowledged(served.post_as_slack(slack::EVENTS, "new", &again).await).await;
    let invented = event("Ev3", "invented_in_2031", "1.000200", "no");
    acknowledged(served.post_as_slack(slack::EVENTS, "new", &invented).await).await;
    assert_eq!(served.post_as_slack(slack::EVENTS, "new", "{").await.status(), 400);
    let form = |payload: Value| {
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
    };
    let click = json!({"type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "channel": {"id": "C1"},
        "trigger_id": "1", "actions": [{"action_id": "a", "text": {"text": "two"}, "value": "2"}]});
    let path = format!("/t/acme{}", slack::INTERACTIVE);
    acknowledged(served.post_as_slack(&path, "new", &form(click.clone())).await).await;
    acknowledged(served.post_as_slack(&path, "new", &form(click)).await).await;
    let address = slack::Address { team: Some("T1".into()), channel: "C1".into(), ..slack::Address::default() };
    let replies = served.replies(slack::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(replies, ["You said one.", "You said two."]);

    let command = "command=%2Fsay&text=a+%26amp%3B+b&team_id=T1&channel_id=C1&user_id=U1&trigger_id=3";
    let response = served.post_as_slack(slack::COMMANDS, "new", command).await;
    assert_eq!(response.status(), 200);
    let said: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(said, json!({"response_type": "ephemeral", "text": "You said a &amp; b."}));
    let asked = json!({"type": "block_suggestion", "user": {"id": "U1"}, "channel": {"id": "C1"}, "value": "x"});
    let response = served.post_as_slack(slack::INTERACTIVE, "new", &form(asked)).await;
    assert_eq!(response.text().await.unwrap(), r#"{"options":[]}"#);
    // A view that the flow says nothing about closes, and the reply goes to the person.
    let submitted = json!({"type": "view_submission", "user": {"id": "U1"}, "team": {"id": "T1"}, "trigger_id": "4",
        "view": {"id": "V1", "private_metadata": "", "state": {"values": {}}}});
    acknowledged(served.post_as_slack(slack::INTERACTIVE, "new", &form(submitted)).await).await;
    let person = slack::Address { channel: "U1".into(), ..address.clone() };
    assert_eq!(served.replies(slack::PROVIDER, &person.to_text(), 1).await, ["You said ."]);
    let replies = served.replies(slack::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(replies.len(), 2, "what was answered at once is not sent as well");
}

#[tokio::test]
async fn deliveries_of_whatsapp_are_answered_message_by_message() {
    const ROUTE: &str = "/whatsapp/webhook";
    let secrets = &[("WHATSAPP_APP_SECRET", "s"), ("WHATSAPP_VERIFY_TOKEN", "t")];
    let served = Served::of("{ adapter: whatsapp }", secrets).await;
    let asked = |query: &str| client().get(format!("{}{ROUTE}?{query}", served.base)).send();
    let response = asked("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t").await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(response.text().await.unwrap(), "1158201444");
    let response = asked("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x").await.unwrap();
    assert_eq!(response.status(), 403);

    let delivery = |ids: &[&str]| {
        let message = |id: &&str| json!({"from": "4917", "id": id, "type": "text", "text": {"body": id}});
        json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": [{"field": "messages", "value": {
            "metadata": {"phone_number_id": "1122"}, "messages": ids.iter().map(message).collect::<Vec<_>>()}}]}]})
        .to_string()
    };
    let signed = |body: &str| format!("sha256={}", hex::encode(verify::hmac_sha256(b"s", &[body.as_bytes()])));
    let (first, second) = (delivery(&["a", "b"]), delivery(&["b", "c"]));
    assert_eq!(served.post(ROUTE, (whatsapp::SIGNATURE_HEADER, &signed(&second)), &first).await.status(), 401);
    for body in [&first, &first, &second] {
        acknowledged(served.post(ROUTE, (whatsapp::SIGNATURE_HEADER, &signed(body)), body).await).await;
    }
    let address =
        whatsapp::Address { phone_number_id: "1122".into(), to: Some("4917".into()), ..whatsapp::Address::default() };
    let replies = served.replies(whatsapp::PROVIDER, &address.to_text(), 3).await;
    assert_eq!(replies, ["You said a.", "You said b.", "You said c."]);
}

/// Webex, as far as the host asks it: who asked for what.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

async fn webex_api(
    State(asked): State<Asked>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    let mut asked = asked.lock().unwrap();
    asked.push((id.clone(), token));
    // What was announced is there a little later.
    if asked.iter().filter(|(known, _)| *known == id).count() == 1 {
        return (StatusCode::NOT_FOUND, Json(json!({})));
    }
    (StatusCode::OK, Json(json!({"id": id, "roomId": "r1", "personId": "p1", "text": format!("message {id}")})))
}

#[tokio::test]
async fn events_of_webex_are_fetched_and_answered() {
    const ROUTE: &str = "/webex/webhook";
    let asked = Asked::default();
    let api = Router::new().route("/v1/messages/{id}", get(webex_api)).with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, api).await });

    let secrets = &[("WEBEX_WEBHOOK_SECRET", "s"), ("WEBEX_BOT_TOKEN", "token")];
    let served = Served::of(&format!("{{ adapter: webex, config: {{ base_url: '{base}' }} }}"), secrets).await;
    let event = |id: &str| {
        json!({"id": "hook", "resource": "messages", "event": "created", "createdBy": "bot",
            "data": {"id": id, "roomId": "r1", "personId": "p1", "personEmail": "ada@example.com"}})
        .to_string()
    };
    let signed = |body: &str| hex::encode(verify::hmac_sha1(b"s", body.as_bytes()));
    let body = event("m1");
    assert_eq!(served.post(ROUTE, (webex::SIGNATURE_HEADER, &signed("x")), &body).await.status(), 401);
    for body in [&body, &body, &event("m2")] {
        acknowledged(served.post(ROUTE, (webex::SIGNATURE_HEADER, &signed(body)), body).await).await;
    }
    let address = webex::Address { room: "r1".into(), parent: None };
    let replies = served.replies(webex::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(replies, ["You said message m1.", "You said message m2."]);
    let asked = asked.lock().unwrap().clone();
    let asked: Vec<_> = asked.iter().map(|(id, token)| (id.as_str(), token.as_str())).collect();
    let bearer = "Bearer token";
    assert_eq!(asked, [("m1", bearer), ("m1", bearer), ("m2", bearer), ("m2", bearer)]);
}
