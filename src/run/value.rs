//! How large a value is, and how deep.

use serde_json::Value;

/// How deep values of a run may be nested. Everything that walks a value recurses; what is deeper is refused where it
/// comes in, so that nobody's stack depends on what a flow builds.
pub(super) const MAX_DEPTH: usize = 128;

/// The memory that a value takes, roughly.
pub(super) fn weight(value: &Value) -> usize {
    let own = std::mem::size_of::<Value>();
    own + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => map.iter().map(|(key, value)| own + key.len() + weight(value)).sum::<usize>(),
    }
}

/// Whether a value is nested deeper than [`MAX_DEPTH`].
pub(super) fn is_too_deep(value: &Value) -> bool {
    is_deeper(value, MAX_DEPTH)
}

fn is_deeper(value: &Value, than: usize) -> bool {
    let Some(below) = than.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, below)),
        Value::Object(map) => map.values().any(|item| is_deeper(item, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_is_bounded_and_looking_at_it_too() {
        let nested = |levels: usize| (1..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(!is_too_deep(&nested(MAX_DEPTH)));
        assert!(is_too_deep(&nested(MAX_DEPTH + 1)));
        assert!(is_too_deep(&nested(1_000)));
    }
}
