//! Files, each by the method that shows it best.

use serde_json::{Map, Value};

use super::super::message::{File, FileSource};
use super::super::sender::{Auth, Call, Part};
use super::super::text::split;
use super::TelegramSender;
use super::reply::{MOST_TEXT, units};

/// The longest URL that is passed on; longer ones are told.
const MOST_URL: usize = 2000;

/// The largest picture that is taken as one.
const MOST_PHOTO: usize = 10 << 20;

/// The method for a file, and its parameter with it.
type Method = (&'static str, &'static str);

const DOCUMENT: Method = ("sendDocument", "document");

/// The method that a file is sent with; none if it can only be told.
pub(super) fn method(file: &File) -> Option<Method> {
    let media_type = file.media_type().unwrap_or_default();
    let shown = match media_type.as_str() {
        "image/jpeg" | "image/png" | "image/webp" => Some(("sendPhoto", "photo")),
        "image/*" if matches!(file.source, FileSource::Url(_)) => Some(("sendPhoto", "photo")),
        "image/gif" => Some(("sendAnimation", "animation")),
        "audio/mpeg" | "audio/mp3" | "audio/mp4" | "audio/m4a" | "audio/x-m4a" => Some(("sendAudio", "audio")),
        "audio/ogg" | "audio/opus" => Some(("sendVoice", "voice")),
        "video/mp4" => Some(("sendVideo", "video")),
        _ => None,
    };
    match &file.source {
        FileSource::Inline(bytes) if bytes.len() > MOST_PHOTO && shown.is_some_and(|(_, field)| field == "photo") => {
            Some(DOCUMENT)
        }
        FileSource::Inline(_) => shown.or(Some(DOCUMENT)),
        FileSource::Url(url) if url.len() > MOST_URL || !is_fetchable(url) => None,
        // Telegram fetches no other documents.
        FileSource::Url(_) if matches!(media_type.as_str(), "application/pdf" | "application/zip") => Some(DOCUMENT),
        FileSource::Url(_) => shown,
    }
}

fn is_fetchable(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The request that sends a file, with `fields` beside it. What Telegram cannot fetch, or does not take for a picture, is
/// sent otherwise.
pub(super) fn call(sender: &TelegramSender, method: Method, file: &File, fields: &Map<String, Value>) -> Call {
    match &file.source {
        FileSource::Url(url) => {
            let (name, field) = method;
            let mut body = fields.clone();
            body.insert(field.to_owned(), url.as_str().into());
            sender.call(name, Value::Object(body)).or(told(sender, file, fields))
        }
        FileSource::Inline(_) if method == DOCUMENT => upload(sender, method, file, fields),
        FileSource::Inline(_) => upload(sender, method, file, fields).or(upload(sender, DOCUMENT, file, fields)),
    }
}

fn upload(sender: &TelegramSender, (name, field): Method, file: &File, fields: &Map<String, Value>) -> Call {
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let form = fields.iter().map(|(name, value)| (name.clone(), as_text(value))).collect();
    let bytes = match &file.source {
        FileSource::Inline(bytes) => bytes.clone(),
        FileSource::Url(_) => bytes::Bytes::new(),
    };
    let part = Part { field: field.to_owned(), name: file.file_name(), mime: file.upload_type(), bytes };
    Call::upload(name, sender.url(name), Auth::None, form, part)
}

/// A message that says where the file is, below its caption.
fn told(sender: &TelegramSender, file: &File, fields: &Map<String, Value>) -> Call {
    let mut body = fields.clone();
    let caption = body.remove("caption").and_then(|caption| caption.as_str().map(str::to_owned));
    if let Some(entities) = body.remove("caption_entities") {
        body.insert("entities".to_owned(), entities);
    }
    let text = caption.into_iter().chain([file.in_words()]).collect::<Vec<_>>().join("\n");
    let text = split(&text, MOST_TEXT, units).into_iter().next().unwrap_or_default();
    body.insert("text".to_owned(), text.into());
    sender.call("sendMessage", Value::Object(body))
}
