//! The timers of a tenant: what the section `timers` means.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bindings::{self, Bindings};
use super::units::{Name, Text};
use super::yaml::{Cursor, Finding};
use crate::id::{Id, clip};
use crate::schedule::{Fault, Schedule, Zone};

/// The most bytes of a schedule's name.
pub const MAX_SCHEDULE_ID: usize = 256;

/// A flow that starts on a schedule.
#[derive(Clone, Debug)]
pub struct Timer {
    /// Names the schedule; unique within the tenant.
    pub schedule_id: String,
    /// The flow.
    pub flow_id: Id,
    /// When.
    pub schedule: Schedule,
    /// What becomes of times that were missed.
    pub catch_up: CatchUp,
    /// What becomes of a time that comes while the run before is not done.
    pub overlap: Overlap,
}

/// What becomes of times that were missed: the host was down, the clock jumped, no pack was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// The last of them runs once, late.
    #[default]
    Once,
    /// None runs.
    Skip,
}

/// What becomes of a time that comes while the run before is not done. Two runs of one schedule never run at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It runs after the other.
    Queue,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule_id, flow_id, schedule, .. } = self;
        write!(f, "{schedule_id}: flow {flow_id} at {}", schedule.six_fields())?;
        if let Some(years) = schedule.years() {
            write!(f, " {years}")?;
        }
        let catch_up = match self.catch_up {
            CatchUp::Once => "once",
            CatchUp::Skip => "skip",
        };
        let overlap = match self.overlap {
            Overlap::Skip => "skip",
            Overlap::Queue => "queue",
        };
        write!(f, " ({}), catch_up {catch_up}, overlap {overlap}", schedule.zone().name())
    }
}

/// Reads the section. What is wrong with a timer is a finding at the key that is.
pub(super) fn read(bindings: &Bindings, root: Cursor<'_>) -> Vec<Timer> {
    let Some(section) = root.get("timers") else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let timers = bindings.timers.iter().zip(section.items());
    timers.filter_map(|(written, at)| timer(written, at, &mut seen)).collect()
}

fn timer(written: &bindings::Timer, at: Cursor<'_>, seen: &mut BTreeSet<String>) -> Option<Timer> {
    let Name(flow_id) = written.flow_id.clone();
    let schedule_id = written.schedule_id.as_ref().map_or_else(|| flow_id.to_string(), |Text(id)| id.clone());
    let shown = clip(&schedule_id).escape_debug().to_string();
    let place = |key: &str| at.get(key).unwrap_or(at).place();
    if schedule_id.len() > MAX_SCHEDULE_ID || schedule_id.chars().any(char::is_control) {
        let finding = Finding::at(place("schedule_id"), "the schedule_id cannot be used");
        at.report(finding.hint(format!("use at most {MAX_SCHEDULE_ID} bytes and no control characters")));
    }
    if !seen.insert(schedule_id.clone()) {
        let finding = Finding::at(place("schedule_id"), format!("two timers have the schedule_id `{shown}`"));
        at.report(finding.hint("give one of them a schedule_id of its own"));
    }
    let wrong = |key: &str, Fault { message, hint }: Fault| {
        at.report(Finding::at(place(key), format!("`{key}` of timer `{shown}`: {message}")).hint(hint));
    };
    let zone = written.timezone.as_ref().map_or_else(|| Ok(Zone::utc()), |Text(name)| Zone::named(name));
    let zone = zone.map_err(|fault| wrong("timezone", fault)).ok();
    // An expression is read even if its time zone is unknown, so that one reading tells both.
    let schedule = Schedule::parse(&written.cron.0, zone.clone().unwrap_or_else(Zone::utc));
    let schedule = schedule.map_err(|fault| wrong("cron", fault)).ok().filter(|_| zone.is_some())?;
    let (catch_up, overlap) = (written.catch_up.unwrap_or_default(), written.overlap.unwrap_or_default());
    Some(Timer { schedule_id, flow_id, schedule, catch_up, overlap })
}
