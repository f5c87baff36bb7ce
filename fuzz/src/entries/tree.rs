//! Changing what a manifest, a bill or a flow says: its tree of values.

use std::fmt::Write as _;

use ciborium::Value;

use super::Chance;

/// Keys and values that mean something, or that a reader may trip over.
const TEXTS: &[&str] = &[
    "",
    "a",
    "main",
    "echo",
    "acme.old",
    "../../up",
    "a\u{1b}[31mb",
    "{{in.text}}",
    "{{#each in}}",
    "{{",
    "greentic:component/node@0.6.0",
    "greentic.pack.component_sources@v1",
    "greentic.pack.runtime_flow",
    "components",
    "flows",
    "nodes",
    "id",
    "routing",
    "component.exec",
    "flow.call",
    "emit.text",
    "questions",
    "pack-v1",
    "pack-v9",
    "1.0.0",
    "sha256:00",
];

/// Trees larger than this are not put into themselves.
const LARGE: usize = 2_000;

/// `bytes` with their tree changed; something else if they are no CBOR.
pub(super) fn changed_cbor(bytes: &[u8], chance: &mut Chance<'_>) -> Vec<u8> {
    let mut value = ciborium::from_reader(bytes).unwrap_or(Value::Null);
    change(&mut value, chance);
    written(&value)
}

/// `bytes` with their tree changed; none if they are no JSON.
pub(super) fn changed_json(bytes: &[u8], chance: &mut Chance<'_>) -> Option<Vec<u8>> {
    let json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let mut value = Value::serialized(&json).ok()?;
    change(&mut value, chance);
    let mut text = String::new();
    write_json(&value, &mut text);
    Some(text.into_bytes())
}

/// The bytes of a tree.
pub(super) fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("it is written to memory");
    bytes
}

/// The entries of the list under `key`.
pub(super) fn list<'v>(value: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    get(value, key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// What stands under `key`.
pub(super) fn get<'v>(value: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    let fields = value.as_map_mut()?;
    fields.iter_mut().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
}

fn change(root: &mut Value, chance: &mut Chance<'_>) {
    let whole = (size(root) < LARGE).then(|| root.clone());
    let mut node = root;
    while children(node) > 0 && !chance.one_in(5) {
        let at = chance.below(children(node));
        node = child(node, at);
    }
    match chance.below(8) {
        0 | 1 => *node = odd(chance),
        2 => {
            let wrapped = std::mem::replace(node, Value::Null);
            let depth = 1 + chance.below(200);
            *node = (0..depth).fold(wrapped, |inner, _| Value::Array(vec![inner]));
        }
        3 => {
            if let Some(whole) = whole {
                *node = whole;
            }
        }
        _ => change_children(node, chance),
    }
}

fn change_children(node: &mut Value, chance: &mut Chance<'_>) {
    match node {
        Value::Map(fields) if !fields.is_empty() => {
            let at = chance.below(fields.len());
            match chance.below(5) {
                0 => drop(fields.remove(at)),
                1 => fields.push(fields[at].clone()),
                2 => fields[at].0 = Value::Text(chance.pick(TEXTS).to_string()),
                3 => fields[at].0 = odd(chance),
                _ => fields.push((Value::Text(chance.pick(TEXTS).to_string()), odd(chance))),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = chance.below(items.len());
            match chance.below(4) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                2 => {
                    let item = items[at].clone();
                    let times = if size(&item) < 20 { 1 + chance.below(400) } else { 1 };
                    items.extend(std::iter::repeat_n(item, times));
                }
                _ => items.swap(0, at),
            }
        }
        other => *other = odd(chance),
    }
}

fn odd(chance: &mut Chance<'_>) -> Value {
    match chance.below(12) {
        0 => Value::Null,
        1 => Value::Bool(chance.one_in(2)),
        2 => Value::Integer((*chance.pick(&[0i64, 1, -1, 7, 4_096, i64::MIN, i64::MAX])).into()),
        3 => Value::Integer(u64::MAX.into()),
        4 => Value::Float(*chance.pick(&[f64::NAN, f64::INFINITY, 1e308, -0.0, 0.5])),
        5 => Value::Text("x".repeat(chance.below(5_000))),
        6 => Value::Bytes(chance.bytes(64)),
        7 => Value::Tag(chance.below(70_000) as u64, Box::new(Value::Text("tagged".to_owned()))),
        8 => Value::Array(Vec::new()),
        9 => Value::Map(Vec::new()),
        _ => Value::Text(chance.pick(TEXTS).to_string()),
    }
}

fn children(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Map(fields) => fields.len(),
        Value::Tag(..) => 1,
        _ => 0,
    }
}

fn child(value: &mut Value, at: usize) -> &mut Value {
    match value {
        Value::Array(items) => &mut items[at],
        Value::Map(fields) => &mut fields[at].1,
        Value::Tag(_, inner) => inner,
        leaf => leaf,
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Map(fields) => fields.iter().map(|(_, value)| 1 + size(value)).sum(),
        Value::Tag(_, inner) => size(inner),
        _ => 0,
    }
}

/// Writes JSON, with keys that occur twice, and numbers that are none.
fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => drop(write!(out, "{value}")),
        Value::Integer(value) => drop(write!(out, "{}", i128::from(*value))),
        Value::Float(value) if value.is_finite() => drop(write!(out, "{value:?}")),
        Value::Float(_) => out.push_str("1e999"),
        Value::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                let name = name.as_text().map_or_else(|| format!("{name:?}"), str::to_owned);
                out.push_str(&serde_json::Value::from(name).to_string());
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
        Value::Tag(_, inner) => write_json(inner, out),
        other => out.push_str(&serde_json::Value::from(format!("{other:?}")).to_string()),
    }
}
