//! A secret that comes with each request, in `Authorization: Bearer …` or alone in a header of its own.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::header_name;
use crate::error::Result;
use crate::ingress::gate::only_header;
use crate::ingress::verify::{is_secret, refused};
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub(super) struct Bearer {
    /// The header that holds nothing but the secret.
    header: Option<HeaderName>,
    secrets: Vec<Secret>,
}

impl Bearer {
    pub(super) fn open(header: Option<&str>, secrets: Vec<Secret>) -> Result<Self> {
        let header = header.map(|name| header_name("header", name)).transpose()?;
        Ok(Self { header: header.filter(|name| name != AUTHORIZATION), secrets })
    }

    pub(super) fn header(&self) -> Option<&str> {
        self.header.as_ref().map(HeaderName::as_str)
    }

    pub(super) fn verify(&self, headers: &HeaderMap) -> Result<()> {
        let given = match &self.header {
            Some(name) => only_header(headers, name.as_str())?,
            None => token(only_header(headers, AUTHORIZATION.as_str())?)
                .ok_or_else(|| refused("the header authorization holds no bearer token"))?,
        };
        match is_secret(&self.secrets, given) {
            true => Ok(()),
            false => Err(refused("the token is another one")),
        }
    }
}

/// The token behind `Bearer`.
fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(6)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && token.first() == Some(&b' ');
    Some(token.trim_ascii()).filter(|token| is_bearer && !token.is_empty())
}
