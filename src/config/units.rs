//! Values with units, and the other checked values of a bindings file.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use url::Url;

use super::yaml::with_hint;
use crate::id::{self, Id, clip};
use crate::net::AllowedHost;
use crate::outbound::Allowed;
use crate::secrets::{OF_HOST, SecretKey};

/// A number of bytes: `64MiB`, `1GiB`, `500kB`, or a plain number. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

/// A length of time: `250ms`, `10s`, `5m`, `1h30m`, `7d`. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// An identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(pub(super) Id);

/// A text that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Text(pub(super) String);

/// The name of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretName(pub(super) String);
/// The name of a variable of the environment that components may see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Variable(pub(super) String);

/// A whole number from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) u32);

/// What may be asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin(pub(super) Allowed);

/// An address by HTTP, without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebUrl(pub(super) Url);

/// An address by NATS, without user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NatsUrl(pub(super) String);

/// A host or a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Private(pub(super) AllowedHost);

impl Variable {
    fn parse(text: &str) -> Option<Self> {
        let named = text.len() <= 256 && !text.starts_with(|c: char| c.is_ascii_digit());
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (named && plain && !OF_HOST.contains(&text)).then(|| Self(text.to_owned()))
    }
}

/// The units of sizes. The decimal and the binary ones are both in use; each means what it says.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl ByteSize {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_number(text)?;
        let factor = if unit.is_empty() { 1 } else { SIZES.iter().find(|(name, _)| *name == unit)?.1 };
        number.checked_mul(factor).filter(|bytes| *bytes > 0).map(Self)
    }

    /// The size as this machine counts, at most the largest it can.
    pub(super) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl WebUrl {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (plain && matches!(url.scheme(), "https" | "http") && url.has_host()).then_some(Self(url))
    }
}

impl NatsUrl {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let plain = plain && url.fragment().is_none() && matches!(url.path(), "" | "/");
        let is_nats = matches!(url.scheme(), "nats" | "tls") && url.host_str().is_some_and(|host| !host.is_empty());
        (plain && is_nats).then(|| Self(text.to_owned()))
    }
}

impl Span {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut sum = 0_u64;
        while !rest.is_empty() {
            let (number, tail) = split_number(rest)?;
            let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, next) = tail.split_at_checked(unit_len)?;
            let (_, factor) = SPANS.iter().find(|(name, _)| *name == unit.trim_end())?;
            sum = sum.checked_add(number.checked_mul(*factor)?)?;
            rest = next;
        }
        (sum > 0).then(|| Self(Duration::from_millis(sum)))
    }
}

/// The digits that `text` begins with, and what follows them and a space.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// Reads a text (or, where `from_number` is given, a number) into a checked value.
struct Checked<T> {
    expecting: &'static str,
    hint: &'static str,
    parse: fn(&str) -> Option<T>,
    from_number: Option<fn(u64) -> Option<T>>,
}

impl<T> Checked<T> {
    fn number<E: de::Error>(&self, value: Option<u64>, found: de::Unexpected<'_>) -> Result<T, E> {
        let Some(from_number) = self.from_number else {
            return Err(E::custom(with_hint(format_args!("expected {}, found a number", self.expecting), self.hint)));
        };
        value
            .and_then(from_number)
            .ok_or_else(|| E::custom(with_hint(format_args!("{} is not {}", shown(found), self.expecting), self.hint)))
    }
}

/// `text` without what an address says before its host: that may be a password.
fn harmless(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    match rest.rsplit_once('@') {
        Some((_, rest)) => Cow::Owned(format!("{scheme}://…@{rest}")),
        None => Cow::Borrowed(text),
    }
}

fn shown(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Unsigned(n) => n.to_string(),
        de::Unexpected::Signed(n) => n.to_string(),
        other => other.to_string(),
    }
}

impl<T> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| {
            E::custom(with_hint(format_args!("{:?} is not {}", clip(&harmless(text)), self.expecting), self.hint))
        })
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.number(Some(value), de::Unexpected::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.number(u64::try_from(value).ok(), de::Unexpected::Signed(value))
    }
}

/// `Deserialize` and `JsonSchema` of a checked value.
macro_rules! checked {
    ($type:ident, $expecting:literal, $hint:literal, $parse:expr, $from_number:expr, $schema:tt) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let parse: fn(&str) -> Option<Self> = $parse;
                let from_number: Option<fn(u64) -> Option<Self>> = $from_number;
                from.deserialize_any(Checked { expecting: $expecting, hint: $hint, parse, from_number })
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

checked!(ByteSize, "a size", "write a number and a unit, as 64MiB, 500kB or 1GiB; at least 1 byte", ByteSize::parse,
    Some(|n| (n > 0).then_some(ByteSize(n))),
    { "type": ["string", "integer"], "minimum": 1, "pattern": "^[0-9]+ ?(B|kB|KiB|MB|MiB|GB|GiB)?$" });

checked!(Span, "a length of time", "write a number and a unit, as 250ms, 10s, 5m, 1h30m or 7d; more than 0", Span::parse,
    None,
    { "type": "string", "pattern": "^([0-9]+ ?(ms|s|m|h|d) ?)+$" });

checked!(Name, "an identifier", "use ASCII letters, digits, '.', '-' and '_', at most 256; put what looks like a number in quotes",
    |text| id::is_valid(text).then(|| Name(Id::from(text))), None,
    { "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": 256 });

checked!(Text, "a non-empty text", "write the text, in quotes if it looks like a number",
    |text| (!text.trim().is_empty()).then(|| Text(text.to_owned())), None,
    { "type": "string", "minLength": 1 });

checked!(SecretName, "the name of a secret", "use letters, digits and _, at most 256 of them",
    |text| SecretKey::parse(text).map(|_| SecretName(text.to_owned())), None,
    { "type": "string", "minLength": 1, "maxLength": 256 });
checked!(Variable, "a variable that components may see",
    "write a name of letters, digits and '_'; ADMIN_TOKEN and TENANT_JWT_KEY open the host itself and are given to nobody",
    Variable::parse, None,
    { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 256,
      "not": { "enum": ["ADMIN_TOKEN", "TENANT_JWT_KEY"] } });

checked!(Count, "a whole number from 1 on", "write a number between 1 and 4294967295", |_| None,
    Some(|n| u32::try_from(n).ok().filter(|n| *n > 0).map(Count)),
    { "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32 });

checked!(Origin, "what may be asked", "write scheme, host and port, as https://api.example.com, https://*.example.com:8443 or \
    http://localhost:9000; `*` alone is everything that is public", |text| text.parse().ok().map(Origin), None,
    { "type": "string", "pattern": "^([*]|https?://[^/@?#\\\\ ]+/?)$" });

checked!(WebUrl, "an address by HTTP", "write it whole and without user and fragment, as https://broker.example.com/",
    WebUrl::parse, None,
    { "type": "string", "pattern": "^https?://[^/@?#\\\\ ]+([/?][^# ]*)?$" });

checked!(NatsUrl, "an address by NATS", "write it as nats://broker:4222 or tls://broker:4222, and name what the host logs in with in `nats_credentials`",
    NatsUrl::parse, None,
    { "type": "string", "pattern": "^(nats|tls)://[^/@?#\\\\ ]+/?$" });

checked!(Private, "a host or a network", "write a name, an address or a network, as packs.internal, 10.1.2.3 or 10.1.0.0/16",
    |text| text.parse().ok().map(Private), None,
    { "type": "string", "minLength": 1 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("64MiB", Some(64 << 20)),
            ("64 MiB", Some(64 << 20)),
            ("500kB", Some(500_000)),
            ("1GiB", Some(1 << 30)),
            ("12B", Some(12)),
            ("0", None),
            ("0MiB", None),
            ("", None),
            ("MiB", None),
            ("-1MiB", None),
            ("1.5MiB", None),
            ("64mib", None),
            ("64  MiB", None),
            ("18446744073709551615GiB", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(ByteSize::parse(text).map(|size| size.0), bytes, "{text:?}");
        }
    }

    #[test]
    fn variables_have_plain_names_and_one_is_the_hosts_own() {
        for name in ["LANG", "_x", "a1"] {
            assert_eq!(Variable::parse(name).unwrap().0, name);
        }
        for name in ["", "1a", "A-B", "A=B", "A B", "Ä", "ADMIN_TOKEN", "TENANT_JWT_KEY", &"X".repeat(257)] {
            assert_eq!(Variable::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn reads_lengths_of_time() {
        for (text, millis) in [
            ("250ms", Some(250)),
            ("10s", Some(10_000)),
            ("10 s", Some(10_000)),
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("0s", None),
            ("10", None),
            ("", None),
            ("s", None),
            ("10 seconds", None),
            ("-1s", None),
            ("1.5s", None),
            ("1µs", None),
            ("18446744073709551615d", None),
            ("18446744073709551615ms1ms", None),
        ] {
            assert_eq!(Span::parse(text).map(|span| span.0.as_millis()), millis, "{text:?}");
        }
    }
}
