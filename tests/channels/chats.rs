//! Platforms at the routes of a real host: what they sign becomes messages that a flow answers, once each.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post as post_to};
use axum::{Json, Router};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::ingress::{slack, telegram, verify, webex, whatsapp};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::session::reply_route;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{Running, Setup};

/// The host of the tenant `t` with this binding.
async fn served(binding: &str, vars: &[(&'static str, &'static str)]) -> Running {
    let bindings = format!("flow_type_bindings: {{ messaging: {binding} }}");
    Setup { vars: vars.to_vec(), ..Setup::of(&bindings) }.start().await.unwrap()
}

async fn post(host: &Running, path: &str, header: (&str, &str), body: &str) -> Response {
    let request = host.client.post(host.url(path)).header("content-type", "application/json");
    request.header(header.0, header.1).body(body.to_owned()).send().await.unwrap()
}

/// The texts of the replies at a place, once there are `count`.
async fn replies(host: &Running, provider: &str, address: &str, count: usize) -> Vec<String> {
    let route = reply_route("t", provider, address);
    let mut watch = host.host.watch(&route);
    loop {
        let replies = host.host.replies(&route, 0, 100).await.unwrap();
        if replies.len() >= count {
            let texts = replies.iter().map(|reply| serde_json::from_slice::<Value>(&reply.payload).unwrap());
            return texts.map(|reply| reply["text"].as_str().unwrap().to_owned()).collect();
        }
        watch.changed().await;
    }
}

async fn acknowledged(response: Response) {
    assert_eq!((response.status(), response.text().await.unwrap().as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn updates_of_telegram_are_answered_once() {
    const ROUTE: &str = "/messaging/telegram/webhook";
    let secrets = &[("TELEGRAM_WEBHOOK_SECRET", "new"), ("TELEGRAM_WEBHOOK_SECRET_PREVIOUS", "old")];
    let host = served("{ adapter: telegram }", secrets).await;
    let update = |id: u64, text: &str| {
        json!({"update_id": id, "message": {"message_id": 1, "date": 1, "chat": {"id": 456, "type": "private"},
            "from": {"id": 456, "is_bot": false}, "text": text}})
        .to_string()
    };
    let sent = |value| (telegram::SECRET_HEADER, value);
    for refused in [sent("ne"), sent(""), ("x-other", "new")] {
        assert_eq!(post(&host, ROUTE, refused, &update(1, "no")).await.status(), 401);
    }
    acknowledged(post(&host, ROUTE, sent("new"), &update(2, "one")).await).await;
    acknowledged(post(&host, ROUTE, sent("old"), &update(2, "one")).await).await;
    acknowledged(post(&host, ROUTE, sent("new"), r#"{"update_id": 3, "invented_in_2031": {}}"#).await).await;
    acknowledged(post(&host, &format!("/t/t{ROUTE}"), sent("new"), &update(4, "two")).await).await;
    assert_eq!(post(&host, ROUTE, sent("new"), "{}").await.status(), 400);
    let address = telegram::Address { chat: "456".into(), ..telegram::Address::default() };
    let said = replies(&host, telegram::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(said, ["echo: one", "echo: two"]);
}

/// Posts what Slack would, signed with `secret` now.
async fn post_as_slack(host: &Running, path: &str, secret: &str, body: &str) -> Response {
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let request = host.client.post(host.url(path)).body(body.to_owned());
    let signed = slack::sign(&Secret::new(secret), now, body.as_bytes()).into_iter();
    signed.fold(request, |request, (name, value)| request.header(name, value)).send().await.unwrap()
}

fn event_of_slack(id: &str, kind: &str, ts: &str, text: &str) -> String {
    let event = json!({"type": kind, "user": "U1", "channel": "C1", "ts": ts, "text": text});
    json!({"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": id, "event": event}).to_string()
}

fn payload_of_slack(payload: &Value) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

const SLACK: &[(&str, &str)] = &[("SLACK_SIGNING_SECRET", "new"), ("SLACK_SIGNING_SECRET_PREVIOUS", "old")];

fn channel_of_slack() -> slack::Address {
    slack::Address { team: Some("T1".into()), channel: "C1".into(), ..slack::Address::default() }
}

#[tokio::test]
async fn every_route_of_slack_is_verified() {
    let host = served("{ adapter: slack }", SLACK).await;
    let handshake = json!({"type": "url_verification", "challenge": "3eZbrw1a"}).to_string();
    for path in [slack::EVENTS, slack::INTERACTIVE, slack::COMMANDS] {
        assert_eq!(post_as_slack(&host, path, "ne", &handshake).await.status(), 401);
        assert_eq!(post(&host, path, ("x-other", "new"), &handshake).await.status(), 401);
    }
    let response = post_as_slack(&host, slack::EVENTS, "new", &handshake).await;
    assert_eq!((response.status(), response.text().await.unwrap().as_str()), (StatusCode::OK, "3eZbrw1a"));
    assert_eq!(post_as_slack(&host, slack::EVENTS, "new", "{").await.status(), 400);
    for path in [slack::INTERACTIVE, slack::COMMANDS] {
        acknowledged(post(&host, path, ("x-other", "x"), "ssl_check=1&command=/x&user_id=U1").await).await;
    }
}

#[tokio::test]
async fn messages_and_clicks_of_slack_are_answered_once() {
    let host = served("{ adapter: slack }", SLACK).await;
    let one = event_of_slack("Ev1", "app_mention", "1.000100", "one");
    for (secret, body) in [
        ("new", &one),
        ("old", &one),
        ("new", &event_of_slack("Ev2", "message", "1.000100", "one")),
        ("new", &event_of_slack("Ev3", "invented_in_2031", "1.000200", "no")),
    ] {
        acknowledged(post_as_slack(&host, slack::EVENTS, secret, body).await).await;
    }
    let click = json!({"type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "channel": {"id": "C1"},
        "trigger_id": "1", "actions": [{"action_id": "a", "text": {"text": "two"}, "value": "2"}]});
    let path = format!("/t/t{}", slack::INTERACTIVE);
    for _ in 0..2 {
        acknowledged(post_as_slack(&host, &path, "new", &payload_of_slack(&click)).await).await;
    }
    let last = event_of_slack("Ev4", "message", "1.000300", "three");
    acknowledged(post_as_slack(&host, slack::EVENTS, "new", &last).await).await;
    let said = replies(&host, slack::PROVIDER, &channel_of_slack().to_text(), 3).await;
    assert_eq!(said, ["echo: one", "echo: two", "echo: three"]);
}

#[tokio::test]
async fn what_slack_waits_for_is_in_the_body() {
    let host = served("{ adapter: slack }", SLACK).await;
    let command = "command=%2Fsay&text=a+%26amp%3B+b&team_id=T1&channel_id=C1&user_id=U1&trigger_id=3";
    let response = post_as_slack(&host, slack::COMMANDS, "new", command).await;
    assert_eq!(response.status(), 200);
    let said: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(said, json!({"response_type": "ephemeral", "text": "echo: a &amp; b", "mrkdwn": false}));

    let asked = json!({"type": "block_suggestion", "user": {"id": "U1"}, "channel": {"id": "C1"}, "value": "x"});
    let response = post_as_slack(&host, slack::INTERACTIVE, "new", &payload_of_slack(&asked)).await;
    assert_eq!(response.text().await.unwrap(), r#"{"options":[]}"#);

    // The flow says nothing about the view, so that it closes and the reply goes to its place.
    let submitted = json!({"type": "view_submission", "user": {"id": "U1"}, "team": {"id": "T1"}, "trigger_id": "4",
        "view": {"id": "V1", "private_metadata": r#"{"channel":"C1"}"#, "state": {"values": {}}}});
    acknowledged(post_as_slack(&host, slack::INTERACTIVE, "new", &payload_of_slack(&submitted)).await).await;
    // It is the first there: what was in a body is not sent as well.
    assert_eq!(replies(&host, slack::PROVIDER, &channel_of_slack().to_text(), 1).await, ["echo: "]);
}

#[tokio::test]
async fn deliveries_of_whatsapp_are_answered_message_by_message() {
    const ROUTE: &str = "/whatsapp/webhook";
    let secrets = &[("WHATSAPP_APP_SECRET", "s"), ("WHATSAPP_VERIFY_TOKEN", "t")];
    let host = served("{ adapter: whatsapp }", secrets).await;
    let asked = |query: &str| host.client.get(host.url(&format!("{ROUTE}?{query}"))).send();
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
    assert_eq!(post(&host, ROUTE, (whatsapp::SIGNATURE_HEADER, &signed(&second)), &first).await.status(), 401);
    for body in [&first, &first, &second] {
        acknowledged(post(&host, ROUTE, (whatsapp::SIGNATURE_HEADER, &signed(body)), body).await).await;
    }
    let address =
        whatsapp::Address { phone_number_id: "1122".into(), to: Some("4917".into()), ..whatsapp::Address::default() };
    let said = replies(&host, whatsapp::PROVIDER, &address.to_text(), 3).await;
    assert_eq!(said, ["echo: a", "echo: b", "echo: c"]);

    let status: Value = host.client.get(host.url("/admin/channels")).send().await.unwrap().json().await.unwrap();
    let lines = status["routes"].as_array().unwrap().iter().filter(|route| route["provider"] == whatsapp::PROVIDER);
    let lines: Vec<_> = lines.map(|route| [&route["route"], &route["verified"]]).collect();
    let get = ["GET /whatsapp/webhook", "verified: WhatsApp verify token"];
    assert_eq!(lines, [get, ["POST /whatsapp/webhook", "verified: WhatsApp signature, HMAC-SHA256"]]);
}

/// Webex, as far as the host asks it: who asked for what, and what was said.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

async fn webex_said(State(said): State<UnboundedSender<Value>>, Json(body): Json<Value>) -> Json<Value> {
    said.send(body).unwrap();
    Json(json!({"id": "said"}))
}

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
    let (sender, mut said) = unbounded_channel();
    let api = Router::new().route("/v1/messages/{id}", get(webex_api)).with_state(Arc::clone(&asked));
    let api = api.merge(Router::new().route("/v1/messages", post_to(webex_said)).with_state(sender));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, api).await });

    let secrets = &[("WEBEX_WEBHOOK_SECRET", "s"), ("WEBEX_BOT_TOKEN", "token")];
    let host = served(&format!("{{ adapter: webex, config: {{ base_url: '{base}' }} }}"), secrets).await;
    let event = |id: &str| {
        json!({"id": "hook", "resource": "messages", "event": "created", "createdBy": "bot",
            "data": {"id": id, "roomId": "r1", "personId": "p1", "personEmail": "ada@example.com"}})
        .to_string()
    };
    let signed = |body: &str| hex::encode(verify::hmac_sha1(b"s", body.as_bytes()));
    let body = event("m1");
    assert_eq!(post(&host, ROUTE, (webex::SIGNATURE_HEADER, &signed("x")), &body).await.status(), 401);
    for body in [&body, &body, &event("m2")] {
        acknowledged(post(&host, ROUTE, (webex::SIGNATURE_HEADER, &signed(body)), body).await).await;
    }
    for text in ["echo: message m1", "echo: message m2"] {
        let said = said.recv().await.unwrap();
        assert_eq!((&said["roomId"], &said["text"]), (&json!("r1"), &json!(text)));
    }
    let asked = asked.lock().unwrap().clone();
    let asked: Vec<_> = asked.iter().map(|(id, token)| (id.as_str(), token.as_str())).collect();
    let bearer = "Bearer token";
    assert_eq!(asked, [("m1", bearer), ("m1", bearer), ("m2", bearer), ("m2", bearer)]);
}
