//! A broker over NATS, by a real server of it. `apt-get install nats-server`, which `.ci/run` does.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::{Client, Message, Subscriber};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::peer::{Peer, Reply};
use crate::server::{Server, port};
use crate::world::{World, log, param, read};

async fn nats() -> Server {
    Server::start("nats-server", |_, address| vec!["--addr".into(), "127.0.0.1".into(), "--port".into(), port(address)])
        .await
}

/// What a broker does with a question under a subject.
type Answers = Arc<dyn Fn(&str, &Value) -> Option<Value> + Send + Sync>;

/// Subscribes to `subjects`, of which `own` is one. The server knows of it once it brings what this client says itself.
async fn listening(client: &Client, subjects: &'static str, own: &'static str) -> Subscriber {
    let mut told = client.subscribe(subjects).await.unwrap();
    client.publish(own, "".into()).await.unwrap();
    told.next().await.unwrap();
    told
}

/// A broker on NATS: it answers, and tells what it was asked.
struct Broker {
    client: Client,
    asked: Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
}

impl Broker {
    async fn start(server: &Server, answers: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        let client = async_nats::connect(format!("nats://{}", server.address)).await.unwrap();
        Self::over(client, answers).await
    }

    async fn over(client: Client, answers: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        let (tell, asked) = mpsc::unbounded_channel();
        let answers: Answers = Arc::new(answers);
        let mut questions = listening(&client, "oauth.>", "oauth.ready").await;
        let answering = client.clone();
        tokio::spawn(async move {
            while let Some(Message { subject, payload, reply, .. }) = questions.next().await {
                let Some(reply) = reply else { continue };
                let body: Value = serde_json::from_slice(&payload).unwrap();
                let answer = answers(&subject, &body);
                // The test may be over.
                let _ = tell.send((subject.to_string(), body));
                if let Some(answer) = answer {
                    answering.publish(reply, answer.to_string().into()).await.unwrap();
                }
            }
        });
        Self { client, asked: Mutex::new(asked) }
    }

    fn asked(&self) -> Option<(String, Value)> {
        self.asked.lock().unwrap().try_recv().ok()
    }

    async fn tell(&self, flow: &str, result: Value) {
        let subject = format!("oauth.res.t.local._.p.{flow}");
        self.client.publish(subject, result.to_string().into()).await.unwrap();
        self.client.flush().await.unwrap();
    }
}

fn flow(subject: &str) -> String {
    subject.rsplit('.').next().unwrap().to_owned()
}

fn generous(subject: &str, body: &Value) -> Option<Value> {
    Some(match subject {
        "oauth.token.get" => {
            json!({"access_token": format!("canary-of-{}", body["token_handle"].as_str().unwrap()), "expires_at": 7})
        }
        "oauth.token.resource" => json!({"access_token": "canary-own", "expires_at": 7}),
        _ => {
            let flow = flow(subject);
            json!({"flow_id": flow, "redirect_url": format!("https://b.example/go?flow={flow}"), "state": format!("state-{flow}")})
        }
    })
}

fn block(server: &Server, more: &str) -> String {
    format!("  nats_url: nats://{}\n  provider: p\n  env: local\n{more}", server.address)
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_result_and_tokens_go_over_nats() {
    let server = nats().await;
    let broker = Broker::start(&server, generous).await;
    let world = World::start(&[&block(&server, "  public_url: https://bots.example.com/\n")], &[]).await;
    let url = world.consent("p", "u", &["mail"], "/webhook/done").await;
    let (subject, body) = broker.asked().unwrap();
    let flow = flow(&subject);
    assert_eq!(subject, format!("oauth.req.t.local._.p.{flow}"));
    assert_eq!(param(&url, "flow"), Some(flow.clone()));
    let whole = json!({"owner_kind": "user", "owner_id": "u", "scopes": ["mail"],
        "redirect_uri": "https://bots.example.com/webhook/done"});
    assert_eq!(body, whole);

    // Results that are nobody's, another tenant's or another provider's change nothing.
    let result = |change: Value| {
        let mut result = json!({"flow_id": flow, "env": "local", "tenant": "t", "provider": "p",
            "token_handle": "h", "storage_path": "x"});
        result.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        result
    };
    for mut forged in [
        json!({"flow_id": "made-up"}),
        json!({"tenant": "other"}),
        json!({"env": "prod"}),
        json!({"team": "x"}),
        json!({"provider": "q"}),
        json!({"token_handle": ""}),
        json!({"token_handle": 7}),
    ] {
        let members = forged.as_object_mut().unwrap();
        members.entry("token_handle").or_insert(json!("forged"));
        broker.tell(&flow, result(forged)).await;
    }
    broker.client.publish("oauth.res.t.local._.p.x", "no json".into()).await.unwrap();
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own", "no handle was taken");

    // A component that waits for the result gets it once it is there; by the broker's state or the flow.
    let exchange = |code: String| world.ask("exchange", json!({"provider": "p", "subject": "u", "code": code}));
    assert_eq!(exchange("made-up".into()).await, "");
    assert_eq!(log().codes("exchange-code"), ["12"]);
    let (tokens, ()) = tokio::join!(exchange(format!("state-{flow}")), broker.tell(&flow, result(json!({}))));
    assert_eq!(read(&tokens)["access_token"], "canary-of-h");
    assert_eq!(read(&exchange(flow.clone()).await)["access_token"], "canary-of-h");
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-of-h");
    assert_eq!(world.token("p", "v", &[]).await["access_token"], "canary-own");

    // A result is taken once.
    broker.tell(&flow, result(json!({"token_handle": "stolen"}))).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-of-h");
    let (log, traced) = (log().text(), world.traced.text());
    assert!(!log.contains("canary-") && !traced.contains("canary"), "{log}{traced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_misbehaves_over_nats_is_an_empty_text_in_time() {
    let server = nats().await;
    let said = Arc::new(Mutex::new(None));
    let answer = Arc::clone(&said);
    let _broker = Broker::start(&server, move |_, _| answer.lock().unwrap().clone()).await;
    let world = World::start(&[&block(&server, "")], &[]).await;
    for (code, answer) in [
        ("14", None),
        ("15", Some(json!("canary"))),
        ("15", Some(json!({"access_token": {}, "flow_id": "another", "redirect_url": "https://b.example"}))),
        ("13", Some(json!({"error": "access_denied"}))),
        (
            "15",
            // All that is asked for, and too much beside it.
            Some(
                json!({"access_token": "canary", "redirect_url": "https://b.example", "extra": {"x": "x".repeat(400_000)}}),
            ),
        ),
    ] {
        *said.lock().unwrap() = answer;
        for op in ["consent", "token"] {
            let begun = Instant::now();
            assert_eq!(world.ask(op, json!({"provider": "p", "subject": "u"})).await, "", "{op} {code}");
            assert!(begun.elapsed() < Duration::from_secs(9));
            assert_eq!(log().codes("-"), [code], "{op}");
        }
    }
    *said.lock().unwrap() = Some(json!({"error": "not_found"}));
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert!(log().codes("-").is_empty() && !log().text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_asked_where_nobody_answers_on_nats() {
    let server = nats().await;
    let peer = Peer::start(|asked| match asked.path.as_str() {
        "/oauth/start" => Reply::Json(201, json!({"start_url": "https://b.example/over-http"})),
        _ => Reply::Json(200, json!({"access_token": "over-http"})),
    })
    .await;
    let both = block(&server, &format!("  http_base_url: {}\n", peer.url("/")));
    let world = World::start(&[&both, &block(&server, "")], &[]).await;
    assert_eq!(world.consent("p", "u", &[], "").await.as_str(), "https://b.example/over-http");
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "over-http");
    assert_eq!(world.ask_as("other", "token", json!({"provider": "p", "subject": "u"})).await, "");
    assert_eq!(log().codes("get-token"), ["14"]);
    let _broker = Broker::start(&server, generous).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own", "now somebody does");
}

/// A server that can be stopped and started where it was.
fn restart(port: &str) -> Child {
    Command::new("nats-server")
        .args(["--addr", "127.0.0.1", "--port", port])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_anew_with_what_it_listened_to() {
    let server = nats().await;
    let address = server.address.clone();
    let broker = Broker::start(&server, generous).await;
    let world = World::start(&[&block(&server, "")], &[]).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "canary-own");
    drop((broker, server));
    let begun = Instant::now();
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert!(begun.elapsed() < Duration::from_secs(9), "nobody waits for what is not there");

    let mut again = restart(&port(&address));
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let broker = Broker::over(options.connect(format!("nats://{address}")).await.unwrap(), generous).await;
    let mut tries = 0;
    while world.token("p", "u", &[]).await == Value::Null {
        tries += 1;
        assert!(tries < 20, "it is not connected again");
    }
    world.consent("p", "u", &[], "").await;
    let flow = loop {
        let (subject, _) = broker.asked().unwrap();
        if subject.starts_with("oauth.req.") {
            break flow(&subject);
        }
    };
    let result = json!({"flow_id": flow, "env": "local", "tenant": "t", "provider": "p", "token_handle": "h"});
    let exchange = world.ask("exchange", json!({"provider": "p", "subject": "u", "code": flow}));
    let (tokens, ()) = tokio::join!(exchange, broker.tell(&flow, result));
    assert_eq!(read(&tokens)["access_token"], "canary-of-h", "the result was heard");
    again.kill().unwrap();
    again.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_logs_in_with_a_secret() {
    let server = Server::start("nats-server", |_, address| {
        let args = ["--addr", "127.0.0.1", "--auth", "canary-nats", "--port"];
        args.into_iter().map(str::to_owned).chain([port(address)]).collect()
    })
    .await;
    let client = async_nats::ConnectOptions::with_token("canary-nats".into());
    let client = client.connect(format!("nats://{}", server.address)).await.unwrap();
    let mut questions = listening(&client, "oauth.token.resource", "oauth.token.resource").await;
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let answer = json!({"access_token": "a"}).to_string();
            client.publish(question.reply.unwrap(), answer.into()).await.unwrap();
        }
    });
    let known = block(&server, "  nats_credentials: NATS\n");
    let world = World::start(&[&known, &known], &[("T__NATS", "canary-nats")]).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "a");
    assert_eq!(world.ask_as("other", "token", json!({"provider": "p", "subject": "u"})).await, "");
    let said = log().text();
    assert!(said.contains("tenant other has no secret NATS") && !said.contains("canary"), "{said}");
}
