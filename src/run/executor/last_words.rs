//! What a session is told whose conversation cannot go on, because the pack in which it waited has changed.

use serde_json::json;

use super::Execution;
use crate::error::{Code, Error};
use crate::run::transcript;
use crate::store::NewReply;
use crate::telemetry::TraceContext;

/// What is said where the pack has no words of its own.
const OWN: &str = "This conversation cannot go on, because the bot has changed. Please begin again.";

impl Execution<'_> {
    /// The reply to an event that found its wait impossible to resume: the text that the pack has for the error's code
    /// in the user's language, and the code. A caller who waits for the outcome gets the error itself.
    pub(super) fn last_words(&self, error: &Error) -> Vec<NewReply> {
        let Some(route) = self.record.reply_to.route() else { return Vec::new() };
        if error.code() != Code::ResumeImpossible {
            return Vec::new();
        }
        let code = error.code().to_string();
        let text = self.program.cards.text(&code, &[&self.record.input]);
        let payload = json!({ "text": text.as_deref().unwrap_or(OWN), "error": { "code": code } });
        let (at, trace) = (self.services.clock.now(), TraceContext::current());
        let payload = transcript::reply(&self.record.reply_to, &payload);
        vec![NewReply { route: route.clone(), payload, at, trace }]
    }
}
