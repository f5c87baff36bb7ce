//! Collecting what is wrong with a manifest.

use std::fmt::Display;

use crate::error::{Code, Error, Result};

/// How many findings are kept; a broken writer repeats itself.
const KEPT: usize = 50;

/// What is wrong so far.
pub(in crate::pack) struct Findings {
    code: Code,
    place: String,
    list: Vec<Error>,
    more: usize,
}

impl Findings {
    /// Collects findings of `code` about the file at `place`.
    pub(in crate::pack) fn new(code: Code, place: &str) -> Self {
        Self { code, place: place.to_owned(), list: Vec::new(), more: 0 }
    }

    /// Adds that the thing at `path` is wrong.
    pub(in crate::pack) fn add(&mut self, path: impl Display, why: impl Display) {
        self.push(Error::new(self.code, format!("{path}: {why}")));
    }

    /// Adds a finding with its own code.
    pub(in crate::pack) fn push(&mut self, finding: Error) {
        if self.list.len() < KEPT {
            self.list.push(finding.in_file(&self.place));
        } else {
            self.more += 1;
        }
    }

    /// The value, or a finding about `path`.
    pub(in crate::pack) fn ok<T>(&mut self, path: impl Display, result: Result<T, impl Display>) -> Option<T> {
        result.map_err(|why| self.add(path, why)).ok()
    }

    /// The error that sums up the findings; none if there are none.
    pub(in crate::pack) fn finish(self, summary: &str) -> Result<()> {
        if self.list.is_empty() {
            return Ok(());
        }
        let (code, place) = (self.code, self.place.clone());
        Err(Error::from_many(code, summary, self.into_notes()).in_file(place))
    }

    /// The findings themselves, for what they refuse nothing.
    pub(in crate::pack) fn into_notes(mut self) -> Vec<Error> {
        if self.more > 0 {
            self.list.push(Error::new(self.code, format!("and {} more", self.more)).in_file(&self.place));
        }
        self.list
    }
}
