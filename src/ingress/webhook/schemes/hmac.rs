//! A signature over the raw body, and over its time where the sender tells one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use http::{HeaderMap, HeaderName};

use super::header_name;
use crate::clock::Timestamp;
use crate::config::{DigestEncoding, HashFunction, WebhookScheme};
use crate::error::{Code, Error, Result};
use crate::ingress::gate::{hex_digest, only_header};
use crate::ingress::verify::{self, WINDOW, refused};
use crate::secret::Secret;

/// The longest time that a signature may be believed.
const MOST_TOLERANCE: Duration = Duration::from_secs(24 * 3600);

/// Base64 of the standard alphabet, with or without padding.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone, Debug)]
pub(super) struct Hmac {
    header: HeaderName,
    algorithm: HashFunction,
    encoding: DigestEncoding,
    prefix: String,
    time: Option<Time>,
    signed: Vec<Part>,
    secrets: Vec<Secret>,
}

/// Where the time of a signature stands, and how long it is believed, in seconds.
#[derive(Clone, Debug)]
struct Time {
    header: HeaderName,
    tolerance: u64,
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Timestamp,
    Body,
}

impl Part {
    fn bytes<'a>(&'a self, timestamp: &'a [u8], body: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Timestamp => timestamp,
            Self::Body => body,
        }
    }
}

impl Hmac {
    pub(super) fn open(scheme: &WebhookScheme, secrets: Vec<Secret>) -> Result<Self> {
        let WebhookScheme::Hmac { header, algorithm, encoding, prefix, timestamp_header, tolerance, signed, .. } =
            scheme
        else {
            return Err(Error::new(Code::Internal, "another scheme was taken for hmac"));
        };
        let time = timestamp_header.as_deref().map(|name| time(name, *tolerance)).transpose()?;
        if time.is_none() && tolerance.is_some() {
            return Err(invalid("tolerance", "has no effect without timestamp_header"));
        }
        let default = if time.is_some() { "{timestamp}.{body}" } else { "{body}" };
        let signed = parts(signed.as_deref().unwrap_or(default))?;
        match (&time, signed.contains(&Part::Timestamp)) {
            (Some(_), false) => {
                return Err(invalid("signed", "lacks {timestamp}: a time that is not signed proves nothing"));
            }
            (None, true) => {
                return Err(invalid("signed", "has {timestamp}, and no timestamp_header says where it comes from"));
            }
            _ => {}
        }
        let header = header_name("header", header)?;
        Ok(Self { header, algorithm: *algorithm, encoding: *encoding, prefix: prefix.clone(), time, signed, secrets })
    }

    pub(super) fn header(&self) -> &str {
        self.header.as_str()
    }

    pub(super) fn described(&self) -> &'static str {
        match self.algorithm {
            HashFunction::Sha1 => "HMAC-SHA1",
            HashFunction::Sha256 => "HMAC-SHA256",
            HashFunction::Sha512 => "HMAC-SHA512",
        }
    }

    pub(super) fn verify(&self, now: Timestamp, headers: &HeaderMap, body: &[u8]) -> Result<()> {
        let digest = self.digest(headers)?;
        let timestamp = match &self.time {
            Some(Time { header, tolerance }) => {
                let text = only_header(headers, header.as_str())?;
                verify::within(std::str::from_utf8(text).unwrap_or_default(), now, "signature", *tolerance)?;
                text
            }
            None => b"",
        };
        let signed: Vec<&[u8]> = self.signed.iter().map(|part| part.bytes(timestamp, body)).collect();
        let fits = match self.algorithm {
            HashFunction::Sha1 => verify::is_hmac::<hmac::Hmac<sha1::Sha1>>,
            HashFunction::Sha256 => verify::is_hmac::<hmac::Hmac<sha2::Sha256>>,
            HashFunction::Sha512 => verify::is_hmac::<hmac::Hmac<sha2::Sha512>>,
        };
        match fits(&self.secrets, &signed, &digest) {
            true => Ok(()),
            false => Err(refused(format!("the signature is not that of this body of {} bytes", body.len()))),
        }
    }

    fn digest(&self, headers: &HeaderMap) -> Result<Vec<u8>> {
        let name = self.header.as_str();
        let value = only_header(headers, name)?;
        let text = value
            .strip_prefix(self.prefix.as_bytes())
            .ok_or_else(|| refused(format!("the header {name} does not begin with {}", self.prefix)))?;
        match self.encoding {
            DigestEncoding::Hex => hex_digest(name, text),
            DigestEncoding::Base64 => {
                BASE64.decode(text).map_err(|_| refused(format!("the header {name} is no digest in base64")))
            }
        }
    }
}

fn time(name: &str, tolerance: Option<Duration>) -> Result<Time> {
    let tolerance = tolerance.unwrap_or(Duration::from_secs(WINDOW));
    if tolerance > MOST_TOLERANCE || tolerance < Duration::from_secs(1) {
        return Err(invalid("tolerance", "is less than a second or more than a day"));
    }
    Ok(Time { header: header_name("timestamp_header", name)?, tolerance: tolerance.as_secs() })
}

/// What is signed, as a list of its parts.
fn parts(template: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let known = [("{timestamp}", Part::Timestamp), ("{body}", Part::Body)];
        let found = known.into_iter().find_map(|(name, part)| Some((after.strip_prefix(name)?, part)));
        rest = match found {
            Some((rest, part)) => {
                parts.push(part);
                rest
            }
            None if after.is_empty() => after,
            None => return Err(invalid("signed", "has a { that begins neither {timestamp} nor {body}")),
        };
    }
    match parts.iter().filter(|part| **part == Part::Body).count() {
        1 => Ok(parts),
        _ => Err(invalid("signed", "must have {body} once")),
    }
}

fn invalid(setting: &str, why: &str) -> Error {
    Error::new(Code::ChannelInvalid, format!("{setting} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_read_as_a_template() {
        let text = |text: &str| Part::Text(text.into());
        assert_eq!(parts("{body}").unwrap(), [Part::Body]);
        assert_eq!(parts("v0:{timestamp}:{body}").unwrap(), [text("v0:"), Part::Timestamp, text(":"), Part::Body]);
        assert_eq!(parts("{body}}").unwrap(), [Part::Body, text("}")]);
        for bad in ["", "x", "{timestamp}", "{body}{body}", "{id}.{body}", "{body}{", "{{body}}", "{body"] {
            assert_eq!(parts(bad).unwrap_err().code(), Code::ChannelInvalid, "{bad:?}");
        }
    }
}
