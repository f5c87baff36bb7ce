//! The host's one error type: a stable code, what went wrong, where, and what to do about it.
//!
//! Codes are never reused; each has a page under `docs/errors/`. A [`Kind`] decides the exit code of the command
//! line and the status of an HTTP answer. Messages hold no secrets: they are printed, logged and returned as they are.

use std::fmt;
use std::path::Path;

mod code;

pub use code::{Code, Kind};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A coded error. See the module for what its parts are for.
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    location: Option<Location>,
    hint: Option<String>,
    details: Vec<Error>,
}

/// Where in a file a problem lies. Line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as the user named it, or the entry inside an archive (`demo.gtpack!manifest.cbor`).
    pub file: String,
    /// Line and column, where they are known.
    pub position: Option<(u32, u32)>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

impl Error {
    /// An error with `code`; `message` names the thing that is wrong.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), location: None, hint: None, details: Vec::new() }))
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the file, unless a location is known already.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        if self.0.location.is_none() {
            self.0.location = Some(Location { file: file.as_ref().display().to_string(), position: None });
        }
        self
    }

    /// Adds file, line and column.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.0.location = Some(location);
        self
    }

    /// Adds the single problems that this error sums up.
    #[must_use]
    pub fn with_details(mut self, details: Vec<Self>) -> Self {
        self.0.details = details;
        self
    }

    /// Puts what the error is about before what went wrong.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The same with its own words and those of its details as `reword` makes them.
    #[must_use]
    pub(crate) fn reworded(mut self, reword: &impl Fn(&str) -> String) -> Self {
        self.0.message = reword(&self.0.message);
        self.0.hint = self.0.hint.as_deref().map(reword);
        self.0.details = self.0.details.into_iter().map(|detail| detail.reworded(reword)).collect();
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What went wrong, without code, place and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where, if it is known.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// What the reader can do.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The single problems, where this error sums up several.
    pub fn details(&self) -> &[Self] {
        &self.0.details
    }

    /// One error out of several findings: the finding itself if there is one, else `summary` over all of them.
    pub fn from_many(code: Code, summary: impl Into<String>, mut findings: Vec<Self>) -> Self {
        match (findings.pop(), findings.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                findings.extend(last);
                Self::new(code, summary).with_details(findings)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())?;
        if let Some(location) = self.location() {
            write!(f, " (at {location})")?;
        }
        if let Some(hint) = self.hint_text() {
            write!(f, "; hint: {hint}")?;
        }
        for detail in self.details() {
            write!(f, "\n  {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl Clone for Error {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
