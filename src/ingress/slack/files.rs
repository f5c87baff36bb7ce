//! Files and the buttons that a message carries.

use serde_json::Value;

use super::super::envelope::{Attachment, AttachmentKind, Button, MOST};
use super::super::json;
use super::actions;

/// The files of a message, and what it quotes from elsewhere, as cards; at most [`MOST`]. Deleted files are left out.
pub(super) fn attachments(message: &Value) -> Vec<Attachment> {
    let files = json::list(message, &["files"]).iter().filter_map(file);
    let cards = json::list(message, &["attachments"]).iter().filter(|quoted| quoted.is_object()).map(card);
    files.chain(cards).take(MOST).collect()
}

fn file(file: &Value) -> Option<Attachment> {
    if json::text(file, &["mode"]) == Some("tombstone") || !file.is_object() {
        return None;
    }
    let mime = json::text(file, &["mimetype"]);
    let url = ["url_private_download", "url_private", "external_url"].iter().find_map(|name| json::text(file, &[name]));
    // A file of another workspace comes without a URL; with its id the app asks for the rest.
    let content = match url {
        Some(_) => None,
        None => json::id(file, &["id"]).map(|id| serde_json::json!({ "file_id": id })),
    };
    Some(Attachment {
        kind: AttachmentKind::of_mime(mime.unwrap_or_default()),
        name: json::text(file, &["name"]).or_else(|| json::text(file, &["title"])).map(str::to_owned),
        mime: mime.map(str::to_owned),
        size: json::at(file, &["size"]).and_then(Value::as_u64).unwrap_or_default(),
        url: url.map(str::to_owned),
        data_inline_b64: None,
        requires_auth: url.is_some_and(is_slacks),
        content,
    })
}

fn card(quoted: &Value) -> Attachment {
    let text = |name| json::text(quoted, &[name]).map(str::to_owned);
    Attachment {
        kind: AttachmentKind::Card,
        name: text("title").or_else(|| text("fallback")),
        mime: None,
        size: 0,
        url: text("from_url").or_else(|| text("title_link")),
        data_inline_b64: None,
        requires_auth: false,
        content: Some(quoted.clone()),
    }
}

/// Whether a URL is Slack's own. The bot's token goes nowhere else.
fn is_slacks(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let hosts = ["slack.com", "slack-files.com", "slack-gov.com"];
    let own = |host: &str| {
        hosts.iter().any(|own| host.strip_suffix(own).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')))
    };
    url.scheme() == "https" && url.host_str().is_some_and(own)
}

/// The buttons in a message's blocks; at most [`MOST`].
pub(super) fn buttons(message: &Value) -> Vec<Button> {
    let blocks = json::list(message, &["blocks"]).iter();
    let elements = blocks.flat_map(|block| json::list(block, &["elements"]).iter().chain(block.get("accessory")));
    let buttons = elements.filter(|element| json::text(element, &["type"]) == Some("button"));
    buttons.take(MOST).enumerate().map(|(place, button)| actions::button(button, place)).collect()
}
