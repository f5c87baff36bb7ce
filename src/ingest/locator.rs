//! Where an index or a pack lies.
//!
//! A locator is shown without what may be secret: it never holds credentials, and its query, which may be a signature,
//! is left out. `docs/locators.md` has the forms.

mod base;
mod http;
mod object;
mod oci;
mod path;
mod scheme;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::error::{Code, Error, Result};
use crate::id::clip;

pub use base::Base;
pub use object::{ObjectStoreKind, ObjectUrl};
pub use oci::OciReference;
pub use scheme::Scheme;

/// The longest locator that is read, in bytes.
const MAX_LEN: usize = 4096;

/// The forms of locators, for hints.
const FORMS: &str = "write a path, fs://, https://, oci://registry/repository:tag, s3://bucket/key, gcs://bucket/object or \
     azblob://account/container/blob";

/// Where an index or a pack lies. Shown without credentials and without a query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Locator {
    /// A file of this machine.
    Fs(PathBuf),
    /// `https://…`, or `http://…` where that is allowed. Without user and password, and without a fragment.
    Http(Url),
    /// An artifact of an OCI registry.
    Oci(OciReference),
    /// An object of an object store.
    Object(ObjectUrl),
}

impl Locator {
    /// Reads `text`. What has no scheme lies beside `base`, or has the scheme `default` if that leads elsewhere.
    pub fn parse(text: &str, base: &Base, default: Scheme) -> Result<Self> {
        let text = text.trim();
        check(text)?;
        match split_scheme(text) {
            Some((scheme, rest)) => Self::of_scheme(&scheme, rest, text, base),
            None if is_half_a_scheme(text) => {
                Err(invalid(text, "after its scheme :// is missing")
                    .hint("write ://, or ./ before a path that begins so"))
            }
            None => base.resolve(text, default),
        }
    }

    fn of_scheme(scheme: &str, rest: &str, text: &str, base: &Base) -> Result<Self> {
        match scheme {
            "fs" => base.file(path::of_fs(rest)),
            "file" => base.file(path::of_file_url(text)?),
            "http" | "https" => http::parse(text).map(Self::Http),
            "oci" => oci::parse(rest).map(Self::Oci),
            "s3" => object::s3(rest).map(Self::Object),
            "gcs" | "gs" => object::gcs(rest).map(Self::Object),
            "azblob" => object::azblob(rest).map(Self::Object),
            "az" => object::az(rest).map(Self::Object),
            // The published form of cloud locators: a plain request to the rest.
            _ => match scheme.split_once('+') {
                Some(("oci" | "s3" | "gcs" | "azblob", http @ ("https" | "http"))) => {
                    http::parse(&format!("{http}://{rest}")).map(Self::Http)
                }
                _ => Err(invalid(text, "its scheme is not known").hint(FORMS)),
            },
        }
    }

    /// The scheme by which its bytes are fetched.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Fs(_) => Scheme::Fs,
            Self::Http(_) => Scheme::Http,
            Self::Oci(_) => Scheme::Oci,
            Self::Object(object) => match object.store {
                ObjectStoreKind::S3 => Scheme::S3,
                ObjectStoreKind::Gcs => Scheme::Gcs,
                ObjectStoreKind::AzBlob => Scheme::AzBlob,
            },
        }
    }

    /// Whether it leads away from this machine's files.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Self::Fs(_))
    }

    /// All of it, its query too: what distinguishes it from others. Not to be shown.
    pub(in crate::ingest) fn key(&self) -> String {
        match self {
            Self::Http(url) => url.as_str().to_owned(),
            // Unlike what is shown, this tells names apart that are no UTF-8.
            Self::Fs(path) => format!("{path:?}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(path) => write!(f, "{}", path.display()),
            Self::Http(url) => http::show(url, f),
            Self::Oci(reference) => reference.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What holds for every form.
fn check(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::new(Code::LocatorInvalid, "a locator is empty").hint(FORMS));
    }
    if text.len() > MAX_LEN {
        let message = format!("a locator has {} bytes; at most {MAX_LEN} are read", text.len());
        return Err(Error::new(Code::LocatorInvalid, message).hint("give the pack a shorter name"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(text, "it holds control characters").hint("remove them"));
    }
    Ok(())
}

/// The scheme, in lower case, and what follows `://`.
fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

/// Whether `text` begins with a scheme and a colon, which a URL's parser may take for more than a path.
fn is_half_a_scheme(text: &str) -> bool {
    let known = ["fs", "file", "http", "https", "oci", "s3", "gcs", "gs", "azblob", "az"];
    text.split_once(':').is_some_and(|(start, _)| known.iter().any(|scheme| scheme.eq_ignore_ascii_case(start)))
}

/// An error about `text`, of which only what is no secret is shown.
fn invalid(text: &str, why: &str) -> Error {
    Error::new(Code::LocatorInvalid, format!("the locator {:?} cannot be used: {why}", shown(text)))
}

fn denied(text: &str, why: &str) -> Error {
    Error::new(Code::LocatorDenied, format!("the locator {:?} is refused: {why}", shown(text)))
}

/// `text` without query and without what stands before an `@`, where a password may be, wherever it is misplaced. Only
/// what stands before a digest is none.
fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let is_digest = |rest: &str| rest.starts_with("sha256:");
    let at = text.rmatch_indices('@').find(|(at, _)| !text.get(at + 1..).is_some_and(is_digest));
    let Some((hidden, rest)) = at.and_then(|(at, _)| text.split_at_checked(at)) else { return clip(text) };
    let scheme = hidden.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    clip(&format!("{scheme}…{rest}"))
}
