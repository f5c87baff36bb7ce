//! The network as others may use it through this host: which addresses are public, and connections to those alone.
//!
//! In: a host that somebody else named, in a remote index or in a redirect. Out: whether it may be connected to, and a
//! resolver that gives no other addresses, so that the address that was judged is the one that is used. This room knows
//! no locators, packs or guests.

mod address;
mod reach;
mod resolver;
pub mod tls;

pub use address::why_not_public;
pub use reach::{AllowedHost, Reach};
pub use resolver::{Lookup, Resolver, SystemLookup, Unreachable};
