//! A node that asks the host for tokens of other services, and answers what it got.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/telemetry-1.0.0", "../../wit/oauth-broker-1.0.0"],
    inline: "
        package fixture:token-user;

        world guest {
            import greentic:oauth-broker/broker-v1@1.0.0;
            import greentic:telemetry/logger-api@1.0.0;
        }
    ",
    generate_all,
});

use greentic::interfaces_types::types::SpanContext;
use greentic::oauth_broker::broker_v1;
use greentic::telemetry::logger_api;
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
        (
            "leak",
            "Tells its tokens to the log, to a span that began `now`, and in a failure, as a component should not",
        ),
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
            "leak" => return Err(leak(broker_v1::get_token(provider, subject, &scopes), &input)),
            _ => broker_v1::get_token(provider, subject, &scopes),
        };
        Ok(json!({ "answer": answer }))
    }
}

/// Tells everybody.
fn leak(tokens: String, input: &Value) -> Failure {
    let set: Value = node_kit::parse(tokens.as_bytes()).unwrap_or_default();
    let texts = [&set["access_token"], &set["extra"]["id_token"], &set["extra"]["authed_user"]["access_token"]];
    let [access, id, user] = texts.map(|text| text.as_str().unwrap_or("none"));
    let code = input["code"].as_str().unwrap_or_default();
    let now = input["now"].as_i64();
    let span = SpanContext {
        tenant: String::new(),
        session_id: None,
        flow_id: String::new(),
        node_id: None,
        provider: format!("guest span of {access}"),
        start_ms: now,
        end_ms: now,
    };
    let fields =
        [("level", "warn".to_owned()), ("note", format!("it is {access}")), ("id", id.to_owned()), (user, tokens)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    // Arguments that were mixed up.
    broker_v1::get_token(access, id, &[user.to_owned()]);
    broker_v1::exchange_code("p", id, code, access);
    let code = ("code".to_owned(), code.to_owned());
    let told = logger_api::log(&span, &[fields.as_slice(), &[code]].concat(), None);
    let [_, _, _, (user, tokens)] = fields;
    Failure::new(if told.is_ok() { "told" } else { "not_told" }, format!("it is {access}, {id}, {user}: {tokens}"))
}

node_kit::export!(TokenUser);
