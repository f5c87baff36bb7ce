//! What a component's answer means: a result, or an error of its own.

use serde_json::{Map, Value, json};

use super::call::{CallFailure, HostCall};
use super::cbor;
use crate::capabilities::HostCtx;
use crate::engine::Subject;
use crate::error::{Code, Error, Kind, Result};
use crate::id;

/// Shown when an error has no message or code of its own.
pub(super) const NO_MESSAGE: &str = "no message";
pub(super) const FAILED: &str = "COMPONENT_INVOCATION_FAILED";
/// Characters of a component's message in the host's own error; `err_map` sees all of it.
const MAX_MESSAGE: usize = 500;

/// An error that a component answers with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rejection {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retryable: bool,
    pub(super) backoff_ms: Option<u64>,
    pub(super) details: Option<Value>,
}

impl Rejection {
    /// Reads `{ok: false, error: {…}}`, which is how components that answer JSON report errors.
    pub(super) fn in_result(output: &Value) -> Option<Self> {
        let object = output.as_object()?;
        if object.get("ok") != Some(&Value::Bool(false)) {
            return None;
        }
        let error = object.get("error")?.as_object()?;
        let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            code: text("code").unwrap_or_else(|| FAILED.to_owned()),
            message: text("message").unwrap_or_else(|| NO_MESSAGE.to_owned()),
            retryable: error.get("retryable").and_then(Value::as_bool).unwrap_or(false),
            backoff_ms: error.get("backoff_ms").and_then(Value::as_u64),
            details: error.get("details").cloned(),
        })
    }

    /// A result that is marked as failed without an error beside it.
    pub(super) fn of_output(output: &Value) -> Self {
        Self {
            code: FAILED.to_owned(),
            message: output.to_string(),
            retryable: false,
            backoff_ms: None,
            details: Some(output.clone()),
        }
    }

    /// The same without the secrets that the component was given.
    pub(super) fn hidden(self, ctx: &HostCtx) -> Self {
        let details = self.details.map(|details| ctx.hide_in(details));
        Self { code: ctx.hide(&self.code), message: ctx.hide(&self.message), details, ..self }
    }

    fn into_value(self) -> Value {
        let mut value = Map::new();
        value.insert("code".to_owned(), self.code.into());
        value.insert("message".to_owned(), self.message.into());
        value.insert("retryable".to_owned(), self.retryable.into());
        if let Some(backoff) = self.backoff_ms {
            value.insert("backoff_ms".to_owned(), backoff.into());
        }
        if let Some(details) = self.details {
            value.insert("details".to_owned(), details);
        }
        Value::Object(value)
    }
}

/// The failure of a call that a component answered with an error.
pub(super) fn rejected(subject: Subject<'_>, rejection: Rejection, host_calls: Vec<HostCall>) -> Box<CallFailure> {
    let shown: String = rejection.message.chars().take(MAX_MESSAGE).flat_map(char::escape_debug).collect();
    let message = format!("component {} failed: {}: {shown}", subject.component, id::clip(&rejection.code));
    Box::new(CallFailure {
        error: Error::new(Code::ComponentFailed, message),
        retryable: rejection.retryable,
        backoff_ms: rejection.backoff_ms,
        value: rejection.into_value(),
        host_calls,
    })
}

/// The failure of a call that the host ended or could not begin. Another attempt helps only where the host was busy.
pub(super) fn failed(error: Error, host_calls: Vec<HostCall>) -> Box<CallFailure> {
    let retryable = error.code().kind() == Kind::Unavailable;
    let value = json!({"code": error.code().to_string(), "message": error.message(), "retryable": retryable});
    Box::new(CallFailure { error, retryable, backoff_ms: None, value, host_calls })
}

/// What a component's CBOR means; `ok` is what it says of it beside.
pub(super) fn from_cbor(subject: Subject<'_>, bytes: &[u8], ok: bool) -> Result<Result<Value, Rejection>> {
    let output = cbor::decode(bytes).map_err(|why| unreadable(subject, &why))?;
    Ok(match (Rejection::in_result(&output), ok) {
        (Some(rejection), _) => Err(rejection),
        (None, true) => Ok(output),
        (None, false) => Err(Rejection::of_output(&output)),
    })
}

/// What a component's JSON means.
pub(super) fn from_json_text(subject: Subject<'_>, bytes: Vec<u8>) -> Result<Result<Value, Rejection>> {
    let output = from_json(subject, bytes)?;
    Ok(Rejection::in_result(&output).map_or(Ok(output), Err))
}

/// The JSON that a component answers: nothing is null, and text that is no JSON is taken as a string.
pub(super) fn from_json(subject: Subject<'_>, bytes: Vec<u8>) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if let Ok(value) = serde_json::from_slice(&bytes) {
        return Ok(value);
    }
    String::from_utf8(bytes).map(Value::String).map_err(|_| unreadable(subject, "it is neither JSON nor UTF-8 text"))
}

/// An answer that the host cannot read.
pub(super) fn unreadable(subject: Subject<'_>, why: &str) -> Error {
    Error::new(Code::ComponentAnswer, format!("{subject}: the answer cannot be read: {why}"))
        .hint("this is a defect of the component; its state changes were discarded")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'static> = Subject { component: "c", op: "o" };

    #[test]
    fn only_a_marked_error_is_one() {
        for value in [json!({"ok": false}), json!({"ok": true, "error": {}}), json!({"error": {}}), json!([false])] {
            assert_eq!(Rejection::in_result(&value), None, "{value}");
        }
        let value = json!({"ok": false, "error": {"code": "E", "message": "m", "retryable": true, "backoff_ms": 5}});
        let failure = rejected(SUBJECT, Rejection::in_result(&value).unwrap(), Vec::new());
        assert!(failure.retryable);
        assert_eq!(failure.backoff_ms, Some(5));
        assert_eq!(failure.error.message(), "component c failed: E: m");
        assert_eq!(failure.value, value["error"]);
        assert_eq!(Rejection::in_result(&json!({"ok": false, "error": {}})).unwrap().code, FAILED);
    }

    #[test]
    fn answers_of_providers_are_json_or_text() {
        let cases: [(&[u8], Value); 4] = [
            (b"", Value::Null),
            (br#"{"a":1}"#, json!({"a": 1})),
            (b"plain", json!("plain")),
            (b"{\"a\":", json!("{\"a\":")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(from_json(SUBJECT, bytes.to_vec()).unwrap(), expected);
        }
        assert_eq!(from_json(SUBJECT, vec![0xff]).unwrap_err().code(), Code::ComponentAnswer);
    }
}
