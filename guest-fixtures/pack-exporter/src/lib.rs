//! A pack in one component, by greentic:pack-export@0.4.0: the flow `greet` answers what it is run with, `fail` ends with an error, and no
//! other exists.

wit_bindgen::generate!({
    path: ["../../wit/types-core-0.4.0", "../../wit/pack-export-0.4.0"],
    inline: "
        package fixture:pack-exporter;

        world guest {
            export greentic:pack-export/pack-queries@0.4.0;
            export greentic:pack-export/pack-exec@0.4.0;
        }
    ",
    additional_derives: [serde::Serialize],
    generate_all,
});

use exports::greentic::pack_export::pack_exec::{Guest as Exec, RunOpts, RunResult};
use exports::greentic::pack_export::pack_queries::{FlowInfo, Guest as Queries, IfaceError, SchemaDoc};
use json_node_kit::json;

struct Component;

fn flows() -> Vec<FlowInfo> {
    let flow = |id: &str| FlowInfo {
        id: id.to_owned(),
        profile: id.to_owned(),
        version: "1.0.0".to_owned(),
        type_: "messaging".to_owned(),
        private: false,
    };
    vec![flow("greet"), flow("fail")]
}

fn run(flow: &str, input: &str, opts: Option<RunOpts>) -> Result<RunResult, IfaceError> {
    let result = |status: &str, output: Option<String>, error: Option<&str>| RunResult {
        status: status.to_owned(),
        output_json: output,
        error: error.map(str::to_owned),
        logs_json: None,
        metrics_json: None,
    };
    match flow {
        "greet" => {
            let output = json!({ "input": json_node_kit::parse(input), "opts": opts }).to_string();
            Ok(result("ok", Some(output), None))
        }
        "fail" => Ok(result("error", None, Some("it was asked to fail"))),
        _ => Err(IfaceError::NotFound),
    }
}

impl Queries for Component {
    fn list_flows() -> Result<Vec<FlowInfo>, IfaceError> {
        Ok(flows())
    }

    fn get_flow_schema(_flow: String) -> Result<SchemaDoc, IfaceError> {
        Err(IfaceError::NotFound)
    }

    fn flow_metadata(_flow: String) -> Result<String, IfaceError> {
        Err(IfaceError::NotFound)
    }
}

impl Exec for Component {
    fn run_flow(flow: String, input_json: String, opts: Option<RunOpts>) -> Result<RunResult, IfaceError> {
        run(&flow, &input_json, opts)
    }

    fn prepare_flow(_flow: String, _hints_json: Option<String>) -> Result<String, IfaceError> {
        Err(IfaceError::NotFound)
    }
}

export!(Component);
