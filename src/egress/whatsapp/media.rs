//! Files. Those at a URL are fetched by WhatsApp; those in the reply are uploaded, and then sent by their ids.

use serde_json::{Map, Value};

use super::super::message::{File, FileSource};
use super::super::sender::{Call, Part};
use super::super::text::split;
use super::markup::units;
use super::place::Place;
use super::reply::MOST_TEXT;

/// The longest URL that is passed on; longer ones are told.
const MOST_URL: usize = 2000;

/// The name of the request that uploads a file.
pub(super) const UPLOAD: &str = "uploadMedia";

/// The type of message that a file is sent as; none if it can only be told.
pub(super) fn kind(file: &File) -> Option<&'static str> {
    if let FileSource::Url(url) = &file.source {
        let parsed = url::Url::parse(url).ok().filter(|_| url.len() <= MOST_URL)?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return None;
        }
    }
    Some(match file.media_type().unwrap_or_default().as_str() {
        "image/jpeg" | "image/png" | "image/*" => "image",
        "video/mp4" | "video/3gpp" | "video/*" => "video",
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/m4a" | "audio/x-m4a" | "audio/ogg"
        | "audio/*" => "audio",
        _ => "document",
    })
}

/// Whether a text can stand below it.
pub(super) fn has_caption(kind: &str) -> bool {
    kind != "audio"
}

/// The request that sends a file; what WhatsApp does not take is told.
pub(super) fn call(place: &Place<'_>, kind: &str, file: &File, caption: Option<&str>) -> Call {
    let mut content = Map::new();
    if let Some(caption) = caption {
        content.insert("caption".to_owned(), caption.into());
    }
    if kind == "document" {
        content.insert("filename".to_owned(), file.file_name().into());
    }
    let told = caption.map(str::to_owned).into_iter().chain([file.in_words()]).collect::<Vec<_>>().join("\n");
    let told = place.text(&split(&told, MOST_TEXT, units).into_iter().next().unwrap_or_default());
    match &file.source {
        FileSource::Url(url) => {
            content.insert("link".to_owned(), url.as_str().into());
            place.message(kind, Value::Object(content)).or(told)
        }
        FileSource::Inline(bytes) => {
            let mime = file.upload_type();
            let fields = [("messaging_product", "whatsapp"), ("type", &mime)];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let part = Part { field: "file".to_owned(), name: file.file_name(), mime, bytes: bytes.clone() };
            let url = place.sender.url(&place.number, "media");
            let upload = Call::upload(UPLOAD, url, place.sender.auth(), fields, part);
            upload.then(place.message(kind, Value::Object(content)).or(told.clone())).or(told)
        }
    }
}

/// The message with an uploaded file.
pub(super) fn with_id(message: &Call, id: &str) -> Option<Call> {
    use super::super::sender::Body;
    let mut message = message.clone();
    let Body::Json(body) = &mut message.body else { return None };
    let kind = body.get("type")?.as_str()?.to_owned();
    body.get_mut(kind.as_str())?.as_object_mut()?.insert("id".to_owned(), id.into());
    Some(message)
}
