//! The audit log: who changed what through the admin API, and what the host did against its own rules because somebody
//! allowed it.
//!
//! In: entries. Out: one JSON line each, to `tracing` under the target `audit` and to `audit.log` in the data directory,
//! on disk before [`AuditLog::record`] returns. A change whose entry cannot be written must not be made: whoever makes
//! one records it as [`Outcome::Begun`] first, and how it ended afterwards. The file is private to its user and bounded:
//! when it is full it becomes `audit.log.1`, and the oldest of a few goes.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::error::{Code, Error, Result};

mod file;

use file::File;

/// The file's name in the data directory.
pub const FILE: &str = "audit.log";

/// What somebody did.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    /// What, as `packs.reload`.
    pub action: &'a str,
    /// How far it is.
    pub outcome: Outcome<'a>,
    /// Who: an address for requests, else the part of the host that acts.
    pub by: Actor<'a>,
    /// The request that asked for it.
    pub correlation_id: Option<&'a str>,
    /// The reload that it belongs to.
    pub reload: Option<&'a str>,
    /// The tenant that it concerns, if it is one.
    pub tenant: Option<&'a str>,
    /// What else there is to know.
    pub detail: Option<&'a str>,
}

/// Who did something.
#[derive(Clone, Copy, Debug)]
pub enum Actor<'a> {
    /// The sender of a request.
    Peer(IpAddr),
    /// A part of the host.
    Host(&'a str),
}

impl Default for Actor<'_> {
    fn default() -> Self {
        Self::Host("host")
    }
}

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(address) => write!(f, "{address}"),
            Self::Host(part) => f.write_str(part),
        }
    }
}

/// How far an action is.
#[derive(Clone, Copy, Debug, Default)]
pub enum Outcome<'a> {
    /// It is about to be taken.
    #[default]
    Begun,
    /// It was taken.
    Done,
    /// It failed.
    Failed(&'a Error),
}

/// The line that is written.
#[derive(Serialize)]
struct Line<'a> {
    time: Option<jiff::Timestamp>,
    action: &'a str,
    outcome: &'static str,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// Where entries go.
pub struct AuditLog {
    file: Option<Mutex<File>>,
    clock: Arc<dyn Clock>,
}

impl AuditLog {
    /// The log in `dir`, which must be a directory of the host's own, made if it is not there.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let file = File::open(&path).map_err(|e| {
            Error::new(Code::Io, format!("the audit log {} cannot be opened: {e}", path.display()))
                .hint("the data directory must be writable")
        })?;
        Ok(Self { file: Some(Mutex::new(file)), clock: Arc::new(SystemClock) })
    }

    /// A log that goes to `tracing` alone, for hosts that keep nothing.
    pub fn without_file() -> Self {
        Self { file: None, clock: Arc::new(SystemClock) }
    }

    /// The same, with the time of `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Writes an entry. When this returns, it is on disk. May block.
    pub fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let line = self.line(entry)?;
        tracing::info!(target: "audit", "{line}");
        let Some(file) = &self.file else { return Ok(()) };
        file.lock().append(&line).map_err(|e| {
            Error::new(Code::AuditFailed, format!("the audit log cannot be written: {e}"))
                .hint("make room in the data directory, and see that it is writable")
        })
    }

    fn line(&self, entry: &Entry<'_>) -> Result<String> {
        let (outcome, code) = match entry.outcome {
            Outcome::Begun => ("begun", None),
            Outcome::Done => ("done", None),
            Outcome::Failed(error) => ("failed", Some(error.code().to_string())),
        };
        let line = Line {
            time: jiff::Timestamp::from_millisecond(self.clock.now().0).ok(),
            action: entry.action,
            outcome,
            by: entry.by.to_string(),
            correlation_id: entry.correlation_id,
            reload: entry.reload,
            tenant: entry.tenant,
            detail: entry.detail,
            code,
        };
        serde_json::to_string(&line).map_err(|e| Error::new(Code::Internal, format!("an audit entry is not JSON: {e}")))
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("file", &self.file.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
