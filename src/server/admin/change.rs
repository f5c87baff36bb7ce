//! Changes that are written down: before they are made, and how they ended.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::audit::{Actor, AuditLog, Entry, Outcome};
use crate::error::{Code, Error, Result};
use crate::server::App;
use crate::server::answer::Problem;
use crate::server::correlation::{Correlation, Peer};

/// Who asks for a change, and the log that it goes to.
pub(in crate::server) struct Asker {
    peer: IpAddr,
    correlation: Correlation,
    audit: Arc<AuditLog>,
}

/// A change that was made.
pub(super) struct Made<T> {
    pub(super) answer: T,
    /// The reload that it started.
    pub(super) reload: Option<String>,
    /// What else is written down of it.
    pub(super) detail: Option<String>,
}

impl<T> Made<T> {
    /// One of which nothing else is written down.
    pub(super) fn of(answer: T) -> Self {
        Self { answer, reload: None, detail: None }
    }
}

impl FromRequestParts<Arc<App>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let (peer, correlation) = (parts.extensions.get::<Peer>(), parts.extensions.get::<Correlation>());
        let (Some(Peer(peer)), Some(correlation)) = (peer, correlation) else {
            return Err(Error::new(Code::Internal, "it is not known who asks").into());
        };
        let (peer, correlation) = (peer.ip().to_canonical(), correlation.clone());
        Ok(Self { peer, correlation, audit: Arc::clone(&app.options.admin.audit) })
    }
}

impl Asker {
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Makes a change. It is not made if it cannot be written down first.
    ///
    /// It goes on when the client has gone, so that the log always says how it ended.
    pub(super) async fn change<T: Send + 'static>(
        self,
        action: &'static str,
        detail: Option<String>,
        change: impl Future<Output = Result<Made<T>>> + Send + 'static,
    ) -> Result<T> {
        let work = async move {
            self.record(action, detail.clone(), None, None).await?;
            match change.await {
                Ok(Made { answer, reload, detail: more }) => {
                    self.record(action, more.or(detail), reload, Some(Ok(()))).await.map_err(|error| {
                        Error::new(Code::AuditFailed, format!("it is done, but {} for its outcome", error.message()))
                    })?;
                    Ok(answer)
                }
                Err(error) => {
                    self.record(action, detail, None, Some(Err(error.clone()))).await?;
                    Err(error)
                }
            }
        };
        let ended = tokio::spawn(work).await;
        ended.map_err(|e| Error::new(Code::Internal, format!("a change did not end well: {e}")))?
    }

    /// Writes down that a change begins, or how it ended.
    async fn record(
        &self,
        action: &'static str,
        detail: Option<String>,
        reload: Option<String>,
        ended: Option<Result<()>>,
    ) -> Result<()> {
        let (audit, peer, correlation) = (Arc::clone(&self.audit), self.peer, self.correlation.clone());
        let write = move || {
            let outcome = match &ended {
                None => Outcome::Begun,
                Some(Ok(())) => Outcome::Done,
                Some(Err(error)) => Outcome::Failed(error),
            };
            audit.record(&Entry {
                action,
                outcome,
                by: Actor::Peer(peer),
                correlation_id: Some(&*correlation.0),
                reload: reload.as_deref(),
                detail: detail.as_deref(),
                ..Entry::default()
            })
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(|e| Error::new(Code::Internal, format!("an audit entry was not written: {e}")))?
    }
}
