//! Reading a platform's JSON. Platforms add fields and kinds without notice and repeat what is refused, so a value of
//! another type than was expected is the same as no value.

use serde_json::{Map, Value};

use super::adapter::platform_id;

/// The most levels of nesting of a body. What is stored wraps it in a few more, and flows in theirs, and all of it has to be
/// read back: readers of JSON end at 128 levels.
const DEEPEST: usize = 64;

/// Reads a body that is JSON; why it is none, or none that can be used.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if is_deeper(&value, DEEPEST) { Err(format!("it is nested deeper than {DEEPEST} levels")) } else { Ok(value) }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| is_deeper(value, levels.saturating_sub(1));
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(below),
        Value::Object(fields) => levels == 0 || fields.values().any(below),
        _ => false,
    }
}

/// What stands for a value that is not there.
pub(super) const NULL: &Value = &Value::Null;

/// The value at the end of a path of field names.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(*name)).filter(|value| !value.is_null())
}

/// A text that is not empty.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// A text that can be an id.
pub(super) fn id(value: &Value, path: &[&str]) -> Option<String> {
    platform_id("an id", text(value, path)?).ok()
}

/// A whole number of 64 bits.
pub(super) fn integer(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path)?.as_i64()
}

/// Whether it says `true`.
pub(super) fn is_true(value: &Value, path: &[&str]) -> bool {
    at(value, path) == Some(&Value::Bool(true))
}

/// The elements of a list.
pub(super) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Copies the fields of these names that are there.
pub(super) fn copy(from: &Value, names: &[&str], into: &mut Map<String, Value>) {
    for name in names {
        if let Some(value) = at(from, &[name]) {
            into.insert((*name).to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_nested_within_a_bound() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
        for levels in [DEEPEST + 1, 127, 128, 100_000] {
            assert!(parse(nested(levels).as_bytes()).is_err(), "{levels}");
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(DEEPEST + 1), "}".repeat(DEEPEST + 1));
        assert!(parse(objects.as_bytes()).unwrap_err().contains("64 levels"));
        assert!(parse(b"{").is_err() && parse(b"5").is_ok());
    }

    #[test]
    fn another_type_is_no_value() {
        let value = json!({"a": {"t": "x", "e": "", "n": 7, "f": 1.5, "z": null, "l": [1], "y": true}});
        assert_eq!(
            (text(&value, &["a", "t"]), text(&value, &["a", "e"]), text(&value, &["a", "n"])),
            (Some("x"), None, None)
        );
        assert_eq!((integer(&value, &["a", "n"]), integer(&value, &["a", "f"])), (Some(7), None));
        assert_eq!(
            (at(&value, &["a", "z"]), at(&value, &["a", "l", "0"]), at(&value, &["b", "c"])),
            (None, None, None)
        );
        assert_eq!((list(&value, &["a", "l"]).len(), list(&value, &["a", "t"]).len()), (1, 0));
        assert!(is_true(&value, &["a", "y"]) && !is_true(&value, &["a", "n"]));
        assert_eq!((id(&value, &["a", "t"]).as_deref(), id(&json!({"i": "a\nb"}), &["i"])), (Some("x"), None));
        let mut copied = Map::new();
        copy(&json!({"a": 1, "b": null, "c": 2}), &["a", "b", "d"], &mut copied);
        assert_eq!(Value::Object(copied), json!({"a": 1}));
    }
}
