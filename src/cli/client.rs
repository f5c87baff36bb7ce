//! The HTTP client of commands that ask a running host.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::{Host, Url};

use crate::error::{Code, Error, Result};
use crate::net;

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 4 << 20;

/// A client for a host at `url`, which follows no redirects.
pub(super) fn client(url: &Url, timeout: Duration) -> Result<Client> {
    net::tls::install();
    let mut client = Client::builder()
        .redirect(Policy::none())
        .timeout(timeout)
        .user_agent(concat!("greentic-runner/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        client = client.no_proxy();
    }
    client.build().map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))
}

/// The URL of `path` below the host's.
pub(super) fn below(base: &Url, path: &str) -> Result<Url> {
    let unusable = |why: &str| Error::new(Code::Usage, format!("--url {why}")).hint("as http://127.0.0.1:8080");
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(unusable("is none of http or https"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(unusable("has a query or a fragment"));
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    Ok(url)
}

/// The body of an answer from `url`.
pub(super) async fn body(url: &Url, mut response: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::new(Code::SendFailed, format!("the answer is larger than {MAX_ANSWER} bytes"))
                .hint("look whether the URL is the host's"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What another host says, so that it cannot steer the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Why a request to `url` got no answer.
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let why = match () {
        () if error.is_timeout() => "no answer came in time".to_owned(),
        () if error.is_connect() => "nobody answers there".to_owned(),
        () => std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string),
    };
    let mut shown = url.clone();
    // A password in the URL is nobody's to see.
    let _ = shown.set_password(None);
    Error::new(Code::SendFailed, format!("cannot send the request to {shown}: {why}"))
        .hint("look whether the host runs and --url is right")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_this_machine_is_reached_without_a_proxy() {
        for (url, local) in
            [("http://127.0.0.1:1", true), ("http://LOCALHOST", true), ("http://[::1]", true), ("http://h", false)]
        {
            assert_eq!(is_loopback(&url.parse().unwrap()), local, "{url}");
        }
    }
}
