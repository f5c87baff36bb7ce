//! The trace that a piece of work belongs to: taken from requests, kept with what is worked on later, given on to whoever
//! is asked. The form is that of W3C Trace Context. Without the feature `telemetry` there is never one.

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tracing::Span;

#[cfg(feature = "telemetry")]
use super::export::carrier;

/// The header that names a trace and the span in it that work is done for.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The header with what systems on the way add to that.
pub(crate) const TRACESTATE: &str = "tracestate";
/// Bytes of either.
const MOST: usize = 512;
/// Entries of a `tracestate`.
const MOST_ENTRIES: usize = 32;
/// Bytes of an entry that goes first where a `tracestate` is too long.
const LONG_ENTRY: usize = 128;

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
        let mut all = headers.get_all(TRACEPARENT).iter();
        let only = all.next().filter(|value| value.len() <= MOST)?.to_str().ok()?;
        let traceparent = all.next().is_none().then(|| traceparent(only)).flatten()?;
        Some(Self { traceparent, tracestate: tracestate(headers) })
    }

    /// Its parts, by the names that headers and other carriers have for them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.tracestate.as_deref().map(|state| (TRACESTATE, state));
        std::iter::once((TRACEPARENT, &*self.traceparent)).chain(state)
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
    for (name, value) in context.parts() {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
}

/// The id of the trace that this thread works in now, in 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    let context = TraceContext::current()?;
    context.traceparent.split('-').nth(1).map(str::to_owned)
}

/// What a `traceparent` says, as the version that this host writes has it: `00-TRACE-SPAN-FLAGS`, ids not all zero. Of a
/// later version the same fields are read and nothing is said of what follows them; of its flags only that of sampling is
/// known to mean the same.
fn traceparent(text: &str) -> Option<String> {
    let hex = |part: &str, len| part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &str, len| hex(part, len) && part.bytes().any(|b| b != b'0');
    let mut parts = text.splitn(5, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if !hex(version, 2) || version == "ff" || !id(trace, 32) || !id(span, 16) || !hex(flags, 2) {
        return None;
    }
    match (version, parts.next()) {
        ("00", None) => Some(text.to_owned()),
        ("00", Some(_)) => None,
        _ => Some(format!("00-{trace}-{span}-{:02x}", u8::from_str_radix(flags, 16).ok()? & 1)),
    }
}

/// All of `tracestate`, in how many headers it may come: entries in their order. Of one that is too long the long entries
/// go, then the last ones. One that is no list of entries, or of too many, is none.
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let mut entries = Vec::new();
    for header in headers.get_all(TRACESTATE) {
        let own = header.to_str().ok()?.split(',').map(|entry| entry.trim_matches([' ', '\t']));
        entries.extend(own.filter(|entry| !entry.is_empty()));
        if entries.len() > MOST_ENTRIES {
            return None;
        }
    }
    let is_entry =
        |entry: &&str| entry.split_once('=').is_some_and(|(key, value)| !key.is_empty() && !value.is_empty());
    if entries.is_empty() || !entries.iter().all(is_entry) {
        return None;
    }
    let length = |entries: &[&str]| entries.iter().map(|entry| entry.len() + 1).sum::<usize>() - 1;
    while length(&entries) > MOST {
        let last = entries.len() - 1;
        entries.remove(entries.iter().rposition(|entry| entry.len() > LONG_ENTRY).unwrap_or(last));
        if entries.is_empty() {
            return None;
        }
    }
    Some(entries.join(","))
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
    fn a_parent_of_any_version_is_read_as_far_as_it_is_one() {
        let of = |version: &str, rest: &str| format!("{version}-{}{rest}", &GOOD[3..]);
        let flags = |version: &str, flags: &str| format!("{version}-{}{flags}", &GOOD[3..GOOD.len() - 2]);
        let unsampled = flags("00", "00");
        for (said, is_read) in [
            (GOOD.to_owned(), Some(GOOD)),
            (unsampled.clone(), Some(&*unsampled)),
            // Flags of this version that are not known are kept.
            (flags("00", "09"), Some(&*flags("00", "09"))),
            // Later versions may say more, of which nothing is known.
            (of("01", ""), Some(GOOD)),
            (of("cc", "-what-the-future-will-be-like"), Some(GOOD)),
            (of("cc", "-"), Some(GOOD)),
            (flags("cc", "ff"), Some(GOOD)),
            (flags("fe", "fe"), Some(&*unsampled)),
            (of("cc", ".what"), None),
            (of("cc", "0"), None),
            (of("ff", ""), None),
            (of("00", "-x"), None),
            (of("00", "-"), None),
            (of("0", ""), None),
            (of("000", ""), None),
            (of("0G", ""), None),
            (GOOD.to_uppercase(), None),
            (GOOD[..54].to_owned(), None),
            (format!("cc{}", &GOOD[2..54]), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (format!("cc-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16)), None),
            (of("cc", &format!("-{}", "x".repeat(MOST))), None),
            (String::new(), None),
            ("x".to_owned(), None),
        ] {
            let read = read(&[(TRACEPARENT, &said)]).map(|context| context.traceparent);
            assert_eq!(read.as_deref(), is_read, "{said}");
        }
        assert_eq!(read(&[(TRACEPARENT, GOOD), (TRACEPARENT, GOOD)]), None, "said twice");
        assert_eq!(read(&[(TRACESTATE, "a=1")]), None, "a state of nothing");
    }

    #[test]
    fn a_state_is_read_from_all_headers_and_bounded_by_whole_entries() {
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let entry = |key: &str, bytes: usize| format!("{key}={}", "v".repeat(bytes - key.len() - 1));
        let (short, long) = (|key: &str| entry(key, 100), |key: &str| entry(key, 200));
        let is_list = |entries: &[String]| Some(entries.join(","));
        for (said, is_read) in [
            (vec!["a=1".to_owned()], Some("a=1".to_owned())),
            (vec!["a=1,b=2".to_owned()], Some("a=1,b=2".to_owned())),
            (vec!["a=1".to_owned(), "b=2, c=3".to_owned(), "d=4".to_owned()], Some("a=1,b=2,c=3,d=4".to_owned())),
            (vec![" a=1 ,,\tb=2 ,".to_owned(), String::new()], Some("a=1,b=2".to_owned())),
            (vec!["a=b=c".to_owned()], Some("a=b=c".to_owned())),
            (vec![String::new()], None),
            (vec![", ,".to_owned()], None),
            (vec!["a".to_owned()], None),
            (vec!["a=1".to_owned(), "nonsense".to_owned()], None),
            (vec!["=1".to_owned()], None),
            (vec!["a=".to_owned()], None),
            (vec![many(32)], Some(many(32))),
            (vec![many(33)], None),
            (vec![many(20), many(13)], None),
            (vec![entry("a", MOST)], Some(entry("a", MOST))),
            (vec![entry("a", MOST + 1)], None),
            // The long ones go first, the later before the earlier; then the last.
            (vec![long("a"), short("b"), long("c"), short("d")], is_list(&[long("a"), short("b"), short("d")])),
            (
                vec!["a", "b", "c", "d", "e", "f"].into_iter().map(short).collect(),
                is_list(&["a", "b", "c", "d", "e"].map(short)),
            ),
        ] {
            let pairs = said.iter().map(|value| (TRACESTATE, &**value)).chain([(TRACEPARENT, GOOD)]);
            let context = read(&pairs.collect::<Vec<_>>()).unwrap();
            assert_eq!(context.tracestate, is_read, "{said:?}");
            assert!(context.tracestate.is_none_or(|state| state.len() <= MOST));
        }
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, GOOD.parse().unwrap());
        headers.insert(TRACESTATE, http::HeaderValue::from_bytes(b"a=\xff").unwrap());
        assert_eq!(TraceContext::of_headers(&headers).unwrap().tracestate, None, "no text");
    }

    #[test]
    fn parts_have_the_names_of_headers() {
        let context = read(&[(TRACEPARENT, GOOD), (TRACESTATE, "a=1")]).unwrap();
        assert_eq!(context.parts().collect::<Vec<_>>(), [("traceparent", GOOD), ("tracestate", "a=1")]);
        let bare = read(&[(TRACEPARENT, GOOD)]).unwrap();
        assert_eq!(bare.parts().collect::<Vec<_>>(), [("traceparent", GOOD)]);
    }

    #[test]
    fn without_a_span_nothing_is_given_on() {
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
        assert_eq!(trace_id(), None);
    }
}
