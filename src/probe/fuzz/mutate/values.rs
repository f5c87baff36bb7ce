//! Changes of one value.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::SEPARATORS;

/// What is put into texts: what is invisible, turns around, ends a text for others, or is more than one unit long.
const TRICKS: &[&str] = &[
    "\u{0}",
    "\n",
    "\r\n\r\n",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\u{301}",
    "🎲",
    "👩‍👩‍👧",
    "\u{10ffff}",
    "ß",
    "İ",
    "<",
    "&amp;",
    "<@U1>",
    "<!channel>",
    "</at>",
    "<at>Bot</at>",
    "<spark-mention data-object-id='1'>x</spark-mention>",
    "https://",
    "../",
    "{{",
    "`",
];

/// What is put in place of a text.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a:b",
    "a%3Ab",
    "null",
    "0",
    "-1",
    "1e999",
    "message",
    "created",
    "2026-02-30T25:61:61Z",
    "9999999999",
    "28:bot",
    "US.1349",
    "ciscospark://us/PEOPLE/1",
    "Y2lzY29zcGFyazovL3VzL1BFT1BMRS8x",
    "data:text/plain;base64,%%%",
    "{\"a\":1}",
];

const NUMBERS: &[i64] =
    &[0, -1, 1, 255, 65_536, 2_147_483_648, -2_147_483_649, 9_007_199_254_740_993, i64::MAX, i64::MIN];

/// How long a text may become, in bytes.
const LONGEST: usize = 64 << 10;

pub(super) fn change(node: &mut Value, chance: &mut Rng) {
    match (chance.u8(..6), &mut *node) {
        (0, _) => *node = other(chance),
        (1, _) => deepen(node, chance),
        (_, Value::String(text)) => of_text(text, chance),
        (_, Value::Array(items)) => of_list(items, chance),
        (_, Value::Object(fields)) => of_object(fields, chance),
        _ => *node = number(chance),
    }
}

/// A value of any type.
fn other(chance: &mut Rng) -> Value {
    match chance.u8(..8) {
        0 => Value::Null,
        1 => chance.bool().into(),
        2 => number(chance),
        3 => json!([]),
        4 => json!({}),
        5 => json!([[[[{}]]]]),
        6 => json!({"id": "x", "text": "x", "type": "message"}),
        _ => chance.choice(TEXTS).copied().unwrap_or_default().into(),
    }
}

fn number(chance: &mut Rng) -> Value {
    match chance.u8(..4) {
        0 => json!(u64::MAX),
        1 => json!(chance.choice(&[0.5, -0.0, 1e308, 5e-324, 1e15]).copied().unwrap_or_default()),
        _ => json!(chance.choice(NUMBERS).copied().unwrap_or_default()),
    }
}

fn deepen(node: &mut Value, chance: &mut Rng) {
    // One more than readers of JSON usually follow, and some that they do.
    let levels = chance.choice(&[1, 2, 30, 120, 200]).copied().unwrap_or(1);
    for _ in 0..levels {
        *node = if chance.bool() { json!([node.take()]) } else { json!({"id": node.take()}) };
    }
}

fn of_text(text: &mut String, chance: &mut Rng) {
    let inserted = match chance.u8(..6) {
        0 => {
            *text = chance.choice(TEXTS).copied().unwrap_or_default().to_owned();
            return;
        }
        1 => {
            let times = chance.choice(&[2, 60, 600, 5_000]).copied().unwrap_or(2);
            if text.len().saturating_mul(times) <= LONGEST {
                *text = text.repeat(times);
            }
            return;
        }
        2 => chance.choice(SEPARATORS),
        3 => {
            text.pop();
            return;
        }
        _ => chance.choice(TRICKS),
    };
    let places = text.chars().count();
    let place = text.char_indices().map(|(at, _)| at).nth(chance.usize(..=places));
    text.insert_str(place.unwrap_or(text.len()), inserted.copied().unwrap_or_default());
}

fn of_list(items: &mut Vec<Value>, chance: &mut Rng) {
    let Some(item) = chance.choice(&*items).cloned() else { return items.push(other(chance)) };
    match chance.u8(..3) {
        0 => items.push(item),
        // Longer than any list may become, where that is not much.
        1 if item.to_string().len() < 500 => items.extend(vec![item; 60]),
        _ => items.reverse(),
    }
}

fn of_object(fields: &mut Map<String, Value>, chance: &mut Rng) {
    let names: Vec<String> = fields.keys().cloned().collect();
    let Some(name) = chance.choice(&names) else { return drop(fields.insert("id".into(), other(chance))) };
    match chance.u8(..4) {
        0 => drop(fields.insert(name.clone(), other(chance))),
        1 => {
            let (value, other) = (fields.get(name).cloned(), chance.choice(&names));
            if let (Some(value), Some(other)) = (value, other) {
                fields.insert(other.clone(), value);
            }
        }
        2 => {
            if let Some(value) = fields.shift_remove(name) {
                fields.insert(format!("{name}s"), value);
            }
        }
        _ => (0..60).for_each(|n| drop(fields.insert(format!("{name}{n}"), Value::Null))),
    }
}
