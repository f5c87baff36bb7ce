//! The sections of a bindings file, as they are written.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::mcp::Mcp;
use super::oauth::OAuth;
use super::timers::{CatchUp, Overlap};
use super::units::{ByteSize, Count, Name, Origin, Private, SecretName, Span, Text};
use super::wasi::Wasi;
use super::yaml::Cursor;
use crate::capabilities::grants::Grant;

/// The top level, read section by section so that a problem in one hides none in another.
macro_rules! top_level {
    ($($(#[$meta:meta])* $section:ident: $type:ty,)+) => {
        /// How the host serves one tenant.
        #[derive(Clone, Debug, Default, JsonSchema)]
        #[schemars(deny_unknown_fields, title = "Bindings of a tenant", extend("patternProperties" = { "^x-": true }))]
        pub(super) struct Bindings {
            $($(#[$meta])* pub(super) $section: $type,)+
        }

        impl Bindings {
            pub(super) const SECTIONS: &'static [&'static str] = &[$(stringify!($section)),+];

            pub(super) fn read(root: Cursor<'_>) -> Self {
                root.report_unknown(Self::SECTIONS, |key| key.starts_with("x-"));
                Self { $($section: root.read(stringify!($section)),)+ }
            }
        }
    };
}

top_level! {
    /// The tenant's id.
    #[schemars(required, with = "Name")]
    tenant: Option<Name>,
    /// How events of a type of flow come in. The keys are flow types: `messaging`, `webhook`, ….
    #[schemars(default)]
    flow_type_bindings: IndexMap<String, FlowTypeBinding>,
    /// How fast messages are sent.
    #[schemars(default)]
    rate_limits: RateLimits,
    /// How often what failed is tried again.
    #[schemars(default)]
    retry: Retry,
    /// Flows that start on a schedule.
    #[schemars(default)]
    timers: Vec<Timer>,
    /// Tokens of other services that components may ask for, and who gives them.
    oauth: Option<OAuth>,
    /// Whether components get the state store.
    #[schemars(default)]
    state_store: StateStore,
    /// What operators may invoke from outside. Both lists empty: everything.
    #[schemars(default)]
    operator: Operator,
    /// Replacements of outside services, for tests.
    #[schemars(with = "BTreeMap<String, serde_json::Value>", default)]
    mocks: Option<Opaque>,
    /// Tools over the Model Context Protocol.
    mcp: Option<Mcp>,
    /// What one invocation and one run may use.
    #[schemars(default)]
    limits: LimitsSection,
    /// Sessions.
    #[schemars(default)]
    sessions: Sessions,
    /// Which capabilities components of this tenant get; all of them unless stated.
    grants: Option<Vec<Grant>>,
    /// Requests over HTTP that components may have the host make.
    http: Option<Http>,
    /// Whether components' requests are made at all; unless stated, if there is `http` or a `messaging` binding.
    http_enabled: Option<bool>,
    /// Secrets that components read and store, beyond what `flow_type_bindings` names.
    #[schemars(default)]
    secrets: Secrets,
    /// What components have of WASI beyond clocks and random numbers.
    #[schemars(default)]
    wasi: Wasi,
    /// Settings of the packs' providers. The keys are provider ids.
    #[schemars(default)]
    providers: IndexMap<String, Provider>,
    /// How packs are loaded.
    #[schemars(default)]
    packs: Packs,
}

/// How events of one type of flow come in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowTypeBinding {
    /// The adapter: `webchat`, `generic`, `telegram`, ….
    pub(super) adapter: Text,
    /// The adapter's own settings.
    #[serde(default)]
    #[schemars(with = "super::webhook::AdapterConfig")]
    pub(super) config: Opaque,
    /// Names of the secrets that components may read in flows of this type.
    #[serde(default)]
    pub(super) secrets: Vec<SecretName>,
}

/// How fast messages are sent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimits {
    /// Messages per second, 10 unless stated.
    pub(super) messaging_send_qps: Option<Count>,
    /// Messages at once, 20 unless stated.
    pub(super) messaging_burst: Option<Count>,
}

/// How often what failed is tried again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// Attempts, the first included, 3 unless stated. 0 counts as 1.
    pub(super) max_attempts: Option<u32>,
    /// The pause before the second attempt in milliseconds, 250 unless stated; it grows with each further one. Less
    /// than 50 counts as 50.
    pub(super) base_delay_ms: Option<u64>,
}

/// A flow that starts on a schedule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Timer {
    /// The flow.
    pub(super) flow_id: Name,
    /// When, as a cron expression: minute, hour, day of month, month, day of week, with the second before and the year
    /// behind if needed, or `@hourly` and the like.
    pub(super) cron: Text,
    /// Names the schedule, the flow's id unless stated.
    pub(super) schedule_id: Option<Text>,
    /// The time zone by its IANA name, `UTC` unless stated.
    pub(super) timezone: Option<Text>,
    /// What becomes of times that were missed: `once` unless stated.
    pub(super) catch_up: Option<CatchUp>,
    /// What becomes of a time that comes while the run before is not done: `skip` unless stated.
    pub(super) overlap: Option<Overlap>,
}

/// Whether components get the state store.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StateStore {
    /// False takes the family `state` out of the grants.
    pub(super) allow: bool,
}

impl Default for StateStore {
    fn default() -> Self {
        Self { allow: true }
    }
}

/// What operators may invoke from outside.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Operator {
    /// Providers.
    pub(super) allowed_providers: Vec<Text>,
    /// Operations, per provider.
    pub(super) allowed_ops: IndexMap<String, Vec<Text>>,
}

/// What one invocation and one run may use. What is not stated has the host's default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsSection {
    /// Linear memory of an instance, 64MiB unless stated, at most 4GiB.
    pub(super) memory: Option<ByteSize>,
    /// Wall time of an invocation, host calls included, 10s unless stated.
    pub(super) timeout: Option<Span>,
    /// Bytes of an invocation's answer, 1MiB unless stated.
    pub(super) output: Option<ByteSize>,
    /// Handles that a component may hold, 1000 unless stated.
    pub(super) handles: Option<Count>,
    /// Bytes that a component may pass to the host in one call, 8MiB unless stated.
    pub(super) host_call_bytes: Option<ByteSize>,
    /// Host calls of an invocation, 10000 unless stated.
    pub(super) host_calls: Option<Count>,
    /// Bytes that an invocation may write to the state, 4MiB unless stated.
    pub(super) state_bytes: Option<ByteSize>,
    /// Steps of a run, 1000 unless stated.
    pub(super) steps: Option<Count>,
    /// How deep flows may call flows, 16 unless stated.
    pub(super) call_depth: Option<Count>,
    /// What a run may hold, 16MiB unless stated.
    pub(super) run_bytes: Option<ByteSize>,
    /// The time from acceptance of an event to its end, 30s unless stated.
    pub(super) event_deadline: Option<Span>,
    /// Events that wait for their turn, 1024 unless stated; further ones are refused.
    pub(super) queue: Option<Count>,
}

/// Sessions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sessions {
    /// How long a run waits for the next event of its session, 7d unless stated.
    pub(super) wait_ttl: Option<Span>,
}

/// Requests over HTTP that components may have the host make.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    /// What may be asked, such as `https://api.example.com`, `https://*.example.com:8443` or `http://localhost:9000`.
    /// Nothing, unless stated. `*` alone is everything that is public.
    pub(super) allow: Vec<Origin>,
    /// Hosts and networks that may be connected to although they are not public.
    pub(super) allow_private: Vec<Private>,
    /// Whose certificates need not be verified if the component says so.
    pub(super) insecure: Vec<Origin>,
    /// The time of a request, redirects and body included, 10s unless stated.
    pub(super) timeout: Option<Span>,
    /// Bytes of a request's body, 1MiB unless stated.
    pub(super) max_request: Option<ByteSize>,
    /// Bytes of an answer's body, 1MiB unless stated.
    pub(super) max_response: Option<ByteSize>,
    /// Redirects that are followed, 5 unless stated.
    pub(super) max_redirects: Option<u32>,
    /// Requests at once, 16 unless stated; further ones wait for their turn.
    pub(super) concurrency: Option<Count>,
}

/// Secrets that components read and store, beyond what `flow_type_bindings` names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Secrets {
    /// The team whose secrets are looked for before those of the whole tenant.
    pub(super) team: Option<Name>,
    /// Whether secrets of the user for whom a flow runs are looked for first; no, unless stated.
    pub(super) per_user: bool,
    /// Lists for single components, by their ids: such a component reads nothing beyond its list, and what is on it also
    /// outside of flows.
    pub(super) components: IndexMap<String, Vec<SecretName>>,
    /// Names of the secrets that components which may read them may also store.
    pub(super) write: Vec<SecretName>,
}

/// Settings of a provider.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Provider {
    /// The provider's own settings, checked by the provider when its pack is loaded.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) config: Opaque,
}

/// How packs are loaded.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Packs {
    /// Refuses a pack of which a flow cannot run, instead of disabling the flow.
    pub(super) strict: bool,
    /// What components of overlays may be linked to beyond what components of the main pack import.
    pub(super) overlay_grants: Vec<Grant>,
}

/// A map whose keys are somebody else's. May hold what nobody should read: it is never shown.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Opaque(pub(super) serde_json::Map<String, serde_json::Value>);

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(from)?.unwrap_or_default()))
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{} keys}}", self.0.len())
    }
}
