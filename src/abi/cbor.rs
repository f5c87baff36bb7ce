//! JSON as components see it in CBOR, and back. What comes from a component is bounded in depth here and in size by
//! the caller.

use ciborium::value::Value as Cbor;
use serde_json::{Map, Number, Value};

/// How deep a value may be nested; JSON text is read with a similar bound.
const MAX_DEPTH: usize = 120;

/// `value` as CBOR.
pub(super) fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// The JSON form of one CBOR value; no bytes at all are null.
///
/// Bytes become lists of numbers, keys that are not text become text, tags are dropped. What JSON cannot say
/// (numbers that are not finite or too large, other simple values) is an error.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Value, String> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let value: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).map_err(|e| match e {
        ciborium::de::Error::RecursionLimitExceeded => format!("it is nested deeper than {MAX_DEPTH} levels"),
        other => format!("it is not valid CBOR: {other}"),
    })?;
    if !bytes.is_empty() {
        return Err("more bytes follow its end".to_owned());
    }
    to_json(value)
}

fn to_json(value: Cbor) -> Result<Value, String> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(b) => Value::Bool(b),
        Cbor::Text(text) => Value::String(text),
        Cbor::Integer(number) => Value::Number(integer(number.into())?),
        Cbor::Float(number) => Value::Number(Number::from_f64(number).ok_or("it holds a number that is not finite")?),
        Cbor::Bytes(bytes) => Value::Array(bytes.into_iter().map(Value::from).collect()),
        Cbor::Array(items) => Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Cbor::Map(entries) => Value::Object(entries.into_iter().map(entry).collect::<Result<Map<_, _>, _>>()?),
        Cbor::Tag(_, inner) => to_json(*inner)?,
        _ => return Err("it holds a value that has no JSON form".to_owned()),
    })
}

fn integer(number: i128) -> Result<Number, String> {
    Number::from_i128(number).ok_or_else(|| "it holds a number that is too large".to_owned())
}

fn entry((key, value): (Cbor, Cbor)) -> Result<(String, Value), String> {
    let key = match key {
        Cbor::Text(text) => text,
        Cbor::Integer(number) => i128::from(number).to_string(),
        Cbor::Bool(b) => b.to_string(),
        _ => return Err("it holds a map whose keys are not text".to_owned()),
    };
    Ok((key, to_json(value)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300f64..1e300).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..6).prop_map(|e| e.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_survives_the_way_there_and_back(value in json_value()) {
            prop_assert_eq!(decode(&encode(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn what_json_lacks_has_a_stated_form() {
        let cases: [(&[u8], Value); 4] = [
            (b"", Value::Null),
            (&[0x43, 1, 2, 3], json!([1, 2, 3])),
            (&[0xa2, 0x01, 0xf5, 0xf4, 0xf6], json!({"1": true, "false": null})),
            (&[0xc1, 0x05], json!(5)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_said_in_json_is_an_error() {
        let mut deep = vec![0x81; 200];
        deep.push(0xf6);
        let nan = [0xf9, 0x7e, 0x00];
        // An array that claims four billion items.
        let claim = [0x9a, 0xff, 0xff, 0xff, 0xff];
        for bad in [&deep[..], &nan, &claim, &[0xf6, 0xf6], &[0xa1, 0x80, 0x01], &[0xff]] {
            assert!(decode(bad).is_err(), "{bad:x?}");
        }
    }
}
