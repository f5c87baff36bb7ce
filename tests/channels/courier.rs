//! A platform of the tests' own: it sends what a test wants, signed with a shared secret or with a key by name.

use std::time::Duration;

use greentic_runner_host::ingress::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Completion, Context, Inbound, Intake, Pending, Request, Respond, Settings,
    Source, json_object,
};
use greentic_runner_host::ingress::envelope::{Entities, IngressEnvelope, ProviderIds, Session};
use greentic_runner_host::ingress::{Verification, verify};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::session::reply_route;
use greentic_runner_host::{Code, Error, FlowChoice, ReplyTo, Result};
use serde_json::{Value, json};

pub(crate) struct Courier;

impl Adapter for Courier {
    fn provider(&self) -> &'static str {
        "courier"
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[
            AdapterRoute { path: "/courier/events", methods: &["POST"] },
            AdapterRoute { path: "/courier/check", methods: &["GET", "POST"] },
        ]
    }

    fn max_body(&self) -> Option<usize> {
        Some(3 << 20)
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let text = |key: &str| settings.config.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Box::new(Bot {
            secrets: settings.secrets.get("COURIER_SECRET"),
            token: settings.secrets.get("COURIER_TOKEN").into_iter().next(),
            base_url: text("base_url"),
            keys: text("keys_url"),
            flow: settings.flow.clone(),
        }))
    }
}

struct Bot {
    secrets: Vec<Secret>,
    token: Option<Secret>,
    base_url: Option<String>,
    keys: Option<String>,
    flow: FlowChoice,
}

impl Channel for Bot {
    fn verification(&self) -> Verification {
        match (&self.keys, self.secrets.is_empty()) {
            (Some(_), _) => Verification::By("courier key"),
            (None, false) => Verification::By("courier secret"),
            (None, true) => Verification::Off,
        }
    }

    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()> {
        self.verification().require("POST /courier/events")?;
        if self.keys.is_some() {
            let kid = request.headers.get("x-courier-key").and_then(|kid| kid.to_str().ok());
            let kid = kid.ok_or_else(|| verify::refused("there is no key"))?;
            let known = context.keys.as_deref().is_some_and(|keys| keys.find(kid).is_some());
            return if known { Ok(()) } else { Err(Error::new(Code::KeysWanted, "the key is not known")) };
        }
        let given = request.headers.get("x-courier-secret").ok_or_else(|| verify::refused("there is no secret"))?;
        match verify::is_secret(&self.secrets, given.as_bytes()) {
            true => Ok(()),
            false => Err(verify::refused("the secret is wrong")),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        if request.path == "/courier/check" {
            return Ok(Intake::Answer(Answer::text(200, format!("checked by {}", request.method))));
        }
        let body = json_object(request.body)?;
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        match &*text("kind") {
            "message" => self.messages(context, request, &body).map(Intake::Messages),
            "announcement" => Ok(Intake::Fetch(Box::new(Pending {
                path: format!("/messages/{}", text("id")),
                dedupe: vec![text("id")],
                order: text("place"),
                metadata: request.metadata(),
                event: body,
            }))),
            _ => Ok(Intake::Ignored("the kind is not known")),
        }
    }

    fn complete(&self, context: &Context, pending: &Pending, answer: Completion<'_>) -> Result<Intake> {
        if answer.status == 404 {
            return Ok(Intake::Ignored("what was announced is gone"));
        }
        let headers = http::HeaderMap::new();
        let request =
            Request { method: "POST", path: "/", query: None, headers: &headers, body: answer.body, peer: None };
        // The platform's own id is the same as that of the announcement.
        assert_eq!(pending.event["id"], json_object(answer.body)?["id"]);
        self.messages(context, &request, &json_object(answer.body)?).map(Intake::Messages)
    }

    fn source(&self) -> Option<Source<'_>> {
        Some(Source { base_url: self.base_url.as_deref()?, token: self.token.as_ref() })
    }

    /// Carries texts.
    fn respond(&self, request: &Value, replies: &[Value]) -> Option<Answer> {
        let texts: Option<Vec<&str>> = replies.iter().map(|reply| reply["text"].as_str()).collect();
        Some(Answer::json(200, &json!({ "to": request["id"], "said": texts? })))
    }

    fn key_source(&self) -> Option<&str> {
        self.keys.as_deref()
    }
}

impl Bot {
    /// One message per text. The first has the id, the others the id with their place.
    fn messages(&self, context: &Context, request: &Request<'_>, body: &Value) -> Result<Vec<Inbound>> {
        let texts = body["texts"].as_array().cloned().unwrap_or_default();
        let user = body["user"].as_str().unwrap_or("u").to_owned();
        let place = body["place"].as_str().unwrap_or("p").to_owned();
        let id = body["id"].as_str().map(str::to_owned);
        let respond = match body["sync"].as_u64() {
            Some(millis) => {
                Respond::Sync { within: Duration::from_millis(millis), fallback: Answer::text(200, "later") }
            }
            None => Respond::Ack(Answer::text(200, "ok")),
        };
        let ids = ProviderIds { conversation_id: Some(place.clone()), user_id: Some(user), ..ProviderIds::default() };
        let session = ids.session_key(&context.tenant, "courier").unwrap();
        let message = |(number, text): (usize, &Value)| Inbound {
            envelope: IngressEnvelope {
                tenant: context.tenant.to_string(),
                provider: "courier".into(),
                provider_ids: ids.clone(),
                session: Session { key: session.shown().to_string(), scopes: vec!["chat".into()] },
                timestamp: context.received(),
                locale: None,
                text: text.as_str().map(str::to_owned),
                attachments: Vec::new(),
                buttons: Vec::new(),
                entities: Entities::default(),
                metadata: request.metadata(),
                channel_data: json!({}),
                raw: body.clone(),
            },
            session: session.clone(),
            flow: self.flow.clone(),
            dedupe: id.iter().map(|id| if number == 0 { id.clone() } else { format!("{id}/{number}") }).collect(),
            remember: Duration::from_secs(3600),
            reply_to: ReplyTo::Route(reply_route(&context.tenant, "courier", &place)),
            respond: respond.clone(),
        };
        Ok(texts.iter().enumerate().map(message).collect())
    }
}
