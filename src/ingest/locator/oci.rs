//! Locators of OCI registries: `oci://registry[:port]/repository[:tag][@sha256:…]`.

use std::fmt;

use super::invalid;
use crate::error::Result;

const HINT: &str = "write oci://registry/repository:tag or oci://registry/repository@sha256:…";

/// An artifact of an OCI registry: `oci://registry/repository:tag` or `…@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OciReference {
    /// Host, and port if one is given.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag, `latest` if neither tag nor digest is given.
    pub tag: Option<String>,
    /// The digest of the artifact's manifest, `sha256:` and lower-case hex.
    pub digest: Option<String>,
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// Reads what follows `oci://`.
pub(super) fn parse(rest: &str) -> Result<OciReference> {
    let text = format!("oci://{rest}");
    let wrong = |why: &str| invalid(&text, why).hint(HINT);
    let (registry, rest) = rest.split_once('/').ok_or_else(|| wrong("it names no repository"))?;
    if registry.contains('@') {
        return Err(wrong("it holds a user name or a password").hint("log in with docker login or its like instead"));
    }
    if !is_registry(registry) {
        return Err(wrong("its registry is no host"));
    }
    let (name, digest) = match rest.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (rest, None),
    };
    let digest = match digest.map(str::to_ascii_lowercase) {
        Some(digest) if !is_digest(&digest) => return Err(wrong("its digest is not sha256: and 64 hex digits")),
        digest => digest,
    };
    let (repository, tag) = match name.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (name, None),
    };
    if !is_repository(repository) {
        return Err(wrong("its repository is not made of lower-case letters, digits, and single ., _, - between them"));
    }
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(wrong("its tag is not made of letters, digits, ., _ and -"));
    }
    let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| "latest".to_owned()));
    Ok(OciReference { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest })
}

/// A host by name or address, and a port.
fn is_registry(text: &str) -> bool {
    // What a URL takes for a host with a port, and nothing that it would write otherwise.
    let Ok(url) = url::Url::parse(&format!("https://{text}")) else { return false };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    url.has_host() && url.path() == "/" && text.bytes().all(allowed) && !text.ends_with(':') && url.port() != Some(0)
}

fn is_repository(text: &str) -> bool {
    text.len() <= 255 && text.split('/').all(is_repository_part)
}

/// Runs of lower-case letters and digits with `.`, `_`, `__` or any number of `-` between them.
fn is_repository_part(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_plain = bytes.first().copied().is_some_and(is_plain) && bytes.last().copied().is_some_and(is_plain);
    let separators = text.split(|c: char| u8::try_from(c).is_ok_and(is_plain)).filter(|run| !run.is_empty());
    let mut separators = separators.map(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    ends_plain && separators.all(|is_one| is_one)
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}
