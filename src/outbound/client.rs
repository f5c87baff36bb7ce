//! Sending requests.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use http::Method;
use reqwest::redirect;
use tracing::Instrument as _;

use super::answer::{self, Answer, Incoming, Opened};
use super::connect::{self, ConnectTime};
use super::places::Places;
use super::policy::Policy;
use super::reason::{Failure, Reason};
use super::redirect::Hop;
use super::request::{self, Body, BodyStream, Options, Request};
use super::tally::Tally;
use super::target::Target;
use super::{fault, headers};
use crate::id::Id;
use crate::net::{Lookup, SystemLookup, tls};
use crate::telemetry::{self, spans};

/// How long a connection that nobody uses is kept.
const KEEP: Duration = Duration::from_secs(30);
/// How many of them are kept per server.
const KEPT: usize = 4;

/// Makes the requests of one tenant's guests.
pub struct Outbound {
    policy: Policy,
    shared: Arc<Shared>,
}

/// What all requests of a tenant share. Two tenants never share any of it, for a connection was judged by one tenant's
/// policy.
struct Shared {
    lookup: Arc<dyn Lookup>,
    /// Made with the first request.
    verifying: OnceLock<reqwest::Client>,
    /// The same for servers whose certificates are not verified.
    trusting: OnceLock<reqwest::Client>,
    places: Places,
    tally: Arc<Tally>,
}

impl Outbound {
    /// Makes requests as `policy` allows.
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// The same, where `lookup` knows the addresses of names.
    pub fn with_lookup(policy: Policy, lookup: Arc<dyn Lookup>) -> Self {
        let places = Places::new(policy.concurrency);
        let (verifying, trusting) = (OnceLock::new(), OnceLock::new());
        let tally = Arc::new(Tally::of_entries(policy.allow.len()));
        Self { policy, shared: Arc::new(Shared { lookup, verifying, trusting, places, tally }) }
    }

    /// The same for some of the tenant's guests, where requests are made or not: places, connections and counts are those
    /// of all.
    #[must_use]
    pub fn enabled(&self, enabled: bool) -> Self {
        Self { policy: Policy { enabled, ..self.policy.clone() }, shared: Arc::clone(&self.shared) }
    }

    /// What may be asked.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is counted.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// Sends a request and takes the whole answer, until `end` at the latest.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn send(&self, request: Request, end: Instant) -> Result<Answer, Failure> {
        self.send_for(None, request, end).await
    }

    /// The same for `asker`, whose uses of the allow-list's entries are counted.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn send_for(&self, asker: Option<&Id>, request: Request, end: Instant) -> Result<Answer, Failure> {
        let text_only = request.options.text_only;
        let Opened { status, headers, body } = self.open_for(asker, request, end).await?;
        let body = body.whole().await?;
        if text_only && std::str::from_utf8(&body).is_err() {
            let failure =
                Failure::new(Reason::NotText, "the answer's body is no text, and nothing else can be passed on");
            self.shared.tally.failed(&failure);
            return Err(failure);
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request and takes the head of the answer. All of it, the body included, has until `end` at the latest.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn open(&self, request: Request, end: Instant) -> Result<Opened, Failure> {
        self.open_for(None, request, end).await
    }

    /// The same for `asker`, whose uses of the allow-list's entries are counted.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn open_for(&self, asker: Option<&Id>, request: Request, end: Instant) -> Result<Opened, Failure> {
        let opened = self.follow(asker, request, end).await;
        match &opened {
            Ok(_) => self.shared.tally.answered(),
            Err(failure) => self.shared.tally.failed(failure),
        }
        opened
    }

    async fn follow(&self, asker: Option<&Id>, request: Request, end: Instant) -> Result<Opened, Failure> {
        self.policy.check_enabled()?;
        let options = request.options;
        let now = Instant::now();
        let time = options.timeout.map_or(self.policy.timeout, |timeout| timeout.min(self.policy.timeout));
        let end = end.min(now + time);
        let head_end = options.head_timeout.map_or(end, |timeout| end.min(now + timeout));
        let mut hop = self.first(request)?;
        // Judged before a place is waited for: who may not ask need not wait to hear it.
        self.judge(asker, &hop.target)?;
        let place = self.shared.places.take(head_end).await?;
        let mut followed = 0;
        loop {
            let response = self.ask(&mut hop, options, head_end).await?;
            let next = match options.follow_redirects {
                true => hop.next(response.status(), response.headers())?,
                false => None,
            };
            let Some(next) = next else {
                let (target, idle, tally) = (hop.target, options.idle_timeout, Arc::clone(&self.shared.tally));
                let left = self.policy.max_response;
                if hop.method != Method::HEAD && response.content_length().is_some_and(|n| n > left as u64) {
                    return Err(answer::too_large(&target));
                }
                let status = response.status().as_u16();
                let headers = headers::answered(response.headers(), &target)?;
                let body = Incoming { response, target, left, end, idle, tally, place: Some(place) };
                return Ok(Opened { status, headers, body });
            };
            followed += 1;
            let origin = hop.target.origin();
            if followed > self.policy.max_redirects {
                let message = format!("`http.max_redirects` allows {}", self.policy.max_redirects);
                return Err(Failure::new(Reason::TooManyRedirects, message).led_to_by(&origin));
            }
            self.judge(asker, &next.target).map_err(|failure| failure.led_to_by(&origin))?;
            hop = next;
        }
    }

    /// Judges a target, and counts the entries that allow it.
    fn judge(&self, asker: Option<&Id>, target: &Target) -> Result<(), Failure> {
        self.policy.judge(target)?;
        if let Some(asker) = asker {
            self.shared.tally.allowed(self.policy.entries(target), asker);
        }
        Ok(())
    }

    fn first(&self, request: Request) -> Result<Hop, Failure> {
        let target = Target::parse(&request.url)?;
        let method = request::method(&request.method)?;
        let headers = headers::checked(&request.headers, &target, request.body.length())?;
        if request.body.length().is_some_and(|length| length > self.policy.max_request) {
            return Err(body_too_large());
        }
        Ok(Hop { method, target, headers, body: request.body })
    }

    /// Sends one request, of a redirect or the first, whose target was judged.
    async fn ask(&self, hop: &mut Hop, options: Options, end: Instant) -> Result<reqwest::Response, Failure> {
        let client = match self.policy.verifies(&hop.target, options.allow_insecure)? {
            true => self.client(&self.shared.verifying, false)?,
            false => self.client(&self.shared.trusting, true)?,
        };
        let again = hop.body.again().unwrap_or_else(|| Body::Whole(bytes::Bytes::new()));
        let body = match std::mem::replace(&mut hop.body, again) {
            Body::Whole(bytes) if bytes.is_empty() => reqwest::Body::default(),
            Body::Whole(bytes) => bytes.into(),
            Body::Stream(stream) => reqwest::Body::wrap_stream(bounded(stream, self.policy.max_request)),
        };
        let url = hop.target.url();
        let (host, method) = (url.host_str().unwrap_or_default(), spans::method_name(&hop.method));
        let span = spans::outgoing(method, host, url.port_or_known_default());
        let mut headers = hop.headers.clone();
        span.in_scope(|| telemetry::inject(&mut headers));
        let request = client.request(hop.method.clone(), url.clone()).headers(headers);
        let sent = connect::within(options.connect_timeout, request.body(body).send());
        let response = match tokio::time::timeout_at(end.into(), sent.instrument(span.clone())).await {
            Ok(response) => response.map_err(|error| fault::failure(&error, &hop.target)),
            Err(_) => Err(fault::timed_out(&hop.target)),
        };
        match &response {
            Ok(response) => spans::answered(&span, response.status().as_u16()),
            Err(failure) => spans::failed_as(&span, failure.reason().name()),
        }
        response
    }

    fn client<'a>(&self, kept: &'a OnceLock<reqwest::Client>, insecure: bool) -> Result<&'a reqwest::Client, Failure> {
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        tls::install();
        // A proxy would look names up itself, and so make the judgement of addresses worthless.
        let built = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .dns_resolver(self.policy.reach().resolver_over(Arc::clone(&self.shared.lookup)))
            .tls_danger_accept_invalid_certs(insecure)
            .user_agent(concat!("greentic-runner-host/", env!("CARGO_PKG_VERSION")))
            .connector_layer(ConnectTime)
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(KEPT)
            .http1_max_headers(headers::MAX_ANSWERED)
            .http2_max_header_list_size(u32::try_from(headers::MAX_ANSWERED_BYTES).unwrap_or(u32::MAX))
            .build();
        let client = built.map_err(|e| Failure::new(Reason::Internal, format!("there is no HTTP client: {e}")))?;
        Ok(kept.get_or_init(|| client))
    }
}

/// A stream that fails when it goes beyond `limit` bytes.
fn bounded(stream: BodyStream, limit: usize) -> BodyStream {
    let mut left = limit;
    let bounded = stream.map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len()).ok_or_else(body_too_large)?;
        Ok(chunk)
    });
    Box::pin(bounded.into_stream())
}

fn body_too_large() -> Failure {
    Failure::new(Reason::RequestTooLarge, "the body is larger than `http.max_request`")
}

impl Default for Outbound {
    /// Refuses every request.
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.policy).finish_non_exhaustive()
    }
}
