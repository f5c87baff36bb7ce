//! A component of the early generation 0.6.0, whose payloads and state are CBOR: each run answers its input and how many
//! runs there were. The macro that exports such a component came with a version of the SDK that is published without its
//! WIT files; in this one the exports are named by hand.

use greentic_interfaces_guest::component_v0_6::component_runtime::RunResult;
use greentic_interfaces_guest::component_v0_6::{
    component_descriptor, component_i18n, component_qa, component_runtime, component_schema,
};
use serde_json::{Value, json};

struct Component;

impl component_descriptor::Guest for Component {
    fn get_component_info() -> Vec<u8> {
        cbor(&json!({ "id": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
    }

    fn describe() -> Vec<u8> {
        cbor(&json!({ "info": { "id": env!("CARGO_PKG_NAME") }, "operations": [{ "id": "run" }] }))
    }
}

impl component_schema::Guest for Component {
    fn input_schema() -> Vec<u8> {
        cbor(&json!({}))
    }

    fn output_schema() -> Vec<u8> {
        cbor(&json!({}))
    }

    fn config_schema() -> Vec<u8> {
        cbor(&json!({}))
    }
}

impl component_runtime::Guest for Component {
    fn run(input: Vec<u8>, state: Vec<u8>) -> RunResult {
        let runs = read(&state)["runs"].as_u64().unwrap_or_default() + 1;
        RunResult {
            output: cbor(&json!({ "input": read(&input), "runs": runs })),
            new_state: cbor(&json!({ "runs": runs })),
        }
    }
}

impl component_qa::Guest for Component {
    fn qa_spec(_mode: component_qa::QaMode) -> Vec<u8> {
        cbor(&json!({ "questions": [] }))
    }

    fn apply_answers(_mode: component_qa::QaMode, current_config: Vec<u8>, _answers: Vec<u8>) -> Vec<u8> {
        current_config
    }
}

impl component_i18n::Guest for Component {
    fn i18n_keys() -> Vec<String> {
        Vec::new()
    }
}

fn read(cbor: &[u8]) -> Value {
    ciborium::from_reader(cbor).unwrap_or_default()
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap_or_default();
    bytes
}

macro_rules! export {
    ($($name:literal, $post_name:literal: $module:ident::$function:ident, $post:ident($($argument:ident: $type:ty),*);)+) => {$(
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn function($($argument: $type),*) -> *mut u8 {
                unsafe { $module::$function::<Component>($($argument),*) }
            }

            #[unsafe(export_name = $post_name)]
            unsafe extern "C" fn post_return(result: *mut u8) {
                unsafe { $module::$post::<Component>(result) }
            }
        };
    )+};
}

export! {
    "greentic:component/component-descriptor@0.6.0#get-component-info",
    "cabi_post_greentic:component/component-descriptor@0.6.0#get-component-info":
        component_descriptor::_export_get_component_info_cabi, __post_return_get_component_info();
    "greentic:component/component-descriptor@0.6.0#describe",
    "cabi_post_greentic:component/component-descriptor@0.6.0#describe":
        component_descriptor::_export_describe_cabi, __post_return_describe();
    "greentic:component/component-schema@0.6.0#input-schema",
    "cabi_post_greentic:component/component-schema@0.6.0#input-schema":
        component_schema::_export_input_schema_cabi, __post_return_input_schema();
    "greentic:component/component-schema@0.6.0#output-schema",
    "cabi_post_greentic:component/component-schema@0.6.0#output-schema":
        component_schema::_export_output_schema_cabi, __post_return_output_schema();
    "greentic:component/component-schema@0.6.0#config-schema",
    "cabi_post_greentic:component/component-schema@0.6.0#config-schema":
        component_schema::_export_config_schema_cabi, __post_return_config_schema();
    "greentic:component/component-runtime@0.6.0#run",
    "cabi_post_greentic:component/component-runtime@0.6.0#run":
        component_runtime::_export_run_cabi, __post_return_run(a: *mut u8, b: usize, c: *mut u8, d: usize);
    "greentic:component/component-qa@0.6.0#qa-spec",
    "cabi_post_greentic:component/component-qa@0.6.0#qa-spec":
        component_qa::_export_qa_spec_cabi, __post_return_qa_spec(a: i32);
    "greentic:component/component-qa@0.6.0#apply-answers",
    "cabi_post_greentic:component/component-qa@0.6.0#apply-answers":
        component_qa::_export_apply_answers_cabi,
        __post_return_apply_answers(a: i32, b: *mut u8, c: usize, d: *mut u8, e: usize);
    "greentic:component/component-i18n@0.6.0#i18n-keys",
    "cabi_post_greentic:component/component-i18n@0.6.0#i18n-keys":
        component_i18n::_export_i18n_keys_cabi, __post_return_i18n_keys();
}
