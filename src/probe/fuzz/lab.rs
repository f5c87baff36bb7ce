//! A target that is set up, and one request in it.

use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::super::normalize::context;
use super::super::recording::Recording;
use super::forge::Forger;
use super::sessions::{Found, Message, Sessions};
use super::target::{Target, open_settings};
use super::{Broken, Promise, check, panics};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::adapter::{Channel, ChannelSecrets, Completion, Context, Intake, Pending, Settings};
use crate::run::event::FlowChoice;
use crate::secret::Secret;

/// When everything is received.
pub(super) const NOW: Timestamp = Timestamp(1_762_851_600_000);

/// The longest that a request may take. A build without optimisations takes a hundredth of it.
const QUICK: Duration = Duration::from_secs(1);

/// What stands in headers that are not to be shown.
const CANARY: &str = "canary-4f1c";

pub(super) struct Lab<'a> {
    target: &'a Target,
    tenant: Id,
    /// The channel, by several settings.
    open: Vec<Box<dyn Channel>>,
    forger: Option<Forger>,
}

/// One secret, or none.
pub(super) struct Only(pub(super) Option<(&'static str, Secret)>);

impl ChannelSecrets for Only {
    fn get(&self, name: &str) -> Vec<Secret> {
        self.0.iter().filter(|(known, _)| *known == name).map(|(_, secret)| secret.clone()).collect()
    }
}

impl<'a> Lab<'a> {
    pub(super) fn open(target: &'a Target) -> Result<Self> {
        let tenant = Id::from("demo");
        let [usual, lenient] = open_settings().map(|settings| channel(target, &settings, &Only(None)));
        // An adapter that does not know the further settings is tried without them.
        let open = [Some(usual?), lenient.ok()].into_iter().flatten().collect();
        Ok(Self { target, tenant, open, forger: Forger::open(target)? })
    }

    /// What the request is, if it breaks no promise.
    pub(super) fn check(&self, input: &Recording) -> Result<Vec<Message>, Found> {
        self.one(input).map_err(|broken| Found { broken, other: None })
    }

    fn one(&self, input: &Recording) -> Result<Vec<Message>, Broken> {
        let context = context(&self.tenant, NOW, input);
        let watched = watched(input);
        let mut messages = Vec::new();
        for channel in &self.open {
            let intake = self.read(&**channel, &context, &watched)?;
            messages.extend(self.judge(&**channel, &context, &watched, intake)?);
        }
        if let Some(forger) = &self.forger {
            panics::caught(|| forger.check(&context, input))??;
        }
        Ok(messages)
    }

    /// The promise that these requests break, each by itself or together.
    pub(super) fn check_all(&self, inputs: &[Recording]) -> Option<Broken> {
        let mut sessions = Sessions::default();
        let mut add = |input: &Recording| self.check(input).and_then(|found| sessions.add(input, found));
        inputs.iter().find_map(|input| add(input).err()).map(|found| found.broken)
    }

    /// Reads a request, twice, and measures.
    fn read(&self, channel: &dyn Channel, context: &Context, input: &Recording) -> Result<Result<Intake>, Broken> {
        let read = || {
            let began = Instant::now();
            let intake = panics::caught(|| channel.normalize(context, &input.request()))?;
            Ok((intake, began.elapsed()))
        };
        let ((first, took), (again, retook)) = (read()?, read()?);
        // Whatever else the machine does, it does not do it three times.
        if took.min(retook) > QUICK && read()?.1 > QUICK {
            return Err(Broken::new(Promise::Quick, format!("reading it takes more than {} s", QUICK.as_secs())));
        }
        if format!("{first:?}") != format!("{again:?}") {
            return Err(Broken::new(Promise::Deterministic, "read twice, it is not the same"));
        }
        Ok(first)
    }

    fn judge(
        &self,
        channel: &dyn Channel,
        context: &Context,
        input: &Recording,
        intake: Result<Intake>,
    ) -> Result<Vec<Message>, Broken> {
        match intake {
            Err(error) => blames_the_request(&error).map(|()| Vec::new()),
            Ok(Intake::Messages(inbound)) => self.messages(channel, context, input, inbound),
            Ok(Intake::Answer(answer)) => check::answer(&answer).map(|()| Vec::new()),
            Ok(Intake::Ignored(_)) => Ok(Vec::new()),
            Ok(Intake::Fetch(pending)) => {
                check::pending(&pending)?;
                let mut messages = Vec::new();
                let answers = [(200, input.fetched.as_deref().unwrap_or(b"{}")), (404, b""), (200, b"\xff")];
                for (status, body) in answers {
                    messages.extend(self.complete(channel, context, input, &pending, Completion { status, body })?);
                }
                Ok(messages)
            }
        }
    }

    fn complete(
        &self,
        channel: &dyn Channel,
        context: &Context,
        input: &Recording,
        pending: &Pending,
        answer: Completion<'_>,
    ) -> Result<Vec<Message>, Broken> {
        match panics::caught(|| channel.complete(context, pending, answer))? {
            Err(error) => blames_the_request(&error).map(|()| Vec::new()),
            Ok(Intake::Messages(inbound)) => self.messages(channel, context, input, inbound),
            Ok(Intake::Ignored(_)) => Ok(Vec::new()),
            Ok(_) => Err(Broken::new(Promise::Blame, "what was announced is completed by no message")),
        }
    }

    fn messages(
        &self,
        channel: &dyn Channel,
        context: &Context,
        input: &Recording,
        inbound: Vec<crate::ingress::Inbound>,
    ) -> Result<Vec<Message>, Broken> {
        check::together(&inbound, input)?;
        let of = |inbound: crate::ingress::Inbound| {
            panics::caught(|| {
                check::discreet(&inbound, CANARY)?;
                check::answers(channel, &inbound);
                check::message(self.target, context, inbound)
            })?
        };
        inbound.into_iter().map(of).collect()
    }
}

/// The same with headers that nobody may see.
fn watched(input: &Recording) -> Recording {
    let mut watched = input.clone();
    for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")] {
        watched.headers.insert(name, HeaderValue::from_static(CANARY));
    }
    watched
}

fn blames_the_request(error: &Error) -> Result<(), Broken> {
    match error.code() {
        Code::Internal => Err(Broken::new(Promise::Blame, error.to_string())),
        _ => Ok(()),
    }
}

/// The target's channel with these settings of a binding.
pub(super) fn channel(target: &Target, config: &Value, secrets: &Only) -> Result<Box<dyn Channel>> {
    let none = Map::new();
    target.adapter.open(&Settings {
        tenant: Id::from("demo"),
        flow: FlowChoice::Kind("messaging".into()),
        config: config.as_object().unwrap_or(&none),
        secrets,
    })
}
