//! Files of a message. Telegram tells ids: the bot asks `getFile` for a path, and fetches it with its token. The ids
//! are in an attachment's `content`.

use serde_json::{Map, Value};

use super::super::envelope::{Attachment, AttachmentKind};
use super::super::json;

/// The fields that hold a file, what it is, and its media type unless stated.
const FILES: &[(&str, AttachmentKind, Option<&str>)] = &[
    ("animation", AttachmentKind::Video, Some("video/mp4")),
    ("audio", AttachmentKind::Audio, None),
    ("document", AttachmentKind::File, None),
    ("sticker", AttachmentKind::Image, Some("image/webp")),
    ("video", AttachmentKind::Video, None),
    ("video_note", AttachmentKind::Video, Some("video/mp4")),
    ("voice", AttachmentKind::Audio, Some("audio/ogg")),
];

/// The files of a message: one of each field at most.
pub(super) fn of(message: &Value) -> Vec<Attachment> {
    let photo = photo(message).map(|photo| attachment(photo, AttachmentKind::Image, Some("image/jpeg")));
    // An animation comes as a document as well.
    let twice = |name: &str| name == "document" && json::at(message, &["animation"]).is_some();
    let files = FILES.iter().filter(|(name, _, _)| !twice(name)).filter_map(|(name, kind, mime)| {
        let file = json::at(message, &[name]).filter(|file| json::text(file, &["file_id"]).is_some())?;
        Some(match *name {
            "sticker" if json::is_true(file, &["is_animated"]) => {
                attachment(file, *kind, Some("application/x-tgsticker"))
            }
            "sticker" if json::is_true(file, &["is_video"]) => attachment(file, *kind, Some("video/webm")),
            _ => attachment(file, *kind, *mime),
        })
    });
    photo.into_iter().chain(files).collect()
}

/// The largest of the sizes that one image comes in.
fn photo(message: &Value) -> Option<&Value> {
    let side = |size: &Value, name| json::integer(size, &[name]).unwrap_or(0).clamp(0, 1 << 20);
    let sizes = json::list(message, &["photo"]).iter().filter(|size| json::text(size, &["file_id"]).is_some());
    sizes.max_by_key(|size| (side(size, "width") * side(size, "height"), json::integer(size, &["file_size"])))
}

fn attachment(file: &Value, kind: AttachmentKind, mime: Option<&str>) -> Attachment {
    let mime = json::text(file, &["mime_type"]).or(mime).map(str::to_owned);
    // A document is what its media type says; but a file that a user sends is no card.
    let kind = match (kind, mime.as_deref().map(AttachmentKind::of_mime)) {
        (AttachmentKind::File, Some(stated)) if stated != AttachmentKind::Card => stated,
        (kind, _) => kind,
    };
    let mut content = Map::new();
    json::copy(file, &["file_id", "file_unique_id", "duration", "width", "height"], &mut content);
    Attachment {
        kind,
        name: json::text(file, &["file_name"]).map(str::to_owned),
        mime,
        size: json::integer(file, &["file_size"]).and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        url: None,
        data_inline_b64: None,
        requires_auth: true,
        content: Some(Value::Object(content)),
    }
}
