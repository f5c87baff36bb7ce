//! A broker over HTTP.

use std::time::{Duration, Instant};

use greentic_runner_host::Code;
use serde_json::{Value, json};

use crate::common::{Sources, host_of};
use crate::peer::{Asked, Peer, Reply};
use crate::world::{World, log, pack, read};

/// A broker that has a token for everybody.
fn generous(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/broker/oauth/start" => Reply::Json(201, json!({"start_url": "https://broker.example.com/authorize/01J"})),
        "/broker/resource-token" => {
            Reply::Json(200, json!({"access_token": "canary-own", "expires_at": 1_800_003_600}))
        }
        "/broker/token" => {
            Reply::Json(200, json!({"access_token": "canary-subject", "expires_at": "2027-01-15T09:00:00Z"}))
        }
        _ => Reply::Text(404, "no"),
    }
}

fn block(peer: &Peer, more: &str) -> String {
    format!("  http_base_url: {}\n  provider: greentic.oauth.default\n{more}", peer.url("/broker"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_block_gives_consent_and_tokens_in_the_names_that_the_host_knows() {
    let peer = Peer::start(generous).await;
    let world =
        World::start(&[&block(&peer, "  team: platform\n  env: prod\n  public_url: https://bots.example.com/\n")], &[])
            .await;
    let lies =
        json!({"tenant": "other", "owner_id": "boss", "prompt": "consent", "login_hint": "a@b.example"}).to_string();
    let input = json!({"subject": "user-1", "scopes": ["mail", "files"], "path": "/webhook/done", "extra": lies});
    assert_eq!(world.ask("consent", input).await, "https://broker.example.com/authorize/01J");
    let [asked] = &peer.asked()[..] else { panic!("one question") };
    let mut body = asked.json();
    let flow = body.as_object_mut().unwrap().remove("flow_id").unwrap();
    assert!(flow.as_str().unwrap().len() > 40, "nobody can guess it");
    assert_eq!(
        (asked.path.as_str(), body),
        (
            "/broker/oauth/start",
            json!({
                "env": "prod", "tenant": "t", "provider": "greentic.oauth.default", "team": "platform",
                "owner_kind": "user", "owner_id": "user-1", "scopes": ["mail", "files"],
                "redirect_uri": "https://bots.example.com/webhook/done", "prompt": "consent",
                "extra_params": {"tenant": "other", "owner_id": "boss", "login_hint": "a@b.example"},
            })
        )
    );
    let tokens = world.token("google", "user-1", &["mail"]).await;
    let whole = json!({"access_token": "canary-own", "refresh_token": null, "expires_at": 1_800_003_600,
        "token_type": "Bearer", "extra": {}});
    assert_eq!(tokens, whole);
    let [asked] = &peer.asked()[..] else { panic!("one question") };
    let body = json!({"env": "prod", "tenant": "t", "team": "platform", "resource_id": "google", "scopes": ["mail"]});
    assert_eq!((asked.path.as_str(), asked.json()), ("/broker/resource-token", body));
    assert_eq!(asked.authorization, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_local_unless_something_else_is_said() {
    let peer = Peer::start(generous).await;
    let world = World::start(&[&block(&peer, "")], &[]).await;
    world.token("", "u", &[]).await;
    let env = std::env::var("GREENTIC_ENV").unwrap_or_else(|_| "local".to_owned());
    let asked = peer.asked()[0].json();
    assert_eq!(asked, json!({"env": env, "tenant": "t", "resource_id": "greentic.oauth.default", "scopes": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_the_block_is_refused_at_load_with_the_hint() {
    let error = host_of("tenant: t", &pack(), |builder| builder.with_memory_store()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&Code::ImportNotGranted.to_string()), "{text}");
    assert!(text.contains("greentic:oauth-broker/broker-v1@1.0.0") && text.contains("add the block `oauth`"), "{text}");
    let listed = host_of("tenant: t\ngrants: [oauth]", &pack(), |builder| builder.with_memory_store()).await;
    assert_eq!(listed.unwrap_err().code(), Code::BindingsInvalid, "no list grants what nobody gives");
    // Nothing else changes for a pack that does not ask.
    let plain = Sources::of_flow("{ id: a, type: messaging, nodes: { a: { emit.response: hi } } }");
    host_of("tenant: t", &plain, |builder| builder.with_memory_store()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_so_too() {
    let (dir, pack) = (tempfile::tempdir().unwrap(), pack());
    let bindings = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let check = |bindings: &std::path::Path| {
        let mut command = assert_cmd::Command::cargo_bin("greentic-runner").unwrap();
        command.arg("check").arg(pack.path()).arg("--bindings").arg(bindings).output().unwrap()
    };
    let without = check(&bindings("without.yaml", "tenant: t\n"));
    let said = String::from_utf8_lossy(&without.stdout).into_owned() + &String::from_utf8_lossy(&without.stderr);
    assert!(!without.status.success() && said.contains("GRH-0306") && said.contains("add the block `oauth`"), "{said}");
    let with = check(&bindings("with.yaml", "tenant: t\noauth: { http_base_url: https://broker.example.com/ }\n"));
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_misbehaves_is_an_empty_text_and_a_coded_line_in_time() {
    let peer = Peer::start(generous).await;
    let world = World::start(&[&block(&peer, "")], &[]).await;
    let log = log();
    for (code, answer) in [
        ("14", (|_| Reply::Never) as fn(&Asked) -> Reply),
        ("14", |_| Reply::Text(500, "canary")),
        ("15", |_| Reply::Text(200, "canary")),
        ("15", |_| Reply::Text(200, "")),
        ("15", |_| Reply::Json(200, json!({"access_token": 7, "start_url": []}))),
        ("15", |_| Reply::Json(200, json!({"access_token": "", "start_url": "javascript:canary"}))),
        ("15", |_| Reply::Json(200, json!(["canary"]))),
        ("15", |_| Reply::Endless),
        ("15", |_| Reply::Elsewhere),
        ("13", |_| Reply::Json(403, json!({"error": "canary"}))),
        ("13", |_| Reply::Json(401, json!({}))),
    ] {
        peer.answer(answer);
        for op in ["consent", "token"] {
            let begun = Instant::now();
            assert_eq!(world.ask(op, json!({"provider": "p", "subject": "u"})).await, "", "{op} {code}");
            assert!(begun.elapsed() < Duration::from_secs(9), "the call's own time bounds it");
            assert_eq!(log.codes("-"), [code], "{op}");
        }
        let asked = peer.asked();
        assert!(asked.len() == 2 && asked.iter().all(|asked| asked.path != "/elsewhere"), "{asked:?}");
    }
    peer.answer(|_| Reply::Json(404, json!({})));
    assert_eq!(world.token("p", "u", &[]).await, Value::Null, "there is none, which is no failure");
    assert!(log.codes("-").is_empty() && !log.text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_has_too_much_to_do_is_left_alone_for_a_while() {
    let peer = Peer::start(|_| Reply::Wait("30")).await;
    let world = World::start(&[&block(&peer, "")], &[]).await;
    for _ in 0..5 {
        assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    }
    assert_eq!(peer.asked().len(), 1, "it asked for thirty seconds");
    assert_eq!(log().codes("get-token"), ["14"; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_lies_gets_nothing_and_changes_nothing() {
    let peer = Peer::start(generous).await;
    let world = World::start(&[&block(&peer, "  public_url: https://bots.example.com/\n")], &[]).await;
    for (op, input) in [
        ("consent", json!({"provider": "a b", "subject": "u"})),
        ("consent", json!({"provider": "../../admin", "subject": "u"})),
        ("consent", json!({"provider": "p", "subject": ""})),
        ("consent", json!({"provider": "p", "subject": "u\r\nhost: x"})),
        ("consent", json!({"provider": "p", "subject": "u", "scopes": ["a\"b"]})),
        ("consent", json!({"provider": "p", "subject": "u", "path": "//evil.example/"})),
        ("consent", json!({"provider": "p", "subject": "u", "path": "https://evil.example/"})),
        ("consent", json!({"provider": "p", "subject": "u", "path": "/../admin"})),
        ("consent", json!({"provider": "p", "subject": "u", "extra": "{\"redirect_uri\": \"https://evil.example\"}"})),
        ("consent", json!({"provider": "p", "subject": "u", "extra": "[[[["})),
        ("exchange", json!({"provider": "p", "subject": "u", "code": ""})),
        ("exchange", json!({"provider": "p", "subject": "u", "code": "code"})),
        ("lie", json!({"bytes": 100_000})),
    ] {
        assert_eq!(world.ask(op, input.clone()).await, "", "{input}");
        assert_eq!(log().codes("-"), ["10"], "{input}");
    }
    assert!(peer.asked().is_empty(), "nothing of it went out");
    let crowd = world.run("t", "crowd", json!({"provider": "p", "subject": "u", "count": 300})).await;
    let given = crowd["given"].as_u64().unwrap();
    assert!((1..260).contains(&given), "{given}: no tenant begins more than users could give");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_go_to_a_broker_that_takes_them() {
    let peer = Peer::start(generous).await;
    let more = "  exchange_path: oauth/exchange\n  http_token: BROKER_TOKEN\n  public_url: https://bots.example.com/\n";
    let world = World::start(&[&block(&peer, more)], &[("T__BROKER_TOKEN", "canary-token")]).await;
    let exchange = |subject: &'static str| {
        world.ask(
            "exchange",
            json!({"provider": "p", "subject": subject, "code": "canary-code", "path": "/webhook/done"}),
        )
    };
    peer.answer(|asked| match asked.path.as_str() {
        "/broker/oauth/exchange" => Reply::Json(200, json!({"token_handle": "canary-handle"})),
        _ => generous(asked),
    });
    assert_eq!(read(&exchange("u").await)["access_token"], "canary-subject");
    let asked = peer.asked();
    let body = json!({"env": "local", "tenant": "t", "provider": "p", "owner_kind": "user", "owner_id": "u",
        "code": "canary-code", "redirect_uri": "https://bots.example.com/webhook/done"});
    assert_eq!(asked[0].json(), body);
    assert_eq!(asked[1].json(), json!({"token_handle": "canary-handle", "force_refresh": false}));
    assert!(asked.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer canary-token")));
    // The handle is that subject's, and stays.
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-subject");
    assert_eq!(world.token("p", "v", &[]).await["access_token"], "canary-own", "the tenant's own, not the other's");
    // Until the broker does not know it any more.
    peer.answer(|asked| if asked.path == "/broker/token" { Reply::Text(404, "gone") } else { generous(asked) });
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own");
    let (log, traced) = (log().text(), world.traced.text());
    assert!(traced.contains("get-token") && !traced.contains("canary"), "{traced}");
    assert!(!log.contains("canary-"), "{log}");
    assert!(!format!("{:?}", world.host).contains("canary"));
}

/// Has a broker that takes codes hold `answer` until the time of whoever asks is up, and then give it.
async fn too_late(answer: Value) -> (World, Peer) {
    let peer = Peer::start(generous).await;
    let world = World::start(&[&block(&peer, "  exchange_path: oauth/exchange\n")], &[]).await;
    peer.answer(move |asked| match asked.path.as_str() {
        "/broker/oauth/exchange" => Reply::Held(answer.clone()),
        _ => generous(asked),
    });
    let input = json!({"provider": "p", "subject": "u", "code": "canary-code"});
    assert_eq!(world.ask("exchange", input).await, "");
    assert_eq!(log().codes("exchange-code"), ["14"], "its time was up");
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own", "there is nothing of the subject's yet");
    peer.asked();
    peer.release();
    (world, peer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_for_which_nobody_waits_any_more_is_kept() {
    let (world, peer) = too_late(json!({"token_handle": "canary-handle"})).await;
    // What the handle is worth is asked for once it is kept.
    let begun = Instant::now();
    while !peer.asked().iter().any(|asked| asked.path == "/broker/token") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is lost");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-subject");
    assert_eq!(peer.asked().last().unwrap().json()["token_handle"], "canary-handle");
    assert_eq!(world.token("p", "v", &[]).await["access_token"], "canary-own", "it is nobody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_which_nobody_waits_any_more_are_kept_until_their_end() {
    let (world, peer) = too_late(json!({"access_token": "canary-given", "expires_at": 1_800_003_600})).await;
    let begun = Instant::now();
    let tokens = loop {
        let tokens = world.token("p", "u", &[]).await;
        if tokens["access_token"] != "canary-own" {
            break tokens;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "they are lost");
    };
    let whole = json!({"access_token": "canary-given", "refresh_token": null, "expires_at": 1_800_003_600,
        "token_type": "Bearer", "extra": {}});
    assert_eq!(tokens, whole);
    peer.asked();
    assert_eq!(world.token("p", "v", &[]).await["access_token"], "canary-own", "they are nobody else's");
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own", "nothing is left of them");
    // A handle takes the place of tokens, and tokens that of a handle.
    for (answer, access) in [
        (json!({"access_token": "canary-given"}), "canary-given"),
        (json!({"token_handle": "h"}), "canary-subject"),
        (json!({"access_token": "canary-given"}), "canary-given"),
    ] {
        peer.answer(move |asked| match asked.path.as_str() {
            "/broker/oauth/exchange" => Reply::Json(200, answer.clone()),
            _ => generous(asked),
        });
        let input = json!({"provider": "p", "subject": "u", "code": "canary-code"});
        assert_eq!(read(&world.ask("exchange", input).await)["access_token"], access);
        assert_eq!(world.token("p", "u", &[]).await["access_token"], access);
    }
    assert!(!log().text().contains("canary-"));
}
