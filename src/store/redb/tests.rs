//! What only a store in a file promises: it keeps everything, and says what is wrong with its directory.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, Database, StorageBackend, TableDefinition};

use super::tables::{EVENTS, META, ONCE, meta};
use super::*;
use crate::store::Begun;
use crate::store::suite::Any;
use crate::store::suite::{
    DAY, HOUR, LEASE, T0, accept, claim, event, failure, finished, lane, make_wait, progress, repeats, reply, route,
    run_id, session, set,
};
use crate::store::{EventId, Kept, Once};

fn open(dir: &Path) -> Any {
    RedbStore::open(dir).unwrap()
}

fn refusal(dir: &Path) -> Error {
    RedbStore::open(dir).expect_err("no store can be opened here")
}

/// A store with one of everything: an event, one under work, a wait, state, replies, one that is being sent and one that
/// was not delivered, a dedupe key, a dead letter.
async fn furnish(store: &Any) -> ClaimToken {
    make_wait(store, "waits", run_id(1), Some(T0.plus(HOUR))).await;
    accept(store, "dies", "x").await;
    let dies = claim(store, "dies").await.token;
    store.checkpoint(&dies, progress(run_id(2), "h", &["j"])).await.unwrap();
    store.fail(&dies, failure(T0), None, Vec::new()).await.unwrap();
    store.accept(NewEvent { dedupe: vec!["key".into()], ..event("works", "1") }).await.unwrap();
    accept(store, "works", "2").await;
    let works = claim(store, "works").await.token;
    let checkpoint = Checkpoint {
        state: vec![set("k", "v")],
        replies: vec![reply("r", "no", T0), reply("r", "hi", T0)],
        ..progress(run_id(3), "h", &["j"])
    };
    store.checkpoint(&works, checkpoint).await.unwrap();
    store.undelivered(&route("r"), 1, failure(T0)).await.unwrap();
    store.begin_part(&route("r"), 2, 1).await.unwrap();
    works
}

const FURNISHED: Counts = Counts {
    events: 2,
    runs: 3,
    waits: 1,
    journal: 3,
    state: 1,
    replies: 1,
    dedupe: 1,
    once: 0,
    dead: 1,
    undelivered: 1,
};

async fn assert_furnished(store: &Any, stale: &ClaimToken) {
    assert_eq!(store.counts().await.unwrap(), FURNISHED);
    let lost = store.checkpoint(stale, progress(run_id(3), "late", &[])).await.unwrap_err();
    assert_eq!(lost.code(), Code::ClaimLost, "the dead process's claim is void");
    assert_eq!(store.idle_lanes(T0, LEASE, 9, &|_| true).await.unwrap(), [lane("works")]);
    let again = claim(store, "works").await;
    assert_eq!((again.attempts, again.token.event), (2, stale.event));
    assert!(again.token.fence > stale.fence);
    let run = again.run.clone().unwrap();
    assert_eq!((run.id, &*run.head, run.journal.len()), (run_id(3), &b"h"[..], 1));
    assert!(store.complete(&again.token, finished(None)).await.unwrap());
    assert_eq!(claim(store, "works").await.payload, "2");

    assert_eq!(store.state_get(&session("acme", "bot", "a"), "k").await.unwrap().unwrap(), "v");
    assert_eq!(store.replies(&route("r"), 0, 9).await.unwrap()[0].payload, "hi");
    let next = store.next_reply(&route("r")).await.unwrap().unwrap();
    assert_eq!((next.seq, next.done, next.begun), (2, 1, Some(Begun { part: 1 })), "it may have arrived");
    assert_eq!(store.unsent_routes(9, &|_| true).await.unwrap(), [route("r")]);
    assert_eq!(store.undelivered_replies(None, 9).await.unwrap()[0].payload, "no");
    assert_eq!(store.dead_letters(None, 9).await.unwrap()[0].failure, failure(T0));
    let copy = store.accept(NewEvent { dedupe: vec!["key".into()], ..event("works", "1") }).await.unwrap();
    assert_eq!(copy, repeats(stale.event, false));
    let new = accept(store, "waits", "next").await;
    assert!(new > EventId(stale.event.0 + 1), "ids are never used again");
    assert_eq!(claim(store, "waits").await.waits[0].run, run_id(1));
}

#[tokio::test]
async fn keeps_everything_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let stale = furnish(&store).await;
    drop(store);
    assert_furnished(&open(dir.path()), &stale).await;
}

#[tokio::test]
async fn keeps_everything_that_was_answered_before_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let stale = furnish(&store).await;
    // What the file holds now is what a process that is killed now leaves behind.
    fs::copy(dir.path().join("store.redb"), crashed.path().join("store.redb")).unwrap();
    assert_furnished(&open(crashed.path()), &stale).await;
}

#[tokio::test]
async fn starts_anew_where_a_crash_left_half_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store.redb.new"), b"half").unwrap();
    accept(&open(dir.path()), "a", "x").await;
    assert!(!dir.path().join("store.redb.new").exists());
}

#[cfg(unix)]
#[test]
fn is_private() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let _store = RedbStore::open(&dir).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("store.redb")), 0o600);
}

#[test]
fn names_a_directory_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for unusable in [file.clone(), file.join("below")] {
        let error = refusal(&unusable);
        assert_eq!(error.code(), Code::StoreDirectory);
        assert!(error.message().contains(&unusable.display().to_string()), "{error}");
        assert!(error.hint_text().unwrap().contains("--data-dir"));
    }
}

#[test]
fn is_held_by_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let held = RedbStore::open(dir.path()).unwrap();
    let error = refusal(dir.path());
    assert_eq!(error.code(), Code::StoreLocked);
    assert!(error.message().contains(&dir.path().display().to_string()), "{error}");
    assert!(error.message().contains(&std::process::id().to_string()), "{error}");
    drop(held);
    drop(RedbStore::open(dir.path()).unwrap());
}

#[tokio::test]
async fn says_that_its_file_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..50 {
        accept(&store, &format!("lane {n}"), &"x".repeat(1000)).await;
    }
    drop(store);
    let path = dir.path().join("store.redb");
    let good = fs::read(&path).unwrap();
    let half = good.len() / 2;
    let zeroed = [&good[..4096], &vec![0; good.len() - 4096]].concat();
    let damages: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("a short text", b"garbage"),
        ("a long text", &b"garbage ".repeat(100_000)),
        ("only a header", &good[..4096]),
        ("half", &good[..half]),
        ("nothing behind the header", &zeroed),
    ];
    for (what, bytes) in damages {
        fs::write(&path, bytes).unwrap();
        let error = refusal(dir.path());
        assert_eq!(error.code(), Code::StoreFormat, "{what}: {error}");
        assert!(error.message().contains(&dir.path().display().to_string()), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap().len(), bytes.len(), "{what}: nothing is overwritten");
    }
    fs::write(&path, good).unwrap();
    assert_eq!(open(dir.path()).counts().await.unwrap().events, 50);
}

fn edit(dir: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(dir.join("store.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

#[test]
fn refuses_formats_that_it_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    drop(RedbStore::open(dir.path()).unwrap());
    edit(dir.path(), |txn| {
        txn.open_table(META).unwrap().insert(meta::FORMAT, 2).unwrap();
    });
    let newer = refusal(dir.path());
    assert_eq!(newer.code(), Code::StoreFormat);
    assert!(newer.message().contains("format 2") && newer.hint_text().unwrap().contains("newer version"), "{newer}");
    edit(dir.path(), |txn| {
        txn.open_table(META).unwrap().remove(meta::FORMAT).unwrap();
    });
    assert_eq!(refusal(dir.path()).code(), Code::StoreFormat);
}

/// A directory of a version that kept no results: its events are recognised, and no more is known of them.
#[tokio::test]
async fn opens_a_directory_from_before_results_were_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let once = |key: &str| NewEvent {
        dedupe: vec![key.into()],
        once: Some(Once { fingerprint: [1; 32], supersedes: None }),
        ..event("a", "x")
    };
    let Accepted::New(old) = store.accept(once("old")).await.unwrap() else { panic!("it is the first") };
    drop(store);
    edit(dir.path(), |txn| assert!(txn.delete_table(ONCE).unwrap()));
    let store = open(dir.path());
    assert_eq!(store.accept(once("old")).await.unwrap(), repeats(old, true));
    let result = Some(Bytes::from_static(b"done"));
    let token = claim(&store, "a").await.token;
    store.complete(&token, Completion { result: result.clone(), ..finished(None) }).await.unwrap();
    assert_eq!(store.accept(once("old")).await.unwrap(), repeats(old, false));
    store.accept(once("new")).await.unwrap();
    let token = claim(&store, "a").await.token;
    store.complete(&token, Completion { result, ..finished(None) }).await.unwrap();
    drop(store);
    let Accepted::Duplicate(of) = open(dir.path()).accept(once("new")).await.unwrap() else { panic!("it is known") };
    assert_eq!(of.ended, Some(Kept::Result(Bytes::from_static(b"done"))));
}

#[tokio::test]
async fn opens_what_a_host_left_that_sent_no_replies() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    let replies = vec![reply("old", "1", T0), reply("other", "1", T0)];
    store.complete(&token, Completion { replies, ..finished(None) }).await.unwrap();
    drop(store);
    edit(dir.path(), |txn| {
        for name in ["route_names", "progress", "undelivered", "undelivered_due"] {
            assert!(txn.delete_table(TableDefinition::<u64, u64>::new(name)).unwrap(), "{name}");
        }
    });
    let store = open(dir.path());
    assert_eq!(store.replies(&route("old"), 0, 9).await.unwrap().len(), 1);
    assert!(store.unsent_routes(9, &|_| true).await.unwrap().is_empty(), "nobody knows their names");
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    store.complete(&token, Completion { replies: vec![reply("old", "2", T0)], ..finished(None) }).await.unwrap();
    assert_eq!(store.unsent_routes(9, &|_| true).await.unwrap(), [route("old")]);
    let first = store.next_reply(&route("old")).await.unwrap().unwrap();
    assert_eq!((first.seq, &*first.payload, first.done), (1, &b"1"[..], 0), "in their order");
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 3);
}

#[tokio::test]
async fn one_damaged_record_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bad = accept(&store, "bad", "x").await;
    accept(&store, "good", "x").await;
    drop(store);
    edit(dir.path(), |txn| {
        txn.open_table(EVENTS).unwrap().insert(bad.0, &b"\xff"[..]).unwrap();
    });
    let store = open(dir.path());
    let (bad_lane, good_lane) = (lane("bad"), lane("good"));
    let (bad, good, new) = tokio::join!(
        store.claim(&bad_lane, T0, LEASE),
        store.claim(&good_lane, T0, LEASE),
        store.accept(event("new", "x")),
    );
    let error = bad.unwrap_err();
    assert_eq!(error.code(), Code::StoreFormat);
    assert!(error.message().contains("events"), "{error}");
    assert!(good.unwrap().is_some());
    assert!(matches!(new.unwrap(), Accepted::New(_)));
}

/// A file whose disk is full while it is told so, or takes its time, and which counts what was synced.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    switch: Arc<Switch>,
}

#[derive(Debug, Default)]
struct Switch {
    full: AtomicBool,
    slow: AtomicBool,
    syncs: AtomicU32,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        let full = self.switch.full.load(Ordering::SeqCst);
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.switch.syncs.fetch_add(1, Ordering::SeqCst);
        while self.switch.slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
}

fn open_on(dir: &Path, switch: &Arc<Switch>) -> Any {
    // Made by the usual way first; from then on through the switch.
    drop(RedbStore::open(dir).unwrap());
    let switch = switch.clone();
    let opener = move |dir: &Dir| {
        let file = fs::OpenOptions::new().read(true).write(true).open(dir.path().join("store.redb")).unwrap();
        let disk = Disk { file: FileBackend::new(file).unwrap(), switch: switch.clone() };
        Builder::new().create_with_backend(disk).map_err(|e| Fault::from(e).into_error(dir.path()))
    };
    RedbStore::open_with(dir, Box::new(opener)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_full_disk_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open_on(dir.path(), &switch);
    let stale = furnish(&store).await;
    accept(&store, "unsynced", "x").await;
    let unsynced = claim(&store, "unsynced").await.token;

    switch.full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = futures::future::join_all((0..10).map(|_| store.accept(event("new", "x")))).await;
        for error in refused.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.code(), Code::StoreFull, "{error}");
            assert!(error.message().contains(&dir.path().display().to_string()), "{error}");
        }
    }
    let closed = store.counts().await.unwrap_err();
    assert_eq!(closed.code(), Code::StoreFailed, "{closed}");

    switch.full.store(false, Ordering::SeqCst);
    // The claims are still good: it was this process that made them.
    store.checkpoint(&stale, progress(run_id(3), "on", &[])).await.unwrap();
    store.complete(&unsynced, finished(None)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), FURNISHED, "nothing lost, and nothing of what was refused");
    drop(store);
    assert_eq!(open(dir.path()).counts().await.unwrap(), FURNISHED);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open_on(dir.path(), &switch);
    let before = switch.syncs.load(Ordering::SeqCst);
    let callers = futures::future::join_all((0..200).map(|n| store.accept(event(&format!("lane {n}"), "x"))));
    let mut callers = Box::pin(tokio::task::unconstrained(callers));
    // While the first one is written, all others are handed over.
    switch.slow.store(true, Ordering::SeqCst);
    let waits = futures::poll!(&mut callers).is_pending();
    switch.slow.store(false, Ordering::SeqCst);
    assert!(waits);
    for accepted in callers.await {
        accepted.unwrap();
    }
    let syncs = switch.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs < 20, "200 events took {syncs} syncs");
    let idle = switch.syncs.load(Ordering::SeqCst);
    assert!(store.claim(&lane("empty"), T0, LEASE).await.unwrap().is_none());
    assert_eq!(store.sweep(T0, DAY).await.unwrap(), 0);
    assert_eq!(switch.syncs.load(Ordering::SeqCst), idle, "what changes nothing syncs nothing");
}

#[tokio::test]
async fn a_first_claim_is_not_synced_and_yet_counted() {
    let dir = tempfile::tempdir().unwrap();
    let switch = Arc::new(Switch::default());
    let store = open_on(dir.path(), &switch);
    accept(&store, "a", "x").await;
    let before = switch.syncs.load(Ordering::SeqCst);
    let first = claim(&store, "a").await;
    assert_eq!(switch.syncs.load(Ordering::SeqCst), before);
    assert_eq!(first.attempts, 1);
    drop(store);

    // Each of these processes dies right after its claim; the copies are what it leaves on disk.
    let mut last = dir;
    let mut fence = first.token.fence;
    for attempts in 2..5 {
        let store = open(last.path());
        let again = claim(&store, "a").await;
        assert_eq!(again.attempts, attempts);
        assert!(again.token.fence > fence);
        fence = again.token.fence;
        let next = tempfile::tempdir().unwrap();
        fs::copy(last.path().join("store.redb"), next.path().join("store.redb")).unwrap();
        drop(store);
        last = next;
    }
}
