//! What a tool's answer means: a result, or that the tool failed.

use serde_json::Value;

use super::failure::{Failure, FailureKind};

/// The code by which tools with a plain `exec` say that they have no such action.
const NOT_FOUND: &str = "iface-error.not-found";

/// What is said where a tool says nothing.
const NO_MESSAGE: &str = "it failed without a message";

/// Reads the result of a tool call in the protocol's own form: `{content, structuredContent?, isError?, _meta?}`.
///
/// # Errors
///
/// What the tool says of its failure, if the result is marked as one.
pub fn of_result(tool: &str, result: Value) -> Result<Value, Failure> {
    if result.get("isError") != Some(&Value::Bool(true)) {
        return Ok(result);
    }
    let items = result.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = items.filter_map(|item| item.get("text")?.as_str()).collect();
    let said = if texts.is_empty() { NO_MESSAGE.to_owned() } else { texts.join("; ") };
    Err(Failure::said(FailureKind::Tool, tool, &said).with_details(result))
}

/// Reads the text that a plain `exec` answers: JSON, or text as it is. An object with `error.code` is a failure.
///
/// # Errors
///
/// What the tool says of its failure.
pub fn of_exec(tool: &str, text: String) -> Result<Value, Failure> {
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let error = value.get("error").filter(|error| error.is_object());
    let Some(code) = error.and_then(|error| error.get("code")?.as_str()) else { return Ok(value) };
    let kind = if code == NOT_FOUND { FailureKind::NotFound } else { FailureKind::Tool };
    let said = error.and_then(|error| error.get("message")?.as_str()).unwrap_or(NO_MESSAGE);
    let failure = Failure::said(kind, tool, &format!("{code}: {said}"));
    Err(failure.with_details(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_one_unless_it_is_marked() {
        for fine in [json!({ "content": [] }), json!({ "content": [], "isError": false }), json!({ "isError": null })] {
            assert_eq!(of_result("t", fine.clone()).unwrap(), fine);
        }
        let marked = json!({ "content": [{ "type": "text", "text": "no" }, { "type": "image" }], "isError": true });
        let failure = of_result("t", marked.clone()).unwrap_err();
        assert_eq!((failure.kind(), failure.error().message()), (FailureKind::Tool, "tool t: no"));
        assert_eq!(failure.to_value()["details"], marked);
        let mute = of_result("t", json!({ "isError": true })).unwrap_err();
        assert_eq!(mute.error().message(), "tool t: it failed without a message");
    }

    #[test]
    fn a_plain_answer_is_json_or_text_or_an_error() {
        let read = |text: &str| of_exec("t", text.to_owned());
        for (text, value) in [
            (r#"{"sum": 3}"#, json!({ "sum": 3 })),
            ("plain", json!("plain")),
            ("", json!("")),
            (r#"{"error": "not an object"}"#, json!({ "error": "not an object" })),
            (r#"{"error": {"message": "no code"}}"#, json!({ "error": { "message": "no code" } })),
        ] {
            assert_eq!(read(text).unwrap(), value, "{text}");
        }
        let lost = read(r#"{"error": {"code": "iface-error.not-found", "message": "no such action"}}"#).unwrap_err();
        assert_eq!(lost.kind(), FailureKind::NotFound);
        let failed = read(r#"{"error": {"code": "quota"}}"#).unwrap_err();
        assert_eq!(failed.kind(), FailureKind::Tool);
        assert_eq!(failed.error().message(), "tool t: quota: it failed without a message");
        assert_eq!(failed.to_value()["details"]["error"]["code"], "quota");
    }
}
