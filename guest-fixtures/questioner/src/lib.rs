//! What packs carry as `questions` and as `templating.*`, in one node of `greentic:component@0.5.0`. Like published ones it
//! answers more than its manifest lists.
//!
//! - `invoke` tells the next of the questions in `fields` that `answers` has no answer to, or all the answers.
//! - `render` puts the values of its input into the names in angle brackets of `text`.
//! - `preview`, which the manifest lists beside `validate`, answers its input.

wit_bindgen::generate!({
    path: "../../wit/variants/component-0.5.0-a",
    world: "greentic:component/component",
    generate_all,
});

use exports::greentic::component::node::{ExecCtx, Guest, InvokeResult, LifecycleStatus, NodeError, StreamEvent};
use json_node_kit::{Value, json, parse};

struct Questioner;

impl Guest for Questioner {
    fn get_manifest() -> String {
        json!({ "name": "questioner", "operations": [{ "name": "preview" }, { "name": "validate" }] }).to_string()
    }

    fn on_start(_ctx: ExecCtx) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn on_stop(_ctx: ExecCtx, _reason: String) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn invoke(_ctx: ExecCtx, op: String, input: String) -> InvokeResult {
        let input = parse(&input);
        match op.as_str() {
            "invoke" => InvokeResult::Ok(ask(&input).to_string()),
            "render" => InvokeResult::Ok(json!({ "text": render(&input) }).to_string()),
            "preview" | "validate" => InvokeResult::Ok(input.to_string()),
            other => InvokeResult::Err(NodeError {
                code: "unknown_op".to_owned(),
                message: format!("there is no operation {other}"),
                retryable: false,
                backoff_ms: None,
                details: None,
            }),
        }
    }

    fn invoke_stream(_ctx: ExecCtx, _op: String, _input: String) -> Vec<StreamEvent> {
        vec![StreamEvent::Done]
    }
}

fn ask(input: &Value) -> Value {
    let fields = input["fields"].as_array().into_iter().flatten();
    let mut open = fields.filter(|field| field["id"].as_str().is_none_or(|id| input["answers"][id].is_null()));
    match open.next() {
        Some(field) => json!({ "status": "asking", "id": field["id"], "text": field["prompt"] }),
        None => json!({ "status": "done", "answers": input["answers"] }),
    }
}

fn render(input: &Value) -> String {
    let mut text = input["text"].as_str().unwrap_or_default().to_owned();
    for (name, value) in input.as_object().into_iter().flatten() {
        if let Some(value) = value.as_str() {
            text = text.replace(&format!("<{name}>"), value);
        }
    }
    text
}

export!(Questioner);
