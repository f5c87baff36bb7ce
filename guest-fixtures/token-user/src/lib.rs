//! A node that asks the host for tokens of other services, and answers what it got.

wit_bindgen::generate!({ path: "../../wit/oauth-broker-1.0.0", world: "broker-client" });

use greentic::oauth_broker::broker_v1;
use node_kit::{Failure, Operation, Operations, Value, json, number};

struct TokenUser;

impl Operations for TokenUser {
    const NAME: &'static str = "token-user";
    const ALL: &'static [Operation] = &[
        ("consent", "Answers where `subject` consents"),
        ("exchange", "Exchanges `code` for tokens"),
        ("token", "Answers the tokens of `subject`"),
        ("crowd", "Asks for consent of `count` subjects of its own making"),
        ("lie", "Asks with texts of `bytes` bytes"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
        let (provider, subject, path) = (text("provider"), text("subject"), text("path"));
        let scopes = input.get("scopes").and_then(Value::as_array).into_iter().flatten();
        let scopes: Vec<String> = scopes.filter_map(|scope| scope.as_str().map(str::to_owned)).collect();
        let answer = match op {
            "consent" => broker_v1::get_consent_url(provider, subject, &scopes, path, text("extra")),
            "exchange" => broker_v1::exchange_code(provider, subject, text("code"), path),
            "crowd" => {
                let asked = (0..number(&input, "count", 1)).map(|n| {
                    broker_v1::get_consent_url(provider, &format!("{subject}{n}"), &scopes, path, text("extra"))
                });
                return Ok(json!({ "given": asked.filter(|url| !url.is_empty()).count() }));
            }
            "lie" => {
                let long = "x".repeat(number(&input, "bytes", 0) as usize);
                broker_v1::get_token(&long, &long, &[long.clone()])
            }
            _ => broker_v1::get_token(provider, subject, &scopes),
        };
        Ok(json!({ "answer": answer }))
    }
}

node_kit::export!(TokenUser);
