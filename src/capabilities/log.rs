//! Guests' records in the host's log: marked as theirs, bounded, and without control characters, so that no guest
//! forges a line or speaks to a terminal.

use greentic_runner_bindings::imports::interfaces_types::SpanContext;
use tracing::Level;

use super::calls::Function;
use super::context::HostCtx;
use crate::error::Result;

/// The `tracing` target of guests' records.
const TARGET: &str = "greentic::guest";
/// Characters of a record; what is beyond is cut.
const MAX_TEXT: usize = 4096;

impl HostCtx {
    /// Logs names and values within a span.
    pub(super) fn log_fields(
        &mut self,
        function: Function,
        span: &SpanContext,
        fields: &[(String, String)],
    ) -> Result<()> {
        let level = fields.iter().find(|(name, _)| name == "level").and_then(|(_, level)| level.parse().ok());
        let mut text = format!("provider={}", span.provider);
        for (name, value) in fields.iter().filter(|(name, _)| name != "level") {
            if text.len() > MAX_TEXT {
                break;
            }
            text.push(' ');
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        self.log(function, level, &text)
    }

    /// Logs `text` under the identity that the host knows.
    pub(super) fn log(&mut self, function: Function, level: Option<Level>, text: &str) -> Result<()> {
        let begun = self.begin(function, text.len())?;
        let (scope, text) = (&self.scope, printable(text));
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
        self.calls.end(begun, true, "");
        Ok(())
    }
}

/// `text` cut to its bound, with control characters escaped.
fn printable(text: &str) -> String {
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
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_one_harmless_line() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}ü"), "a\\nb\\u{1b}[31m\\u{202e}ü");
        assert_eq!(printable(&"x".repeat(10_000)).len(), MAX_TEXT);
    }
}
