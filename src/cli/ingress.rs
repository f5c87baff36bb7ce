//! `ingress`: adapters without a server, and signed requests to one.

mod files;
mod fuzz;
mod normalize;
mod secret;
mod send;
mod sign;

use std::process::ExitCode;

use clap::builder::PossibleValue;

use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::error::Result;
use crate::probe::Kind;

/// See what adapters make of platforms' requests, sign such requests, send them, and look for inputs that break adapters
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Normalize(normalize::Args),
    Sign(sign::Args),
    Send(send::Args),
    Fuzz(fuzz::Args),
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Normalize(args) => normalize::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Send(args) => super::block_on(send::run(args)),
        Command::Fuzz(args) => fuzz::run(&args),
    }
}

impl clap::ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// When requests are sent and received.
#[derive(Debug, clap::Args)]
struct NowArgs {
    /// The time instead of the clock's: seconds since 1970, or as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<Timestamp>,
}

impl NowArgs {
    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(|| SystemClock.now())
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse::<i64>().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let time = seconds.or_else(|| text.parse::<jiff::Timestamp>().ok());
    let time = time.ok_or_else(|| "give seconds since 1970, or a time as 2026-01-02T03:04:05Z".to_owned())?;
    Ok(Timestamp(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_written_out() {
        assert_eq!(time("1531420618"), Ok(Timestamp(1_531_420_618_000)));
        assert_eq!(time("2018-07-12T18:36:58Z"), Ok(Timestamp(1_531_420_618_000)));
        for text in ["", "soon", "99999999999999999", "2018-07-12", "1.5"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
