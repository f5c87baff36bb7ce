//! Understanding what a guest types, as far as a coffee desk has to.

use node_kit::{Value, json};

/// The most of one thing in one order.
const MOST: u64 = 99;

/// What can be ordered: the sku and the words for it, in the singular.
const GOODS: &[(&str, &[&str])] = &[
    ("espresso", &["espresso", "coffee"]),
    ("cappuccino", &["cappuccino", "cappucino"]),
    ("tea", &["tea"]),
    ("croissant", &["croissant"]),
    ("cake", &["cake"]),
    ("party", &["party", "box"]),
];

const NUMBERS: &[&str] = &["a", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The words of a text in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .take(200)
        .collect()
}

/// What a text orders, as sku and quantity: "two espressos and a croissant".
pub fn items_in(text: &str) -> Vec<(&'static str, u64)> {
    let mut items: Vec<(&'static str, u64)> = Vec::new();
    let mut quantity = None;
    for word in words(text) {
        if let Some(number) = number(&word) {
            quantity = Some(number);
        } else if let Some(sku) = sku(&word) {
            // "party box" is one thing, not two.
            if quantity.is_some() || items.last().is_none_or(|last| last.0 != sku) {
                items.push((sku, quantity.take().unwrap_or(1)));
            }
        }
    }
    items
}

fn number(word: &str) -> Option<u64> {
    let named = match word {
        "an" => Some(1),
        _ => NUMBERS.iter().position(|number| *number == word).map(|place| place.max(1) as u64),
    };
    named.or_else(|| word.parse().ok()).filter(|number| (1..=MOST).contains(number))
}

fn sku(word: &str) -> Option<&'static str> {
    let singular = word.strip_suffix("es").filter(|word| *word == "box").or(word.strip_suffix('s')).unwrap_or(word);
    GOODS.iter().find(|(_, names)| names.contains(&word) || names.contains(&singular)).map(|(sku, _)| *sku)
}

/// Adds to an order, in place.
pub fn add(cart: &mut Vec<Value>, wanted: &[(&str, u64)]) {
    for (sku, quantity) in wanted {
        let same = cart.iter_mut().find(|item| item.get("sku").and_then(Value::as_str) == Some(sku));
        match same {
            Some(item) => {
                let before = item.get("quantity").and_then(Value::as_u64).unwrap_or(0);
                item["quantity"] = json!((before + quantity).min(MOST));
            }
            None => cart.push(json!({ "sku": sku, "quantity": quantity })),
        }
    }
}

/// What is to become of the order.
pub fn intent_of(text: &str) -> &'static str {
    let words = words(text);
    let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    match () {
        () if says(&["cancel", "nothing", "stop", "no"]) => "cancel",
        () if says(&["more", "add", "menu", "else", "change"]) => "more",
        () if says(&["order", "pay", "yes", "ok", "okay", "buy", "done"]) => "order",
        () => "other",
    }
}

/// The name in "Hi, I am Ada": what is left without the words around it.
pub fn name_in(text: &str) -> String {
    const AROUND: &[&str] = &["hi", "hello", "hey", "i", "m", "am", "my", "name", "is", "it", "s", "call", "me", "the"];
    let kept: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '-'))
        .filter(|word| !word.is_empty() && !AROUND.contains(&word.to_lowercase().as_str()))
        .take(3)
        .collect();
    let name: String = kept.join(" ").chars().take(40).collect();
    if name.is_empty() { "guest".to_owned() } else { name }
}
