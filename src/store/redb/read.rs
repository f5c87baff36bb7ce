//! Reads, over tables that are open for reading or for writing.

use std::collections::HashSet;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::fault::Fault;
use super::record::{
    Blob, DeadRecord, ProgressRecord, ReplyRecord, RunRecord, StateRecord, UndeliveredRecord, WorkRecord, decode,
};
use super::tables::{
    DEAD, DEDUPE, EVENTS, HEADS, Hash, JOURNAL, ONCE, PROGRESS, REPLIES, REPLIES_DUE, ROUTE_NAMES, RUNS, STATE,
    UNDELIVERED, WAITS, WORK, lane_key, route_key, scope_key, state_key,
};
use crate::id::Id;
use crate::store::outgoing::Progress;
use crate::store::{
    ClaimToken, Counts, DeadLetter, EventId, Lane, Outgoing, ReplyRoute, RunId, StateScope, StoredReply, StoredRun,
    Undelivered, Wait, claim_lost,
};

type Result<T> = std::result::Result<T, Fault>;

pub(super) fn state_get(txn: &ReadTransaction, scope: &StateScope, key: &str) -> Result<Option<bytes::Bytes>> {
    let state = txn.open_table(STATE)?;
    let Some(record) = state.get((&scope_key(scope), &state_key(key)))? else { return Ok(None) };
    let StateRecord { value: Blob(value), .. } = decode("state", record.value())?;
    Ok(Some(value))
}

pub(super) fn load_wait(txn: &ReadTransaction, boot: u64, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>> {
    let work = match txn.open_table(WORK)?.get(claim.event.0)? {
        Some(record) => decode::<WorkRecord>("work", record.value())?,
        None => return Err(Fault::Refused(claim_lost(claim))),
    };
    if !work.is(claim, boot) {
        return Err(Fault::Refused(claim_lost(claim)));
    }
    for wait in lane_waits(&txn.open_table(WAITS)?, &lane_key(&claim.lane))? {
        let wait = wait?;
        if wait.run == run && !wait.has_expired(work.claimed_at) {
            return stored_run(&txn.open_table(RUNS)?, &txn.open_table(JOURNAL)?, run);
        }
    }
    Ok(None)
}

pub(super) fn idle_lanes(
    txn: &ReadTransaction,
    limit: usize,
    is_held: impl Fn(&WorkRecord) -> bool,
    wanted: impl Fn(&Lane) -> bool,
) -> Result<Vec<Lane>> {
    let work = txn.open_table(WORK)?;
    let mut idle = Vec::new();
    for entry in txn.open_table(HEADS)?.iter()? {
        if idle.len() == limit {
            break;
        }
        let (event, lane) = entry?;
        let lane = Lane(Id::from(lane.value()));
        let held = match work.get(event.value())? {
            Some(record) => is_held(&decode("work", record.value())?),
            None => false,
        };
        if !held && wanted(&lane) {
            idle.push(lane);
        }
    }
    Ok(idle)
}

pub(super) fn replies(txn: &ReadTransaction, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
    let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
    let route = route_key(route);
    let mut found = Vec::new();
    for entry in txn.open_table(REPLIES)?.range((&route, first)..=(&route, u64::MAX))?.take(limit) {
        let (key, record) = entry?;
        let ReplyRecord { at, payload, .. } = decode("replies", record.value())?;
        found.push(StoredReply { seq: key.value().1, payload: payload.0, at });
    }
    Ok(found)
}

/// The routes whose oldest reply waits longest, with their texts; of those that wait equally long, the first by text.
pub(super) fn unsent_routes(
    txn: &ReadTransaction,
    limit: usize,
    wanted: impl Fn(&ReplyRoute) -> bool,
) -> Result<Vec<ReplyRoute>> {
    let names = txn.open_table(ROUTE_NAMES)?;
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for entry in txn.open_table(REPLIES_DUE)?.iter()? {
        let (place, _) = entry?;
        let (at, key, _) = place.value();
        if found.len() >= limit && found.last().is_none_or(|(last, _)| *last < at) {
            break;
        }
        if !seen.insert(*key) {
            continue;
        }
        let route = names.get(key)?.map(|name| ReplyRoute(Id::from(name.value())));
        found.extend(route.filter(|route| wanted(route)).map(|route| (at, route)));
    }
    found.sort_unstable();
    Ok(found.into_iter().take(limit).map(|(_, route)| route).collect())
}

pub(super) fn next_reply(txn: &ReadTransaction, route: &ReplyRoute) -> Result<Option<Outgoing>> {
    let route = route_key(route);
    let replies = txn.open_table(REPLIES)?;
    let Some((key, record)) = replies.range((&route, 0)..=(&route, u64::MAX))?.next().transpose()? else {
        return Ok(None);
    };
    let seq = key.value().1;
    let ReplyRecord { at, payload, trace } = decode("replies", record.value())?;
    Ok(Some(progress_of(&txn.open_table(PROGRESS)?, &route, seq)?.of(seq, payload.0, at, trace)))
}

/// How far the sending of a reply is.
pub(super) fn progress_of(
    progress: &impl ReadableTable<(&'static Hash, u64), &'static [u8]>,
    route: &Hash,
    seq: u64,
) -> Result<Progress> {
    let Some(record) = progress.get((route, seq))? else { return Ok(Progress::default()) };
    let ProgressRecord { done, begun } = decode("progress", record.value())?;
    Ok(Progress { done, begun })
}

pub(super) fn undelivered_replies(
    txn: &ReadTransaction,
    tenant: Option<&Id>,
    limit: usize,
) -> Result<Vec<Undelivered>> {
    let mut found = Vec::new();
    for entry in txn.open_table(UNDELIVERED)?.iter()?.rev() {
        if found.len() == limit {
            break;
        }
        let (id, record) = entry?;
        let UndeliveredRecord { route, at, done, failure, payload } = decode("undelivered", record.value())?;
        let of = Id::from(route.tenant());
        if tenant.is_none_or(|tenant| *tenant == of) {
            found.push(Undelivered { id: id.value(), tenant: of, route, payload: payload.0, at, done, failure });
        }
    }
    Ok(found)
}

pub(super) fn dead_letter(txn: &ReadTransaction, event: EventId) -> Result<Option<DeadLetter>> {
    match txn.open_table(DEAD)?.get(event.0)? {
        Some(record) => decode("dead", record.value()).map(|record| Some(letter_of(event.0, record))),
        None => Ok(None),
    }
}

fn letter_of(event: u64, record: DeadRecord) -> DeadLetter {
    let DeadRecord { event: record, failure, .. } = record;
    DeadLetter {
        event: EventId(event),
        origin: record.origin_of(event),
        tenant: record.tenant,
        lane: record.lane,
        payload: record.payload.0,
        accepted_at: record.accepted_at,
        failure,
    }
}

pub(super) fn dead_letters(txn: &ReadTransaction, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
    let mut found = Vec::new();
    for entry in txn.open_table(DEAD)?.iter()?.rev() {
        if found.len() == limit {
            break;
        }
        let (event, record) = entry?;
        let record: DeadRecord = decode("dead", record.value())?;
        if tenant.is_none_or(|tenant| *tenant == record.event.tenant) {
            found.push(letter_of(event.value(), record));
        }
    }
    Ok(found)
}

pub(super) fn counts(txn: &ReadTransaction) -> Result<Counts> {
    Ok(Counts {
        events: txn.open_table(EVENTS)?.len()?,
        runs: txn.open_table(RUNS)?.len()?,
        waits: txn.open_table(WAITS)?.len()?,
        journal: txn.open_table(JOURNAL)?.len()?,
        state: txn.open_table(STATE)?.len()?,
        replies: txn.open_table(REPLIES)?.len()?,
        dedupe: txn.open_table(DEDUPE)?.len()?,
        once: txn.open_table(ONCE)?.len()?,
        dead: txn.open_table(DEAD)?.len()?,
        undelivered: txn.open_table(UNDELIVERED)?.len()?,
    })
}

/// The oldest event of a lane.
pub(super) fn first_event(queue: &impl ReadableTable<(&'static Hash, u64), ()>, lane: &Hash) -> Result<Option<u64>> {
    let first = queue.range((lane, 0)..=(lane, u64::MAX))?.next().transpose()?;
    Ok(first.map(|(key, _)| key.value().1))
}

/// The waiting runs of a lane, oldest first.
pub(super) fn lane_waits(
    waits: &impl ReadableTable<(&'static Hash, u64), &'static [u8]>,
    lane: &Hash,
) -> Result<impl Iterator<Item = Result<Wait>>> {
    let range = waits.range((lane, 0)..=(lane, u64::MAX))?;
    Ok(range.map(|entry| decode("waits", entry?.1.value())))
}

/// A run with its journal.
pub(super) fn stored_run(
    runs: &impl ReadableTable<u128, &'static [u8]>,
    journal: &impl ReadableTable<(u128, u32), &'static [u8]>,
    id: RunId,
) -> Result<Option<StoredRun>> {
    let key = id.0.as_u128();
    let RunRecord { head, .. } = match runs.get(key)? {
        Some(record) => decode("runs", record.value())?,
        None => return Ok(None),
    };
    let entries = journal.range((key, 0)..=(key, u32::MAX))?;
    let journal = entries.map(|entry| Ok(bytes::Bytes::copy_from_slice(entry?.1.value()))).collect::<Result<_>>()?;
    Ok(Some(StoredRun { id, head: head.0, journal }))
}
