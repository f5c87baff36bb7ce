//! Requests that guests have the host make, as the interfaces that offer them share it: counted, bounded by the guest's
//! time, recorded, and their failures logged.

use std::sync::atomic::{AtomicU32, Ordering};

use tracing::Instrument as _;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::scope::Scope;
use super::served::host_error;
use crate::error::Result;
use crate::id::clip;
use crate::outbound::{Answer, Failure, Kind, Request, shown_origin};
use crate::secret::Hidden;

/// The `tracing` target of requests that failed.
const TARGET: &str = "greentic::outbound";
/// Failures of one invocation that are logged.
const MAX_LOGGED: u32 = 20;

impl HostCtx {
    /// Sends a request and takes the whole answer.
    pub(super) async fn fetch(&mut self, function: Function, request: Request) -> Result<Result<Answer, Failure>> {
        let begun = self.begin(function, request.bytes())?;
        let asked = Asked::of(&request, &self.given);
        let asker = Some(&self.scope.component);
        let answer = self.services.http.send_for(asker, request, self.cancel_at).instrument(begun.span()).await;
        let note = match &answer {
            Ok(answer) => asked.answered(answer.status),
            Err(failure) => {
                self.failures().log(function.interface, &asked, failure);
                asked.failed(failure)
            }
        };
        self.calls.end(begun, answer.is_ok(), &note);
        Ok(answer)
    }

    /// Refuses a request before it is one.
    pub(super) fn refuse(&mut self, function: Function, request: &Request, failure: &Failure) -> Result<()> {
        let begun = self.begin(function, request.bytes())?;
        let asked = Asked::of(request, &self.given);
        self.services.http.tally().failed(failure);
        self.failures().log(function.interface, &asked, failure);
        self.calls.end(begun, false, &asked.failed(failure));
        Ok(())
    }
}

/// What was asked of whom, without anything that may be secret.
#[derive(Debug)]
pub(super) struct Asked {
    method: String,
    origin: String,
}

impl Asked {
    pub(super) fn of(request: &Request, hidden: &Hidden) -> Self {
        Self { method: clip(&hidden.hide(&request.method)), origin: hidden.hide(&shown_origin(&request.url)) }
    }

    pub(super) fn answered(&self, status: u16) -> String {
        format!("{} {}: {status}", self.method, self.origin)
    }

    pub(super) fn failed(&self, failure: &Failure) -> String {
        format!("{} {}: {}", self.method, self.origin, failure.reason())
    }
}

/// Logs the failures of one invocation, as many as are worth it.
#[derive(Debug)]
pub(super) struct Failures {
    scope: Scope,
    /// The secrets that the guest was given, which failures may quote.
    pub(super) hidden: Hidden,
    left: AtomicU32,
}

impl Failures {
    pub(super) fn new(scope: &Scope, hidden: &Hidden) -> Self {
        Self { scope: scope.clone(), hidden: hidden.clone(), left: AtomicU32::new(MAX_LOGGED) }
    }

    pub(super) fn log(&self, interface: &str, asked: &Asked, failure: &Failure) {
        if self.left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return;
        }
        let Scope { tenant, pack, component, flow, node, correlation_id, .. } = &self.scope;
        let Asked { method, origin } = asked;
        tracing::warn!(
            target: TARGET, reason = %failure.reason(), %tenant, %pack, %component, %flow, %node,
            correlation = %correlation_id, interface, method = ?method, ?origin, "a request failed: {:?}",
            self.hidden.hide(failure.message())
        );
    }
}

/// The code of a failure in the interfaces that have one as text.
pub(super) fn code(failure: &Failure) -> &'static str {
    match failure.reason().kind() {
        Kind::Invalid => "invalid-arg",
        Kind::Denied => "denied",
        Kind::Unavailable => "unavailable",
        Kind::Internal => "internal",
    }
}

/// A failure as the `host-error` of an interface.
pub(super) fn failure_value(failure: &Failure) -> Val {
    host_error(code(failure), failure.to_string())
}

/// Bytes of a header as text: UTF-8 if they are, else each byte as the character that HTTP once took it for.
pub(super) fn header_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| e.as_bytes().iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::context::tests::context;
    use crate::capabilities::log::tests::captured;
    use crate::engine::limits::Limits;
    use crate::outbound::{Body, Options, Reason};

    #[test]
    fn what_is_refused_before_it_is_a_request_is_counted_and_logged_all_the_same() {
        let mut ctx = context(&Limits::default());
        let request = Request {
            method: "GET".into(),
            url: "https://a.example/canary".into(),
            headers: Vec::new(),
            body: Body::Whole(bytes::Bytes::new()),
            options: Options::default(),
        };
        let failure = Failure::new(Reason::BadHeader, "the headers are no JSON object");
        let function = Function { interface: "greentic:host-import/http@0.6.0", name: "fetch" };
        let log = captured(|| ctx.refuse(function, &request, &failure).unwrap());
        assert_eq!(ctx.services.http.tally().counts().failed, [(Reason::BadHeader, 1)]);
        assert!(log.contains("reason=bad_header") && log.contains("https://a.example"), "{log}");
        assert!(!log.contains("canary"), "{log}");
    }
}
