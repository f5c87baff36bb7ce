//! Replies: adding them to routes, sending them, and those that could not be delivered.

use std::collections::HashSet;

use super::{Inner, Progress, Reply, Route};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::store::outgoing::reply_gone;
use crate::store::{Failure, NewReply, Outgoing, ReplyRoute, RouteFilter, StoredReply, Undelivered};

impl Inner {
    pub(super) fn add_replies(&mut self, replies: Vec<NewReply>) {
        for NewReply { route, payload, at, trace } in replies {
            self.add_reply(route, Reply { payload, at, trace, progress: Progress::default() });
        }
    }

    fn add_reply(&mut self, route: ReplyRoute, reply: Reply) {
        let start = self.retired_seq;
        let entry = self.routes.entry(route.clone()).or_insert_with(|| Route { last: start, ..Route::default() });
        entry.last += 1;
        self.due.replies.insert((reply.at, route, entry.last));
        entry.replies.insert(entry.last, reply);
    }

    pub(super) fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Vec<StoredReply> {
        let Some(route) = self.routes.get(route) else { return Vec::new() };
        let Some(first) = after.checked_add(1) else { return Vec::new() };
        let stored = |(&seq, reply): (&u64, &Reply)| StoredReply { seq, payload: reply.payload.clone(), at: reply.at };
        route.replies.range(first..).take(limit).map(stored).collect()
    }

    pub(super) fn unsent_routes(&self, limit: usize, wanted: &RouteFilter<'_>) -> Vec<ReplyRoute> {
        let mut seen = HashSet::new();
        let routes = self.due.replies.iter().map(|(_, route, _)| route);
        routes.filter(|route| seen.insert(*route) && wanted(route)).take(limit).cloned().collect()
    }

    pub(super) fn next_reply(&self, route: &ReplyRoute) -> Option<Outgoing> {
        let (seq, reply) = self.routes.get(route)?.replies.first_key_value()?;
        Some(reply.progress.of(*seq, reply.payload.clone(), reply.at, reply.trace.clone()))
    }

    pub(super) fn note_part(&mut self, route: &ReplyRoute, seq: u64, part: u32, begun: bool) -> Result<()> {
        let oldest = self.routes.get_mut(route).and_then(|entry| entry.replies.first_entry());
        let mut reply = oldest.filter(|entry| *entry.key() == seq).ok_or_else(|| reply_gone(route, seq))?;
        reply.get_mut().progress = Progress::at(part, begun);
        Ok(())
    }

    pub(super) fn sent(&mut self, route: &ReplyRoute, seq: u64) -> Result<bool> {
        self.take_oldest(route, seq).map(|(_, more)| more)
    }

    pub(super) fn undelivered(&mut self, route: &ReplyRoute, seq: u64, failure: Failure) -> Result<bool> {
        let (Reply { payload, at, progress, .. }, more) = self.take_oldest(route, seq)?;
        self.last_undelivered += 1;
        let id = self.last_undelivered;
        self.due.undelivered.insert((failure.at, id));
        let tenant = Id::from(route.tenant());
        let kept = Undelivered { id, tenant, route: route.clone(), payload, at, done: progress.done, failure };
        self.undelivered.insert(id, kept);
        Ok(more)
    }

    pub(super) fn undelivered_replies(&self, tenant: Option<&Id>, limit: usize) -> Vec<Undelivered> {
        let replies = self.undelivered.values().rev();
        replies.filter(|reply| tenant.is_none_or(|tenant| *tenant == reply.tenant)).take(limit).cloned().collect()
    }

    pub(super) fn resend(&mut self, id: u64, now: Timestamp) -> Option<ReplyRoute> {
        let Undelivered { route, payload, done, .. } = self.take_undelivered(id)?;
        self.add_reply(
            route.clone(),
            Reply { payload, at: now, trace: None, progress: Progress { done, begun: false } },
        );
        Some(route)
    }

    pub(super) fn take_undelivered(&mut self, id: u64) -> Option<Undelivered> {
        let reply = self.undelivered.remove(&id)?;
        self.due.undelivered.remove(&(reply.failure.at, id));
        Some(reply)
    }

    /// Takes a reply that must be the oldest off its route. The second part of the answer tells whether there are more.
    fn take_oldest(&mut self, route: &ReplyRoute, seq: u64) -> Result<(Reply, bool)> {
        let oldest = self.routes.get(route).and_then(|entry| entry.replies.keys().next());
        let is_oldest = oldest.is_some_and(|oldest| *oldest == seq);
        let taken = if is_oldest { self.take_reply(route, seq) } else { None };
        let (reply, more) = taken.ok_or_else(|| reply_gone(route, seq))?;
        self.due.replies.remove(&(reply.at, route.clone(), seq));
        Ok((reply, more))
    }

    /// Takes a reply off its route, and the route with it if it was the last.
    pub(super) fn take_reply(&mut self, route: &ReplyRoute, seq: u64) -> Option<(Reply, bool)> {
        let entry = self.routes.get_mut(route)?;
        let reply = entry.replies.remove(&seq)?;
        let more = !entry.replies.is_empty();
        if !more {
            self.retired_seq = self.retired_seq.max(entry.last);
            self.routes.remove(route);
        }
        Some((reply, more))
    }
}
