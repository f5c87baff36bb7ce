//! Samples of every kind, written after the platforms' documentation: what tests mean something by, and what fuzzing begins
//! with. Their names say what they are.

use serde_json::{Map, Value};

use super::kind::Kind;
use super::recording::Recording;
use crate::error::{Code, Error, Result};

/// A sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is.
    pub name: String,
    /// The request.
    pub recording: Recording,
}

/// The samples of a kind, as a JSON object of trees by name; [`super::form::Form`] says what a tree holds.
pub fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::Telegram => include_str!("samples/telegram.json"),
        Kind::Teams => include_str!("samples/teams.json"),
        Kind::Slack => include_str!("samples/slack.json"),
        Kind::SlackInteractive => include_str!("samples/slack-interactive.json"),
        Kind::SlackSlash => include_str!("samples/slack-slash.json"),
        Kind::Webchat => include_str!("samples/webchat.json"),
        Kind::Webex => include_str!("samples/webex.json"),
        Kind::Whatsapp => include_str!("samples/whatsapp.json"),
        Kind::Webhook => include_str!("samples/webhook.json"),
    }
}

/// The samples of a kind, in their order.
pub fn of(kind: Kind) -> Result<Vec<Sample>> {
    let defect = |what: String| Error::new(Code::Internal, format!("the samples of {kind}: {what}"));
    let trees: Map<String, Value> = serde_json::from_str(text(kind)).map_err(|e| defect(e.to_string()))?;
    let sample = |(name, tree): (String, Value)| {
        let recording = kind.form().recording(kind.path(), &tree);
        recording.map(|recording| Sample { recording, name: name.clone() }).ok_or_else(|| defect(name))
    };
    trees.into_iter().map(sample).collect()
}
