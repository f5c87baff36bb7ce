//! Requests over HTTP that guests have the host make.
//!
//! In: a request of somebody who is not trusted, and the [`Policy`] that a tenant's bindings state. Out: an answer within
//! bounds, or a [`Failure`] with one of a closed set of [`Reason`]s, which is the same for the guest, the log and the
//! tally. Nothing goes out that the policy does not allow, to no address that it does not allow, and the address that was
//! judged is the one that is connected to. Redirects are requests like the first. This room knows no wasm, no tenants and
//! no flows; each [`Outbound`] has connections, places and counts of its own, so that no tenant meets another.

mod allow;
mod answer;
mod client;
mod connect;
mod fault;
mod headers;
mod places;
mod policy;
mod reason;
mod redirect;
mod request;
mod tally;
mod target;
#[cfg(test)]
mod tests;

pub use allow::Allowed;
pub use answer::{Answer, Incoming, Opened};
pub use client::Outbound;
pub use policy::Policy;
pub use reason::{Failure, Kind, Reason};
pub use request::{Body, BodyStream, Options, Request};
pub use tally::{Counts, Tally};
pub use target::shown_origin;
