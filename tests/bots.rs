//! Whole bots on real components: one that waits again and again, also over restarts, and one that always fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[cfg(test)]
mod common;

use std::path::Path;

use common::{Sources, host_of, host_with, say, texts, waits};
use greentic_runner_host::{Code, RunnerHost};

const ASKING: &str = "
id: survey
type: messaging
nodes:
  ask:
    bot: {}
    operation: ask
    routing:
      - { condition: 'status == \"done\"', to: thanks }
      - { to: question }
  question:
    emit.response: { text: 'Your {{node.ask.question}}?' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: '{{node.ask.question}}' }
    routing: [{ to: answer }]
  answer:
    bot: { text: '{{in.text}}' }
    operation: answer
    routing: [{ to: ask }]
  thanks:
    emit.response: { text: '{{json node.ask.answers}}' }
";

async fn on_disk(data: &Path, pack: &Sources) -> RunnerHost {
    host_of("tenant: t", pack, |builder| builder.with_data_dir(data)).await.unwrap()
}

#[tokio::test]
async fn a_bot_that_asks_on_goes_on_after_every_restart() {
    let pack = Sources::of_flow(ASKING).component("bot", "waiting-bot");
    let data = tempfile::tempdir().unwrap();
    let turns = [("hi", "Your name?"), ("Ada", "Your city?"), ("London", "Your colour?")];
    for (message, expected) in turns {
        let host = on_disk(data.path(), &pack).await;
        let outcome = say(&host, "s", message).await.unwrap();
        assert_eq!(texts(&outcome), [expected]);
        assert!(waits(&outcome));
        host.stop().await.unwrap();
    }
    let host = on_disk(data.path(), &pack).await;
    let last = say(&host, "s", "green").await.unwrap();
    assert_eq!(texts(&last), [r#"["Ada","London","green"]"#]);
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.runs, counts.waits, counts.journal), (0, 0, 0, 0));
}

#[tokio::test]
async fn a_component_that_fails_ends_its_event_with_what_it_said() {
    for (op, said) in [("refuse", "it always refuses"), ("wordless", ""), ("answer", "nothing is left")] {
        let flow = format!("{{ id: f, type: messaging, nodes: {{ a: {{ failing: {{}}, operation: {op} }} }} }}");
        let host = host_with(&Sources::of_flow(&flow).component("failing", "failing")).await.unwrap();
        let error = say(&host, "s", "x").await.unwrap_err();
        assert_eq!(error.code(), Code::ComponentFailed, "{op}");
        assert!(error.message().contains(said), "{op}: {error}");
        assert_eq!(host.counts().await.unwrap().dead, 1);
    }
}

#[tokio::test]
async fn a_component_that_is_busy_is_asked_as_often_as_the_bindings_say() {
    let flow = "{ id: f, type: messaging, nodes: { a: { failing: {}, operation: busy } } }";
    let pack = Sources::of_flow(flow).component("failing", "failing");
    let seen = std::sync::Arc::new(Attempts::default());
    let bindings = "{ tenant: t, retry: { max_attempts: 2, base_delay_ms: 50 } }";
    let observer = std::sync::Arc::clone(&seen);
    let host = host_of(bindings, &pack, |b| b.with_memory_store().with_observer(observer)).await.unwrap();
    assert_eq!(say(&host, "s", "x").await.unwrap_err().code(), Code::ComponentFailed);
    assert_eq!(seen.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}

/// Counts the attempts at nodes.
#[derive(Default)]
struct Attempts(std::sync::atomic::AtomicU32);

impl greentic_runner_host::run::trace::Observer for Attempts {
    fn observe(&self, event: &greentic_runner_host::run::trace::TraceEvent) {
        if matches!(event.what, greentic_runner_host::run::trace::What::Node { .. }) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
}
