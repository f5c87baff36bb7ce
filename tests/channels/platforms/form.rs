//! Bodies of requests: JSON, or a form with a file.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

/// The fields of a body. None if it is neither.
pub(crate) fn fields(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let kind = headers.get("content-type")?.to_str().ok()?;
    match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => form(boundary.trim_matches('"'), body),
        None if kind.starts_with("application/json") => serde_json::from_slice(body).ok().filter(Value::is_object),
        None => None,
    }
}

/// A form: texts as they are, the file as `file` with the name of its field.
fn form(boundary: &str, body: &[u8]) -> Option<Value> {
    let mut fields = Map::new();
    let delimiter = format!("--{boundary}");
    for part in split(body, delimiter.as_bytes()).into_iter().skip(1) {
        if part.starts_with(b"--") {
            return Some(Value::Object(fields));
        }
        let at = part.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, content) = (std::str::from_utf8(&part[..at]).ok()?, &part[at + 4..part.len() - 2]);
        let parameter = |name: &str| {
            let found = head.split_once(&format!("; {name}=\""))?.1;
            Some(found.split('"').next()?.to_owned())
        };
        let line =
            |name: &str| head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(str::to_owned));
        let name = parameter("name")?;
        match parameter("filename") {
            Some(file) => {
                let mime = line("content-type: ")?;
                fields
                    .insert("file".into(), json!({"field": name, "name": file, "mime": mime, "bytes": content.len()}));
            }
            None => {
                fields.insert(name, std::str::from_utf8(content).ok()?.into());
            }
        }
    }
    None
}

fn split<'a>(mut body: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = body.windows(delimiter.len()).position(|window| window == delimiter) {
        parts.push(&body[..at]);
        body = &body[at + delimiter.len()..];
    }
    parts.push(body);
    parts
}
