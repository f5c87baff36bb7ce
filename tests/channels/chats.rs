//! Platforms at the routes of a real host: what they sign becomes messages that a flow answers, once each.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use greentic_runner_host::ingress::{telegram, verify, webex, whatsapp};
use greentic_runner_host::session::reply_route;
use reqwest::Response;
use serde_json::{Value, json};

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
    let address = webex::Address { room: "r1".into(), parent: None };
    let said = replies(&host, webex::PROVIDER, &address.to_text(), 2).await;
    assert_eq!(said, ["echo: message m1", "echo: message m2"]);
    let asked = asked.lock().unwrap().clone();
    let asked: Vec<_> = asked.iter().map(|(id, token)| (id.as_str(), token.as_str())).collect();
    let bearer = "Bearer token";
    assert_eq!(asked, [("m1", bearer), ("m1", bearer), ("m2", bearer), ("m2", bearer)]);
}
