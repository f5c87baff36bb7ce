//! What the tools among the guests do, whatever they export.

pub use serde_json::{Value, json};

/// Why a tool gives no result.
pub enum Fault {
    /// There is no such tool.
    Unknown(String),
    /// The arguments are not those that it takes.
    Arguments(String),
    /// It failed.
    Failed(String),
}

/// The tools, with what they do.
pub const TOOLS: &[(&str, &str)] = &[
    ("add", "Adds `a` and `b`"),
    ("fail", "Fails"),
    ("huge", "Answers `size` letters"),
    ("spin", "Never ends"),
    ("eat", "Takes memory without end"),
];

/// The JSON Schema of the arguments of `add`.
pub const ADD_SCHEMA: &str =
    r#"{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}"#;

/// Runs a tool with arguments in JSON.
pub fn run(tool: &str, args: &str) -> Result<Value, Fault> {
    let args: Value = serde_json::from_str(args).map_err(|error| Fault::Arguments(error.to_string()))?;
    let number = |key: &str| {
        args.get(key).and_then(Value::as_u64).ok_or_else(|| Fault::Arguments(format!("`{key}` is no number")))
    };
    match tool {
        "add" => Ok(json!({ "sum": number("a")? + number("b")? })),
        "fail" => Err(Fault::Failed("it broke".to_owned())),
        "huge" => Ok(json!({ "text": "x".repeat(number("size")? as usize) })),
        "spin" => loop {
            std::hint::black_box(0);
        },
        "eat" => {
            let mut eaten: Vec<Vec<u8>> = Vec::new();
            loop {
                eaten.push(vec![1; 1 << 20]);
                std::hint::black_box(&eaten);
            }
        }
        other => Err(Fault::Unknown(format!("there is no tool {other}"))),
    }
}
