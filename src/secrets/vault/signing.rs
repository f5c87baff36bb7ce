//! Signing requests with what the platform knows this host by.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::Bytes;
use http::{Request, Response};
use reqsign_core::{Context, Env, FileRead, HttpSend, Signer, SigningCredential};

use super::remote::Remote;
use crate::environment::Environment;
use crate::error::Result;

/// The largest file with credentials that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Where credentials are found: this environment, files, and the services that give out tokens. Programs that
/// configuration files name are not started.
pub(super) fn context(environment: &Environment, remote: &Remote) -> Context {
    Context::new()
        .with_env(Variables(environment.clone()))
        .with_file_read(Files)
        .with_http_send(Requests(remote.clone()))
}

/// Signs `request`. The signer's own words may hold what a token service answered, so they are not shown.
pub(super) async fn sign<C: SigningCredential>(
    signer: &Signer<C>,
    remote: &Remote,
    request: Request<Bytes>,
) -> Result<Request<Bytes>> {
    let (mut head, body) = request.into_parts();
    signer.sign(&mut head, None).await.map_err(|error| remote.refused(&format!("{:?}", error.kind())))?;
    Ok(Request::from_parts(head, body))
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

#[derive(Debug)]
struct Requests(Remote);

impl HttpSend for Requests {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let answered = self.0.once(request).await;
        let (answer, headers) = answered.map_err(|e| reqsign_core::Error::unexpected(e.message().to_owned()))?;
        let mut response = Response::new(Bytes::from_owner(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
