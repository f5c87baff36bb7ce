//! A certified OpenID provider, with its own pages for login and consent. `cargo xtask tools` installs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use url::Url;

use crate::server::Server;
use crate::world::{KEY, PUBLIC, World, log, param, read};

const SECRETS: &[(&str, &str)] = &[
    ("T__OAUTH_KEY", KEY),
    ("OTHER__OAUTH_KEY", KEY),
    ("T__CLIENT", "canary-client-secret"),
    ("OTHER__CLIENT", "wrong-canary"),
];

async fn provider() -> Server {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("tests/oauth/provider/provider.mjs");
    let module = root.join("target/tools/oauth/node_modules/oidc-provider/lib/index.js");
    assert!(module.is_file(), "oidc-provider is not installed: cargo xtask tools");
    Server::start("node", |_, address| {
        vec![script.display().to_string(), module.display().to_string(), address.to_owned()]
    })
    .await
}

fn block(provider: &Server) -> String {
    format!(
        "  public_url: {PUBLIC}/\n  providers:\n    oidc: {{ issuer: '{}', client_id: bot, client_secret: CLIENT, \
         scopes: [openid, offline_access], authorization_params: {{ prompt: consent }} }}\n",
        provider.url("")
    )
}

/// A user's browser, as far as the provider's pages need one.
struct Browser {
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        greentic_runner_host::net::tls::install();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        Self { client: client.unwrap(), cookies: BTreeMap::new() }
    }

    /// Logs in as `user`, consents or declines, and gives where the provider sends it at the end.
    async fn consent(&mut self, url: &Url, user: &str, declines: bool) -> Url {
        let mut answer = self.get(url.clone()).await;
        for _ in 0..12 {
            if let Some(next) = answer.1.clone() {
                if next.as_str().starts_with(PUBLIC) {
                    return next;
                }
                answer = self.get(next).await;
                continue;
            }
            let (at, page) = (answer.0, answer.2);
            if declines {
                let abort = format!("{}/abort", at.path());
                answer = self.get(at.join(&abort).unwrap()).await;
                continue;
            }
            let form: &[(&str, &str)] = match page.contains("value=\"login\"") {
                true => &[("prompt", "login"), ("login", user), ("password", "any")],
                false => &[("prompt", "consent")],
            };
            answer = self.post(at, form).await;
        }
        panic!("the provider's pages lead nowhere: {}", answer.0);
    }

    async fn get(&mut self, url: Url) -> (Url, Option<Url>, String) {
        self.send(self.client.get(url)).await
    }

    async fn post(&mut self, url: Url, form: &[(&str, &str)]) -> (Url, Option<Url>, String) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(request).await
    }

    /// Where it was, where it is sent, and the page.
    async fn send(&mut self, request: reqwest::RequestBuilder) -> (Url, Option<Url>, String) {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let at = answer.url().clone();
        let next = answer.headers().get(LOCATION).map(|next| at.join(next.to_str().unwrap()).unwrap());
        (at, next, answer.text().await.unwrap())
    }
}

/// Who the provider says that the token is of; none if it is not valid.
async fn user(provider: &Server, tokens: &Value) -> Option<String> {
    let token = tokens["access_token"].as_str().unwrap();
    let answer = crate::server::client().get(provider.url("/me")).bearer_auth(token).send().await.unwrap();
    let said = answer.json::<Value>().await.unwrap();
    said["sub"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_consents_and_its_tokens_are_renewed_again_and_again() {
    let provider = provider().await;
    let world = World::start(&[&block(&provider), &block(&provider)], SECRETS).await;
    let url = world.consent("oidc", "user-1", &["mail"], "").await;
    assert!(url.as_str().starts_with(&provider.url("/auth?")), "{url}");
    let landing = Browser::new().consent(&url, "ada", false).await;
    assert!(param(&landing, "iss").is_some(), "{landing}");
    let (status, page) = world.browse(landing.as_str()).await;
    assert_eq!(status, 200, "{page}");
    let first = world.token("oidc", "user-1", &["mail"]).await;
    assert_eq!(user(&provider, &first).await.as_deref(), Some("ada"));
    assert_eq!(first["expires_at"], json!(1_800_000_120));
    assert!(first["extra"]["id_token"].is_string() && first["refresh_token"].is_null());
    assert_eq!(world.token("oidc", "user-1", &["files"]).await, Value::Null, "to which nobody consented");

    let mut before = first;
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(120));
        let all = futures::future::join_all((0..5).map(|_| world.token("oidc", "user-1", &["mail"]))).await;
        assert!(all.iter().all(|tokens| *tokens == all[0] && tokens["access_token"] != before["access_token"]));
        assert_eq!(user(&provider, &all[0]).await.as_deref(), Some("ada"), "each refresh token was used once");
        before = all[0].clone();
    }
    for (tenant, subject) in [("other", "user-1"), ("t", "user-2")] {
        let tokens = world.ask_as(tenant, "token", json!({"provider": "oidc", "subject": subject})).await;
        assert_eq!(tokens, "", "{tenant} {subject}");
    }
    // What the provider gave is in no line that the host wrote.
    let (log, traced) = (log().text(), world.traced.text());
    let token = before["access_token"].as_str().unwrap();
    let id = before["extra"]["id_token"].as_str().unwrap_or(token);
    let code = param(&landing, "code").unwrap();
    for word in [token, id, code.as_str(), "canary"] {
        let own = log.lines().filter(|line| line.contains("greentic")).find(|line| line.contains(word));
        assert_eq!(own, None);
        assert!(!traced.contains(word));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_is_good_once_for_its_tenant_in_its_time() {
    let provider = provider().await;
    let world = World::start(&[&block(&provider), &block(&provider)], SECRETS).await;
    let url = world.consent("oidc", "u", &[], "").await;
    let landing = Browser::new().consent(&url, "ada", false).await.to_string();
    let refused = async |url: &str, code: &str, why: &str| {
        let (status, page) = world.browse(url).await;
        assert!(status == 400 && page.contains(code), "{why}: {status} {page}");
    };
    refused(&landing.replace("/t/t/", "/t/other/"), "GRH-1112", "another tenant").await;
    assert_eq!(world.browse(&landing).await.0, 200);
    refused(&landing, "GRH-1112", "a second time").await;

    let url = world.consent("oidc", "u", &[], "").await;
    let late = Browser::new().consent(&url, "ada", false).await.to_string();
    world.clock.advance(Duration::from_secs(601));
    refused(&late, "GRH-1112", "too late").await;

    let (one, other) = (world.consent("oidc", "v", &[], "").await, world.consent("oidc", "w", &[], "").await);
    let mut stolen = Browser::new().consent(&one, "eve", false).await;
    let state = param(&other, "state").unwrap();
    let pairs: Vec<_> = stolen.query_pairs().into_owned().collect();
    let pairs =
        pairs.into_iter().map(|(name, value)| if name == "state" { (name, state.clone()) } else { (name, value) });
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    stolen.set_query(Some(&query));
    refused(stolen.as_str(), "GRH-1113", "the code of another consent does not fit the challenge").await;
    assert_eq!(world.token("oidc", "w", &[]).await, Value::Null);

    let url = world.consent("oidc", "x", &[], "").await;
    let mixed = Browser::new().consent(&url, "ada", false).await;
    let other_issuer = mixed.as_str().replace("iss=http", "iss=https");
    assert_ne!(other_issuer, mixed.as_str());
    refused(&other_issuer, "GRH-1113", "another issuer's answer").await;

    let url = world.consent("oidc", "y", &[], "").await;
    let declined = Browser::new().consent(&url, "ada", true).await;
    assert_eq!(param(&declined, "error").as_deref(), Some("access_denied"));
    refused(declined.as_str(), "GRH-1113", "declined").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_exchanges_the_code_that_came_to_its_own_path() {
    let provider = provider().await;
    let world = World::start(&[&block(&provider)], SECRETS).await;
    let url = world.consent("oidc", "u", &["mail"], "/webhook/connected").await;
    let landing = Browser::new().consent(&url, "grace", false).await;
    assert!(landing.as_str().starts_with("https://bots.example.com/webhook/connected?"), "{landing}");
    let code = param(&landing, "code").unwrap();
    let exchange = async |subject: &str| {
        let input = json!({"provider": "oidc", "subject": subject, "code": code, "path": "/webhook/connected"});
        read(&world.ask("exchange", input).await)
    };
    assert_eq!(exchange("v").await, Value::Null, "another subject");
    let tokens = exchange("u").await;
    assert_eq!(user(&provider, &tokens).await.as_deref(), Some("grace"));
    assert_eq!(exchange("u").await, Value::Null, "once");
    assert_eq!(world.token("oidc", "u", &["mail"]).await, tokens);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_cannot_prove_itself_gets_nothing() {
    let provider = provider().await;
    let world = World::start(&[&block(&provider), &block(&provider)], SECRETS).await;
    let url = world.ask_as("other", "consent", json!({"provider": "oidc", "subject": "u"})).await;
    let landing = Browser::new().consent(&Url::parse(&url).unwrap(), "ada", false).await;
    let (status, page) = world.browse(landing.as_str()).await;
    assert!(status == 400 && page.contains("GRH-1113"), "{status} {page}");
    assert!(log().text().contains("invalid_client") && !log().text().contains("wrong-canary"));
}
