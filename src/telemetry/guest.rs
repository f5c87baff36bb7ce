//! Spans that guests report of themselves: they become children of the span in which the component is called.
//!
//! A guest says when something of its own began and ended. The host believes the names and times of it only in so far as
//! they fit into the call that is under way, and bounds everything.

#[cfg(any(test, feature = "telemetry"))]
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::Redaction;

/// Attributes of one span; further ones are left out.
const MOST_ATTRIBUTES: usize = 32;
/// Characters of a name or a value; what is beyond is cut.
const MOST_TEXT: usize = 256;
/// How long before the host's time a span may have begun: longer than any call takes.
#[cfg(any(test, feature = "telemetry"))]
const LONGEST: Duration = Duration::from_secs(3600);

/// A span that a guest reports.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "telemetry"), allow(dead_code, reason = "nobody collects spans"))]
pub(crate) struct GuestSpan {
    /// Its name.
    pub(crate) name: String,
    /// When it began, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub(crate) end_ms: i64,
    /// What the guest says of it.
    pub(crate) attributes: Vec<(String, String)>,
}

impl GuestSpan {
    /// A span of fields, if the guest says when it began and ended.
    pub(crate) fn of_fields(
        name: &str,
        (start_ms, end_ms): (Option<i64>, Option<i64>),
        fields: &[(String, String)],
        redaction: &Redaction,
        hide: &dyn Fn(&str) -> String,
    ) -> Option<Self> {
        // Before it is cut and escaped: what is hidden would not be found any more.
        let attribute =
            |(name, value): &(String, String)| (spell(&hide(name)), spell(&hide(redaction.value(name, value))));
        Some(Self {
            name: spell(&hide(name)),
            start_ms: start_ms?,
            end_ms: end_ms?,
            attributes: fields.iter().take(MOST_ATTRIBUTES).map(attribute).collect(),
        })
    }

    /// A span of a JSON object with `name`, `start_ms` and `end_ms`, and `attributes` or further keys. Names may be
    /// written with `-`.
    pub(crate) fn of_json(text: &str, redaction: &Redaction, hide: &dyn Fn(&str) -> String) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_str(text).ok()?;
        let get = |name: &str| object.get(name).or_else(|| object.get(&name.replace('_', "-")));
        let own = |name: &str| matches!(name, "name" | "start_ms" | "end_ms" | "start-ms" | "end-ms");
        let nested = get("attributes").and_then(Value::as_object);
        let further = nested.unwrap_or(&object).iter().filter(|(name, _)| !own(name));
        let fields: Vec<_> = further.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect();
        let times = (get("start_ms").and_then(Value::as_i64), get("end_ms").and_then(Value::as_i64));
        Self::of_fields(get("name")?.as_str()?, times, &fields, redaction, hide)
    }

    /// Its beginning and end, if a call that is under way at `now` can hold them.
    #[cfg(any(test, feature = "telemetry"))]
    pub(super) fn times(&self, now: SystemTime) -> Option<(SystemTime, SystemTime)> {
        let at = |ms: i64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(ms).ok()?));
        let (start, end) = (at(self.start_ms)?, at(self.end_ms)?.min(now));
        (start <= end && start >= now.checked_sub(LONGEST)?).then_some((start, end))
    }

    /// Reports it, if spans are collected.
    pub(crate) fn report(&self) {
        #[cfg(feature = "telemetry")]
        super::export::carrier::report(self);
    }
}

/// A text of a guest's as a name or a value.
fn spell(text: &str) -> String {
    text.chars().take(MOST_TEXT).flat_map(char::escape_debug).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_from_json() {
        let read = |text: &str| GuestSpan::of_json(text, &Redaction::Off, &|text| text.replace("canary", "[hidden]"));
        let span = read(r#"{"name":"look\nup","start_ms":5,"end-ms":9,"attributes":{"rows":3,"deep":{}}}"#).unwrap();
        assert_eq!((&*span.name, span.start_ms, span.end_ms), ("look\\nup", 5, 9));
        assert_eq!(span.attributes, [("rows".to_owned(), "3".to_owned())]);
        let secret = read(r#"{"name":"a canary","start_ms":1,"end_ms":2,"k":"\u0063anary"}"#).unwrap();
        assert_eq!((&*secret.name, &*secret.attributes[0].1), ("a [hidden]", "[hidden]"));
        let flat = read(r#"{"name":"x","start_ms":1,"end_ms":2,"ok":true}"#).unwrap();
        assert_eq!(flat.attributes, [("ok".to_owned(), "true".to_owned())]);
        for text in ["", "[]", "{}", r#"{"name":"x"}"#, r#"{"name":1,"start_ms":1,"end_ms":2}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_bounded_and_redacted() {
        let fields: Vec<_> = (0..100).map(|n| (format!("f{n}"), "x".repeat(1000))).collect();
        let span =
            |redaction| GuestSpan::of_fields("n", (Some(1), Some(2)), &fields, redaction, &str::to_owned).unwrap();
        let kept = span(&Redaction::Off);
        assert_eq!((kept.attributes.len(), kept.attributes[0].1.len()), (MOST_ATTRIBUTES, MOST_TEXT));
        assert_eq!(span(&Redaction::Strict).attributes[0].1, "[redacted]");
        assert_eq!(GuestSpan::of_fields("n", (None, Some(2)), &fields, &Redaction::Off, &str::to_owned), None);
    }

    #[test]
    fn times_that_no_call_can_hold_are_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let times = |start_ms, end_ms| {
            let span = GuestSpan { name: String::new(), start_ms, end_ms, attributes: Vec::new() };
            span.times(now).map(|(start, end)| end.duration_since(start).unwrap().as_millis())
        };
        assert_eq!(times(9_999_000, 9_999_500), Some(500));
        assert_eq!(times(9_999_000, i64::MAX), Some(1000), "it ends now at the latest");
        for (start, end) in [(-1, 5), (9_999_500, 9_999_000), (1, 2), (i64::MAX, i64::MAX)] {
            assert_eq!(times(start, end), None, "{start} {end}");
        }
    }
}
