//! Making requests that break a promise as small as they can be.

use serde_json::{Value, json};

use super::super::recording::Recording;
use super::lab::Lab;
use super::target::Target;
use super::{Broken, Failure, Promise, tree};

/// The most requests that are tried.
const PATIENCE: usize = 4_000;

/// The same where each takes its time.
const PATIENCE_WHEN_SLOW: usize = 20;

struct Shrinking<'a> {
    lab: &'a Lab<'a>,
    target: &'a Target,
    recordings: Vec<Recording>,
    broken: Broken,
    left: usize,
}

/// The smallest requests that were found to break the same promise.
pub(super) fn shrink(lab: &Lab<'_>, target: &Target, recordings: Vec<Recording>, broken: Broken) -> Failure {
    let found_bytes = super::size(&recordings);
    let left = if broken.promise == Promise::Quick { PATIENCE_WHEN_SLOW } else { PATIENCE };
    let mut shrinking = Shrinking { lab, target, recordings, broken, left };
    shrinking.fewer();
    for place in 0..shrinking.recordings.len() {
        shrinking.tree(place);
        shrinking.bytes(place);
    }
    // One that became small may do without the other.
    shrinking.fewer();
    let Shrinking { recordings, broken, .. } = shrinking;
    Failure { broken, recordings, found_bytes }
}

impl Shrinking<'_> {
    /// Takes the requests over, if they break the same promise.
    fn take_all(&mut self, tried: Vec<Recording>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        match self.lab.check_all(&tried) {
            Some(broken) if broken.promise == self.broken.promise => {
                (self.recordings, self.broken) = (tried, broken);
                true
            }
            _ => false,
        }
    }

    /// Takes a request over in the place of another.
    fn take(&mut self, place: usize, smaller: Recording) -> bool {
        let mut tried = self.recordings.clone();
        let Some(at) = tried.get_mut(place) else { return false };
        *at = smaller;
        self.take_all(tried)
    }

    /// Does without those of several requests that are not needed.
    fn fewer(&mut self) {
        for place in (0..self.recordings.len()).rev() {
            if self.recordings.len() < 2 {
                return;
            }
            let mut tried = self.recordings.clone();
            tried.remove(place);
            self.take_all(tried);
        }
    }

    fn take_tree(&mut self, place: usize, tree: &Value) -> bool {
        let smaller = self.target.form.recording(&self.target.path, tree);
        smaller.is_some_and(|smaller| self.take(place, smaller))
    }

    /// Takes nodes away, and makes those smaller that have to stay.
    fn tree(&mut self, place: usize) {
        let Some(mut value) = self.recordings.get(place).and_then(|recording| self.target.form.tree(recording)) else {
            return;
        };
        // What is not said by the tree, such as fields that come twice, may be what matters.
        if !self.take_tree(place, &value) {
            return;
        }
        loop {
            let before = value.clone();
            let mut node = 0;
            while node < tree::count(&value) {
                match smaller(&value, node).into_iter().find(|smaller| self.take_tree(place, smaller)) {
                    Some(smaller) => value = smaller,
                    None => node += 1,
                }
            }
            if value == before || self.left == 0 {
                return;
            }
        }
    }

    /// Takes bytes away, in pieces that become smaller.
    fn bytes(&mut self, place: usize) {
        let Some(length) = self.recordings.get(place).map(|recording| recording.body.len()) else { return };
        let mut piece = length / 2;
        while piece > 0 {
            let mut at = 0;
            while let Some(recording) = self.recordings.get(place).filter(|recording| at < recording.body.len()) {
                let mut smaller = recording.clone();
                let end = (at + piece).min(smaller.body.len());
                drop(smaller.body.drain(at..end));
                if !self.take(place, smaller) {
                    at += piece;
                }
                if self.left == 0 {
                    return;
                }
            }
            piece /= 2;
        }
    }
}

/// What a tree may be without, or with less of, the node at a place; each is smaller than the tree.
fn smaller(value: &Value, place: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut without = value.clone();
    if tree::remove(&mut without, place) {
        found.push(without);
    }
    let mut changed = value.clone();
    let Some(node) = tree::at(&mut changed, place) else { return found };
    let halves = match &*node {
        Value::String(text) => {
            let middle = text.char_indices().map(|(at, _)| at).nth(text.chars().count() / 2).unwrap_or(0);
            let (head, tail) = text.split_at(middle);
            [head, tail].into_iter().filter(|half| half.len() < text.len()).map(Value::from).collect()
        }
        Value::Array(items) if items.len() > 2 => {
            let (head, tail) = items.split_at(items.len() / 2);
            vec![json!(head), json!(tail)]
        }
        // What a node holds may do in its place.
        Value::Array(items) => items.clone(),
        Value::Object(fields) if fields.len() == 1 => fields.values().cloned().collect(),
        _ => Vec::new(),
    };
    for half in halves {
        let mut with = value.clone();
        if let Some(node) = tree::at(&mut with, place) {
            *node = half;
            found.push(with);
        }
    }
    found
}
