//! The Bot Framework's connector, and the authority that gives an app its tokens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use greentic_runner_host::egress::Verdict;
use greentic_runner_host::ingress::teams::{self as adapter, Address};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::deliver::{client, deliver, sender};
use super::{Instead, Script, json as answer, serve};

const SCOPE: &str = "https://api.botframework.com/.default";

/// A bot of Teams.
pub(crate) struct Teams {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
    app: Arc<App>,
}

struct App {
    id: String,
    password: String,
    script: Arc<Script>,
    /// How many tokens were given, and which are valid.
    given: AtomicUsize,
    valid: Mutex<BTreeSet<String>>,
}

impl Teams {
    pub(crate) async fn start(id: &str, password: &str) -> Self {
        let script = Arc::<Script>::default();
        let app = Arc::new(App {
            id: id.to_owned(),
            password: password.to_owned(),
            script: Arc::clone(&script),
            given: AtomicUsize::new(0),
            valid: Mutex::default(),
        });
        let router = Router::new()
            .route("/login/{tenant}/oauth2/v2.0/token", post(token))
            .route("/connector/v3/conversations/{conversation}/activities", post(activity))
            .route("/connector/v3/conversations/{conversation}/activities/{activity}", post(reply))
            .layer(DefaultBodyLimit::max(100 << 20))
            .with_state(Arc::clone(&app));
        Self { url: format!("http://{}", serve(router).await), script, app }
    }

    /// The service URL that activities have to name.
    pub(crate) fn service_url(&self) -> String {
        format!("{}/connector/", self.url)
    }

    /// The settings of a binding that sends replies here.
    pub(crate) fn config(&self) -> Value {
        let host = self.url.trim_start_matches("http://");
        json!({"login_url": format!("{}/login", self.url), "service_hosts": [host]})
    }

    /// How many tokens were given.
    pub(crate) fn given(&self) -> usize {
        self.app.given.load(Ordering::SeqCst)
    }

    /// Takes all tokens back before their time.
    pub(crate) fn revoke(&self) {
        self.app.valid.lock().clear();
    }
}

async fn token(State(app): State<Arc<App>>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let field = |name: &str| {
        let found = form_urlencoded::parse(&body).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let refused = |status: u16, error: &str| answer(status, &json!({"error": error, "error_description": "no"}));
    match () {
        () if tenant != "botframework.com" => refused(400, "invalid_request"),
        () if field("grant_type") != "client_credentials" => refused(400, "unsupported_grant_type"),
        () if field("client_id") != app.id || field("client_secret") != app.password => refused(401, "invalid_client"),
        () if field("scope") != SCOPE => refused(400, "invalid_scope"),
        () => {
            let token = format!("token-{}", app.given.fetch_add(1, Ordering::SeqCst));
            app.valid.lock().insert(token.clone());
            answer(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
        }
    }
}

fn error(status: u16, code: &str) -> Response {
    answer(status, &json!({"error": {"code": code, "message": "no"}}))
}

async fn activity(app: State<Arc<App>>, Path(conversation): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    take(&app, &conversation, None, &headers, &body).await
}

async fn reply(
    app: State<Arc<App>>,
    Path((conversation, activity)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    take(&app, &conversation, Some(&activity), &headers, &body).await
}

async fn take(app: &App, conversation: &str, replied: Option<&str>, headers: &HeaderMap, body: &Bytes) -> Response {
    let token = headers.get("authorization").and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
    if token.is_none_or(|token| !app.valid.lock().contains(token)) {
        return error(401, "BotNotRegistered");
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return error(400, "BadSyntax") };
    if size(&body) > 28 << 10 {
        return error(413, "MessageSizeTooBig");
    }
    let says = body["text"].as_str().is_some_and(|text| !text.is_empty()) || body["attachments"].is_array();
    let is_own = body["from"]["id"].as_str().is_some_and(|from| from.starts_with("28:"));
    let is_here = body["conversation"]["id"] == conversation && body["replyToId"].as_str() == replied;
    if body["type"] != "message" || !says || !is_own || !is_here {
        return error(400, "BadArgument");
    }
    match app.script.next() {
        None => answer(201, &json!({"id": format!("17313156{:05}", app.script.take(conversation, body))})),
        Some(Instead::TooMany(seconds)) => {
            let mut response = error(429, "Throttled");
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Some(Instead::Status(status)) => answer(status, &Value::Null),
        Some(Instead::Forbidden) => error(403, "BotNotInConversationRoster"),
        Some(Instead::Answer(status, body)) => answer(status, &body),
        Some(Instead::Hang) => {
            app.script.take(conversation, body);
            std::future::pending().await
        }
    }
}

/// The size of an activity in UTF-16, without images in it.
fn size(activity: &Value) -> usize {
    let mut activity = activity.clone();
    for attachment in activity["attachments"].as_array_mut().into_iter().flatten() {
        if attachment["contentUrl"].as_str().is_some_and(|url| url.starts_with("data:image/")) {
            attachment["contentUrl"] = Value::Null;
        }
    }
    2 * activity.to_string().encode_utf16().count()
}

/// The answer to an app that asks for a token.
async fn asked(teams: &Teams, password: &str) -> (u16, Value) {
    let fields =
        [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", password), ("scope", SCOPE)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let url = format!("{}/login/botframework.com/oauth2/v2.0/token", teams.url);
    let response = client().post(url).body(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn place(teams: &Teams, conversation: &str, activity: Option<&str>) -> String {
    let activity = activity.map(str::to_owned);
    Address { service_url: teams.service_url(), conversation: conversation.into(), activity, bot: None }.to_text()
}

const SECRETS: &[(&str, &str)] = &[(adapter::APP_ID, "app"), (adapter::APP_PASSWORD, "password")];

#[tokio::test]
async fn teams_takes_what_is_rendered() {
    let teams = Teams::start("app", "password").await;
    let sender = sender(&adapter::Teams, &teams.config(), SECRETS);
    assert_eq!(asked(&teams, "wrong").await.0, 401);
    let (_, given) = asked(&teams, "password").await;
    let token = given["access_token"].as_str();
    let buttons: Vec<_> =
        (0..40).map(|n| json!({"title": format!("b{n}"), "payload": {"x": "x".repeat(1500)}})).collect();
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "Hi"}]});
    let reply = json!({"text": "long & <text> ".repeat(3000), "buttons": buttons, "card": card, "attachments": [
        {"mime": "image/png", "url": "https://a.example/x.png"}, {"mime": "application/pdf", "url": "https://a.example/x.pdf"},
        {"mime": "image/png", "data_inline_b64": "aGk=".repeat(10_000)}]});
    for place in [place(&teams, "19:c@thread.tacv2;messageid=1", None), place(&teams, "a:1/2", Some("1 2"))] {
        let verdicts = deliver(&*sender, &place, &reply, token).await;
        assert!(verdicts.len() > 5 && verdicts.iter().all(|verdict| *verdict == Verdict::Sent), "{verdicts:?}");
    }
    assert_eq!(teams.given(), 1);
}

#[tokio::test]
async fn teams_says_what_becomes_of_a_message() {
    let teams = Teams::start("app", "password").await;
    let sender = sender(&adapter::Teams, &teams.config(), SECRETS);
    let (_, given) = asked(&teams, "password").await;
    let token = given["access_token"].as_str();
    let here = place(&teams, "a:1", None);
    let one = async |instead: Option<Instead>| {
        teams.script.answer(instead);
        deliver(&*sender, &here, &json!("x"), token).await.remove(0)
    };
    assert_eq!(one(Some(Instead::TooMany(3))).await, Verdict::Later(Some(Duration::from_secs(3))));
    assert_eq!(one(Some(Instead::Status(412))).await, Verdict::Later(None));
    for status in [500, 502, 504] {
        assert!(matches!(one(Some(Instead::Status(status))).await, Verdict::Unclear(_)), "{status}");
    }
    let roster = one(Some(Instead::Forbidden)).await;
    assert!(matches!(&roster, Verdict::Refused(why) if why.contains("BotNotInConversationRoster")), "{roster:?}");
    assert_eq!(one(None).await, Verdict::Sent);
    teams.revoke();
    assert!(matches!(one(None).await, Verdict::Refused(why) if why.contains("TEAMS_APP_PASSWORD")));
}
