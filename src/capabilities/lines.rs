//! A guest's standard output, and its standard error, as lines of the host's log: bounded, printable, without what it
//! was given, and under the identity that the host knows.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Level;

use super::calls::Function;
use super::hidden::redacted;
use super::ledger::Uses;
use super::log::{self, LOG_BYTES, MAX_TEXT};
use super::redact::Given;
use super::scope::Scope;
use super::stderr::Tail;
use super::wasi::WasiGrants;
use super::written::Sink;
use crate::telemetry::Redaction;

/// Writes what it gets line by line. Clones write to the same line; the last one ends it.
#[derive(Clone)]
pub(super) struct Lines(Arc<Mutex<Inner>>);

struct Inner {
    name: &'static str,
    level: Level,
    scope: Scope,
    given: Arc<WasiGrants>,
    secrets: Given,
    uses: Uses,
    function: Function,
    /// What explains a failure is kept beside the log.
    tail: Option<Tail>,
    line: Vec<u8>,
    /// Bytes that are still logged.
    left: usize,
}

impl Lines {
    /// The lines of `function`'s stream, called `name`, of a guest that runs on behalf of `scope` and was `given` this.
    pub(super) fn new(
        function: Function,
        (name, level): (&'static str, Level),
        scope: &Scope,
        (given, secrets): (&Arc<WasiGrants>, &Given),
        uses: Uses,
        tail: Option<Tail>,
    ) -> Self {
        let (scope, given, secrets) = (scope.clone(), Arc::clone(given), secrets.clone());
        Self(Arc::new(Mutex::new(Inner {
            name,
            level,
            scope,
            given,
            secrets,
            uses,
            function,
            tail,
            line: Vec::new(),
            left: LOG_BYTES,
        })))
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
        if self.left == 0 {
            return;
        }
        for mut piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            while !piece.is_empty() {
                let (part, rest) = piece.split_at(piece.len().min(MAX_TEXT.saturating_sub(self.line.len())));
                self.line.extend_from_slice(part);
                piece = rest;
                // A line without end is cut, and goes on in the next record.
                if self.line.ends_with(b"\n") || self.line.len() >= MAX_TEXT {
                    self.end_line();
                }
            }
        }
    }

    /// Logs the line that was begun, if it says anything.
    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() || self.left == 0 {
            return;
        }
        let text = self.secrets.hide(&Redaction::of_process().text(text));
        let text = log::printable(&redacted(&text, self.given.values()));
        self.left = self.left.saturating_sub(bytes.len());
        let rest = if self.left == 0 { " (further output of this invocation is dropped)" } else { "" };
        log::write(&self.scope, Some(self.level), &format!("{}: {text}{rest}", self.name));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::ledger::{Ledger, STDOUT, Used};
    use crate::capabilities::log::tests::captured;
    use crate::id::Id;

    fn written(pieces: &[&[u8]]) -> (String, Arc<Ledger>) {
        let ledger = Arc::new(Ledger::default());
        let mut scope = Scope::outside("c");
        scope.tenant = Id::from("acme");
        let given = WasiGrants { env: vec![("KEY".into(), "canary-value".into())], ..WasiGrants::default() };
        let log = captured(|| {
            let uses = Uses::of(&ledger, &scope.component);
            let secrets = Given::default();
            let given = Arc::new(given);
            let lines = Lines::new(STDOUT, ("stdout", Level::INFO), &scope, (&given, &secrets), uses, None);
            secrets.note(&crate::secret::SecretBytes::new(*b"canary-of-a-secret"));
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
    fn a_flood_and_a_line_without_end_are_cut() {
        let (log, _) = written(&[&vec![b'x'; 4 * LOG_BYTES]]);
        assert_eq!(log.lines().count(), LOG_BYTES / MAX_TEXT);
        assert!(log.lines().all(|line| line.len() < MAX_TEXT + 400), "each is bounded");
        assert!(log.lines().last().unwrap().contains("further output of this invocation is dropped"));
    }
}
