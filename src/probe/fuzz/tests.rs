use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::kind::Kind;
use super::super::samples;
use super::super::sign::Headers;
use super::*;
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::ingress::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Inbound, Intake, Request, Respond, Settings, json_object,
};
use crate::ingress::channels::Verification;
use crate::ingress::envelope::{Entities, IngressEnvelope, Metadata, ProviderIds, Session, urls_in};
use crate::ingress::verify;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::secret::Secret;
use crate::session::{SessionKey, reply_route};

/// What is wrong with an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    Panics,
    Counts,
    Blames,
    OtherTenant,
    JoinsIds,
    KeepsAllLinks,
    Multiplies,
    ShowsHeaders,
    LetsShortOnesIn,
    RefusesLongOnes,
    Dawdles,
}

/// An adapter of a platform with places, people and texts.
struct Postbox(Defect);

impl Adapter for Postbox {
    fn provider(&self) -> &'static str {
        "postbox"
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[AdapterRoute { path: "/postbox", methods: &["POST"] }]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let secret = settings.secrets.get("POSTBOX_SECRET").into_iter().next();
        Ok(Box::new(Postman { defect: self.0, secret, flow: settings.flow.clone(), count: AtomicU64::new(0) }))
    }
}

struct Postman {
    defect: Defect,
    secret: Option<Secret>,
    flow: FlowChoice,
    count: AtomicU64,
}

impl Channel for Postman {
    fn verification(&self) -> Verification {
        Verification::By("postbox secret")
    }

    fn verify(&self, _: &Context, request: &Request<'_>) -> Result<()> {
        let Some(secret) = &self.secret else { return Ok(()) };
        let given = request.headers.get("x-postbox").map(|value| value.as_bytes()).unwrap_or_default();
        let digest = hex::decode(given).map_err(|_| verify::refused("no signature"))?;
        match self.defect {
            Defect::LetsShortOnesIn if request.body.len() < 12 => Ok(()),
            Defect::RefusesLongOnes if request.body.len() > 300 => Err(verify::refused("too long")),
            _ if verify::is_hmac_sha256([secret], &[request.body], &digest) => Ok(()),
            _ => Err(verify::refused("another signature")),
        }
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        let raw = json_object(request.body)?;
        let text = |name: &str| raw[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let id = |name: &str| text(name).filter(|id| id.len() <= 512 && !id.contains(char::is_control));
        let (Some(place), Some(user)) = (id("place"), id("user")) else {
            return Ok(Intake::Ignored("no place, or nobody"));
        };
        let said = text("text");
        match self.defect {
            Defect::Panics if raw["list"].as_array().is_some_and(|list| list.len() > 50) => panic!("too many"),
            Defect::Blames if raw["count"].is_u64() => return Err(Error::new(Code::Internal, "it is not my fault")),
            Defect::Dawdles if said.as_ref().is_some_and(|text| text.len() > 200) => {
                std::thread::sleep(Duration::from_millis(1100));
            }
            _ => {}
        }
        let ids =
            ProviderIds { conversation_id: Some(place.clone()), user_id: Some(user.clone()), ..ProviderIds::default() };
        let session = match self.defect {
            Defect::JoinsIds => SessionKey::of([&*context.tenant, "postbox", &format!("{place}:{user}")]),
            _ => SessionKey::canonical(&context.tenant, "postbox", &place, &user),
        };
        let links = said.as_deref().map(urls_in).unwrap_or_default();
        let urls = match self.defect {
            Defect::KeepsAllLinks => links.iter().cloned().chain(links.iter().cloned()).collect(),
            _ => links,
        };
        let mut metadata = request.metadata();
        if self.defect == Defect::ShowsHeaders {
            let all =
                request.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
            metadata = Metadata { raw_headers: all.collect(), ip: None };
        }
        let counted = self.count.fetch_add(1, Ordering::Relaxed);
        let envelope = IngressEnvelope {
            tenant: match self.defect {
                Defect::OtherTenant => text("tenant").unwrap_or_else(|| context.tenant.to_string()),
                _ => context.tenant.to_string(),
            },
            provider: "postbox".into(),
            provider_ids: ids,
            session: Session { key: session.shown().to_string(), scopes: vec!["chat".into()] },
            timestamp: context.received(),
            locale: None,
            text: said
                .map(|said| if self.defect == Defect::Multiplies { said.repeat(said.len().min(200)) } else { said }),
            attachments: Vec::new(),
            buttons: Vec::new(),
            entities: Entities { mentions: Vec::new(), urls },
            metadata,
            channel_data: if self.defect == Defect::Counts { json!(counted) } else { json!({}) },
            raw,
        };
        Ok(Intake::message(Inbound {
            envelope,
            session,
            flow: self.flow.clone(),
            dedupe: Vec::new(),
            remember: Duration::from_secs(60),
            reply_to: ReplyTo::Route(reply_route(&context.tenant, "postbox", &place)),
            respond: Respond::Ack(Answer::empty(200)),
        }))
    }
}

fn target(defect: Defect) -> Target {
    let sign: fn(&Secret, Timestamp, &Recording) -> Result<Headers> = |secret, _, recording| {
        let digest = verify::hmac_sha256(secret.expose().as_bytes(), &[&recording.body]);
        Ok(vec![("x-postbox", hex::encode(digest))])
    };
    Target {
        proof: Some(Proof::Secret(Signing { secret: "POSTBOX_SECRET", config: "{}", sign })),
        is_place: |place| place.chars().all(|c| !c.is_control()) && !place.is_empty(),
        ..Target::of(Arc::new(Postbox(defect)), "/postbox")
    }
}

fn seeds() -> Vec<Recording> {
    let trees: [Value; 2] = [
        json!({"place": "p", "user": "u", "text": "hello https://a.example", "list": [1, 2], "count": -1}),
        json!({"place": "q", "user": "u", "text": "more", "tenant": null, "attached": {"name": "a", "size": 5}}),
    ];
    let seed = |tree: &Value| Recording::post("/postbox", Some("application/json"), tree.to_string().into_bytes());
    trees.iter().map(seed).collect()
}

fn effort(inputs: u64) -> Effort {
    Effort { time: None, inputs: Some(inputs) }
}

#[test]
fn an_adapter_that_keeps_its_promises_is_let_alone() {
    let report = run(&target(Defect::None), &seeds(), 1, effort(3000)).unwrap();
    assert!(report.failure.is_none(), "{:?}", report.failure);
    assert_eq!(report.inputs, 3000);
    assert!(report.messages > 1000, "{}", report.messages);
}

#[test]
fn every_defect_is_found_made_small_and_repeated() {
    for (defect, promise, most) in [
        (Defect::Panics, Promise::NoPanic, 400),
        (Defect::Counts, Promise::Deterministic, 30),
        (Defect::Blames, Promise::Blame, 45),
        (Defect::OtherTenant, Promise::Belonging, 60),
        (Defect::JoinsIds, Promise::Sessions, 60),
        (Defect::KeepsAllLinks, Promise::Bounded, 700),
        (Defect::Multiplies, Promise::Bounded, 2000),
        (Defect::ShowsHeaders, Promise::Discreet, 30),
        (Defect::LetsShortOnesIn, Promise::Forgery, 12),
        (Defect::RefusesLongOnes, Promise::Genuine, 301),
    ] {
        let target = target(defect);
        let report = run(&target, &seeds(), 7, effort(60_000)).unwrap();
        let failure = report.failure.unwrap_or_else(|| panic!("{defect:?} is not found"));
        assert_eq!(failure.broken.promise, promise, "{defect:?}: {failure:?}");
        let size = failure.bytes();
        let texts: Vec<_> = failure.recordings.iter().map(|r| String::from_utf8_lossy(&r.body)).collect();
        assert!(size <= most && size <= failure.found_bytes, "{defect:?}: {size} bytes: {texts:?}");
        assert_eq!(failure.recordings.len(), if promise == Promise::Sessions { 2 } else { 1 });

        assert_eq!(replay(&target, &failure.recordings).unwrap().map(|broken| broken.promise), Some(promise));
        assert_eq!(replay(&self::target(Defect::None), &failure.recordings).unwrap(), None, "{defect:?}");
        let again = run(&target, &seeds(), 7, effort(60_000)).unwrap();
        assert_eq!(again.inputs, report.inputs, "{defect:?}");
        assert_eq!(again.failure.map(|failure| failure.recordings), Some(failure.recordings), "{defect:?}");
    }
}

#[test]
fn places_that_cannot_be_read_again_are_found() {
    let target = Target { is_place: |place| place.len() == 1, ..target(Defect::None) };
    let failure = run(&target, &seeds(), 3, effort(60_000)).unwrap().failure.unwrap();
    assert_eq!(failure.broken.promise, Promise::Routes);
}

#[test]
fn what_takes_its_time_is_found() {
    let slow = json!({"place": "p", "user": "u", "text": "x".repeat(201)});
    let slow = Recording::post("/postbox", None, slow.to_string().into_bytes());
    let broken = replay(&target(Defect::Dawdles), &[slow]).unwrap().unwrap();
    assert_eq!(broken.promise, Promise::Quick);
}

#[test]
fn other_seeds_give_other_inputs_and_none_is_needed() {
    let target = target(Defect::Panics);
    let of = |seed| run(&target, &seeds(), seed, effort(60_000)).unwrap().inputs;
    assert_ne!(of(1), of(2));
    let report = run(&target, &[], 1, effort(200)).unwrap();
    assert_eq!((report.inputs, report.messages), (200, 0));
    let report = run(&target, &seeds(), 1, Effort { time: Some(Duration::ZERO), inputs: None }).unwrap();
    assert_eq!(report.inputs, 0);
}

#[test]
fn the_hosts_own_adapters_keep_their_promises() {
    for kind in Kind::ALL {
        let target = Target::of_kind(kind).unwrap();
        let samples: Vec<_> = samples::of(kind).unwrap().into_iter().map(|sample| sample.recording).collect();
        let report = run(&target, &samples, 11, effort(700)).unwrap();
        assert!(report.failure.is_none(), "{kind}: {:?}", report.failure);
        assert!(report.messages > 100, "{kind}: {}", report.messages);
    }
}
