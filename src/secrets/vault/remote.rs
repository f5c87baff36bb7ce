//! Requests to stores: bounded in time and bytes, and repeated where that may help.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::net::tls;

/// How long requests take at most, and how they are repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The time of one attempt, its answer included.
    pub(super) attempt: Duration,
    /// The time of all attempts.
    pub(super) all: Duration,
    /// The pause before the first repetition.
    pub(super) pause: Duration,
    /// The longest pause.
    pub(super) longest: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(5),
            all: Duration::from_secs(15),
            pause: Duration::from_millis(100),
            longest: Duration::from_secs(4),
        }
    }
}

/// How often a request is repeated.
const REPEATS: usize = 3;
/// Bytes of an answer; a secret has a quarter of that at most.
const LARGEST: usize = 256 << 10;

/// Makes requests to a store.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    client: reqwest::Client,
    store: &'static str,
    times: Times,
}

/// What a store answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer.
struct Fault {
    error: Error,
    may_pass: bool,
    after: Option<Duration>,
}

impl Fault {
    /// Another attempt may help where none came through.
    fn of(error: Error) -> Self {
        Self { may_pass: Remote::is_unavailable(&error), error, after: None }
    }
}

impl Remote {
    /// For requests to `store`, as messages call it.
    pub(super) fn new(store: &'static str, times: Times) -> Result<Self> {
        tls::install();
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(times.attempt)
            .user_agent(concat!("greentic-runner-host/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| {
                Error::new(Code::SecretsBackend, format!("the HTTP client for {store} does not start: {e}"))
            })?;
        Ok(Self { client, store, times })
    }

    /// What the store answers to the request that `make` makes, anew for each attempt. An answer of which `is_busy` says
    /// that another attempt may help is none, like one that limits the rate or tells of a failure of the store's own.
    pub(super) async fn ask<'a>(
        &self,
        make: impl Fn() -> BoxFuture<'a, Result<Request<Bytes>>> + Sync,
        is_busy: fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let Times { all, pause, longest, .. } = self.times;
        let pauses = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(pause)
            .with_max_delay(longest)
            .with_max_times(REPEATS);
        let attempt = || async {
            let request = make().await.map_err(Fault::of)?;
            self.attempt(request, is_busy).await
        };
        let asked = attempt.retry(pauses).when(|fault| fault.may_pass).adjust(|fault, pause| match fault.after {
            Some(after) if after > longest => None,
            after => pause.map(|pause| pause.max(after.unwrap_or_default())),
        });
        match tokio::time::timeout(all, asked).await {
            Ok(answered) => answered.map_err(|fault| fault.error),
            Err(_) => Err(self.unavailable("does not answer in time")),
        }
    }

    /// One request, for those who repeat by themselves.
    pub(super) async fn once(&self, request: Request<Bytes>) -> Result<(Answer, HeaderMap)> {
        let exchange = async {
            let request = reqwest::Request::try_from(request)
                .map_err(|_| Error::new(Code::SecretsBackend, format!("a request to {} cannot be made", self.store)))?;
            let mut response = self.client.execute(request).await.map_err(|error| self.broken(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            // A buffer that grows leaves copies behind, which nobody clears.
            let expected = response.content_length().and_then(|length| usize::try_from(length).ok());
            let mut body = Zeroizing::new(Vec::with_capacity(expected.unwrap_or(LARGEST).min(LARGEST)));
            while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
                if body.len() + chunk.len() > LARGEST {
                    return Err(self.nonsense("it is larger than a secret can be"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((Answer { status, body }, headers))
        };
        match tokio::time::timeout(self.times.attempt, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(self.unavailable("does not answer in time")),
        }
    }

    async fn attempt(&self, request: Request<Bytes>, is_busy: fn(&Answer) -> bool) -> Result<Answer, Fault> {
        let answered = self.once(request).await;
        let (answer, headers) = answered.map_err(Fault::of)?;
        let limited = answer.status == StatusCode::TOO_MANY_REQUESTS || is_busy(&answer);
        if !limited && !answer.status.is_server_error() {
            return Ok(answer);
        }
        let what = if limited { "limits how often it is asked" } else { "has a failure of its own" };
        let after = headers.get(http::header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let error = self.unavailable(&format!("{what} ({})", answer.status.as_u16()));
        Err(Fault { error, may_pass: true, after: after.map(Duration::from_secs) })
    }

    /// The store cannot be asked.
    pub(super) fn unavailable(&self, why: &str) -> Error {
        Error::new(Code::SecretUnavailable, format!("{} {why}", self.store))
    }

    /// Whether this is the failure of a request that was not answered.
    pub(super) fn is_unavailable(error: &Error) -> bool {
        error.code() == Code::SecretUnavailable
    }

    /// What gives out this host's credentials cannot be asked.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    pub(super) fn no_credentials(&self) -> Error {
        self.unavailable("is not asked: what gives out this host's credentials gives no answer")
            .hint("docs/secrets.md says where this host looks for them")
    }

    /// The store knows this host not.
    pub(super) fn refused(&self, why: &str) -> Error {
        Error::new(Code::SecretsRefused, format!("{} does not accept this host's credentials ({why})", self.store))
            .hint("docs/secrets.md says where this host looks for them")
    }

    /// The store does not let this host have the secret.
    pub(super) fn forbidden(&self, name: &str) -> Error {
        Error::new(Code::SecretForbidden, format!("{} does not let this host have {name}", self.store))
            .hint("docs/secrets.md lists the rights that it takes")
    }

    /// The answer is none.
    pub(super) fn nonsense(&self, why: &str) -> Error {
        Error::new(Code::SecretsAnswer, format!("what {} answers cannot be used: {why}", self.store))
            .hint("check the endpoint in the settings")
    }

    /// An answer with a status that nothing is known of.
    pub(super) fn unexpected(&self, answer: &Answer) -> Error {
        self.nonsense(&format!("it has the status {}", answer.status.as_u16()))
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        // Addresses and paths are left out: they may hold more than a reader of the log should see.
        let why = if error.is_timeout() {
            "does not answer in time"
        } else if error.is_connect() {
            "cannot be connected to"
        } else {
            "broke the connection off"
        };
        self.unavailable(why)
    }
}
