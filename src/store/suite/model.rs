//! Random sequences of transactions give the same answers and leave the same behind in every store.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Accept { lane: u8, dedupe: Option<u8>, ttl: u8, once: Option<(u8, Option<u8>)> },
    Claim { lane: u8 },
    LoadWait { claim: u8, run: u8 },
    Checkpoint { claim: u8, run: u8, state: Vec<(u8, bool)>, replies: u8 },
    Finish { claim: u8, run: Option<u8>, replies: u8, result: bool },
    Wait { claim: u8, run: u8, expires: Option<u8> },
    Fail { claim: u8, ends: Option<u8> },
    Replay { place: u8 },
    PurgeDead { place: u8 },
    Part { route: u8, seq: u8, part: u8, begin: bool },
    Sent { route: u8, seq: u8 },
    Undelivered { route: u8, seq: u8 },
    Resend { place: u8 },
    PurgeUndelivered { place: u8 },
    Sweep,
    Later(u8),
    Reopen,
    Look { lane: u8, after: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let small = || 0..3u8;
    let claim = || 0..6u8;
    prop_oneof![
        6 => (small(), prop::option::of(small()), 1..20u8, prop::option::of((small(), prop::option::of(0..12u8))))
            .prop_map(|(lane, dedupe, ttl, once)| Op::Accept { lane, dedupe, ttl, once }),
        6 => small().prop_map(|lane| Op::Claim { lane }),
        2 => (claim(), small()).prop_map(|(claim, run)| Op::LoadWait { claim, run }),
        4 => (claim(), small(), prop::collection::vec((small(), any::<bool>()), 0..3), small())
            .prop_map(|(claim, run, state, replies)| Op::Checkpoint { claim, run, state, replies }),
        4 => (claim(), prop::option::of(small()), small(), any::<bool>())
            .prop_map(|(claim, run, replies, result)| Op::Finish { claim, run, replies, result }),
        4 => (claim(), small(), prop::option::of(1..20u8))
            .prop_map(|(claim, run, expires)| Op::Wait { claim, run, expires }),
        3 => (claim(), prop::option::of(small())).prop_map(|(claim, ends)| Op::Fail { claim, ends }),
        3 => small().prop_map(|place| Op::Replay { place }),
        1 => small().prop_map(|place| Op::PurgeDead { place }),
        3 => (small(), 0..2u8, small(), any::<bool>())
            .prop_map(|(route, seq, part, begin)| Op::Part { route, seq, part, begin }),
        3 => (small(), 0..2u8).prop_map(|(route, seq)| Op::Sent { route, seq }),
        2 => (small(), 0..2u8).prop_map(|(route, seq)| Op::Undelivered { route, seq }),
        2 => small().prop_map(|place| Op::Resend { place }),
        1 => small().prop_map(|place| Op::PurgeUndelivered { place }),
        2 => Just(Op::Sweep),
        3 => (1..10u8).prop_map(Op::Later),
        1 => Just(Op::Reopen),
        2 => (small(), small()).prop_map(|(lane, after)| Op::Look { lane, after }),
    ]
}

/// One store, with the claims that it gave; operations name them by place, the last first.
struct Subject {
    store: Any,
    now: Timestamp,
    claims: Vec<ClaimToken>,
}

const SHORT_LEASE: Duration = Duration::from_secs(5);
const KEEP: Duration = Duration::from_secs(15);

impl Subject {
    fn token(&self, place: u8) -> Option<ClaimToken> {
        self.claims.iter().rev().nth(place.into()).cloned()
    }

    fn replies(&self, count: u8) -> Vec<NewReply> {
        (0..count).map(|n| reply(&format!("r{n}"), &format!("reply {n}"), self.now)).collect()
    }

    /// One of the newest dead letters, or an event that is none.
    async fn dead(&self, place: u8) -> EventId {
        let letters = self.store.dead_letters(None, 9).await.unwrap();
        letters.get(usize::from(place)).map_or(EventId(1), |letter| letter.event)
    }

    /// One of the newest replies that were not delivered, or a number of none.
    async fn kept(&self, place: u8) -> u64 {
        let replies = self.store.undelivered_replies(None, 9).await.unwrap();
        replies.get(usize::from(place)).map_or(1, |reply| reply.id)
    }

    /// A route's oldest reply, or one that is not.
    async fn outgoing(&self, of: u8, after: u8) -> (ReplyRoute, u64) {
        let of = route(&format!("r{of}"));
        let oldest = self.store.next_reply(&of).await.unwrap().map_or(1, |reply| reply.seq);
        (of, oldest + u64::from(after))
    }

    /// Runs an operation and returns what can be seen of it.
    async fn run(&mut self, op: &Op) -> String {
        let now = self.now;
        let seconds = |n: u8| Duration::from_secs(n.into());
        let run = |n: u8| run_id(u128::from(n));
        match op {
            Op::Accept { lane, dedupe, ttl, once } => {
                let once = once.map(|(print, old)| Once {
                    fingerprint: [print; 32],
                    supersedes: old.map(|old| EventId(old.into())),
                });
                let new = NewEvent {
                    once,
                    dedupe: dedupe.iter().map(|n| format!("key {n}")).collect(),
                    dedupe_ttl: seconds(*ttl),
                    accepted_at: now,
                    ..event(&format!("lane {lane}"), "event")
                };
                format!("{:?}", self.store.accept(new).await)
            }
            Op::Claim { lane: on } => {
                let claimed = self.store.claim(&lane(&format!("lane {on}")), now, SHORT_LEASE).await;
                self.claims.extend(claimed.iter().flatten().map(|claim| claim.token.clone()));
                format!("{claimed:?}")
            }
            Op::LoadWait { claim, run: n } => match self.token(*claim) {
                Some(token) => format!("{:?}", self.store.load_wait(&token, run(*n)).await),
                None => String::new(),
            },
            Op::Checkpoint { claim, run: n, state, replies } => {
                let Some(token) = self.token(*claim) else { return String::new() };
                let state = state.iter().map(|(key, live)| StateWrite {
                    value: live.then(|| Bytes::from(format!("{now:?}"))),
                    ..set(&format!("key {key}"), "")
                });
                let checkpoint = Checkpoint {
                    state: state.collect(),
                    replies: self.replies(*replies),
                    ..progress(run(*n), &format!("{now:?}"), &["did"])
                };
                format!("{:?}", self.store.checkpoint(&token, checkpoint).await)
            }
            Op::Finish { claim, run: n, replies, result } => {
                let Some(token) = self.token(*claim) else { return String::new() };
                let result = result.then(|| Bytes::from(format!("{now:?}")));
                let end = Completion { replies: self.replies(*replies), result, ..finished(n.map(run)) };
                format!("{:?}", self.store.complete(&token, end).await)
            }
            Op::Wait { claim, run: n, expires } => {
                let Some(token) = self.token(*claim) else { return String::new() };
                let end = waiting(run(*n), &format!("{now:?}"), expires.map(|n| now.plus(seconds(n))));
                format!("{:?}", self.store.complete(&token, end).await)
            }
            Op::Fail { claim, ends } => match self.token(*claim) {
                Some(token) => format!("{:?}", self.store.fail(&token, failure(now), ends.map(run), Vec::new()).await),
                None => String::new(),
            },
            Op::Replay { place } => {
                let event = self.dead(*place).await;
                format!("{:?} {:?}", self.store.dead_letter(event).await, self.store.replay(event, now).await)
            }
            Op::PurgeDead { place } => format!("{:?}", self.store.purge_dead(self.dead(*place).await).await),
            Op::Part { route, seq, part, begin } => {
                let (route, seq) = self.outgoing(*route, *seq).await;
                let part = u32::from(*part);
                match begin {
                    true => format!("{:?}", self.store.begin_part(&route, seq, part).await),
                    false => format!("{:?}", self.store.clear_part(&route, seq, part).await),
                }
            }
            Op::Sent { route, seq } => {
                let (route, seq) = self.outgoing(*route, *seq).await;
                format!("{:?}", self.store.sent(&route, seq).await)
            }
            Op::Undelivered { route, seq } => {
                let (route, seq) = self.outgoing(*route, *seq).await;
                format!("{:?}", self.store.undelivered(&route, seq, failure(now)).await)
            }
            Op::Resend { place } => format!("{:?}", self.store.resend(self.kept(*place).await, now).await),
            Op::PurgeUndelivered { place } => {
                format!("{:?}", self.store.purge_undelivered(self.kept(*place).await).await)
            }
            Op::Sweep => format!("{:?}", self.store.sweep(now, KEEP).await),
            Op::Reopen => String::new(),
            Op::Later(by) => {
                self.now = now.plus(seconds(*by));
                String::new()
            }
            Op::Look { lane: on, after } => {
                let on = lane(&format!("lane {on}"));
                let state = self.store.state_get(&session("acme", "bot", "a"), &format!("key {after}")).await;
                let replies = self.store.replies(&route(&format!("r{after}")), (*after).into(), 3).await;
                let idle = self.store.idle_lanes(now, SHORT_LEASE, 2, &|_| true).await;
                let dead = self.store.dead_letters(None, 2).await;
                let next = self.store.next_reply(&route(&format!("r{after}"))).await;
                let unsent = self.store.unsent_routes(2, &|_| true).await;
                let kept = self.store.undelivered_replies(None, 2).await;
                format!("{on:?} {state:?} {replies:?} {idle:?} {dead:?} {next:?} {unsent:?} {kept:?}")
            }
        }
    }
}

async fn compare(ops: &[Op]) {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(MemoryStore::default());
    let subject = |store: Any| Subject { store, now: T0, claims: Vec::new() };
    let mut memory = subject(model.clone());
    let mut redb = subject(RedbStore::open(dir.path()).unwrap());
    for (at, op) in ops.iter().enumerate() {
        if matches!(op, Op::Reopen) {
            model.lose_workers();
            // The old one frees the directory first.
            redb.store = model.clone();
            redb.store = RedbStore::open(dir.path()).unwrap();
        }
        let (expected, found) = (memory.run(op).await, redb.run(op).await);
        assert_eq!(found, expected, "step {at}: {op:?}");
        assert_eq!(redb.store.counts().await.unwrap(), memory.store.counts().await.unwrap(), "after step {at}: {op:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_stores_agree(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(compare(&ops));
    }
}
