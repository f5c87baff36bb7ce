//! What the tests of adapters share: settings, requests, contexts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::adapter::{Adapter, Channel, ChannelSecrets, Context, Inbound, Intake, Request, Settings};
use super::envelope::IngressEnvelope;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::run::event::FlowChoice;
use crate::secret::Secret;

/// Secrets as pairs of a name and a value; several values of a name are all valid.
pub(super) struct Secrets<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl ChannelSecrets for Secrets<'_> {
    fn get(&self, name: &str) -> Vec<Secret> {
        self.0.iter().filter(|(known, _)| *known == name).map(|(_, value)| Secret::new(*value)).collect()
    }
}

/// Calls `with` with the settings of the tenant `demo`.
pub(super) fn with_settings<T>(
    config: &Value,
    secrets: &[(&str, &str)],
    with: impl FnOnce(&Settings<'_>) -> Result<T>,
) -> Result<T> {
    let none = Map::new();
    with(&Settings {
        tenant: Id::from("demo"),
        flow: FlowChoice::Kind("messaging".into()),
        config: config.as_object().unwrap_or(&none),
        secrets: &Secrets(secrets),
    })
}

/// A channel of the tenant `demo`.
pub(super) fn open(adapter: &dyn Adapter, config: &Value, secrets: &[(&str, &str)]) -> Result<Box<dyn Channel>> {
    with_settings(config, secrets, |settings| adapter.open(settings))
}

/// The context of a request to the tenant `demo`, received on 2025-11-11 at 9 o'clock.
pub(super) fn context() -> Context {
    Context { tenant: Id::from("demo"), now: Timestamp(1_762_851_600_000), nonce: Uuid::nil(), keys: None }
}

/// Headers of pairs.
pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

/// A POST from this machine.
pub(super) fn post<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    let peer = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Request { method: "POST", path: "/", query: None, headers, body, peer }
}

/// What a channel makes of a body, without verifying it.
pub(super) fn normalized(channel: &dyn Channel, body: &[u8]) -> Result<Intake> {
    let headers = headers(&[("user-agent", "test"), ("authorization", "canary")]);
    channel.normalize(&context(), &post(&headers, body)).inspect(valid)
}

/// Envelopes fit their schema.
pub(crate) fn valid(intake: &Intake) {
    let Intake::Messages(inbound) = intake else { return };
    inbound.iter().for_each(|inbound| valid_envelope(&inbound.envelope));
}

/// An envelope fits its schema.
pub(crate) fn valid_envelope(envelope: &IngressEnvelope) {
    let envelope = serde_json::to_value(envelope).unwrap();
    let errors = errors_of(&envelope);
    assert!(errors.is_empty(), "{errors:#?} in {envelope:#}");
}

/// Where a value breaks the schema of envelopes.
pub(crate) fn errors_of(envelope: &Value) -> Vec<String> {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = IngressEnvelope::json_schema();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    });
    SCHEMA.iter_errors(envelope).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The messages that a channel makes of a JSON body.
pub(super) fn messages(channel: &dyn Channel, body: &Value) -> Vec<Inbound> {
    match normalized(channel, body.to_string().as_bytes()).unwrap() {
        Intake::Messages(inbound) => inbound,
        other => panic!("no message: {other:?}"),
    }
}

/// The one message that a channel makes of a JSON body.
pub(super) fn message(channel: &dyn Channel, body: &Value) -> Inbound {
    let mut inbound = messages(channel, body);
    assert_eq!(inbound.len(), 1);
    inbound.remove(0)
}

/// Why a channel ignores a JSON body.
pub(super) fn ignored(channel: &dyn Channel, body: &Value) -> &'static str {
    match normalized(channel, body.to_string().as_bytes()).unwrap() {
        Intake::Ignored(why) => why,
        other => panic!("not ignored: {other:?}"),
    }
}
