//! Changes that are written down: before they are made, and how they ended.

use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::{Actor, Entry, Outcome};
use crate::error::{Code, Error, Result};
use crate::server::App;
use crate::server::correlation::Correlation;

/// Makes a change that starts a reload and returns its id. It is not made if it cannot be written down first.
///
/// It goes on when the client has gone, so that the log always says how it ended.
pub(super) async fn audited(
    app: &Arc<App>,
    action: &'static str,
    peer: IpAddr,
    correlation: &Correlation,
    change: impl FnOnce() -> Result<String> + Send + 'static,
) -> Result<String> {
    let (audit, correlation) = (Arc::clone(&app.options.admin.audit), correlation.clone());
    let work = move || {
        let entry = Entry { action, by: Actor::Peer(peer), correlation_id: Some(&*correlation.0), ..Entry::default() };
        audit.record(&entry)?;
        let result = change();
        match &result {
            Ok(id) => audit.record(&Entry { outcome: Outcome::Done, reload: Some(id), ..entry }).map_err(|error| {
                Error::new(Code::AuditFailed, format!("it is done, but {} for its outcome", error.message()))
            })?,
            Err(error) => audit.record(&Entry { outcome: Outcome::Failed(error), ..entry })?,
        }
        result
    };
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|e| Error::new(Code::Internal, format!("a change did not end well: {e}")))?
}
