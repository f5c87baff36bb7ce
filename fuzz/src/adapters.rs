//! Adapters of platforms: bodies of any bytes, and payloads of the platforms' shape in which fields are changed.
//!
//! Whatever a body says, a message stays with its tenant, its lists are bounded, and the place that replies go to can be
//! read again.

use arbitrary::Unstructured;
use greentic_runner_host::ingress::adapter::{Adapter, Channel, ChannelSecrets, Completion, Settings};
use greentic_runner_host::ingress::envelope::MOST;
use greentic_runner_host::ingress::slack::{self, Slack};
use greentic_runner_host::ingress::teams::{self, Teams};
use greentic_runner_host::ingress::telegram::{self, Telegram};
use greentic_runner_host::ingress::webex::{self, Webex};
use greentic_runner_host::ingress::whatsapp::{self, Whatsapp};
use greentic_runner_host::ingress::{Inbound, Intake};
use greentic_runner_host::run::event::{FlowChoice, ReplyTo};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::session::parts_of;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::{Id, blames_input, context, request, stays_with_its_tenant};

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

struct Secrets;

impl ChannelSecrets for Secrets {
    fn get(&self, name: &str) -> Vec<Secret> {
        if name == telegram::BOT_TOKEN { vec![Secret::new("999:fuzz")] } else { Vec::new() }
    }
}

fn open(adapter: &dyn Adapter) -> Box<dyn Channel> {
    open_with(adapter, &Map::new())
}

fn open_with(adapter: &dyn Adapter, config: &Map<String, Value>) -> Box<dyn Channel> {
    let settings = Settings { tenant: Id::from("demo"), flow: FlowChoice::Default, config, secrets: &Secrets };
    adapter.open(&settings).expect("a channel can be opened so")
}

fn normalized(channel: &dyn Channel, body: &[u8]) -> Option<Intake> {
    let headers = HeaderMap::new();
    blames_input(channel.normalize(&context(), &request(&headers, body)))
}

fn sound(intake: Option<Intake>, can_read: fn(&str) -> bool) {
    let Some(Intake::Messages(inbound)) = intake else { return };
    inbound.into_iter().for_each(|inbound| {
        leads_somewhere(&inbound, can_read);
        stays_with_its_tenant(inbound);
    });
}

fn leads_somewhere(inbound: &Inbound, can_read: fn(&str) -> bool) {
    let envelope = &inbound.envelope;
    let entities = &envelope.entities;
    let lists = [envelope.attachments.len(), envelope.buttons.len(), entities.mentions.len(), entities.urls.len()];
    assert!(lists.iter().all(|length| *length <= MOST), "an envelope's list is longer than {MOST}");
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies of a chat go to a route") };
    let (tenant, provider, address) = parts_of(route).expect("a route has its parts");
    assert_eq!((&*tenant, &*provider), ("demo", &*envelope.provider));
    assert!(can_read(&address), "the address {address} cannot be read");
}

/// Activities of Teams; they are also what a token is to be about.
pub fn teams(bytes: &[u8]) {
    let mut channel = Map::new();
    for setting in ["insecure", "allow_bots"] {
        channel.insert(setting.to_owned(), Value::Bool(true));
        sound(normalized(&*open_with(&Teams, &channel), bytes), |text| teams::Address::parse(text).is_some());
    }
    // Nobody's key is known, so nothing is let in whatever the bytes say.
    let channel = open_with(&Teams, &Map::from_iter([("app_id".to_owned(), Value::String("app".to_owned()))]));
    let (head, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let mut headers = HeaderMap::new();
    if let Ok(token) = http::HeaderValue::from_bytes(&[b"Bearer ", head].concat()) {
        headers.insert("authorization", token);
    }
    assert!(channel.verify(&context(), &request(&headers, body)).is_err(), "a request without a signature is let in");
}

/// Activities of Teams with changed fields.
pub fn teams_fields(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    teams(changed(include_str!("adapters/teams.json"), &mut chance).to_string().as_bytes());
}

/// Updates of Telegram.
pub fn telegram(bytes: &[u8]) {
    sound(normalized(&*open(&Telegram), bytes), |text| telegram::Address::parse(text).is_some());
}

/// Deliveries of WhatsApp; the bytes are also the query of a handshake.
pub fn whatsapp(bytes: &[u8]) {
    let channel = open(&Whatsapp);
    sound(normalized(&*channel, bytes), |text| whatsapp::Address::parse(text).is_some());
    let headers = HeaderMap::new();
    let query = str::from_utf8(bytes).ok();
    let asked = greentic_runner_host::ingress::Request { method: "GET", query, ..request(&headers, &[]) };
    let Some(Intake::Answer(answer)) = blames_input(channel.normalize(&context(), &asked)) else { return };
    assert!(answer.body.len() <= 256 && !answer.body.contains('<'), "a challenge is a short word");
}

/// Requests of Slack: as an event, an interaction, a command. The body is also a payload in a form.
pub fn slack(bytes: &[u8]) {
    let wrapped = form_urlencoded::byte_serialize(bytes).collect::<String>();
    let wrapped = format!("payload={wrapped}");
    for (path, body) in [
        (slack::EVENTS, bytes),
        (slack::INTERACTIVE, bytes),
        (slack::INTERACTIVE, wrapped.as_bytes()),
        (slack::COMMANDS, bytes),
    ] {
        of_slack(path, body);
    }
}

fn of_slack(path: &str, body: &[u8]) {
    let (channel, headers) = (open(&Slack), HeaderMap::new());
    let asked = greentic_runner_host::ingress::Request { path, ..request(&headers, body) };
    let Some(Intake::Messages(inbound)) = blames_input(channel.normalize(&context(), &asked)) else { return };
    for inbound in inbound {
        let raw = inbound.envelope.raw.clone();
        drop(channel.respond(&raw, &[raw["view"].clone(), raw.clone()]));
        match inbound.reply_to {
            // The options of a menu go to who waits for them, and nowhere else.
            ReplyTo::Caller => {}
            _ => leads_somewhere(&inbound, |text| slack::Address::parse(text).is_some()),
        }
        stays_with_its_tenant(inbound);
    }
}

/// Requests of Slack with changed fields.
pub fn slack_fields(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    let payload = changed(include_str!("adapters/slack.json"), &mut chance);
    let text = payload.to_string();
    of_slack(slack::EVENTS, text.as_bytes());
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
    of_slack(slack::INTERACTIVE, form.as_bytes());
    let fields = payload.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    of_slack(slack::COMMANDS, form.as_bytes());
}

/// Events of Webex and, behind a line end, what it answers.
pub fn webex(bytes: &[u8]) {
    let channel = open(&Webex);
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (event, answer) = bytes.split_at(split);
    fetched(&*channel, event, answer);
}

fn fetched(channel: &dyn Channel, event: &[u8], answer: &[u8]) {
    let Some(Intake::Fetch(pending)) = normalized(channel, event) else { return };
    assert!(
        pending.path.starts_with("/v1/") && !pending.path.contains(['.', '?', '#', '%']),
        "the path leads below /v1"
    );
    let completed = channel.complete(&context(), &pending, Completion { status: 200, body: answer });
    sound(blames_input(completed), |text| webex::Address::parse(text).is_some());
}

/// Updates of Telegram with changed fields.
pub fn telegram_fields(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    telegram(changed(include_str!("adapters/telegram.json"), &mut chance).to_string().as_bytes());
}

/// Deliveries of WhatsApp with changed fields.
pub fn whatsapp_fields(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    whatsapp(changed(include_str!("adapters/whatsapp.json"), &mut chance).to_string().as_bytes());
}

/// Events of Webex and its answers with changed fields.
pub fn webex_fields(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    let both = changed(include_str!("adapters/webex.json"), &mut chance);
    // A change may have made something else of the pair itself.
    let event = both["event"].to_string();
    fetched(&*open(&Webex), event.as_bytes(), both["answer"].to_string().as_bytes());
}

/// One of the payloads of a list, with up to eight changes in it. When the bytes run out, the first choice is taken.
fn changed(payloads: &str, chance: &mut Unstructured<'_>) -> Value {
    let mut payloads: Vec<Value> = serde_json::from_str(payloads).expect("the payloads are a list");
    let place = below(chance, payloads.len());
    let mut payload = payloads.swap_remove(place);
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
