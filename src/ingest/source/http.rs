//! HTTP servers.
//!
//! Redirects are followed here and not by the client, for every hop has to be judged; names are resolved to addresses
//! that may be connected to, and no others. Nothing is decoded: what is counted and hashed is what came.

pub(super) mod answer;
pub(super) mod client;
mod netrc;
mod redirect;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use url::Url;

use self::client::Client;
use super::{Body, Fault, Source, SourceOptions, Stat, changed};
use crate::error::{Code, Error};
use crate::ingest::locator::Locator;

/// Reads from HTTP servers.
pub(super) struct HttpSource {
    client: Client,
}

impl HttpSource {
    pub(super) fn new(options: &SourceOptions) -> Self {
        Self { client: Client::new(options) }
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn stat(&self, locator: &Locator) -> Result<Stat, Fault> {
        let url = url(locator)?;
        let mut response = self.client.send(locator, url, Method::HEAD, &HeaderMap::new()).await?;
        if answer::knows_no_head(response.status()) {
            // A signed URL, for one, holds for one method. The body is not read.
            response = self.client.send(locator, url, Method::GET, &HeaderMap::new()).await?;
        }
        answer::check(locator, &response)?;
        Ok(answer::stat(response.headers()))
    }

    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body, Fault> {
        let headers = headers(locator, stat, offset)?;
        let response = self.client.send(locator, url(locator)?, Method::GET, &headers).await?;
        let is_refused_range = offset > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
        if is_refused_range || response.status() == StatusCode::PRECONDITION_FAILED {
            return Err(changed(locator));
        }
        answer::check(locator, &response)?;
        if stat.version.is_some() && answer::version(response.headers()) != stat.version {
            return Err(changed(locator));
        }
        let skip = answer::begins_at(locator, &response, stat, offset)?;
        Ok(body(locator.clone(), response, skip))
    }
}

fn url(locator: &Locator) -> Result<&Url, Fault> {
    match locator {
        Locator::Http(url) => Ok(url),
        other => Err(Error::new(Code::Internal, format!("{other} was taken for a URL")).into()),
    }
}

/// What asks for the bytes from `offset` on, if they are still those of `stat`.
fn headers(locator: &Locator, stat: &Stat, offset: u64) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    if offset == 0 {
        return Ok(headers);
    }
    // Without a version that tells bytes apart nobody knows whether the rest belongs to the beginning.
    let validator = stat.version.as_deref().and_then(answer::strong).ok_or_else(|| changed(locator))?;
    let header = |text: &str| HeaderValue::from_str(text).map_err(|_| changed(locator));
    headers.insert(RANGE, header(&format!("bytes={offset}-"))?);
    headers.insert(IF_RANGE, header(validator)?);
    Ok(headers)
}

/// The bytes of `response` without the first `skip`.
pub(super) fn body(locator: Locator, response: Response, skip: u64) -> Body {
    let chunks = response.bytes_stream();
    let state = (Box::pin(chunks), skip, locator);
    stream::try_unfold(state, |(mut chunks, mut skip, locator)| async move {
        while let Some(chunk) = chunks.next().await {
            let mut chunk = chunk.map_err(|e| client::failed(&locator, e))?;
            let dropped = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= dropped as u64;
            let rest = chunk.split_off(dropped);
            if !rest.is_empty() {
                return Ok(Some((rest, (chunks, skip, locator))));
            }
        }
        Ok(None)
    })
    .boxed()
}
