//! The trace that a piece of work belongs to: taken from requests, kept with what is worked on later, given on to whoever
//! is asked. The form is that of W3C Trace Context. Without the feature `telemetry` there is never one.

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tracing::Span;

#[cfg(feature = "telemetry")]
use super::export::carrier;

/// The header that names a trace and the span in it that work is done for.
const TRACEPARENT: &str = "traceparent";
/// The header with what systems on the way add to that.
const TRACESTATE: &str = "tracestate";
/// Bytes of either.
const MOST: usize = 512;

/// A trace and a span in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// As in the header `traceparent`.
    pub(super) traceparent: String,
    /// As in the header `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tracestate: Option<String>,
}

impl TraceContext {
    /// What a request says. Anybody can say anything: what is no context is none.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let only = |name| {
            let mut all = headers.get_all(name).iter();
            let value = all.next().filter(|value| value.len() <= MOST)?.to_str().ok()?;
            all.next().is_none().then(|| value.to_owned())
        };
        let traceparent = only(TRACEPARENT).filter(|text| is_traceparent(text))?;
        Some(Self { traceparent, tracestate: only(TRACESTATE) })
    }

    /// The span that this thread works in now.
    pub fn current() -> Option<Self> {
        #[cfg(feature = "telemetry")]
        {
            carrier::current()
        }
        #[cfg(not(feature = "telemetry"))]
        {
            None
        }
    }

    /// Makes `span`, which has not begun, one of this trace.
    pub fn adopt(&self, span: &Span) {
        #[cfg(feature = "telemetry")]
        carrier::adopt(self, span);
        #[cfg(not(feature = "telemetry"))]
        let _ = span;
    }

    /// Notes on `span` that it has to do with this one.
    pub fn link(&self, span: &Span) {
        #[cfg(feature = "telemetry")]
        carrier::link(self, span);
        #[cfg(not(feature = "telemetry"))]
        let _ = span;
    }
}

/// Says in a request's headers which trace it belongs to, unless they say so already.
pub fn inject(headers: &mut HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        return;
    }
    let Some(context) = TraceContext::current() else { return };
    let pairs = [(TRACEPARENT, Some(context.traceparent)), (TRACESTATE, context.tracestate)];
    for (name, value) in pairs {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    }
}

/// The id of the trace that this thread works in now, in 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    let context = TraceContext::current()?;
    context.traceparent.split('-').nth(1).map(str::to_owned)
}

/// Whether `text` is a `traceparent` of a version that is read: `00-TRACE-SPAN-FLAGS`, ids not all zero.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, len| part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &str, len| hex(part, len) && part.bytes().any(|b| b != b'0');
    let parts: Vec<_> = text.split('-').collect();
    match parts.as_slice() {
        [version, trace, span, flags] => *version == "00" && id(trace, 32) && id(span, 16) && hex(flags, 2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(pairs: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        TraceContext::of_headers(&headers)
    }

    #[test]
    fn what_requests_say_is_read_as_far_as_it_is_a_context() {
        let read_good = read(&[(TRACEPARENT, GOOD), (TRACESTATE, "a=1")]).unwrap();
        assert_eq!((&*read_good.traceparent, read_good.tracestate.as_deref()), (GOOD, Some("a=1")));
        let zero = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let upper = GOOD.to_uppercase();
        for bad in ["", "x", &zero, &upper, &GOOD.replace("00-", "ff-"), &format!("{GOOD}-x"), &"0".repeat(600)] {
            assert_eq!(read(&[(TRACEPARENT, bad)]), None, "{bad}");
        }
        assert_eq!(read(&[(TRACEPARENT, GOOD), (TRACEPARENT, GOOD)]), None, "said twice");
        let long = "a".repeat(MOST + 1);
        assert_eq!(read(&[(TRACEPARENT, GOOD), (TRACESTATE, &long)]).unwrap().tracestate, None);
    }

    #[test]
    fn without_a_span_nothing_is_given_on() {
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
        assert_eq!(trace_id(), None);
    }
}
