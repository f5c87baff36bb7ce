//! Saying on the terminal how far downloads are.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::PATIENCE;
use crate::cli::report;
use crate::ingest::Locator;
use crate::ingest::fetch::{Progress, Transfer};

/// How often the line is written anew.
const PAUSE: Duration = Duration::from_millis(100);

/// Goes to the beginning of the line and empties it.
const CLEAR: &str = "\r\x1b[K";

/// Keeps one line on stderr about the download that moved last.
pub(in crate::cli) struct Downloads {
    watched: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each began.
    began: HashMap<Locator, Instant>,
    /// When the line was written last; none if there is none.
    written: Option<Instant>,
}

impl Downloads {
    /// On stderr if that is a terminal, and never beside output in JSON.
    pub(in crate::cli) fn on_stderr(json: bool) -> Self {
        Self { watched: !json && std::io::stderr().is_terminal(), state: Mutex::default() }
    }
}

impl Progress for Downloads {
    fn tell(&self, locator: &Locator, transfer: Transfer) {
        if !self.watched {
            return;
        }
        if let Some(text) = self.state.lock().step(locator, transfer, Instant::now()) {
            // Nothing can be done about a stderr that is closed.
            let _ = write!(anstream::stderr(), "{text}").and_then(|()| anstream::stderr().flush());
        }
    }
}

impl State {
    /// What to write, if there is anything to write.
    fn step(&mut self, locator: &Locator, transfer: Transfer, now: Instant) -> Option<String> {
        if transfer.ended {
            self.began.remove(locator);
            return self.written.take().map(|_| CLEAR.to_owned());
        }
        let began = *self.began.entry(locator.clone()).or_insert(now);
        let is_soon = self.written.is_some_and(|at| now.duration_since(at) < PAUSE);
        if now.duration_since(began) < PATIENCE || is_soon {
            return None;
        }
        self.written = Some(now);
        Some(format!("{CLEAR}{}", line(locator, transfer)))
    }
}

fn line(locator: &Locator, transfer: Transfer) -> String {
    let received = report::size(transfer.received);
    match transfer.total {
        Some(total) => format!("fetching {locator}: {received} of {}", report::size(total)),
        None => format!("fetching {locator}: {received}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_long_is_said_and_not_too_often() {
        let locator = Locator::Http("https://a.example/pack?sig=canary".parse().unwrap());
        let moved = |received| Transfer { received, total: Some(2048), ended: false };
        let ended = Transfer { received: 2048, total: Some(2048), ended: true };
        let (mut state, start) = (State::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(state.step(&locator, moved(0), start), None);
        assert_eq!(state.step(&locator, moved(512), at(499)), None);
        let text = state.step(&locator, moved(1024), at(500)).unwrap();
        assert_eq!(text, format!("{CLEAR}fetching https://a.example/pack?…: 1.0 KiB of 2.0 KiB"));
        assert_eq!(state.step(&locator, moved(1536), at(599)), None);
        assert!(state.step(&locator, moved(1536), at(600)).is_some());
        assert_eq!(state.step(&locator, ended, at(601)).as_deref(), Some(CLEAR));
        assert_eq!(state.step(&locator, ended, at(602)), None, "the line is gone");
        assert_eq!(state.step(&locator, moved(0), at(9999)), None, "another download has its own time");
    }

    #[test]
    fn nothing_is_said_beside_json() {
        assert!(!Downloads::on_stderr(true).watched);
    }
}
