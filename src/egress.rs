//! Egress: sending replies to the platforms that the messages came from.
//!
//! In: replies that wait in the store, by route. Out: requests of a platform's API, one file per platform. A platform is
//! a [`Sender`]: pure functions that make requests of a reply and read what the platform answered. The I/O is the
//! [`Courier`]'s: it keeps the order of a route, the platform's pace, and notes in the store what it is about to send, so
//! that a request of which nobody knows whether it was taken is never repeated.
//!
//! The room knows nothing of flows or of incoming requests. A route's place is written by `ingress`, as the text of the
//! platform's `Address`, and read here.

mod card;
pub mod courier;
mod message;
mod sender;
mod styled;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod value;

pub mod slack;
pub mod teams;
pub mod telegram;
pub mod webex;
pub mod whatsapp;

pub use courier::{Courier, Delivery, DeliveryCount, Outlet};
pub use message::{Action, Button, Card, File, FileSource, Message};
pub use sender::{Answer, Auth, Body, Call, ClientCredentials, Pace, Part, Rate, Sender, Verdict, by_status};
pub use text::split;
pub(crate) use value::unpacked;
