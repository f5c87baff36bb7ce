//! Counting and recording the host calls of one invocation.

use std::sync::Arc;
use std::time::Instant;

use tracing::Span;

use super::ledger::{Ledger, Uses};
use super::tally::HostCalls;
use crate::abi::call::HostCall;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::secret::Hidden;
use crate::telemetry::spans;

/// A trace shows this many host calls; a guest that makes more is not worth more of the host's memory.
const MAX_RECORDED: usize = 500;
const MAX_NOTE: usize = 120;

/// A function of the host, for records and messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) interface: &'static str,
    pub(super) name: &'static str,
}

impl Function {
    /// Whether it is `other`. Constants are told apart by where they lie, which is quicker than reading them.
    pub(super) fn is(self, other: Self) -> bool {
        let same = |one: &'static str, other: &'static str| std::ptr::eq(one, other) || one == other;
        same(self.name, other.name) && same(self.interface, other.interface)
    }
}

/// A host call that is being answered.
#[derive(Debug)]
pub(super) struct Begun {
    function: Function,
    since: Option<Instant>,
    span: Span,
}

impl Begun {
    /// The span of the call, for what the host does to answer it.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }
}

/// What an invocation may still ask, and what it has asked.
#[derive(Debug)]
pub(super) struct Calls {
    left: u32,
    limit: u32,
    call_bytes: usize,
    state_bytes: usize,
    recorded: Option<Vec<HostCall>>,
    /// What does not stand in records.
    hidden: Hidden,
    tally: Option<Arc<HostCalls>>,
    uses: Uses,
}

impl Calls {
    pub(super) fn new(limits: &Limits, trace: bool, hidden: &Hidden) -> Self {
        Self {
            hidden: hidden.clone(),
            left: limits.host_calls,
            limit: limits.host_calls,
            call_bytes: limits.host_call_bytes,
            state_bytes: limits.state_bytes,
            recorded: trace.then(Vec::new),
            tally: None,
            uses: Uses::default(),
        }
    }

    /// Counts calls in `tally` from now on.
    pub(super) fn count_in(&mut self, tally: Option<Arc<HostCalls>>) {
        self.tally = tally;
    }

    /// Has what `component` calls counted in `ledger`.
    pub(super) fn note_uses_in(&mut self, ledger: &Arc<Ledger>, component: &Id) {
        self.uses = Uses::of(ledger, component);
    }

    /// Counts a use of what passes no function of the host's own.
    pub(super) fn used(&mut self, function: Function) {
        self.uses.count(function);
    }

    /// Counts a call of those that an invocation has.
    pub(super) fn spend(&mut self) -> Result<()> {
        let left = self.left.checked_sub(1);
        self.left =
            left.ok_or_else(|| exceeded(format!("made more than {} host calls", self.limit), "limits.host_calls"))?;
        Ok(())
    }

    /// Counts a call that passes `bytes` to the host. An error ends the guest.
    pub(super) fn begin(&mut self, function: Function, bytes: usize) -> Result<Begun> {
        self.spend()?;
        if bytes > self.call_bytes {
            let what = format!("passed {bytes} bytes to {}.{} in one call", function.interface, function.name);
            return Err(exceeded(what, "limits.host_call_bytes"));
        }
        self.uses.count(function);
        let span = spans::host_call(function.interface, function.name);
        Ok(Begun { function, since: self.recorded.is_some().then(Instant::now), span })
    }

    /// Checks what the invocation has written to the state so far. An error ends the guest.
    pub(super) fn written(&self, bytes: usize) -> Result<()> {
        if bytes <= self.state_bytes {
            return Ok(());
        }
        Err(exceeded(format!("wrote more than {} bytes of state", self.state_bytes), "limits.state_bytes"))
    }

    /// Records how a call ended.
    pub(super) fn end(&mut self, begun: Begun, ok: bool, note: &str) {
        if let Some(tally) = &self.tally {
            tally.add(begun.function.interface, ok);
        }
        spans::ended(&begun.span, ok);
        let (Some(recorded), Some(since)) = (&mut self.recorded, begun.since) else { return };
        record(recorded, begun.function, since, ok, &self.hidden.hide_start(note, MAX_NOTE));
    }

    /// Records a call that was refused because it was one too many.
    pub(super) fn refused(&mut self, function: Function, why: &str) {
        if let Some(tally) = &self.tally {
            tally.add(function.interface, false);
        }
        if let Some(recorded) = &mut self.recorded {
            record(recorded, function, Instant::now(), false, why);
        }
    }

    /// Whether calls are recorded.
    pub(super) fn records(&self) -> bool {
        self.recorded.is_some()
    }

    /// The recorded calls; none if they were not recorded.
    pub(super) fn take(&mut self) -> Vec<HostCall> {
        self.recorded.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Adds a call to a record that is not full; `note` must hold no secret.
pub(super) fn record(recorded: &mut Vec<HostCall>, function: Function, since: Instant, ok: bool, note: &str) {
    if recorded.len() >= MAX_RECORDED {
        return;
    }
    recorded.push(HostCall {
        interface: function.interface.to_owned(),
        function: function.name.to_owned(),
        micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        ok,
        note: note.chars().take(MAX_NOTE).flat_map(char::escape_debug).collect(),
    });
}

fn exceeded(what: String, limit: &str) -> Error {
    Error::new(Code::GuestHostCalls, what).hint(format!("see `{limit}` in the bindings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: Function = Function { interface: "a:b/c@1.0.0", name: "f" };

    #[test]
    fn calls_bytes_and_state_are_bounded() {
        let limits = Limits { host_calls: 2, host_call_bytes: 10, state_bytes: 5, ..Limits::default() };
        let mut calls = Calls::new(&limits, false, &Hidden::default());
        calls.begin(F, 10).unwrap();
        assert!(calls.begin(F, 11).unwrap_err().message().contains("11 bytes"));
        assert!(calls.begin(F, 0).unwrap_err().message().contains("more than 2 host calls"));
        calls.written(5).unwrap();
        assert_eq!(calls.written(6).unwrap_err().code(), Code::GuestHostCalls);
        assert!(calls.take().is_empty());
    }

    #[test]
    fn a_record_is_bounded_and_printable() {
        let mut calls = Calls::new(&Limits::default(), true, &Hidden::default());
        for _ in 0..MAX_RECORDED + 5 {
            let begun = calls.begin(F, 0).unwrap();
            calls.end(begun, true, &format!("a\u{1b}[31m{}", "x".repeat(1000)));
        }
        let recorded = calls.take();
        assert_eq!(recorded.len(), MAX_RECORDED);
        assert!(recorded[0].note.starts_with("a\\u{1b}[31m") && recorded[0].note.len() < 200);
    }

    #[test]
    fn a_record_holds_no_secret_wherever_it_is_cut() {
        let mut calls = Calls::new(&Limits::default(), true, &Hidden::of(["canary-0123"]));
        for before in 0..MAX_NOTE {
            let begun = calls.begin(F, 0).unwrap();
            calls.end(begun, true, &format!("{}canary-0123", "x".repeat(before)));
        }
        assert!(calls.take().iter().all(|call| !call.note.contains("can")));
    }
}
