//! What of that which a tenant's components may ask they do ask: how often, when last, and which component.
//!
//! An invocation counts for itself, and adds what it counted when it ends, so that a host call costs an addition and
//! nothing that is shared. A ledger belongs to a tenant and outlives its packs; it begins with the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::calls::Function;
use super::grants::Grant;
use super::surface::{SURFACE, TOOL_INVOKE};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::id::Id;

/// Components that are told apart. A tenant that loads ever new ones does not fill the host's memory.
const MAX_COMPONENTS: usize = 1024;
/// How the others are called.
const OTHERS: &str = "(others)";

/// What is counted of WASI, where no call passes the host's own functions.
pub(super) const STDOUT: Function = Function { interface: "wasi:cli/stdout", name: "write" };
pub(super) const STDERR: Function = Function { interface: "wasi:cli/stderr", name: "write" };
pub(super) const ENVIRONMENT: Function = Function { interface: "wasi:cli/environment", name: "get-environment" };
pub(super) const FILES: Function = Function { interface: "wasi:filesystem/preopens", name: "get-directories" };
pub(super) const HANDLE: Function = Function { interface: "wasi:http/outgoing-handler", name: "handle" };

/// How often something was used, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// When last.
    pub last: Timestamp,
}

impl Count {
    /// Adds uses of which the last was at `at`.
    pub(crate) fn add(&mut self, times: u64, at: Timestamp) {
        self.times = self.times.saturating_add(times);
        self.last = self.last.max(at);
    }
}

/// What a component was granted and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Used {
    /// Something that takes a grant.
    Grant(Grant),
    /// Its standard output, which is logged.
    Stdout,
    /// Its standard error, which is logged.
    Stderr,
    /// The environment: all of it, as the interface has it.
    Environment,
    /// The packs' assets.
    Assets,
}

impl Used {
    /// What takes a grant, or is granted by bindings, to call `function` of `interface`.
    fn of(function: Function) -> Option<Self> {
        match function.interface {
            interface if interface == STDOUT.interface => Some(Self::Stdout),
            interface if interface == STDERR.interface => Some(Self::Stderr),
            interface if interface == ENVIRONMENT.interface => Some(Self::Environment),
            interface if interface == FILES.interface => Some(Self::Assets),
            interface if interface == HANDLE.interface => Some(Self::Grant(Grant::Http)),
            interface => grant_of(interface, function.name).map(Self::Grant),
        }
    }
}

/// The grant that it takes to call `function` of `interface`. Where an interface takes several, its functions begin with
/// what they are about; one that begins with none of their names takes the one that no function begins with.
fn grant_of(interface: &str, function: &str) -> Option<Grant> {
    if (interface, function) == (TOOL_INVOKE.interface, TOOL_INVOKE.function) {
        return Some(TOOL_INVOKE.needs);
    }
    let offered = SURFACE.iter().find(|offered| offered.name == interface)?;
    let begins = |function: &str, grant: &Grant| function.starts_with(grant.name());
    match offered.needs {
        [] => None,
        [only] => Some(*only),
        several => several
            .iter()
            .find(|grant| begins(function, grant))
            .or_else(|| several.iter().find(|grant| !offered.served.iter().any(|served| begins(served.name, grant))))
            .copied(),
    }
}

/// What a tenant's components used since the process began.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<Id, BTreeMap<Used, Count>>>);

impl Ledger {
    /// Who used `used`, sorted by component.
    pub fn of(&self, used: Used) -> Vec<(Id, Count)> {
        let components = self.0.lock();
        components.iter().filter_map(|(id, uses)| Some((id.clone(), *uses.get(&used)?))).collect()
    }

    fn add(&self, component: &Id, counts: &[(Function, u64)], at: Timestamp) {
        let counts = counts.iter().filter_map(|(function, times)| Some((Used::of(*function)?, *times)));
        let mut components = self.0.lock();
        let full = components.len() >= MAX_COMPONENTS && !components.contains_key(component);
        let uses = components.entry(if full { Id::from(OTHERS) } else { component.clone() }).or_default();
        for (used, times) in counts {
            uses.entry(used).or_default().add(times, at);
        }
    }
}

/// What one invocation has used, to be added to the ledger when it ends, however it does.
#[derive(Debug, Default)]
pub(super) struct Uses {
    counts: Vec<(Function, u64)>,
    to: Option<(Arc<Ledger>, Id)>,
}

impl Uses {
    /// Uses of `component`.
    pub(super) fn of(ledger: &Arc<Ledger>, component: &Id) -> Self {
        Self { counts: Vec::new(), to: Some((Arc::clone(ledger), component.clone())) }
    }

    pub(super) fn count(&mut self, function: Function) {
        match self.counts.iter_mut().find(|(known, _)| known.is(function)) {
            Some((_, times)) => *times += 1,
            None => self.counts.push((function, 1)),
        }
    }
}

impl Drop for Uses {
    fn drop(&mut self) {
        if let Some((ledger, component)) = &self.to
            && !self.counts.is_empty()
        {
            ledger.add(component, &self.counts, SystemClock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_surface_takes_at_most_one_grant_and_every_grant_is_taken() {
        let mut taken = std::collections::BTreeSet::new();
        for offered in SURFACE {
            for function in offered.served {
                let grant = grant_of(offered.name, function.name);
                assert_eq!(grant.is_none(), offered.needs.is_empty(), "{} {}", offered.name, function.name);
                assert!(grant.is_none_or(|grant| offered.needs.contains(&grant) || function.name == "tool-invoke"));
                taken.extend(grant.map(|grant| (offered.name, grant)));
            }
            let own = offered.needs.iter().filter(|grant| !taken.contains(&(offered.name, **grant)));
            assert_eq!(own.collect::<Vec<_>>(), Vec::<&Grant>::new(), "{}: no function takes it", offered.name);
        }
    }

    #[test]
    fn what_was_used_is_added_once_the_invocation_ends() {
        let (ledger, component) = (Arc::new(Ledger::default()), Id::from("c"));
        let mut uses = Uses::of(&ledger, &component);
        let get = Function { interface: "greentic:host/kv-v1@1.0.0", name: "get" };
        for function in [get, get, Function { name: "put", ..get }, STDOUT, HANDLE] {
            uses.count(function);
        }
        uses.count(Function { interface: "greentic:component/control@0.6.0", name: "should-cancel" });
        assert!(ledger.of(Used::Grant(Grant::Kv)).is_empty());
        drop(uses);
        let times = |used| ledger.of(used).into_iter().map(|(id, count)| (id, count.times)).collect::<Vec<_>>();
        assert_eq!(times(Used::Grant(Grant::Kv)), [(component.clone(), 3)]);
        assert_eq!(times(Used::Stdout), [(component.clone(), 1)]);
        assert_eq!(times(Used::Grant(Grant::Http)), [(component, 1)]);
        assert!(times(Used::Environment).is_empty());
    }

    #[test]
    fn components_without_end_are_counted_together() {
        let ledger = Arc::new(Ledger::default());
        for n in 0..MAX_COMPONENTS + 5 {
            ledger.add(&Id::from(format!("c{n}").as_str()), &[(STDOUT, 1)], Timestamp(n as i64));
        }
        let used = ledger.of(Used::Stdout);
        assert_eq!(used.len(), MAX_COMPONENTS + 1);
        let others = used.iter().find(|(id, _)| **id == *OTHERS).unwrap();
        assert_eq!(others.1, Count { times: 5, last: Timestamp(MAX_COMPONENTS as i64 + 4) });
    }
}
