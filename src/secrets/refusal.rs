//! Why a guest does not get a secret: a closed set.

use std::fmt;

use crate::id::clip;

/// What a refusal means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The key cannot be one, or the value cannot be stored.
    Invalid,
    /// The bindings do not allow it.
    Denied,
    /// It is allowed, and there is no such secret.
    NotFound,
    /// It is allowed, and the place where secrets are kept gave no answer.
    Unavailable,
    /// There is a value that the guest's interface cannot carry.
    Internal,
}

/// Why a guest does not get, or cannot store, a secret. What is logged and traced has these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// The key cannot be one.
    InvalidKey,
    /// The bindings do not name the secret for this component and this type of flow.
    NotAllowed,
    /// It is nowhere where it was looked for.
    NotFound,
    /// The place where secrets are kept cannot be asked now, or answered nonsense.
    Unavailable,
    /// It did not answer in time.
    TimedOut,
    /// The value is not text, and the guest's interface carries nothing else.
    NotText,
    /// The value is larger than a secret may be.
    TooLarge,
    /// The place where secrets are kept does not take it.
    NotStored,
}

impl RefusalReason {
    /// Its name, which never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::NotAllowed => "not_allowed",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::NotText => "not_text",
            Self::TooLarge => "too_large",
            Self::NotStored => "not_stored",
        }
    }

    /// What it means to whoever asked.
    pub fn kind(self) -> RefusalKind {
        match self {
            Self::InvalidKey | Self::TooLarge => RefusalKind::Invalid,
            Self::NotAllowed => RefusalKind::Denied,
            Self::NotFound => RefusalKind::NotFound,
            Self::Unavailable | Self::TimedOut | Self::NotStored => RefusalKind::Unavailable,
            Self::NotText => RefusalKind::Internal,
        }
    }
}

/// Why a guest does not get, or cannot store, a secret, and which. It holds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    key: String,
    message: String,
}

impl Refusal {
    /// A refusal of what was asked for as `key`.
    pub fn new(reason: RefusalReason, key: &str, message: impl Into<String>) -> Self {
        Self { reason, key: clip(key).escape_debug().to_string(), message: message.into() }
    }

    /// The reason.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// The key, as far as it can be shown.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What exactly: for the host's log, as it says where was looked.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}: {}: {}", self.key, self.reason.name(), self.message)
    }
}

impl std::error::Error for Refusal {}
