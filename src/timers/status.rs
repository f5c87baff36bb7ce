//! Every schedule as the admin API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::Entry;
use crate::clock::Timestamp;
use crate::config::{CatchUp, Overlap};

/// How many of the next times are shown.
const SHOWN: usize = 5;

/// The timers of all tenants.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct TimersStatus {
    /// The tenants that have any, sorted.
    pub tenants: Vec<TenantTimers>,
}

/// The timers of a tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantTimers {
    /// The tenant.
    pub tenant: String,
    /// Its timers, in the order of its bindings.
    pub timers: Vec<TimerStatus>,
}

/// A timer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TimerStatus {
    /// Names the schedule.
    pub schedule_id: String,
    /// The flow that it starts.
    pub flow_id: String,
    /// The expression as it is written in the bindings.
    pub written: String,
    /// The expression in six fields: second, minute, hour, day of month, month, day of week.
    pub cron: String,
    /// The years in which it fires; none if in all.
    pub years: Option<String>,
    /// The time zone, by its IANA name.
    pub timezone: String,
    /// What becomes of times that were missed.
    pub catch_up: CatchUp,
    /// What becomes of a time that comes while the run before is not done.
    pub overlap: Overlap,
    /// The last run.
    pub last: Option<LastRun>,
    /// The next times, in RFC 3339 with the time zone's offset; none if it fires no more.
    pub next: Vec<String>,
    /// Why the time that is due is not started, by code; it stays due.
    pub held: Option<String>,
    /// What it did since the host started.
    pub counts: TimerCounts,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastRun {
    /// The time that it stands for, in RFC 3339 with the time zone's offset.
    pub scheduled_at: Option<String>,
    /// Its event.
    pub event: u64,
}

/// What a timer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TimerCounts {
    /// Times that were started within a minute.
    pub on_time: u64,
    /// Times that had been missed and were started late.
    pub catch_ups: u64,
    /// Times that had been started before: by another host, or before the clock was set back.
    pub repeated: u64,
    /// Times that had been missed and were left out. Of one absence at most 1000 are counted.
    pub skipped: u64,
    /// Times that were left out because the run before was not done.
    pub overlapped: u64,
    /// How often the clock was set back behind the last time.
    pub clock_set_back: u64,
}

impl TimersStatus {
    /// Of entries that are sorted by tenant.
    pub(super) fn of(entries: &[Entry], now: Timestamp) -> Self {
        let of_tenant = |entries: &[Entry]| TenantTimers {
            tenant: entries.first().map(|entry| entry.tenant.to_string()).unwrap_or_default(),
            timers: entries.iter().map(|entry| TimerStatus::of(entry, now)).collect(),
        };
        Self { tenants: entries.chunk_by(|a, b| a.tenant == b.tenant).map(of_tenant).collect() }
    }
}

impl TimerStatus {
    fn of(entry: &Entry, now: Timestamp) -> Self {
        let (timer, state) = (&entry.timer, entry.state());
        let schedule = &timer.schedule;
        // A clock that was set behind what is done with is noticed in a moment.
        let after = state.kept.as_ref().map_or(now, |kept| now.max(kept.after));
        let next = std::iter::successors(schedule.next_after(after), |at| schedule.next_after(*at));
        let last = state.kept.and_then(|kept| kept.last);
        Self {
            schedule_id: timer.schedule_id.clone(),
            flow_id: timer.flow_id.to_string(),
            written: schedule.written().to_owned(),
            cron: schedule.six_fields().to_owned(),
            years: schedule.years().map(str::to_owned),
            timezone: schedule.zone().name().to_owned(),
            catch_up: timer.catch_up,
            overlap: timer.overlap,
            last: last.map(|last| LastRun { scheduled_at: schedule.shown(last.scheduled), event: last.event.0 }),
            next: next.take(SHOWN).filter_map(|at| schedule.shown(at)).collect(),
            held: state.held.map(|code| code.to_string()),
            counts: state.counts,
        }
    }
}
