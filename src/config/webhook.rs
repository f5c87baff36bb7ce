//! How the generic webhook verifies its requests, as it stands in the `config` of its binding.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::units::{Name, Span, Text};
use super::yaml::{Cursor, nearest};
use crate::error::{Code, Error, Result};
use crate::id::clip;

/// The keys of [`WebhookSettings`].
const SETTINGS: [&str; 3] = ["schemes", "default_scheme", "require_idempotency_key"];

/// Keys that are a scheme's, or look as if they were, and would leave every flow open where somebody meant to close it.
const MISPLACED: [&str; 9] =
    ["scheme", "secret", "header", "algorithm", "encoding", "prefix", "signed", "tolerance", "default"];

/// How requests of the generic webhook are verified, and which of them need an `Idempotency-Key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookSettings {
    /// How the requests of single flows are verified.
    pub schemes: BTreeMap<String, WebhookScheme>,
    /// How those of all others are.
    pub default_scheme: Option<WebhookScheme>,
    /// Whose requests need an `Idempotency-Key`.
    pub require_idempotency_key: KeyRequired,
}

/// The same, as a part of the JSON Schema of bindings.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
#[allow(dead_code, reason = "it is there for its schema")]
pub(super) struct AdapterConfig {
    /// Of the webhook: how the requests of single flows are verified. The keys are flow ids.
    schemes: Option<BTreeMap<String, WebhookScheme>>,
    /// Of the webhook: how the requests of all other flows are verified.
    default_scheme: Option<WebhookScheme>,
    /// Of the webhook: whose requests need an `Idempotency-Key`.
    require_idempotency_key: Option<KeyRequired>,
}

/// How requests of a flow are verified.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WebhookScheme {
    /// Not at all.
    None {},
    /// By a secret that comes with each request.
    Bearer {
        /// The secret's name.
        #[serde(deserialize_with = "text")]
        #[schemars(with = "Text")]
        secret: String,
        /// The header that holds the secret and nothing else; `Authorization: Bearer …` unless stated.
        #[serde(default, deserialize_with = "some_text")]
        #[schemars(with = "Option<Text>")]
        header: Option<String>,
    },
    /// By a signature over the raw body.
    Hmac {
        /// The secret's name.
        #[serde(deserialize_with = "text")]
        #[schemars(with = "Text")]
        secret: String,
        /// The header that holds the signature.
        #[serde(deserialize_with = "text")]
        #[schemars(with = "Text")]
        header: String,
        /// The hash function.
        #[serde(default)]
        algorithm: HashFunction,
        /// How the signature is written.
        #[serde(default)]
        encoding: DigestEncoding,
        /// What stands before the signature in its header, such as `sha256=`.
        #[serde(default)]
        prefix: String,
        /// The header that holds the time of the signature, in seconds since 1970.
        #[serde(default, deserialize_with = "some_text")]
        #[schemars(with = "Option<Text>")]
        timestamp_header: Option<String>,
        /// By how much that time may differ from now, to either side; `5m` unless stated.
        #[serde(default, deserialize_with = "span")]
        #[schemars(with = "Option<Span>")]
        tolerance: Option<Duration>,
        /// What is signed, with `{body}` and, where there is a `timestamp_header`, `{timestamp}`; `{timestamp}.{body}`
        /// or `{body}` unless stated.
        #[serde(default, deserialize_with = "some_text")]
        #[schemars(with = "Option<Text>")]
        signed: Option<String>,
    },
    /// As the specification Standard Webhooks has it.
    StandardWebhooks {
        /// The name of the secret, of the form `whsec_…`, or of the public key, `whpk_…`.
        #[serde(deserialize_with = "text")]
        #[schemars(with = "Text")]
        secret: String,
    },
}

/// A hash function under HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// SHA-1, for senders that have nothing better.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a digest is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestEncoding {
    /// In hexadecimal.
    #[default]
    Hex,
    /// In base64, with or without padding.
    Base64,
}

/// Whose requests need an `Idempotency-Key`. Methods that change nothing never do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, false or a list of flow ids")]
pub enum KeyRequired {
    /// Those of every flow, or of none.
    All(bool),
    /// Those of these flows.
    Of(#[schemars(with = "Vec<Name>")] BTreeSet<String>),
}

impl Default for KeyRequired {
    fn default() -> Self {
        Self::All(false)
    }
}

impl KeyRequired {
    /// Whether requests of `flow` need one.
    pub fn of(&self, flow: &str) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Of(flows) => flows.contains(flow),
        }
    }
}

impl WebhookSettings {
    /// Reads them from the `config` of a binding. Keys that are none of these are somebody else's, unless they look like
    /// a slip.
    pub fn of(config: &Map<String, Value>) -> Result<Self> {
        for key in config.keys().filter(|key| !SETTINGS.contains(&key.as_str())) {
            let near = nearest(key, SETTINGS.into_iter()).map(|near| format!("did you mean `{near}`?"));
            let misplaced = MISPLACED.contains(&key.as_str());
            let hint = near.or_else(|| {
                misplaced.then(|| {
                    format!(
                        "say how requests are verified below `default_scheme` or `schemes.FLOW`: `{key}` is a scheme's"
                    )
                })
            });
            if let Some(hint) = hint {
                return Err(Error::new(
                    Code::ChannelInvalid,
                    format!("config.{} is no setting of the webhook", clip(key)),
                )
                .hint(hint));
            }
        }
        let schemes: Map<String, Value> = read(config, "schemes")?.unwrap_or_default();
        let schemes = schemes.into_iter().map(|(flow, scheme)| {
            let scheme = parse(scheme, &format!("schemes.{}", clip(&flow)))?;
            Ok((flow, scheme))
        });
        Ok(Self {
            schemes: schemes.collect::<Result<_>>()?,
            default_scheme: read(config, "default_scheme")?,
            require_idempotency_key: read(config, "require_idempotency_key")?.unwrap_or_default(),
        })
    }
}

/// Reports what cannot be read in the settings of a bindings file, with its place there.
pub(super) fn check(config: Cursor<'_>) {
    let _: Option<BTreeMap<String, WebhookScheme>> = config.read("schemes");
    let _: Option<WebhookScheme> = config.read("default_scheme");
    let _: Option<KeyRequired> = config.read("require_idempotency_key");
}

fn read<T: DeserializeOwned>(config: &Map<String, Value>, key: &str) -> Result<Option<T>> {
    let value = config.get(key).filter(|value| !value.is_null());
    value.map(|value| parse(value.clone(), key)).transpose()
}

fn parse<T: DeserializeOwned>(value: Value, place: &str) -> Result<T> {
    serde_json::from_value(value).map_err(|e| Error::new(Code::ChannelInvalid, format!("config.{place}: {e}")))
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Text::deserialize(from).map(|Text(text)| text)
}

fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(from)?.map(|Text(text)| text))
}

fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::deserialize(from)?.map(|Span(span)| span))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: Value) -> Result<WebhookSettings> {
        WebhookSettings::of(config.as_object().unwrap())
    }

    #[test]
    fn schemes_are_read_with_their_defaults() {
        let settings = of(json!({
            "allow_paths": [], "insecure": true, "port": 80,
            "schemes": {
                "a": {"scheme": "none"},
                "b": {"scheme": "bearer", "secret": "B"},
                "c": {"scheme": "hmac", "secret": "C", "header": "X-Sig"},
                "d": {"scheme": "hmac", "secret": "D", "header": "X-Sig", "algorithm": "sha512", "encoding": "base64",
                      "prefix": "v1=", "timestamp_header": "X-Time", "tolerance": "90s", "signed": "{timestamp}:{body}"},
                "e": {"scheme": "standard-webhooks", "secret": "E"},
            },
            "default_scheme": {"scheme": "bearer", "secret": "F", "header": "X-Token"},
            "require_idempotency_key": ["b"],
        }))
        .unwrap();
        assert_eq!(settings.schemes["a"], WebhookScheme::None {});
        assert_eq!(settings.schemes["b"], WebhookScheme::Bearer { secret: "B".into(), header: None });
        let WebhookScheme::Hmac { algorithm, encoding, prefix, tolerance, .. } = &settings.schemes["c"] else {
            panic!()
        };
        assert_eq!((*algorithm, *encoding), (HashFunction::Sha256, DigestEncoding::Hex));
        assert_eq!((prefix.as_str(), *tolerance), ("", None));
        let WebhookScheme::Hmac { algorithm, tolerance, .. } = &settings.schemes["d"] else { panic!() };
        assert_eq!((*algorithm, *tolerance), (HashFunction::Sha512, Some(Duration::from_secs(90))));
        assert!(matches!(settings.default_scheme, Some(WebhookScheme::Bearer { header: Some(_), .. })));
        let required = &settings.require_idempotency_key;
        assert!(required.of("b") && !required.of("a"));
        let none = of(json!({"schemes": null, "default_scheme": null, "require_idempotency_key": null})).unwrap();
        assert_eq!(none, WebhookSettings::default());
        assert!(of(json!({"require_idempotency_key": true})).unwrap().require_idempotency_key.of("any"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (config, named) in [
            (json!({"scheme": "bearer", "secret": "S"}), "config.scheme "),
            (json!({"shemes": {}}), "config.shemes "),
            (json!({"secret": "S"}), "config.secret "),
            (json!({"default": {}}), "config.default "),
            (json!({"schemes": []}), "config.schemes: "),
            (json!({"schemes": {"a": "bearer"}}), "config.schemes.a: "),
            (json!({"schemes": {"a": {"scheme": "basic"}}}), "`basic`"),
            (json!({"schemes": {"a": {"secret": "S"}}}), "`scheme`"),
            (json!({"schemes": {"a": {"scheme": "none", "secret": "S"}}}), "`secret`"),
            (json!({"schemes": {"a": {"scheme": "bearer"}}}), "`secret`"),
            (json!({"schemes": {"a": {"scheme": "bearer", "secret": ""}}}), "config.schemes.a: "),
            (json!({"schemes": {"a": {"scheme": "bearer", "secret": "S", "algorithm": "sha1"}}}), "`algorithm`"),
            (json!({"default_scheme": {"scheme": "hmac", "secret": "S"}}), "`header`"),
            (json!({"default_scheme": {"scheme": "hmac", "secret": "S", "header": "x", "algorithm": "md5"}}), "`md5`"),
            (
                json!({"default_scheme": {"scheme": "hmac", "secret": "S", "header": "x", "tolerance": 5}}),
                "length of time",
            ),
            (json!({"require_idempotency_key": "yes"}), "true, false or a list"),
        ] {
            let error = of(config.clone()).unwrap_err();
            assert_eq!(error.code(), Code::ChannelInvalid);
            assert!(error.message().contains(named), "{config}: {error}");
        }
    }
}
