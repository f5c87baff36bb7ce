//! A data directory that really runs full: the program is started under a limit of file size that the system enforces,
//! filled until it refuses, and started again with room.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const BINDINGS: &str = "
tenant: acme
flow_type_bindings:
  messaging: { adapter: webchat, config: { insecure: true } }
";
const FLOW: &str = "
id: chat
type: messaging
nodes:
  answer: { emit.response: { text: 'got {{in.text}}' } }
";
/// In blocks of 512 or 1024 bytes, as the shell counts.
const BLOCKS: u32 = 6_000;
/// More events than fit: each carries [`TEXT`] bytes.
const EVENTS: usize = 200;
const TEXT: usize = 60_000;

struct Serving {
    process: Child,
    url: String,
    client: Client,
}

impl Serving {
    fn start(dir: &Path, limited: bool) -> Self {
        // The signal that comes with the limit is ignored, so that writing fails as on a full disk.
        let limit = if limited { format!("trap '' XFSZ; ulimit -f {BLOCKS}; ") } else { String::new() };
        let mut process = Command::new("sh")
            .args(["-c", &format!("{limit}exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_greentic-runner")])
            .args("serve --bindings acme.yaml --pack pack --data-dir data --port 0 --listen 127.0.0.1".split(' '))
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        greentic_runner_host::net::tls::install();
        Self { process, url: url.trim().to_owned(), client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn say(&self, n: usize) -> (StatusCode, Value) {
        let activity = json!({"type": "message", "id": format!("a-{n}"), "conversation": {"id": format!("c-{n}")},
            "from": {"id": "u"}, "text": "x".repeat(TEXT)});
        let url = format!("{}/webchat/activities", self.url);
        let response = self.client.post(url).json(&activity).send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// Waits for the reply in the conversation of event `n`.
    async fn reply(&self, n: usize) -> Value {
        let url = format!("{}/webchat/conversations/c-{n}/stream", self.url);
        let mut stream = self.client.get(url).send().await.unwrap();
        let mut text = String::new();
        while !text.contains("\n\n") {
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
        serde_json::from_str(text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test]
async fn what_was_accepted_survives_a_full_disk_and_the_rest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("pack")).unwrap();
    std::fs::write(dir.path().join("acme.yaml"), BINDINGS).unwrap();
    std::fs::write(dir.path().join("pack/index.ygtc"), FLOW).unwrap();

    let full = Serving::start(dir.path(), true);
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for n in 0..EVENTS {
        match full.say(n).await {
            (StatusCode::ACCEPTED, _) => accepted.push(n),
            (status, body) => {
                assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("GRH-0705")));
                refused.push(n);
            }
        }
        if refused.len() == 5 {
            break;
        }
    }
    assert!(!accepted.is_empty() && refused.len() == 5, "{} accepted, {} refused", accepted.len(), refused.len());
    let health = full.client.get(format!("{}/healthz", full.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK, "the process lives");
    // Killed, as an operator who sees the alarm might do.
    drop(full);

    let roomy = Serving::start(dir.path(), false);
    for n in &accepted {
        let reply = roomy.reply(*n).await;
        assert_eq!(reply["text"].as_str().map(str::len), Some("got ".len() + TEXT), "event {n}");
    }
    for n in refused {
        assert_eq!(roomy.say(n).await.0, StatusCode::ACCEPTED);
        roomy.reply(n).await;
    }
}
