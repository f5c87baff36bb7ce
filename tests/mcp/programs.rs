//! Servers on standard streams that hang, answer nonsense, or go away.

use std::time::{Duration, Instant};

use serde_json::json;

use super::common::{event, host_of};
use super::fake::{GOOD, script};
use super::{ask, caller, host};

struct Starts(tempfile::TempDir);

impl Starts {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> String {
        self.0.path().join("starts").display().to_string()
    }

    fn count(&self) -> usize {
        std::fs::read_to_string(self.file()).map_or(0, |text| text.lines().count())
    }
}

#[tokio::test]
async fn a_program_is_started_once_and_asked_again() {
    let starts = Starts::new();
    let host = host(&script(GOOD, &starts.file(), ""), &caller("bad", "x")).await.unwrap();
    assert_eq!(starts.count(), 0, "nothing is started before it is asked");
    for _ in 0..3 {
        assert_eq!(ask(&host, json!({})).await["content"][0]["text"], "good");
    }
    assert_eq!(starts.count(), 1);
    let unknown = super::host(&script(GOOD, &starts.file(), ""), &caller("bad", "z")).await.unwrap();
    let answer = ask(&unknown, json!({})).await;
    assert_eq!(answer["code"], "GRH-1121", "{answer}");
}

#[tokio::test]
async fn bad_answers_are_typed() {
    for (behaviour, code, word) in [
        ("answer '{\"unexpected\":true}'", "GRH-1128", "no result"),
        ("answer '{\"content\":[{\"type\":\"text\",\"text\":\"no luck\"}],\"isError\":true}'", "GRH-1125", "no luck"),
        (
            "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32602,\"message\":\"bad args\"}}\\n' \"$id\"",
            "GRH-1124",
            "bad args",
        ),
        (
            "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32000,\"message\":\"broken\"}}\\n' \"$id\"",
            "GRH-1125",
            "broken",
        ),
        (
            "answer \"{\\\"content\\\":[{\\\"type\\\":\\\"text\\\",\\\"text\\\":\\\"$(head -c 2000000 /dev/zero | tr '\\0' x)\\\"}]}\"",
            "GRH-1128",
            "bytes",
        ),
        ("exit 3", "GRH-1126", "ended before the answer"),
    ] {
        let starts = Starts::new();
        let host = host(&script(behaviour, &starts.file(), ""), &caller("bad", "x")).await.unwrap();
        let answer = ask(&host, json!({})).await;
        assert_eq!(answer["code"], code, "{behaviour}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{answer}");
        assert_eq!(starts.count(), 1, "what may have been taken is not called again");
    }
}

#[tokio::test]
async fn hanging_and_nonsense_end_with_the_time() {
    for behaviour in [":", "echo 'this is no JSON'", "printf '{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}\\n'"] {
        let starts = Starts::new();
        let mcp = script(behaviour, &starts.file(), "  runtime: { timeout_ms: 4000 }\n");
        let host = host(&mcp, &caller("bad", "x")).await.unwrap();
        let begun = Instant::now();
        let answer = ask(&host, json!({})).await;
        assert_eq!(answer["code"], "GRH-1127", "{behaviour}: {answer}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert_eq!(starts.count(), 1);
    }
}

#[tokio::test]
async fn a_server_has_a_time_of_its_own() {
    let starts = Starts::new();
    let mcp = script(":", &starts.file(), "      timeout: 4s\n");
    let host = host(&mcp, &caller("bad", "x")).await.unwrap();
    let begun = Instant::now();
    assert_eq!(ask(&host, json!({})).await["code"], "GRH-1127");
    assert!(begun.elapsed() < Duration::from_secs(20), "no other limit is shorter than half a minute");
}

#[tokio::test]
async fn tools_that_come_while_it_runs_are_found() {
    let starts = Starts::new();
    // It has `z` from its first call on, and says so.
    let changed = r#"printf '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'"#;
    let mcp = script(&format!("touch \"$STARTS.z\"; {changed}; {GOOD}"), &starts.file(), "");
    let flow = "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: { component: bad, action: '{{in.tool}}' }\n    err_map: { \
                code: '{{error.code}}' }\n";
    let host = host(&mcp, &super::common::Sources::of_flow(flow)).await.unwrap();
    assert_eq!(ask(&host, json!({ "tool": "z" })).await["code"], "GRH-1121");
    assert_eq!(ask(&host, json!({ "tool": "x" })).await["content"][0]["text"], "good");
    // What it says beside its answers may be heard a moment later.
    let begun = Instant::now();
    while ask(&host, json!({ "tool": "z" })).await["content"][0]["text"] != "good" {
        assert!(begun.elapsed() < Duration::from_secs(30), "the list that was kept is old");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(starts.count(), 1);
}

#[tokio::test]
async fn the_events_time_bounds_a_call() {
    let starts = Starts::new();
    let bindings = format!("tenant: t\nlimits: {{ event_deadline: 1s }}\nmcp:\n{}", script(":", &starts.file(), ""));
    let host = host_of(&bindings, &caller("bad", "x"), |builder| builder.with_memory_store()).await.unwrap();
    let begun = Instant::now();
    let answer = host.submit(event("s", json!({}))).await.unwrap().outcome().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "the call itself may take half a minute");
    let text = match answer {
        Ok(outcome) => format!("{:?}", outcome.replies),
        Err(error) => error.to_string(),
    };
    assert!(text.contains("GRH-1127") || text.contains("GRH-0608") || text.contains("time is up"), "{text}");
}

#[tokio::test]
async fn a_program_that_died_is_started_again_and_repeated_only_if_it_may_be() {
    // It dies at its first call, and answers when it was started twice.
    let behaviour = format!("if [ $(wc -l < \"$STARTS\") -lt 2 ]; then exit 1; else {GOOD}; fi");
    let starts = Starts::new();
    let once = host(&script(&behaviour, &starts.file(), ""), &caller("bad", "x")).await.unwrap();
    assert_eq!(ask(&once, json!({})).await["code"], "GRH-1126");
    assert_eq!(ask(&once, json!({})).await["content"][0]["text"], "good", "it is started again");
    assert_eq!(starts.count(), 2);
    let starts = Starts::new();
    let mcp =
        script(&behaviour, &starts.file(), "      repeatable: [x]\n  retry: { max_attempts: 2, base_delay_ms: 50 }\n");
    let again = host(&mcp, &caller("bad", "x")).await.unwrap();
    assert_eq!(ask(&again, json!({})).await["content"][0]["text"], "good");
    assert_eq!(starts.count(), 2);
}

#[tokio::test]
async fn what_cannot_be_started_says_so_and_was_tried_again() {
    let mcp = "  servers: { gone: { command: /nowhere/at/all } }\n  retry: { max_attempts: 2, base_delay_ms: 50 }\n";
    let host = host(mcp, &caller("gone", "x")).await.unwrap();
    let answer = ask(&host, json!({})).await;
    assert_eq!(answer["code"], "GRH-1126", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("cannot be started"), "{answer}");
    let mcp = "  servers: { quits: { command: /bin/true } }\n  retry: { max_attempts: 1 }\n";
    let host = super::host(mcp, &caller("quits", "x")).await.unwrap();
    assert_eq!(ask(&host, json!({})).await["code"], "GRH-1126");
}

/// Whether the process lives whose id is in the file; one that is dead and was not waited for does not.
fn lives(pid: &std::path::Path) -> bool {
    let id = std::fs::read_to_string(pid).unwrap();
    std::path::Path::new("/proc").join(id.trim()).join("exe").read_link().is_ok()
}

#[tokio::test]
async fn what_a_program_started_ends_with_it_however_it_ends() {
    for end in ["", "; exit 0", "; kill -9 $$"] {
        let starts = Starts::new();
        let pid = starts.0.path().join("pid");
        // It holds none of the program's streams, and so hears of nothing.
        let child = format!("sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > '{}'", pid.display());
        let mcp = script(&format!("{child}; {GOOD}{end}"), &starts.file(), "");
        let host = host(&mcp, &caller("bad", "x")).await.unwrap();
        assert_eq!(ask(&host, json!({})).await["content"][0]["text"], "good", "{end}");
        if end.is_empty() {
            assert!(lives(&pid));
            host.stop().await.unwrap();
        }
        let gone = async {
            while lives(&pid) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap_or_else(|_| panic!("{end:?}"));
    }
}

#[tokio::test]
async fn the_program_ends_with_the_host() {
    let starts = Starts::new();
    let pid = starts.0.path().join("pid");
    let behaviour = format!("echo $$ > '{}'; {GOOD}", pid.display());
    let host = host(&script(&behaviour, &starts.file(), ""), &caller("bad", "x")).await.unwrap();
    ask(&host, json!({})).await;
    let process = format!("/proc/{}", std::fs::read_to_string(&pid).unwrap().trim());
    let lives = || std::path::Path::new(&process).join("exe").read_link().is_ok();
    assert!(lives());
    host.stop().await.unwrap();
    assert!(!lives(), "a stop waits until it has ended");
}
