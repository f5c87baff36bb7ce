//! Requests, with their redirects.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::{Response, redirect::Policy};
use url::Url;

use super::super::{Fault, SourceOptions};
use super::{netrc, redirect};
use crate::error::{Code, Error, Result};
use crate::ingest::locator::Locator;
use crate::net::{Reach, Unreachable, tls, why_not_public};

const USER_AGENT: &str = concat!("greentic-runner/", env!("CARGO_PKG_VERSION"));

/// A client and where it may go.
struct Leg {
    client: reqwest::Client,
    reach: Reach,
}

/// Sends requests and follows redirects as far as they may lead.
pub(super) struct Client {
    first: Leg,
    /// For what a public server redirects to, whoever named that server.
    public: Leg,
    allow_http: bool,
    netrc: Option<PathBuf>,
}

impl Client {
    pub(super) fn new(options: &SourceOptions) -> Result<Self> {
        tls::install();
        let public = options.redirects.clone();
        Ok(Self {
            first: Leg { client: client(&options.reach, options.connect)?, reach: options.reach.clone() },
            public: Leg { client: client(&public, options.connect)?, reach: public },
            allow_http: options.allow_http,
            netrc: options.netrc.clone(),
        })
    }

    /// Asks for `url`, and for what it redirects to, with `headers`.
    pub(super) async fn send(
        &self,
        locator: &Locator,
        url: &Url,
        method: Method,
        headers: &HeaderMap,
    ) -> Result<Response, Fault> {
        let (mut url, mut leg) = (url.clone(), &self.first);
        for _ in 0..=redirect::MAX_REDIRECTS {
            redirect::check(locator, &url, self.allow_http, &leg.reach)?;
            let mut request = leg.client.request(method.clone(), url.clone()).headers(headers.clone());
            request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            // Looked up for every hop, so that no credentials go along to another host.
            if let Some(login) = netrc::login(self.netrc.as_deref(), &url).await? {
                request = request.basic_auth(login.name, Some(&*login.password));
            }
            let response = request.send().await.map_err(|e| failed(locator, e))?;
            if !is_redirect(&response) {
                return Ok(response);
            }
            if response.remote_addr().is_some_and(|peer| why_not_public(peer.ip()).is_none()) {
                leg = &self.public;
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            url = redirect::next(locator, &url, location)?;
        }
        Err(redirect::endless(locator))
    }
}

fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn client(reach: &Reach, connect: Duration) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(connect)
        .dns_resolver(reach.resolver());
    // A proxy resolves names by itself, so that nobody here could tell where a request goes.
    let builder = if reach.is_anywhere() { builder } else { builder.no_proxy() };
    builder.build().map_err(|e| {
        Error::new(Code::Internal, format!("the HTTP client does not start: {}", causes(&e)))
            .hint("see that the system has root certificates (ca-certificates), and that proxy variables are URLs")
    })
}

/// A request or a body that broke off.
pub(super) fn failed(locator: &Locator, error: reqwest::Error) -> Fault {
    if let Some(unreachable) = Unreachable::behind(&error) {
        return redirect::refused(locator, unreachable);
    }
    Error::new(Code::FetchFailed, format!("{locator} cannot be fetched: {}", causes(&error.without_url())))
        .hint("check the network, the name and the server's certificate")
        .into()
}

/// An error and what caused it, each said once.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}
