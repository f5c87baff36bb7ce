//! Values of the component model, as they come from a component whose types are known by name only.

use serde_json::{Map, Value};
use wasmtime::component::Val;

use super::cbor;

/// The text in `value`.
pub(super) fn text(value: Val) -> Option<String> {
    match some(value)? {
        Val::String(text) => Some(text),
        _ => None,
    }
}

/// The number in `value`.
pub(super) fn number(value: Val) -> Option<u64> {
    match some(value)? {
        Val::U8(number) => Some(number.into()),
        Val::U16(number) => Some(number.into()),
        Val::U32(number) => Some(number.into()),
        Val::U64(number) => Some(number),
        _ => None,
    }
}

/// The bytes in `value`.
pub(super) fn bytes(value: Val) -> Option<Vec<u8>> {
    match some(value)? {
        Val::List(items) => {
            items.into_iter().map(|item| if let Val::U8(byte) = item { Some(byte) } else { None }).collect()
        }
        _ => None,
    }
}

/// What an option holds, or the value itself.
pub(super) fn some(value: Val) -> Option<Val> {
    match value {
        Val::Option(inner) => inner.map(|inner| *inner),
        other => Some(other),
    }
}

/// The fields of a record; none of anything else.
pub(super) fn fields(value: Val) -> Vec<(String, Val)> {
    match value {
        Val::Record(fields) => fields,
        _ => Vec::new(),
    }
}

/// Takes the field `name` out of `fields`.
pub(super) fn take(fields: &mut Vec<(String, Val)>, name: &str) -> Option<Val> {
    let at = fields.iter().position(|(field, _)| field == name)?;
    Some(fields.swap_remove(at).1)
}

/// Bytes that `value` holds, as the host counts an answer.
pub(super) fn size(value: &Val) -> usize {
    match value {
        Val::String(text) | Val::Enum(text) => text.len(),
        Val::List(items) | Val::Tuple(items) | Val::FixedLengthList(items) => items.iter().map(size).sum(),
        Val::Record(fields) => fields.iter().map(|(_, value)| size(value)).sum(),
        Val::Variant(_, Some(inner)) | Val::Option(Some(inner)) => size(inner),
        Val::Result(Ok(Some(inner)) | Err(Some(inner))) => size(inner),
        Val::Map(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
        Val::Flags(names) => names.iter().map(String::len).sum(),
        _ => 1,
    }
}

/// `value` as JSON for people: names of fields with `_`, absent options left out, bytes as the CBOR that they hold.
pub(super) fn to_json(value: Val) -> Value {
    match value {
        Val::Bool(value) => value.into(),
        Val::S8(value) => value.into(),
        Val::U8(value) => value.into(),
        Val::S16(value) => value.into(),
        Val::U16(value) => value.into(),
        Val::S32(value) => value.into(),
        Val::U32(value) => value.into(),
        Val::S64(value) => value.into(),
        Val::U64(value) => value.into(),
        Val::Float32(value) => f64::from(value).into(),
        Val::Float64(value) => value.into(),
        Val::Char(value) => value.to_string().into(),
        Val::String(text) | Val::Enum(text) => text.into(),
        Val::List(items) if !items.is_empty() && items.iter().all(|item| matches!(item, Val::U8(_))) => {
            let bytes: Vec<u8> = items.iter().map(|item| if let Val::U8(byte) = item { *byte } else { 0 }).collect();
            cbor::decode(&bytes).unwrap_or_else(|_| bytes.into())
        }
        Val::List(items) | Val::Tuple(items) | Val::FixedLengthList(items) => {
            Value::Array(items.into_iter().map(to_json).collect())
        }
        Val::Record(fields) => object(fields),
        Val::Variant(case, payload) => match payload {
            Some(payload) => object(vec![(case, *payload)]),
            None => case.into(),
        },
        Val::Option(inner) => inner.map_or(Value::Null, |inner| to_json(*inner)),
        Val::Result(Ok(inner)) => inner.map_or(Value::Null, |inner| to_json(*inner)),
        Val::Result(Err(inner)) => object(inner.into_iter().map(|inner| ("error".to_owned(), *inner)).collect()),
        Val::Flags(names) => names.into(),
        Val::Map(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => Value::Null,
    }
}

fn object(fields: Vec<(String, Val)>) -> Value {
    let fields = fields.into_iter().filter(|(_, value)| !matches!(value, Val::Option(None)));
    Value::Object(fields.map(|(name, value)| (name.replace('-', "_"), to_json(value))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_descriptor_is_readable_json() {
        let text = |text: &str| Val::String(text.to_owned());
        let field = |name: &str, value| (name.to_owned(), value);
        let schema = Val::List([0xa1, 0x61, b'a', 0x01].map(Val::U8).to_vec());
        let value = Val::Record(vec![
            field("name", text("echo")),
            field("summary", Val::Option(None)),
            field("schema", Val::Variant("inline-cbor".to_owned(), Some(Box::new(schema)))),
            field("no-ops", Val::List(Vec::new())),
            field("outputs", Val::List(vec![Val::Variant("config-only".to_owned(), None)])),
            field("raw", Val::List(vec![Val::U8(0xff)])),
        ]);
        assert_eq!(
            to_json(value),
            json!({
                "name": "echo", "schema": { "inline_cbor": { "a": 1 } }, "no_ops": [], "outputs": ["config-only"],
                "raw": [255],
            })
        );
    }

    #[test]
    fn a_size_counts_texts_and_bytes() {
        let value = Val::Result(Ok(Some(Box::new(Val::Record(vec![
            ("a".to_owned(), Val::String("12345".to_owned())),
            ("b".to_owned(), Val::List(vec![Val::U8(1), Val::U8(2)])),
        ])))));
        assert_eq!(size(&value), 7);
    }
}
