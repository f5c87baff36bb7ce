//! A tool that is a plain function outside of any interface, and uses what such tools import.

wit_bindgen::generate!({
    path: ["../../wit/host-1.0.0", "../../wit/secrets-1.0.0"],
    inline: "
        package fixture:mcp-exec-tool;

        world tool {
            import greentic:host/http-v1@1.0.0;
            import greentic:host/kv-v1@1.0.0;
            import greentic:secrets/secret-store@1.0.0;
            export exec: func(action: string, args-json: string) -> string;
        }
    ",
    generate_all,
});

use greentic::host::{http_v1, kv_v1};
use greentic::secrets::secret_store;
use tool_kit::{Fault, Value, json};

struct Tool;

impl Guest for Tool {
    fn exec(action: String, args_json: String) -> String {
        let answer = match action.as_str() {
            "say" => return "just words".to_owned(),
            "bump" => Ok(bump()),
            "fetch" => Ok(fetch(&args_json)),
            "secrets" => Ok(secrets(&args_json)),
            other => tool_kit::run(other, &args_json),
        };
        answer.unwrap_or_else(error).to_string()
    }
}

fn error(fault: Fault) -> Value {
    let (code, message) = match fault {
        Fault::Unknown(message) => ("iface-error.not-found", message),
        Fault::Arguments(message) => ("iface-error.invalid-arg", message),
        Fault::Failed(message) => ("broken", message),
    };
    json!({ "error": { "code": code, "message": message } })
}

/// Counts in the key-value store of the pack.
fn bump() -> Value {
    let count: u64 = kv_v1::get("tool", "count").and_then(|text| text.parse().ok()).unwrap_or(0) + 1;
    kv_v1::put("tool", "count", &count.to_string());
    json!({ "count": count })
}

/// Asks the URL in `{"url"}` and answers what became of it.
fn fetch(args: &str) -> Value {
    let url = args.split('"').nth(3).unwrap_or_default();
    match http_v1::request("GET", url, &[], None) {
        Ok(body) => json!({ "body": String::from_utf8_lossy(&body) }),
        Err(why) => json!({ "refused": why }),
    }
}

/// Reads the secret in `{"name"}`, stores it anew and asks for it to be deleted.
fn secrets(args: &str) -> Value {
    let name = args.split('"').nth(3).unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    json!({
        "read": told(secret_store::read(name).map(text)),
        "write": told(secret_store::write(name, b"new").map(|()| Value::Null)),
        "delete": told(secret_store::delete(name).map(|()| Value::Null)),
    })
}

fn told(result: Result<impl Into<Value>, String>) -> Value {
    match result {
        Ok(value) => {
            let value: Value = value.into();
            json!({ "Ok": value })
        }
        Err(why) => json!({ "Err": why }),
    }
}

export!(Tool);
