//! What a run executes: a tenant's pack, prepared. Immutable; a reload makes a new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::abi::Prepared;
use crate::capabilities::AssetsDir;
use crate::config::RunLimits;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::flow::cards::Cards;
use crate::flow::model::{FlowSet, Retry};
use crate::id::Id;
use crate::pack::Assets;
use crate::pack::model::Digest;

/// A tenant's pack, prepared.
#[derive(Debug)]
pub struct Program {
    /// The tenant.
    pub tenant: Id,
    /// The deployment environment.
    pub env: Id,
    /// The pack's id.
    pub pack: Id,
    /// The pack's version.
    pub version: semver::Version,
    /// The pack's digest.
    pub digest: Digest,
    /// The pack's flows.
    pub flows: FlowSet,
    /// The pack's cards and texts, for payloads that name them.
    pub cards: Cards,
    /// Its components by id.
    pub components: HashMap<Id, Arc<Prepared>>,
    /// Its providers by id.
    pub providers: HashMap<Id, Provider>,
    /// The pack's assets.
    pub assets: Assets,
    /// The same as files, if a component of the pack reads files.
    pub assets_dir: Option<Arc<AssetsDir>>,
    /// Limits of one invocation.
    pub limits: Limits,
    /// Limits of one run.
    pub run_limits: RunLimits,
    /// How nodes that say nothing of it repeat a failed call that the component calls retryable.
    pub retry: Retry,
    /// Time after which a wait is given up.
    pub wait_ttl: Duration,
}

/// A provider of the pack.
#[derive(Debug)]
pub struct Provider {
    /// The component that implements it.
    pub component: Arc<Prepared>,
    /// The component's id in the pack.
    pub component_id: Id,
    /// The configuration to pass as input key `config`; none if the provider does not ask for one.
    pub config: Option<Value>,
}

/// Where the lanes find the programs.
pub trait Programs: Send + Sync + 'static {
    /// The tenant's program now, if a pack is loaded.
    fn program(&self, tenant: &str) -> Option<Arc<Program>>;
}

impl Program {
    /// A component that a compiled flow names.
    pub fn component(&self, id: &Id) -> Result<&Arc<Prepared>> {
        self.components.get(id).ok_or_else(|| Error::new(Code::ComponentUnknown, format!("no component {id}")))
    }

    /// A provider that a compiled flow names.
    pub fn provider(&self, id: &Id) -> Result<&Provider> {
        self.providers.get(id).ok_or_else(|| Error::new(Code::ProviderUnknown, format!("no provider {id}")))
    }
}
