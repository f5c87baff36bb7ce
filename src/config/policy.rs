//! What follows from a bindings file: its sections with defaults, bounds and derived rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::Note;
use super::bindings::{self, Bindings, LimitsSection};
use super::mcp::Mcp;
use super::units::{ByteSize, Count, Name, Origin, Private, SecretName, Span, Text};
use super::yaml::{Cursor, Finding};
use super::{wasi, webhook};
use crate::capabilities::grants::{Grant, Grants};
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Location, Result};
use crate::mcp::OFFERED;
use crate::outbound;
use crate::secrets::SecretsPolicy;

/// The largest linear memory that a 32-bit component can have, in bytes.
const MAX_MEMORY: u64 = 4 << 30;

/// The longest time that an invocation or an event may be given.
const MAX_TIME: Duration = Duration::from_secs(24 * 3_600);

/// What one event and its run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Steps of a run.
    pub steps: u32,
    /// How deep flows may call flows.
    pub call_depth: u32,
    /// Bytes that a run may hold.
    pub run_bytes: usize,
    /// The time from acceptance of an event to its end.
    pub event_deadline: Duration,
    /// Events that wait for their turn.
    pub queue: u32,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            steps: 1_000,
            call_depth: 16,
            run_bytes: 16 << 20,
            event_deadline: Duration::from_secs(30),
            queue: 1_024,
        }
    }
}

impl RunLimits {
    pub(super) fn of(section: &LimitsSection) -> Self {
        let default = Self::default();
        Self {
            steps: section.steps.map_or(default.steps, |n| n.0),
            call_depth: section.call_depth.map_or(default.call_depth, |n| n.0),
            run_bytes: section.run_bytes.map_or(default.run_bytes, ByteSize::bytes),
            event_deadline: section.event_deadline.map_or(default.event_deadline, |t| t.0),
            queue: section.queue.map_or(default.queue, |n| n.0),
        }
    }
}

pub(super) fn limits(section: &LimitsSection) -> Limits {
    let default = Limits::default();
    Limits {
        memory_bytes: section.memory.map_or(default.memory_bytes, ByteSize::bytes),
        timeout: section.timeout.map_or(default.timeout, |t| t.0),
        output_bytes: section.output.map_or(default.output_bytes, ByteSize::bytes),
        handles: section.handles.map_or(default.handles, |Count(n)| usize::try_from(n).unwrap_or(usize::MAX)),
        host_call_bytes: section.host_call_bytes.map_or(default.host_call_bytes, ByteSize::bytes),
        host_calls: section.host_calls.map_or(default.host_calls, |n| n.0),
        state_bytes: section.state_bytes.map_or(default.state_bytes, ByteSize::bytes),
    }
}

/// What guests may ask over HTTP.
pub(super) fn outbound(bindings: &Bindings) -> outbound::Policy {
    let default = outbound::Policy::default();
    let stated = bindings.http.is_some() || bindings.flow_type_bindings.contains_key("messaging");
    let enabled = bindings.http_enabled.unwrap_or(stated) && granted(bindings).has(Grant::Http);
    let Some(http) = &bindings.http else { return outbound::Policy { enabled, ..default } };
    let origins = |origins: &[Origin]| origins.iter().map(|Origin(allowed)| allowed.clone()).collect();
    outbound::Policy {
        enabled,
        allow: origins(&http.allow),
        allow_private: http.allow_private.iter().map(|Private(host)| host.clone()).collect(),
        insecure: origins(&http.insecure),
        timeout: http.timeout.map_or(default.timeout, |t| t.0),
        max_request: http.max_request.map_or(default.max_request, ByteSize::bytes),
        max_response: http.max_response.map_or(default.max_response, ByteSize::bytes),
        max_redirects: http.max_redirects.unwrap_or(default.max_redirects),
        concurrency: http.concurrency.map_or(default.concurrency, |Count(n)| usize::try_from(n).unwrap_or(usize::MAX)),
    }
}

/// How often what failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts, the first included; at least 1.
    pub max_attempts: u32,
    /// The pause before the second attempt; at least 50 ms.
    pub base_delay: Duration,
}

impl RetryPolicy {
    pub(super) fn of(section: &bindings::Retry) -> Self {
        Self {
            max_attempts: section.max_attempts.unwrap_or(3).max(1),
            base_delay: Duration::from_millis(section.base_delay_ms.unwrap_or(250).max(50)),
        }
    }
}

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Messages per second.
    pub messaging_send_qps: u32,
    /// Messages at once.
    pub messaging_burst: u32,
}

impl RateLimits {
    pub(super) fn of(section: &bindings::RateLimits) -> Self {
        Self {
            messaging_send_qps: section.messaging_send_qps.map_or(10, |n| n.0),
            messaging_burst: section.messaging_burst.map_or(20, |n| n.0),
        }
    }
}

/// What operators may invoke from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorPolicy {
    providers: BTreeSet<String>,
    ops: BTreeMap<String, BTreeSet<String>>,
}

impl OperatorPolicy {
    pub(super) fn of(section: &bindings::Operator) -> Self {
        let names = |texts: &[Text]| texts.iter().map(|Text(name)| name.clone()).collect();
        Self {
            providers: names(&section.allowed_providers),
            ops: section.allowed_ops.iter().map(|(provider, ops)| (provider.clone(), names(ops))).collect(),
        }
    }

    /// Whether an operator may invoke `op` of `provider`. A list that is empty allows everything it speaks of; a
    /// provider without an entry under a list of operations that is not empty has none.
    pub fn allows(&self, provider: &str, op: &str) -> bool {
        let provider_allowed = self.providers.is_empty() || self.providers.contains(provider);
        let op_allowed = self.ops.is_empty() || self.ops.get(provider).is_some_and(|ops| ops.contains(op));
        provider_allowed && op_allowed
    }
}

/// Which secrets components may read and store; `all` says that nothing but `.gtbind` files speak of the tenant.
pub(super) fn secrets(bindings: &Bindings, all: bool) -> SecretsPolicy {
    let texts = |names: &[SecretName]| names.iter().map(|SecretName(name)| name.clone()).collect::<Vec<_>>();
    let mut policy = if all { SecretsPolicy::everything() } else { SecretsPolicy::default() };
    for (flow_type, binding) in &bindings.flow_type_bindings {
        policy.allow(flow_type, texts(&binding.secrets));
    }
    for (component, names) in &bindings.secrets.components {
        policy.narrow(component, texts(names));
    }
    policy.allow_writing(texts(&bindings.secrets.write));
    policy.of_team(bindings.secrets.team.as_ref().map(|Name(team)| team.clone()));
    policy.of_users(bindings.secrets.per_user);
    policy
}

/// Which paths the generic webhook serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookPolicy {
    allow: Vec<String>,
    deny: Vec<String>,
}

impl WebhookPolicy {
    /// The rules in an adapter's settings: `allow_paths` and `deny_paths`, lists of prefixes.
    pub fn of(config: &Map<String, Value>) -> Result<Self> {
        let rules = |key: &str| -> Result<Vec<String>> {
            let invalid = || {
                Error::new(Code::BindingsInvalid, format!("`{key}` is not a list of texts"))
                    .hint("list the beginnings of paths, as [/webhook/orders]")
            };
            let Some(value) = config.get(key) else { return Ok(Vec::new()) };
            let texts = value.as_array().ok_or_else(invalid)?.iter();
            texts.map(|text| text.as_str().map(str::to_owned).ok_or_else(invalid)).collect()
        };
        Ok(Self { allow: rules("allow_paths")?, deny: rules("deny_paths")? })
    }

    /// Whether a request's path is served. Rules are prefixes; a denied one wins; no allowed one at all allows every
    /// path.
    pub fn allows(&self, path: &str) -> bool {
        let begins = |prefixes: &[String]| prefixes.iter().any(|prefix| path.starts_with(prefix.as_str()));
        !begins(&self.deny) && (self.allow.is_empty() || begins(&self.allow))
    }
}

/// Reads the webhook binding's rules, which stand in its adapter's settings.
pub(super) fn webhook_policy(root: Cursor<'_>) -> Option<WebhookPolicy> {
    let binding = root.get("flow_type_bindings")?.get("webhook")?;
    if let Some(config) = binding.get("config") {
        webhook::check(config);
    }
    let rules = |key| {
        let prefixes: Vec<Text> = binding.get("config").map(|config| config.read(key)).unwrap_or_default();
        prefixes.into_iter().map(|Text(prefix)| prefix).collect()
    };
    Some(WebhookPolicy { allow: rules("allow_paths"), deny: rules("deny_paths") })
}

/// Reports what no single value is wrong about.
pub(super) fn check(bindings: &Bindings, root: Cursor<'_>) {
    if root.is_map() && !root.has("tenant") {
        let missing = Finding::at(root.place(), "the key `tenant` is missing");
        root.report(missing.hint("add `tenant: ID`; it names the tenant that these bindings are of"));
    }
    let limits = root.get("limits");
    let limit = |key| limits.and_then(|limits| limits.get(key));
    if bindings.limits.memory.is_some_and(|ByteSize(bytes)| bytes > MAX_MEMORY)
        && let Some(at) = limit("memory")
    {
        at.report(Finding::at(at.place(), "`memory` is more than a component can have").hint("give at most 4GiB"));
    }
    for (key, span) in [("timeout", bindings.limits.timeout), ("event_deadline", bindings.limits.event_deadline)] {
        if span.is_some_and(|Span(time)| time > MAX_TIME)
            && let Some(at) = limit(key)
        {
            at.report(Finding::at(at.place(), format!("`{key}` is longer than a day")).hint("give at most 24h"));
        }
    }
    if bindings.http.as_ref().and_then(|http| http.timeout).is_some_and(|Span(time)| time > MAX_TIME)
        && let Some(at) = root.get("http").and_then(|http| http.get("timeout"))
    {
        at.report(Finding::at(at.place(), "`timeout` is longer than a day").hint("give at most 24h"));
    }
    if bindings.grants.as_ref().is_some_and(|grants| grants.contains(&Grant::OAuth))
        && !root.has("oauth")
        && let Some(at) = root.get("grants")
    {
        let finding = Finding::at(at.place(), "`grants` names `oauth`, and nothing says who is asked");
        at.report(finding.hint("add the block `oauth`, which is the grant, or remove it from the list"));
    }
    check_overlay_grants(bindings, root);
    if let (Some(oauth), Some(at)) = (&bindings.oauth, root.get("oauth")) {
        oauth.check(at);
    }
    wasi::check(bindings, root);
}

/// Overlays never get what the tenant as a whole does not.
fn check_overlay_grants(bindings: &Bindings, root: Cursor<'_>) {
    let Some(at) = root.get("packs").and_then(|packs| packs.get("overlay_grants")) else { return };
    let granted = granted(bindings);
    for grant in bindings.packs.overlay_grants.iter().filter(|grant| !granted.has(**grant)) {
        let finding =
            Finding::at(at.place(), format!("`overlay_grants` names `{grant}`, which the tenant does not have"));
        at.report(finding.hint(format!("remove it, or grant `{grant}` to the tenant with `grants` and `state_store`")));
    }
}

/// What a tenant's components may be linked to.
pub(super) fn granted(bindings: &Bindings) -> Grants {
    let granted: Grants = bindings.grants.as_deref().unwrap_or(&Grant::ALL).iter().copied().collect();
    let granted = if bindings.state_store.allow { granted } else { granted.without(Grant::State) };
    // The block is what grants it: it says who is asked.
    let granted = if bindings.oauth.is_some() { granted.with(Grant::OAuth) } else { granted.without(Grant::OAuth) };
    if bindings.mcp.is_some() { granted } else { granted.without(Grant::Mcp) }
}

/// What the file states and this version does not do.
pub(super) fn notes(bindings: &Bindings, root: Cursor<'_>, file: &str) -> Vec<Note> {
    let Bindings { operator, mocks, mcp, http, http_enabled, secrets, .. } = bindings;
    let asks = http.as_ref().is_some_and(|http| !http.allow.is_empty());
    let stored = !secrets.write.is_empty() || !secrets.components.is_empty();
    let operator = !operator.allowed_providers.is_empty() || !operator.allowed_ops.is_empty();
    let sections = [
        ("operator", operator, "this version has no operator API"),
        ("mocks", mocks.is_some(), "this version has nothing that it would replace"),
        ("mcp", mcp.is_some() && !OFFERED, "this host was built without the feature `mcp`, and calls no tools"),
        ("http", asks && !outbound(bindings).enabled, "`http_enabled` is false, or `http` is not among `grants`"),
        ("secrets", stored && !granted(bindings).has(Grant::Secrets), "`secrets` is not among `grants`"),
        ("http_enabled", *http_enabled == Some(true) && !asks, "no host is allowed before `http.allow` names it"),
    ];
    let mut notes: Vec<_> = sections
        .iter()
        .filter(|(_, is_stated, _)| *is_stated)
        .filter_map(|(key, _, why)| Some(note(root.get(key)?, file, format!("`{key}` has no effect: {why}"))))
        .collect();
    if mcp.as_ref().is_some_and(Mcp::states_fuel)
        && let Some(at) = root.get("mcp").and_then(|mcp| mcp.get("runtime")?.get("fuel"))
    {
        notes.push(note(at, file, "`fuel` has no effect: tools are bounded by `timeout_ms`".into()));
    }
    notes.sort_by_key(|note| note.location.position);
    notes
}

fn note(at: Cursor<'_>, file: &str, message: String) -> Note {
    Note { message, location: Location { file: file.to_owned(), position: Some(at.place()) } }
}
