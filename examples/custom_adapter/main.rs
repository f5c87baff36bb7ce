//! A host with an adapter of its own: a gateway that sends text messages. Run it in this directory:
//!
//! ```console
//! $ SMS_SECRET=secret cargo run --example custom_adapter
//! $ body='{"id":"m-1","from":"+4930123","text":"hello"}'
//! $ curl http://127.0.0.1:8080/sms/inbound -d "$body" \
//!     -H "X-Sms-Signature: $(printf %s "$body" | openssl dgst -sha256 -hmac secret -hex | cut -d' ' -f2)"
//! {"reply":"You said hello. What is your name?"}
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greentic_runner_host::ingress::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Inbound, Intake, Request, Respond, Settings, dedupe_key,
    json_object, platform_id,
};
use greentic_runner_host::ingress::envelope::{Entities, IngressEnvelope, ProviderIds, Session, urls_in};
use greentic_runner_host::ingress::{Verification, verify};
use greentic_runner_host::run::trace::TraceFeed;
use greentic_runner_host::secret::Secret;
use greentic_runner_host::secrets::SecretsManager;
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::{Code, Error, FlowChoice, HostBuilder, HostConfig, ReplyTo, Result, RunnerHost};
use serde_json::{Value, json};

/// Opens the adapter: `adapter: sms` names it.
const BINDINGS: &str = "
tenant: customera
flow_type_bindings:
  messaging: { adapter: sms }
";

/// The platform.
pub(crate) struct Sms;

impl Adapter for Sms {
    fn provider(&self) -> &'static str {
        "sms"
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[AdapterRoute { path: "/sms/inbound", methods: &["POST"] }]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        Ok(Box::new(Number { secrets: settings.secrets.get("SMS_SECRET"), flow: settings.flow.clone() }))
    }
}

/// A tenant's number.
struct Number {
    secrets: Vec<Secret>,
    flow: FlowChoice,
}

impl Channel for Number {
    fn verification(&self) -> Verification {
        // Without a secret nobody could tell who sends: the route is off then.
        if self.secrets.is_empty() { Verification::Off } else { Verification::By("SMS signature, HMAC-SHA256") }
    }

    fn verify(&self, _: &Context, request: &Request<'_>) -> Result<()> {
        self.verification().require("POST /sms/inbound")?;
        let given = request.headers.get("x-sms-signature").ok_or_else(|| verify::refused("there is no signature"))?;
        let digest = hex::decode(given).map_err(|_| verify::refused("the signature is not hexadecimal"))?;
        match verify::is_hmac_sha256(&self.secrets, &[request.body], &digest) {
            true => Ok(()),
            false => Err(verify::refused("the signature is not valid for this body")),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        let raw = json_object(request.body)?;
        let text_of = |name: &str| raw.get(name).and_then(Value::as_str);
        let Some(text) = text_of("text") else { return Ok(Intake::Ignored("the message has no text")) };
        let from = platform_id("from", text_of("from").unwrap_or_default())?;
        let id = platform_id("id", text_of("id").unwrap_or_default())?;
        let ids = ProviderIds { user_id: Some(from.clone()), message_id: Some(id.clone()), ..ProviderIds::default() };
        let session = ids
            .session_key(&context.tenant, "sms")
            .ok_or_else(|| Error::new(Code::RequestInvalid, "the message names no sender"))?;
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: "sms".into(),
            provider_ids: ids,
            session: Session { key: session.shown().to_string(), scopes: vec!["chat".into()] },
            timestamp: context.received(),
            locale: None,
            text: Some(text.to_owned()),
            attachments: Vec::new(),
            buttons: Vec::new(),
            entities: Entities { urls: urls_in(text), ..Entities::default() },
            metadata: request.metadata(),
            channel_data: json!({}),
            raw,
        };
        Ok(Intake::message(Inbound {
            envelope,
            session,
            flow: self.flow.clone(),
            dedupe: vec![dedupe_key([&*id])],
            remember: Duration::from_secs(24 * 3600),
            // What the flow says later waits here until somebody sends it.
            reply_to: ReplyTo::Route(reply_route(&context.tenant, "sms", &from)),
            // What it says at once is in the answer.
            respond: Respond::Sync { within: Duration::from_secs(5), fallback: Answer::empty(202) },
        }))
    }

    fn respond(&self, _: &Value, replies: &[Value]) -> Option<Answer> {
        let texts: Option<Vec<&str>> = replies.iter().map(|reply| reply["text"].as_str()).collect();
        Some(Answer::json(200, &json!({ "reply": texts?.join("\n") })))
    }
}

/// A host that serves the adapter, with secrets from `secrets` if they are not in the environment.
pub(crate) async fn serve(
    dir: &Path,
    listen: SocketAddr,
    secrets: Option<Arc<dyn SecretsManager>>,
) -> Result<(Arc<RunnerHost>, Server)> {
    let config = HostConfig::from_yaml(BINDINGS, "bindings.yaml")?;
    let feed = TraceFeed::new(64);
    let mut builder = HostBuilder::new().with_config(config).with_memory_store().with_observer(Arc::new(feed.clone()));
    if let Some(secrets) = secrets {
        builder = builder.with_secrets_manager(secrets);
    }
    let host = Arc::new(builder.build()?);
    let options = ServerOptions { listen, adapters: vec![Arc::new(Sms)], ..ServerOptions::default() };
    let server = Server::bind(options, Arc::new(HostBackend::new(Arc::clone(&host), feed))).await?;
    host.start().await?;
    host.load_pack("customera", &dir.join("../quickstart/packs/customera/index.ygtc")).await?;
    Ok((host, server))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (host, server) = serve(Path::new("."), SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), None).await?;
    for route in server.routes().iter().filter(|route| route.provider == "sms") {
        println!("http://{}: {} {}", server.address(), route.route, route.verified);
    }
    server.run(async { drop(tokio::signal::ctrl_c().await) }).await;
    host.stop().await?;
    Ok(())
}
