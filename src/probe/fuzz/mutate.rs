//! Inputs that are like samples and different.

use fastrand::Rng;
use serde_json::Value;

use super::super::recording::Recording;
use super::target::Target;
use super::tree;

mod bytes;
mod values;

/// The most changes of one input.
const MOST_CHANGES: usize = 6;

/// What ids are joined by somewhere.
const SEPARATORS: &[&str] = &[":", "%3A", "%", "/", "|", "-", ";messageid=", "\"", ","];

pub(super) struct Mutator<'a> {
    target: &'a Target,
    samples: Vec<Recording>,
    /// Those of the samples that are of the target's form.
    trees: Vec<Value>,
    chance: Rng,
}

impl<'a> Mutator<'a> {
    pub(super) fn new(target: &'a Target, samples: &[Recording], seed: u64) -> Self {
        let trees = samples.iter().filter_map(|sample| target.form.tree(sample)).collect();
        Self { target, samples: samples.to_vec(), trees, chance: Rng::with_seed(seed) }
    }

    /// The next input; several if they are about each other.
    pub(super) fn next(&mut self) -> Vec<Recording> {
        match self.chance.u8(..10) {
            0 => self.colliding(),
            1 | 2 => vec![self.of_bytes()],
            _ => vec![self.of_tree()],
        }
    }

    fn tree(&mut self) -> Option<Value> {
        self.chance.choice(&self.trees).cloned()
    }

    fn recording(&self, tree: &Value) -> Option<Recording> {
        self.target.form.recording(&self.target.path, tree)
    }

    fn of_bytes(&mut self) -> Recording {
        let nothing = || Recording::post(&self.target.path, self.target.form.content_type(), b"{}".to_vec());
        let mut input = self.chance.choice(&self.samples).cloned().unwrap_or_else(nothing);
        let changed = match &mut input.fetched {
            Some(fetched) if self.chance.bool() => fetched,
            _ => &mut input.body,
        };
        for _ in 0..self.chance.usize(1..=MOST_CHANGES) {
            bytes::change(changed, &mut self.chance);
        }
        input
    }

    fn of_tree(&mut self) -> Recording {
        let Some(mut value) = self.tree() else { return self.of_bytes() };
        for _ in 0..self.chance.usize(1..=MOST_CHANGES) {
            self.change(&mut value);
        }
        let Some(mut input) = self.recording(&value) else { return self.of_bytes() };
        if self.chance.u8(..8) == 0 {
            bytes::change(&mut input.body, &mut self.chance);
        }
        input
    }

    /// Two inputs whose ids look the same once they are joined, or are those of each other.
    fn colliding(&mut self) -> Vec<Recording> {
        let Some(mut value) = self.tree() else { return vec![self.of_bytes()] };
        let texts = tree::texts(&mut value);
        let (Some(&one), Some(&other)) = (self.chance.choice(&texts), self.chance.choice(&texts)) else {
            return vec![self.of_tree()];
        };
        let separator = self.chance.choice(SEPARATORS).copied().unwrap_or(":");
        let joined = |a: &str, b: &str| format!("{a}{separator}{b}");
        let pairs = match self.chance.bool() {
            true => [(joined("a", "b"), "c".to_owned()), ("a".to_owned(), joined("b", "c"))],
            false => [("a".to_owned(), "b".to_owned()), ("b".to_owned(), "a".to_owned())],
        };
        let of_pair = |(first, second): (String, String)| {
            let mut value = value.clone();
            for (place, text) in [(one, first), (other, second)] {
                if let Some(node) = tree::at(&mut value, place) {
                    *node = Value::String(text);
                }
            }
            self.recording(&value)
        };
        pairs.into_iter().filter_map(of_pair).collect()
    }

    /// Changes one node of a tree.
    fn change(&mut self, value: &mut Value) {
        let nodes = tree::count(value);
        let place = self.chance.usize(..nodes);
        match self.chance.u8(..14) {
            0 | 1 => drop(tree::remove(value, place)),
            2 => self.exchange(value, place, nodes),
            3 => self.copy(value, place, nodes),
            4 => self.splice(value, place),
            _ => {
                if let Some(node) = tree::at(value, place) {
                    values::change(node, &mut self.chance);
                }
            }
        }
    }

    /// Puts two nodes into each other's place, as ids that were confused.
    fn exchange(&mut self, value: &mut Value, place: usize, nodes: usize) {
        let other = self.chance.usize(..nodes);
        let is_leaf = |node: &Value| !node.is_object() && !node.is_array();
        let leaf = |value: &mut Value, place| tree::at(value, place).filter(|node| is_leaf(node)).cloned();
        let (Some(one), Some(another)) = (leaf(value, place), leaf(value, other)) else { return };
        for (place, node) in [(place, another), (other, one)] {
            if let Some(at) = tree::at(value, place) {
                *at = node;
            }
        }
    }

    /// Puts a node into another's place as well.
    fn copy(&mut self, value: &mut Value, place: usize, nodes: usize) {
        let from = self.chance.usize(..nodes);
        let Some(node) = tree::at(value, from).cloned() else { return };
        if let Some(at) = tree::at(value, place) {
            *at = node;
        }
    }

    /// Takes a node out of another sample.
    fn splice(&mut self, value: &mut Value, place: usize) {
        let Some(mut other) = self.tree() else { return };
        let from = self.chance.usize(..tree::count(&other));
        if let (Some(node), Some(at)) = (tree::at(&mut other, from), tree::at(value, place)) {
            *at = node.take();
        }
    }
}
