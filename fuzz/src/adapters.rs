//! Adapters of platforms: bodies of any bytes, and samples in which fields are changed.
//!
//! Whatever a body says, the promises hold that `greentic-runner ingress fuzz` checks.

use arbitrary::Unstructured;
use greentic_runner_host::ingress::adapter::{Channel, Intake};
use greentic_runner_host::ingress::channels::Verification;
use greentic_runner_host::ingress::teams;
use greentic_runner_host::probe::fuzz::{self, Target};
use greentic_runner_host::probe::{Form, Kind, Recording, samples};
use http::HeaderMap;
use serde_json::{Map, Value};

use super::{Id, blames_input, context, request, split};

/// What is put in place of a value.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "1e308",
    "\"\"",
    "\"a:b%3A\"",
    "\"US.1349\"",
    "\"ciscospark://us/PEOPLE/1\"",
    "\"Y2lzY29zcGFyazovL3VzL1BFT1BMRS8x\"",
    "\"<spark-mention data-object-id='1'>x</spark-mention>\"",
    "\"\\u0000\\n\\ud83c\\udfb2\"",
    "[]",
    "{}",
    "[[[[{}]]]]",
];

/// A request of a kind breaks no promise.
fn held(kind: Kind, recording: Recording) {
    let target = Target::of_kind(kind).expect("the host has an adapter for every kind");
    let broken = fuzz::replay(&target, &[recording]).expect("the adapter can be opened");
    assert_eq!(broken, None);
}

/// A body of a kind.
fn of_body(kind: Kind, body: &[u8]) -> Recording {
    Recording::post(kind.path(), kind.form().content_type(), body.to_vec())
}

fn fields(kind: Kind, bytes: &[u8]) {
    let tree = changed(kind, &mut Unstructured::new(bytes));
    // A change may have made something else of what describes a request.
    kind.form().recording(kind.path(), &tree).into_iter().for_each(|recording| held(kind, recording));
}

fn open(kind: Kind) -> Box<dyn Channel> {
    kind.open(&Id::from("demo"), &Map::new()).expect("a channel can be opened so")
}

/// Activities of Teams. A line in front of one is the token that comes with it.
pub fn teams(bytes: &[u8]) {
    held(Kind::Teams, of_body(Kind::Teams, bytes));
    // Nobody's key is known, so nothing is let in whatever the bytes say.
    let app = Map::from_iter([(String::from("app_id"), Value::String("app".into()))]);
    let channel = Kind::Teams.open(&Id::from("demo"), &app).expect("a channel can be opened so");
    assert!(matches!(channel.verification(), Verification::By(_)), "{}", teams::PROVIDER);
    let (head, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let mut headers = HeaderMap::new();
    if let Ok(token) = http::HeaderValue::from_bytes(&[b"Bearer ", head].concat()) {
        headers.insert("authorization", token);
    }
    assert!(channel.verify(&context(), &request(&headers, body)).is_err(), "a request without a signature is let in");
}

/// Activities of Teams with changed fields.
pub fn teams_fields(bytes: &[u8]) {
    fields(Kind::Teams, bytes);
}

/// Updates of Telegram.
pub fn telegram(bytes: &[u8]) {
    held(Kind::Telegram, of_body(Kind::Telegram, bytes));
}

/// Updates of Telegram with changed fields.
pub fn telegram_fields(bytes: &[u8]) {
    fields(Kind::Telegram, bytes);
}

/// Deliveries of WhatsApp; the bytes are also the query of a handshake.
pub fn whatsapp(bytes: &[u8]) {
    held(Kind::Whatsapp, of_body(Kind::Whatsapp, bytes));
    let headers = HeaderMap::new();
    let query = str::from_utf8(bytes).ok();
    let asked = greentic_runner_host::ingress::Request { method: "GET", query, ..request(&headers, &[]) };
    let Some(Intake::Answer(answer)) = blames_input(open(Kind::Whatsapp).normalize(&context(), &asked)) else { return };
    assert!(answer.body.len() <= 256 && !answer.body.contains('<'), "a challenge is a short word");
}

/// Deliveries of WhatsApp with changed fields.
pub fn whatsapp_fields(bytes: &[u8]) {
    fields(Kind::Whatsapp, bytes);
}

/// Requests of Slack: as an event, an interaction, a command. The body is also a payload in a form.
pub fn slack(bytes: &[u8]) {
    let wrapped = form_urlencoded::byte_serialize(bytes).collect::<String>();
    let wrapped = format!("payload={wrapped}");
    held(Kind::Slack, of_body(Kind::Slack, bytes));
    held(Kind::SlackInteractive, of_body(Kind::SlackInteractive, bytes));
    held(Kind::SlackInteractive, of_body(Kind::SlackInteractive, wrapped.as_bytes()));
    held(Kind::SlackSlash, of_body(Kind::SlackSlash, bytes));
}

/// Requests of Slack with changed fields.
pub fn slack_fields(bytes: &[u8]) {
    for kind in [Kind::Slack, Kind::SlackInteractive, Kind::SlackSlash] {
        fields(kind, bytes);
    }
}

/// Events of Webex and, behind a line end, what it answers.
pub fn webex(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (event, answer) = bytes.split_at(split);
    held(Kind::Webex, Recording { fetched: Some(answer.to_vec()), ..of_body(Kind::Webex, event) });
}

/// Events of Webex and its answers with changed fields.
pub fn webex_fields(bytes: &[u8]) {
    fields(Kind::Webex, bytes);
}

/// Activities of the web chat.
pub fn webchat(bytes: &[u8]) {
    held(Kind::Webchat, of_body(Kind::Webchat, bytes));
}

/// Activities of the web chat with changed fields.
pub fn webchat_fields(bytes: &[u8]) {
    fields(Kind::Webchat, bytes);
}

/// Requests of the generic webhook, headers before an empty line; and the bytes as the description of a request.
pub fn webhook(bytes: &[u8]) {
    let (headers, body) = split(bytes);
    held(Kind::Webhook, Recording { headers, ..Recording::post("/webhook/fuzz", None, body.to_vec()) });
    let Some(recording) = blames_input(Recording::of(Kind::Webhook, bytes, None)) else { return };
    assert_eq!(blames_input(Recording::of_description(&recording.description())), Some(recording.clone()));
    assert!(Form::Described.tree(&recording).is_some());
    held(Kind::Webhook, recording);
}

/// Requests of the generic webhook with changed fields.
pub fn webhook_fields(bytes: &[u8]) {
    fields(Kind::Webhook, bytes);
}

/// One of the samples of a kind, as its tree, with up to eight changes in it. When the bytes run out, the first choice is
/// taken.
fn changed(kind: Kind, chance: &mut Unstructured<'_>) -> Value {
    let samples: Map<String, Value> = serde_json::from_str(samples::text(kind)).expect("the samples are an object");
    let place = below(chance, samples.len());
    let mut payload = samples.into_iter().nth(place).expect("it has so many").1;
    for _ in 0..below(chance, 9) {
        change(&mut payload, chance);
    }
    payload
}

/// Changes a value, or goes on to one that is in it.
fn change(value: &mut Value, chance: &mut Unstructured<'_>) {
    let deeper = below(chance, 8) != 7;
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let place = below(chance, fields.len());
            let name = fields.keys().nth(place).expect("it has so many").clone();
            match below(chance, 12) {
                11 => drop(fields.shift_remove(&name)),
                _ => change(&mut fields[&name], chance),
            }
        }
        Value::Array(values) if deeper && !values.is_empty() => {
            let place = below(chance, values.len());
            match below(chance, 12) {
                // Longer than any list may become, where that is not much.
                11 if values[place].to_string().len() < 500 => values.extend(vec![values[place].clone(); 60]),
                _ => change(&mut values[place], chance),
            }
        }
        Value::String(text) if deeper => {
            let place = text.char_indices().map(|(at, _)| at).nth(below(chance, text.chars().count() + 1));
            text.insert_str(place.unwrap_or(text.len()), ["x", ":", "%", "\u{0}", "🎲"][below(chance, 5)]);
        }
        value => {
            let text = VALUES[below(chance, VALUES.len())];
            *value = serde_json::from_str(text).expect("the values are JSON");
        }
    }
}

/// A number below `end`, which is not 0.
fn below(chance: &mut Unstructured<'_>, end: usize) -> usize {
    chance.int_in_range(0..=end - 1).unwrap_or(0)
}
