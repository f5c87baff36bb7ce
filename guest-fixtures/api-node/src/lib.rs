//! A node of `greentic:component-v1@0.1.0`: `echo` answers the request as it came, `fail` an error, `later` an outcome that
//! is not the last one. It describes itself by `greentic:component/describe-v1@1.0.0`.

wit_bindgen::generate!({
    path: ["../../wit/component-v1-0.1.0", "../../wit/variants/component-1.0.0"],
    inline: "
        package fixture:api-node;

        world described {
            export greentic:component-v1/component-api@0.1.0;
            export greentic:component/describe-v1@1.0.0;
        }
    ",
    additional_derives: [serde::Serialize],
    generate_all,
});

use exports::greentic::component::describe_v1;
use exports::greentic::component_v1::component_api::{ComponentOutcome, ComponentRequest, ComponentStatus, Guest};
use json_node_kit::json;

struct Component;

impl Guest for Component {
    fn invoke(req: ComponentRequest) -> ComponentOutcome {
        let outcome = |status, code: Option<&str>, payload: json_node_kit::Value| ComponentOutcome {
            status,
            code: code.map(str::to_owned),
            payload_json: payload.to_string(),
            metadata_json: None,
        };
        match req.operation.as_deref() {
            Some("fail") => outcome(ComponentStatus::Error, Some("refused"), json!({ "message": "asked to" })),
            Some("later") => outcome(ComponentStatus::Pending, None, json!({ "later": true })),
            _ => outcome(ComponentStatus::Done, None, json!(req)),
        }
    }
}

impl describe_v1::Guest for Component {
    fn describe_json() -> String {
        let operations = ["echo", "fail", "later"].map(|name| json!({ "name": name }));
        json!({ "name": "api-node", "operations": operations }).to_string()
    }
}

export!(Component);
