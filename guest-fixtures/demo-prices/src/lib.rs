//! The price list of the demo's coffee desk: a provider that keeps nothing.
//!
//! - `menu` answers `{items: [{sku, name, price}], text}`.
//! - `quote` answers for `{items: [{sku, quantity}]}`: `{lines: [{quantity, name, price}], total, needs_approval}`.
//!
//! Its configuration says the `currency`, and `approval_above`: from which amount on somebody has to approve.

wit_bindgen::generate!({ path: "../../wit/provider-schema-core-1.0.0", world: "schema-core" });

use exports::greentic::provider_schema_core::schema_core_api::{Guest, HealthStatus, InvokeResult, ValidationResult};
use serde_json::{Value, json};

/// What there is: sku, name, price in hundredths.
const MENU: &[(&str, &str, u64)] = &[
    ("espresso", "Espresso", 220),
    ("cappuccino", "Cappuccino", 360),
    ("tea", "Pot of tea", 310),
    ("croissant", "Croissant", 280),
    ("cake", "Slice of cake", 490),
    ("party", "Party box for ten", 4800),
];

/// The most of one thing that is sold at once.
const MOST: u64 = 99;

struct Prices;

impl Guest for Prices {
    fn describe() -> Vec<u8> {
        bytes(&json!({
            "provider_type": "demo.prices",
            "capabilities": ["menu", "quote"],
            "ops": ["menu", "quote"],
            "config_schema": {
                "type": "object",
                "required": ["currency", "approval_above"],
                "properties": { "currency": { "type": "string" }, "approval_above": { "type": "number" } },
            },
        }))
    }

    fn validate_config(config_json: Vec<u8>) -> ValidationResult {
        let problem = match serde_json::from_slice(&config_json) {
            Ok(config) => Config::read(&config).err(),
            Err(error) => Some(format!("the configuration is no JSON: {error}")),
        };
        match problem {
            None => bytes(&json!({ "ok": true })),
            Some(error) => bytes(&json!({ "ok": false, "error": error })),
        }
    }

    fn healthcheck() -> HealthStatus {
        bytes(&json!({ "status": "ok" }))
    }

    fn invoke(op: String, input_json: Vec<u8>) -> InvokeResult {
        let answer = serde_json::from_slice(&input_json).map_err(|error| error.to_string()).and_then(|input: Value| {
            let config = Config::read(input.get("config").unwrap_or(&Value::Null))?;
            match op.as_str() {
                "menu" => Ok(menu(&config)),
                "quote" => quote(&config, &input),
                other => Err(format!("no operation `{other}`")),
            }
        });
        bytes(&answer.unwrap_or_else(
            |message| json!({ "ok": false, "error": { "code": "bad_input", "message": message, "retryable": false } }),
        ))
    }
}

struct Config {
    currency: String,
    approval_above: f64,
}

impl Config {
    fn read(config: &Value) -> Result<Self, String> {
        let currency = config.get("currency").and_then(Value::as_str).ok_or("`currency` is missing")?;
        let above = config.get("approval_above").and_then(Value::as_f64).ok_or("`approval_above` is missing")?;
        Ok(Self { currency: currency.to_owned(), approval_above: above })
    }

    fn price(&self, hundredths: u64) -> String {
        format!("{}.{:02} {}", hundredths / 100, hundredths % 100, self.currency)
    }
}

fn menu(config: &Config) -> Value {
    let items: Vec<Value> = MENU
        .iter()
        .map(|(sku, name, price)| json!({ "sku": sku, "name": name, "price": config.price(*price) }))
        .collect();
    json!({ "items": items })
}

fn quote(config: &Config, input: &Value) -> Result<Value, String> {
    let items = input.get("items").and_then(Value::as_array).ok_or("`items` is missing")?;
    let mut lines = Vec::new();
    let mut total = 0;
    for item in items {
        let sku = item.get("sku").and_then(Value::as_str).ok_or("an item has no `sku`")?;
        let quantity = item.get("quantity").and_then(Value::as_u64).unwrap_or(1).min(MOST);
        let (_, name, price) =
            MENU.iter().find(|entry| entry.0 == sku).ok_or_else(|| format!("there is no `{sku}` on the menu"))?;
        total += price * quantity;
        lines.push(json!({ "quantity": quantity, "name": name, "price": config.price(price * quantity) }));
    }
    Ok(json!({
        "lines": lines,
        "total": config.price(total),
        "needs_approval": total as f64 > config.approval_above * 100.0,
    }))
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

export!(Prices);
