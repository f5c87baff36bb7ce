//! Reloading through the public API: what changes is swapped, what does not is left alone, what is wrong harms nobody
//! else, and nothing is lost or answered twice meanwhile.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Sources, say, texts, waits};
use greentic_runner_host::audit::AuditLog;
use greentic_runner_host::ingest::Locator;
use greentic_runner_host::pack::model::Digest;
use greentic_runner_host::pack::{self};
use greentic_runner_host::reload::status::{ReloadState, TenantOutcome};
use greentic_runner_host::reload::{ReloadConfig, Reloader, Reloads as _};
use greentic_runner_host::{Activity, Code, HostBuilder, HostConfig, RunnerHost};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An operator's directory: an index, and packs beside it.
struct Shop {
    dir: TempDir,
    index: std::cell::RefCell<BTreeMap<String, Value>>,
}

impl Shop {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), index: Default::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Publishes version `version` of pack `id`, which answers `text`, as a file of its own.
    fn publish(&self, id: &str, version: &str, text: &str) -> (String, Digest) {
        let flow =
            format!("{{ id: chat, type: messaging, nodes: {{ a: {{ emit.response: {{ text: '{text}' }} }} }} }}");
        self.archive(Sources::of_flow(&flow), id, version)
    }

    fn archive(&self, sources: Sources, id: &str, version: &str) -> (String, Digest) {
        let sources = sources.file("pack.yaml", &format!("pack_id: {id}\nversion: {version}\n"));
        let name = format!("{id}-{version}.gtpack");
        // Beside its place, then renamed: nobody sees half of it.
        pack::build(&sources.path(), &self.path("new")).unwrap();
        std::fs::rename(self.path("new"), self.path(&name)).unwrap();
        let digest = Digest::of(&std::fs::read(self.path(&name)).unwrap());
        (name, digest)
    }

    /// Writes what the index says about a tenant.
    fn list(&self, tenant: &str, main: Value, overlays: &[Value]) {
        self.index.borrow_mut().insert(tenant.into(), json!({ "main_pack": main, "overlays": overlays }));
        self.write();
    }

    fn unlist(&self, tenant: &str) {
        self.index.borrow_mut().remove(tenant);
        self.write();
    }

    fn write(&self) {
        let text = serde_json::to_string_pretty(&json!({ "tenants": *self.index.borrow() })).unwrap();
        std::fs::write(self.path("new.json"), text).unwrap();
        std::fs::rename(self.path("new.json"), self.path("index.json")).unwrap();
    }

    fn config(&self) -> ReloadConfig {
        ReloadConfig {
            interval: None,
            watch_files: false,
            state_dir: Some(self.dir.path().to_owned()),
            cache_dir: self.path("cache"),
            ..ReloadConfig::index(Locator::Fs(self.path("index.json")))
        }
    }
}

fn pinned(name: &str, digest: Digest) -> Value {
    json!({ "path": format!("./{name}"), "digest": digest.to_string() })
}

fn versioned(name: &str, version: &str) -> Value {
    json!({ "path": format!("./{name}"), "reference": { "name": "a pack", "version": version } })
}

async fn host_of(tenants: &[&str], set_up: impl FnOnce(HostBuilder) -> HostBuilder) -> Arc<RunnerHost> {
    let builder = tenants.iter().fold(HostBuilder::new().with_memory_store(), |builder, tenant| {
        builder.with_config(HostConfig::from_yaml(&format!("tenant: {tenant}"), "b.yaml").unwrap())
    });
    let host = Arc::new(set_up(builder).build().unwrap());
    host.start().await.unwrap();
    host
}

fn reloader(host: &Arc<RunnerHost>, config: ReloadConfig) -> Reloader {
    Reloader::new(Arc::clone(host), Arc::new(AuditLog::without_file()), config).unwrap()
}

/// One reload, and what it did to each tenant.
async fn reload(reloader: &mut Reloader) -> Vec<(String, TenantOutcome)> {
    let done = reloader.first().await.unwrap();
    done.into_iter().map(|tenant| (tenant.tenant, tenant.outcome)).collect()
}

/// What a tenant answers.
async fn answer(host: &RunnerHost, tenant: &str) -> String {
    let replies = host.handle_activity(tenant, Activity::text("hi")).await.unwrap();
    replies[0].payload()["text"].as_str().unwrap().to_owned()
}

fn error_of(reloader: &Reloader, tenant: &str) -> Option<String> {
    let status = reloader.handle().status();
    status.tenants.into_iter().find(|t| t.tenant == tenant).unwrap().last_error.map(|error| error.code)
}

#[tokio::test]
async fn what_changes_is_swapped_and_what_does_not_is_left_alone() {
    let shop = Shop::new();
    let (one, digest) = shop.publish("one", "1.0.0", "one");
    shop.list("a", pinned(&one, digest), &[]);
    shop.list("b", versioned(&one, "1.0.0"), &[]);
    shop.list("stranger", pinned(&one, digest), &[]);
    let host = host_of(&["a", "b", "c"], |b| b).await;
    let mut reloader = reloader(&host, shop.config());
    let done = reload(&mut reloader).await;
    let of = |tenant: &str, outcome| (tenant.to_owned(), outcome);
    assert_eq!(
        done,
        [of("a", TenantOutcome::Loaded), of("b", TenantOutcome::Loaded), of("stranger", TenantOutcome::Unbound)]
    );
    assert_eq!((answer(&host, "a").await, answer(&host, "b").await), ("one".into(), "one".into()));
    assert!(Arc::ptr_eq(&host.tenant("a").unwrap().main().pack, &host.tenant("b").unwrap().main().pack), "read once");

    // Nothing changed: nothing is done.
    let work = host.work();
    let unchanged = [of("a", TenantOutcome::Unchanged), of("b", TenantOutcome::Unchanged)];
    for _ in 0..3 {
        assert_eq!(reload(&mut reloader).await[..2], unchanged);
    }
    // Nor if the index is written anew and says the same.
    shop.write();
    assert_eq!(reload(&mut reloader).await[..2], unchanged);
    assert_eq!(host.work(), work);

    let (two, digest) = shop.publish("one", "2.0.0", "two");
    shop.list("a", pinned(&two, digest), &[]);
    assert_eq!(reload(&mut reloader).await[..2], [of("a", TenantOutcome::Loaded), of("b", TenantOutcome::Unchanged)]);
    assert_eq!((answer(&host, "a").await, answer(&host, "b").await), ("two".into(), "one".into()));
    assert_eq!(host.work().packs, work.packs + 1);

    // A file that is replaced under its name, and not pinned, is another pack.
    shop.publish("one", "1.0.0", "one, mended");
    reload(&mut reloader).await;
    assert_eq!(answer(&host, "b").await, "one, mended");

    shop.unlist("a");
    assert_eq!(reload(&mut reloader).await[0], of("a", TenantOutcome::Unloaded));
    let gone = host.handle_activity("a", Activity::text("hi")).await.unwrap_err();
    assert_eq!(gone.code(), Code::PackNotLoaded);
    assert_eq!(reloader.handle().status().active, 1);
}

#[tokio::test]
async fn a_bad_pack_leaves_its_tenant_on_the_last_good_one_and_the_others_alone() {
    let shop = Shop::new();
    let (good, digest) = shop.publish("one", "1.0.0", "good");
    shop.list("a", pinned(&good, digest), &[]);
    shop.list("b", pinned(&good, digest), &[]);
    let host = host_of(&["a", "b"], |b| b).await;
    let mut reloader = reloader(&host, shop.config());
    reload(&mut reloader).await;

    let truncated = std::fs::read(shop.path(&good)).unwrap();
    std::fs::write(shop.path("truncated.gtpack"), &truncated[..truncated.len() / 2]).unwrap();
    std::fs::write(shop.path("text.gtpack"), "{}").unwrap();
    let (other, other_digest) = shop.publish("one", "1.5.0", "other");
    let bad = [
        (versioned("truncated.gtpack", "1.0.0"), Code::ArchiveInvalid),
        (versioned("text.gtpack", "1.0.0"), Code::ArchiveInvalid),
        (versioned("gone.gtpack", "1.0.0"), Code::Io),
        (versioned(&good, "9.9.9"), Code::IndexMismatch),
        (pinned(&other, Digest([7; 32])), Code::DigestMismatch),
        (pinned("../outside/../../gone.gtpack", Digest([7; 32])), Code::Io),
        (json!({ "locator": "ftp://example.com/x", "version": "1.0.0" }), Code::LocatorInvalid),
        (json!({ "version": "1.0.0" }), Code::IndexInvalid),
    ];
    for (entry, code) in bad {
        shop.list("a", entry.clone(), &[]);
        let done = reload(&mut reloader).await;
        assert_eq!(done[0].1, TenantOutcome::Failed, "{entry}");
        assert_eq!(done[1].1, TenantOutcome::Unchanged, "{entry}");
        assert_eq!(error_of(&reloader, "a"), Some(code.to_string()), "{entry}: {:?}", reloader.failed());
        assert_eq!((answer(&host, "a").await, answer(&host, "b").await), ("good".into(), "good".into()));
    }
    // It is mended, and nothing is left of the error.
    shop.list("a", pinned(&other, other_digest), &[]);
    assert_eq!(reload(&mut reloader).await[0].1, TenantOutcome::Loaded);
    assert_eq!((error_of(&reloader, "a"), answer(&host, "a").await), (None, "other".into()));
    assert_eq!(reloader.handle().status().last_error, None);
}

#[tokio::test]
async fn what_was_refused_is_not_tried_again_until_somebody_asks() {
    let shop = Shop::new();
    // A flow that calls a component which the pack does not have: refused after it was read and prepared.
    let broken = "{ id: chat, type: messaging, nodes: { a: { nobody: {} } } }";
    let (name, digest) = shop.archive(Sources::of_flow(broken), "broken", "1.0.0");
    shop.list("a", pinned(&name, digest), &[]);
    let host = host_of(&["a"], |b| b).await;
    let mut reloader = reloader(&host, ReloadConfig { interval: Some(Duration::from_millis(1)), ..shop.config() });
    assert_eq!(reload(&mut reloader).await[0].1, TenantOutcome::Failed);
    let tried = host.work().packs;
    reloader.start().unwrap();
    let handle = reloader.handle();
    let mut rounds = handle.rounds();
    let begin = *rounds.borrow();
    rounds.wait_for(|n| *n > begin + 5).await.unwrap();
    assert_eq!(host.work().packs, tried, "five looks, no work");
    let report = handle.ended(&handle.request("test").unwrap()).await.unwrap();
    assert_eq!((report.state, host.work().packs), (ReloadState::Failed, tried + 1));
}

#[tokio::test]
async fn an_index_that_cannot_be_read_touches_nobody() {
    let shop = Shop::new();
    let (good, digest) = shop.publish("one", "1.0.0", "good");
    shop.list("a", pinned(&good, digest), &[]);
    let host = host_of(&["a"], |b| b).await;
    let mut reloader = reloader(&host, shop.config());
    reload(&mut reloader).await;
    for text in ["", "[]", "{\"tenants\": {\"a\": 1, \"a\": 2}}", "{\"tenants\": {\"é\": {}}}"] {
        std::fs::write(shop.path("index.json"), text).unwrap();
        reloader.first().await.unwrap_err();
        assert_eq!(answer(&host, "a").await, "good");
        let status = reloader.handle().status();
        assert!(status.last_error.is_some() && status.active == 1);
        assert_eq!(host.health_state().last_error, status.last_error);
    }
    std::fs::remove_file(shop.path("index.json")).unwrap();
    assert_eq!(reloader.first().await.unwrap_err().code(), Code::NotFound);
    shop.write();
    reload(&mut reloader).await;
    assert_eq!(reloader.handle().status().last_error, None);
}

#[tokio::test]
async fn older_versions_need_permission_and_that_is_written_down() {
    let shop = Shop::new();
    let (old, old_digest) = shop.publish("one", "1.0.0", "old");
    let (new, new_digest) = shop.publish("one", "1.1.0", "new");
    shop.list("a", pinned(&new, new_digest), &[]);
    let host = host_of(&["a"], |b| b).await;
    let mut first = reloader(&host, shop.config());
    reload(&mut first).await;
    shop.list("a", pinned(&old, old_digest), &[]);
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&first, "a"), Some(Code::Downgrade.to_string()));
    assert_eq!(answer(&host, "a").await, "new");
    drop(first);

    // Another process remembers it.
    let host = host_of(&["a"], |b| b).await;
    let mut second = reloader(&host, shop.config());
    assert_eq!(reload(&mut second).await[0].1, TenantOutcome::Failed);
    assert_eq!(host.active_packs().len(), 0);

    let audit = Arc::new(AuditLog::open(shop.dir.path()).unwrap());
    let allowed = ReloadConfig { allow_downgrade: true, ..shop.config() };
    let mut third = Reloader::new(Arc::clone(&host), audit, allowed).unwrap();
    assert_eq!(reload(&mut third).await[0].1, TenantOutcome::Loaded);
    assert_eq!(answer(&host, "a").await, "old");
    let lines = std::fs::read_to_string(shop.path("audit.log")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, outcome) in lines.iter().zip(["begun", "done"]) {
        assert_eq!((&line["action"], &line["outcome"]), (&json!("packs.downgrade"), &json!(outcome)));
        assert_eq!((&line["tenant"], &line["detail"]), (&json!("a"), &json!("one from 1.1.0 to 1.0.0")));
    }
    // What was allowed once is the mark now.
    let mut fourth = reloader(&host, shop.config());
    assert!(fourth.failed().is_empty());
    assert_ne!(reload(&mut fourth).await[0].1, TenantOutcome::Failed);
}

#[tokio::test]
async fn overlays_of_the_index_lie_over_the_main_pack_in_their_order() {
    let shop = Shop::new();
    let (main, main_digest) = shop.publish("main", "1.0.0", "main");
    let (over, over_digest) = shop.publish("over", "1.0.0", "over");
    let (top, top_digest) = shop.publish("top", "1.0.0", "top");
    let (main, over, top) = (pinned(&main, main_digest), pinned(&over, over_digest), pinned(&top, top_digest));
    let host = host_of(&["a"], |b| b).await;
    let mut reloader = reloader(&host, shop.config());
    for (overlays, expected) in [
        (vec![], "main"),
        (vec![over.clone()], "over"),
        (vec![over.clone(), top.clone()], "top"),
        (vec![top.clone(), over.clone()], "over"),
        (vec![top.clone()], "top"),
        (vec![], "main"),
    ] {
        shop.list("a", main.clone(), &overlays);
        assert_eq!(reload(&mut reloader).await[0].1, TenantOutcome::Loaded);
        assert_eq!(answer(&host, "a").await, expected);
        let status = &reloader.handle().status().tenants[0];
        assert_eq!((status.pack.as_ref().unwrap().pack_id.as_str(), status.overlays.len()), ("main", overlays.len()));
    }
    // An overlay that is the main pack again.
    shop.list("a", main.clone(), &[main]);
    assert_eq!(reload(&mut reloader).await[0].1, TenantOutcome::Failed);
    assert_eq!(answer(&host, "a").await, "main");
}

#[tokio::test]
async fn a_changed_file_is_seen_without_anybody_asking() {
    let shop = Shop::new();
    let (name, _) = shop.publish("one", "1.0.0", "first");
    let host = host_of(&["a", "b"], |b| b).await;
    let sources = Sources::of_flow("{ id: chat, type: messaging, nodes: { a: { emit.response: { text: 'dir' } } } }")
        .file("pack.yaml", "pack_id: dir\nversion: 1.0.0\n");
    let packs = vec![("a".into(), shop.path(&name)), ("b".into(), sources.path())];
    let mut reloader = reloader(&host, ReloadConfig::fixed(packs));
    reload(&mut reloader).await;
    reloader.start().unwrap();
    let mut rounds = reloader.handle().rounds();
    shop.publish("one", "1.0.0", "second");
    until(&mut rounds, || {
        host.tenant("a").unwrap().main().pack.digest == Digest::of(&std::fs::read(shop.path(&name)).unwrap())
    })
    .await;
    assert_eq!(answer(&host, "a").await, "second");
    let before = host.tenant("b").unwrap().main().pack.digest;
    let sources = sources
        .file("index.ygtc", "{ id: chat, type: messaging, nodes: { a: { emit.response: { text: 'dir, changed' } } } }");
    until(&mut rounds, || host.tenant("b").unwrap().main().pack.digest != before).await;
    assert_eq!(answer(&host, "b").await, "dir, changed");
    drop(sources);
}

/// Waits for reloads until `done`.
async fn until(rounds: &mut tokio::sync::watch::Receiver<u64>, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            rounds.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the change is seen");
}

#[tokio::test]
async fn requests_that_come_while_one_waits_share_it() {
    let shop = Shop::new();
    let (name, digest) = shop.publish("one", "1.0.0", "one");
    shop.list("a", pinned(&name, digest), &[]);
    let host = host_of(&["a"], |b| b).await;
    let mut reloader = reloader(&host, shop.config());
    let handle = reloader.handle();
    // Nobody works yet, so all of them wait.
    let first = handle.request("one").unwrap();
    assert!((0..100).all(|_| handle.request("another").unwrap() == first));
    assert_eq!(handle.report(&first).unwrap().state, ReloadState::Running);
    reloader.start().unwrap();
    let report = handle.ended(&first).await.unwrap();
    assert_eq!((report.state, report.tenants[0].outcome), (ReloadState::Done, TenantOutcome::Loaded));
    let second = handle.request("later").unwrap();
    assert_ne!(second, first);
    assert_eq!(handle.ended(&second).await.unwrap().tenants[0].outcome, TenantOutcome::Unchanged);
    assert!(handle.report("no such reload").is_none());
    drop(reloader);
    assert_eq!(handle.request("too late").unwrap_err().code(), Code::NotRunning);
}

/// The flow of the test under load: a question, a wait, an answer with a count that a component keeps.
fn conversation(version: &str) -> String {
    format!(
        "id: chat
type: messaging
nodes:
  ask:
    emit.response: {{ text: '{version} asks {{{{in.text}}}}' }}
    routing: [{{ to: wait }}]
  wait:
    session.wait: {{}}
    routing: [{{ to: count }}]
  count:
    counter: {{ operation: bump }}
    routing: [{{ to: answer }}]
  answer:
    emit.response: {{ text: '{version} answers {{{{in.text}}}}', count: '{{{{node.count}}}}' }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_answered_twice_during_hundreds_of_reloads() {
    const RELOADS: usize = 200;
    const SESSIONS: usize = 8;
    let shop = Shop::new();
    let packs: Vec<_> = ["1.0.0", "2.0.0"]
        .iter()
        .map(|version| {
            let sources = Sources::of_flow(&conversation(version)).component("counter", "stateful-counter");
            shop.archive(sources, "bot", version)
        })
        .collect();
    let list = |at: usize| {
        let (name, digest) = &packs[at % 2];
        shop.list("t", pinned(name, *digest), &[]);
    };
    list(0);
    let data = tempfile::tempdir().unwrap();
    let host = host_of(&["t"], |b| b.with_data_dir(data.path())).await;
    let mut reloader = reloader(&host, ReloadConfig { allow_downgrade: true, ..shop.config() });
    reload(&mut reloader).await;

    let running = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|session| {
            let (host, running) = (Arc::clone(&host), Arc::clone(&running));
            tokio::spawn(async move {
                let mut talks = 0_u64;
                while running.load(std::sync::atomic::Ordering::SeqCst) || talks < 3 {
                    let (ask, reply) = (format!("{session}/{talks}"), format!("{session}/{talks}!"));
                    let asked = say(&host, &session.to_string(), &ask).await.unwrap();
                    assert!(waits(&asked), "{asked:?}");
                    let [asked] = texts(&asked).try_into().unwrap();
                    assert!(asked.ends_with(&format!(" asks {ask}")), "{asked}");
                    let answered = say(&host, &session.to_string(), &reply).await.unwrap();
                    talks += 1;
                    assert_eq!(answered.replies.len(), 1, "one answer: {answered:?}");
                    let answer = &answered.replies[0];
                    assert!(answer["text"].as_str().unwrap().ends_with(&format!(" answers {reply}")), "{answer}");
                    // The component's count grows by one for each conversation, whichever pack it ran on.
                    assert_eq!(answer["count"]["count"], json!(talks), "{answer}");
                }
                talks
            })
        })
        .collect();
    let mut swapped = 0;
    for at in 1..=RELOADS {
        list(at);
        swapped += usize::from(reload(&mut reloader).await[0].1 == TenantOutcome::Loaded);
    }
    running.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut talks = 0;
    for session in sessions {
        talks += session.await.unwrap();
    }
    assert_eq!(swapped, RELOADS);
    assert!(talks >= 3 * SESSIONS as u64);
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.waits, counts.dead, counts.events), (0, 0, 0), "nothing is left over");
    host.stop().await.unwrap();
}

#[tokio::test]
async fn an_index_of_a_strict_host_takes_signed_packs_only() {
    use greentic_runner_host::trust::{PrivateKey, Signed, Strictness, TrustPolicy};
    let shop = Shop::new();
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let (name, digest) = shop.publish("one", "1.0.0", "signed");
    let by = |key: &PrivateKey| json!({ "path": name, "digest": digest.to_string(), "signature": key.sign_for_index(&digest.0) });
    let policy = |strictness| TrustPolicy { keys: vec![key.public()], strictness };
    for (strictness, signature, refused) in [
        (Strictness::ByKeys, pinned(&name, digest), Some(Code::PackUntrusted)),
        (Strictness::ByKeys, by(&other), Some(Code::SignatureInvalid)),
        (Strictness::ByKeys, by(&key), None),
        (Strictness::Report, pinned(&name, digest), None),
    ] {
        shop.list("a", signature.clone(), &[]);
        let host = host_of(&["a"], |b| b.with_trust(policy(strictness))).await;
        let mut reloader = reloader(&host, shop.config());
        let outcome = reload(&mut reloader).await[0].1;
        let failed = outcome == TenantOutcome::Failed;
        assert_eq!(error_of(&reloader, "a"), refused.map(|code| code.to_string()), "{signature}");
        assert_eq!((failed, host.active_packs().is_empty()), (refused.is_some(), refused.is_some()), "{signature}");
        if refused.is_none() && strictness == Strictness::ByKeys {
            let status = reloader.handle().status();
            let verification = status.tenants[0].pack.as_ref().unwrap().verification.clone().unwrap();
            assert_eq!(verification.index_signature, Signed::Valid { key: key.public().id().to_owned() });
            // The signature goes from the index, and the pack with it, though its bytes are the same.
            shop.list("a", pinned(&name, digest), &[]);
            assert_eq!(reload(&mut reloader).await[0].1, TenantOutcome::Failed);
            assert_eq!(answer(&host, "a").await, "signed", "what ran before goes on");
        }
    }
    let host =
        host_of(&["a"], |b| b.with_trust(TrustPolicy { keys: Vec::new(), strictness: Strictness::Strict })).await;
    let mut none = reloader(&host, shop.config());
    assert_eq!(reload(&mut none).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&none, "a"), Some(Code::TrustWithoutKeys.to_string()));
}

/// A web server of files, which counts what is asked of it.
#[derive(Clone, Default)]
struct Web(Arc<std::sync::Mutex<WebState>>);

#[derive(Default)]
struct WebState {
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
    down: bool,
}

impl Web {
    async fn start() -> (Self, std::net::SocketAddr) {
        let web = Self::default();
        let serve = web.clone();
        let answer = move |request: axum::extract::Request| {
            let web = serve.clone();
            async move { web.answer(&request) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
        (web, address)
    }

    fn put(&self, name: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap().files.insert(format!("/{name}"), bytes);
    }

    fn set_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    fn answer(&self, request: &axum::extract::Request) -> axum::response::Response {
        use axum::response::IntoResponse as _;
        let mut state = self.0.lock().unwrap();
        let path = request.uri().path().to_owned();
        state.asked.push(format!("{} {path}", request.method()));
        if state.down {
            return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let Some(bytes) = state.files.get(&path) else { return axum::http::StatusCode::NOT_FOUND.into_response() };
        let tag = format!("\"{}\"", Digest::of(bytes));
        ([(axum::http::header::ETAG, tag)], bytes.clone()).into_response()
    }
}

#[tokio::test]
async fn a_remote_index_is_followed_and_what_it_said_last_is_used_while_its_server_is_down() {
    let (shop, (web, address)) = (Shop::new(), Web::start().await);
    let publish = |text: &str, version: &str| {
        let (name, digest) = shop.publish("one", version, text);
        web.put(&name, std::fs::read(shop.path(&name)).unwrap());
        (name, digest)
    };
    let list = |main: Value| web.put("index.json", json!({ "a": { "main_pack": main } }).to_string().into_bytes());
    let (name, digest) = publish("one", "1.0.0");
    list(pinned(&name, digest));
    let base = greentic_runner_host::ingest::locator::Base::here().unwrap();
    let scheme = greentic_runner_host::ingest::locator::Scheme::Fs;
    let index = Locator::parse(&format!("http://{address}/index.json"), &base, scheme).unwrap();
    let config = || {
        let mut config = ReloadConfig { ..shop.config() };
        config.source = greentic_runner_host::reload::PackSource::Index(index.clone());
        config.fetch.attempts = 1;
        config
    };
    let host = host_of(&["a"], |b| b).await;
    let mut first = reloader(&host, config());
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Loaded);
    assert_eq!(answer(&host, "a").await, "one");
    // What is pinned and runs is not asked for again.
    web.asked();
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Unchanged);
    assert!(web.asked().iter().all(|request| request.ends_with("/index.json")));

    let (name, digest) = publish("two", "2.0.0");
    list(pinned(&name, digest));
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Loaded);
    // Another pack lies at the pinned name: it is refused before anybody reads it, and leaves nothing.
    let (name, _) = publish("evil", "2.0.0");
    list(pinned(&name, Digest([9; 32])));
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&first, "a"), Some(Code::DigestMismatch.to_string()));
    // A host that is not the index's own, and not public.
    list(json!({ "locator": "http://127.0.0.1:1/x.gtpack", "version": "1.0.0" }));
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&first, "a"), Some(Code::LocatorDenied.to_string()));
    list(json!({ "locator": "fs:///etc/passwd", "version": "1.0.0" }));
    assert_eq!(reload(&mut first).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&first, "a"), Some(Code::LocatorDenied.to_string()));
    assert_eq!(answer(&host, "a").await, "two");
    list(pinned(&name, digest));
    reload(&mut first).await;
    drop(first);

    // Another process starts while the server is down.
    web.set_down(true);
    let host = host_of(&["a"], |b| b).await;
    let mut second = reloader(&host, config());
    assert_eq!(reload(&mut second).await[0].1, TenantOutcome::Loaded);
    assert_eq!(answer(&host, "a").await, "two");
    web.set_down(false);
    let (name, digest) = publish("three", "3.0.0");
    list(pinned(&name, digest));
    assert_eq!(reload(&mut second).await[0].1, TenantOutcome::Loaded);
    assert_eq!(answer(&host, "a").await, "three");
}

/// The same archive without the component `counter`, which a lock file says to lie at `url` with this digest.
fn without_its_component(archive: &Path, url: &str, digest: Option<Digest>) -> Vec<u8> {
    let mut old = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for at in 0..old.len() {
        let file = old.by_index_raw(at).unwrap();
        if file.name_raw() != b"components/counter.wasm" {
            new.raw_copy_file(file).unwrap();
        }
    }
    let mut locked = json!({ "name": "counter", "ref": url });
    if let Some(digest) = digest {
        locked["digest"] = json!(digest.to_string());
    }
    new.start_file("pack.lock", zip::write::SimpleFileOptions::default()).unwrap();
    let lock = json!({ "schema_version": 1, "components": [locked] }).to_string();
    std::io::Write::write_all(&mut new, lock.as_bytes()).unwrap();
    new.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_component_that_lies_elsewhere_is_fetched_by_its_digest() {
    let (shop, (web, address)) = (Shop::new(), Web::start().await);
    let flow = "{ id: chat, type: messaging, nodes: { count: { counter: { operation: bump } } } }";
    let (name, _) = shop.archive(Sources::of_flow(flow).component("counter", "stateful-counter"), "bot", "1.0.0");
    let (wasm, url) = (common::guest("stateful-counter"), format!("http://{address}/counter.wasm"));
    web.put("counter.wasm", wasm.clone());
    web.put("other.wasm", b"something else".to_vec());
    let other = format!("http://{address}/other.wasm");
    let config = || {
        let mut config = shop.config();
        config.fetch.attempts = 1;
        config.fetch.allowed_hosts = vec!["127.0.0.1".parse().unwrap()];
        config
    };
    let whole = shop.path(&name);
    for (url, digest, refused) in [
        (&url, None, Some(Code::ComponentUnpinned)),
        (&other, Some(Digest::of(&wasm)), Some(Code::DigestMismatch)),
        (&url, Some(Digest::of(&wasm)), None),
    ] {
        let bytes = without_its_component(&whole, url, digest);
        std::fs::write(shop.path("apart.gtpack"), &bytes).unwrap();
        shop.list("a", pinned("apart.gtpack", Digest::of(&bytes)), &[]);
        let host = host_of(&["a"], |b| b).await;
        let mut reloader = reloader(&host, config());
        reload(&mut reloader).await;
        assert_eq!(error_of(&reloader, "a"), refused.map(|code| code.to_string()), "{:?}", reloader.failed());
        if refused.is_none() {
            let replies = host.handle_activity("a", Activity::text("hi").from_user("u")).await.unwrap();
            assert_eq!(replies[0].payload()["count"], 1);
        }
    }
    // Once it is in the cache, nobody is asked. Without leave, what a pack names may not be on this machine.
    web.set_down(true);
    let host = host_of(&["a"], |b| b).await;
    let mut again = reloader(&host, config());
    assert_eq!(reload(&mut again).await[0].1, TenantOutcome::Loaded);
    let strict = ReloadConfig { cache_dir: shop.path("another cache"), ..shop.config() };
    let mut denied = reloader(&host_of(&["a"], |b| b).await, strict);
    assert_eq!(reload(&mut denied).await[0].1, TenantOutcome::Failed);
    assert_eq!(error_of(&denied, "a"), Some(Code::LocatorDenied.to_string()));
}

/// The index of the examples, on the pack that the demo runs.
#[tokio::test]
async fn the_index_of_the_examples_works_as_it_stands() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/index.json");
    let cache = tempfile::tempdir().unwrap();
    let config = ReloadConfig { cache_dir: cache.path().join("packs"), ..ReloadConfig::index(Locator::Fs(index)) };
    let host = host_of(&["demo"], |b| b).await;
    let mut reloader = reloader(&host, config);
    assert_eq!(reload(&mut reloader).await, [("demo".to_owned(), TenantOutcome::Loaded)]);
    let status = reloader.handle().status();
    let main = status.tenants[0].pack.as_ref().unwrap();
    assert_eq!(main.verification.as_ref().unwrap().digest, greentic_runner_host::trust::Check::Matches);
    assert!(!host.handle_activity("demo", Activity::text("hi").from_user("u")).await.unwrap().is_empty());
}
