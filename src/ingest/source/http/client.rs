//! Requests, with their redirects.

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::{RequestBuilder, Response, redirect::Policy};
use url::Url;

use super::super::{Fault, SourceOptions};
use super::{netrc, redirect};
use crate::error::{Code, Error, Result};
use crate::ingest::locator::Locator;
use crate::net::{Reach, Unreachable, tls, why_not_public};

const USER_AGENT: &str = concat!("greentic-runner/", env!("CARGO_PKG_VERSION"));

/// A client and where it may go.
struct Leg {
    reach: Reach,
    connect: Duration,
    /// Made when it is needed: a host that fetches nothing does without root certificates.
    client: OnceLock<reqwest::Client>,
}

/// Sends requests and follows redirects as far as they may lead.
pub(in super::super) struct Client {
    first: Leg,
    /// For what a public server redirects to, whoever named that server.
    public: Leg,
    allow_http: bool,
    netrc: Option<PathBuf>,
}

/// A request that follows redirects.
pub(in super::super) struct Ask<'a> {
    pub(in super::super) url: &'a Url,
    pub(in super::super) method: Method,
    pub(in super::super) headers: &'a HeaderMap,
    /// A login, which no other host than that of `url` hears, in place of what the netrc file has.
    pub(in super::super) authorization: Option<&'a HeaderValue>,
    /// The server that led here, if one did: from a public one it has to be to a public one.
    pub(in super::super) led_by: Option<SocketAddr>,
}

impl Leg {
    fn new(reach: &Reach, connect: Duration) -> Self {
        Self { reach: reach.clone(), connect, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        tls::install();
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.connect)
            .dns_resolver(self.reach.resolver());
        // A proxy resolves names by itself, so that nobody here could tell where a request goes.
        let builder = if self.reach.is_anywhere() { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|e| {
            Error::new(Code::FetchFailed, format!("the HTTP client does not start: {}", causes(&e)))
                .hint("see that the system has root certificates (ca-certificates), and that proxy variables are URLs")
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Client {
    pub(in super::super) fn new(options: &SourceOptions) -> Self {
        Self {
            first: Leg::new(&options.reach, options.connect),
            public: Leg::new(&options.redirects, options.connect),
            allow_http: options.allow_http,
            netrc: options.netrc.clone(),
        }
    }

    /// Who follows a redirect of the server at `peer`: once public, a way leads to the public alone.
    fn after<'c>(&'c self, leg: &'c Leg, peer: Option<SocketAddr>) -> &'c Leg {
        let is_public = peer.is_some_and(|peer| why_not_public(peer.ip()).is_none());
        if is_public { &self.public } else { leg }
    }

    /// Asks for `url`, and for what it redirects to, with `headers`.
    pub(super) async fn send(
        &self,
        locator: &Locator,
        url: &Url,
        method: Method,
        headers: &HeaderMap,
    ) -> Result<Response, Fault> {
        self.ask(locator, Ask { url, method, headers, authorization: None, led_by: None }).await
    }

    /// Asks, and follows redirects.
    pub(in super::super) async fn ask(&self, locator: &Locator, ask: Ask<'_>) -> Result<Response, Fault> {
        let (mut url, mut leg) = (ask.url.clone(), self.after(&self.first, ask.led_by));
        for _ in 0..=redirect::MAX_REDIRECTS {
            let mut request = self.request(locator, &url, ask.method.clone(), leg)?.headers(ask.headers.clone());
            match ask.authorization {
                Some(own) if url.origin() == ask.url.origin() => request = request.header(AUTHORIZATION, own.clone()),
                Some(_) => {}
                // Looked up for every hop, so that no credentials go along to another host.
                None => {
                    if let Some(login) = netrc::login(self.netrc.as_deref(), &url).await? {
                        request = request.basic_auth(login.name, Some(&*login.password));
                    }
                }
            }
            let response = request.send().await.map_err(|e| failed(locator, e))?;
            if !is_redirect(&response) {
                return Ok(response);
            }
            leg = self.after(leg, response.remote_addr());
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            url = redirect::next(locator, &url, location)?;
        }
        Err(redirect::endless(locator))
    }

    /// Sends a form to `url`, to which the server `led_by` led. A redirect is not followed: what the form holds is for
    /// nobody else.
    #[cfg(feature = "oci")]
    pub(in super::super) async fn post(
        &self,
        locator: &Locator,
        url: &Url,
        form: zeroize::Zeroizing<String>,
        led_by: Option<SocketAddr>,
    ) -> Result<Response, Fault> {
        let request = self.request(locator, url, Method::POST, self.after(&self.first, led_by))?;
        let request =
            request.header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body(form.to_string()).send().await.map_err(|e| failed(locator, e))
    }

    fn request(&self, locator: &Locator, url: &Url, method: Method, leg: &Leg) -> Result<RequestBuilder, Fault> {
        redirect::check(locator, url, self.allow_http, &leg.reach)?;
        let request = leg.client()?.request(method, url.clone());
        Ok(request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
    }
}

fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A request or a body that broke off.
pub(in super::super) fn failed(locator: &Locator, error: reqwest::Error) -> Fault {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Environment;

    #[test]
    fn a_way_that_led_to_the_public_does_not_lead_back() {
        let client = Client::new(&SourceOptions {
            reach: Reach::anywhere(),
            redirects: Reach::public(&[]),
            allow_http: false,
            connect: Duration::from_secs(1),
            netrc: None,
            environment: Environment::default(),
        });
        let peer = |text: &str| Some(text.parse().unwrap());
        let inside = client.after(&client.first, peer("10.0.0.1:443"));
        assert!(inside.reach.is_anywhere(), "one's own servers may redirect to one's own servers");
        assert!(client.after(inside, None).reach.is_anywhere());
        let outside = client.after(inside, peer("8.8.8.8:443"));
        assert!(!outside.reach.is_anywhere());
        assert!(!client.after(outside, peer("10.0.0.1:443")).reach.is_anywhere());
    }
}
