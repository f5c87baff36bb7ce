//! WhatsApp: the Cloud API's webhook.
//!
//! Meta signs every delivery with the app's secret (`X-Hub-Signature-256`, over the raw bytes; the older SHA-1 header is
//! not looked at), and asks once, by a GET with the verify token, whether the webhook is wanted. A delivery holds any
//! number of messages and receipts, of any number of numbers; every message is an envelope of its own, and repetitions
//! are recognised message by message.
//!
//! A message is shown under the sender's number, as promised: `{tenant}:whatsapp:{from}:{from}`. Two things make the
//! session that is stored another one. A tenant may have two numbers, which the same people write to: the session is
//! the number's, `{phone_number_id}` and sender. And people may hide their number: then there is no `from`, and
//! `user_id`, which a business sees of everybody, stands for it. The stored session is therefore the `user_id`'s
//! wherever it is told, so that a conversation goes on when somebody hides their number in the middle of it; it is the
//! number's where no `user_id` is told. A message that tells neither is ignored, and never shares a session with
//! another one. In a group the place is the group.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::adapter::{Adapter, AdapterRoute, Channel, Context, Intake, Request, Settings, json_object};
use super::channels::{PathVerification, Verification};
use super::gate::{self, Gate, hex_digest, only_header};
use super::verify;
use crate::egress::Sender;
use crate::error::{Code, Error, Result};
use crate::run::event::FlowChoice;

mod challenge;
mod content;
mod delivery;
mod message;
mod outlet;
mod sender;
#[cfg(test)]
mod tests;

pub use crate::egress::whatsapp::Address;

/// The provider's name in envelopes, session keys and bindings.
pub const PROVIDER: &str = "whatsapp";

/// The name of the secret that Meta asks with whether the webhook is wanted.
pub const VERIFY_TOKEN: &str = "WHATSAPP_VERIFY_TOKEN";

/// The name of the secret that deliveries are signed with.
pub const APP_SECRET: &str = "WHATSAPP_APP_SECRET";

/// The name of the account's token, which replies are sent with.
pub const ACCESS_TOKEN: &str = "WHATSAPP_ACCESS_TOKEN";

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

const ROUTE: AdapterRoute = AdapterRoute { path: "/whatsapp/webhook", methods: &["GET", "POST"] };

/// Meta repeats a delivery for up to seven days.
const REMEMBER: Duration = Duration::from_secs(8 * 24 * 3600);

/// The largest delivery that Meta sends.
const MAX_BODY: usize = 3 << 20;

/// The WhatsApp Cloud API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whatsapp;

impl Adapter for Whatsapp {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[ROUTE]
    }

    fn max_body(&self) -> Option<usize> {
        Some(MAX_BODY)
    }

    fn sends_with(&self) -> &'static [&'static str] {
        &[ACCESS_TOKEN]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let only = gate::texts(settings.config, "phone_number_id")?;
        let gate = |route, name, how| Gate::open(settings, route, name, how);
        Ok(Box::new(Numbers {
            challenges: gate("GET /whatsapp/webhook", VERIFY_TOKEN, "WhatsApp verify token")?,
            deliveries: gate("POST /whatsapp/webhook", APP_SECRET, "WhatsApp signature, HMAC-SHA256")?,
            flow: settings.flow.clone(),
            sender: outlet::sender(settings, &only)?,
            only,
        }))
    }
}

/// A tenant's numbers.
struct Numbers {
    challenges: Gate,
    deliveries: Gate,
    flow: FlowChoice,
    /// The numbers that the tenant answers for, by `phone_number_id`; all of them if none is stated. An app has one
    /// webhook for all of its numbers.
    only: Vec<String>,
    sender: Option<Arc<dyn Sender>>,
}

impl Channel for Numbers {
    fn verification(&self) -> Verification {
        self.deliveries.verification()
    }

    fn verification_by_path(&self) -> Vec<PathVerification> {
        let of = |methods: &'static [&'static str], gate: &Gate| PathVerification {
            path: ROUTE.path.to_owned(),
            methods,
            verification: gate.verification(),
            note: None,
        };
        vec![of(&["GET"], &self.challenges), of(&["POST"], &self.deliveries)]
    }

    fn verify(&self, _context: &Context, request: &Request<'_>) -> Result<()> {
        if request.method == "GET" {
            return challenge::verify(&self.challenges, request);
        }
        let Some(secrets) = self.deliveries.secrets()? else { return Ok(()) };
        let line = only_header(request.headers, SIGNATURE_HEADER)?;
        let digest = line
            .strip_prefix(b"sha256=")
            .ok_or_else(|| verify::refused(format!("the header {SIGNATURE_HEADER} does not begin with sha256=")))?;
        let digest = hex_digest(SIGNATURE_HEADER, digest)?;
        match verify::is_hmac_sha256(secrets, &[request.body], &digest) {
            true => Ok(()),
            false => Err(verify::refused(format!(
                "the WhatsApp signature is not valid for this body ({} bytes)",
                request.body.len()
            ))),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        if request.method == "GET" {
            return challenge::answer(request).map(Intake::Answer);
        }
        let body = json_object(request.body)?;
        if body.get("object").and_then(Value::as_str).is_none() {
            return Err(Error::new(Code::RequestInvalid, "the body is no delivery of Meta: it has no object"));
        }
        delivery::read(self, context, &request.metadata(), body)
    }

    fn sender(&self) -> Option<Arc<dyn Sender>> {
        self.sender.clone()
    }
}
