//! Timers on a virtual clock: real hosts, real flows, real stores, and a time that goes where it is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex as StdMutex};

use proptest::prelude::*;

use super::*;
use crate::clock::{Clock as _, ManualClock, Timestamp};
use crate::config::HostConfig;
use crate::host::HostBuilder;
use crate::id::Id;
use crate::run::trace::{Observer, TraceEvent, What};
use crate::store::{MemoryStore, RedbStore, Store};

const FLOW: &str = "{ id: nightly, type: job, nodes: { a: { emit.log: ran } } }";

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Counts runs, and holds them back while it is told to.
#[derive(Default)]
struct Runs {
    started: AtomicU64,
    held: StdMutex<bool>,
    freed: Condvar,
}

impl Runs {
    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.freed.notify_all();
    }
}

impl Observer for Runs {
    fn observe(&self, event: &TraceEvent) {
        if matches!(event.what, What::Started { .. } | What::Resumed { .. }) {
            self.started.fetch_add(1, Ordering::SeqCst);
            drop(self.freed.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
        }
    }
}

/// A host with its timers, on a clock and a store that others may share.
struct Subject {
    host: Arc<RunnerHost>,
    timers: Timers,
    clock: ManualClock,
    store: Arc<dyn Store>,
    runs: Arc<Runs>,
}

impl Subject {
    /// A host whose one tenant has these timers and limits, with the pack.
    async fn new(section: &str, now: &str) -> Self {
        let subject = Self::bare(section, now, Arc::new(MemoryStore::default())).await;
        subject.load(FLOW).await;
        subject
    }

    /// The same without a pack.
    async fn bare(section: &str, now: &str, store: Arc<dyn Store>) -> Self {
        Self::on(section, &ManualClock::new(at(now)), store, &Arc::default()).await
    }

    async fn on(section: &str, clock: &ManualClock, store: Arc<dyn Store>, runs: &Arc<Runs>) -> Self {
        let config = HostConfig::from_yaml(&format!("tenant: t\n{section}"), "t.yaml").unwrap();
        let builder = HostBuilder::new().with_config(config).with_store(Arc::clone(&store));
        let builder = builder.with_clock(Arc::new(clock.clone())).with_observer(Arc::clone(runs) as _);
        let host = Arc::new(builder.build().unwrap());
        host.start().await.unwrap();
        let timers = Timers::new(&host);
        Self { host, timers, clock: clock.clone(), store, runs: Arc::clone(runs) }
    }

    /// Another host on the same store and clock, as after a restart, or beside this one.
    async fn again(&self, section: &str) -> Self {
        let other = Self::on(section, &self.clock, Arc::clone(&self.store), &self.runs).await;
        other.load(FLOW).await;
        other
    }

    async fn load(&self, flow: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.ygtc");
        std::fs::write(&path, flow).unwrap();
        self.host.load_pack("t", &path).await.unwrap();
    }

    /// Does what is due at a time, and waits until it is done. How many runs there were, of all hosts.
    async fn at(&self, now: &str) -> u64 {
        self.clock.set(at(now));
        self.timers.step().await;
        self.done().await
    }

    async fn done(&self) -> u64 {
        while self.host.counts().await.unwrap().events > 0 {
            tokio::task::yield_now().await;
        }
        self.runs()
    }

    fn runs(&self) -> u64 {
        self.runs.started.load(Ordering::SeqCst)
    }

    fn status(&self) -> TimerStatus {
        self.timers.status().tenants[0].timers[0].clone()
    }

    fn counts(&self) -> TimerCounts {
        self.status().counts
    }
}

fn timer(cron: &str, more: &str) -> String {
    format!("timers: [{{ flow_id: nightly, cron: '{cron}', {more} }}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_schedule_has_missed_nothing_and_runs_at_its_times() {
    let subject = Subject::new(&timer("0 5 * * *", ""), "2026-11-27T09:00:00Z").await;
    assert_eq!(subject.at("2026-11-27T09:00:00Z").await, 0, "the time of this day was before it was there");
    assert_eq!(subject.at("2026-11-28T04:59:59.999Z").await, 0);
    assert_eq!(subject.at("2026-11-28T05:00:00Z").await, 1);
    assert_eq!(subject.at("2026-11-28T05:00:00.001Z").await, 1);
    assert_eq!(subject.at("2026-11-28T05:01:00Z").await, 1);
    assert_eq!(subject.at("2026-11-29T05:00:59Z").await, 2, "a little late is on time");
    assert_eq!(subject.counts(), TimerCounts { on_time: 2, ..TimerCounts::default() });
    assert_eq!(subject.host.counts().await.unwrap().dead, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sleeps_until_the_next_time_in_bounded_steps() {
    let subject = Subject::new(&timer("0 5 * * *", ""), "2026-11-28T04:00:00Z").await;
    assert_eq!(subject.timers.step().await, LONGEST);
    subject.clock.set(at("2026-11-28T04:59:57Z"));
    assert_eq!(subject.timers.step().await, Duration::from_secs(3));
    subject.clock.set(at("2026-11-28T05:00:00Z"));
    assert_eq!(subject.timers.step().await, LONGEST);
    let none = Subject::new("", "2026-11-28T04:00:00Z").await;
    assert_eq!(none.timers.step().await, LONGEST);
    assert!(none.timers.status().tenants.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_time_runs_once_where_clocks_go_forward_and_back() {
    let zone = "timezone: America/New_York";
    let gap = Subject::new(&timer("30 2 * * *", zone), "2012-03-11T05:00:00Z").await;
    for (now, runs) in [
        ("2012-03-11T05:00:00Z", 0),
        ("2012-03-11T06:59:59Z", 0),
        ("2012-03-11T07:00:00Z", 1), // 03:00, the first second that there is
        ("2012-03-11T07:30:00Z", 1), // 03:30
        ("2012-03-12T06:30:00Z", 2),
    ] {
        assert_eq!(gap.at(now).await, runs, "{now}");
    }
    let overlap = Subject::new(&timer("30 1 * * *", zone), "2012-11-04T05:00:00Z").await;
    for (now, runs) in [
        ("2012-11-04T05:00:00Z", 0),
        ("2012-11-04T05:30:00Z", 1), // 01:30 for the first time
        ("2012-11-04T06:30:00Z", 1), // and for the second
        ("2012-11-05T06:30:00Z", 2),
    ] {
        assert_eq!(overlap.at(now).await, runs, "{now}");
    }
    let every = Subject::new(&timer("30 * * * *", zone), "2012-11-04T05:00:00Z").await;
    for (now, runs) in [
        ("2012-11-04T05:00:00Z", 0),
        ("2012-11-04T05:30:00Z", 1),
        ("2012-11-04T06:30:00Z", 2), // what follows real time runs in both
        ("2012-11-04T07:30:00Z", 3),
    ] {
        assert_eq!(every.at(now).await, runs, "{now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_a_day_ahead_brings_one_run_and_no_burst() {
    let once = Subject::new(&timer("0 * * * *", ""), "2026-11-27T09:30:00Z").await;
    once.at("2026-11-27T09:30:00Z").await;
    assert_eq!(once.at("2026-11-28T09:30:00Z").await, 1);
    let counted = TimerCounts { catch_ups: 1, skipped: 23, ..TimerCounts::default() };
    assert_eq!(once.counts(), counted);
    assert_eq!(
        once.status().last.unwrap().scheduled_at.unwrap(),
        "2026-11-28T09:00:00+00:00",
        "the last that was missed"
    );
    assert_eq!(once.at("2026-11-28T10:00:00Z").await, 2);
    assert_eq!(once.counts(), TimerCounts { on_time: 1, ..counted });

    let skip = Subject::new(&timer("0 * * * *", "catch_up: skip"), "2026-11-27T09:30:00Z").await;
    skip.at("2026-11-27T09:30:00Z").await;
    assert_eq!(skip.at("2026-11-28T09:30:00Z").await, 0);
    assert_eq!(skip.counts(), TimerCounts { skipped: 24, ..TimerCounts::default() });
    assert_eq!(skip.at("2026-11-28T10:00:00Z").await, 1);

    let busy = Subject::new(&timer("* * * * * *", ""), "2026-11-27T09:30:00Z").await;
    busy.at("2026-11-27T09:30:00Z").await;
    assert_eq!(busy.at("2026-11-28T09:30:00Z").await, 1);
    assert_eq!(busy.counts(), TimerCounts { on_time: 1, skipped: 1_000, ..TimerCounts::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_brings_no_time_twice() {
    let subject = Subject::new(&timer("0 * * * *", ""), "2026-11-27T09:30:00Z").await;
    for (now, runs) in [
        ("2026-11-27T09:30:00Z", 0),
        ("2026-11-27T10:00:00Z", 1),
        ("2026-11-27T11:00:00Z", 2),
        ("2026-11-27T09:59:00Z", 2), // set back by an hour
        ("2026-11-27T10:00:00Z", 2),
        ("2026-11-27T11:00:00Z", 2),
        ("2026-11-27T12:00:00Z", 3),
        ("2036-01-01T00:30:00Z", 4), // ten years ahead by mistake: one run
        ("2026-11-27T12:30:00Z", 4), // and corrected
        ("2026-11-27T13:00:00Z", 5), // it goes on at once, and not in ten years
        ("2026-11-27T14:00:00Z", 6),
    ] {
        assert_eq!(subject.at(now).await, runs, "{now}");
    }
    let counts = subject.counts();
    assert_eq!((counts.repeated, counts.clock_set_back, counts.catch_ups), (2, 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_absence_the_last_time_runs_once() {
    let section = timer("0 5 * * *", "");
    let dir = tempfile::tempdir().unwrap();
    let first = Subject::bare(&section, "2026-11-27T09:00:00Z", RedbStore::open(dir.path()).unwrap()).await;
    first.load(FLOW).await;
    first.at("2026-11-27T09:00:00Z").await;
    assert_eq!(first.at("2026-11-28T05:00:00Z").await, 1);
    let (clock, runs) = (first.clock.clone(), Arc::clone(&first.runs));
    first.host.stop().await.unwrap();
    drop(first);
    for (now, expected) in [("2026-11-28T06:00:00Z", 1), ("2026-12-03T12:00:00Z", 2), ("2026-12-03T13:00:00Z", 2)] {
        clock.set(at(now));
        let store = RedbStore::open(dir.path()).unwrap();
        let restarted = Subject::on(&section, &clock, store, &runs).await;
        restarted.load(FLOW).await;
        assert_eq!(restarted.at(now).await, expected, "{now}");
        let last = restarted.status().last.unwrap();
        assert_eq!(last.event, expected, "the last run is known after a restart");
        restarted.host.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_was_changed_or_added_has_missed_nothing() {
    let first = Subject::new(&timer("0 5 * * *", ""), "2026-11-27T09:00:00Z").await;
    first.at("2026-11-27T09:00:00Z").await;
    first.clock.set(at("2026-11-29T09:00:00Z"));
    for changed in
        [timer("0 8 * * *", ""), timer("0 5 * * *", "timezone: Europe/Berlin"), timer("0 8 * * *", "schedule_id: b")]
    {
        let other = first.again(&changed).await;
        assert_eq!(other.at("2026-11-29T09:00:00Z").await, 0, "{changed}");
        assert_eq!(other.at("2026-11-29T09:00:01Z").await, 0, "{changed}");
    }
    // And when it is as it was before, what was missed meanwhile is not caught up.
    let back = first.again(&timer("0 5 * * *", "")).await;
    assert_eq!(back.at("2026-11-29T09:00:02Z").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_crash_is_not_started_again() {
    let section = timer("0 5 1 * *", "");
    let first = Subject::new(&section, "2026-11-27T09:00:00Z").await;
    first.at("2026-11-27T09:00:00Z").await;
    let key = kept::key(&Id::from("t"), "nightly");
    let peek = || crate::store::Mark { key: key.clone(), value: "".into(), replaces: false };
    let before = first.store.mark(peek()).await.unwrap().unwrap();
    assert_eq!(first.at("2026-12-01T05:00:00Z").await, 1);
    // The process dies between the event and the mark, and comes back weeks later.
    first.store.mark(crate::store::Mark { value: before, replaces: true, ..peek() }).await.unwrap();
    first.clock.set(at("2026-12-30T00:00:00Z"));
    while first.store.sweep(first.clock.now(), Duration::from_secs(1)).await.unwrap() > 0 {}
    let second = first.again(&section).await;
    assert_eq!(second.at("2026-12-30T00:00:00Z").await, 1);
    assert_eq!(second.counts(), TimerCounts { repeated: 1, ..TimerCounts::default() });
    assert_eq!(second.at("2027-01-01T05:00:00Z").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_on_one_store_run_a_time_once() {
    let section = timer("*/10 * * * *", "");
    let one = Subject::new(&section, "2026-11-27T09:05:00Z").await;
    let two = one.again(&section).await;
    for (now, runs) in [
        ("2026-11-27T09:05:00Z", 0),
        ("2026-11-27T09:10:00Z", 1),
        ("2026-11-27T09:20:00Z", 2),
        ("2026-11-27T11:25:00Z", 3),
    ] {
        one.clock.set(at(now));
        tokio::join!(one.timers.step(), two.timers.step());
        assert_eq!(one.done().await, runs, "{now}");
    }
    let (one, two) = (one.status(), two.status());
    assert_eq!(one.last, two.last, "both know the event");
    let total = |counts: TimerCounts| counts.on_time + counts.catch_ups;
    assert_eq!((total(one.counts) + total(two.counts), one.counts.repeated + two.counts.repeated), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_schedule_does_not_overlap_itself_unless_it_is_queued() {
    for (more, runs, overlapped) in [("", 2, 2), ("overlap: queue", 4, 0)] {
        let subject = Subject::new(&timer("*/5 * * * * *", more), "2026-11-27T09:00:01Z").await;
        subject.at("2026-11-27T09:00:01Z").await;
        subject.runs.hold(true);
        for second in ["05", "10", "15"] {
            subject.clock.set(at(&format!("2026-11-27T09:00:{second}Z")));
            subject.timers.step().await;
        }
        while subject.runs() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(subject.runs(), 1, "never two at once");
        subject.runs.hold(false);
        subject.done().await;
        assert_eq!(subject.at("2026-11-27T09:00:20Z").await, runs, "{more}");
        assert_eq!(subject.counts().overlapped, overlapped);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_is_lost_in_another_packs_queue_holds_no_schedule_up() {
    let subject = Subject::new(&timer("0 * * * *", ""), "2026-11-27T09:30:00Z").await;
    subject.at("2026-11-27T09:30:00Z").await;
    subject.runs.hold(true);
    subject.clock.set(at("2026-11-27T10:00:00Z"));
    subject.timers.step().await;
    subject.clock.set(at("2026-11-27T11:00:00Z"));
    subject.timers.step().await;
    assert_eq!(subject.counts().overlapped, 0, "its deadline is long past");
    subject.runs.hold(false);
    subject.done().await;
    assert_eq!(subject.counts().on_time, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_holds_a_time_back_and_loses_none() {
    let section = format!("{}limits: {{ queue: 1 }}", timer("0 * * * *", "overlap: queue"));
    let subject = Subject::new(&section, "2026-11-27T09:30:00Z").await;
    subject.at("2026-11-27T09:30:00Z").await;
    subject.runs.hold(true);
    subject.clock.set(at("2026-11-27T10:00:00Z"));
    subject.timers.step().await;
    subject.clock.set(at("2026-11-27T11:00:00Z"));
    assert_eq!(subject.timers.step().await, AGAIN);
    assert_eq!(subject.status().held.as_deref(), Some("GRH-0611"));
    subject.runs.hold(false);
    subject.clock.set(at("2026-11-27T11:00:05Z"));
    // What is done in the store leaves its place in the queue a moment later.
    while subject.timers.step().await == AGAIN {
        tokio::task::yield_now().await;
    }
    assert_eq!(subject.done().await, 2);
    assert_eq!((subject.status().held, subject.counts().on_time), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pack_or_its_flow_a_time_stays_due() {
    let subject =
        Subject::bare(&timer("0 * * * *", ""), "2026-11-27T09:30:00Z", Arc::new(MemoryStore::default())).await;
    subject.at("2026-11-27T09:30:00Z").await;
    assert_eq!(subject.at("2026-11-27T10:00:00Z").await, 0);
    assert_eq!(subject.status().held.unwrap(), "GRH-0601");
    subject.load("{ id: other, type: job, nodes: { a: { emit.log: x } } }").await;
    assert_eq!(subject.at("2026-11-27T12:00:00Z").await, 0);
    assert_eq!(subject.status().held.unwrap(), "GRH-0602");
    subject.load("{ id: nightly, type: job, nodes: {} }").await;
    assert_eq!(subject.at("2026-11-27T12:10:00Z").await, 0);
    assert_eq!(subject.status().held.unwrap(), "GRH-0604");
    subject.load(FLOW).await;
    assert_eq!(subject.at("2026-11-27T12:30:00Z").await, 1);
    assert_eq!(subject.counts(), TimerCounts { catch_ups: 1, skipped: 2, ..TimerCounts::default() });
    assert_eq!((subject.status().held, subject.host.counts().await.unwrap().dead), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_neither_repeats_nor_loses_a_time() {
    let subject = Subject::new(&timer("0 * * * *", ""), "2026-11-27T09:30:00Z").await;
    subject.at("2026-11-27T09:30:00Z").await;
    assert_eq!(subject.at("2026-11-27T10:00:00Z").await, 1);
    subject.load("{ id: nightly, type: job, nodes: { a: { emit.log: changed } } }").await;
    assert_eq!(subject.at("2026-11-27T10:00:01Z").await, 1, "the same time under another version");
    subject.clock.set(at("2026-11-27T11:00:00Z"));
    subject.load(FLOW).await;
    assert_eq!(subject.at("2026-11-27T11:00:01Z").await, 2, "the time that came while a pack was swapped");
    assert_eq!(subject.counts(), TimerCounts { on_time: 2, ..TimerCounts::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_a_dead_letter_and_the_schedule_goes_on() {
    let section = format!("{}limits: {{ steps: 1 }}", timer("0 * * * *", ""));
    let subject = Subject::new(&section, "2026-11-27T09:30:00Z").await;
    subject
        .load("{ id: nightly, type: job, nodes: { a: { emit.log: x, routing: [{ to: b }] }, b: { emit.log: y } } }")
        .await;
    subject.at("2026-11-27T09:30:00Z").await;
    assert_eq!(subject.at("2026-11-27T10:00:00Z").await, 1);
    assert_eq!(subject.at("2026-11-27T11:00:00Z").await, 2);
    let dead = subject.store.dead_letters(Some(&Id::from("t")), 9).await.unwrap();
    assert_eq!(dead.iter().map(|letter| &*letter.failure.code).collect::<Vec<_>>(), ["GRH-0606", "GRH-0606"]);
    assert_eq!(dead[0].event.0, subject.status().last.unwrap().event);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_has_its_form() {
    let section = "
timers:
  - { flow_id: nightly, cron: '30 2 * * *', timezone: america/new_york }
  - { flow_id: other, cron: '@hourly', schedule_id: hourly, catch_up: skip, overlap: queue }
  - { flow_id: nightly, cron: '0 0 5 1 1 * 2012', schedule_id: over }
";
    let subject = Subject::new(section, "2012-03-10T06:00:00Z").await;
    subject.at("2012-03-10T06:00:00Z").await;
    subject.at("2012-03-11T07:00:00Z").await;
    insta::assert_json_snapshot!(subject.timers.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_by_itself_once_it_is_started() {
    let subject = Subject::new(&timer("* * * * * *", ""), "2026-11-27T09:00:00Z").await;
    subject.timers.step().await;
    subject.clock.set(at("2026-11-27T09:00:01Z"));
    subject.timers.start();
    subject.timers.start();
    while subject.runs() == 0 {
        tokio::task::yield_now().await;
    }
    subject.timers.stop().await;
    subject.done().await;
    subject.clock.set(at("2026-11-27T09:00:02Z"));
    tokio::task::yield_now().await;
    assert_eq!((subject.done().await, subject.counts().on_time), (1, 1), "nothing further after the stop");
}

/// What an unlucky machine does to a schedule.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The clock goes on by minutes.
    Later(i64),
    /// It is set back by minutes.
    Back(i64),
    /// The process ends, and another one begins.
    Restart,
    /// The flow's pack is swapped.
    Reload,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (1..90_i64).prop_map(Fate::Later),
        1 => (90..20_000_i64).prop_map(Fate::Later),
        1 => (1..1_000_i64).prop_map(Fate::Back),
        1 => Just(Fate::Restart),
        1 => Just(Fate::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever happens: a step starts one run of a schedule at most, and no time ever has two events.
    #[test]
    fn never_a_burst_and_never_twice(fates in prop::collection::vec(fate(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let section = timer("*/15 * * * *", "");
            let mut subject = Subject::new(&section, "2026-11-27T09:00:00Z").await;
            let mut events = std::collections::HashMap::new();
            for fate in fates {
                let now = subject.clock.now().0;
                match fate {
                    Fate::Later(minutes) => subject.clock.set(Timestamp(now + minutes * 60_000)),
                    Fate::Back(minutes) => subject.clock.set(Timestamp(now - minutes * 60_000)),
                    Fate::Restart => subject = subject.again(&section).await,
                    Fate::Reload => subject.load(FLOW).await,
                }
                let before = subject.runs();
                subject.timers.step().await;
                let runs = subject.done().await - before;
                prop_assert!(runs <= 1, "{fate:?}: {runs} runs");
                if let Some(LastRun { scheduled_at: Some(scheduled), event }) = subject.status().last {
                    prop_assert_eq!(*events.entry(scheduled.clone()).or_insert(event), event, "{}", scheduled);
                }
            }
            let last = *events.values().max().unwrap_or(&0);
            prop_assert_eq!(subject.runs(), last, "every event ran once");
            Ok(())
        })?;
    }
}
