//! Locators of HTTP servers.

use std::fmt;

use url::{Position, Url};

use super::invalid;
use crate::error::Result;

/// Reads an `http` or `https` URL.
pub(super) fn parse(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|e| invalid(text, &e.to_string()).hint("write https://host/path"))?;
    accept(url).map_err(|why| invalid(text, why.0).hint(why.1))
}

/// Refuses a URL with a user or a password in it; drops its fragment, which no server sees.
fn accept(mut url: Url) -> Result<Url, (&'static str, &'static str)> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "it holds a user name or a password",
            "remove it, and give the credentials in a netrc file; docs/locators.md says how",
        ));
    }
    if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
        return Err(("it names no host", "write https://host/path"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// What lies beside `base`: in its directory, below it, or by an absolute path on the same host.
pub(super) fn join(base: &Url, text: &str) -> Result<Url> {
    let hint = "name what lies below the index's directory, or give the whole URL";
    let joined = base.join(text).map_err(|e| invalid(text, &e.to_string()).hint(hint))?;
    let url = accept(joined).map_err(|why| invalid(text, why.0).hint(why.1))?;
    if url.origin() != base.origin() {
        return Err(super::denied(text, "without a scheme it leads to another host than the index's").hint(hint));
    }
    // What begins at the root cannot climb, and what does not has to stay below the index's directory.
    let is_absolute = text.starts_with(['/', '\\']);
    if !is_absolute && !url.path().starts_with(directory(base)) {
        return Err(super::denied(text, "it leaves the directory of the remote index").hint(hint));
    }
    Ok(url)
}

/// The path up to its last `/`.
fn directory(url: &Url) -> &str {
    let path = url.path();
    path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or("/")
}

/// Writes `url` with neither query nor fragment.
pub(super) fn show(url: &Url, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}://{}", url.scheme(), &url[Position::BeforeHost..Position::AfterPath])?;
    if url.query().is_some() { f.write_str("?…") } else { Ok(()) }
}
