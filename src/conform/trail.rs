//! Where a comparison stands, and what it has found.

use super::names::nearest;

/// A place at which two sides differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The place, from the function inwards.
    pub(super) item: String,
    /// What the asking side wants there.
    pub(super) asked: String,
    /// What the other side has there.
    pub(super) offered: String,
    /// The name that was probably meant.
    pub(super) nearest: Option<String>,
}

/// What stands for a thing that is not there.
pub(super) const NOTHING: &str = "nothing";

/// The way from a function into its types, and the differences on it.
#[derive(Debug, Default)]
pub(super) struct Trail {
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Trail {
    /// Begins anew at `place`.
    pub(super) fn start(&mut self, place: String) {
        self.path = vec![place];
    }

    /// One step inwards.
    pub(super) fn enter(&mut self, segment: String) {
        self.path.push(segment);
    }

    /// One step outwards.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// Notes a difference at the place where the trail stands.
    pub(super) fn report(&mut self, asked: impl ToString, offered: impl ToString) {
        let item = self.path.join(" > ");
        self.found.push(Difference { item, asked: asked.to_string(), offered: offered.to_string(), nearest: None });
    }

    /// Says which of `candidates` the name in the last difference may have meant.
    pub(super) fn propose<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) {
        if let Some(last) = self.found.last_mut() {
            last.nearest = nearest(name, candidates);
        }
    }

    /// How many differences there are.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// The differences, which are forgotten here.
    pub(super) fn take(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.found)
    }
}
