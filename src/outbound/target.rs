//! Where a request goes: a URL that means the same to whoever judges it and to whoever connects.

use std::fmt;

use url::{Host, Url};

use super::reason::{Failure, Reason};
use crate::id::clip;

/// Bytes of a URL.
const MAX_URL: usize = 8 << 10;

/// A URL with a host, without credentials and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target(Url);

impl Target {
    /// Reads a URL that a guest gives.
    ///
    /// # Errors
    ///
    /// Why it is none that can be asked for.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        check_text(text)?;
        Self::of(Url::parse(text).map_err(|e| bad(&format!("the URL cannot be read: {e}")))?)
    }

    /// What a server says in a `Location`, seen from here.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub(super) fn join(&self, location: &str) -> Result<Self, Failure> {
        check_text(location)?;
        Self::of(self.0.join(location).map_err(|e| bad(&format!("the URL cannot be read: {e}")))?)
    }

    fn of(mut url: Url) -> Result<Self, Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!("the scheme {:?} is neither http nor https", clip(url.scheme()));
            return Err(Failure::new(Reason::SchemeNotAllowed, message));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(credentials());
        }
        if let Some(Host::Domain(name)) = url.host()
            && let Some(name) = name.strip_suffix('.').map(str::to_owned)
        {
            url.set_host(Some(&name)).map_err(|_| bad("the URL has no host"))?;
        }
        if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
            return Err(bad("the URL has no host, or the port 0"));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(super) fn host(&self) -> Option<Host<&str>> {
        self.0.host()
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// What a `Host` header says of it.
    pub(super) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Scheme, host and port, for messages.
    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Whether this is the same host with TLS in the place of none, on the ports that belong to both.
    pub(super) fn is_upgrade_of(&self, other: &Self) -> bool {
        let plain = !other.is_https() && other.port() == 80;
        plain && self.is_https() && self.port() == 443 && self.host() == other.host()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

/// Scheme, host and port of a URL that nobody has judged, for logs; a word if it is none.
pub fn shown_origin(url: &str) -> String {
    let origin = Url::parse(url).ok().filter(|url| url.has_host()).map(|url| url.origin().ascii_serialization());
    origin.map_or_else(|| "no URL".to_owned(), |origin| clip(&origin))
}

/// Refuses what readers of URLs disagree about: they drop some characters and take others for `/`.
fn check_text(text: &str) -> Result<(), Failure> {
    if text.len() > MAX_URL {
        return Err(bad(&format!("the URL has more than {MAX_URL} bytes")));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(bad("the URL holds a control character, white space or a backslash; encode them with %"));
    }
    let authority = text.split_once("//").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match authority {
        Some(authority) if authority.contains('@') => Err(credentials()),
        _ => Ok(()),
    }
}

fn bad(message: &str) -> Failure {
    Failure::new(Reason::BadUrl, message)
}

fn credentials() -> Failure {
    Failure::new(Reason::CredentialsInUrl, "the URL holds a user name or a password; send them in a header")
}
