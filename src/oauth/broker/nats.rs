//! The connection to a broker over NATS. It is made once and kept: what breaks is connected anew by the library, and
//! subscriptions go along. Each time the host logs in with what the secret holds then. What a broker tells while there
//! is no connection is lost; the subject then consents again.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::{Auth, AuthError, Client, ConnectOptions, Event, Request};
use bytes::Bytes;
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::AbortHandle;

use super::Broker;
use super::login::Login;
use super::wire::result_subjects;
use crate::error::{Code, Error, Result};
use crate::oauth::web::{MAX_ANSWER, TIME};

/// Where tokens are asked for by handle.
pub(super) const TOKEN: &str = "oauth.token.get";
/// Where a tenant's own tokens are asked for.
pub(super) const RESOURCE: &str = "oauth.token.resource";

/// How long a first connection may take before NATS counts as not there.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(4);

/// Results that are kept at once; what is told further waits.
const AT_ONCE: usize = 64;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unheard {
    /// Nobody was there to hear the question: it may be asked elsewhere.
    Nobody(Error),
    /// It may have been heard, or cannot be asked.
    Failed(Error),
}

pub(super) struct Nats {
    url: String,
    broker: Weak<Broker>,
    client: OnceCell<Client>,
    login: Option<Arc<Login>>,
    listener: Mutex<Option<AbortHandle>>,
}

impl Nats {
    pub(super) fn new(url: String, login: Option<Login>, broker: Weak<Broker>) -> Self {
        Self { url, broker, client: OnceCell::new(), login: login.map(Arc::new), listener: Mutex::new(None) }
    }

    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// What is wrong with what the host logs in with. It listens as soon as that is set right.
    pub(super) async fn listen(&self, broker: &Broker) -> Result<()> {
        self.client(broker).await?;
        match &self.login {
            Some(login) => login.check().await,
            None => Ok(()),
        }
    }

    /// The connection, which is begun with the first call.
    async fn client(&self, broker: &Broker) -> Result<&Client> {
        self.client.get_or_try_init(|| self.connect(broker)).await
    }

    async fn connect(&self, broker: &Broker) -> Result<Client> {
        crate::net::tls::install();
        let failed = |what: &str| Error::new(Code::OAuthUnavailable, format!("{}: {what}", self.url));
        let tenant = broker.tenant.clone();
        let options = match self.login.clone() {
            None => ConnectOptions::new(),
            Some(login) => ConnectOptions::with_auth_callback(move |nonce| answer(Arc::clone(&login), nonce)),
        };
        let login = self.login.clone();
        let options = options
            .name(concat!("greentic-runner-host/", env!("CARGO_PKG_VERSION")))
            .retry_on_initial_connect()
            .connection_timeout(CONNECT)
            .request_timeout(Some(TIME))
            .reconnect_delay_callback(|attempts| {
                let doubled = Duration::from_millis(50).saturating_mul(1 << attempts.min(8));
                doubled.min(MAX_PAUSE)
            })
            .event_callback(move |event| {
                let (tenant, login) = (tenant.clone(), login.clone());
                async move {
                    match event {
                        Event::Connected => {
                            login.iter().for_each(|login| login.is_taken());
                            tracing::info!(target: crate::oauth::TARGET, %tenant, "connected to the broker over NATS")
                        }
                        Event::Disconnected => {
                            tracing::warn!(target: crate::oauth::TARGET, %tenant, "the broker's NATS is gone")
                        }
                        other => tracing::debug!(target: crate::oauth::TARGET, %tenant, event = ?other, "NATS"),
                    }
                }
            });
        let client = options.connect(self.url.as_str()).await.map_err(|_| failed("it cannot be connected to"))?;
        let subjects = result_subjects(&broker.settings, &broker.tenant);
        let mut told = client.subscribe(subjects).await.map_err(|_| failed("it cannot be listened to"))?;
        let hearing = self.broker.clone();
        let listener = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            while let Some(message) = told.next().await {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let Some(broker) = hearing.upgrade() else { return };
                let works = Arc::clone(&broker.works);
                works.begin(async move {
                    if let Err(error) = broker.hear(&message.payload).await {
                        tracing::warn!(target: crate::oauth::TARGET, tenant = %broker.tenant, %error, "what the broker tells is of no use");
                    }
                    drop(place);
                });
            }
        });
        *self.listener.lock() = Some(listener.abort_handle());
        Ok(client)
    }

    /// Asks under `subject`, until `end` at the latest.
    pub(super) async fn ask(
        &self,
        broker: &Broker,
        subject: &str,
        body: &Value,
        end: Instant,
    ) -> Result<Bytes, Unheard> {
        let client = self.client(broker).await.map_err(Unheard::Failed)?;
        let said = |what: &str| Error::new(Code::OAuthUnavailable, format!("the broker over NATS: {what}"));
        if client.connection_state() != State::Connected {
            let soon = end.min(Instant::now() + CONNECT);
            // Resolves once there is a connection.
            let connected = tokio::time::timeout_at(soon.into(), client.flush()).await;
            if !matches!(connected, Ok(Ok(()))) {
                // It may be for want of something to log in with.
                let trouble = self.login.as_ref().and_then(|login| login.trouble());
                return Err(Unheard::Nobody(trouble.unwrap_or_else(|| said("there is no connection"))));
            }
        }
        let left = end.saturating_duration_since(Instant::now()).min(TIME);
        let request = Request::new().payload(body.to_string().into()).timeout(Some(left));
        let answer = client.send_request(subject.to_owned(), request).await.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Unheard::Nobody(said("nobody answers there")),
            RequestErrorKind::TimedOut => Unheard::Failed(said("the time was up before it answered")),
            RequestErrorKind::MaxPayloadExceeded => Unheard::Failed(said("the question is too large")),
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => Unheard::Failed(said("it cannot be asked")),
        })?;
        if answer.payload.len() > MAX_ANSWER {
            let error = Error::new(Code::OAuthAnswer, format!("the broker answers with more than {MAX_ANSWER} bytes"));
            return Err(Unheard::Failed(error));
        }
        Ok(answer.payload)
    }
}

/// What the host logs in with now. The library wants a future that can be shared between threads, and secrets are read by
/// one that cannot.
async fn answer(login: Arc<Login>, nonce: Vec<u8>) -> Result<Auth, AuthError> {
    let reading = tokio::spawn(async move { login.auth(&nonce).await });
    match reading.await {
        Ok(auth) => auth.map_err(AuthError::new),
        Err(_) => Err(AuthError::new("what the host logs in with could not be read")),
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.lock().take() {
            listener.abort();
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("url", &self.url).finish_non_exhaustive()
    }
}
