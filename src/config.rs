//! Configuration: a tenant's bindings file, and the process's environment.
//!
//! In: YAML that an operator wrote, and environment variables. Out: checked values with their defaults, or every
//! problem at once, each with file, line and column. This room reads files and variables and nothing else; it knows
//! no secret, only the names of secrets.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::capabilities::grants::Grants;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Location, Result};
use crate::id::Id;
use crate::mcp::Settings;
use crate::outbound;
use crate::secrets::SecretsPolicy;

mod bindings;
mod env;
mod gtbind;
mod mcp;
mod oauth;
mod policy;
#[cfg(test)]
mod tests;
mod timers;
mod units;
mod wasi;
mod webhook;
mod yaml;

pub use crate::oauth::OAuthBroker;
pub use env::{JwtKeys, JwtSettings, PackSettings, RunnerConfig, SecretsSettings, TenantResolver};
pub use gtbind::{EXTENSION as GTBIND, PackBinding};
pub use policy::{OperatorPolicy, RateLimits, RetryPolicy, RunLimits, WebhookPolicy};
pub use timers::{CatchUp, MAX_SCHEDULE_ID, Overlap, Timer};
pub use wasi::WasiPolicy;
pub use webhook::{DigestEncoding, HashFunction, KeyRequired, WebhookScheme, WebhookSettings};

use bindings::{Bindings, FlowTypeBinding};
use units::Name;
use yaml::{Cursor, Finding, Findings};

/// The bytes of a size such as `64MiB`, `500kB` or `12`; none if it is no size, or 0.
pub fn parse_size(text: &str) -> Option<u64> {
    units::ByteSize::parse(text).map(|size| size.0)
}

/// The largest bindings file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// One tenant's configuration. Values that the file does not state have their defaults.
#[derive(Clone)]
pub struct HostConfig {
    tenant: Id,
    file: Option<String>,
    bindings: Bindings,
    webhook: Option<WebhookPolicy>,
    timers: Vec<Timer>,
    mcp: Option<Settings>,
    notes: Vec<Note>,
    pack_binding: Option<PackBinding>,
    secrets_unlimited: bool,
}

/// Something in a bindings file that is valid and has no effect in this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub message: String,
    /// Where it stands.
    pub location: Location,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// How events of one type of flow come in.
#[derive(Clone, Copy)]
pub struct FlowTypeView<'a> {
    /// The adapter's name.
    pub adapter: &'a str,
    /// The adapter's own settings. Not for logs.
    pub config: &'a Map<String, Value>,
}

impl HostConfig {
    /// A tenant with nothing but defaults.
    pub fn for_tenant(tenant: Id) -> Self {
        Self {
            tenant,
            file: None,
            bindings: Bindings::default(),
            webhook: None,
            timers: Vec::new(),
            mcp: None,
            notes: Vec::new(),
            pack_binding: None,
            secrets_unlimited: false,
        }
    }

    /// Reads a bindings file.
    pub fn load_from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_yaml(&read_text(path)?, &path.display().to_string())
    }

    /// Reads the text of a bindings file; `file` names it in errors.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self> {
        let root = yaml::parse(text, file)?;
        let findings = Findings::default();
        let cursor = Cursor::new(&root, &findings);
        let bindings = Bindings::read(cursor);
        policy::check(&bindings, cursor);
        let webhook = policy::webhook_policy(cursor);
        let timers = timers::read(&bindings, cursor);
        let mcp = mcp::read(&bindings, cursor);
        let notes = policy::notes(&bindings, cursor, file);
        let mut findings = findings.into_inner();
        findings.sort_by_key(|finding| finding.place);
        match &bindings.tenant {
            Some(Name(tenant)) if findings.is_empty() => {
                let (tenant, file) = (tenant.clone(), Some(file.to_owned()));
                Ok(Self { file, bindings, webhook, timers, mcp, notes, ..Self::for_tenant(tenant) })
            }
            _ => {
                let summary = format!("{file} has {} problems", findings.len());
                let errors = findings.into_iter().map(|finding: Finding| finding.into_error(file)).collect();
                Err(Error::from_many(Code::BindingsInvalid, summary, errors))
            }
        }
    }

    /// The JSON Schema of bindings files.
    pub fn json_schema() -> Value {
        schemars::schema_for!(Bindings).to_value()
    }

    /// The tenant.
    pub fn tenant(&self) -> &Id {
        &self.tenant
    }

    /// The file that this was read from.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// What the file states without effect in this version, for the operator to see at start.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How events of a type of flow come in.
    pub fn flow_type(&self, flow_type: &str) -> Option<FlowTypeView<'_>> {
        self.bindings.flow_type_bindings.get(flow_type).map(view)
    }

    /// All bound types of flow.
    pub fn flow_types(&self) -> impl Iterator<Item = (&str, FlowTypeView<'_>)> {
        self.bindings.flow_type_bindings.iter().map(|(flow_type, binding)| (flow_type.as_str(), view(binding)))
    }

    /// How chat messages come in.
    pub fn messaging_binding(&self) -> Option<FlowTypeView<'_>> {
        self.flow_type("messaging")
    }

    /// Which paths the generic webhook serves; none if the tenant has no binding for `webhook`.
    pub fn webhook_policy(&self) -> Option<&WebhookPolicy> {
        self.webhook.as_ref()
    }

    /// Which secrets components may read and store: what the bindings name, or all if nothing but `.gtbind` files speak of
    /// the tenant.
    pub fn secrets_policy(&self) -> SecretsPolicy {
        policy::secrets(&self.bindings, self.secrets_unlimited)
    }

    /// The pack that the tenant must serve, if a `.gtbind` file names one.
    pub fn pack_binding(&self) -> Option<&PackBinding> {
        self.pack_binding.as_ref()
    }

    /// How often what failed is tried again.
    pub fn retry_config(&self) -> RetryPolicy {
        RetryPolicy::of(&self.bindings.retry)
    }

    /// How fast messages are sent.
    pub fn rate_limits(&self) -> RateLimits {
        RateLimits::of(&self.bindings.rate_limits)
    }

    /// Flows that start on a schedule.
    pub fn timers(&self) -> &[Timer] {
        &self.timers
    }

    /// Who gives the tokens of other services, if components may ask for any; `env` is the deployment environment where the file states none.
    pub fn oauth_broker_config(&self, env: &Id) -> Option<OAuthBroker> {
        self.bindings.oauth.as_ref().map(|oauth| oauth.broker(env))
    }

    /// What operators may invoke from outside.
    pub fn operator_policy(&self) -> OperatorPolicy {
        OperatorPolicy::of(&self.bindings.operator)
    }

    /// What the file says of tools, if it says anything.
    pub fn mcp(&self) -> Option<&Settings> {
        self.mcp.as_ref()
    }

    /// What components may ask over HTTP.
    pub fn outbound(&self) -> outbound::Policy {
        policy::outbound(&self.bindings)
    }

    /// What one invocation may use.
    pub fn limits(&self) -> Limits {
        policy::limits(&self.bindings.limits)
    }

    /// What one event and its run may use.
    pub fn run_limits(&self) -> RunLimits {
        RunLimits::of(&self.bindings.limits)
    }

    /// How long a run waits for the next event of its session.
    pub fn wait_ttl(&self) -> Duration {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
        self.bindings.sessions.wait_ttl.map_or(WEEK, |ttl| ttl.0)
    }

    /// What the tenant's components may be linked to.
    pub fn grants(&self) -> Grants {
        policy::granted(&self.bindings)
    }

    /// What components of overlays may be linked to, where components of the main pack really import `main`.
    pub fn overlay_grants(&self, main: Grants) -> Grants {
        let further: Grants = self.bindings.packs.overlay_grants.iter().copied().collect();
        self.grants().and(main.or(further))
    }

    /// What components of the main pack have of WASI beyond clocks and random numbers.
    pub fn wasi(&self) -> WasiPolicy {
        let passed = self.pack_binding.as_ref().map_or(&[][..], |binding| &binding.env_passthrough);
        wasi::of_main(&self.bindings.wasi, passed)
    }

    /// What components of overlays have of it.
    pub fn overlay_wasi(&self) -> WasiPolicy {
        wasi::of_overlays(&self.bindings.wasi)
    }

    /// A provider's settings, if the file states any. Not for logs.
    pub fn provider_config(&self, provider: &str) -> Option<&Map<String, Value>> {
        // An entry that states nothing must not hide what the pack declares.
        self.bindings.providers.get(provider).map(|provider| &provider.config.0).filter(|config| !config.is_empty())
    }

    /// The providers that the file has settings for, so that a name no pack has can be reported.
    pub fn configured_providers(&self) -> impl Iterator<Item = &str> {
        self.bindings.providers.keys().map(String::as_str)
    }

    /// The same, but a pack of which anything is wrong is refused if `strict` is set.
    #[must_use]
    pub fn with_strict_packs(mut self, strict: bool) -> Self {
        self.bindings.packs.strict |= strict;
        self
    }

    /// Whether a pack is refused of which a flow cannot run.
    pub fn strict_packs(&self) -> bool {
        self.bindings.packs.strict
    }
}

/// The text of a bindings file.
fn read_text(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| {
        Error::new(Code::Io, format!("the bindings file {} cannot be read: {e}", path.display()))
            .hint("check the path, and that this user may read it")
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(failed)?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("the bindings file is larger than {MAX_BYTES} bytes");
        return Err(Error::new(Code::TooLarge, message).in_file(path).hint("give bindings of one tenant to a file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let message = format!("not valid UTF-8 after byte {}", error.utf8_error().valid_up_to());
        Error::new(Code::BindingsInvalid, message).in_file(path)
    })
}

fn view(binding: &FlowTypeBinding) -> FlowTypeView<'_> {
    FlowTypeView { adapter: &binding.adapter.0, config: &binding.config.0 }
}

impl fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostConfig").field("tenant", &self.tenant).field("file", &self.file).finish_non_exhaustive()
    }
}

impl fmt::Debug for FlowTypeView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowTypeView").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}
