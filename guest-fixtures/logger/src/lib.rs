//! A node that logs.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/telemetry-1.0.0"],
    world: "greentic:telemetry/logger",
    generate_all,
});

use greentic::interfaces_types::types::SpanContext;
use greentic::telemetry::logger_api;
use node_kit::{Failure, Operation, Operations, Value, json};

struct Logger;

impl Operations for Logger {
    const NAME: &'static str = "logger";
    const ALL: &'static [Operation] = &[("log", "Logs the texts of its input by their names")];

    fn call(_op: &str, input: Value) -> Result<Value, Failure> {
        let fields: Vec<_> = input
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        let span = SpanContext {
            tenant: "made-up".to_owned(),
            session_id: None,
            flow_id: "made-up".to_owned(),
            node_id: None,
            provider: Self::NAME.to_owned(),
            start_ms: Some(1),
            end_ms: None,
        };
        logger_api::log(&span, &fields, None).map_err(|error| Failure::new("host", error.message))?;
        Ok(json!({ "fields": fields.len() }))
    }
}

node_kit::export!(Logger);
