//! What is due: a pure rule over how far a schedule has come and what time it is.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::CatchUp;
use crate::ingress::timer::Firing;
use crate::schedule::Schedule;

/// A run that begins within this time of its own is not late.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// The most times that are counted as left out in one go.
pub(super) const MOST_COUNTED: u32 = 1_000;

/// What is to be done about a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// This time runs.
    Run(Firing),
    /// These times are left out; the last of them is told.
    LeaveOut { last: Timestamp, count: u32 },
}

/// What is due at `now`, where everything up to and with `after` is done with.
///
/// However many times have passed, the last one is what runs, or nothing: never a burst.
pub(super) fn due(schedule: &Schedule, after: Timestamp, now: Timestamp, catch_up: CatchUp) -> Due {
    let Some(scheduled) = schedule.last_between(after, now) else { return Due::Nothing };
    let missed = schedule.count_between(after, scheduled, MOST_COUNTED);
    let is_late = now.since(scheduled) > GRACE;
    match catch_up {
        CatchUp::Skip if is_late => Due::LeaveOut { last: scheduled, count: missed.saturating_add(1) },
        CatchUp::Once | CatchUp::Skip => Due::Run(Firing { scheduled, now, catch_up: is_late, missed }),
    }
}
