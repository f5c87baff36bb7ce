//! Forgetting what is past its time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Inner;
use crate::clock::Timestamp;
use crate::store::{Lane, SWEEP_BATCH};

impl Inner {
    pub(super) fn sweep(&mut self, now: Timestamp, keep: Duration) -> usize {
        let mut done = self.sweep_waits(now, SWEEP_BATCH);
        done += self.sweep_dedupe(now, SWEEP_BATCH - done);
        done += self.sweep_replies(now, keep, SWEEP_BATCH - done);
        done += self.sweep_dead(now, keep, SWEEP_BATCH - done);
        done += self.sweep_undelivered(now, keep, SWEEP_BATCH - done);
        done + self.sweep_vault(now, SWEEP_BATCH - done)
    }

    fn sweep_waits(&mut self, now: Timestamp, limit: usize) -> usize {
        let is_claimed = |lane: &Lane| {
            let head = self.lanes.get(lane).and_then(|queue| queue.events.front());
            head.and_then(|id| self.events.get(id)).is_some_and(|event| event.claimed_at.is_some())
        };
        let due = self.due.waits.iter().take_while(|(at, ..)| *at <= now);
        let free = due.filter(|(.., run)| !self.runs.get(run).is_some_and(|run| is_claimed(&run.lane)));
        let gone: Vec<_> = free.take(limit).map(|(.., run)| *run).collect();
        gone.iter().for_each(|run| self.forget_run(*run));
        gone.len()
    }

    fn sweep_dedupe(&mut self, now: Timestamp, limit: usize) -> usize {
        let gone = take_due(&mut self.due.dedupe, limit, |(until, _)| *until <= now);
        for (_, key) in &gone {
            if let Some((event, _)) = self.dedupe.remove(key) {
                self.once.forget(event);
            }
        }
        gone.len()
    }

    fn sweep_replies(&mut self, now: Timestamp, keep: Duration, limit: usize) -> usize {
        let gone = take_due(&mut self.due.replies, limit, |(at, ..)| at.plus(keep) <= now);
        for (_, route, seq) in &gone {
            self.take_reply(route, *seq);
        }
        gone.len()
    }

    fn sweep_dead(&mut self, now: Timestamp, keep: Duration, limit: usize) -> usize {
        let gone = take_due(&mut self.due.dead, limit, |(at, _)| at.plus(keep) <= now);
        for (_, event) in &gone {
            if let Some(run) = self.dead.remove(event).and_then(|dead| dead.run) {
                self.forget_run(run);
            }
        }
        gone.len()
    }

    fn sweep_undelivered(&mut self, now: Timestamp, keep: Duration, limit: usize) -> usize {
        let gone = take_due(&mut self.due.undelivered, limit, |(at, _)| at.plus(keep) <= now);
        for (_, id) in &gone {
            self.undelivered.remove(id);
        }
        gone.len()
    }
}

/// Takes the first things out of `set` that are due, at most `limit`.
pub(super) fn take_due<T: Ord>(set: &mut BTreeSet<T>, limit: usize, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let mut taken = Vec::new();
    while taken.len() < limit && set.first().is_some_and(&is_due) {
        taken.extend(set.pop_first());
    }
    taken
}
