//! Which sessions were seen, and whose they are.

use std::collections::HashMap;

use super::super::recording::Recording;
use super::{Broken, Promise};

/// The most sessions that are remembered.
const MOST: usize = 20_000;

/// Whose a message is, and the session that it got.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) session: String,
    pub(super) identity: Vec<String>,
}

/// A broken promise, and the earlier request that it takes.
pub(super) struct Found {
    pub(super) broken: Broken,
    pub(super) other: Option<Box<Recording>>,
}

#[derive(Default)]
pub(super) struct Sessions(HashMap<String, (Vec<String>, Recording)>);

impl Sessions {
    /// Remembers the messages of a request; tells if one shares its session with somebody else's.
    pub(super) fn add(&mut self, input: &Recording, messages: Vec<Message>) -> Result<(), Found> {
        for Message { session, identity } in messages {
            match self.0.get(&session) {
                Some((known, other)) if *known != identity => {
                    let how = format!("{known:?} and {identity:?} share the session {session:?}");
                    let other = (other != input).then(|| Box::new(other.clone()));
                    return Err(Found { broken: Broken::new(Promise::Sessions, how), other });
                }
                None if self.0.len() < MOST => {
                    self.0.insert(session, (identity, input.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
