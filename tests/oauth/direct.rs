//! Providers that the host asks itself, where the other side does what a test wants. How a real one behaves is told by
//! `needs_oidc_provider`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greentic_runner_host::store::RedbStore;
use serde_json::{Value, json};
use url::Url;

use crate::peer::{Asked, Peer, Reply};
use crate::world::{KEY, PUBLIC, World, log, param, read};

const SECRETS: &[(&str, &str)] = &[
    ("T__OAUTH_KEY", KEY),
    ("OTHER__OAUTH_KEY", KEY),
    ("T__CLIENT", "canary-client"),
    ("OTHER__CLIENT", "canary-client"),
];

pub(crate) fn block(peer: &Peer) -> String {
    format!(
        "  public_url: {PUBLIC}/\n  providers:\n    p: {{ authorization_url: 'https://p.example/auth?kind=a', token_url: '{}', \
         client_id: bot, client_secret: CLIENT, scopes: [base], authorization_params: {{ prompt: consent }} }}\n",
        peer.url("/token")
    )
}

/// Gives tokens by number, each for an hour.
pub(crate) fn counting() -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let given = AtomicUsize::new(0);
    move |_| {
        let n = given.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::Json(200, tokens(n))
    }
}

pub(crate) fn tokens(n: usize) -> Value {
    json!({"access_token": format!("canary-access-{n}"), "refresh_token": format!("canary-refresh-{n}"),
        "expires_in": 3600, "token_type": "bearer", "id_token": "canary-id"})
}

/// Has a subject consent, by the host's own place.
pub(crate) async fn connect(world: &World, subject: &str) {
    let url = world.consent("p", subject, &["mail"], "").await;
    let (status, page) = world.browse(&back(&url, "&code=canary-code")).await;
    assert_eq!(status, 200, "{page}");
}

/// Where the provider sends the browser that came to `url`.
pub(crate) fn back(url: &Url, with: &str) -> String {
    format!("{}?state={}{with}", param(url, "redirect_uri").unwrap(), param(url, "state").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_begins_with_a_challenge_and_ends_with_tokens() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    let input = json!({"provider": "p", "subject": "u", "scopes": ["mail", "base"], "extra": "{\"login_hint\": \"a@b\", \"prompt\": \"login\"}"});
    let url = Url::parse(&world.ask("consent", input).await).unwrap();
    assert!(url.as_str().starts_with("https://p.example/auth?kind=a&"), "{url}");
    for (name, value) in [
        ("client_id", "bot"),
        ("response_type", "code"),
        ("redirect_uri", "https://bots.example.com/t/t/oauth/callback"),
        ("scope", "base mail"),
        ("code_challenge_method", "S256"),
        ("login_hint", "a@b"),
        ("prompt", "login"),
    ] {
        assert_eq!(param(&url, name).as_deref(), Some(value), "{name}");
        assert_eq!(url.query_pairs().filter(|(key, _)| key == name).count(), 1, "{name}");
    }
    assert_eq!(world.token("p", "u", &[]).await, Value::Null, "not yet");
    let (status, page) = world.browse(&back(&url, "&code=canary-code")).await;
    assert_eq!(status, 200, "{page}");
    let [asked] = &peer.asked()[..] else { panic!("one question") };
    assert_eq!(asked.form("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(asked.form("code").as_deref(), Some("canary-code"));
    assert_eq!(asked.form("redirect_uri"), param(&url, "redirect_uri"));
    let verifier = asked.form("code_verifier").unwrap();
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&oauth2::PkceCodeVerifier::new(verifier));
    assert_eq!(param(&url, "code_challenge").as_deref(), Some(challenge.as_str()));
    assert!(asked.authorization.as_deref().unwrap().starts_with("Basic "));
    let whole = json!({"access_token": "canary-access-1", "refresh_token": null, "expires_at": 1_800_003_600,
        "token_type": "Bearer", "extra": {"id_token": "canary-id"}});
    assert_eq!(world.token("p", "u", &["mail"]).await, whole);
    assert_eq!(world.token("", "u", &[]).await, whole, "the only provider need not be named");
    assert_eq!(world.token("p", "u", &["admin"]).await, Value::Null, "to which nobody consented");
    assert_eq!(world.token("p", "v", &[]).await, Value::Null);
    assert!(peer.asked().is_empty(), "what is valid is not asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_good_once_for_its_tenant_in_its_time() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer), &block(&peer)], SECRETS).await;
    let refused = async |url: String, why: &str| {
        let (status, page) = world.browse(&url).await;
        assert!(status == 400 && page.contains("GRH-1112") && !page.contains("canary"), "{why}: {status} {page}");
    };
    let url = world.consent("p", "u", &[], "").await;
    let good = back(&url, "&code=canary-code");
    refused(good.replace("/t/t/", "/t/other/"), "another tenant").await;
    refused(format!("{PUBLIC}/oauth/callback?state=canary&code=c"), "made up").await;
    refused(format!("{PUBLIC}/oauth/callback?code=canary"), "no state").await;
    refused(format!("{PUBLIC}/oauth/callback?state={}&code=c", "x".repeat(5_000)), "endless").await;
    assert_eq!(world.look(&good).await, 405, "it goes nowhere");
    assert!(peer.asked().is_empty(), "no code went out");
    assert_eq!(world.browse(&good).await.0, 200, "what failed spent nothing of it");
    refused(good, "a second time").await;
    assert_eq!(peer.asked().len(), 1);

    let (older, newer) = (world.consent("p", "u", &[], "").await, world.consent("p", "u", &[], "").await);
    refused(back(&older, "&code=c"), "a newer one took its place").await;
    world.clock.advance(Duration::from_secs(600));
    refused(back(&newer, "&code=c"), "too late").await;

    let elsewhere = world.consent("p", "u", &[], "/webhook/connected").await;
    let state = param(&elsewhere, "state").unwrap();
    refused(format!("{PUBLIC}/oauth/callback?state={state}&code=c"), "it comes back elsewhere").await;
    assert!(peer.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_no_is_not_quoted() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    for error in ["access_denied", "<b>canary</b>"] {
        let url = world.consent("p", "u", &[], "").await;
        let (status, page) = world.browse(&back(&url, &format!("&error={error}&error_description=canary"))).await;
        assert!(status == 400 && page.contains("GRH-1113") && !page.contains("canary"), "{page}");
        let (status, _) = world.browse(&back(&url, "&code=c")).await;
        assert_eq!(status, 400, "the state is spent");
    }
    assert!(log().text().contains("access_denied") && !log().text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_exchanges_the_code_that_it_got_itself() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer), &block(&peer)], SECRETS).await;
    let exchange = async |tenant: &str, subject: &str, path: &str| {
        let input = json!({"provider": "p", "subject": subject, "code": "canary-code", "path": path});
        read(&world.ask_as(tenant, "exchange", input).await)
    };
    let url = world.consent("p", "u", &["mail"], "/webhook/connected?from=chat").await;
    assert_eq!(param(&url, "redirect_uri").unwrap(), "https://bots.example.com/webhook/connected?from=chat");
    for (tenant, subject, path) in [
        ("t", "v", "/webhook/connected?from=chat"),
        ("t", "u", "/webhook/connected"),
        ("t", "u", ""),
        ("other", "u", "/webhook/connected?from=chat"),
    ] {
        assert_eq!(exchange(tenant, subject, path).await, Value::Null, "{tenant} {subject} {path}");
        assert_eq!(log().codes("exchange-code"), ["12"]);
    }
    assert!(peer.asked().is_empty(), "no code went out");
    let tokens = exchange("t", "u", "/webhook/connected?from=chat").await;
    assert_eq!(tokens["access_token"], "canary-access-1");
    assert_eq!(peer.asked()[0].form("redirect_uri"), param(&url, "redirect_uri"));
    assert_eq!(world.token("p", "u", &["mail"]).await, tokens, "they are kept");
    assert_eq!(exchange("t", "u", "/webhook/connected?from=chat").await, Value::Null, "once");
    assert_eq!(read(&world.ask_as("other", "token", json!({"provider": "p", "subject": "u"})).await), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_want_what_has_expired_cause_one_renewal() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    peer.asked();
    for round in 2..4 {
        world.clock.advance(Duration::from_secs(3_600));
        let all = futures::future::join_all((0..10).map(|_| world.token("p", "u", &["mail"]))).await;
        assert!(all.iter().all(|tokens| tokens["access_token"] == format!("canary-access-{round}")), "{all:?}");
        let [asked] = &peer.asked()[..] else { panic!("one renewal") };
        assert_eq!(asked.form("grant_type").as_deref(), Some("refresh_token"));
        let refresh = format!("canary-refresh-{}", round - 1);
        assert_eq!(asked.form("refresh_token"), Some(refresh), "the one that was given last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_gives_no_new_refresh_token_is_shown_the_old_one_again() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    peer.asked();
    peer.answer(|_| Reply::Json(200, json!({"access_token": "canary-9", "expires_in": 3600, "token_type": "bearer"})));
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(3_600));
        assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-9");
        let [asked] = &peer.asked()[..] else { panic!("one renewal") };
        assert_eq!(asked.form("refresh_token").as_deref(), Some("canary-refresh-1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_ends_well_although_nobody_waits_for_it_any_more() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    world.clock.advance(Duration::from_secs(3_600));
    peer.answer(|_| Reply::Held(tokens(7)));
    assert_eq!(world.token("p", "u", &[]).await, Value::Null, "its time was up");
    assert_eq!(log().codes("get-token"), ["14"]);
    peer.asked();
    peer.release();
    // Whoever asks next waits for the renewal that is under way, and causes none.
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-7");
    assert!(peer.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_fails_costs_no_more_than_it_must() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    world.clock.advance(Duration::from_secs(3_550));
    for answer in [
        (|_| Reply::Text(500, "canary")) as fn(&Asked) -> Reply,
        |_| Reply::Text(200, "canary"),
        |_| Reply::Json(401, json!({"error": "invalid_client", "error_description": "canary"})),
    ] {
        peer.answer(answer);
        let tokens = world.token("p", "u", &[]).await;
        assert_eq!(tokens["access_token"], "canary-access-1", "it lasts a moment still");
    }
    world.clock.advance(Duration::from_secs(100));
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert_eq!(log().codes("get-token"), ["13"]);
    peer.answer(|_| Reply::Json(200, tokens(2)));
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2", "it was not forgotten");

    world.clock.advance(Duration::from_secs(3_600));
    peer.answer(|_| Reply::Json(400, json!({"error": "invalid_grant"})));
    peer.asked();
    for _ in 0..3 {
        assert_eq!(world.token("p", "u", &[]).await, Value::Null, "the subject has to consent again");
    }
    assert_eq!(peer.asked().len(), 1, "what is worth nothing is shown once");
    assert!(log().codes("get-token").is_empty() && !log().text().contains("canary"));

    // A refusal that comes as an answer of the best kind is one all the same.
    connect_by(&world, &peer).await;
    world.clock.advance(Duration::from_secs(3_600));
    peer.answer(|_| Reply::Json(200, json!({"error": "bad_refresh_token"})));
    peer.asked();
    for _ in 0..3 {
        assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    }
    assert_eq!(peer.asked().len(), 1);
}

/// Has the subject consent again, to a provider that gives tokens again.
async fn connect_by(world: &World, peer: &Peer) {
    peer.answer(|_| Reply::Json(200, tokens(1)));
    connect(world, "u").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_of_no_use_without_the_key_and_survives_its_replacement() {
    const NEW: &str = "0202020202020202020202020202020202020202020202020202020202020202";
    const REPLACED: &[(&str, &str)] =
        &[("T__OAUTH_KEY", NEW), ("T__OAUTH_KEY_PREVIOUS", KEY), ("T__CLIENT", "canary-client")];
    const AFTER: &[(&str, &str)] = &[("T__OAUTH_KEY", NEW), ("T__CLIENT", "canary-client")];
    const LOST: &[(&str, &str)] = &[("T__OAUTH_KEY", KEY), ("T__CLIENT", "canary-client")];
    let peer = Peer::start(counting()).await;
    let dir = tempfile::tempdir().unwrap();
    let world = async |secrets| {
        let store = loop {
            // Until whoever had it before is gone.
            match RedbStore::open(dir.path()) {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        World::with(&[&block(&peer)], secrets, store).await
    };
    let first = world(SECRETS).await;
    connect(&first, "subject-canary").await;
    let begun = first.consent("p", "subject-canary", &[], "").await;
    end(first).await;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
        let verifier = param(&begun, "state").unwrap();
        for word in ["canary-access", "canary-refresh", "canary-id", &verifier] {
            assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word} is readable on disk");
        }
    }
    for (secrets, access) in
        [(REPLACED, json!("canary-access-1")), (AFTER, json!("canary-access-1")), (LOST, Value::Null)]
    {
        let world = world(secrets).await;
        assert_eq!(world.token("p", "subject-canary", &[]).await["access_token"], access);
        end(world).await;
    }
    assert!(log().text().contains("GRH-1117"), "the operator learns why");
}

/// Stops a host, so that its store can be opened again.
async fn end(world: World) {
    world.host.stop().await.unwrap();
    let host = Arc::downgrade(&world.host);
    drop(world);
    while host.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_key_is_missing_learns_which_and_stores_nothing() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], &[("T__CLIENT", "x")]).await;
    assert!(log().text().contains("tenant t has no secret OAUTH_KEY"), "at start");
    assert_eq!(world.ask("consent", json!({"provider": "p", "subject": "u"})).await, "");
    assert_eq!(log().codes("get-consent-url"), ["16"]);
    assert_eq!(world.ask("consent", json!({"provider": "q", "subject": "u"})).await, "");
    assert_eq!(log().codes("get-consent-url"), ["11"], "and which providers there are");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_lead_to_no_address_that_nobody_named() {
    let inside = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = inside.local_addr().unwrap();
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reached);
    tokio::spawn(async move {
        while inside.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let peer = Peer::start(counting()).await;
    let issuer = peer.url("");
    let metadata = json!({"issuer": issuer, "authorization_endpoint": "https://p.example/auth",
        "token_endpoint": format!("http://{address}/token")});
    peer.answer(move |_| Reply::Json(200, metadata.clone()));
    let block = format!(
        "  public_url: {PUBLIC}/\n  providers:\n    p: {{ issuer: '{issuer}', client_id: bot, client_secret: CLIENT }}\n"
    );
    let world = World::start(&[&block], SECRETS).await;
    let url = world.consent("p", "u", &[], "").await;
    let (status, page) = world.browse(&back(&url, "&code=canary-code")).await;
    assert!(status >= 400 && page.contains("GRH-1114"), "{status} {page}");
    assert_eq!(reached.load(Ordering::SeqCst), 0, "its own machine is the issuer's, and no other");
    assert!(log().text().contains("address_not_public"), "the operator learns why");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_took_its_consent_back_is_asked_for_a_new_one() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    world.clock.advance(Duration::from_secs(3_600));
    peer.answer(|_| Reply::Json(400, json!({"error": "invalid_grant"})));
    assert_eq!(world.token("p", "u", &["mail"]).await, Value::Null);
    assert!(log().text().contains("a subject has to consent again"), "the operator learns of it");
    peer.answer(|_| Reply::Json(200, tokens(2)));
    peer.asked();
    assert_eq!(world.token("p", "u", &["mail"]).await, Value::Null, "what was taken back stays away");
    assert!(peer.asked().is_empty());
    connect(&world, "u").await;
    assert_eq!(world.token("p", "u", &["mail"]).await["access_token"], "canary-access-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_last_from_when_they_were_asked_for() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    let url = world.consent("p", "u", &["mail"], "").await;
    let clock = world.clock.clone();
    peer.answer(move |_| {
        // The provider takes its time after it began to count.
        clock.advance(Duration::from_secs(100));
        Reply::Json(200, tokens(1))
    });
    assert_eq!(world.browse(&back(&url, "&code=canary-code")).await.0, 200);
    assert_eq!(world.token("p", "u", &[]).await["expires_at"], 1_800_003_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_that_leave_something_out_or_write_it_otherwise_are_understood() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer)], SECRETS).await;
    for (answer, expires_at) in [
        (json!({"access_token": "canary-a", "expires_in": "3600"}), json!(1_800_003_600)),
        (json!({"access_token": "canary-a", "scope": ["base", "mail"], "refresh_token": ""}), Value::Null),
    ] {
        let url = world.consent("p", "u", &["mail"], "").await;
        peer.answer(move |_| Reply::Json(200, answer.clone()));
        assert_eq!(world.browse(&back(&url, "&code=canary-code")).await.0, 200);
        let tokens = world.token("p", "u", &["mail"]).await;
        assert_eq!((&tokens["token_type"], &tokens["expires_at"]), (&json!("Bearer"), &expires_at));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_reach_nobody_but_whoever_they_are_for() {
    let peer = Peer::start(counting()).await;
    let world = World::start(&[&block(&peer), &block(&peer)], SECRETS).await;
    connect(&world, "u").await;
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2");
    for (tenant, subject) in [("other", "u"), ("t", "v"), ("t", "U")] {
        let tokens = world.ask_as(tenant, "token", json!({"provider": "p", "subject": subject})).await;
        assert_eq!(tokens, "", "{tenant} {subject}");
    }
    let (log, traced) = (log().text(), world.traced.text());
    assert!(
        log.contains("a subject consented") && traced.contains("broker-v1"),
        "the canaries were looked for in something"
    );
    let debug = format!("{:?} {:?}", world.host, world.host.tenant("t"));
    for (name, text) in [("log", log), ("trace", traced), ("debug", debug)] {
        assert!(!text.contains("canary"), "{name}: {text}");
    }
}
