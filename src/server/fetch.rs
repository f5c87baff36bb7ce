//! Reading a key or a key set, bounded in bytes and time.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use url::Url;

use crate::net;

/// The most bytes of a key or a key set.
const MAX_BYTES: usize = 256 << 10;
/// How long a server may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The content of a file; else why it cannot be read.
pub(super) fn file(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(|e| format!("{shown}: {e}"))?;
    let most = MAX_BYTES as u64;
    opened.take(most + 1).read_to_end(&mut bytes).map_err(|e| format!("{shown}: {e}"))?;
    if bytes.len() > MAX_BYTES { Err(format!("{shown} is larger than {MAX_BYTES} bytes")) } else { Ok(bytes) }
}

/// What lies at a URL.
pub(super) struct Remote {
    client: Client,
    url: Url,
}

impl Remote {
    pub(super) fn new(url: Url) -> Result<Self, String> {
        net::tls::install();
        let secure = url.scheme() == "https";
        // A redirect could lead to where nobody meant keys to come from.
        let builder = Client::builder().https_only(secure).redirect(Policy::none()).timeout(TIMEOUT);
        let builder = if secure { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|e| format!("no HTTP client can be made: {e}"))?;
        Ok(Self { client, url })
    }

    /// The content; else why it cannot be had, without the URL.
    pub(super) async fn get(&self) -> Result<Vec<u8>, String> {
        self.get_at(self.url.clone()).await
    }

    /// What lies at another URL, of the same scheme.
    pub(super) async fn get_at(&self, url: Url) -> Result<Vec<u8>, String> {
        let failed = |e: reqwest::Error| chain(&e.without_url());
        if url.scheme() != self.url.scheme() {
            return Err(format!("it lies at a URL of {} instead of {}", url.scheme(), self.url.scheme()));
        }
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it was answered with {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > MAX_BYTES {
                return Err(format!("it is larger than {MAX_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// An error with what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
