//! What every store promises, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;

mod dead;
mod kept;
mod marks;
mod model;
mod once;
mod outgoing;
mod queue;
mod runs;
mod vault;

pub(super) const T0: Timestamp = Timestamp(1_000_000);
pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

macro_rules! suite {
    ($($part:ident: $($test:ident)+;)+) => {
        mod memory {
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$part::$test(std::sync::Arc::new(super::MemoryStore::default())).await;
            })+)+
        }

        mod redb {
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let dir = tempfile::tempdir().unwrap();
                super::$part::$test(super::RedbStore::open(dir.path()).unwrap()).await;
            })+)+
        }
    };
}

suite! {
    queue:
        accepts_50_copies_once
        remembers_dedupe_keys_for_their_time
        one_key_in_common_makes_a_duplicate
        hands_out_a_lane_in_order_and_once
        claims_lanes_independently
        takes_over_old_claims_and_fences_off_their_workers
        refuses_stale_claims_everywhere
        lists_dead_letters_newest_first
        lists_idle_lanes_oldest_first
        lists_only_wanted_lanes
    ;
    runs:
        stores_a_checkpoint_as_a_whole
        gives_a_reclaimed_event_its_run
        keeps_a_wait_until_the_resumed_run_is_checkpointed
        ends_a_wait_without_a_checkpoint_in_between
        waits_again_in_place_of_the_old_wait
        lists_waits_oldest_first_without_expired_ones
        keeps_a_wait_when_its_event_fails_before_a_checkpoint
        keeps_the_run_of_a_dead_letter
        leaves_nothing_of_a_finished_run
        refuses_a_run_of_another_event
        ends_a_wait_with_the_event_that_fails
        replaces_the_journal_of_a_run_that_waits_again
        gives_a_claim_back
    ;
    kept:
        numbers_replies_per_route
        never_uses_a_place_of_a_route_twice
        never_mixes_state_scopes
        deletes_and_overwrites_state
        sweeps_what_is_past_its_time
        sweeps_a_bounded_number_of_things
        spares_a_wait_that_is_being_resumed
        forgets_a_wait_of_a_lane_that_nobody_works_on
    ;
    outgoing:
        gives_replies_of_a_route_one_after_another
        keeps_the_trace_of_a_reply
        never_uses_a_place_of_a_route_twice_when_replies_are_sent
        remembers_how_far_a_reply_is
        refuses_a_reply_that_is_not_the_oldest
        lists_routes_by_what_waits_longest
        keeps_what_could_not_be_delivered
        sends_again_what_was_not_delivered
        forgets_replies_that_were_not_delivered
    ;
    dead:
        replays_a_dead_letter_behind_what_is_there
        replays_a_dead_letter_once
        replays_a_dead_letter_from_its_checkpoint
        replays_a_dead_letter_with_the_wait_that_it_took_along
        a_replayed_event_that_fails_again_keeps_its_origin_and_run
        a_replayed_event_is_no_duplicate_and_its_repetitions_are
        purges_a_dead_letter_with_its_run
    ;
    marks:
        keeps_the_first_mark_unless_another_replaces_it
        marks_of_many_at_once_give_one_first
        marks_are_not_swept
        an_event_is_pending_until_it_is_done
    ;
    vault:
        keeps_what_was_put_last
        gives_to_one_taker_alone
        forgets_entries_at_their_time
        forgets_a_bounded_number_of_entries
    ;
    once:
        tells_a_repetition_whether_it_is_the_same_and_how_it_ended
        tells_that_an_event_ended_of_which_nothing_was_to_be_kept
        tells_what_a_replayed_event_ended_with
        keeps_an_end_as_long_as_its_dedupe_keys
        passes_keys_on_to_the_event_that_supersedes_their_owner
    ;
}

pub(super) type Any = Arc<dyn Store>;

pub(super) fn lane(name: &str) -> Lane {
    Lane(Id::from(name))
}

pub(super) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(super) fn route(name: &str) -> ReplyRoute {
    ReplyRoute(Id::from(name))
}

pub(super) fn event(on: &str, payload: &str) -> NewEvent {
    NewEvent {
        tenant: Id::from("acme"),
        lane: lane(on),
        dedupe: Vec::new(),
        dedupe_ttl: DAY,
        once: None,
        payload: Bytes::from(payload.to_owned()),
        accepted_at: T0,
        deadline: T0.plus(LEASE),
    }
}

pub(super) fn session(tenant: &str, pack: &str, on: &str) -> StateScope {
    StateScope::Session { tenant: Id::from(tenant), pack: Id::from(pack), lane: lane(on) }
}

pub(super) fn set(key: &str, value: &str) -> StateWrite {
    StateWrite { scope: session("acme", "bot", "a"), key: key.to_owned(), value: Some(Bytes::from(value.to_owned())) }
}

pub(super) fn reply(to: &str, text: &str, at: Timestamp) -> NewReply {
    NewReply { route: route(to), payload: Bytes::from(text.to_owned()), at, trace: None }
}

pub(super) fn progress(run: RunId, head: &str, journal: &[&str]) -> Checkpoint {
    Checkpoint {
        run,
        head: Bytes::from(head.to_owned()),
        journal: journal.iter().map(|entry| Bytes::from((*entry).to_owned())).collect(),
        state: Vec::new(),
        replies: Vec::new(),
    }
}

pub(super) fn finished(run: Option<RunId>) -> Completion {
    Completion { state: Vec::new(), replies: Vec::new(), end: End::Finished { run }, result: None }
}

pub(super) fn waiting(run: RunId, head: &str, expires_at: Option<Timestamp>) -> Completion {
    let end = End::Waiting {
        replaces: false,
        run,
        head: Bytes::from(head.to_owned()),
        journal: vec![Bytes::from_static(b"waits")],
        flow: Id::from("chat"),
        expires_at,
    };
    Completion { state: Vec::new(), replies: Vec::new(), end, result: None }
}

/// What a store tells of an event that repeats `event`, which is under way or of which nothing is kept.
pub(super) fn repeats(event: EventId, under_way: bool) -> Accepted {
    Accepted::Duplicate(Repeated { event, same: true, ended: (!under_way).then_some(Kept::Nothing) })
}

pub(super) fn failure(at: Timestamp) -> Failure {
    Failure { code: "GRH-0503".into(), message: "a guest trapped".into(), at }
}

pub(super) async fn accept(store: &Any, on: &str, payload: &str) -> EventId {
    match store.accept(event(on, payload)).await.unwrap() {
        Accepted::New(id) => id,
        Accepted::Duplicate(of) => panic!("{of:?} was no duplicate"),
    }
}

pub(super) async fn claim(store: &Any, on: &str) -> Claim {
    store.claim(&lane(on), T0, LEASE).await.unwrap().expect("an event to claim")
}

/// Makes `run` wait in lane `on`.
pub(super) async fn make_wait(store: &Any, on: &str, run: RunId, expires_at: Option<Timestamp>) {
    accept(store, on, "begin").await;
    let claimed = claim(store, on).await;
    store.complete(&claimed.token, waiting(run, "head", expires_at)).await.unwrap();
}
