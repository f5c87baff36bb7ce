//! The demo as a visitor meets it: the program is started, and talked to over HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};

/// The running program; ended when the test ends.
struct Demo {
    process: Child,
    url: String,
    client: Client,
}

impl Demo {
    /// Starts it on the embedded pack, or on the pack that `DEMO_PACK` names: one that was built anew and must behave
    /// as the embedded one does.
    fn start(arguments: &[&str]) -> Self {
        let pack = std::env::var("DEMO_PACK").ok();
        let pack = pack.iter().flat_map(|pack| ["--pack", pack]);
        Self::start_with(&pack.chain(arguments.iter().copied()).collect::<Vec<_>>())
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_greentic-runner"))
            .args(["demo", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        greentic_runner_host::net::tls::install();
        Self { process, url: url.trim().to_owned(), client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn talk(&self, conversation: &str) -> Conversation<'_> {
        let url = format!("{}/webchat/conversations/{conversation}/stream", self.url);
        let replies = Events::new(self.client.get(url).send().await.unwrap());
        let url = format!("{}/demo/trace?conversation={conversation}", self.url);
        let trace = Events::new(self.client.get(url).send().await.unwrap());
        Conversation { demo: self, id: conversation.to_owned(), replies, trace, transcript: String::new() }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A stream of server-sent events.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    fn new(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        Self { response, text: String::new() }
    }

    /// The data of the next event.
    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    return serde_json::from_str(data).unwrap();
                }
                continue;
            }
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

struct Conversation<'a> {
    demo: &'a Demo,
    id: String,
    replies: Events,
    trace: Events,
    transcript: String,
}

impl Conversation<'_> {
    /// Says something and writes down what comes back: `replies` messages, and the trace up to its end.
    async fn say(&mut self, text: &str, replies: usize) {
        let activity = json!({"type": "message", "conversation": {"id": self.id}, "from": {"id": "me"}, "text": text});
        let url = format!("{}/webchat/activities", self.demo.url);
        let response = self.demo.client.post(url).json(&activity).send().await.unwrap();
        assert_eq!(response.status(), 202);
        writeln!(self.transcript, "you: {text}").unwrap();
        for _ in 0..replies {
            let reply = self.replies.next().await;
            writeln!(self.transcript, "bot: {}", reply["text"].as_str().unwrap().replace('\n', "\n     ")).unwrap();
            let actions = reply["suggestedActions"]["actions"].as_array();
            for action in actions.into_iter().flatten() {
                let (title, value) = (action["title"].as_str().unwrap(), action["value"].as_str().unwrap());
                writeln!(self.transcript, "     [{title}: {value}]").unwrap();
            }
        }
        loop {
            let event = self.trace.next().await;
            let what = event["what"].as_str().unwrap();
            writeln!(self.transcript, "  {}", line_of(&event)).unwrap();
            if matches!(what, "waiting" | "finished" | "failed") {
                break;
            }
        }
    }
}

/// A trace event without what differs from run to run.
fn line_of(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    match text("what") {
        "node" => {
            let calls = event["host_calls"].as_array().unwrap();
            let calls: Vec<_> = calls.iter().map(|call| call["function"].as_str().unwrap()).collect();
            let calls = if calls.is_empty() { String::new() } else { format!(" ({})", calls.join(", ")) };
            format!("{}: {}{calls}{}", text("node"), text("action"), if event["ok"] == true { "" } else { " failed" })
        }
        "waiting" => format!("waits for {}", text("reason")),
        "resumed" => format!("resumed at {}", text("node")),
        "failed" => format!("failed: {} {}", text("code"), text("message")),
        what => what.to_owned(),
    }
}

#[tokio::test]
async fn the_whole_conversation() {
    let demo = Demo::start(&[]);
    let mut chat = demo.talk("c-1").await;
    chat.say("hi", 1).await;
    chat.say("Hi, I am Ada", 2).await;
    chat.say("a moon rocket please", 1).await;
    chat.say("two espressos and a croissant", 1).await;
    chat.say("more", 1).await;
    chat.say("a party box", 1).await;
    chat.say("order", 1).await;
    chat.say("let me think", 1).await;
    chat.say("approve", 1).await;
    chat.say("Another order", 2).await;
    chat.say("tea", 1).await;
    chat.say("order", 1).await;
    insta::assert_snapshot!(chat.transcript);
}

#[tokio::test]
async fn a_manager_says_no_and_conversations_do_not_meet() {
    let demo = Demo::start(&[]);
    let mut ada = demo.talk("c-ada").await;
    let mut bob = demo.talk("c-bob").await;
    ada.say("hi", 1).await;
    bob.say("hello", 1).await;
    ada.say("Ada", 2).await;
    bob.say("Bob", 2).await;
    ada.say("party box", 1).await;
    bob.say("a cake", 1).await;
    ada.say("order", 1).await;
    bob.say("cancel", 1).await;
    ada.say("reject", 1).await;
    assert!(ada.transcript.contains("The manager said no, Ada."), "{}", ada.transcript);
    assert!(bob.transcript.contains("Cancelled, Bob."), "{}", bob.transcript);
    assert!(!bob.transcript.contains("Ada") && !bob.transcript.contains("Party box for ten: 48.00 EUR"));
}

#[tokio::test]
async fn with_a_directory_the_conversation_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", dir.path().to_str().unwrap()];
    let first = Demo::start(&arguments);
    let mut chat = first.talk("c-1").await;
    chat.say("hi", 1).await;
    chat.say("Ada", 2).await;
    // Killed, not stopped.
    drop(chat);
    drop(first);
    let second = Demo::start(&arguments);
    let mut chat = second.talk("c-1").await;
    for _ in 0..3 {
        chat.replies.next().await;
    }
    chat.say("a cappuccino", 1).await;
    assert!(chat.transcript.contains("1 × Cappuccino: 3.60 EUR"), "{}", chat.transcript);
    assert!(chat.transcript.contains("resumed at wait_order"), "{}", chat.transcript);
}

#[tokio::test]
async fn any_pack_can_be_talked_to() {
    let dir = tempfile::tempdir().unwrap();
    let flow = "{ id: chat, type: messaging, nodes: { say: { emit.response: { text: 'You said {{in.text}}' } } } }";
    std::fs::write(dir.path().join("index.ygtc"), flow).unwrap();
    let demo = Demo::start_with(&["--pack", dir.path().to_str().unwrap()]);
    let mut chat = demo.talk("c-1").await;
    chat.say("hi", 1).await;
    assert!(chat.transcript.contains("bot: You said hi"), "{}", chat.transcript);
}
