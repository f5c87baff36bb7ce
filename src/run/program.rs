//! What a run executes: a tenant's pack, prepared. Immutable; a reload makes a new one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::abi::{Prepared, Surroundings};
use crate::capabilities::AssetsDir;
use crate::capabilities::services::Services;
use crate::config::RunLimits;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::flow::cards::Cards;
use crate::flow::model::{FlowSet, Retry};
use crate::id::Id;
use crate::pack::Assets;
use crate::pack::model::Digest;
use crate::pack::overlay::PackIdentity;

/// A tenant's pack, prepared.
#[derive(Debug)]
pub struct Program {
    /// The tenant.
    pub tenant: Id,
    /// The deployment environment.
    pub env: Id,
    /// The main pack's id: sessions, state and what waits are kept under it, whatever lies over it.
    pub pack: Id,
    /// The main pack's version.
    pub version: semver::Version,
    /// The digest of all packs in their order; that of the main pack if it is the only one.
    pub digest: Digest,
    /// The packs that it is made of, the main pack first.
    pub packs: Vec<PackIdentity>,
    /// The pack's flows.
    pub flows: FlowSet,
    /// The pack's cards and texts, for payloads that name them.
    pub cards: Cards,
    /// Its components by id.
    pub components: HashMap<Id, Arc<Prepared>>,
    /// Those of them that came with overlays.
    pub overlaid: HashSet<Id>,
    /// Its providers by id, those that operators stored among them, or why one of those cannot be called.
    pub providers: HashMap<Id, Result<Provider>>,
    /// The pack's assets.
    pub assets: Assets,
    /// The same as files, if a component of the pack reads files.
    pub assets_dir: Option<Arc<AssetsDir>>,
    /// What its guests may ask beside the store.
    pub services: Services,
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
    /// Whether `component` is what it has under `id`.
    pub fn holds(&self, id: &Id, component: &Arc<Prepared>) -> bool {
        self.components.get(id).is_some_and(|own| Arc::ptr_eq(own, component))
    }

    /// What this component may ask beside the store.
    pub fn services_of(&self, component: &Id) -> Services {
        let services = self.services.clone();
        if self.overlaid.contains(component) { services.of_overlay() } else { services }
    }

    /// What this component finds when it is called outside of any session.
    pub fn surroundings(&self, component: &Id) -> Surroundings {
        Surroundings { assets: self.assets_dir.clone(), services: self.services_of(component) }
    }

    /// A component that a compiled flow names.
    pub fn component(&self, id: &Id) -> Result<&Arc<Prepared>> {
        self.components.get(id).ok_or_else(|| Error::new(Code::ComponentUnknown, format!("no component {id}")))
    }

    /// A provider that a compiled flow names.
    pub fn provider(&self, id: &Id) -> Result<&Provider> {
        let provider = self.providers.get(id);
        let provider = provider.ok_or_else(|| Error::new(Code::ProviderUnknown, format!("no provider {id}")))?;
        provider.as_ref().map_err(Clone::clone)
    }
}
