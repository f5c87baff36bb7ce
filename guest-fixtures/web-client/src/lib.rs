//! A node that makes requests by each interface there is for them, in the name of somebody else where it can.

mod wasi;

wit_bindgen::generate!({
    path: [
        "../../wit/interfaces-types-0.1.0",
        "../../wit/types-core-0.4.0",
        "../../wit/host-1.0.0",
        "../../wit/host-import-0.2.0",
        "../../wit/host-import-0.4.0",
        "../../wit/host-import-0.6.0",
        "../../wit/http-1.0.0",
        "../../wit/http-1.1.0",
    ],
    inline: "
        package fixture:web-client;

        world guest {
            import greentic:host/http-v1@1.0.0;
            import greentic:host-import/imports@0.2.0;
            import greentic:host-import/http@0.4.0;
            import greentic:host-import/telemetry@0.4.0;
            import greentic:host-import/http@0.6.0;
            import greentic:http/client@1.0.0;
            import greentic:http/http-client@1.0.0;
            import greentic:http/client@1.1.0;
            import greentic:http/http-client@1.1.0;
        }
    ",
    generate_all,
});

use greentic::host::http_v1;
use greentic::host_import0_2_0::imports as host_import_0_2;
use greentic::host_import0_4_0::{http as host_import_0_4, telemetry as telemetry_0_4};
use greentic::host_import0_6_0::http as host_import_0_6;
use greentic::http1_0_0::{client as alias_1_0, http_client as client_1_0};
use greentic::http1_1_0::{client as alias_1_1, http_client as client_1_1};
use greentic::interfaces_types::types::TenantCtx;
use node_kit::{Failure, Operation, Operations, Value, json, number, text};

struct WebClient;

impl Operations for WebClient {
    const NAME: &'static str = "web-client";
    const ALL: &'static [Operation] = &[
        (
            "ask",
            "Sends `method`, `url`, `headers`, `body` and `options` by the interface `by`; by `wasi` as often as \
                 `times` says, before",
        ),
        ("flood", "Sends a request with `count` headers to `url`"),
        ("pour", "Sends a body that does not end to `url`"),
        ("log", "Logs the text `note` by the older interfaces"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "flood" => {
                let headers = (0..number(&input, "count", 0)).map(|n| (format!("x-{n}"), "y".to_owned())).collect();
                Ok(by_client_1_1(&Asked { headers, ..Asked::of(&input)? }))
            }
            "pour" => Ok(wasi::pour(&Asked::of(&input)?)),
            "log" => {
                telemetry_0_4::emit(text(&input, "note")?, None);
                host_import_0_2::telemetry_emit(text(&input, "note")?, None);
                Ok(json!({ "logged": true }))
            }
            _ => {
                let asked = Asked::of(&input)?;
                (1..number(&input, "times", 1)).for_each(|_| drop(wasi::ask(&asked)));
                Ok(match text(&input, "by")? {
                    "http-client@1.0.0" => by_client_1_0(&asked),
                    "client@1.0.0" => by_alias_1_0(&asked),
                    "http-client@1.1.0" => by_client_1_1(&asked),
                    "client@1.1.0" => by_alias_1_1(&asked),
                    "http-v1" => by_http_v1(&asked, false),
                    "http-v1 lines" => by_http_v1(&asked, true),
                    "host-import@0.2.0" => by_host_import_0_2(&asked),
                    "host-import@0.4.0" => by_host_import_0_4(&asked),
                    "host-import@0.6.0" => by_host_import_0_6(&asked),
                    "wasi" => wasi::ask(&asked),
                    other => return Err(Failure::new("bad_input", format!("no interface {other}"))),
                })
            }
        }
    }
}

/// What is asked.
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    options: Value,
}

impl Asked {
    fn of(input: &Value) -> Result<Self, Failure> {
        let pair = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
        Ok(Self {
            method: input.get("method").and_then(Value::as_str).unwrap_or("GET").to_owned(),
            url: text(input, "url")?.to_owned(),
            headers: input.get("headers").and_then(Value::as_array).into_iter().flatten().filter_map(pair).collect(),
            body: input.get("body").and_then(Value::as_str).map(str::to_owned),
            options: input.get("options").cloned().unwrap_or_default(),
        })
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        self.body.as_ref().map(|body| body.clone().into_bytes())
    }

    fn headers_json(&self) -> Option<String> {
        let object = self.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        Some(Value::Object(object.collect()).to_string())
    }

    fn option(&self, name: &str) -> Option<u64> {
        self.options.get(name).and_then(Value::as_u64)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.options.get(name).and_then(Value::as_bool)
    }

    fn client_1_0(&self) -> client_1_0::Request {
        let headers = self.headers.clone();
        client_1_0::Request { method: self.method.clone(), url: self.url.clone(), headers, body: self.bytes() }
    }

    fn client_1_1(&self) -> (client_1_1::Request, Option<client_1_1::RequestOptions>) {
        let headers = self.headers.clone();
        let request =
            client_1_1::Request { method: self.method.clone(), url: self.url.clone(), headers, body: self.bytes() };
        let options = self.options.is_object().then(|| client_1_1::RequestOptions {
            timeout_ms: self.option("timeout-ms").and_then(|ms| u32::try_from(ms).ok()),
            allow_insecure: self.flag("allow-insecure"),
            follow_redirects: self.flag("follow-redirects"),
        });
        (request, options)
    }
}

/// An answer; of a body that is long only how long it is.
fn answered(status: Option<u16>, headers: Value, body: &[u8]) -> Value {
    let shown = if body.len() > 1000 { Value::Null } else { json!(String::from_utf8_lossy(body)) };
    json!({ "status": status, "headers": headers, "body": shown, "length": body.len() })
}

fn failed(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

fn by_client_1_0(asked: &Asked) -> Value {
    match client_1_0::send(&asked.client_1_0(), Some(&context())) {
        Ok(response) => answered(Some(response.status), json!(response.headers), &response.body.unwrap_or_default()),
        Err(error) => failed(&error.code, &error.message),
    }
}

fn by_alias_1_0(asked: &Asked) -> Value {
    match alias_1_0::send(&asked.client_1_0(), None) {
        Ok(response) => answered(Some(response.status), json!(response.headers), &response.body.unwrap_or_default()),
        Err(error) => failed(&error.code, &error.message),
    }
}

fn by_client_1_1(asked: &Asked) -> Value {
    let (request, options) = asked.client_1_1();
    match client_1_1::send(&request, options, Some(&context())) {
        Ok(response) => answered(Some(response.status), json!(response.headers), &response.body.unwrap_or_default()),
        Err(error) => failed(&error.code, &error.message),
    }
}

fn by_alias_1_1(asked: &Asked) -> Value {
    let (request, options) = asked.client_1_1();
    match alias_1_1::send(&request, options, None) {
        Ok(response) => answered(Some(response.status), json!(response.headers), &response.body.unwrap_or_default()),
        Err(error) => failed(&error.code, &error.message),
    }
}

fn by_http_v1(asked: &Asked, lines: bool) -> Value {
    let headers: Vec<String> = match lines {
        true => asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
        false => asked.headers.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect(),
    };
    match http_v1::request(&asked.method, &asked.url, &headers, asked.bytes().as_deref()) {
        Ok(body) => answered(None, Value::Null, &body),
        Err(error) => match error.split_once(": ") {
            Some((code, message)) => failed(code, message),
            None => failed("", &error),
        },
    }
}

macro_rules! by_host_import {
    ($name:ident, $interface:ident, $fetch:ident) => {
        fn $name(asked: &Asked) -> Value {
            let request = $interface::HttpRequest {
                method: asked.method.clone(),
                url: asked.url.clone(),
                headers_json: asked.headers_json(),
                body: asked.body.clone(),
            };
            match $interface::$fetch(&request, None) {
                Ok(response) => {
                    let headers = response.headers_json.and_then(|json| node_kit::parse(json.as_bytes()).ok());
                    let body = response.body.unwrap_or_default();
                    answered(Some(response.status), headers.unwrap_or_default(), body.as_bytes())
                }
                Err(error) => failed(&format!("{error:?}"), ""),
            }
        }
    };
}

by_host_import!(by_host_import_0_2, host_import_0_2, http_fetch);
by_host_import!(by_host_import_0_4, host_import_0_4, fetch);
by_host_import!(by_host_import_0_6, host_import_0_6, fetch);

/// A context in the name of somebody else.
fn context() -> TenantCtx {
    let other = || "somebody-else".to_owned();
    TenantCtx {
        env: "prod".to_owned(),
        tenant: other(),
        tenant_id: other(),
        team: None,
        team_id: None,
        user: Some(other()),
        user_id: Some(other()),
        trace_id: None,
        i18n_id: Some("de".to_owned()),
        correlation_id: None,
        attributes: Vec::new(),
        session_id: Some(other()),
        flow_id: None,
        node_id: None,
        provider_id: None,
        deadline_ms: Some(i64::MAX),
        attempt: 7,
        idempotency_key: None,
        impersonation: None,
    }
}

node_kit::export!(WebClient);
