//! Saying on the terminal what takes long.

mod download;

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use crate::cli::report;

pub(super) use download::Downloads;

/// Work that ends sooner needs no word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says what takes long, where somebody watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    watched: bool,
}

impl Progress {
    /// On stderr if that is a terminal, and never beside output in JSON.
    pub(super) fn on_stderr(json: bool) -> Self {
        Self { watched: !json && std::io::stderr().is_terminal() }
    }

    /// Does the work; if it takes long, says `what` once.
    pub(super) async fn of<T>(self, work: impl Future<Output = T>, what: impl FnOnce() -> String) -> T {
        match self.watched {
            true => told(work, tokio::time::sleep(PATIENCE), || report::say(&what())).await,
            false => work.await,
        }
    }
}

/// The line for the compilation of `count` components.
pub(super) fn compiling(count: usize) -> String {
    format!("compiling {count} {}…", if count == 1 { "component" } else { "components" })
}

/// Does the work, and tells if `patience` ends before it does.
async fn told<T>(work: impl Future<Output = T>, patience: impl Future<Output = ()>, tell: impl FnOnce()) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = patience => tell(),
    }
    work.await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn only_work_that_outlasts_patience_is_told() {
        let told_of = async |patience_ends: bool| {
            let (send, work) = tokio::sync::oneshot::channel();
            let mut send = Some(send);
            let mut is_told = false;
            if !patience_ends {
                send.take().unwrap().send(7).unwrap();
                assert_eq!(told(work, pending(), || is_told = true).await, Ok(7));
                return is_told;
            }
            let tell = || {
                is_told = true;
                send.take().unwrap().send(7).unwrap();
            };
            assert_eq!(told(work, ready(()), tell).await, Ok(7));
            is_told
        };
        assert!(told_of(true).await);
        assert!(!told_of(false).await);
    }

    #[test]
    fn nothing_is_said_beside_json() {
        assert!(!Progress::on_stderr(true).watched);
        assert_eq!((compiling(1), compiling(3)), ("compiling 1 component…".into(), "compiling 3 components…".into()));
    }
}
