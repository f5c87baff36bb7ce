//! Replies through the whole host: a platform's message comes in at its route, and what the flow says reaches the
//! platform's API.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::ingress::{slack, telegram, verify, webex, whatsapp};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::store::{Lane, MemoryStore, RedbStore};
use greentic_runner_host::{Code, Error, Result, Store};
use serde_json::{Value, json};

use crate::platforms::slack::Slack;
use crate::platforms::telegram::Telegram;
use crate::platforms::webex::Webex;
use crate::platforms::whatsapp::Whatsapp;
use crate::platforms::{Instead, Taken};
use crate::store::{Hand, Handled};
use crate::{Running, Setup};

const SECRETS: &[(&str, &str)] = &[
    ("TELEGRAM_WEBHOOK_SECRET", "s"),
    ("TELEGRAM_BOT_TOKEN", "123:token"),
    ("SLACK_SIGNING_SECRET", "s"),
    ("SLACK_BOT_TOKEN", "xoxb"),
    ("WHATSAPP_APP_SECRET", "s"),
    ("WHATSAPP_VERIFY_TOKEN", "v"),
    ("WHATSAPP_ACCESS_TOKEN", "token"),
    ("WEBEX_WEBHOOK_SECRET", "s"),
    ("WEBEX_BOT_TOKEN", "token"),
];

fn setup(adapter: &str, config: &Value) -> Setup {
    let bindings = json!({"messaging": {"adapter": adapter, "config": config}});
    let options = Setup::of("").options;
    let options = greentic_runner_host::server::ServerOptions {
        admin: greentic_runner_host::server::AdminOptions { token: Some(Secret::new("admin")), ..options.admin },
        ..options
    };
    Setup { vars: SECRETS.to_vec(), options, ..Setup::of(&format!("flow_type_bindings: {bindings}")) }
}

async fn post(running: &Running, path: &str, headers: &[(String, String)], body: &str) -> u16 {
    let request = running.client.post(running.url(path)).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(body.to_owned()).send().await.unwrap().status().as_u16()
}

fn header(name: &str, value: impl Into<String>) -> [(String, String); 1] {
    [(name.to_owned(), value.into())]
}

fn update(id: u64, chat: i64, text: &str) -> String {
    json!({"update_id": id, "message": {"message_id": id, "date": 1, "chat": {"id": chat, "type": "private"},
        "from": {"id": chat, "is_bot": false}, "text": text}})
    .to_string()
}

async fn tell(running: &Running, body: &str) {
    let secret = header(telegram::SECRET_HEADER, "s");
    assert_eq!(post(running, "/messaging/telegram/webhook", &secret, body).await, 200);
}

/// The texts of what was taken, by chat.
fn texts(taken: &[Taken], chat: &str) -> Vec<String> {
    let of_chat = taken.iter().filter(|taken| taken.body["chat_id"].to_string().trim_matches('"') == chat);
    of_chat.map(|taken| taken.body["text"].as_str().unwrap().to_owned()).collect()
}

/// What the admin API tells at `path`.
async fn told(running: &Running, path: &str) -> Value {
    let request = running.client.get(running.url(path)).bearer_auth("admin");
    request.send().await.unwrap().json().await.unwrap()
}

/// How many replies were sent, refused, and neither as far as anybody knows, once there are `count` of them: the platform
/// has a reply before the host has counted it.
async fn delivered(running: &Running, count: u64) -> [u64; 3] {
    let counting = async {
        loop {
            let channels = told(running, "/admin/channels").await;
            let of = |delivery: &str| {
                let counts = channels["replies"].as_array().unwrap().iter();
                let counts = counts.filter(|count| count["delivery"] == delivery);
                counts.map(|count| count["count"].as_u64().unwrap()).sum::<u64>()
            };
            let counts = [of("sent"), of("refused"), of("unclear")];
            if counts.iter().sum::<u64>() >= count {
                return counts;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counting).await.expect("they are not counted")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_of_telegram_answers_in_order_and_presses_go_dark() {
    let platform = Telegram::start("123:token").await;
    let running = setup("telegram", &json!({"base_url": platform.url})).start().await.unwrap();
    platform.script.answer([Instead::TooMany(0)]);
    for (id, chat, text) in [(1, 5, "one"), (2, 5, "two"), (3, 6, "other"), (4, 5, "<b> & _three_")] {
        tell(&running, &update(id, chat, text)).await;
    }
    tell(&running, &update(2, 5, "two")).await;
    let taken = platform.script.taken(4).await;
    assert_eq!(texts(&taken, "5"), ["echo: one", "echo: two", "echo: <b> & _three_"]);
    assert_eq!(texts(&taken, "6"), ["echo: other"]);

    let pressed = json!({"update_id": 9, "callback_query": {"id": "q1", "from": {"id": 5, "is_bot": false},
        "data": "yes", "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}}}});
    tell(&running, &pressed.to_string()).await;
    let taken = platform.script.taken(6).await;
    let noticed = taken.iter().find(|taken| taken.what == "answerCallbackQuery").unwrap();
    assert_eq!(noticed.body["callback_query_id"], "q1");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_is_shown_and_sent_again_on_demand() {
    let platform = Telegram::start("123:token").await;
    let running = setup("telegram", &json!({"base_url": platform.url})).start().await.unwrap();
    platform.script.answer([Instead::Status(502), Instead::Forbidden]);
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        tell(&running, &update(id, 5, text)).await;
    }
    assert_eq!(texts(&platform.script.taken(1).await, "5"), ["echo: three"]);
    let listed = told(&running, "/admin/undelivered").await;
    let all = listed["undelivered"].as_array().unwrap();
    let codes: Vec<_> = all.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["GRH-0848", "GRH-0849"], "the newest first: {listed}");
    assert!(!listed.to_string().contains("123:token") && !listed.to_string().contains("echo"), "{listed}");
    let url = running.url(&format!("/admin/undelivered/{}/resend", all[1]["id"]));
    let resent = running.client.post(&url).bearer_auth("admin").send().await.unwrap();
    assert_eq!(resent.status(), 202);
    assert_eq!(texts(&platform.script.taken(2).await, "5"), ["echo: three", "echo: one"]);
    assert_eq!(running.client.post(url).bearer_auth("admin").send().await.unwrap().status(), 404);

    assert_eq!(delivered(&running, 4).await, [2, 1, 1]);
    running.end().await;
}

/// Lets a store fail every other time that it is told what became of a reply, as on a disk that is full for a moment.
#[derive(Default)]
struct Forgetful(AtomicU32);

#[async_trait]
impl Hand for Forgetful {
    async fn before(&self, transaction: &str, _: Option<&Lane>) -> Result<()> {
        let is_told = matches!(transaction, "clear_part" | "sent" | "undelivered");
        match is_told && self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            true => Err(Error::new(Code::StoreFull, "no space left for a moment")),
            false => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_reply_stays_known_while_the_store_fails() {
    let platform = Telegram::start("123:token").await;
    let store = Handled::new(Arc::new(MemoryStore::default()), Forgetful::default());
    let setup = Setup { store: Some(store as _), ..setup("telegram", &json!({"base_url": platform.url})) };
    let running = setup.start().await.unwrap();
    platform.script.answer([Instead::TooMany(0), Instead::Forbidden]);
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        tell(&running, &update(id, 5, text)).await;
    }
    assert_eq!(texts(&platform.script.taken(2).await, "5"), ["echo: two", "echo: three"]);
    assert_eq!(delivered(&running, 3).await, [2, 1, 0]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_restarts_sends_what_it_had_not_sent_and_repeats_nothing() {
    let platform = Telegram::start("123:token").await;
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| -> Arc<dyn Store> { RedbStore::open(path).unwrap() };
    let config = json!({"base_url": platform.url});
    let with = |store| Setup { store: Some(store), ..setup("telegram", &config) };
    let first = with(open(dir.path())).start().await.unwrap();
    // The platform wants to be left alone for long, so the host stops with the replies unsent.
    platform.script.answer([Instead::TooMany(3000)]);
    for (id, text) in [(1, "one"), (2, "two")] {
        tell(&first, &update(id, 5, text)).await;
    }
    first.idle().await;
    platform.script.spent().await;
    first.end().await;

    let second = with(open(dir.path())).start().await.unwrap();
    tell(&second, &update(3, 5, "three")).await;
    let taken = platform.script.taken(3).await;
    assert_eq!(texts(&taken, "5"), ["echo: one", "echo: two", "echo: three"]);
    second.end().await;
}

async fn as_slack(running: &Running, path: &str, kind: &str, body: &str) -> (u16, String) {
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let request = running.client.post(running.url(path)).header("content-type", kind).body(body.to_owned());
    let signed = slack::sign(&Secret::new("s"), now, body.as_bytes()).into_iter();
    let request = signed.fold(request, |request, (name, value)| request.header(name, value));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_messages_in_their_thread_and_escaped() {
    let platform = Slack::start("xoxb").await;
    let running = setup("slack", &platform.config()).start().await.unwrap();
    let event = json!({"type": "message", "user": "U1", "channel": "C1", "ts": "1.000200", "thread_ts": "1.000100",
        "text": "a &lt;b&gt;"});
    let body =
        json!({"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1", "event": event});
    let (status, _) = as_slack(&running, slack::EVENTS, "application/json", &body.to_string()).await;
    assert_eq!(status, 200);
    let taken = platform.script.taken(1).await;
    assert_eq!(taken[0].what, "chat.postMessage");
    let body = &taken[0].body;
    assert_eq!((&body["channel"], &body["thread_ts"]), (&json!("C1"), &json!("1.000100")));
    assert_eq!(body["text"], "echo: a &lt;b&gt;");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_webex_gets_the_answer() {
    let platform = Webex::start("token").await;
    let running = setup("webex", &json!({"base_url": platform.url})).start().await.unwrap();
    let event = json!({"id": "hook", "resource": "messages", "event": "created", "createdBy": "bot",
        "data": {"id": "m1", "roomId": "r1", "personId": "p1", "personEmail": "ada@example.com"}})
    .to_string();
    let signed = header(webex::SIGNATURE_HEADER, hex::encode(verify::hmac_sha1(b"s", event.as_bytes())));
    assert_eq!(post(&running, "/webex/webhook", &signed, &event).await, 200);
    let taken = platform.script.taken(1).await;
    assert_eq!((&taken[0].body["roomId"], &taken[0].body["text"]), (&json!("r1"), &json!("echo: message m1")));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_whatsapp_gets_the_answer() {
    let platform = Whatsapp::start("token").await;
    let running = setup("whatsapp", &json!({"base_url": platform.url})).start().await.unwrap();
    let message = json!({"from": "4917", "id": "wamid.1", "type": "text", "text": {"body": "hi"}});
    let delivery =
        json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": [{"field": "messages",
        "value": {"metadata": {"phone_number_id": "1122"}, "messages": [message]}}]}]})
        .to_string();
    let digest = hex::encode(verify::hmac_sha256(b"s", &[delivery.as_bytes()]));
    let signed = header(whatsapp::SIGNATURE_HEADER, format!("sha256={digest}"));
    assert_eq!(post(&running, "/whatsapp/webhook", &signed, &delivery).await, 200);
    let taken = platform.script.taken(1).await;
    let body = &taken[0].body;
    assert_eq!((&body["to"], &body["text"]["body"]), (&json!("4917"), &json!("echo: hi")));
    running.end().await;
}
