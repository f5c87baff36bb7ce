//! Webex: replies as requests of its API.

mod address;

pub use address::Address;
