//! Guests' records in the host's log: marked as theirs, bounded, and without control characters, so that no guest
//! forges a line or speaks to a terminal.

use std::borrow::Cow;

use tracing::Level;

use super::calls::Function;
use super::context::HostCtx;
use super::scope::Scope;
use crate::error::Result;
use crate::telemetry::{GuestSpan, Redaction};

/// The `tracing` target of guests' records.
const TARGET: &str = "greentic::guest";
/// Characters of a record; what is beyond is cut.
pub(super) const MAX_TEXT: usize = 4096;
/// Bytes of all records of one invocation; what is beyond is dropped.
pub(super) const LOG_BYTES: usize = 64 << 10;

/// When something of a guest's began and ended, in milliseconds since 1970, as far as it says so.
pub(super) type Times = (Option<i64>, Option<i64>);

impl HostCtx {
    /// Logs names and values within a span of `provider`. With both times it is also a span of the guest's.
    pub(super) fn log_fields(
        &mut self,
        function: Function,
        provider: &str,
        times: Times,
        fields: &[(String, String)],
    ) -> Result<()> {
        let redaction = Redaction::of_process();
        let level = fields.iter().find(|(name, _)| name == "level").and_then(|(_, level)| level.parse().ok());
        let mut text = format!("provider={provider}");
        for (name, value) in fields.iter().filter(|(name, _)| name != "level") {
            if text.len() > MAX_TEXT {
                break;
            }
            text.push(' ');
            text.push_str(name);
            text.push('=');
            text.push_str(redaction.value(name, value));
        }
        self.log(function, level, &text)?;
        let hide = |text: &str| self.hide(text);
        if let Some(span) = GuestSpan::of_fields(provider, times, fields, redaction, &hide) {
            self.report(&span);
        }
        Ok(())
    }

    /// Logs a span that a guest describes in JSON, or any other text.
    pub(super) fn log_span(&mut self, function: Function, text: &str) -> Result<()> {
        let redaction = Redaction::of_process();
        let hide = |text: &str| self.hide(text);
        let span = GuestSpan::of_json(text, redaction, &hide);
        self.log(function, None, &redaction.text(&self.decoded(text)))?;
        if let Some(span) = span {
            self.report(&span);
        }
        Ok(())
    }

    /// A text in which a secret may be written in any of the ways in which JSON can, without the secrets.
    fn decoded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match serde_json::from_str(text) {
            Ok(value) if !self.given.is_empty() => Cow::Owned(self.hide_in(value).to_string()),
            _ => Cow::Borrowed(text),
        }
    }

    /// Adds a guest's span to the trace of the call, within the bounds of what it may log.
    fn report(&mut self, span: &GuestSpan) {
        if self.log_left > 0 {
            span.report();
        }
    }

    /// Logs `text` under the identity that the host knows.
    fn log(&mut self, function: Function, level: Option<Level>, text: &str) -> Result<()> {
        let begun = self.begin(function, text.len())?;
        self.record(level, text);
        self.calls.end(begun, true, "");
        Ok(())
    }

    /// Writes a record, whoever asked for it.
    pub(super) fn record(&mut self, level: Option<Level>, text: &str) {
        if self.log_left == 0 {
            return;
        }
        let mut text = printable(&self.given.hide_start(text, MAX_TEXT));
        self.log_left = self.log_left.saturating_sub(text.len());
        if self.log_left == 0 {
            text.push_str(" (further records of this invocation are dropped)");
        }
        write(&self.scope, level, &text);
    }
}

/// Writes a record of printable text under the identity that the host knows.
pub(super) fn write(scope: &Scope, level: Option<Level>, text: &str) {
    macro_rules! record {
        ($level:expr) => {
            tracing::event!(
                target: TARGET, $level, tenant = %scope.tenant, pack = %scope.pack, component = %scope.component,
                flow = %scope.flow, node = %scope.node, correlation = %scope.correlation_id, "{text}"
            )
        };
    }
    match level.unwrap_or(Level::INFO) {
        Level::ERROR => record!(Level::ERROR),
        Level::WARN => record!(Level::WARN),
        Level::INFO => record!(Level::INFO),
        Level::DEBUG => record!(Level::DEBUG),
        Level::TRACE => record!(Level::TRACE),
    }
}

/// `text` cut to its bound, with control characters escaped.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_TEXT));
    for c in text.chars().take(MAX_TEXT) {
        match c.is_control() || is_directional(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// Characters that change the order in which the rest of a line is shown.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::capabilities::context::tests::context;
    use crate::engine::limits::Limits;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What `work` logs.
    pub(in crate::capabilities) fn captured(work: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = sink.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_record_is_marked_with_what_the_host_knows() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [field("level", "warn"), field("note", "a\nb")];
        let function = Function { interface: "i", name: "f" };
        let log = captured(|| context(&Limits::default()).log_fields(function, "p", (None, None), &fields).unwrap());
        assert_eq!(log.lines().count(), 1);
        for part in ["WARN greentic::guest", "provider=p note=a\\nb", "tenant=x", "flow=x"] {
            assert!(log.contains(part), "{log}");
        }
    }

    #[test]
    fn an_invocation_cannot_flood_the_log() {
        let function = Function { interface: "i", name: "f" };
        let log = captured(|| {
            let mut ctx = context(&Limits::default());
            for _ in 0..1000 {
                ctx.log(function, None, &"x".repeat(1000)).unwrap();
            }
        });
        assert_eq!(log.lines().count(), LOG_BYTES.div_ceil(1000));
        assert!(log.lines().last().unwrap().contains("are dropped)"), "the last record says so");
    }

    #[test]
    fn a_record_holds_no_secret_wherever_it_is_cut() {
        let function = Function { interface: "i", name: "f" };
        let log = captured(|| {
            for before in MAX_TEXT - 20..MAX_TEXT {
                let mut ctx = context(&Limits::default());
                ctx.given.note_text("canary-0123456789");
                ctx.log(function, None, &format!("{}canary-0123456789", "x".repeat(before))).unwrap();
            }
        });
        assert!(log.lines().count() == 20 && !log.contains("canary"), "{log}");
    }

    #[test]
    fn a_record_stays_one_harmless_line() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}ü"), "a\\nb\\u{1b}[31m\\u{202e}ü");
        assert_eq!(printable(&"x".repeat(10_000)).len(), MAX_TEXT);
    }
}
