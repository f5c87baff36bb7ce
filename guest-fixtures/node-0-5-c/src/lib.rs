//! A node of `greentic:component@0.5.0` in shape C. `json-node-kit` tells what it does.

wit_bindgen::generate!({
    path: "../../wit/variants/component-0.5.0-c",
    world: "greentic:component/component",
    additional_derives: [serde::Serialize],
    generate_all,
});

json_node_kit::export_node!("0.5.0");
