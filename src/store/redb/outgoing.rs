//! Replies: adding them to routes, sending them, and those that could not be delivered.

use redb::ReadableTable;

use super::fault::Fault;
use super::read::progress_of;
use super::record::{Blob, ProgressRecord, ReplyRecord, UndeliveredRecord, decode, encode};
use super::tables::{Hash, Tables, meta, route_key};
use super::write::number;
use crate::clock::Timestamp;
use crate::store::outgoing::{Progress, reply_gone};
use crate::store::{Failure, NewReply, ReplyRoute};

type Result<T> = std::result::Result<T, Fault>;

impl Tables<'_> {
    pub(super) fn add_replies(&mut self, replies: &[NewReply]) -> Result<()> {
        for NewReply { route, payload, at, trace } in replies {
            let record = ReplyRecord { at: *at, payload: Blob(payload.clone()), trace: trace.clone() };
            self.add_reply(route, &record)?;
        }
        Ok(())
    }

    /// Puts a reply at the end of its route, and returns its place.
    fn add_reply(&mut self, route: &ReplyRoute, record: &ReplyRecord) -> Result<u64> {
        let key: Hash = route_key(route);
        let last = self.routes.get(&key)?.map(|v| v.value());
        let seq = 1 + match last {
            Some(last) => last,
            None => number(&self.meta, meta::RETIRED_SEQ)?,
        };
        self.routes.insert(&key, seq)?;
        if self.route_names.get(&key)?.is_none() {
            self.route_names.insert(&key, &*route.0)?;
        }
        self.replies.insert((&key, seq), &*encode(record)?)?;
        self.replies_due.insert((record.at.0, &key, seq), ())?;
        Ok(seq)
    }

    pub(super) fn note_part(&mut self, route: &ReplyRoute, seq: u64, part: u32, begun: bool) -> Result<()> {
        let (key, _) = self.oldest(route, seq)?;
        let before = progress_of(&self.progress, &key, seq)?;
        let after = Progress::at(part, begun);
        if after != before {
            self.dirty = true;
            self.put_progress(&key, seq, after)?;
        }
        Ok(())
    }

    pub(super) fn sent(&mut self, route: &ReplyRoute, seq: u64) -> Result<bool> {
        let (key, reply) = self.oldest(route, seq)?;
        self.dirty = true;
        self.forget_reply(&key, seq, reply.at.0)
    }

    pub(super) fn undelivered(&mut self, route: &ReplyRoute, seq: u64, failure: &Failure) -> Result<bool> {
        let (key, ReplyRecord { at, payload, .. }) = self.oldest(route, seq)?;
        let Progress { done, .. } = progress_of(&self.progress, &key, seq)?;
        self.dirty = true;
        let more = self.forget_reply(&key, seq, at.0)?;
        let id = number(&self.meta, meta::LAST_UNDELIVERED)? + 1;
        self.meta.insert(meta::LAST_UNDELIVERED, id)?;
        let record = UndeliveredRecord { route: route.clone(), at, done, failure: failure.clone(), payload };
        self.undelivered.insert(id, &*encode(&record)?)?;
        self.undelivered_due.insert((failure.at.0, id), ())?;
        Ok(more)
    }

    pub(super) fn resend(&mut self, id: u64, now: Timestamp) -> Result<Option<ReplyRoute>> {
        let Some(UndeliveredRecord { route, done, payload, .. }) = self.take_undelivered(id)? else { return Ok(None) };
        let seq = self.add_reply(&route, &ReplyRecord { at: now, payload, trace: None })?;
        if done > 0 {
            self.put_progress(&route_key(&route), seq, Progress { done, begun: false })?;
        }
        Ok(Some(route))
    }

    pub(super) fn take_undelivered(&mut self, id: u64) -> Result<Option<UndeliveredRecord>> {
        let record: UndeliveredRecord = match self.undelivered.get(id)? {
            Some(record) => decode("undelivered", record.value())?,
            None => return Ok(None),
        };
        self.dirty = true;
        self.undelivered.remove(id)?;
        self.undelivered_due.remove((record.failure.at.0, id))?;
        Ok(Some(record))
    }

    /// A reply that must be the oldest of its route, and the route's key.
    fn oldest(&self, route: &ReplyRoute, seq: u64) -> Result<(Hash, ReplyRecord)> {
        let key = route_key(route);
        match self.replies.range((&key, 0)..=(&key, u64::MAX))?.next().transpose()? {
            Some((at, record)) if at.value().1 == seq => Ok((key, decode("replies", record.value())?)),
            _ => Err(Fault::Refused(reply_gone(route, seq))),
        }
    }

    fn put_progress(&mut self, route: &Hash, seq: u64, progress: Progress) -> Result<()> {
        let Progress { done, begun } = progress;
        self.progress.insert((route, seq), &*encode(&ProgressRecord { done, begun })?)?;
        Ok(())
    }

    /// Forgets a reply that was made at `at`, and its route if it was the last of it. True if there are more.
    pub(super) fn forget_reply(&mut self, route: &Hash, seq: u64, at: i64) -> Result<bool> {
        self.replies.remove((route, seq))?;
        self.replies_due.remove((at, route, seq))?;
        self.progress.remove((route, seq))?;
        let more = self.replies.range((route, 0)..=(route, u64::MAX))?.next().is_some();
        if !more {
            let last = self.routes.remove(route)?.map_or(0, |v| v.value());
            self.route_names.remove(route)?;
            let retired = number(&self.meta, meta::RETIRED_SEQ)?.max(last);
            self.meta.insert(meta::RETIRED_SEQ, retired)?;
        }
        Ok(more)
    }
}
