//! Activities with files: `multipart/form-data` with an activity and a part per file, as the published client sends it.
//! The files become the activity's attachments, as `data:` URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{FutureExt as _, stream};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::ingress::adapter::{Request, json_object};
use crate::ingress::envelope::MOST;

/// The media type of the part that is the activity.
const ACTIVITY: &str = "application/vnd.microsoft.activity";

/// The longest name and media type of a file that are kept, in bytes.
const MAX_NAME: usize = 255;

/// A file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    name: Option<String>,
    mime: String,
    content: Bytes,
}

/// The activity and the files of a request. Without an activity it is a message of the user that the query names.
pub(super) fn read(request: &Request<'_>) -> Result<(Value, Vec<File>)> {
    let boundary = boundary(request.headers)?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(Bytes::copy_from_slice(request.body))]);
    let limit = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(limit));
    let parts = parts(Multipart::with_constraints(whole, boundary, limits));
    // All of it is there, so that nothing is waited for.
    let parts = parts.now_or_never().unwrap_or_else(|| Err(invalid("the parts are not complete")))?;
    let mut activity = None;
    let mut files = Vec::new();
    for part in parts {
        match part.is_activity {
            true if activity.is_some() => return Err(invalid("there are several activities")),
            true => activity = Some(json_object(&part.file.content)?),
            false => files.push(part.file),
        }
    }
    let activity = activity.unwrap_or_else(|| match user_of(request.query) {
        Some(user) => json!({"type": "message", "from": {"id": user}}),
        None => json!({"type": "message"}),
    });
    Ok((activity, files))
}

/// An activity with files among its attachments: each takes the place of the one that has its name and no content.
pub(super) fn with_files(activity: &Value, files: Vec<File>) -> Value {
    let mut activity = activity.clone();
    let Some(fields) = activity.as_object_mut().filter(|_| !files.is_empty()) else { return activity };
    let mut attachments = match fields.remove("attachments") {
        Some(Value::Array(attachments)) => attachments,
        _ => Vec::new(),
    };
    for file in files {
        let url = format!("data:{};base64,{}", file.mime, STANDARD.encode(&file.content));
        let own = json!({"contentType": file.mime, "contentUrl": url, "name": file.name});
        let is_its = |found: &&mut Value| {
            let empty = found.get("contentUrl").is_none() && found.get("content").is_none();
            empty && found.is_object() && found.get("name").and_then(Value::as_str) == file.name.as_deref()
        };
        match (attachments.iter_mut().find(is_its), own) {
            (Some(Value::Object(place)), Value::Object(own)) => place.extend(own),
            (_, own) => attachments.push(own),
        }
    }
    fields.insert("attachments".to_owned(), Value::Array(attachments));
    activity
}

fn boundary(headers: &HeaderMap) -> Result<String> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(content_type)
        .map_err(|_| Error::new(Code::MediaType, "files are sent as multipart/form-data with a boundary"))
}

struct Part {
    is_activity: bool,
    file: File,
}

async fn parts(mut multipart: Multipart<'_>) -> Result<Vec<Part>> {
    let unread = |e: multer::Error| invalid(&format!("the parts cannot be read: {}", clip(&e.to_string())));
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(unread)? {
        if parts.len() > MOST {
            return Err(invalid(&format!("there are more than {MOST} files")));
        }
        let mime = field.content_type().map(|mime| mime.essence_str().to_owned()).filter(|mime| mime.len() <= MAX_NAME);
        let is_name = |name: &&str| !name.is_empty() && name.len() <= MAX_NAME && !name.contains(char::is_control);
        let name = field.file_name().filter(is_name).map(str::to_owned);
        let is_activity = mime.as_deref() == Some(ACTIVITY);
        let content = field.bytes().await.map_err(unread)?;
        let mime = mime.unwrap_or_else(|| "application/octet-stream".to_owned());
        parts.push(Part { is_activity, file: File { name, mime, content } });
    }
    Ok(parts)
}

fn user_of(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(name, _)| name == "userId").map(|(_, value)| value.into_owned())
}

fn invalid(what: &str) -> Error {
    Error::new(Code::RequestInvalid, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::testing::{headers, post};

    fn read_as(content_type: &str, query: Option<&str>, body: &[u8]) -> Result<(Value, Vec<File>)> {
        let headers = headers(&[("content-type", content_type)]);
        read(&Request { query, ..post(&headers, body) })
    }

    fn part(name: &str, mime: &str, content: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {mime}\r\n\r\n{content}\r\n")
    }

    const MULTIPART: &str = "multipart/form-data; boundary=b";

    #[test]
    fn files_become_attachments_in_their_places() {
        let activity = r#"{"type":"message","text":"see","attachments":[{"contentType":"image/png","name":"a.png","thumbnailUrl":"x"},{"contentType":"application/vnd.microsoft.card.hero","content":{}}]}"#;
        let body = [
            part("name=\"activity\"; filename=\"blob\"", ACTIVITY, activity),
            part("name=\"file\"; filename=\"b.txt\"", "text/plain; charset=utf-8", "hello"),
            part("name=\"file\"; filename=\"a.png\"", "image/png", "png"),
            "--b--\r\n".to_owned(),
        ]
        .concat();
        let (raw, files) = read_as(MULTIPART, None, body.as_bytes()).unwrap();
        assert_eq!(raw["attachments"][0].get("contentUrl"), None);
        let shown = with_files(&raw, files);
        assert_eq!(
            shown["attachments"],
            json!([
                {"contentType": "image/png", "name": "a.png", "thumbnailUrl": "x", "contentUrl": "data:image/png;base64,cG5n"},
                {"contentType": "application/vnd.microsoft.card.hero", "content": {}},
                {"contentType": "text/plain", "contentUrl": "data:text/plain;base64,aGVsbG8=", "name": "b.txt"},
            ])
        );
        assert_eq!(with_files(&raw, Vec::new()), raw);
    }

    #[test]
    fn without_an_activity_it_is_a_message_of_the_user_in_the_query() {
        let body = part("name=\"file\"; filename=\"a\"", "text/plain", "x") + "--b--";
        let (raw, files) = read_as(MULTIPART, Some("userId=a%20b"), body.as_bytes()).unwrap();
        assert_eq!((raw, files.len()), (json!({"type": "message", "from": {"id": "a b"}}), 1));
        assert_eq!(read_as(MULTIPART, None, body.as_bytes()).unwrap().0, json!({"type": "message"}));
    }

    #[test]
    fn what_is_no_upload_is_refused() {
        let twice = part("name=\"a\"", ACTIVITY, "{}").repeat(2) + "--b--";
        let many = part("name=\"f\"", "text/plain", "x").repeat(MOST + 2) + "--b--";
        let list = part("name=\"a\"", ACTIVITY, "[]") + "--b--";
        for (content_type, body, code) in [
            ("application/json", "{}", Code::MediaType),
            ("multipart/form-data", "--b--", Code::MediaType),
            ("", "", Code::MediaType),
            (MULTIPART, "", Code::RequestInvalid),
            (MULTIPART, "--b\r\nno header", Code::RequestInvalid),
            (MULTIPART, "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nno end", Code::RequestInvalid),
            (MULTIPART, &twice, Code::RequestInvalid),
            (MULTIPART, &many, Code::RequestInvalid),
            (MULTIPART, &list, Code::RequestInvalid),
        ] {
            assert_eq!(read_as(content_type, None, body.as_bytes()).unwrap_err().code(), code, "{body:.60}");
        }
    }
}
