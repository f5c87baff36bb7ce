//! How far a schedule has come, as it is kept in the store.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::config::Timer;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::adapter::dedupe_key;
use crate::ingress::timer::PROVIDER;
use crate::store::{EventId, Mark};

/// What is kept about a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The schedule that it is about: one that was changed since is another one.
    pub(super) written: String,
    pub(super) timezone: String,
    /// Everything up to and with this is done with.
    pub(super) after: Timestamp,
    /// The last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    /// Its time.
    pub(super) scheduled: Timestamp,
    /// When it was started.
    pub(super) started: Timestamp,
    /// Its event.
    pub(super) event: EventId,
}

impl Kept {
    /// Of a schedule that has missed nothing.
    pub(super) fn new(timer: &Timer, now: Timestamp) -> Self {
        let (written, timezone) = (written(timer), timer.schedule.zone().name().to_owned());
        Self { written, timezone, after: now, last: None }
    }

    /// What was kept, if it is about this schedule as it is now.
    pub(super) fn read(timer: &Timer, bytes: &[u8]) -> Option<Self> {
        let kept: Self = serde_json::from_slice(bytes).ok()?;
        (kept.written == written(timer) && kept.timezone == timer.schedule.zone().name()).then_some(kept)
    }

    /// The mark that keeps it.
    pub(super) fn mark(&self, key: &str, replaces: bool) -> Result<Mark> {
        let value = serde_json::to_vec(self)
            .map_err(|e| Error::new(Code::Internal, format!("the state of a timer is not JSON: {e}")))?;
        Ok(Mark { key: key.to_owned(), value: Bytes::from(value), replaces })
    }
}

/// Where it is kept.
pub(super) fn key(tenant: &Id, schedule_id: &str) -> String {
    dedupe_key([&**tenant, PROVIDER, schedule_id])
}

/// The expression in its one form, so that another way to write it is no change.
fn written(timer: &Timer) -> String {
    let schedule = &timer.schedule;
    format!("{} {}", schedule.six_fields(), schedule.years().unwrap_or("*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostConfig;

    fn timer(cron: &str, zone: &str) -> Timer {
        let text = format!("{{ tenant: t, timers: [{{ flow_id: f, cron: '{cron}', timezone: '{zone}' }}] }}");
        HostConfig::from_yaml(&text, "test.yaml").unwrap().timers()[0].clone()
    }

    #[test]
    fn its_form_is_frozen() {
        let timer = timer("0 5 * * *", "Europe/Berlin");
        let last = Last { scheduled: Timestamp(1_000), started: Timestamp(1_234), event: EventId(7) };
        let kept =
            [Kept::new(&timer, Timestamp(2_000)), Kept { last: Some(last), ..Kept::new(&timer, Timestamp(1_000)) }];
        let marks = kept.clone().map(|kept| kept.mark(&key(&Id::from("acme"), "a:b"), false).unwrap());
        let shown = marks.iter().map(|mark| format!("{} {}", mark.key, String::from_utf8_lossy(&mark.value)));
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"));
        for (kept, mark) in kept.iter().zip(&marks) {
            assert_eq!(Kept::read(&timer, &mark.value).as_ref(), Some(kept));
        }
    }

    #[test]
    fn a_schedule_that_was_changed_is_another_one() {
        let kept = Kept::new(&timer("@daily", "UTC"), Timestamp(0)).mark("k", true).unwrap().value;
        assert!(Kept::read(&timer("0  0 * * *", "utc"), &kept).is_some(), "the same, written otherwise");
        for (cron, zone) in [("0 1 * * *", "UTC"), ("@daily", "Europe/Berlin"), ("0 0 0 * * * 2030", "UTC")] {
            assert_eq!(Kept::read(&timer(cron, zone), &kept), None, "{cron} {zone}");
        }
        assert_eq!(Kept::read(&timer("@daily", "UTC"), b"\xff"), None);
    }
}
