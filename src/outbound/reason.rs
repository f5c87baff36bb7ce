//! Why a request was not answered: a closed set.

use std::fmt;

/// What a failure means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is no request: another one may do.
    Invalid,
    /// The bindings do not allow it.
    Denied,
    /// It was allowed and no answer came that could be used.
    Unavailable,
    /// A defect of the host.
    Internal,
}

macro_rules! reasons {
    ($($(#[$meta:meta])+ $reason:ident = $name:literal, $kind:ident;)+) => {
        /// Why a request was not answered. What is logged, counted and told to guests has these names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$meta])+ $reason,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// Its name, which never changes.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }

            /// What it means to whoever asked.
            pub fn kind(self) -> Kind {
                match self {
                    $(Self::$reason => Kind::$kind,)+
                }
            }
        }
    };
}

reasons! {
    /// The tenant makes no requests at all.
    Disabled = "disabled", Denied;
    /// No entry of the allow-list has this scheme, host and port.
    HostNotAllowed = "host_not_allowed", Denied;
    /// The host is, or was resolved to, an address that is not public, and nobody named it.
    AddressNotPublic = "address_not_public", Denied;
    /// The scheme is neither `http` nor `https`.
    SchemeNotAllowed = "scheme_not_allowed", Denied;
    /// The method would make a tunnel, or have the request echoed.
    MethodNotAllowed = "method_not_allowed", Denied;
    /// A header that belongs to the connection, which is the host's.
    HeaderNotAllowed = "header_not_allowed", Denied;
    /// The URL holds a user name or a password.
    CredentialsInUrl = "credentials_in_url", Denied;
    /// The guest asks not to verify the server's certificate, and the bindings do not allow that for this server.
    InsecureNotAllowed = "insecure_not_allowed", Denied;
    /// One redirect too many.
    TooManyRedirects = "too_many_redirects", Denied;
    /// A redirect would send the request's body to somebody else.
    BodyNotRedirected = "body_not_redirected", Denied;
    /// The URL is none.
    BadUrl = "bad_url", Invalid;
    /// The method is none.
    BadMethod = "bad_method", Invalid;
    /// The name or the value of a header is none.
    BadHeader = "bad_header", Invalid;
    /// More headers, or longer ones, than a request may have.
    TooManyHeaders = "too_many_headers", Invalid;
    /// The body is larger than the bindings allow.
    RequestTooLarge = "request_too_large", Invalid;
    /// As many requests are under way as the tenant may have, and none ended in time.
    Busy = "busy", Unavailable;
    /// The name has no address.
    NameNotFound = "name_not_found", Unavailable;
    /// The server cannot be connected to.
    NotConnected = "not_connected", Unavailable;
    /// No secure connection came about, or the certificate is not accepted.
    TlsFailed = "tls_failed", Unavailable;
    /// The time was up.
    TimedOut = "timed_out", Unavailable;
    /// The connection ended before the answer did.
    Interrupted = "interrupted", Unavailable;
    /// What came is no answer of HTTP, or one with too many headers.
    BadAnswer = "bad_answer", Unavailable;
    /// The answer's body is larger than the bindings allow.
    AnswerTooLarge = "answer_too_large", Unavailable;
    /// The answer's body is not text, and the guest's interface carries nothing else.
    NotText = "not_text", Unavailable;
    /// A defect of the host.
    Internal = "internal", Internal;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a request was not answered, and what exactly. It names hosts, and no path, query, header or body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    reason: Reason,
    message: String,
}

impl Failure {
    /// A failure for `reason`.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What exactly.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same, of a target to which `origin` led.
    pub(super) fn led_to_by(mut self, origin: &str) -> Self {
        self.message = format!("{origin} redirected the request: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Failure {}
