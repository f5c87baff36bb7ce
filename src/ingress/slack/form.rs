//! Form bodies, read strictly: interactions and commands.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::adapter::json_object;
use crate::error::{Code, Error, Result};

/// The most fields of a form. Slack sends some 15.
const MOST_FIELDS: usize = 64;

/// The fields of a form.
pub(super) fn fields(body: &[u8]) -> Result<Map<String, Value>> {
    let mut found = Map::new();
    for field in body.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
        let end = field.iter().position(|byte| *byte == b'=');
        let (name, value) = end.map_or((field, &b""[..]), |end| {
            let (name, rest) = field.split_at(end);
            (name, rest.get(1..).unwrap_or_default())
        });
        if found.len() == MOST_FIELDS {
            return Err(invalid("the form has too many fields"));
        }
        // Of two values, one reader would take the first and another the last.
        if found.insert(decoded(name)?, Value::String(decoded(value)?)).is_some() {
            return Err(invalid("the form has a field twice"));
        }
    }
    Ok(found)
}

/// The JSON object in the form's field `payload`.
pub(super) fn payload(body: &[u8]) -> Result<Value> {
    match fields(body)?.get("payload").and_then(Value::as_str) {
        Some(payload) => json_object(payload.as_bytes()),
        None => Err(invalid("the form has no field payload")),
    }
}

fn decoded(text: &[u8]) -> Result<String> {
    let spaced: Cow<'_, [u8]> = match text.contains(&b'+') {
        true => text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        false => text.into(),
    };
    let bytes = percent_encoding::percent_decode(&spaced);
    bytes.decode_utf8().map(Cow::into_owned).map_err(|_| invalid("the form is not UTF-8"))
}

fn invalid(what: &str) -> Error {
    Error::new(Code::RequestInvalid, what)
}
