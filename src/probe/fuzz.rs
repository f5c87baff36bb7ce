//! Mutation fuzzing of adapters, with nothing but the host itself: samples are changed, and what adapters promise is
//! checked of everything that comes out. What breaks a promise is made as small as it can be and still break it.
//!
//! The inputs follow from the seed and the samples alone. Only the two bounds on time look at a clock.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::recording::Recording;
use crate::error::Result;

mod bounds;
mod check;
mod forge;
mod lab;
mod mutate;
mod panics;
mod sessions;
mod shrink;
mod target;
#[cfg(test)]
mod tests;
mod tree;

use lab::Lab;
use mutate::Mutator;
use sessions::{Found, Sessions};
pub use target::{Proof, Signing, Target};

/// What every adapter promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It does not panic.
    NoPanic,
    /// It takes less time than anybody notices.
    Quick,
    /// The same request gives the same.
    Deterministic,
    /// A refusal is the request's fault, and never the host's.
    Blame,
    /// A message is its tenant's and its provider's.
    Belonging,
    /// Envelopes keep to their schema, lists and ids to their bounds, and nothing is multiplied.
    Bounded,
    /// What is stored is read back as it was.
    RoundTrip,
    /// Different people or places never share a session.
    Sessions,
    /// Replies go to a place of the tenant that can be read again.
    Routes,
    /// What would prove who sent a request is not shown.
    Discreet,
    /// What was not signed with the secret is not let in.
    Forgery,
    /// What was signed with the secret is let in.
    Genuine,
}

impl Promise {
    /// A word for it, for names of files.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoPanic => "panic",
            Self::Quick => "slow",
            Self::Deterministic => "undetermined",
            Self::Blame => "blame",
            Self::Belonging => "belonging",
            Self::Bounded => "unbounded",
            Self::RoundTrip => "round-trip",
            Self::Sessions => "shared-session",
            Self::Routes => "route",
            Self::Discreet => "secret-shown",
            Self::Forgery => "forged",
            Self::Genuine => "refused",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPanic => "an adapter does not panic",
            Self::Quick => "a request is read in no time",
            Self::Deterministic => "the same request gives the same",
            Self::Blame => "a refusal is the request's fault, and not the host's",
            Self::Belonging => "a message is its tenant's and its provider's",
            Self::Bounded => "envelopes keep to their schema and bounds",
            Self::RoundTrip => "what is stored is read back as it was",
            Self::Sessions => "different people or places never share a session",
            Self::Routes => "replies go to a place of the tenant that can be read again",
            Self::Discreet => "what proves who sent a request is not shown",
            Self::Forgery => "what was not signed with the secret is not let in",
            Self::Genuine => "what was signed with the secret is let in",
        })
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// How.
    pub how: String,
}

impl Broken {
    fn new(promise: Promise, how: impl Into<String>) -> Self {
        Self { promise, how: how.into() }
    }
}

/// How long to go on: until the first of these bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// The most time.
    pub time: Option<Duration>,
    /// The most inputs.
    pub inputs: Option<u64>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How many inputs were tried.
    pub inputs: u64,
    /// How many of them were messages.
    pub messages: u64,
    /// The first broken promise.
    pub failure: Option<Failure>,
}

/// Requests that break a promise, as small as they could be made.
#[derive(Debug)]
pub struct Failure {
    /// Which promise, and how.
    pub broken: Broken,
    /// The requests: one, or the two that it takes to share a session.
    pub recordings: Vec<Recording>,
    /// How many bytes they had before.
    pub found_bytes: usize,
}

impl Failure {
    /// How many bytes the requests have.
    pub fn bytes(&self) -> usize {
        size(&self.recordings)
    }
}

/// How many bytes bodies and answers have.
fn size(recordings: &[Recording]) -> usize {
    recordings.iter().map(|recording| recording.body.len() + recording.fetched.as_ref().map_or(0, Vec::len)).sum()
}

/// Changes `samples` and checks what `target` makes of them, the samples themselves first.
///
/// # Errors
///
/// If the target's adapter cannot be opened.
pub fn run(target: &Target, samples: &[Recording], seed: u64, effort: Effort) -> Result<Report> {
    let lab = Lab::open(target)?;
    let mut sessions = Sessions::default();
    let mut report = Report { inputs: 0, messages: 0, failure: None };
    let mut mutator = Mutator::new(target, samples, seed);
    let mut next: VecDeque<Recording> = samples.to_vec().into();
    let began = Instant::now();
    loop {
        let enough = effort.inputs.is_some_and(|most| report.inputs >= most);
        if enough || effort.time.is_some_and(|most| began.elapsed() >= most) {
            return Ok(report);
        }
        let Some(input) = next.pop_front() else {
            next.extend(mutator.next());
            continue;
        };
        report.inputs += 1;
        let found = lab.check(&input).and_then(|messages| {
            report.messages += u64::from(!messages.is_empty());
            sessions.add(&input, messages)
        });
        if let Err(Found { broken, other }) = found {
            let recordings = other.map(|other| *other).into_iter().chain([input]).collect();
            report.failure = Some(shrink::shrink(&lab, target, recordings, broken));
            return Ok(report);
        }
    }
}

/// Checks these requests, and that they share no session that they should not; the promise that they break, if they do.
///
/// # Errors
///
/// If the target's adapter cannot be opened.
pub fn replay(target: &Target, recordings: &[Recording]) -> Result<Option<Broken>> {
    Ok(Lab::open(target)?.check_all(recordings))
}
