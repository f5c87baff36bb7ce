//! The coffee desk of the demo: understands what a guest says, and keeps the guest's name, order and history in the
//! state store. The words that guests read stand in the flow; this answers facts.

mod order;

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/state-1.0.0"],
    world: "greentic:state/store",
    generate_all,
});

use greentic::state::state_store;
use node_kit::{Failure, Operation, Operations, Value, json, text};

/// `{name, orders}`: who the guest is and how many orders there were.
const GUEST: &str = "guest";
/// The order so far: `[{sku, quantity}]`.
const CART: &str = "cart";

struct Desk;

impl Operations for Desk {
    const NAME: &'static str = "demo-desk";
    const ALL: &'static [Operation] = &[
        ("greet", "Who is it: `{known, name, orders}`"),
        ("remember", "Keeps the name in `text`: `{name}`"),
        ("take", "Adds what `text` orders: `{status: ok|unknown, items, name}`"),
        ("choose", "What `text` means for the order: `{status: order|more|cancel|other, name}`"),
        ("decide", "What `text` means for the approval: `{status: approved|rejected|unclear}`"),
        ("close", "Ends the order; `done` says whether it counts: `{name, orders}`"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "greet" => greet(),
            "remember" => remember(said(&input)),
            "take" => take(said(&input)),
            "choose" => choose(said(&input)),
            "decide" => Ok(json!({ "status": decide(said(&input)) })),
            "close" => close(text(&input, "done")? == "yes"),
            _ => Err(Failure::new("unknown_op", format!("no operation `{op}`"))),
        }
    }
}

/// A picture or an empty message says nothing.
fn said(input: &Value) -> &str {
    input.get("text").and_then(Value::as_str).unwrap_or_default()
}

fn greet() -> Result<Value, Failure> {
    state_write(CART, &json!([]))?;
    let guest = state_read(GUEST)?;
    Ok(json!({
        "known": guest.is_object(),
        "name": guest.get("name").cloned().unwrap_or_default(),
        "orders": guest.get("orders").cloned().unwrap_or(json!(0)),
    }))
}

fn remember(said: &str) -> Result<Value, Failure> {
    let name = order::name_in(said);
    state_write(GUEST, &json!({ "name": name, "orders": 0 }))?;
    Ok(json!({ "name": name }))
}

fn take(said: &str) -> Result<Value, Failure> {
    let wanted = order::items_in(said);
    let mut cart = state_read(CART)?;
    let status = if wanted.is_empty() { "unknown" } else { "ok" };
    if let Value::Null = cart {
        cart = json!([]);
    }
    if let Value::Array(items) = &mut cart {
        order::add(items, &wanted);
    }
    state_write(CART, &cart)?;
    Ok(json!({ "status": status, "items": cart, "name": name()? }))
}

fn choose(said: &str) -> Result<Value, Failure> {
    let status = if !order::items_in(said).is_empty() { "other" } else { order::intent_of(said) };
    Ok(json!({ "status": status, "name": name()? }))
}

fn decide(said: &str) -> &'static str {
    let words = order::words(said);
    let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    match (says(&["approve", "approved", "yes", "ok", "okay"]), says(&["reject", "rejected", "no", "deny", "not"])) {
        (true, false) => "approved",
        (false, true) => "rejected",
        _ => "unclear",
    }
}

fn close(done: bool) -> Result<Value, Failure> {
    let name = name()?;
    let orders = state_read(GUEST)?.get("orders").and_then(Value::as_u64).unwrap_or(0) + u64::from(done);
    state_write(GUEST, &json!({ "name": name, "orders": orders }))?;
    state_store::delete(CART, None).map_err(failure)?;
    Ok(json!({ "name": name, "orders": orders }))
}

fn name() -> Result<Value, Failure> {
    Ok(state_read(GUEST)?.get("name").cloned().unwrap_or(json!("guest")))
}

/// The value under a key; null if there is none.
fn state_read(key: &str) -> Result<Value, Failure> {
    match state_store::read(key, None) {
        Ok(bytes) => node_kit::parse(&bytes).map_err(|error| Failure::new("bad_state", error)),
        Err(error) if error.code == "not_found" => Ok(Value::Null),
        Err(error) => Err(failure(error)),
    }
}

fn state_write(key: &str, value: &Value) -> Result<(), Failure> {
    state_store::write(key, value.to_string().as_bytes(), None).map(drop).map_err(failure)
}

fn failure(error: state_store::HostError) -> Failure {
    Failure::new("state", format!("{}: {}", error.code, error.message))
}

node_kit::export!(Desk);
