//! Which values a Handlebars template uses, and the small context that holds only those.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::flow::template::path::{Root, Segment};
use crate::flow::template::vars::{INPUT, Vars, is_unwrapped};

/// A tree of keys; where it ends, the whole value below is wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    whole: bool,
    keys: IndexMap<String, Wanted>,
}

impl Wanted {
    /// Adds the path `keys`.
    pub(super) fn add<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>) {
        let mut at = self;
        for key in keys {
            if at.whole {
                return;
            }
            at = at.keys.entry(key.to_owned()).or_default();
        }
        at.whole = true;
        at.keys.clear();
    }

    /// The part of `value` that is wanted. Arrays come whole: leaving items out would shift the others.
    fn part_of(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) if !self.whole => Value::Object(
                self.keys
                    .iter()
                    .filter_map(|(key, below)| fields.get(key).map(|field| (key.clone(), below.part_of(field))))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

/// What a template uses, by root.
#[derive(Debug, Default)]
pub(super) struct Uses {
    roots: Vec<(Root, Wanted)>,
}

impl Uses {
    /// Adds a path below `root`.
    pub(super) fn add<'k>(&mut self, root: Root, keys: impl IntoIterator<Item = &'k str>) {
        if let Some((_, wanted)) = self.roots.iter_mut().find(|(known, _)| *known == root) {
            return wanted.add(keys);
        }
        let mut wanted = Wanted::default();
        wanted.add(keys);
        self.roots.push((root, wanted));
    }

    /// Adds everything that `roots` hold.
    pub(super) fn add_all(&mut self, roots: &[Root]) {
        for root in roots {
            self.add(*root, []);
        }
    }

    /// The context for rendering: what is used, and nothing else.
    pub(super) fn context(&self, vars: &Vars<'_>) -> Value {
        let parts = self.roots.iter().filter_map(|(root, wanted)| {
            let value = part(*root, wanted, vars)?;
            Some((root.name().to_owned(), value))
        });
        Value::Object(parts.collect())
    }
}

fn part(root: Root, wanted: &Wanted, vars: &Vars<'_>) -> Option<Value> {
    match root {
        Root::Node if !wanted.whole => {
            let found = wanted.keys.iter().filter_map(|(id, below)| {
                let payload = &vars.nodes.get(id)?.payload;
                Some((id.clone(), below.part_of(payload)))
            });
            Some(Value::Object(found.collect()))
        }
        Root::State if !wanted.whole => Some(state_part(wanted, vars)),
        Root::Entry | Root::Event => vars.resolve(root, &[]).map(|event| event_part(wanted, &event)),
        _ => vars.resolve(root, &[]).map(|value| wanted.part_of(&value)),
    }
}

/// The wanted part of an event, which stands below `input` too if it came without that key.
fn event_part(wanted: &Wanted, event: &Value) -> Value {
    let mut part = wanted.part_of(event);
    if let (Some(below), Value::Object(fields)) = (wanted.keys.get(INPUT), &mut part)
        && is_unwrapped(event)
    {
        fields.insert(INPUT.to_owned(), below.part_of(event));
    }
    part
}

fn state_part(wanted: &Wanted, vars: &Vars<'_>) -> Value {
    let mut state = Map::new();
    for (key, below) in &wanted.keys {
        if key == "nodes" && !below.whole {
            let nodes = below.keys.iter().filter_map(|(id, below)| {
                let path = [Segment::new("nodes"), Segment::new(id)];
                Some((id.clone(), output_part(below, &path, vars)?))
            });
            state.insert(key.clone(), Value::Object(nodes.collect()));
        } else if let Some(value) = vars.resolve(Root::State, &[Segment::new(key)]) {
            state.insert(key.clone(), below.part_of(&value));
        }
    }
    Value::Object(state)
}

/// The wanted part of one node's `{ok, payload, meta}`, without copying the rest of it.
fn output_part(wanted: &Wanted, path: &[Segment; 2], vars: &Vars<'_>) -> Option<Value> {
    if wanted.whole {
        return vars.resolve(Root::State, path).map(|value| value.into_owned());
    }
    let [nodes, id] = path;
    let fields = wanted.keys.iter().filter_map(|(field, below)| {
        let value = vars.resolve(Root::State, &[nodes.clone(), id.clone(), Segment::new(field)])?;
        Some((field.clone(), below.part_of(&value)))
    });
    Some(Value::Object(fields.collect()))
}
