//! What a component is told about its call: all of it is what the host knows, nothing what a flow or guest says.

use std::time::{Instant, SystemTime};

use crate::capabilities::scope::Scope;
use crate::conform::filling::Known;

/// Locale of invocations whose user's language is not known.
const DEFAULT_LOCALE: &str = "en";

/// The circumstances of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) scope: &'a Scope,
    /// When the time is up, in milliseconds since 1970.
    pub(super) deadline_ms: u64,
    /// The trace that the call belongs to, if it is traced.
    pub(super) trace: Option<&'a str>,
    /// The operation.
    pub(super) op: &'a str,
    /// The payload as JSON text, for those who take it so.
    pub(super) input: &'a str,
}

impl<'a> Circumstances<'a> {
    pub(super) fn new(scope: &'a Scope, deadline: Instant) -> Self {
        Self { scope, deadline_ms: wall_ms(deadline), trace: None, op: "", input: "" }
    }

    /// What is known as text. What does not apply (a flow, for a call outside of flows) is unknown.
    pub(super) fn text(&self, known: Known) -> Option<&'a str> {
        let scope = self.scope;
        let text: &str = match known {
            Known::Tenant => &scope.tenant,
            Known::Env => &scope.env,
            Known::User => scope.user.as_deref()?,
            Known::Trace => self.trace.unwrap_or(&scope.correlation_id),
            Known::Correlation => &scope.correlation_id,
            Known::Locale => scope.locale.as_deref().unwrap_or(DEFAULT_LOCALE),
            Known::Session => &scope.session,
            Known::Flow => &scope.flow,
            Known::Node => &scope.node,
            Known::Component => &scope.component,
            Known::Provider => scope.provider.as_deref()?,
            Known::IdempotencyKey => &scope.idempotency_key,
            Known::Operation => self.op,
            Known::Input => self.input,
            Known::Team | Known::Deadline | Known::Attempt | Known::Payload => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// What is known as a number; 0 for everything else.
    pub(super) fn number(&self, known: Known) -> u64 {
        match known {
            Known::Deadline => self.deadline_ms,
            Known::Attempt => self.scope.attempt.into(),
            _ => 0,
        }
    }
}

/// An instant of this process as milliseconds since 1970.
fn wall_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let end = SystemTime::now() + left;
    end.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
