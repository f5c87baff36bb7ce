//! Asking a reloader, and hearing of it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::handle::{Readiness, ReloadCounts, Reloads};
use super::status::{ErrorStatus, PacksStatus, ReloadReport, ReloadState, TenantOutcome, rfc3339};
use super::{Inner, Outcome};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};

/// How many reports are kept.
const KEPT: usize = 64;

/// A reloader that runs. Cheap to clone.
#[derive(Clone)]
pub struct ReloadHandle {
    pub(super) inner: Arc<Inner>,
    pub(super) desk: Arc<Desk>,
}

/// Where requests wait, and reports lie.
pub(super) struct Desk {
    /// Wakes the worker.
    pub(super) wake: Notify,
    state: Mutex<State>,
    /// How many reloads have ended; those who wait for one look again when it grows.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    closed: bool,
    waiting: Option<String>,
    reports: VecDeque<ReloadReport>,
    last: Option<Timestamp>,
    error: Option<Error>,
    counts: ReloadCounts,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { wake: Notify::new(), state: Mutex::default(), ended: watch::Sender::new(0) }
    }

    /// Takes up what waits, if anything does. Requests that come from now on are about another reload.
    pub(super) fn take(&self) -> Option<String> {
        self.state.lock().waiting.take()
    }

    /// Records what a reload did, and what became of the request `id`.
    pub(super) fn done(&self, id: Option<&str>, outcome: &Outcome) {
        let mut state = self.state.lock();
        state.last = Some(outcome.ended);
        state.error = outcome.tenants.as_ref().err().cloned();
        match &outcome.tenants {
            Ok(tenants) if tenants.iter().all(|t| t.outcome != TenantOutcome::Failed) => state.counts.done += 1,
            _ => state.counts.failed += 1,
        }
        let report = id.and_then(|id| state.reports.iter_mut().find(|report| report.id == id));
        if let Some(report) = report {
            report.ended = rfc3339(outcome.ended);
            match &outcome.tenants {
                Ok(tenants) => report.tenants = tenants.clone(),
                Err(error) => report.error = Some(error.into()),
            }
            let failed = report.error.is_some() || report.tenants.iter().any(|t| t.outcome == TenantOutcome::Failed);
            report.state = if failed { ReloadState::Failed } else { ReloadState::Done };
        }
        drop(state);
        self.ended.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Nothing is worked on any more; what waits is told so.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.waiting = None;
        let stopped = ErrorStatus::from(&stopped());
        for report in state.reports.iter_mut().filter(|report| report.state == ReloadState::Running) {
            report.state = ReloadState::Failed;
            report.error = Some(stopped.clone());
        }
        drop(state);
        self.ended.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn request(&self, now: Timestamp) -> Result<(String, bool)> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(stopped());
        }
        if let Some(waiting) = &state.waiting {
            return Ok((waiting.clone(), false));
        }
        let id = Uuid::now_v7().to_string();
        while state.reports.len() >= KEPT {
            state.reports.pop_front();
        }
        state.reports.push_back(ReloadReport {
            id: id.clone(),
            state: ReloadState::Running,
            requested: rfc3339(now).unwrap_or_default(),
            ended: None,
            error: None,
            tenants: Vec::new(),
        });
        state.waiting = Some(id.clone());
        self.wake.notify_one();
        Ok((id, true))
    }
}

impl ReloadHandle {
    /// Grows with each reload that has ended.
    pub fn rounds(&self) -> watch::Receiver<u64> {
        self.desk.ended.subscribe()
    }

    /// Waits until a reload has ended; none if it is not known.
    pub async fn ended(&self, id: &str) -> Option<ReloadReport> {
        let mut ended = self.desk.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let report = self.report(id)?;
            if report.state != ReloadState::Running {
                return Some(report);
            }
            ended.changed().await.ok()?;
        }
    }
}

impl Reloads for ReloadHandle {
    fn counts(&self) -> ReloadCounts {
        ReloadCounts { fetches: self.inner.fetching.counts(), ..self.desk.state.lock().counts }
    }

    fn status(&self) -> PacksStatus {
        let (last, error) = {
            let state = self.desk.state.lock();
            (state.last, state.error.clone())
        };
        self.inner.status(last, error.as_ref())
    }

    /// Anybody may ask, so only tenants whose packs were refused are looked at.
    fn readiness(&self) -> Readiness {
        if self.desk.state.lock().last.is_none() {
            return Readiness::not_yet(Code::PackNotLoaded);
        }
        self.inner.readiness()
    }

    fn request(&self, by: &str) -> Result<String> {
        let (id, new) = self.desk.request(self.inner.clock.now())?;
        if new {
            tracing::info!(%by, %id, "a reload was asked for");
        }
        Ok(id)
    }

    fn report(&self, id: &str) -> Option<ReloadReport> {
        self.desk.state.lock().reports.iter().find(|report| report.id == id).cloned()
    }
}

fn stopped() -> Error {
    Error::new(Code::NotRunning, "packs are not reloaded any more, for the host stops")
}
