//! A node of the package that was published first as `greentic:component@0.6.0`: it counts its runs in the state that
//! it gets and gives back. It has one function and is not told which operation a flow names.
//!
//! It answers `{runs, state, input}`: how often it ran in this session, the state that it got, and its input. An input
//! with `then` makes it answer an error (`fail`), trap (`trap`), forget its state (`forget`), keep it (`keep`) or answer no bytes (`quiet`).

use std::collections::BTreeMap;

use cbor_kit::{Value, decode, encode, json};

wit_bindgen::generate!({
    path: "../../wit/variants/component-0.6.0-early",
    inline: "
        package fixture:early-counter;

        world guest {
            export greentic:component/component-descriptor@0.6.0;
            export greentic:component/component-runtime@0.6.0;
        }
    ",
    generate_all,
});

use exports::greentic::component::component_descriptor::Guest as Descriptor;
use exports::greentic::component::component_runtime::{Guest as Runtime, RunResult};

struct Component;

impl Descriptor for Component {
    fn get_component_info() -> Vec<u8> {
        encode(&json!({ "id": "early-counter", "version": "0.1.0" }))
    }

    fn describe() -> Vec<u8> {
        encode(&json!({ "info": { "id": "early-counter" }, "operations": [{ "id": "run" }] }))
    }
}

impl Runtime for Component {
    fn run(input: Vec<u8>, state: Vec<u8>) -> RunResult {
        let (input, given) = (decode(&input), decode(&state));
        let runs = given["runs"].as_u64().unwrap_or(0) + 1;
        let new_state = encode(&json!(BTreeMap::from([("runs", runs)])));
        let answer = |output: Value, new_state: Vec<u8>| RunResult { output: encode(&output), new_state };
        let counted = json!({ "runs": runs, "state": given, "input": input });
        match input["then"].as_str() {
            Some("fail") => {
                answer(json!({ "ok": false, "error": { "code": "refused", "message": "asked to" } }), new_state)
            }
            Some("trap") => core::arch::wasm32::unreachable(),
            Some("forget") => answer(counted, Vec::new()),
            Some("keep") => answer(counted, state),
            Some("quiet") => RunResult { output: Vec::new(), new_state },
            _ => answer(counted, new_state),
        }
    }
}

export!(Component);
