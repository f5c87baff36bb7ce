//! Slack: replies as requests of its API.

mod address;

pub use address::Address;
pub(crate) use address::response_url;
