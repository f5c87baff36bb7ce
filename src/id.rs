//! Identifiers of packs, flows, nodes, components, providers and tenants.
//!
//! All share one rule, published with the pack format: not empty, only ASCII letters, digits, `.`, `-` and `_`.

use std::sync::Arc;

use crate::error::{Code, Error, Result};

/// A checked identifier. Cheap to clone; ordered and hashed as text.
pub type Id = Arc<str>;

/// The longest identifier that is accepted, in bytes.
pub const MAX_LEN: usize = 256;

/// Checks `text` and makes an [`Id`] of it; `what` names the thing in the error ("flow id").
pub fn parse(what: &str, text: &str) -> Result<Id> {
    if is_valid(text) {
        return Ok(Id::from(text));
    }
    Err(Error::new(Code::InvalidId, format!("{what} {:?} is not a valid identifier", clip(text)))
        .hint("use ASCII letters, digits, '.', '-' and '_', at least one and at most 256 of them"))
}

/// Tells whether `text` follows the rule for identifiers.
pub fn is_valid(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// The first characters of untrusted text, for messages.
pub fn clip(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut out: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}
