//! The generic webhook: any request of any sender, for a flow that the path names.
//!
//! The envelope's `raw` holds the request: `{method, path, query, headers, body_kind, body}`. `body_kind` says what
//! `body` is: `none` (null), `json` (the value), `form` (an object), `text` (`{"text": …}`) or `base64`
//! (`{"base64": …}`).

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{KeyRequired, WebhookPolicy, WebhookSettings};
use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::ingress::adapter::{
    Adapter, AdapterRoute, Channel, Context, Inbound, Intake, Request, Respond, Settings, dedupe_key,
};
use crate::ingress::channels::{PathVerification, Verification};
use crate::ingress::envelope::{Entities, IngressEnvelope, Metadata, ProviderIds, Session};
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::{SessionKey, reply_route};

use body::{Body, pairs};
pub use schemes::Schemes;

pub mod answer;
mod body;
mod idempotency;
mod schemes;

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
        let stated = WebhookSettings::of(settings.config)?;
        let schemes = Schemes::open(settings, &stated)?;
        let require_key = stated.require_idempotency_key;
        Ok(Box::new(WebhookChannel { verification: Verification::PathPolicy, policy, schemes, require_key }))
    }
}

/// The generic webhook of a tenant.
#[derive(Clone, Debug, Default)]
pub struct WebhookChannel {
    /// How its requests are verified if there are no schemes.
    pub verification: Verification,
    /// Which paths it serves.
    pub policy: WebhookPolicy,
    /// How the requests for single flows are verified.
    pub schemes: Schemes,
    /// Whose requests need an `Idempotency-Key`.
    pub require_key: KeyRequired,
}

impl Channel for WebhookChannel {
    fn verification(&self) -> Verification {
        if self.schemes.is_empty() { self.verification } else { self.schemes.of_the_rest() }
    }

    fn verification_by_path(&self) -> Vec<PathVerification> {
        if self.schemes.is_empty() { Vec::new() } else { self.schemes.report() }
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        self.admit(context, &flow_of(request.path), request)
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        self.read(context, &flow_of(request.path), request).map(Intake::message)
    }
}

/// Whether a path names a flow, which may not exist.
pub(crate) fn is_of_flow(path: &str) -> bool {
    id::is_valid(&flow_of(path))
}

/// The flow that a path names.
fn flow_of(path: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(path.strip_prefix(PREFIX).unwrap_or_default()).decode_utf8_lossy()
}

/// Verifies and normalizes one request for `flow`.
///
/// With an `Idempotency-Key` the key recognises repetitions and names the session, and the flow's result is stored, so
/// that a repetition gets it too. Without one every request has a session of its own.
pub fn receive(channel: &WebhookChannel, context: &Context, flow: &str, request: &Request<'_>) -> Result<Inbound> {
    channel.admit(context, flow, request)?;
    channel.read(context, flow, request)
}

impl WebhookChannel {
    fn admit(&self, context: &Context, flow: &str, request: &Request<'_>) -> Result<()> {
        if self.schemes.is_empty() {
            self.verification.require("/webhook")?;
            if !id::is_valid(flow) {
                return Err(Error::new(Code::FlowUnknown, "the path names no flow"));
            }
        }
        if !self.policy.allows(&format!("{PREFIX}{flow}")) {
            return Err(Error::new(Code::RequestDenied, "the tenant's webhook policy does not allow this path"));
        }
        if self.schemes.is_empty() { Ok(()) } else { self.schemes.verify(flow, context, request) }
    }

    /// What recognises a request and its repetitions, for those who call the flow.
    fn key(&self, flow: &str, request: &Request<'_>) -> Result<Option<String>> {
        let named = match self.schemes.door(flow) {
            Some(door) if door.has_ids => idempotency::delivery(request.headers)?,
            _ => None,
        };
        let key = named.map_or_else(|| idempotency::key(request.headers), |id| Ok(Some(id)))?;
        let changes_nothing = matches!(request.method, "GET" | "HEAD" | "OPTIONS");
        if key.is_none() && !changes_nothing && self.require_key.of(flow) {
            return Err(idempotency::missing());
        }
        Ok(key)
    }

    /// A key is its caller's, and its flow's.
    fn dedupe_key(&self, flow: &str, key: &str) -> String {
        match self.schemes.door(flow).map_or("", |door| door.caller()) {
            "" => dedupe_key([flow, key]),
            caller => dedupe_key([flow, caller, key]),
        }
    }

    fn metadata(&self, flow: &str, request: &Request<'_>) -> Metadata {
        let mut metadata = request.metadata();
        if let Some(name) = self.schemes.door(flow).and_then(|door| door.withheld()) {
            metadata.raw_headers.shift_remove(name);
        }
        metadata
    }

    fn read(&self, context: &Context, flow: &str, request: &Request<'_>) -> Result<Inbound> {
        let path = format!("{PREFIX}{flow}");
        let key = self.key(flow, request)?;
        let nonce = context.nonce.to_string();
        let session = SessionKey::canonical(&context.tenant, PROVIDER, flow, key.as_deref().unwrap_or(&nonce));
        let metadata = self.metadata(flow, request);
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
            dedupe: key.iter().map(|key| self.dedupe_key(flow, key)).collect(),
            remember: REMEMBER,
            respond: Respond::Outcome { once: key.is_some().then(|| idempotency::fingerprint(&path, request)) },
            session,
        })
    }
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

#[cfg(test)]
mod tests;
