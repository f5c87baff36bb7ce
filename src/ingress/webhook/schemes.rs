//! How requests for single flows are verified: the schemes that bindings give to them.
//!
//! Once a binding states any scheme, a flow without one is off. What is off and what does not exist is refused like a
//! request that is not genuine, so that nobody learns from the outside which flows there are.

use std::collections::BTreeMap;

use self::hmac::Hmac;
use super::PREFIX;
use crate::config::{WebhookScheme, WebhookSettings};
use crate::error::{Code, Error, Result};
use crate::id::{self, clip};
use crate::ingress::adapter::{Context, Request, Settings};
use crate::ingress::channels::{PathVerification, Verification};
use crate::ingress::gate;
use crate::ingress::verify::refused;
use crate::secret::Secret;
use bearer::Bearer;
use standard::StandardWebhooks;

mod bearer;
mod hmac;
mod standard;
#[cfg(test)]
mod tests;

/// How the requests of a tenant's webhooks are verified.
#[derive(Clone, Debug, Default)]
pub struct Schemes {
    flows: BTreeMap<String, Door>,
    rest: Option<Door>,
}

/// How the requests for a flow are verified.
#[derive(Clone, Debug)]
pub(super) struct Door {
    lock: Lock,
    /// The name of the secret; empty where there is none.
    caller: String,
    /// Whether `webhook-id` names what is delivered.
    pub(super) has_ids: bool,
}

#[derive(Clone, Debug)]
enum Lock {
    /// Nobody gets in: the secret is not there.
    Shut,
    /// Everybody does: because of the scheme, or for want of a secret by `insecure: true`.
    Open(Verification),
    Bearer(Bearer),
    Hmac(Box<Hmac>),
    Standard(StandardWebhooks),
}

impl Schemes {
    /// Sets up the schemes that the settings of a channel state.
    pub(super) fn open(settings: &Settings<'_>, stated: &WebhookSettings) -> Result<Self> {
        let insecure = gate::flag(settings.config, "insecure")?.unwrap_or(false);
        let open = |place: &str, scheme: &WebhookScheme| {
            Door::open(settings, scheme, insecure).map_err(|error| error.about(format_args!("config.{place}")))
        };
        let mut flows = BTreeMap::new();
        for (flow, scheme) in &stated.schemes {
            if !id::is_valid(flow) {
                return Err(Error::new(
                    Code::ChannelInvalid,
                    format!("config.schemes: {:?} is no flow id", clip(flow)),
                )
                .hint("use ASCII letters, digits, '.', '-' and '_'"));
            }
            flows.insert(flow.clone(), open(&format!("schemes.{flow}"), scheme)?);
        }
        let rest = stated.default_scheme.as_ref().map(|scheme| open("default_scheme", scheme)).transpose()?;
        Ok(Self { flows, rest })
    }

    /// Whether there are none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty() && self.rest.is_none()
    }

    /// The way in to a flow.
    pub(super) fn door(&self, flow: &str) -> Option<&Door> {
        self.flows.get(flow).or(self.rest.as_ref())
    }

    /// Whether a request for `flow` is genuine.
    pub(super) fn verify(&self, flow: &str, context: &Context, request: &Request<'_>) -> Result<()> {
        if !id::is_valid(flow) {
            return Err(refused("the path names no flow"));
        }
        match self.door(flow) {
            Some(door) => door.verify(context, request).map_err(|error| error.about(format_args!("flow {flow}"))),
            None => Err(refused(format!("flow {flow} has no scheme, and there is no default_scheme"))),
        }
    }

    /// How requests for flows without a scheme of their own are verified.
    pub(super) fn of_the_rest(&self) -> Verification {
        self.rest.as_ref().map_or(Verification::Off, Door::verification)
    }

    /// A line for each, for the report.
    pub(super) fn report(&self) -> Vec<PathVerification> {
        let flows = self.flows.iter().map(|(flow, door)| door.reported(format!("{PREFIX}{flow}")));
        let rest = format!("{PREFIX}{{flow_id}}");
        let rest = match &self.rest {
            Some(door) => door.reported(rest),
            None => PathVerification { path: rest, methods: &[], verification: Verification::Off, note: None },
        };
        flows.chain([rest]).collect()
    }
}

impl Door {
    fn open(settings: &Settings<'_>, scheme: &WebhookScheme, insecure: bool) -> Result<Self> {
        let name = match scheme {
            WebhookScheme::None {} => return Ok(Self::of(Lock::Open(Verification::PathPolicy), "")),
            WebhookScheme::Bearer { secret, .. }
            | WebhookScheme::Hmac { secret, .. }
            | WebhookScheme::StandardWebhooks { secret } => secret,
        };
        // Whoever knows that a secret is empty could sign with it.
        let secrets = settings.secrets.get(name).into_iter().filter(|secret| !secret.expose().is_empty());
        let secrets: Vec<Secret> = secrets.collect();
        let is_there = !secrets.is_empty();
        let (lock, has_ids) = match scheme {
            WebhookScheme::Bearer { header, .. } => (Lock::Bearer(Bearer::open(header.as_deref(), secrets)?), false),
            WebhookScheme::Hmac { .. } => (Lock::Hmac(Box::new(Hmac::open(scheme, secrets)?)), false),
            WebhookScheme::StandardWebhooks { .. } => (Lock::Standard(StandardWebhooks::open(name, &secrets)?), true),
            WebhookScheme::None {} => (Lock::Shut, false),
        };
        let lock = match (is_there, insecure) {
            (true, _) => lock,
            (false, true) => Lock::Open(Verification::Insecure),
            (false, false) => Lock::Shut,
        };
        Ok(Self { has_ids, ..Self::of(lock, name) })
    }

    fn of(lock: Lock, caller: &str) -> Self {
        Self { lock, caller: caller.to_owned(), has_ids: false }
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        match &self.lock {
            Lock::Shut => Err(refused(format!("it is off: there is no secret {}", self.caller))),
            Lock::Open(_) => Ok(()),
            Lock::Bearer(bearer) => bearer.verify(request.headers),
            Lock::Hmac(hmac) => hmac.verify(context.now, request.headers, request.body),
            Lock::Standard(standard) => standard.verify(context.now, request.headers, request.body),
        }
    }

    /// Who called, as far as requests tell: the name of the secret that they are verified by.
    pub(super) fn caller(&self) -> &str {
        match &self.lock {
            Lock::Shut | Lock::Open(_) => "",
            Lock::Bearer(_) | Lock::Hmac(_) | Lock::Standard(_) => &self.caller,
        }
    }

    /// The header that verifies requests, which nobody is to see.
    pub(super) fn withheld(&self) -> Option<&str> {
        match &self.lock {
            Lock::Bearer(bearer) => bearer.header(),
            Lock::Hmac(hmac) => Some(hmac.header()),
            Lock::Shut | Lock::Open(_) | Lock::Standard(_) => None,
        }
    }

    fn verification(&self) -> Verification {
        match &self.lock {
            Lock::Shut => Verification::Off,
            Lock::Open(verification) => *verification,
            Lock::Bearer(_) => Verification::By("bearer token"),
            Lock::Hmac(hmac) => Verification::By(hmac.described()),
            Lock::Standard(_) => Verification::By("Standard Webhooks"),
        }
    }

    fn reported(&self, path: String) -> PathVerification {
        let verification = self.verification();
        let is_missing = matches!(verification, Verification::Off | Verification::Insecure);
        let note = is_missing.then(|| format!("there is no secret {}", self.caller));
        PathVerification { path, methods: &[], verification, note }
    }
}

/// A header's name in the settings.
fn header_name(setting: &str, name: &str) -> Result<http::HeaderName> {
    http::HeaderName::try_from(name).map_err(|_| {
        Error::new(Code::ChannelInvalid, format!("{setting} is {:?}, which is no name of a header", clip(name)))
            .hint("name it as the sender does, such as X-Hub-Signature-256")
    })
}
