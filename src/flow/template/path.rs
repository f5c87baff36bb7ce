//! Paths into what a run knows: `entry.items[0]["some key"]`.

use serde_json::Value;

use crate::flow::hint;
use crate::flow::template::Site;
use crate::id;

/// The deepest path that is accepted, in segments.
const MAX_SEGMENTS: usize = 64;

/// What a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// The flow's input: `entry`.
    Entry,
    /// The input of the event that is worked on: `in`. The flow's input until the flow waited for another event.
    Event,
    /// The output of the node before this one.
    Prev,
    /// The outputs of all nodes by id.
    Node,
    /// `{entry, input, nodes: {id: {ok, payload, meta}}, redirect_count}`.
    State,
    /// The flow's constants.
    Parameters,
    /// The input of a call that is being mapped.
    Input,
    /// The result of a call that is being mapped.
    Result,
    /// The error of a call that is being mapped.
    Error,
}

impl Root {
    /// What any payload may use.
    pub const PAYLOAD: &'static [Self] =
        &[Self::Entry, Self::Event, Self::Prev, Self::Node, Self::State, Self::Parameters];
    /// What the map of a call's input or result may use.
    pub const CALL: &'static [Self] =
        &[Self::Entry, Self::Event, Self::Prev, Self::Node, Self::State, Self::Parameters, Self::Input, Self::Result];
    /// What the map of a node's output may use.
    pub const OUTPUT: &'static [Self] =
        &[Self::Entry, Self::Event, Self::Prev, Self::Node, Self::State, Self::Parameters, Self::Result];
    /// What the map of a call's error may use; `input` is what the call was given.
    pub const FAILURE: &'static [Self] =
        &[Self::Entry, Self::Event, Self::Prev, Self::Node, Self::State, Self::Parameters, Self::Input, Self::Error];

    /// How templates spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Event => "in",
            Self::Prev => "prev",
            Self::Node => "node",
            Self::State => "state",
            Self::Parameters => "parameters",
            Self::Input => "input",
            Self::Result => "result",
            Self::Error => "error",
        }
    }
}

/// One step of a path: a key of an object, or where the value is an array and the key a number, its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) key: String,
    pub(crate) index: Option<usize>,
}

impl Segment {
    pub(crate) fn new(key: &str) -> Self {
        Self { key: key.to_owned(), index: key.parse().ok() }
    }
}

/// A path whose root is known.
#[derive(Clone, Debug)]
pub struct VarPath {
    pub(crate) root: Root,
    pub(crate) rest: Vec<Segment>,
    /// As written.
    pub(crate) text: String,
}

impl VarPath {
    /// Checks `segments` against what `site` knows; `text` is what the author wrote.
    pub(super) fn new(segments: Vec<Segment>, text: &str, site: &mut Site<'_>) -> Option<Self> {
        let (first, rest) = segments.split_first()?;
        let Some(root) = root(&first.key, site.roots) else {
            let hint = site.roots_hint();
            site.invalid(text, &format!("`{}` is not known", id::clip(&first.key)), &hint);
            return None;
        };
        check_names(root, rest.iter().map(|segment| segment.key.as_str()), text, site).then(|| Self {
            root,
            rest: rest.to_vec(),
            text: text.to_owned(),
        })
    }

    /// A JSON pointer such as `/entry/items/0`.
    pub(super) fn pointer(text: &str, site: &mut Site<'_>) -> Option<Self> {
        let segments: Vec<Segment> =
            text.split('/').skip(1).map(|token| Segment::new(&token.replace("~1", "/").replace("~0", "~"))).collect();
        if segments.len() > MAX_SEGMENTS {
            site.invalid(text, "the pointer is too deep", "at most 64 segments");
            return None;
        }
        Self::new(segments, text, site)
    }
}

/// The root that `name` means.
pub(super) fn root(name: &str, roots: &[Root]) -> Option<Root> {
    roots.iter().copied().find(|root| root.name() == name)
}

/// Checks that the node or parameter that a path names exists, and reports it if not. Keys after the root.
pub(super) fn check_names<'k>(
    root: Root,
    mut keys: impl Iterator<Item = &'k str>,
    text: &str,
    site: &mut Site<'_>,
) -> bool {
    if root == Root::Parameters {
        return check_parameter(keys, text, site);
    }
    let node = match root {
        Root::Node => keys.next(),
        Root::State => (keys.next() == Some("nodes")).then(|| keys.next()).flatten(),
        _ => None,
    };
    match node {
        Some(node) if !(site.has_node)(node) => {
            let problem = format!("the flow has no node {:?}", id::clip(node));
            site.invalid(text, &problem, "use the id of a node of this flow: `node.<id>.field`");
            false
        }
        _ => true,
    }
}

fn check_parameter<'k>(mut keys: impl Iterator<Item = &'k str>, text: &str, site: &mut Site<'_>) -> bool {
    let found = keys.try_fold(site.parameters, |at, key| walk(at, &[Segment::new(key)]));
    if found.is_none() {
        let names = site.parameters.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str));
        let hint = hint::did_you_mean("", "parameters", names);
        site.invalid(text, "the flow has no such parameter", &hint);
    }
    found.is_some()
}

/// Follows `path` into `value`.
pub(crate) fn walk<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |at, segment| match at {
        Value::Object(fields) => fields.get(&segment.key),
        Value::Array(items) => items.get(segment.index?),
        _ => None,
    })
}

/// Parses `a.b[0]["k"]`; a leading `this.` is dropped. Nothing if `text` is no such path.
pub(crate) fn parse(text: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = text.strip_prefix("this.").unwrap_or(text);
    loop {
        if rest.starts_with('[') {
            let (segment, after) = bracket(rest)?;
            segments.push(segment);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end)?;
            if name.is_empty() || !name.chars().all(is_name) {
                return None;
            }
            segments.push(Segment::new(name));
            rest = after;
        }
        if segments.len() > MAX_SEGMENTS {
            return None;
        }
        rest = match rest.strip_prefix('.') {
            Some(after) => after,
            None if rest.is_empty() => return Some(segments),
            None if rest.starts_with('[') => rest,
            None => return None,
        };
    }
}

/// `[0]`, `["k"]` or `['k']` at the start of `text`, and what follows.
fn bracket(text: &str) -> Option<(Segment, &str)> {
    let inner = text.strip_prefix('[')?;
    for quote in ['"', '\''] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (key, after) = quoted.split_once(quote)?;
            return Some((Segment { key: key.to_owned(), index: None }, after.strip_prefix(']')?));
        }
    }
    let (index, after) = inner.split_once(']')?;
    let numeric = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    numeric.then(|| (Segment::new(index), after))
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

/// A hint that names the root nearest to `name`, or all of them.
pub(super) fn nearest_root(name: &str, site: &Site<'_>) -> String {
    let names = site.roots.iter().map(|root| root.name());
    hint::nearest(name, names).map_or_else(|| site.roots_hint(), |near| format!("did you mean `{near}`?"))
}
