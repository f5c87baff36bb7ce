//! The generic webhook: any request of any sender, for a flow that the path names.
//!
//! The envelope's `raw` holds the request: `{method, path, query, headers, body_kind, body}`. `body_kind` says what
//! `body` is: `none` (null), `json` (the value), `form` (an object), `text` (`{"text": …}`) or `base64`
//! (`{"base64": …}`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::config::WebhookPolicy;
use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::ingress::adapter::{
    Adapter, AdapterRoute, Channel, Context, Inbound, Intake, Request, Respond, Settings, dedupe_key,
};
use crate::ingress::channels::Verification;
use crate::ingress::envelope::{Entities, IngressEnvelope, Metadata, ProviderIds, Session};
use crate::ingress::json;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::{SessionKey, reply_route};

pub mod answer;
mod idempotency;

/// The provider's name in envelopes and session keys.
pub const PROVIDER: &str = "webhook";

/// How long an `Idempotency-Key` is remembered.
pub const REMEMBER: Duration = Duration::from_secs(24 * 3600);

/// The path, in front of the flow's id.
const PREFIX: &str = "/webhook/";

/// The generic webhook, as `adapter: webhook` (or `generic`, or any other name for a binding of the type `webhook`).
#[derive(Clone, Copy, Debug)]
pub struct Webhook;

impl Adapter for Webhook {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[AdapterRoute { path: "/webhook/{flow_id}", methods: &["*"] }]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let policy = WebhookPolicy::of(settings.config)?;
        Ok(Box::new(WebhookChannel { verification: Verification::PathPolicy, policy }))
    }
}

/// The generic webhook of a tenant.
#[derive(Clone, Debug, Default)]
pub struct WebhookChannel {
    /// How its requests are verified.
    pub verification: Verification,
    /// Which paths it serves.
    pub policy: WebhookPolicy,
}

impl Channel for WebhookChannel {
    fn verification(&self) -> Verification {
        self.verification
    }

    fn verify(&self, _: &Context, _: &Request<'_>) -> Result<()> {
        self.verification.require("/webhook")
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        let flow = request.path.strip_prefix(PREFIX).unwrap_or_default();
        let flow = percent_encoding::percent_decode_str(flow).decode_utf8_lossy();
        receive(self, context, &flow, request).map(Intake::message)
    }
}

/// Verifies and normalizes one request for `flow`.
///
/// With an `Idempotency-Key` the key recognises repetitions and names the session, and the flow's result is stored, so
/// that a repetition gets it too. Without one every request has a session of its own.
pub fn receive(channel: &WebhookChannel, context: &Context, flow: &str, request: &Request<'_>) -> Result<Inbound> {
    channel.verification.require("/webhook")?;
    if !id::is_valid(flow) {
        return Err(Error::new(Code::FlowUnknown, "the path names no flow"));
    }
    let path = format!("/webhook/{flow}");
    if !channel.policy.allows(&path) {
        return Err(Error::new(Code::RequestDenied, "the tenant's webhook policy does not allow this path"));
    }
    let key = idempotency::key(request.headers)?;
    let nonce = context.nonce.to_string();
    let session = SessionKey::canonical(&context.tenant, PROVIDER, flow, key.as_deref().unwrap_or(&nonce));
    let metadata = request.metadata();
    let body = Body::read(request.headers, request.body)?;
    let envelope = IngressEnvelope {
        tenant: context.tenant.to_string(),
        provider: PROVIDER.into(),
        provider_ids: ProviderIds { event_id: key.clone(), ..ProviderIds::default() },
        session: Session { key: session.shown().to_string(), scopes: vec!["http".into()] },
        timestamp: context.received(),
        locale: None,
        text: body.text().map(str::to_owned),
        attachments: Vec::new(),
        buttons: Vec::new(),
        entities: Entities::default(),
        channel_data: json!({"type": "webhook", "flow_id": flow, "method": request.method}),
        raw: raw(request, &path, &metadata, body),
        metadata,
    };
    Ok(Inbound {
        envelope,
        flow: FlowChoice::Id(Id::from(flow)),
        reply_to: match &key {
            Some(_) => ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &session.stored())),
            None => ReplyTo::Caller,
        },
        dedupe: key.map(|key| dedupe_key([flow, &key])).into_iter().collect(),
        remember: REMEMBER,
        respond: Respond::Outcome,
        session,
    })
}

fn raw(request: &Request<'_>, path: &str, metadata: &Metadata, body: Body) -> Value {
    let kind = body.kind();
    json!({
        "method": request.method,
        "path": path,
        "query": pairs(request.query.unwrap_or_default().as_bytes()),
        "headers": metadata.raw_headers,
        "body_kind": kind,
        "body": body.into_value(),
    })
}

/// A request's body by what it holds.
enum Body {
    None,
    Json(Value),
    Form(Value),
    Text(String),
    Bytes(String),
}

impl Body {
    fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::None);
        }
        let mime = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if mime == "application/json" || mime.ends_with("+json") {
            return match json::parse(bytes) {
                Ok(value) => Ok(Self::Json(value)),
                Err(e) => Err(Error::new(
                    Code::RequestInvalid,
                    format!("the body is called {mime} but cannot be read as JSON: {e}"),
                )),
            };
        }
        Ok(match std::str::from_utf8(bytes) {
            Ok(_) if mime == "application/x-www-form-urlencoded" => Self::Form(pairs(bytes)),
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Bytes(STANDARD.encode(bytes)),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Json(_) => "json",
            Self::Form(_) => "form",
            Self::Text(_) => "text",
            Self::Bytes(_) => "base64",
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::None | Self::Json(_) | Self::Form(_) | Self::Bytes(_) => None,
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Json(value) | Self::Form(value) => value,
            Self::Text(text) => json!({ "text": text }),
            Self::Bytes(base64) => json!({ "base64": base64 }),
        }
    }
}

/// Form or query pairs as an object; a name that comes more than once holds a list.
fn pairs(encoded: &[u8]) -> Value {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        let value = Value::String(value.into_owned());
        match object.entry(name.into_owned()) {
            serde_json::map::Entry::Vacant(entry) => {
                entry.insert(value);
            }
            serde_json::map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::Array(values) => values.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
