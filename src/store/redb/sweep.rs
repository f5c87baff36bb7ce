//! Forgetting what is past its time, a bounded number of things per transaction.

use std::time::Duration;

use redb::ReadableTable;

use super::fault::Fault;
use super::read::first_event;
use super::tables::{Tables, lane_key};
use crate::clock::Timestamp;
use crate::store::{EventId, Lane, RunId, SWEEP_BATCH};

type Result<T> = std::result::Result<T, Fault>;

impl Tables<'_> {
    pub(super) fn sweep(&mut self, now: Timestamp, keep: Duration) -> Result<u64> {
        // Whatever has `time + keep <= now`, without overflow for a `keep` that means "for ever".
        let kept_until = i64::try_from(keep.as_millis()).ok().and_then(|keep| now.0.checked_sub(keep));
        let mut done = self.sweep_waits(now, SWEEP_BATCH)?;
        done += self.sweep_dedupe(now, SWEEP_BATCH - done)?;
        done += self.sweep_vault(now, SWEEP_BATCH - done)?;
        if let Some(until) = kept_until {
            done += self.sweep_replies(until, SWEEP_BATCH - done)?;
            done += self.sweep_dead(until, SWEEP_BATCH - done)?;
            done += self.sweep_undelivered(until, SWEEP_BATCH - done)?;
        }
        self.dirty |= done > 0;
        Ok(done as u64)
    }

    fn sweep_waits(&mut self, now: Timestamp, limit: usize) -> Result<usize> {
        let mut gone = Vec::new();
        for entry in self.waits_due.range(..=(now.0, u64::MAX, u128::MAX))? {
            if gone.len() == limit {
                break;
            }
            let run = RunId(uuid::Uuid::from_u128(entry?.0.value().2));
            let lane = self.run_record(run)?.map(|record| record.lane);
            if !lane.map(|lane| self.is_claimed(&lane)).transpose()?.unwrap_or(false) {
                gone.push(run);
            }
        }
        for run in &gone {
            self.forget_run(*run)?;
        }
        Ok(gone.len())
    }

    /// Whether a worker of this process has an event of the lane.
    fn is_claimed(&self, lane: &Lane) -> Result<bool> {
        let Some(head) = first_event(&self.queue, &lane_key(lane))? else { return Ok(false) };
        Ok(self.work_of(head)?.is_some_and(|work| work.boot == self.boot))
    }

    fn sweep_dedupe(&mut self, now: Timestamp, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let first = self.dedupe_due.first()?.map(|(key, _)| (key.value().0, *key.value().1));
            let Some((until, key)) = first.filter(|(until, _)| *until <= now.0) else { return Ok(done) };
            self.dedupe_due.remove((until, &key))?;
            let event = self.dedupe.remove(&key)?.map(|v| v.value().0);
            if let Some(event) = event {
                self.forget_once(event)?;
            }
        }
        Ok(limit)
    }

    fn sweep_replies(&mut self, until: i64, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let first = self.replies_due.first()?.map(|(key, _)| {
                let (at, route, seq) = key.value();
                (at, *route, seq)
            });
            let Some((at, route, seq)) = first.filter(|(at, ..)| *at <= until) else { return Ok(done) };
            self.forget_reply(&route, seq, at)?;
        }
        Ok(limit)
    }

    fn sweep_dead(&mut self, until: i64, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let first = self.dead_due.first()?.map(|(key, _)| key.value());
            let Some((at, event)) = first.filter(|(at, _)| *at <= until) else { return Ok(done) };
            self.dead_due.remove((at, event))?;
            self.purge_dead(EventId(event))?;
        }
        Ok(limit)
    }

    fn sweep_undelivered(&mut self, until: i64, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let first = self.undelivered_due.first()?.map(|(key, _)| key.value());
            let Some((at, id)) = first.filter(|(at, _)| *at <= until) else { return Ok(done) };
            self.undelivered_due.remove((at, id))?;
            self.undelivered.remove(id)?;
        }
        Ok(limit)
    }
}
