//! The forms in which files hold requests, and the tree of values that each stands for: samples are written as such
//! trees, and fuzzing changes them.

use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::recording::Recording;

const FORM: &str = "application/x-www-form-urlencoded";

/// How a file holds a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The body, which is JSON. The tree is the body.
    Json,
    /// The body, which is a form whose field `payload` is JSON. The tree is that JSON.
    Payload,
    /// The body, which is a form. The tree is an object of texts.
    Fields,
    /// The body, which is JSON; the platform's answer stands in a file beside it. The tree is `{event, fetched}`.
    Announced,
    /// `{method, path, headers, body}`. The tree is that.
    Described,
}

impl Form {
    /// The media type of the body, where the form says it.
    pub fn content_type(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Announced => Some("application/json"),
            Self::Payload | Self::Fields => Some(FORM),
            Self::Described => None,
        }
    }

    /// How the name of a file in this form ends, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Payload | Self::Fields => "form",
            Self::Json | Self::Announced | Self::Described => "json",
        }
    }

    /// The tree of a request; none if its body is not of this form.
    pub fn tree(self, recording: &Recording) -> Option<Value> {
        let fields = || form_urlencoded::parse(&recording.body).into_owned();
        match self {
            Self::Json => serde_json::from_slice(&recording.body).ok(),
            Self::Payload => {
                let payload = fields().find(|(name, _)| name == "payload")?.1;
                serde_json::from_str(&payload).ok()
            }
            Self::Fields => {
                let fields = fields().map(|(name, value)| (name, Value::String(value)));
                Some(Value::Object(fields.collect::<Map<_, _>>())).filter(|_| !recording.body.is_empty())
            }
            Self::Announced => {
                let event: Value = serde_json::from_slice(&recording.body).ok()?;
                let fetched = recording.fetched.as_deref().map(serde_json::from_slice::<Value>);
                let mut tree = json!({ "event": event });
                if let (Some(fetched), Some(tree)) = (fetched.transpose().ok()?, tree.as_object_mut()) {
                    tree.insert("fetched".into(), fetched);
                }
                Some(tree)
            }
            Self::Described => {
                let mut tree = recording.description();
                let mime = recording.headers.get(CONTENT_TYPE).and_then(|mime| mime.to_str().ok());
                let is_json = mime.is_some_and(|mime| mime.starts_with("application/json"));
                let body = serde_json::from_slice::<Value>(&recording.body).ok();
                // A text would be read as the body itself.
                let body = body.filter(|body| is_json && !body.is_string() && !body.is_null());
                if let (Some(body), Some(tree)) = (body, tree.as_object_mut()) {
                    tree.insert("body".into(), body);
                }
                Some(tree)
            }
        }
    }

    /// The request to `path` that a tree stands for; none if it stands for no request.
    pub fn recording(self, path: &str, tree: &Value) -> Option<Recording> {
        let post = |body: Vec<u8>| Recording::post(path, self.content_type(), body);
        let bytes = |value: &Value| value.to_string().into_bytes();
        Some(match self {
            Self::Json => post(bytes(tree)),
            Self::Payload => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                post(form.append_pair("payload", &tree.to_string()).finish().into_bytes())
            }
            Self::Fields => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in tree.as_object()? {
                    form.append_pair(name, &text(value));
                }
                post(form.finish().into_bytes())
            }
            Self::Announced => Recording { fetched: tree.get("fetched").map(bytes), ..post(bytes(tree.get("event")?)) },
            Self::Described => Recording::of_description(tree).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_what_its_request_holds() {
        let payload = json!({"type": "x", "text": "a&b=ä"});
        for (form, tree) in [
            (Form::Json, payload.clone()),
            (Form::Payload, payload.clone()),
            (Form::Fields, payload.clone()),
            (Form::Announced, json!({"event": payload, "fetched": {"id": 1}})),
            (Form::Announced, json!({"event": payload})),
            (
                Form::Described,
                json!({"method": "POST", "path": "/webhook/f", "headers": {"content-type": "application/json"}, "body": payload}),
            ),
            (
                Form::Described,
                json!({"method": "GET", "path": "/webhook/f?a=1", "headers": {"content-type": "text/plain"}, "body": "hi"}),
            ),
        ] {
            let recording = form.recording("/x", &tree).unwrap();
            assert_eq!(form.tree(&recording), Some(tree), "{form:?}");
        }
        let nothing = Recording::post("/x", None, b"{".to_vec());
        for form in [Form::Json, Form::Payload, Form::Announced] {
            assert_eq!(form.tree(&nothing), None);
        }
    }
}
