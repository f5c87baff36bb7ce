//! The adapters that a host knows, and the channels that a tenant's bindings open with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::adapter::{Adapter, AdapterRoute, Channel, ChannelSecrets, Settings};
use super::channels::{Channels, OpenChannel};
use super::slack::Slack;
use super::teams::Teams;
use super::telegram::Telegram;
use super::timer;
use super::webchat::Webchat;
use super::webex::Webex;
use super::webhook::Webhook;
use super::whatsapp::Whatsapp;
use crate::config::{FlowTypeView, HostConfig};
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::run::event::FlowChoice;
use crate::secret::Secret;

/// The adapters of every host, in the order in which they are reported.
fn builtin() -> Vec<Arc<dyn Adapter>> {
    vec![
        Arc::new(Telegram),
        Arc::new(Teams),
        Arc::new(Slack),
        Arc::new(Webchat),
        Arc::new(Webex),
        Arc::new(Whatsapp),
        Arc::new(Webhook),
    ]
}

/// What a binding of the type `webhook` may call its adapter: the webhook, whatever it is called.
const WEBHOOK_TYPE: &str = "webhook";

/// Another name of the webhook in bindings.
const GENERIC: &str = "generic";

/// First parts of paths that no adapter of an embedder's may have: they are the server's, or may become so.
const RESERVED: &[&str] =
    &["admin", "api", "demo", "docs", "healthz", "metrics", "openapi.json", "operator", "readyz", "t", "v3"];

/// The adapters that a host knows.
#[derive(Clone)]
pub struct Adapters(Vec<Arc<dyn Adapter>>);

impl Default for Adapters {
    fn default() -> Self {
        Self(builtin())
    }
}

impl fmt::Debug for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|adapter| adapter.provider())).finish()
    }
}

impl Adapters {
    /// The host's own adapters and these. Fails if one of them has a name or a route that it cannot have.
    pub fn with(further: &[Arc<dyn Adapter>]) -> Result<Self> {
        let mut all = Self::default();
        for adapter in further {
            all.check(&**adapter)?;
            all.0.push(Arc::clone(adapter));
        }
        Ok(all)
    }

    /// All adapters.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Adapter>> {
        self.0.iter()
    }

    /// The adapter at a place.
    pub fn get(&self, place: usize) -> Option<&Arc<dyn Adapter>> {
        self.0.get(place)
    }

    /// All routes, each with the place of its adapter.
    pub fn routes(&self) -> impl Iterator<Item = (usize, &'static AdapterRoute)> {
        self.0.iter().enumerate().flat_map(|(place, adapter)| adapter.routes().iter().map(move |route| (place, route)))
    }

    fn check(&self, adapter: &dyn Adapter) -> Result<()> {
        let name = adapter.provider();
        let cannot = |why: String| Error::new(Code::AdapterInvalid, format!("the adapter {:?} {why}", clip(name)));
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if name.is_empty() || name.len() > 64 || !is_name {
            return Err(cannot("has no usable name".into()).hint("use lower-case letters, digits and '-'"));
        }
        if self.0.iter().any(|known| known.provider() == name) || [GENERIC, timer::PROVIDER].contains(&name) {
            return Err(cannot("has the name of another one".into()).hint("name it differently"));
        }
        let taken: BTreeSet<_> = self.routes().map(|(_, route)| first_part(route.path)).collect();
        let mut own = BTreeSet::new();
        for AdapterRoute { path, methods } in adapter.routes() {
            let first = first_part(path);
            if !is_path(path) {
                let hint = "begin with / and use letters, digits, '.', '-', '_' and '~', or {name}, but not at first";
                return Err(cannot(format!("has the route {:?}, which is no usable path", clip(path))).hint(hint));
            }
            if taken.contains(first) || RESERVED.contains(&first) {
                return Err(cannot(format!("has the route {path}, and /{first} is another's"))
                    .hint(format!("begin its routes with /{name}")));
            }
            if !own.insert(*path) || path.matches('{').count() > 0 && adapter.routes().len() > 1 {
                return Err(cannot(format!("has the route {path} beside others that the same paths may mean"))
                    .hint("an adapter with parameters in a path has one route"));
            }
            if methods.is_empty() || !methods.iter().all(|method| is_method(method)) {
                return Err(cannot(format!("serves methods at {path} that there are not"))
                    .hint("list methods in upper case, or * for all"));
            }
        }
        Ok(())
    }

    /// Opens the channels of a tenant by its bindings. Secrets that are not `known` yet are noted there as wanted, and
    /// what is returned is preliminary then.
    pub fn open(&self, config: &HostConfig, known: &KnownSecrets) -> Result<Channels> {
        let mut channels = Channels::default();
        let mut findings = Vec::new();
        for (flow_type, binding) in config.flow_types() {
            let adapters = self.of(flow_type, binding.adapter);
            if adapters.is_empty() {
                channels.notes.push(format!(
                    "`{flow_type}` with the adapter `{}` has no effect: this host has no such adapter",
                    clip(binding.adapter)
                ));
            }
            for (place, adapter) in adapters {
                if channels.open.iter().any(|open| open.adapter == place) {
                    findings.push(twice(flow_type, binding.adapter));
                    continue;
                }
                match open(&**adapter, config, flow_type, binding, known) {
                    Ok(channel) => {
                        channels.notes.extend(unsent(&**adapter, &*channel.channel, binding, known));
                        channels.open.push(OpenChannel { adapter: place, ..channel });
                    }
                    Err(error) => findings.push(error),
                }
            }
        }
        match findings.is_empty() {
            true => Ok(channels),
            false => {
                let summary = format!("channels of tenant {} cannot be opened", config.tenant());
                let error = Error::from_many(Code::ChannelInvalid, summary, findings);
                Err(config.file().map_or(error.clone(), |file| error.in_file(file)))
            }
        }
    }

    /// The adapters that a binding names. Several may have one name: the ways into one platform.
    fn of(&self, flow_type: &str, name: &str) -> Vec<(usize, &Arc<dyn Adapter>)> {
        let named = |name: &str| -> Vec<_> {
            self.0.iter().enumerate().filter(|(_, adapter)| adapter.provider().eq_ignore_ascii_case(name)).collect()
        };
        let found = named(name);
        let is_webhook = flow_type == WEBHOOK_TYPE || name.eq_ignore_ascii_case(GENERIC);
        if found.is_empty() && is_webhook { named(WEBHOOK_TYPE) } else { found }
    }
}

fn open(
    adapter: &dyn Adapter,
    config: &HostConfig,
    flow_type: &str,
    binding: FlowTypeView<'_>,
    known: &KnownSecrets,
) -> Result<OpenChannel> {
    let secrets = OfBinding::new(known, binding);
    let flow = FlowChoice::Kind(flow_type.to_owned());
    let settings = Settings { tenant: config.tenant().clone(), flow, config: binding.config, secrets: &secrets };
    let channel = adapter.open(&settings).map_err(|cause| {
        let message = format!("`flow_type_bindings.{flow_type}`, adapter {}: {}", adapter.provider(), cause.message());
        let error = Error::new(Code::ChannelInvalid, message);
        cause.hint_text().map_or(error.clone(), |hint| error.hint(hint))
    })?;
    Ok(OpenChannel {
        provider: adapter.provider(),
        adapter: usize::MAX,
        routes: adapter.routes(),
        channel: channel.into(),
    })
}

/// What to tell of a channel whose replies are not sent.
fn unsent(
    adapter: &dyn Adapter,
    channel: &dyn Channel,
    binding: FlowTypeView<'_>,
    known: &KnownSecrets,
) -> Option<String> {
    let provider = adapter.provider();
    if adapter.sends_with().is_empty() || channel.sender().is_some() {
        return None;
    }
    let secrets = OfBinding::new(known, binding);
    let is_missing = |name: &&&str| secrets.get(name).iter().all(|secret| secret.expose().is_empty());
    let missing: Vec<&str> = adapter.sends_with().iter().filter(is_missing).copied().collect();
    Some(match missing.as_slice() {
        [] => format!("replies to {provider} cannot be sent: see the settings of its binding"),
        [one] => format!("replies to {provider} cannot be sent: {one} is missing"),
        several => format!("replies to {provider} cannot be sent: {} are missing", several.join(" and ")),
    })
}

fn twice(flow_type: &str, adapter: &str) -> Error {
    let message = format!("`flow_type_bindings.{flow_type}` opens the adapter {} a second time", clip(adapter));
    Error::new(Code::ChannelInvalid, message).hint("bind an adapter to one type of flow")
}

fn first_part(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Whether a path has parts of unreserved characters, or parameters behind the first part.
fn is_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let plain = |part: &str| {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~');
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(unreserved)
    };
    let parameter = |part: &str| {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    path.len() <= 256
        && rest.split('/').enumerate().all(|(place, part)| plain(part) || (place > 0 && parameter(part)))
        && rest.matches("{tenant}").count() == 0
        && rest.matches('{').count() <= 1
}

fn is_method(method: &str) -> bool {
    ["*", "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"].contains(&method)
}

/// Secrets that were read, and those that adapters asked for and were not.
#[derive(Default)]
pub struct KnownSecrets {
    known: BTreeMap<WantedSecret, Vec<Secret>>,
    wanted: Mutex<BTreeSet<WantedSecret>>,
}

/// A secret that an adapter asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedSecret {
    /// Its name.
    pub name: String,
    /// Whether the binding says `shared_secret: true`.
    pub shared: bool,
}

impl KnownSecrets {
    /// Adds what was read of a secret, nothing included.
    pub fn insert(&mut self, wanted: WantedSecret, values: Vec<Secret>) {
        self.known.insert(wanted, values);
    }

    /// What was asked for since and is not known.
    pub fn take_wanted(&mut self) -> BTreeSet<WantedSecret> {
        std::mem::take(self.wanted.get_mut())
    }
}

struct OfBinding<'a> {
    known: &'a KnownSecrets,
    shared: bool,
}

impl<'a> OfBinding<'a> {
    fn new(known: &'a KnownSecrets, binding: FlowTypeView<'_>) -> Self {
        Self { known, shared: binding.config.get("shared_secret") == Some(&Value::Bool(true)) }
    }
}

impl ChannelSecrets for OfBinding<'_> {
    fn get(&self, name: &str) -> Vec<Secret> {
        let wanted = WantedSecret { name: name.to_owned(), shared: self.shared };
        match self.known.known.get(&wanted) {
            Some(values) => values.clone(),
            None => {
                self.known.wanted.lock().insert(wanted);
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
