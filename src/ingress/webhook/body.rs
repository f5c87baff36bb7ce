//! A request's body, and what else comes as pairs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Result};
use crate::ingress::json;

/// A request's body by what it holds.
pub(super) enum Body {
    None,
    Json(Value),
    Form(Value),
    Text(String),
    Bytes(String),
}

impl Body {
    pub(super) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::None);
        }
        let mime = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if mime == "application/json" || mime.ends_with("+json") {
            return match json::parse(bytes) {
                Ok(value) => Ok(Self::Json(value)),
                Err(e) => Err(Error::new(
                    Code::RequestInvalid,
                    format!("the body is called {mime} but cannot be read as JSON: {e}"),
                )),
            };
        }
        Ok(match std::str::from_utf8(bytes) {
            Ok(_) if mime == "application/x-www-form-urlencoded" => Self::Form(pairs(bytes)),
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Bytes(STANDARD.encode(bytes)),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Json(_) => "json",
            Self::Form(_) => "form",
            Self::Text(_) => "text",
            Self::Bytes(_) => "base64",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::None | Self::Json(_) | Self::Form(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Json(value) | Self::Form(value) => value,
            Self::Text(text) => json!({ "text": text }),
            Self::Bytes(base64) => json!({ "base64": base64 }),
        }
    }
}

/// Form or query pairs as an object; a name that comes more than once holds a list.
pub(super) fn pairs(encoded: &[u8]) -> Value {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        let value = Value::String(value.into_owned());
        match object.entry(name.into_owned()) {
            serde_json::map::Entry::Vacant(entry) => {
                entry.insert(value);
            }
            serde_json::map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::Array(values) => values.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    Value::Object(object)
}
