//! What becomes of tokens when the place of secrets fails, hangs, or has another key, in the worst moments there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use greentic_runner_host::store::{Lane, MemoryStore};
use greentic_runner_host::{Code, Error, Result};
use serde_json::{Value, json};

use crate::direct::{back, block, connect, counting, tokens};
use crate::peer::{Peer, Reply};
use crate::shelf::{LATER, Said, Shelf};
use crate::store::{Hand, Handled};
use crate::world::{KEY, World, log, pack};

const NEW: &str = "0202020202020202020202020202020202020202020202020202020202020202";
const HOUR: Duration = Duration::from_secs(3_600);

fn shelf() -> Arc<Shelf> {
    let key = || Said::Values(&[KEY]);
    let client = || Said::Values(&["canary-client"]);
    Shelf::of(&[
        ("t", "OAUTH_KEY", key()),
        ("t", "CLIENT", client()),
        ("other", "OAUTH_KEY", key()),
        ("other", "CLIENT", client()),
    ])
}

async fn world(peer: &Peer, shelf: &Arc<Shelf>) -> World {
    World::over(&[&block(peer), &block(peer)], Arc::clone(shelf) as _, |builder| builder).await
}

/// Has the provider's next answers be tokens of the number `n`, given while `meanwhile` becomes true of the key.
fn meanwhile(world: &World, peer: &Peer, shelf: &Arc<Shelf>, n: usize, said: Said) {
    let (clock, shelf) = (world.clock.clone(), Arc::clone(shelf));
    peer.answer(move |_| {
        shelf.set("t", "OAUTH_KEY", said.clone());
        clock.advance(LATER);
        Reply::Json(200, tokens(n))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_a_provider_whose_answer_could_not_be_kept() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let world = world(&peer, &shelf).await;
    let url = world.consent("p", "u", &["mail"], "").await;
    let landing = back(&url, "&code=canary-code");
    shelf.set("t", "OAUTH_KEY", Said::Failure);
    // Less than a consent is good for.
    world.clock.advance(Duration::from_secs(500));
    let (status, page) = world.browse(&landing).await;
    assert!(status == 503 && page.contains("GRH-0846"), "{status} {page}");
    assert!(peer.asked().is_empty(), "the code was shown to nobody");
    shelf.set("t", "OAUTH_KEY", Said::Values(&[KEY]));
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.browse(&landing).await.0, 200, "and the consent is good still");

    peer.asked();
    world.clock.advance(HOUR);
    shelf.set("t", "OAUTH_KEY", Said::Failure);
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert!(peer.asked().is_empty(), "no refresh token was used");
    shelf.set("t", "OAUTH_KEY", Said::Values(&[KEY]));
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2");
    assert!(!log().text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_gave_is_kept_although_the_key_cannot_be_read_any_more() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let world = world(&peer, &shelf).await;
    let url = world.consent("p", "u", &["mail"], "").await;
    meanwhile(&world, &peer, &shelf, 1, Said::Failure);
    assert_eq!(world.browse(&back(&url, "&code=canary-code")).await.0, 200);
    // And so it is with each refresh token.
    for n in 2..4 {
        shelf.set("t", "OAUTH_KEY", Said::Values(&[KEY]));
        world.clock.advance(HOUR);
        meanwhile(&world, &peer, &shelf, n, Said::Failure);
        peer.asked();
        assert_eq!(world.token("p", "u", &[]).await["access_token"], format!("canary-access-{n}"));
        let refresh = format!("canary-refresh-{}", n - 1);
        assert_eq!(peer.asked()[0].form("refresh_token"), Some(refresh), "the one that was given last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_replaced_while_a_provider_answers_seals_what_it_gave() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let world = world(&peer, &shelf).await;
    connect(&world, "u").await;
    world.clock.advance(HOUR);
    meanwhile(&world, &peer, &shelf, 2, Said::Values(&[NEW, KEY]));
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2");
    shelf.set("t", "OAUTH_KEY", Said::Values(&[NEW]));
    world.clock.advance(LATER);
    peer.asked();
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2", "the old key is not needed");
    assert!(peer.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_never_answers_holds_up_nobody_but_its_tenant() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    shelf.set("t", "OAUTH_KEY", Said::Nothing);
    let world = Arc::new(world(&peer, &shelf).await);
    assert!(log().text().contains("GRH-0846"), "the start goes on, and says so");
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        let all: Vec<_> = ["consent", "exchange"]
            .into_iter()
            .map(|op| {
                let world = Arc::clone(&world);
                let input = json!({"provider": "p", "subject": "u", "code": "c"});
                tokio::spawn(async move {
                    let begun = Instant::now();
                    (op, world.ask(op, input).await, begun.elapsed())
                })
            })
            .collect();
        let input = json!({"provider": "p", "subject": "u"});
        assert!(world.ask_as("other", "consent", input.clone()).await.starts_with("https://p.example/auth"));
        assert_eq!(world.ask_as("other", "token", input).await, "");
        let was_first = all.iter().all(|asked| !asked.is_finished());
        for asked in all {
            let (op, answer, took) = asked.await.unwrap();
            assert!(answer.is_empty() && took < Duration::from_secs(30), "{op}");
        }
        assert_eq!(log().codes("-"), ["14"; 2]);
        // If it had to wait it would never be; on a busy machine it may not be at once.
        if was_first {
            break;
        }
        assert!(Instant::now() < patience, "the other tenant's answers wait for these");
    }
    let (status, page) = world.browse("https://bots.example.com/oauth/callback?state=s&code=c").await;
    assert!(status == 503 && page.contains("GRH-0846"), "{status} {page}");
    assert!(peer.asked().is_empty());
    shelf.set("t", "OAUTH_KEY", Said::Values(&[KEY]));
    connect(&world, "u").await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_waits_for_a_secret_does_not_wait_for_ever() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let world = world(&peer, &shelf).await;
    connect(&world, "u").await;
    world.clock.advance(HOUR);
    peer.asked();
    // The secret that proves the client is read within the renewal.
    shelf.set("t", "CLIENT", Said::Nothing);
    let all = futures::future::join_all((0..5).map(|_| world.token("p", "u", &[]))).await;
    assert!(all.iter().all(Value::is_null), "{all:?}");
    assert_eq!(log().codes("get-token"), ["14"; 5]);
    shelf.set("t", "CLIENT", Said::Values(&["canary-client"]));
    let begun = Instant::now();
    while world.token("p", "u", &[]).await == Value::Null {
        assert!(begun.elapsed() < Duration::from_secs(30), "the renewal is stuck");
    }
    assert_eq!(peer.asked().len(), 1, "one renewal, by whoever came when it was possible");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_waits_for_what_a_provider_is_about_to_give() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let world = world(&peer, &shelf).await;
    connect(&world, "u").await;
    world.clock.advance(HOUR);
    peer.answer(|_| Reply::Held(tokens(2)));
    assert_eq!(world.token("p", "u", &[]).await, Value::Null, "its time was up");
    let host = Arc::clone(&world.host);
    let mut stopping = tokio::spawn(async move { host.stop().await.unwrap() });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut stopping).await;
    assert!(early.is_err(), "the provider has not answered yet");
    peer.release();
    stopping.await.unwrap();
    world.host.start().await.unwrap();
    world.host.load_pack("t", &pack().path()).await.unwrap();
    peer.asked();
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-access-2");
    assert!(peer.asked().is_empty());
}

/// Fails as often as it says, once it is told to keep something.
#[derive(Default)]
struct Failing(AtomicUsize);

#[async_trait]
impl Hand for Failing {
    async fn before(&self, transaction: &str, _: Option<&Lane>) -> Result<()> {
        let fails = || self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        match transaction == "vault_put" && fails() {
            true => Err(Error::new(Code::StoreFull, "no space left for a moment")),
            false => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_for_a_while_loses_no_refresh_token() {
    let (peer, shelf) = (Peer::start(counting()).await, shelf());
    let store = Handled::new(Arc::new(MemoryStore::default()), Failing::default());
    let kept = Arc::clone(&store);
    let world = World::over(&[&block(&peer)], shelf, |builder| builder.with_store(kept)).await;
    connect(&world, "u").await;
    for n in 2..4 {
        world.clock.advance(HOUR);
        peer.asked();
        store.hand.0.store(4, Ordering::SeqCst);
        assert_eq!(world.token("p", "u", &[]).await["access_token"], format!("canary-access-{n}"));
        assert_eq!(store.hand.0.load(Ordering::SeqCst), 0, "it failed");
        let refresh = format!("canary-refresh-{}", n - 1);
        assert_eq!(peer.asked()[0].form("refresh_token"), Some(refresh), "the one that was given last");
    }
}
