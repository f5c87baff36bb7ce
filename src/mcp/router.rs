//! What routers in WebAssembly answer, in the protocol's own form.
//!
//! Three versions of `wasix:mcp/router` were published: `24.11.5`, `25.3.26` and `25.6.18`. Here their records come as
//! JSON with the fields' names in `snake_case`; a field that only one of them has is read where it is.

use serde_json::{Map, Value, json};

use super::failure::{Failure, FailureKind};

/// Which tools a router says that it has, as `tools/list` answers.
pub fn tools(listed: Value) -> Vec<Value> {
    let Value::Array(tools) = listed else { return Vec::new() };
    tools.into_iter().map(tool).collect()
}

fn tool(mut tool: Value) -> Value {
    let mut out = Map::new();
    for key in ["name", "title", "description"] {
        move_text(&mut tool, key, &mut out, key);
    }
    for (from, to) in [("input_schema", "inputSchema"), ("output_schema", "outputSchema")] {
        if let Some(schema) = take(&mut tool, from) {
            out.insert(to.to_owned(), parsed(schema));
        }
    }
    if let Some(annotations) = take(&mut tool, "annotations") {
        let hint = |key: &str| annotations.get(key).cloned();
        let hints = [("readOnlyHint", hint("read_only")), ("destructiveHint", hint("destructive"))];
        let hints = hints.into_iter().filter_map(|(to, hint)| Some((to.to_owned(), hint?)));
        out.insert("annotations".to_owned(), Value::Object(hints.collect()));
    }
    let mut meta = meta_of(take(&mut tool, "meta"));
    for key in ["output", "config", "secrets"] {
        if let Some(value) = take(&mut tool, key) {
            meta.insert(key.to_owned(), value);
        }
    }
    if !meta.is_empty() {
        out.insert("_meta".to_owned(), Value::Object(meta));
    }
    Value::Object(out)
}

/// The result of a call: what `call-tool` answers where all went well.
///
/// # Errors
///
/// That the router asks a person for more, which nobody here can give.
pub fn result(name: &str, mut answer: Value) -> Result<Value, Failure> {
    if let Some(asked) = take(&mut answer, "elicit") {
        let message = asked.get("message").and_then(Value::as_str).unwrap_or_default();
        let said = format!("it asks for more than it was given: {message}");
        let failure = Failure::said(FailureKind::Answer, name, &said).with_details(json!({ "elicit": asked }));
        return Err(failure.hint("give what it asks for in `args`, after asking the user by a node before"));
    }
    let mut result = take(&mut answer, "completed").unwrap_or(answer);
    let content = match take(&mut result, "content") {
        Some(Value::Array(items)) => items.into_iter().map(content).collect(),
        _ => Vec::new(),
    };
    let mut out = Map::from_iter([("content".to_owned(), Value::Array(content))]);
    let mut meta = meta_of(take(&mut result, "meta"));
    if let Some(progress) = take(&mut result, "progress") {
        meta.insert("progress".to_owned(), progress);
    }
    if let Some(structured) = take(&mut result, "structured_content") {
        out.insert("structuredContent".to_owned(), parsed(structured));
    }
    if let Some(output) = take(&mut result, "output") {
        meta.insert("output".to_owned(), parsed(output));
    }
    if let Some(is_error) = take(&mut result, "is_error") {
        out.insert("isError".to_owned(), is_error);
    }
    if !meta.is_empty() {
        out.insert("_meta".to_owned(), Value::Object(meta));
    }
    Ok(Value::Object(out))
}

/// The failure that a router names: a case of its `tool-error`.
pub fn refusal(name: &str, error: &Value) -> Failure {
    let (case, said) = match error {
        Value::Object(case) => case.iter().next().map_or(("", ""), |(case, said)| (case, said.as_str().unwrap_or(""))),
        other => (other.as_str().unwrap_or_default(), ""),
    };
    let kind = match case {
        "not_found" => FailureKind::NotFound,
        "invalid_parameters" => FailureKind::Arguments,
        _ => FailureKind::Tool,
    };
    let failure = Failure::said(kind, name, &format!("{}: {said}", case.replace('_', "-")));
    failure.with_details(error.clone())
}

/// A piece of content: `{case: record}` becomes `{type, …}`.
fn content(piece: Value) -> Value {
    let Value::Object(case) = piece else { return piece };
    let Some((case, mut fields)) = case.into_iter().next() else { return Value::Null };
    let annotations = take(&mut fields, "annotations").map(annotations);
    let mut out = Map::new();
    let kind = match case.as_str() {
        "embedded" | "embedded_resource" => {
            out.insert("resource".to_owned(), resource(fields));
            "resource"
        }
        "resource_link" => {
            let name = fields.get("title").or_else(|| fields.get("uri")).cloned().unwrap_or_default();
            out.insert("name".to_owned(), name);
            for (from, to) in
                [("uri", "uri"), ("title", "title"), ("description", "description"), ("mime_type", "mimeType")]
            {
                move_text(&mut fields, from, &mut out, to);
            }
            "resource_link"
        }
        other => {
            for (from, to) in [("text", "text"), ("data", "data"), ("mime_type", "mimeType")] {
                move_text(&mut fields, from, &mut out, to);
            }
            other
        }
    };
    out.insert("type".to_owned(), kind.into());
    if let Some(annotations) = annotations {
        out.insert("annotations".to_owned(), annotations);
    }
    Value::Object(out)
}

/// A resource in a result. The older versions say whether it is text; the newest gives `data` of a media type.
fn resource(mut fields: Value) -> Value {
    let mut fields = match take(&mut fields, "resource_contents") {
        Some(Value::Object(case)) => case.into_iter().next().map(|(_, record)| record).unwrap_or_default(),
        _ => fields,
    };
    let mut out = Map::new();
    let media = fields.get("mime_type").and_then(Value::as_str).unwrap_or("text/plain");
    let is_text = media.starts_with("text/") || media.ends_with("json") || media.ends_with("xml");
    let data = if is_text { "text" } else { "blob" };
    for (from, to) in [("uri", "uri"), ("mime_type", "mimeType"), ("text", "text"), ("blob", "blob"), ("data", data)] {
        move_text(&mut fields, from, &mut out, to);
    }
    Value::Object(out)
}

fn annotations(mut written: Value) -> Value {
    let mut out = Map::new();
    for (from, to) in [("audience", "audience"), ("priority", "priority"), ("timestamp", "lastModified")] {
        move_text(&mut written, from, &mut out, to);
    }
    Value::Object(out)
}

/// Metadata as a map; the values of the newest version are JSON texts.
fn meta_of(meta: Option<Value>) -> Map<String, Value> {
    match meta {
        Some(Value::Array(entries)) => {
            let entry = |mut entry: Value| match take(&mut entry, "key")? {
                Value::String(key) => Some((key, parsed(take(&mut entry, "value")?))),
                _ => None,
            };
            entries.into_iter().filter_map(entry).collect()
        }
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// JSON in a text, or in the record `{json}` around one; text that is no JSON stays text.
fn parsed(value: Value) -> Value {
    let text = match value {
        Value::String(text) => text,
        Value::Object(mut record) => match record.shift_remove("json") {
            Some(Value::String(text)) => text,
            _ => return Value::Object(record),
        },
        other => return other,
    };
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn take(value: &mut Value, key: &str) -> Option<Value> {
    value.as_object_mut()?.shift_remove(key)
}

fn move_text(from: &mut Value, key: &str, to: &mut Map<String, Value>, name: &str) {
    if let Some(value) = take(from, key) {
        to.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_versions_have_the_protocols_form() {
        let of_24 = json!({
            "content": [
                { "text": { "text": "hi", "annotations": { "audience": ["user"], "timestamp": "t" } } },
                { "image": { "data": "AA==", "mime_type": "image/png" } },
                { "embedded": { "resource_contents": { "blob": { "uri": "u", "blob": "AA==" } } } },
            ],
            "output": "{\"n\": 1}",
            "is_error": false,
        });
        assert_eq!(
            result("t", of_24).unwrap(),
            json!({
                "content": [
                    { "text": "hi", "type": "text", "annotations": { "audience": ["user"], "lastModified": "t" } },
                    { "data": "AA==", "mimeType": "image/png", "type": "image" },
                    { "resource": { "uri": "u", "blob": "AA==" }, "type": "resource" },
                ],
                "isError": false,
                "_meta": { "output": { "n": 1 } },
            })
        );
        let of_25_3 = json!({
            "content": [{ "audio": { "data": "AA==", "mime_type": "audio/wav" } }],
            "progress": [{ "progress": 0.5 }],
            "meta": [{ "key": "k", "value": "v" }],
        });
        assert_eq!(
            result("t", of_25_3).unwrap(),
            json!({
                "content": [{ "data": "AA==", "mimeType": "audio/wav", "type": "audio" }],
                "_meta": { "k": "v", "progress": [{ "progress": 0.5 }] },
            })
        );
        let of_25_6 = json!({ "completed": {
            "content": [
                { "resource_link": { "uri": "u", "mime_type": "text/plain" } },
                { "embedded_resource": { "uri": "v", "mime_type": "image/png", "data": "AA==" } },
                { "embedded_resource": { "uri": "w", "data": "words" } },
            ],
            "structured_content": "{\"sum\": 3}",
        } });
        assert_eq!(
            result("t", of_25_6).unwrap(),
            json!({
                "content": [
                    { "name": "u", "uri": "u", "mimeType": "text/plain", "type": "resource_link" },
                    { "resource": { "uri": "v", "mimeType": "image/png", "blob": "AA==" }, "type": "resource" },
                    { "resource": { "uri": "w", "text": "words" }, "type": "resource" },
                ],
                "structuredContent": { "sum": 3 },
            })
        );
    }

    proptest::proptest! {
        /// Whatever a router answers, the result has the protocol's form, or is a failure.
        #[test]
        fn any_answer_is_read(answer in json(), error in json()) {
            if let Ok(result) = result("t", answer) {
                assert!(result["content"].is_array(), "{result}");
            }
            assert!(!refusal("t", &error).error().message().is_empty());
        }
    }

    /// JSON with the fields that routers use, in places where they do not belong.
    fn json() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let key = proptest::sample::select(vec![
            "content",
            "text",
            "completed",
            "elicit",
            "meta",
            "key",
            "value",
            "json",
            "structured_content",
            "resource_contents",
            "embedded",
            "resource_link",
            "mime_type",
            "annotations",
            "is_error",
            "message",
        ]);
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-z{]{0,6}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    #[test]
    fn what_asks_a_person_is_a_failure_with_the_question() {
        let failure = result("t", json!({ "elicit": { "message": "which city?", "schema": "{}" } })).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Answer);
        assert!(failure.error().message().contains("which city?"), "{}", failure.error());
        assert_eq!(failure.to_value()["details"]["elicit"]["schema"], "{}");
    }

    #[test]
    fn cases_of_errors_have_kinds() {
        for (error, kind) in [
            (json!({ "not_found": "x" }), FailureKind::NotFound),
            (json!({ "invalid_parameters": "x" }), FailureKind::Arguments),
            (json!({ "execution_error": "x" }), FailureKind::Tool),
            (json!({ "schema_error": "x" }), FailureKind::Tool),
        ] {
            assert_eq!(refusal("t", &error).kind(), kind, "{error}");
        }
        let said = refusal("t", &json!({ "invalid_parameters": "no city" }));
        assert_eq!(said.error().message(), "tool t: invalid-parameters: no city");
    }

    #[test]
    fn tools_of_all_versions_are_listed_alike() {
        let listed = json!([
            { "name": "a", "description": "A", "input_schema": { "json": "{\"type\": \"object\"}" }, "output": "text" },
            { "name": "b", "title": "B", "description": "", "input_schema": "{}", "output_schema": "{}",
              "annotations": { "read_only": true }, "meta": [{ "key": "k", "value": "1" }] },
        ]);
        assert_eq!(
            tools(listed),
            [
                json!({ "name": "a", "description": "A", "inputSchema": { "type": "object" }, "_meta": { "output": "text" } }),
                json!({ "name": "b", "title": "B", "description": "", "inputSchema": {}, "outputSchema": {},
                    "annotations": { "readOnlyHint": true }, "_meta": { "k": 1 } }),
            ]
        );
    }
}
