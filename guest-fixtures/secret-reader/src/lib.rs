//! A node that reads and stores secrets by each interface there is for them, in the name of somebody else where it can.

wit_bindgen::generate!({
    path: [
        "../../wit/interfaces-types-0.1.0",
        "../../wit/types-core-0.4.0",
        "../../wit/host-import-0.2.0",
        "../../wit/host-import-0.4.0",
        "../../wit/host-import-0.6.0",
        "../../wit/secrets-store-1.0.0",
        "../../wit/secrets-store-1.1.0",
        "../../wit/telemetry-1.0.0",
    ],
    inline: "
        package fixture:secret-reader;

        world guest {
            import greentic:host-import/imports@0.2.0;
            import greentic:host-import/secrets@0.4.0;
            import greentic:host-import/secrets@0.6.0;
            import greentic:host-import/telemetry@0.4.0;
            import greentic:host-import/telemetry@0.6.0;
            import greentic:secrets-store/secrets-store@1.0.0;
            import greentic:secrets-store/secrets-store@1.1.0;
            import greentic:telemetry/logger-api@1.0.0;
        }
    ",
    generate_all,
});

use greentic::host_import0_2_0::imports as host_import_0_2;
use greentic::host_import0_4_0::{secrets as host_import_0_4, telemetry as telemetry_0_4};
use greentic::host_import0_6_0::{secrets as host_import_0_6, telemetry as telemetry_0_6};
use greentic::interfaces_types::types::SpanContext;
use greentic::secrets_store1_0_0::secrets_store as store_1_0;
use greentic::secrets_store1_1_0::secrets_store as store_1_1;
use greentic::telemetry::logger_api;
use greentic::types_core::types::{Cloud, DeploymentCtx, Platform, TenantCtx};
use node_kit::{Failure, Operation, Operations, Value, json, number, text};

struct SecretReader;

impl Operations for SecretReader {
    const NAME: &'static str = "secret-reader";
    const ALL: &'static [Operation] = &[
        ("get", "Reads `key` by the interface `by` and answers `found`, how long it is, or the error"),
        ("show", "Reads `key` and answers its value, as a component should not"),
        ("fail", "Reads `key` and fails with its value, as a component should not"),
        ("trap", "Reads `key` and traps"),
        ("log", "Reads `key` and logs its value by each interface there is for that, as a component should not"),
        ("confuse", "Reads `key`, and asks for what it is as if that were a key"),
        ("put", "Stores `value` under `key`"),
        ("endless", "Reads under a key of `length` bytes"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        if op == "endless" {
            let key = "k".repeat(usize::try_from(number(&input, "length", 0)).unwrap_or(usize::MAX));
            return Ok(answered(by_store_1_1(&key)));
        }
        let key = text(&input, "key")?;
        match op {
            "put" => {
                store_1_1::put(key, text(&input, "value")?.as_bytes());
                Ok(json!("stored"))
            }
            "get" => Ok(answered(match text(&input, "by")? {
                "secrets-store@1.0.0" => store_1_0::get(key).map_err(|error| format!("{error:?}")),
                "secrets-store@1.1.0" => by_store_1_1(key),
                "host-import@0.2.0" => {
                    some(host_import_0_2::secrets_get(key, None).map_err(|error| format!("{error:?}")))
                }
                "host-import@0.4.0" => {
                    some(host_import_0_4::get(key, Some(&context())).map_err(|error| format!("{error:?}")))
                }
                "host-import@0.6.0" => {
                    some(host_import_0_6::get(key, Some(&context())).map_err(|error| format!("{error:?}")))
                }
                other => return Err(Failure::new("bad_input", format!("no interface {other}"))),
            })),
            _ => {
                let value = by_store_1_1(key).map_err(|error| Failure::new("no_secret", error))?;
                let value = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
                match op {
                    "show" => Ok(json!({ "value": value })),
                    "fail" => Err(Failure::new("told", format!("it is {value}"))),
                    "confuse" => Ok(answered(by_store_1_1(&value))),
                    "log" => {
                        log(&value, number(&input, "started", 0).cast_signed());
                        Ok(json!({ "logged": true }))
                    }
                    _ => core::arch::wasm32::unreachable(),
                }
            }
        }
    }
}

/// Logs a secret in names and values, written in several ways, and where a value is cut.
fn log(value: &str, started: i64) {
    let cut = format!("{}{value}", "x".repeat(250));
    let fields =
        [("key", value), (value, "named"), ("cut", &cut)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let span = SpanContext {
        tenant: "made-up".to_owned(),
        session_id: None,
        flow_id: "made-up".to_owned(),
        node_id: None,
        provider: format!("used {value}"),
        start_ms: Some(started),
        end_ms: Some(started),
    };
    // What is not taken is looked for in vain.
    let _ = logger_api::log(&span, &fields, None);
    let mut fields =
        json!({ "name": format!("emitted {value}"), "start_ms": started, "end_ms": started, "key": value, "cut": cut });
    fields[value] = json!("named");
    telemetry_0_4::emit(&fields.to_string(), None);
    host_import_0_2::telemetry_emit(&fields.to_string(), None);
    // The same in the other way in which JSON writes a character.
    let escaped: String = value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let fields = format!(
        r#"{{"name":"emitted {escaped}","start_ms":{started},"end_ms":{started},"key":"{escaped}","{escaped}":"named"}}"#
    );
    telemetry_0_6::emit(&fields, None);
    telemetry_0_6::emit(&format!("plain {value}"), None);
}

fn by_store_1_1(key: &str) -> Result<Option<Vec<u8>>, String> {
    store_1_1::get(key).map_err(|error| format!("{error:?}"))
}

fn some(found: Result<String, String>) -> Result<Option<Vec<u8>>, String> {
    found.map(|text| Some(text.into_bytes()))
}

/// How long a value is and what its bytes add up to, so that a test can tell values apart without one being shown.
fn answered(found: Result<Option<Vec<u8>>, String>) -> Value {
    match found {
        Ok(None) => json!({ "found": false }),
        Ok(Some(value)) => {
            let sum: u64 = value.iter().copied().map(u64::from).sum();
            json!({ "found": true, "length": value.len(), "sum": sum })
        }
        Err(error) => json!({ "error": error }),
    }
}

/// A context in the name of somebody else.
fn context() -> TenantCtx {
    let other = || "somebody-else".to_owned();
    TenantCtx {
        tenant: other(),
        team: Some(other()),
        user: Some(other()),
        deployment: DeploymentCtx {
            cloud: Cloud::Local,
            region: None,
            platform: Platform::Other,
            runtime: None,
            i18n_id: None,
        },
        trace_id: None,
        i18n_id: None,
        session_id: Some(other()),
        flow_id: Some(other()),
        node_id: None,
        provider_id: None,
    }
}

node_kit::export!(SecretReader);
