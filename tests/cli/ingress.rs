//! `ingress`: what adapters make of files, and how requests are signed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{json_of, runner, stdout};
use crate::expected::{self, Got};

const KINDS: &[&str] =
    &["telegram", "teams", "slack", "slack-interactive", "slack-slash", "webchat", "webex", "whatsapp", "webhook"];

fn dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn update(text: &str) -> String {
    json!({"update_id": 7, "message": {"message_id": 3, "date": 1735689600, "chat": {"id": 456, "type": "private"},
        "from": {"id": 456, "is_bot": false, "language_code": "de"}, "text": text}})
    .to_string()
}

#[test]
fn normalize_prints_what_becomes_of_each_file() {
    let dir = dir(&[
        ("text.json", &update("hi")),
        ("edit.json", r#"{"update_id": 8, "edited_message": {"message_id": 3}}"#),
        ("none.json", "{}"),
    ]);
    let mut run = runner();
    run.current_dir(&dir).args(["ingress", "normalize", "telegram", "--tenant", "acme", "--details"]);
    let printed = json_of(run.args(["text.json", "edit.json", "none.json"]).assert().code(1));
    let expected = json!([
        {"file": "text.json", "disposition": "message", "envelopes": [{
            "tenant": "acme", "provider": "telegram",
            "provider_ids": {"channel_id": "456", "conversation_id": "456", "user_id": "456", "message_id": "3", "event_id": "7"},
            "session": {"key": "acme:telegram:456:456", "scopes": ["chat", "attachments", "buttons"]},
            "timestamp": "2025-01-01T00:00:00Z", "locale": "de", "text": "hi", "attachments": [], "buttons": [],
            "entities": {"mentions": [], "urls": []},
            "metadata": {"raw_headers": {"content-type": "application/json"}, "ip": null},
            "channel_data": printed[0]["envelopes"][0]["channel_data"],
            "raw": serde_json::from_str::<Value>(&update("hi")).unwrap(),
        }], "dedupe": [[":7"]], "sessions": ["acme:telegram:456:456"]},
        {"file": "edit.json", "disposition": "ack_ignore", "envelopes": [], "reason": "an edit is no new message",
            "dedupe": [], "sessions": []},
        {"file": "none.json", "disposition": "refused", "envelopes": [], "error": {"code": "GRH-0801",
            "message": "the body is no update of Telegram: it has no update_id"}},
    ]);
    assert_eq!(printed, expected);
    let unread = json_of(runner().args(["ingress", "normalize", "telegram", "no-such.json"]).assert().code(2));
    assert_eq!(unread[0]["error"]["code"], "GRH-0003");
}

#[test]
fn normalize_reads_every_form() {
    let event = json!({"id": "h", "resource": "messages", "event": "created", "data": {"id": "m", "roomId": "r", "personId": "p"}});
    let dir = dir(&[
        (
            "click.form",
            "payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%2C%22channel%22%3A%7B%22id%22%3A%22C1%22%7D%2C%22actions%22%3A%5B%7B%22type%22%3A%22button%22%2C%22action_id%22%3A%22ok%22%2C%22value%22%3A%22y%22%7D%5D%7D",
        ),
        ("command.form", "command=%2Fx&text=a+b&team_id=T1&channel_id=C1&user_id=U1"),
        ("hello.json", &event.to_string()),
        ("hello.fetched.json", r#"{"id": "m", "roomId": "r", "personId": "p", "text": "fetched"}"#),
        ("alone.json", &event.to_string()),
        (
            "hook.json",
            r#"{"method": "POST", "path": "/webhook/f?q=1", "headers": {"content-type": "text/plain"}, "body": "plain"}"#,
        ),
    ]);
    let of = |kind: &str, file: &str| {
        let run = runner().current_dir(&dir).args(["ingress", "normalize", kind, file]).assert().success();
        json_of(run)[0]["envelopes"][0].clone()
    };
    assert_eq!(of("slack-interactive", "click.form")["buttons"][0]["payload"], "y");
    assert_eq!(of("slack-slash", "command.form")["session"]["key"], "demo:slack:C1:U1");
    assert_eq!(of("webex", "hello.json")["text"], "fetched");
    assert_eq!(of("webex", "alone.json")["text"], Value::Null);
    let hook = of("webhook", "hook.json");
    assert_eq!((&hook["text"], &hook["raw"]["query"]["q"]), (&json!("plain"), &json!("1")));
    let handshake = runner()
        .args(["ingress", "normalize", "slack", "-"])
        .write_stdin(r#"{"type": "url_verification", "challenge": "c4"}"#)
        .assert();
    let handshake = json_of(handshake.success());
    assert_eq!(handshake[0]["disposition"], "handshake");
    assert_eq!(handshake[0]["answer"]["body"], "c4");
    let broken = runner().args(["ingress", "normalize", "webhook", "-"]).write_stdin("{}").assert().code(2);
    assert_eq!(json_of(broken)[0]["error"]["code"], "GRH-0880");
}

#[test]
fn the_same_file_becomes_the_same_and_settings_count() {
    let dir = dir(&[("hook.json", r#"{"path": "/webhook/f", "body": {"n": 1}}"#)]);
    let of = |more: &[&str]| {
        let mut run = runner();
        run.current_dir(&dir).args(["ingress", "normalize", "webhook"]).args(more).arg("hook.json");
        stdout(run.assert().success())
    };
    let at = ["--now", "2026-01-02T03:04:05Z"];
    assert_eq!(of(&at), of(&at));
    assert!(of(&at).contains("\"timestamp\": \"2026-01-02T03:04:05Z\""));
    let wants_key = ["--config", r#"{"require_idempotency_key": true}"#, "hook.json"];
    let refused = runner().current_dir(&dir).args(["ingress", "normalize", "webhook"]).args(wants_key).assert().code(1);
    assert_eq!(json_of(refused)[0]["error"]["code"], "GRH-0865");
    for wrong in [&["--config", "[]"][..], &["--now", "soon"], &["--tenant", "a b"]] {
        runner()
            .current_dir(&dir)
            .args(["ingress", "normalize", "webhook"])
            .args(wrong)
            .arg("hook.json")
            .assert()
            .code(2);
    }
}

/// Every recording of real senders, where they are at hand, is told by the command as is expected of it.
#[test]
fn recordings_are_normalized_as_expected() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    let corpus = std::env::var_os("INGRESS_CORPUS").map_or_else(beside, PathBuf::from);
    if !corpus.is_dir() {
        return eprintln!("skipped: no recorded requests in {}; set INGRESS_CORPUS", corpus.display());
    }
    let mut compared = 0;
    for kind in KINDS {
        let entries = fs::read_dir(corpus.join(kind)).unwrap().map(|entry| entry.unwrap().path());
        let is_sent = |path: &PathBuf| path.is_file() && !path.to_str().unwrap().ends_with(".fetched.json");
        let files: Vec<_> = entries.filter(is_sent).collect();
        let printed =
            json_of(runner().args(["ingress", "normalize", kind, "--details"]).args(&files).assert().success());
        for (file, printed) in files.iter().zip(printed.as_array().unwrap()) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let expected = fs::read(corpus.join(kind).join("expected").join(format!("{name}.expected.json"))).unwrap();
            let dedupe: Vec<Vec<String>> = serde_json::from_value(printed["dedupe"].clone()).unwrap();
            let body = printed["answer"]["body"].as_str().unwrap_or_default();
            let got = Got {
                disposition: printed["disposition"].as_str().unwrap(),
                envelopes: printed["envelopes"].as_array().unwrap(),
                dedupe: Some(&dedupe),
                answer: printed["answer"]["status"].as_u64().map(|status| (u16::try_from(status).unwrap(), body)),
            };
            expected::check(&format!("{kind} {name}"), &serde_json::from_slice(&expected).unwrap(), &got);
            compared += 1;
        }
    }
    assert!(compared >= 99, "{compared}");
}

/// Slack's own example, and GitHub's.
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

#[test]
fn sign_prints_the_headers_of_the_published_example() {
    let dir = dir(&[("body.form", SLACK_BODY), ("secret", &format!("{SLACK_SECRET}\n"))]);
    let expected = "Content-Type: application/x-www-form-urlencoded\nX-Slack-Request-Timestamp: 1531420618\nX-Slack-Signature: \
         v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503\n";
    let sign = |secret: &[&str]| {
        let mut run = runner();
        run.current_dir(&dir)
            .args(["ingress", "sign", "slack-slash", "--now", "1531420618"])
            .args(secret)
            .arg("body.form");
        run
    };
    assert_eq!(stdout(sign(&["--secret", SLACK_SECRET]).assert().success()), expected);
    assert_eq!(stdout(sign(&["--secret", "@secret"]).assert().success()), expected);
    assert_eq!(stdout(sign(&["--secret", "@-"]).write_stdin(SLACK_SECRET).assert().success()), expected);
    assert_eq!(stdout(sign(&[]).env("SLACK_SIGNING_SECRET", SLACK_SECRET).assert().success()), expected);
    let json = json_of(sign(&["--secret", SLACK_SECRET, "--json"]).assert().success());
    assert_eq!(json["X-Slack-Request-Timestamp"], "1531420618");
    let missing = sign(&[]).env_remove("SLACK_SIGNING_SECRET").assert().code(2);
    assert!(String::from_utf8_lossy(&missing.get_output().stderr).contains("SLACK_SIGNING_SECRET"));
}

#[test]
fn sign_knows_every_platform_or_says_why_not() {
    let dir = dir(&[
        ("body.json", "Hello, World!"),
        ("hook.json", r#"{"path": "/webhook/f", "body": "{\"test\": 2432232314}"}"#),
        ("activity.json", r#"{"serviceUrl": "https://smba.example/"}"#),
    ]);
    let sign = |args: &[&str]| runner().current_dir(&dir).args(["ingress", "sign"]).args(args).assert();
    let line = |args: &[&str]| stdout(sign(args).success()).lines().last().unwrap().to_owned();
    let token = "X-Telegram-Bot-Api-Secret-Token: x-1";
    assert_eq!(line(&["telegram", "--secret", "x-1", "body.json"]), token);
    assert_eq!(
        line(&["whatsapp", "--secret", "It's a Secret to Everybody", "body.json"]),
        "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
    assert!(line(&["webex", "--secret", "s", "body.json"]).starts_with("X-Spark-Signature: "));
    let standard = ["--secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "--id", "msg_p5jXN8AQM9LWM0D4loKWxJek"];
    let args = [&["webhook"][..], &standard, &["--now", "1614265330", "hook.json"]].concat();
    assert_eq!(line(&args), "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(line(&["webhook", "--scheme", "bearer", "--secret", "t", "hook.json"]), "Authorization: Bearer t");
    for (args, code) in [
        (&["teams", "--secret", "s", "activity.json"][..], "GRH-0881"),
        (&["teams", "activity.json"], "GRH-0881"),
        (&["webchat", "--secret", "s", "activity.json"], "GRH-0881"),
        (&["telegram", "--secret", "a b", "body.json"], "GRH-0881"),
        (&["teams", "--key", "body.json", "--app-id", "a", "activity.json"], "GRH-0881"),
        (&["slack", "--scheme", "bearer", "--secret", "s", "body.json"], "GRH-0006"),
        (&["webhook", "--secret", "s", "body.json"], "GRH-0880"),
        (&["slack", "--secret", "@no-such", "body.json"], "GRH-0003"),
    ] {
        let run = sign(args).code(2);
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(stderr.contains(code), "{args:?}: {stderr}");
    }
}

#[test]
fn send_fails_where_nobody_answers() {
    let dir = dir(&[("a.json", "{}")]);
    let mut run = runner();
    run.current_dir(&dir).args([
        "ingress",
        "send",
        "telegram",
        "--secret",
        "s",
        "--url",
        "http://127.0.0.1:9",
        "a.json",
    ]);
    let run = run.assert().code(1);
    assert!(String::from_utf8_lossy(&run.get_output().stderr).contains("GRH-0882"));
    let mut run = runner();
    run.current_dir(&dir).args(["ingress", "send", "telegram", "--url", "ftp://h", "a.json"]).assert().code(2);
}

#[test]
fn fuzz_gives_the_same_for_the_same_seed_and_replays_files() {
    let dir = dir(&[("text.json", &update("hi")), ("noise.json", "\u{1}{")]);
    let fuzz = |args: &[&str]| {
        let mut run = runner();
        run.current_dir(&dir).args(["ingress", "fuzz", "telegram"]).args(args);
        run.assert()
    };
    let told = |args: &[&str]| {
        let run = fuzz(args).success();
        let stderr = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        // All but how long it took.
        stderr.split(" in ").next().unwrap().to_owned()
    };
    let with = ["--inputs", "150", "--seed", "5", "--corpus", "."];
    assert_eq!(told(&with), told(&with));
    assert!(told(&with).starts_with("telegram: 150 inputs"), "{}", told(&with));
    assert!(told(&["--seconds", "0"]).starts_with("telegram: 0 inputs"));
    let replayed = fuzz(&["--replay", "text.json", "noise.json"]).success();
    assert!(String::from_utf8_lossy(&replayed.get_output().stderr).contains("no promise is broken"));
    fuzz(&["--corpus", "no-such-directory"]).code(2);
    fuzz(&["--replay", "text.json", "--seed", "1"]).code(2);
}
