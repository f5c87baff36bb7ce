//! What is said of timers at start.

use crate::flow::pick::Pick;
use crate::host::RunnerHost;
use crate::timers::{TimerStatus, TimersStatus};

/// A line for each timer of a tenant, and notes on those whose flow is not there.
pub(super) fn lines(status: &TimersStatus, host: &RunnerHost, tenant: &str) -> Vec<String> {
    let timers = status.tenants.iter().filter(|of| of.tenant == tenant).flat_map(|of| &of.timers);
    timers.flat_map(|timer| [Some(line(timer)), note(timer, host, tenant)]).flatten().collect()
}

fn line(timer: &TimerStatus) -> String {
    let TimerStatus { schedule_id, flow_id, cron, timezone, .. } = timer;
    let years = timer.years.as_ref().map(|years| format!(" in {years}")).unwrap_or_default();
    let next = timer.next.first().map_or("it fires no more".to_owned(), |next| format!("next {next}"));
    format!("timer {schedule_id}: flow {flow_id} at {cron}{years} ({timezone}), {next}")
}

/// Without a pack there is nothing to compare with; that there is none is said already.
fn note(timer: &TimerStatus, host: &RunnerHost, tenant: &str) -> Option<String> {
    let error = host.tenant(tenant)?.pack().flows.pick(Pick::Id(&timer.flow_id)).err()?;
    Some(format!("note: timer {} starts nothing now: {}; its times stay due", timer.schedule_id, error.message()))
}
