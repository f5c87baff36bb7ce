//! The nodes of a JSON value, in the order in which they are written.

use serde_json::Value;

/// How many there are, the value itself included.
pub(super) fn count(value: &Value) -> usize {
    let below: usize = match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    };
    below + 1
}

/// The node at a place, the value itself being at 0.
pub(super) fn at(value: &mut Value, place: usize) -> Option<&mut Value> {
    find(value, &mut { place })
}

fn find<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| find(field, left)),
        _ => None,
    }
}

/// Takes the node at a place out of the one that it is in; false if there is none, or it is the value itself.
pub(super) fn remove(value: &mut Value, place: usize) -> bool {
    place > 0 && remove_below(value, &mut { place - 1 })
}

fn remove_below(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Array(items) => {
            for place in 0..items.len() {
                if *left == 0 {
                    items.remove(place);
                    return true;
                }
                *left -= 1;
                if items.get_mut(place).is_some_and(|item| remove_below(item, left)) {
                    return true;
                }
            }
            false
        }
        Value::Object(fields) => {
            let mut found = None;
            for (name, field) in fields.iter_mut() {
                if *left == 0 {
                    found = Some(name.clone());
                    break;
                }
                *left -= 1;
                if remove_below(field, left) {
                    return true;
                }
            }
            found.is_some_and(|name| fields.shift_remove(&name).is_some())
        }
        _ => false,
    }
}

/// The places of the texts that are not empty.
pub(super) fn texts(value: &mut Value) -> Vec<usize> {
    let is_text = |value: &mut Value, place| matches!(at(value, place), Some(Value::String(text)) if !text.is_empty());
    (0..count(value)).filter(|place| is_text(value, *place)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_counted_found_and_removed_in_their_order() {
        let mut value = json!({"a": [1, {"b": "x"}], "c": "y", "d": ""});
        assert_eq!(count(&value), 7);
        assert_eq!((at(&mut value, 2).cloned(), at(&mut value, 4).cloned()), (Some(json!(1)), Some(json!("x"))));
        assert_eq!(at(&mut value, 7), None);
        assert_eq!(texts(&mut value), [4, 5]);
        for (place, left) in [
            (1, json!({"c": "y", "d": ""})),
            (2, json!({"a": [{"b": "x"}], "c": "y", "d": ""})),
            (4, json!({"a": [1, {}], "c": "y", "d": ""})),
            (6, json!({"a": [1, {"b": "x"}], "c": "y"})),
        ] {
            let mut value = value.clone();
            assert!(remove(&mut value, place));
            assert_eq!(value, left, "{place}");
        }
        assert!(!remove(&mut value, 0) && !remove(&mut value, 7));
    }
}
