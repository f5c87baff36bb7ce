//! Why a tool gave no result.

use serde_json::{Map, Value};

use crate::error::{Code, Error, Kind};
use crate::id::clip;
use crate::secret::Hidden;

/// Characters of what a tool says in the host's own error; error maps see all of it.
const MAX_MESSAGE: usize = 500;

/// Of which kind a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no such tool.
    NotFound,
    /// The arguments are none that the tool takes.
    Arguments,
    /// The tool itself says that it failed.
    Tool,
    /// It could not be called, or nobody knows what became of the call.
    Unavailable,
    /// It did not answer in time.
    Timeout,
    /// Its answer cannot be used.
    Answer,
}

/// Why a tool gave no result.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: FailureKind,
    error: Error,
    /// What the tool said, if the error quotes it.
    said: Option<Box<Said>>,
    untaken: bool,
    details: Option<Value>,
}

/// What a tool said.
#[derive(Clone, Debug)]
struct Said {
    /// What stands before it in the error.
    about: String,
    text: String,
}

impl Said {
    /// The error's message, in which it is shortened.
    fn message(&self) -> String {
        let shown: String = self.text.chars().take(MAX_MESSAGE).flat_map(char::escape_debug).collect();
        format!("{}: {shown}", self.about)
    }
}

impl Failure {
    /// A failure of `kind` that `message` explains.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let code = match kind {
            FailureKind::NotFound => Code::ToolUnknown,
            FailureKind::Arguments => Code::ToolArguments,
            FailureKind::Tool => Code::ToolFailed,
            FailureKind::Unavailable => Code::ToolServer,
            FailureKind::Timeout => Code::ToolTimeout,
            FailureKind::Answer => Code::ToolAnswer,
        };
        Self { kind, error: Error::new(code, message), said: None, untaken: false, details: None }
    }

    /// What the host says of a call that it ended or could not begin.
    pub fn of_host(error: Error) -> Self {
        let (kind, untaken) = match error.code() {
            Code::ToolUnknown => (FailureKind::NotFound, false),
            Code::GuestTimeout | Code::DeadlinePassed => (FailureKind::Timeout, false),
            Code::GuestOutput | Code::ComponentAnswer => (FailureKind::Answer, false),
            code => (FailureKind::Unavailable, code.kind() == Kind::Unavailable),
        };
        Self { kind, error, said: None, untaken, details: None }
    }

    /// What the tool `tool` says of its failure, shortened for the host's own message.
    pub fn said(kind: FailureKind, tool: &str, said: &str) -> Self {
        Self::quoting(kind, format!("tool {}", clip(tool)), said)
    }

    /// The same, with what the message says before it.
    pub(super) fn quoting(kind: FailureKind, about: String, said: &str) -> Self {
        let said = Said { about, text: said.to_owned() };
        let failure = Self::new(kind, said.message());
        Self { said: Some(Box::new(said)), ..failure }
    }

    /// The same, surely before the tool saw anything of the call: to try again does no harm.
    #[must_use]
    pub fn untaken(mut self) -> Self {
        self.untaken = true;
        self
    }

    /// Adds what the tool answered, for error maps.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The same without what is `hidden`.
    #[must_use]
    pub(crate) fn without(mut self, hidden: &Hidden) -> Self {
        if let Some(said) = &mut self.said {
            // In all of it: what it was shortened at would not be found.
            **said = Said { about: hidden.hide(&said.about), text: hidden.hide(&said.text) };
            let message = Error::new(self.error.code(), said.message());
            self.error = self.error.hint_text().into_iter().fold(message, Error::hint);
        }
        self.error = self.error.reworded(&|text| hidden.hide(text));
        self.details = self.details.map(|details| hidden.hide_in(details));
        self
    }

    /// Adds what can be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    /// Of which kind it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The same as the host's error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Whether the tool surely saw nothing of the call.
    pub fn is_untaken(&self) -> bool {
        self.untaken
    }

    /// As error maps and routes see it: `{code, message, retryable, details?}`.
    pub fn to_value(&self) -> Value {
        let mut value = Map::new();
        value.insert("code".to_owned(), self.error.code().to_string().into());
        value.insert("message".to_owned(), self.error.message().into());
        value.insert("retryable".to_owned(), self.untaken.into());
        if let Some(details) = &self.details {
            value.insert("details".to_owned(), details.clone());
        }
        Value::Object(value)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn error_maps_see_all_of_it_and_logs_a_part() {
        let long = format!("no\nluck {}", "x".repeat(2_000));
        let failure = Failure::said(FailureKind::Tool, "t", &long).with_details(json!({ "content": [] }));
        assert!(failure.error().message().starts_with("tool t: no\\nluck x"));
        assert!(failure.error().message().len() < 600);
        let value = failure.to_value();
        assert_eq!((&value["code"], &value["retryable"]), (&json!("GRH-1125"), &json!(false)));
        assert_eq!(value["details"], json!({ "content": [] }));
    }

    #[test]
    fn what_is_hidden_stands_in_nothing_of_it() {
        let hidden = Hidden::of(["canary-\"0123\""]);
        for before in [0, MAX_MESSAGE - 16, MAX_MESSAGE - 8, MAX_MESSAGE - 2] {
            let said = format!("{}canary-\"0123\" is wrong", "x".repeat(before));
            let failure = Failure::said(FailureKind::Tool, "t", &said).hint("not canary-\"0123\"");
            let failure = failure.with_details(json!({ "key": "canary-\"0123\"", "all": said })).without(&hidden);
            let shown = format!("{} {}", failure.error(), failure.to_value());
            assert!(!shown.contains("cana") && !format!("{failure:?}").contains("cana"), "{before}: {shown}");
            assert!(shown.contains("not [redacted]") && failure.error().code() == Code::ToolFailed, "{shown}");
        }
    }

    #[test]
    fn what_the_host_says_keeps_its_code() {
        for (code, kind, untaken) in [
            (Code::GuestTimeout, FailureKind::Timeout, false),
            (Code::EngineBusy, FailureKind::Unavailable, true),
            (Code::GuestTrap, FailureKind::Unavailable, false),
            (Code::GuestOutput, FailureKind::Answer, false),
            (Code::ToolUnknown, FailureKind::NotFound, false),
        ] {
            let failure = Failure::of_host(Error::new(code, "x"));
            assert_eq!((failure.kind(), failure.is_untaken(), failure.error().code()), (kind, untaken, code));
        }
    }
}
