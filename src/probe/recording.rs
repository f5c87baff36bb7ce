//! A request as a file keeps it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::form::Form;
use super::kind::Kind;
use crate::error::{Code, Error, Result};
use crate::ingress::Request;

/// The longest method of a described request, in bytes.
const LONGEST_METHOD: usize = 32;

/// The longest path of a described request, in bytes.
const LONGEST_PATH: usize = 8 << 10;

/// A request, and what the platform answers when it is asked for what the request only announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, without the `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The platform's answer.
    pub fetched: Option<Vec<u8>>,
}

impl Recording {
    /// A POST of `body` to `path`.
    pub fn post(path: &str, content_type: Option<&'static str>, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Self { method: "POST".into(), path: path.into(), query: None, headers, body, fetched: None }
    }

    /// The request of `kind` that a file with these bytes holds. `fetched` is the platform's answer, for kinds that ask
    /// for one. Only the description of a webhook's request is looked into; all other bodies are taken as they are.
    ///
    /// # Errors
    ///
    /// `RecordingInvalid` if a described request cannot be one.
    pub fn of(kind: Kind, file: &[u8], fetched: Option<Vec<u8>>) -> Result<Self> {
        match kind.form() {
            Form::Described => Self::described(file),
            form => Ok(Self { fetched, ..Self::post(kind.path(), form.content_type(), file.to_vec()) }),
        }
    }

    /// The request, as adapters read it.
    pub fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
            peer: None,
        }
    }

    /// Reads `{method, path, headers, body}`. A `body` that is a text is sent as it stands, and any other value as JSON;
    /// `body_base64` holds bytes.
    fn described(file: &[u8]) -> Result<Self> {
        let described: Value =
            serde_json::from_slice(file).map_err(|e| invalid(format!("the file is not JSON: {e}")))?;
        Self::of_description(&described)
    }

    /// The request that a description means.
    ///
    /// # Errors
    ///
    /// `RecordingInvalid`, as for [`Recording::of`].
    pub fn of_description(described: &Value) -> Result<Self> {
        let Some(fields) = described.as_object() else { return Err(invalid("the file is no JSON object")) };
        let unknown = |name: &&String| {
            !["method", "path", "headers", "body", "body_base64"].contains(&name.as_str()) && !name.starts_with('$')
        };
        if let Some(name) = fields.keys().find(unknown) {
            return Err(invalid(format!("it has the field {:?}, which means nothing", crate::id::clip(name))));
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let method = text("method").unwrap_or("POST");
        if method.len() > LONGEST_METHOD || method.parse::<Method>().is_err() {
            return Err(invalid(format!("{:?} is no method", crate::id::clip(method))));
        }
        let Some(path) = text("path") else { return Err(invalid("it has no path")) };
        let usable = path.starts_with('/') && path.len() <= LONGEST_PATH && path.bytes().all(|b| b.is_ascii_graphic());
        if !usable {
            return Err(invalid(format!("{:?} is no path", crate::id::clip(path))));
        }
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
        let mut headers = headers_of(fields.get("headers"))?;
        let body = match (fields.get("body"), text("body_base64")) {
            (Some(_), Some(_)) => return Err(invalid("it has both body and body_base64")),
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|_| invalid("body_base64 is not base64"))?,
            (None | Some(Value::Null), None) => Vec::new(),
            (Some(Value::String(text)), None) => text.clone().into_bytes(),
            (Some(value), None) => {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                value.to_string().into_bytes()
            }
        };
        Ok(Self { method: method.into(), path: path.into(), query, headers, body, fetched: None })
    }

    /// The description of the request, which [`Recording::of_description`] reads back.
    pub fn description(&self) -> Value {
        let mut headers = Map::new();
        for name in self.headers.keys() {
            let lines = self.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
            let lines: Vec<Value> = lines.map(Value::from).collect();
            match <[Value; 1]>::try_from(lines) {
                Ok([only]) => headers.insert(name.as_str().into(), only),
                Err(several) => headers.insert(name.as_str().into(), several.into()),
            };
        }
        let path = match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        let mut described = json!({"method": self.method, "path": path, "headers": headers});
        let body = match std::str::from_utf8(&self.body) {
            Ok("") => None,
            Ok(text) => Some(("body", text.to_owned())),
            Err(_) => Some(("body_base64", STANDARD.encode(&self.body))),
        };
        if let (Some((name, body)), Some(fields)) = (body, described.as_object_mut()) {
            fields.insert(name.into(), body.into());
        }
        described
    }
}

fn headers_of(stated: Option<&Value>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let fields = match stated {
        None | Some(Value::Null) => return Ok(headers),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(invalid("headers is no object")),
    };
    for (name, value) in fields {
        let lines = match value {
            Value::Array(lines) => lines.as_slice(),
            one => std::slice::from_ref(one),
        };
        for line in lines {
            let parsed: Option<(HeaderName, HeaderValue)> =
                name.parse().ok().zip(line.as_str().and_then(|line| line.parse().ok()));
            let unusable = || invalid(format!("the header {:?} cannot be sent", crate::id::clip(name)));
            let (name, line) = parsed.ok_or_else(unusable)?;
            headers.append(name, line);
        }
    }
    Ok(headers)
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(Code::RecordingInvalid, why).hint(
        "describe a request as {\"method\": \"POST\", \"path\": \"/webhook/FLOW\", \"headers\": {}, \"body\": {}}",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(described: &Value) -> Result<Recording> {
        Recording::of(Kind::Webhook, described.to_string().as_bytes(), None)
    }

    #[test]
    fn a_described_request_is_read_and_written() {
        let read = read(&json!({"$comment": "x", "method": "PUT", "path": "/webhook/f?a=1",
            "headers": {"X-A": "1", "x-b": ["1", "2"]}, "body": {"n": 1}}))
        .unwrap();
        assert_eq!(
            (read.method.as_str(), read.path.as_str(), read.query.as_deref()),
            ("PUT", "/webhook/f", Some("a=1"))
        );
        assert_eq!(
            (read.body.as_slice(), read.headers["content-type"].as_bytes()),
            (&br#"{"n":1}"#[..], &b"application/json"[..])
        );
        assert_eq!(read.headers.get_all("x-b").iter().count(), 2);
        assert_eq!(Recording::of_description(&read.description()).unwrap(), read);
        for body in [&b"\xff\x00"[..], b"", b"text", b"\"text\""] {
            let read = Recording { body: body.to_vec(), ..read.clone() };
            assert_eq!(Recording::of_description(&read.description()).unwrap(), read);
        }
    }

    #[test]
    fn bodies_are_sent_as_they_stand() {
        let body = |described: Value| read(&described).unwrap().body;
        assert_eq!(body(json!({"path": "/webhook/f", "body": " {\"a\" :1}"})), b" {\"a\" :1}");
        assert_eq!(body(json!({"path": "/webhook/f", "body": null})), b"");
        assert_eq!(body(json!({"path": "/webhook/f", "body": 5})), b"5");
        assert_eq!(body(json!({"path": "/webhook/f", "body_base64": "/w=="})), b"\xff");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for described in [
            json!([]),
            json!({}),
            json!({"path": "webhook"}),
            json!({"path": "/a b"}),
            json!({"path": "/a", "method": "A B"}),
            json!({"path": "/a", "headers": []}),
            json!({"path": "/a", "headers": {"a b": "x"}}),
            json!({"path": "/a", "headers": {"a": "x\ny"}}),
            json!({"path": "/a", "headers": {"a": 5}}),
            json!({"path": "/a", "body": 1, "body_base64": ""}),
            json!({"path": "/a", "body_base64": "?"}),
            json!({"path": "/a", "boby": 1}),
        ] {
            assert_eq!(read(&described).unwrap_err().code(), Code::RecordingInvalid, "{described}");
        }
        assert_eq!(Recording::of(Kind::Webhook, b"{", None).unwrap_err().code(), Code::RecordingInvalid);
    }
}
