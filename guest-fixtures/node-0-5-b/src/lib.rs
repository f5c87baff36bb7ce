//! A node of `greentic:component@0.5.0` in shape B. `json-node-kit` tells what it does.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/variants/component-0.5.0-b"],
    world: "greentic:component/component",
    additional_derives: [serde::Serialize],
    generate_all,
});

json_node_kit::export_node!("0.5.0");
