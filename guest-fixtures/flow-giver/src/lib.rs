//! A pack in one component that gives its flows to the host, by `greentic:pack-export-v1@0.1.0`.

wit_bindgen::generate!({ path: "../../wit/pack-export-v1-0.1.0", world: "pack" });

use exports::greentic::pack_export_v1::pack_api::{FlowDescriptor, FlowKind, Guest, PackDescriptor, PackKind};
use json_node_kit::json;

struct Component;

impl Guest for Component {
    fn get_pack_descriptor() -> PackDescriptor {
        PackDescriptor {
            pack_id: "fixture.flow-giver".to_owned(),
            version: "0.1.0".to_owned(),
            kind: PackKind::Application,
            publisher: "fixture".to_owned(),
        }
    }

    fn list_flows() -> Vec<FlowDescriptor> {
        vec![FlowDescriptor {
            id: "main".to_owned(),
            kind: FlowKind::ComponentConfig,
            tags: Vec::new(),
            entrypoints: vec!["default".to_owned()],
        }]
    }

    fn get_flow_json(flow_id: String) -> String {
        let node = json!({ "emit.response": { "payload": "hello" }, "routing": "out" });
        json!({ "id": flow_id, "type": "messaging", "start": "hi", "nodes": { "hi": node } }).to_string()
    }
}

export!(Component);
