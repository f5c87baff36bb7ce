//! The routes of all adapters: verify, normalize, store, acknowledge.
//!
//! A request is acknowledged when everything that it stands for is stored. If something of it cannot be stored now, it
//! is answered with 503 and sent again by the platform; what was stored of it already is recognised then.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use serde_json::Value;
use uuid::Uuid;

use super::answer::Problem;
use super::backend::{Fits, Submitted};
use super::correlation::{Correlation, Peer};
use super::tenant::Tenant;
use super::{App, body, webhook};
use crate::error::{Code, Error, Kind, Result};
use crate::id::Id;
use crate::ingress::adapter::{AdapterRoute, Inbound, Pending, Respond, dedupe_key};
use crate::ingress::channels::off;
use crate::ingress::{self, Channel, Context, Intake};
use crate::run::event::{Event, FlowChoice, ReplyTo};
use crate::session::SessionKey;

mod respond;

/// Serves a route of the adapter at `place` among the host's adapters.
pub(super) fn serve(place: usize, route: &'static AdapterRoute) -> MethodRouter<Arc<App>> {
    let handler = move |State(app): State<Arc<App>>,
                        tenant: Tenant,
                        Extension(correlation): Extension<Correlation>,
                        Extension(peer): Extension<Peer>,
                        request: Request| async move {
        let Some(channel) = tenant.channels.of_adapter(place).cloned() else {
            return Err(Problem(off(route.path)));
        };
        let provider = app.adapters.get(place).map_or("", |adapter| adapter.provider());
        let most = app.adapters.get(place).and_then(|adapter| adapter.max_body());
        let door = Door { app, channel, tenant: tenant.id, provider, correlation: correlation.0 };
        door.receive(peer, request, most).await
    };
    if route.methods.contains(&"*") {
        return any(handler);
    }
    let filters = route.methods.iter().filter_map(|method| filter(method));
    match filters.reduce(MethodFilter::or) {
        Some(filter) => on(filter, handler),
        None => MethodRouter::new(),
    }
}

fn filter(method: &str) -> Option<MethodFilter> {
    Some(match method {
        "GET" => MethodFilter::GET,
        "PUT" => MethodFilter::PUT,
        "POST" => MethodFilter::POST,
        "DELETE" => MethodFilter::DELETE,
        "OPTIONS" => MethodFilter::OPTIONS,
        "HEAD" => MethodFilter::HEAD,
        "PATCH" => MethodFilter::PATCH,
        "TRACE" => MethodFilter::TRACE,
        _ => return None,
    })
}

/// A channel of a tenant, and a request at it.
struct Door {
    app: Arc<App>,
    channel: Arc<dyn Channel>,
    tenant: Id,
    provider: &'static str,
    correlation: Arc<str>,
}

impl Door {
    async fn receive(self, Peer(peer): Peer, request: Request, most: Option<usize>) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let mut limits = self.app.options.limits.clone();
        limits.max_body = limits.max_body.max(most.unwrap_or(0));
        let body = body::read(&parts.headers, body, &limits).await?;
        let mut context =
            Context { tenant: self.tenant.clone(), now: self.app.clock.now(), nonce: Uuid::now_v7(), keys: None };
        let request = ingress::Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            body: &body,
            peer: Some(self.app.proxies.client(peer.ip(), &parts.headers)),
        };
        if let Err(error) = self.verify(&mut context, &request).await {
            self.app.tally.refused(self.provider, error.code());
            return Err(error.into());
        }
        match self.channel.normalize(&context, &request)? {
            Intake::Messages(messages) => self.take(messages).await,
            Intake::Fetch(pending) => self.take_pending(&pending).await,
            Intake::Answer(answer) => Ok(respond::plain(answer)),
            Intake::Ignored(why) => {
                self.ignore(why);
                Ok(respond::plain(self.channel.ignored_request(&context, &request)))
            }
        }
    }

    /// Verifies a request. Keys of the platform that are missing are fetched, within bounds, and it is verified again.
    async fn verify(&self, context: &mut Context, request: &ingress::Request<'_>) -> Result<()> {
        let source = self.channel.key_source();
        if let Some(url) = source {
            context.keys = self.app.keys.known(url)?;
        }
        match (self.channel.verify(context, request), source) {
            (Err(error), Some(url)) if error.code() == Code::KeysWanted => {
                context.keys = Some(self.app.keys.renewed(url).await?);
                self.channel.verify(context, request).map_err(|error| match error.code() {
                    // All keys that the platform publishes are known.
                    Code::KeysWanted => Error::new(Code::Unauthenticated, error.message()),
                    _ => error,
                })
            }
            (verdict, _) => verdict,
        }
    }

    fn ignore(&self, why: &'static str) {
        self.app.tally.ignored(self.provider, why);
        let (tenant, provider, correlation_id) = (&self.tenant, self.provider, &self.correlation);
        tracing::debug!(%tenant, provider, %correlation_id, why, "acknowledged and dropped");
    }

    /// Stores all messages, then answers as they want.
    async fn take(self, messages: Vec<Inbound>) -> Result<Response, Problem> {
        let mut answer = None;
        for inbound in messages {
            let (respond, request) = (inbound.respond.clone(), inbound.envelope.raw.clone());
            let mut event = inbound.into_event(self.correlation.to_string())?;
            if let (Respond::Sync { .. }, ReplyTo::Route(route)) = (&respond, &event.reply_to) {
                event.reply_to = ReplyTo::CallerFirst(route.clone());
            }
            let submitted = match respond {
                Respond::Outcome { once: Some(fingerprint) } => {
                    webhook::submit_once(&*self.app.backend, event, fingerprint).await
                }
                _ => self.submit(event, &request).await,
            };
            let taken = Taken { submitted: submitted?, request, respond };
            if !taken.submitted.duplicate {
                self.app.courier.noticed(&self.tenant, self.provider, &taken.request);
            }
            // The first that wants more than an acknowledgement has it; there is one answer.
            let wants_more = !matches!(taken.respond, Respond::Ack(_));
            if answer.as_ref().is_none_or(|first: &Taken| wants_more && matches!(first.respond, Respond::Ack(_))) {
                answer = Some(taken);
            }
        }
        match answer {
            Some(taken) => respond::with(&self.app, &*self.channel, taken).await,
            None => Ok(respond::plain(self.channel.ignored())),
        }
    }

    async fn submit(&self, event: Event, request: &Value) -> Result<Submitted> {
        let fits: Fits = {
            let (channel, request) = (Arc::clone(&self.channel), request.clone());
            Arc::new(move |replies| channel.respond(&request, replies).is_some())
        };
        let submitted = self.app.backend.submit_for(event, fits).await;
        if let Err(error) = &submitted
            && error.code().kind() != Kind::Unavailable
        {
            tracing::warn!(tenant = %self.tenant, provider = self.provider, "a message cannot be accepted: {error}");
        }
        submitted
    }

    /// Stores what was announced. It is asked for afterwards.
    async fn take_pending(self, pending: &Pending) -> Result<Response, Problem> {
        let scoped = |key: &String| dedupe_key([&*self.tenant, self.provider, "announced", key]);
        let event = Event {
            tenant: self.tenant.clone(),
            pack: None,
            flow: FlowChoice::Completion,
            session: SessionKey::completions(&self.tenant, self.provider, &pending.order),
            user: None,
            provider: Some(Id::from(self.provider)),
            dedupe: pending.dedupe.iter().map(scoped).collect(),
            remember: None,
            input: serde_json::to_value(pending)
                .map_err(|e| Error::new(Code::Internal, format!("an announcement is not JSON: {e}")))?,
            reply_to: ReplyTo::Caller,
            correlation_id: self.correlation.to_string(),
        };
        self.app.backend.submit(event).await?;
        Ok(respond::plain(self.channel.ignored()))
    }
}

/// A message that is stored, and how its request is answered.
struct Taken {
    submitted: Submitted,
    /// The platform's own payload.
    request: Value,
    respond: Respond,
}
