//! What a failed connection comes to.

use std::error::Error as StdError;
use std::io;
use std::iter::successors;

use super::policy::not_public;
use super::reason::{Failure, Reason};
use super::target::Target;
use crate::net::Unreachable;

/// The failure that `error` is, of a request to `target`.
pub(super) fn failure(error: &reqwest::Error, target: &Target) -> Failure {
    if let Some(own) = find::<Failure>(error) {
        return own.clone();
    }
    if let Some(unreachable) = find::<Unreachable>(error) {
        return not_public(&unreachable.to_string());
    }
    if error.is_timeout() {
        return timed_out(target);
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return Failure::new(Reason::TlsFailed, format!("no secure connection to {target}: {tls}"));
    }
    if error.is_dns() {
        return Failure::new(Reason::NameNotFound, format!("the host of {target} has no address"));
    }
    let io = find::<io::Error>(error).map(|error| error.kind().to_string());
    if error.is_connect() {
        let why = io.unwrap_or_else(|| "no connection came about".to_owned());
        return Failure::new(Reason::NotConnected, format!("{target} cannot be connected to: {why}"));
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return Failure::new(Reason::BadAnswer, format!("what {target} answered is no HTTP, or its head is too large"));
    }
    let why = io.unwrap_or_else(|| "it ended early".to_owned());
    Failure::new(Reason::Interrupted, format!("the connection to {target} broke: {why}"))
}

/// The failure of a request to `target` whose time was up.
pub(super) fn timed_out(target: &Target) -> Failure {
    Failure::new(Reason::TimedOut, format!("{target} did not answer in time"))
}

/// The cause of a type; errors of connections hold it inside errors of input and output.
fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    // The causes themselves: references to them are errors too, and live shorter.
    successors(Some(error), |error| StdError::source(*error)).find_map(|error| {
        let inside = || error.downcast_ref::<io::Error>()?.get_ref().and_then(|inner| find(inner));
        error.downcast_ref().or_else(inside)
    })
}
