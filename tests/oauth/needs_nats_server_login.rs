//! What the host logs in to NATS with, and that it is replaced while the host runs.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_nats::ConnectOptions;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt as _;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::server::{Server, port};
use crate::shelf::{LATER, Said, Shelf};
use crate::world::{World, log};

/// A server that ends with this.
struct Process(Child);

impl Process {
    fn start(port: &str, more: &[&str]) -> Self {
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", port]).args(more);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn server(more: &[&str]) -> Server {
    Server::start("nats-server", |_, address| {
        let own = ["--addr", "127.0.0.1", "--port"].map(str::to_owned);
        own.into_iter().chain([port(address)]).chain(more.iter().map(|arg| (*arg).to_owned())).collect()
    })
    .await
}

/// A broker that has one token for everybody, and logs in by `options`.
async fn broker(address: &str, options: ConnectOptions) {
    let client = options.retry_on_initial_connect().connect(format!("nats://{address}")).await.unwrap();
    let mut questions = client.subscribe("oauth.token.resource").await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let answer = json!({"access_token": "a"}).to_string();
            // Its server may be gone.
            let _ = client.publish(question.reply.unwrap(), answer.into()).await;
        }
    });
}

fn by_password(password: &str) -> ConnectOptions {
    ConnectOptions::new().user_and_password("bot".into(), password.into())
}

/// Asks until there is a token.
async fn until_connected(world: &World) {
    let mut tries = 0;
    while world.token("p", "u", &[]).await == Value::Null {
        tries += 1;
        assert!(tries < 20, "it is not connected again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_replaced_is_used_from_the_next_connection_on() {
    let args = |password| ["--user", "bot", "--pass", password];
    let first = server(&args("canary-one")).await;
    let (address, at) = (first.address.clone(), port(&first.address));
    broker(&address, by_password("canary-one")).await;
    let shelf = Shelf::of(&[("t", "NATS", Said::Values(&["canary-one"]))]);
    let block = format!("  nats_url: nats://{address}\n  nats_user: bot\n  nats_credentials: NATS\n");
    let world = World::over(&[&block], Arc::clone(&shelf) as _, |builder| builder).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "a");

    drop(first);
    let second = Process::start(&at, &args("canary-two"));
    broker(&address, by_password("canary-two")).await;
    assert_eq!(world.token("p", "u", &[]).await, Value::Null, "the old one is refused");
    shelf.set("t", "NATS", Said::Values(&["canary-two"]));
    world.clock.advance(LATER);
    until_connected(&world).await;

    // The secret is replaced first, and the server knows the old value still.
    shelf.set("t", "NATS", Said::Values(&["canary-three", "canary-two"]));
    world.clock.advance(LATER);
    drop(second);
    let _third = Process::start(&at, &args("canary-two"));
    broker(&address, by_password("canary-two")).await;
    until_connected(&world).await;
    assert!(!log().text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_late_is_used_when_it_is_there() {
    let server = server(&["--auth", "canary-token"]).await;
    broker(&server.address, ConnectOptions::new().token("canary-token".into())).await;
    let shelf = Shelf::of(&[]);
    let block = format!("  nats_url: nats://{}\n  nats_credentials: NATS\n", server.address);
    let world = World::over(&[&block], Arc::clone(&shelf) as _, |builder| builder).await;
    assert!(log().text().contains("tenant t has no secret NATS"), "at start");
    assert_eq!(world.token("p", "u", &[]).await, Value::Null);
    assert_eq!(log().codes("get-token"), ["16"], "and whoever asks is told why");
    shelf.set("t", "NATS", Said::Values(&["canary-token"]));
    world.clock.advance(LATER);
    until_connected(&world).await;
    assert!(!log().text().contains("canary"));
}

/// What `by` says of `of`, as NATS has it.
fn jwt(by: &KeyPair, of: &KeyPair, name: &str, nats: Value) -> String {
    let head = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let said = json!({"jti": name, "iat": 1_700_000_000, "iss": by.public_key(), "sub": of.public_key(), "name": name,
        "nats": nats});
    let [head, said] = [head, said].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{head}.{said}");
    let signature = URL_SAFE_NO_PAD.encode(by.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_file_is_one_that_a_server_takes() {
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let limits = json!({"subs": -1, "data": -1, "payload": -1});
    let of_operator = jwt(&operator, &operator, "o", json!({"type": "operator", "version": 2}));
    let mut of_account = json!({"type": "account", "version": 2, "limits": {"imports": -1, "exports": -1,
        "wildcards": true, "conn": -1, "leaf": -1}});
    of_account["limits"].as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let of_account = jwt(&operator, &account, "a", of_account);
    let mut of_user = json!({"type": "user", "version": 2, "pub": {}, "sub": {}});
    of_user.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let of_user = jwt(&account, &user, "u", of_user);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("server.conf");
    let preload = format!("{}: {of_account}", account.public_key());
    let text = format!("operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {preload} }}\n");
    std::fs::write(&config, text).unwrap();
    let server = server(&["--config", config.to_str().unwrap()]).await;
    let file = format!(
        "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n\
         ------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    broker(&server.address, ConnectOptions::with_credentials(&file).unwrap()).await;
    let file: &'static str = file.leak();
    let shelf = Shelf::of(&[("t", "NATS", Said::Values(vec![file].leak()))]);
    let block = format!("  nats_url: nats://{}\n  nats_credentials: NATS\n", server.address);
    let world = World::over(&[&block], shelf, |builder| builder).await;
    assert_eq!(world.token("p", "u", &[]).await["access_token"], "a");
    assert!(!log().text().contains(user.seed().unwrap().as_str()));
}
