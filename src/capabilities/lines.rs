//! A guest's standard output, and its standard error, as lines of the host's log: bounded, printable, without what it
//! was given, and under the identity that the host knows.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Level;

use super::calls::Function;
use super::ledger::Uses;
use super::log::{self, LOG_BYTES};
use super::scope::Scope;
use super::stderr::Tail;
use super::written::Sink;
use crate::secret::{Cutter, Hidden};
use crate::telemetry::Redaction;

/// Writes what it gets line by line. Clones write to the same line; the last one ends it.
#[derive(Clone)]
pub(super) struct Lines(Arc<Mutex<Inner>>);

struct Inner {
    cutter: Cutter,
    output: Output,
    uses: Uses,
    function: Function,
    /// What explains a failure is kept beside the log.
    tail: Option<Tail>,
}

/// Where lines go.
struct Output {
    name: &'static str,
    level: Level,
    scope: Scope,
    /// The secrets and the variables that the guest was given.
    hidden: [Hidden; 2],
    /// Bytes that are still logged.
    left: usize,
}

impl Lines {
    /// The lines of `function`'s stream, called `name`, of a guest that runs on behalf of `scope`, without what is `hidden`.
    pub(super) fn new(
        function: Function,
        (name, level): (&'static str, Level),
        scope: &Scope,
        hidden: [Hidden; 2],
        uses: Uses,
        tail: Option<Tail>,
    ) -> Self {
        let output = Output { name, level, scope: scope.clone(), hidden, left: LOG_BYTES };
        Self(Arc::new(Mutex::new(Inner { cutter: Cutter::default(), output, uses, function, tail })))
    }
}

impl Sink for Lines {
    fn push(&self, bytes: &[u8]) {
        self.0.lock().push(bytes);
    }
}

impl Inner {
    fn push(&mut self, bytes: &[u8]) {
        if let Some(tail) = &self.tail {
            tail.push(bytes);
        }
        self.uses.count(self.function);
        if self.output.left > 0 {
            let hidden = self.output.hidden.clone();
            self.cutter.push(bytes, &hidden.each_ref(), |line, length| self.output.write(line, length));
        }
    }
}

impl Output {
    /// Logs a line, for which `length` bytes were written.
    fn write(&mut self, line: &str, length: usize) {
        if self.left == 0 {
            return;
        }
        let line = log::printable(&Redaction::of_process().text(line));
        self.left = self.left.saturating_sub(length);
        let rest = if self.left == 0 { " (further output of this invocation is dropped)" } else { "" };
        log::write(&self.scope, Some(self.level), &format!("{}: {line}{rest}", self.name));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let hidden = self.output.hidden.clone();
        self.cutter.end(&hidden.each_ref(), |line, length| self.output.write(line, length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::ledger::{Ledger, STDOUT, Used};
    use crate::capabilities::log::MAX_TEXT;
    use crate::capabilities::log::tests::captured;
    use crate::id::Id;

    fn written(pieces: &[&[u8]]) -> (String, Arc<Ledger>) {
        let ledger = Arc::new(Ledger::default());
        let mut scope = Scope::outside("c");
        scope.tenant = Id::from("acme");
        let log = captured(|| {
            let uses = Uses::of(&ledger, &scope.component);
            let hidden = [Hidden::default(), Hidden::of(["canary-value"])];
            let lines = Lines::new(STDOUT, ("stdout", Level::INFO), &scope, hidden.clone(), uses, None);
            hidden[0].note_text("canary-of-a-secret");
            pieces.iter().for_each(|piece| lines.push(piece));
        });
        (log, ledger)
    }

    #[test]
    fn each_line_is_one_record_whatever_the_pieces() {
        let (log, ledger) = written(&[b"one\ntw", b"o\n\n\r\n", b"the \x1b[31mend"]);
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 3, "{log}");
        for (line, text) in lines.iter().zip(["stdout: one", "stdout: two", "stdout: the \\u{1b}[31mend"]) {
            for part in [text, "INFO greentic::guest", "tenant=acme", "component=c"] {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
        assert_eq!(ledger.of(Used::Stdout)[0].1.times, 3, "three writes");
    }

    #[test]
    fn what_it_was_given_is_not_printed() {
        let (log, _) = written(&[b"KEY is canary-", b"value, Authorization: Bearer canary.token, canary-of-a-secret"]);
        assert!(log.contains("KEY is [redacted], Authorization: Bearer [redacted], [redacted]"), "{log}");
        assert!(!log.contains("canary"), "{log}");
    }

    #[test]
    fn a_secret_at_which_a_long_line_is_cut_is_not_printed() {
        for before in [MAX_TEXT - 10, MAX_TEXT - 1] {
            let line = format!("{} canary-of-a-secret {}\n", "x".repeat(before), "y".repeat(MAX_TEXT));
            let (log, _) = written(&[line.as_bytes()]);
            assert!(!log.contains("canary") && !log.contains("secret "), "{log}");
            assert_eq!(log.matches("[redacted]").count(), 1, "{log}");
        }
    }

    #[test]
    fn a_flood_and_a_line_without_end_are_cut() {
        let (log, _) = written(&[&vec![b'x'; 4 * LOG_BYTES]]);
        assert_eq!(log.lines().count(), LOG_BYTES / MAX_TEXT);
        assert!(log.lines().all(|line| line.len() < MAX_TEXT + 400), "each is bounded");
        assert!(log.lines().last().unwrap().contains("further output of this invocation is dropped"));
    }
}
