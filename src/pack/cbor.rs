//! CBOR as packs use it: read within bounds into JSON values, because manifests hold JSON data throughout.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Code, Error, Result};
use crate::pack::limits::Limits;

/// How deep values may nest.
const DEPTH: usize = 64;

/// Decodes one CBOR value with text keys and nothing after it.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Value> {
    match split_first(bytes, limits)? {
        (value, []) => Ok(value),
        (_, rest) => Err(Error::new(Code::ManifestInvalid, format!("{} bytes follow its end", rest.len()))),
    }
}

/// Decodes one CBOR value with text keys, whatever comes after it.
pub(super) fn decode_first(bytes: &[u8], limits: &Limits) -> Result<Value> {
    split_first(bytes, limits).map(|(value, _)| value)
}

fn split_first<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Value, &'a [u8])> {
    if bytes.len() as u64 > limits.manifest {
        return Err(too_large(format!("it is larger than the limit of {} bytes", limits.manifest)));
    }
    // A value takes far more memory than the byte that can encode it, so values are counted before they are made.
    if count_values(bytes) > limits.manifest_values {
        return Err(too_large(format!("it holds more than {} values", limits.manifest_values)));
    }
    let mut rest = bytes;
    let Plain(value) = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH).map_err(|error| {
        let at = bytes.len() - rest.len();
        Error::new(Code::ManifestInvalid, format!("it is not valid CBOR near byte {at}: {}", describe(&error)))
    })?;
    Ok((value, rest))
}

fn too_large(message: String) -> Error {
    Error::new(Code::TooLarge, message).hint("divide what it describes between several packs")
}

/// Encodes a value.
pub(super) fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes)
        .map_err(|error| Error::new(Code::Internal, format!("a value cannot be encoded as CBOR: {error}")))?;
    Ok(bytes)
}

fn describe(error: &ciborium::de::Error<std::io::Error>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "it is cut off".to_owned(),
        ciborium::de::Error::Syntax(_) => "no value starts there".to_owned(),
        ciborium::de::Error::Semantic(_, why) => why.clone(),
        ciborium::de::Error::RecursionLimitExceeded => format!("it nests deeper than {DEPTH}"),
    }
}

/// Counts the value heads in well-formed CBOR; stops early where it is malformed.
fn count_values(mut rest: &[u8]) -> usize {
    let mut count = 0;
    while let Some((head, tail)) = rest.split_first() {
        count += 1;
        let width = match head & 31 {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        let Some((argument, tail)) = tail.split_at_checked(width) else { break };
        let length = match (head >> 5, head & 31) {
            (2 | 3, inline @ 0..24) => usize::from(inline),
            (2 | 3, 24..28) => argument.iter().fold(0, |n: usize, b| n.wrapping_shl(8) | usize::from(*b)),
            _ => 0,
        };
        let Some(after) = tail.get(length..) else { break };
        rest = after;
    }
    count
}

/// A JSON value out of CBOR: no byte strings, no tags, no keys but text, no key twice.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Plain(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Plain(value) = access.next_value()?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {:?} occurs twice", crate::id::clip(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
