//! Signing requests with what the platform knows this host by.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use reqsign_core::{Context, Env, FileRead, HttpSend, ProvideCredential, SignRequest, Signer, SigningCredential};

use super::remote::Remote;
use crate::environment::Environment;
use crate::error::Result;

/// The largest file with credentials that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Signs requests to a store. Its credentials are found in this environment, in files, and at the services that give out
/// tokens. Programs that configuration files name are not started.
pub(super) struct Signing<C: SigningCredential> {
    signer: Signer<C>,
    context: Context,
    remote: Remote,
}

impl<C: SigningCredential> Signing<C> {
    /// Signs as `builder` does, with what `loader` finds.
    pub(super) fn new(
        environment: &Environment,
        remote: &Remote,
        loader: impl ProvideCredential<Credential = C>,
        builder: impl SignRequest<Credential = C>,
    ) -> Self {
        let context = Context::new().with_env(Variables(environment.clone())).with_file_read(Files);
        Self { signer: Signer::new(context.clone(), loader, builder), context, remote: remote.clone() }
    }

    /// Signs `request`. The signer's own words may hold what a service answered that gives out tokens, so they are not
    /// shown.
    ///
    /// # Errors
    ///
    /// `SecretUnavailable` if such a service gave no answer: another attempt may help. `SecretsRefused` if there are no
    /// credentials.
    pub(super) async fn sign(&self, request: Request<Bytes>) -> Result<Request<Bytes>> {
        // Signers try one way after another, and say at the end only that none led to credentials.
        let unanswered = Arc::new(AtomicBool::new(false));
        let requests = Requests { remote: self.remote.clone(), unanswered: Arc::clone(&unanswered) };
        let signer = self.signer.clone().with_context(self.context.clone().with_http_send(requests));
        let (mut head, body) = request.into_parts();
        signer.sign(&mut head, None).await.map_err(|error| match unanswered.load(Ordering::Relaxed) {
            true => self.remote.no_credentials(),
            false => self.remote.refused(&format!("{:?}", error.kind())),
        })?;
        Ok(Request::from_parts(head, body))
    }
}

#[derive(Debug)]
struct Variables(Environment);

impl Env for Variables {
    fn var(&self, key: &str) -> Option<String> {
        self.0.get(key).map(str::to_owned)
    }

    fn vars(&self) -> HashMap<String, String> {
        self.0.beginning_with("").map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.0.get("HOME").map(PathBuf::from)
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let unreadable = |e: std::io::Error| reqsign_core::Error::config_invalid(format!("a file cannot be read: {e}"));
        let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
        if size > LARGEST_FILE {
            return Err(reqsign_core::Error::config_invalid("a file with credentials is too large"));
        }
        tokio::fs::read(path).await.map_err(unreadable)
    }
}

/// Requests for credentials, while one request is signed.
#[derive(Debug)]
struct Requests {
    remote: Remote,
    /// Whether one of them was not answered.
    unanswered: Arc<AtomicBool>,
}

impl HttpSend for Requests {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let answered = self.remote.once(request).await;
        let may_pass = |status: StatusCode| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        if answered.as_ref().map_or_else(Remote::is_unavailable, |(answer, _)| may_pass(answer.status)) {
            self.unanswered.store(true, Ordering::Relaxed);
        }
        let (answer, headers) = answered.map_err(|e| reqsign_core::Error::unexpected(e.message().to_owned()))?;
        let mut response = Response::new(Bytes::from_owner(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
