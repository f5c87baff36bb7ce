//! From a flow's result to the HTTP answer of a webhook.
//!
//! A string is the body. An object with `status`, `headers` or `body` describes the answer (`text` stands for a
//! `body` that is text, and alone it does too). Anything else is the body as JSON. What a flow says is checked: it
//! cannot set headers that belong to the connection or to the host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The most headers that a flow may set.
const MOST_HEADERS: usize = 50;

/// Headers that belong to the connection, or by which one tenant's flow could act on other pages of the host.
const RESERVED: &[&str] = &[
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "date",
    "keep-alive",
    "service-worker-allowed",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-content-type-options",
    "x-request-id",
];

/// The answer for the replies of a finished or waiting run: one reply is the result, several are a JSON list, none is
/// an empty answer.
pub fn of_replies(replies: Vec<Value>) -> Result<Response<Bytes>> {
    let mut replies = replies;
    match (replies.pop(), replies.is_empty()) {
        (None, _) => build(StatusCode::NO_CONTENT, HeaderMap::new(), None),
        (Some(only), true) => of_result(only),
        (Some(last), false) => {
            replies.push(last);
            of_result(Value::Array(replies))
        }
    }
}

/// The answer for one result.
pub fn of_result(result: Value) -> Result<Response<Bytes>> {
    match result {
        Value::Object(object) if describes_answer(&object) => described(object),
        Value::Null => build(StatusCode::NO_CONTENT, HeaderMap::new(), None),
        other => build(StatusCode::OK, HeaderMap::new(), Some(body_of(other))),
    }
}

fn describes_answer(object: &Map<String, Value>) -> bool {
    ["status", "headers", "body"].iter().any(|key| object.contains_key(*key))
        || (object.len() == 1 && object.contains_key("text"))
}

fn described(mut object: Map<String, Value>) -> Result<Response<Bytes>> {
    let status = match object.remove("status") {
        None | Some(Value::Null) => StatusCode::OK,
        Some(value) => status(&value)?,
    };
    let headers = match object.remove("headers") {
        None | Some(Value::Null) => HeaderMap::new(),
        Some(value) => headers(value)?,
    };
    let body = object.remove("body").filter(|body| !body.is_null()).or_else(|| object.remove("text"));
    build(status, headers, body.filter(|body| !body.is_null()).map(body_of))
}

fn status(value: &Value) -> Result<StatusCode> {
    value
        .as_u64()
        .filter(|status| (200..=599).contains(status))
        .and_then(|status| u16::try_from(status).ok())
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| invalid(format!("status {value} is not a number from 200 to 599")))
}

fn headers(value: Value) -> Result<HeaderMap> {
    let Value::Object(object) = value else { return Err(invalid("headers is not an object".into())) };
    if object.len() > MOST_HEADERS {
        return Err(invalid(format!("it sets more than {MOST_HEADERS} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in object {
        let name: HeaderName =
            name.parse().map_err(|_| invalid(format!("{:?} is no header name", crate::id::clip(&name))))?;
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(invalid(format!("the header {name} is the host's own")));
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(invalid(format!("the value of the header {name} is not text"))),
        };
        let value = HeaderValue::from_str(&text)
            .map_err(|_| invalid(format!("the value of the header {name} holds control characters")))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// A body and the content type that it has unless the flow says another.
fn body_of(body: Value) -> (HeaderValue, Bytes) {
    let wrapped = match &body {
        Value::String(text) => Some((TEXT, Bytes::copy_from_slice(text.as_bytes()))),
        Value::Object(object) if object.len() == 1 => unwrap(object),
        _ => None,
    };
    wrapped.unwrap_or_else(|| (JSON, Bytes::from(body.to_string())))
}

/// The forms in which requests carry bodies, taken back.
fn unwrap(object: &Map<String, Value>) -> Option<(HeaderValue, Bytes)> {
    let (key, value) = object.iter().next()?;
    let text = value.as_str()?;
    match key.as_str() {
        "text" => Some((TEXT, Bytes::copy_from_slice(text.as_bytes()))),
        "base64" => STANDARD.decode(text).ok().map(|bytes| (BYTES, Bytes::from(bytes))),
        "base16" => hex::decode(text).ok().map(|bytes| (BYTES, Bytes::from(bytes))),
        _ => None,
    }
}

fn build(status: StatusCode, mut headers: HeaderMap, body: Option<(HeaderValue, Bytes)>) -> Result<Response<Bytes>> {
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT);
    let (content_type, body) = match body {
        Some((content_type, body)) if !bodiless => (Some(content_type), body),
        _ => (None, Bytes::new()),
    };
    if let Some(content_type) = content_type {
        headers.entry(CONTENT_TYPE).or_insert(content_type);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn invalid(why: String) -> Error {
    Error::new(Code::ResponseInvalid, format!("the flow's result is no HTTP answer: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(replies: Vec<Value>) -> String {
        match of_replies(replies) {
            Ok(response) => {
                let content_type = response.headers().get(CONTENT_TYPE).map_or("-", |v| v.to_str().unwrap());
                let body = String::from_utf8_lossy(response.body());
                format!("{} {content_type} {body}", response.status().as_u16())
            }
            Err(error) => error.code().to_string(),
        }
    }

    #[test]
    fn results_become_answers() {
        let text = "text/plain; charset=utf-8";
        let cases = [
            (vec![], "204 - ".to_owned()),
            (vec![Value::Null], "204 - ".to_owned()),
            (vec![json!("hi")], format!("200 {text} hi")),
            (vec![json!({"text": "hi"})], format!("200 {text} hi")),
            (vec![json!({"text": "hi", "buttons": []})], r#"200 application/json {"text":"hi","buttons":[]}"#.into()),
            (vec![json!({"a": 1})], r#"200 application/json {"a":1}"#.into()),
            (vec![json!(7)], "200 application/json 7".into()),
            (vec![json!("a"), json!({"b": 1})], r#"200 application/json ["a",{"b":1}]"#.into()),
            (vec![json!({"status": 201, "body": {"id": 7}})], r#"201 application/json {"id":7}"#.into()),
            (vec![json!({"status": 418, "text": "tea"})], format!("418 {text} tea")),
            (vec![json!({"status": 204, "body": "gone"})], "204 - ".into()),
            (vec![json!({"headers": {"Content-Type": "text/csv"}, "body": "a,b"})], "200 text/csv a,b".into()),
            (vec![json!({"body": {"base16": "6869"}})], "200 application/octet-stream hi".into()),
            (vec![json!({"body": {"base64": "aGk="}})], "200 application/octet-stream hi".into()),
            (vec![json!({"body": {"base64": "*"}})], r#"200 application/json {"base64":"*"}"#.into()),
        ];
        for (replies, expected) in cases {
            assert_eq!(shown(replies.clone()), expected, "{replies:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let many: Map<String, Value> = (0..51).map(|n| (format!("x-{n}"), json!("v"))).collect();
        for bad in [
            json!({"status": 99}),
            json!({"status": 101}),
            json!({"status": 600}),
            json!({"status": -1}),
            json!({"status": 200.5}),
            json!({"status": "200"}),
            json!({"headers": []}),
            json!({"headers": {"a b": "v"}}),
            json!({"headers": {"": "v"}}),
            json!({"headers": {"x-a": "v\r\nx-b: w"}}),
            json!({"headers": {"x-a": {}}}),
            json!({"headers": {"Content-Length": "5"}}),
            json!({"headers": {"transfer-encoding": "chunked"}}),
            json!({"headers": {"Set-Cookie": "a=b"}}),
            json!({"headers": {"proxy-authenticate": "x"}}),
            json!({"headers": many}),
        ] {
            assert_eq!(shown(vec![bad.clone()]), Code::ResponseInvalid.to_string(), "{bad}");
        }
    }
}
