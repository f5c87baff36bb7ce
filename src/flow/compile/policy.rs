//! Retry and time limit of a node.

use std::time::Duration;

use serde_json::Value;

use crate::flow::model::Retry;
use crate::id;

const MAX_ATTEMPTS: u64 = 10;
const MAX_DELAY_MS: u64 = 60_000;
const MAX_TIMEOUT_MS: u64 = 3_600_000;

/// How to write it, for errors.
pub(super) const RETRY_HINT: &str = "write `retry: { max_attempts: 3, base_delay_ms: 250 }`";
/// How to write it, for errors.
pub(super) const TIMEOUT_HINT: &str = "write `timeout: 5s` (ms, s or m), or a number of milliseconds, at most an hour";

/// Reads `{max_attempts?, base_delay_ms?}`; null leaves it to the tenant.
pub(super) fn retry(written: &Value) -> Result<Option<Retry>, String> {
    let fields = match written {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        _ => return Err("`retry` is not a mapping".to_owned()),
    };
    if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "max_attempts" | "base_delay_ms")) {
        return Err(format!("`retry` has the unknown key {:?}", id::clip(unknown)));
    }
    let number = |key: &str, min: u64, max: u64, default: u64| match fields.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_u64()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| format!("`{key}` is not a number from {min} to {max}")),
    };
    let attempts = number("max_attempts", 1, MAX_ATTEMPTS, 1)?;
    let delay = number("base_delay_ms", 0, MAX_DELAY_MS, Retry::NONE.base_delay.as_millis().try_into().unwrap_or(0))?;
    let max_attempts = u32::try_from(attempts).map_err(|error| error.to_string())?;
    Ok(Some(Retry { max_attempts, base_delay: Duration::from_millis(delay) }))
}

/// Reads `"5s"`, `"250ms"`, `"2m"` or a number of milliseconds; null means none.
pub(super) fn timeout(written: &Value) -> Result<Option<Duration>, String> {
    let millis = match written {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => millis(text.trim()),
        _ => None,
    };
    let millis = millis.filter(|millis| (1..=MAX_TIMEOUT_MS).contains(millis));
    millis.map(|millis| Some(Duration::from_millis(millis))).ok_or_else(|| "`timeout` is no time that fits".to_owned())
}

fn millis(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))?;
    let factor = match unit.trim_start() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn retries_are_read_within_bounds() {
        let of = |max_attempts, delay| Ok(Some(Retry { max_attempts, base_delay: Duration::from_millis(delay) }));
        let table = [
            (json!(null), Ok(None)),
            (json!({}), of(1, 250)),
            (json!({"max_attempts": 3}), of(3, 250)),
            (json!({"max_attempts": 3, "base_delay_ms": 0}), of(3, 0)),
        ];
        for (written, expected) in table {
            assert_eq!(retry(&written), expected, "{written}");
        }
        for written in [
            json!(3),
            json!({"max_attempts": 0}),
            json!({"max_attempts": 11}),
            json!({"max_attempts": "3"}),
            json!({"base_delay_ms": 60_001}),
            json!({"base_delay_ms": -1}),
            json!({"attempts": 3}),
        ] {
            assert!(retry(&written).is_err(), "{written}");
        }
    }

    #[test]
    fn timeouts_are_read_within_bounds() {
        let table = [
            (json!(null), None),
            (json!(1500), Some(1500)),
            (json!("1500"), Some(1500)),
            (json!("5s"), Some(5000)),
            (json!(" 250 ms "), Some(250)),
            (json!("2m"), Some(120_000)),
        ];
        for (written, expected) in table {
            assert_eq!(timeout(&written), Ok(expected.map(Duration::from_millis)), "{written}");
        }
        let huge = "99999999999999999999s";
        for written in [
            json!(0),
            json!("0s"),
            json!("5x"),
            json!("s"),
            json!("-5s"),
            json!(1.5),
            json!("2h"),
            json!("61m"),
            json!(huge),
            json!([]),
        ] {
            assert!(timeout(&written).is_err(), "{written}");
        }
    }
}
