//! One pack: what its declarations say, how its components fit, and whether its flows can run on them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indexmap::IndexMap;

use super::Checker;
use super::component::{self, Examined};
use super::report::{PackFacts, TargetKind, TargetReport};
use crate::config::Timer;
use crate::conform::{self, Severity, Surface, Want};
use crate::error::{Code, Error, Result};
use crate::flow::compile::compile;
use crate::flow::hint::did_you_mean;
use crate::flow::model::{Action, FlowSet, FlowState};
use crate::id::{Id, clip};
use crate::pack::model::{Pack, PackForm};
use crate::pack::{Callee, Declared};

/// Errors that say that nothing was checked: what is at the path is no pack, or cannot be read.
const UNCHECKED: [Code; 3] = [Code::Io, Code::PackKind, Code::ArchiveInvalid];

/// Whether a file is too large to be read at all.
fn is_unread(checker: &Checker<'_>, path: &Path) -> bool {
    let limit = checker.options.load.limits.archive;
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() > limit)
}

/// The pack at `path`, or why it does not load.
pub(super) fn checked(checker: &Checker<'_>, path: &Path, loaded: Result<Pack>) -> TargetReport {
    let pack = match loaded {
        Ok(pack) => pack,
        Err(error) if UNCHECKED.contains(&error.code()) || is_unread(checker, path) => {
            return TargetReport::unchecked(path, TargetKind::Pack, error);
        }
        Err(error) => {
            let mut report = TargetReport::new(path, TargetKind::Pack);
            report.add(error, Severity::Error);
            return report;
        }
    };
    if pack.form == PackForm::Wasm {
        return component::file(checker, path);
    }
    let mut report = TargetReport::new(path, TargetKind::Pack);
    not_bound(checker, &pack).into_iter().for_each(|error| report.add(error, Severity::Error));
    pack.faults.iter().for_each(|fault| report.add(fault.clone(), Severity::Error));
    pack.notes.iter().for_each(|note| report.add(note.clone(), Severity::Warning));
    let examined: IndexMap<Id, Examined> = pack
        .components
        .values()
        .map(|component| (component.id.clone(), component::examine(checker, &component.id, &component.wasm)))
        .collect();
    let called = RefCell::new(BTreeSet::new());
    let flows = compile(
        &pack.flows,
        &Declared {
            pack: &pack,
            callable: &|callee| {
                let (id, want) = match callee {
                    Callee::Component(id) => {
                        called.borrow_mut().insert(id.clone());
                        (id, Want::Node)
                    }
                    Callee::Provider(decl) => (&decl.component, Want::Provider),
                };
                examined.get(id).map_or(Ok(()), |examined| callable(examined, want, checker.surface))
            },
        },
    );
    let called = called.into_inner();
    report.pack = Some(facts(&pack, &flows));
    let unused = unused(&pack, &flows, &called);
    for (id, examined) in examined {
        let wanted = wanted(&pack, &id, &examined, checker.surface, &called);
        let found_in = pack.components.get(&id).map(|component| component.found_in.as_str());
        component::add(checker, &mut report, examined, wanted, found_in);
    }
    without_flow(checker, &pack, &flows).into_iter().for_each(|error| report.add(error, Severity::Warning));
    add_flows(&mut report, flows);
    unused.into_iter().for_each(|note| report.add(note, Severity::Note));
    report
}

/// How the pack is not the one that the bindings name, in the words of loading.
fn not_bound(checker: &Checker<'_>, pack: &Pack) -> Vec<Error> {
    let Some(bound) = &checker.options.bound else { return Vec::new() };
    let same = bound.check(&pack.id, &pack.version, &pack.digest.to_string());
    // Which flows a component holds, only the running component tells.
    let known = pack.form != PackForm::Wasm;
    let flows = known.then(|| bound.check_flows(&pack.id, pack.flows.iter().map(|flow| &flow.id)));
    same.err().into_iter().chain(flows.and_then(Result::err)).collect()
}

/// The tenant's timers whose flow the pack does not have. A pack without flows lies over one that has them.
fn without_flow(checker: &Checker<'_>, pack: &Pack, flows: &FlowSet) -> Vec<Error> {
    let unknown = |timer: &&Timer| !flows.flows.is_empty() && !flows.flows.contains_key(&timer.flow_id);
    let told = |timer: &Timer| {
        let (schedule_id, flow) = (clip(&timer.schedule_id), &*timer.flow_id);
        let message = format!("timer {schedule_id:?} starts flow {flow:?}, which pack {} does not have", pack.id);
        let flows = flows.flows.keys().map(|id| &**id);
        Error::new(Code::TimerFlow, message).hint(did_you_mean(flow, "flows", flows))
    };
    checker.options.timers.iter().filter(unknown).map(told).collect()
}

/// The component at `path`, which may be the whole pack that the bindings name.
pub(super) fn single(checker: &Checker<'_>, path: &Path) -> TargetReport {
    let mut report = component::file(checker, path);
    if checker.options.bound.is_some()
        && let Ok(pack) = crate::pack::load_component(path, &checker.options.load)
    {
        not_bound(checker, &pack).into_iter().for_each(|error| report.add(error, Severity::Error));
    }
    report
}

/// Whether the host would call the component as `want`, in the words of loading.
fn callable(examined: &Examined, want: Want, surface: &Surface) -> Result<()> {
    if let Some(error) = examined.refused() {
        return Err(error);
    }
    let name = &examined.facts.name;
    examined.export(want, surface).map(drop).map_err(|findings| conform::refusal(name, findings))
}

fn facts(pack: &Pack, flows: &FlowSet) -> PackFacts {
    let ready = |(id, flow): (&Id, &FlowState)| matches!(flow, FlowState::Ready(_)).then(|| id.to_string());
    PackFacts {
        id: pack.id.to_string(),
        version: pack.version.to_string(),
        publisher: pack.publisher.clone(),
        form: pack.form,
        digest: pack.digest.to_string(),
        flows: flows.flows.iter().filter_map(ready).collect(),
    }
}

fn add_flows(report: &mut TargetReport, flows: FlowSet) {
    for flow in flows.flows.into_values() {
        if let FlowState::Disabled { reason, .. } = flow {
            report.add(reason, Severity::Error);
        }
    }
    flows.notes.into_iter().for_each(|note| report.add(note, Severity::Warning));
}

/// What keeps component `id` from being called as the pack wants to call it: by flows, by providers.
fn wanted(
    pack: &Pack,
    id: &Id,
    examined: &Examined,
    surface: &Surface,
    called: &BTreeSet<Id>,
) -> Vec<conform::Finding> {
    let by_flows = called.contains(id).then_some(Want::Node);
    let by_providers = pack.providers.values().any(|decl| decl.component == *id).then_some(Want::Provider);
    let wants = by_flows.into_iter().chain(by_providers);
    wants.flat_map(|want| examined.export(want, surface).err().unwrap_or_default()).collect()
}

/// Components that nothing calls, and declared operations that no flow calls. A pack without flows is there for the
/// flows of others.
fn unused(pack: &Pack, flows: &FlowSet, called: &BTreeSet<Id>) -> Vec<Error> {
    if pack.flows.is_empty() {
        return Vec::new();
    }
    let ops = called_ops(flows);
    let whole = flows.flows.values().all(|flow| matches!(flow, FlowState::Ready(_)));
    let mut notes = Vec::new();
    for component in pack.components.values() {
        let is_provider = pack.providers.values().any(|decl| decl.component == component.id);
        if !called.contains(&component.id) {
            if !is_provider {
                let message = format!("no flow calls component {:?}, and no provider names it", &*component.id);
                notes.push(Error::new(Code::ExportUnused, message).hint("call it, or leave it out of the pack"));
            }
            continue;
        }
        // The calls of a flow that cannot run are not all known.
        let idle = |op: &&str| whole && !ops.get(&component.id).is_some_and(|called| called.contains(*op));
        let idle: Vec<&str> = component.operations.iter().map(|op| op.name.as_str()).filter(idle).collect();
        if !idle.is_empty() {
            let message = format!("no flow calls {} of component {:?}", idle.join(", "), &*component.id);
            notes.push(Error::new(Code::ExportUnused, message).hint("nothing has to be done"));
        }
    }
    notes
}

/// The operations that flows call, by component.
fn called_ops(flows: &FlowSet) -> BTreeMap<Id, BTreeSet<&str>> {
    let mut ops: BTreeMap<Id, BTreeSet<&str>> = BTreeMap::new();
    for flow in flows.flows.values() {
        let FlowState::Ready(flow) = flow else { continue };
        for node in &flow.nodes {
            if let Action::Component(call) = &node.action {
                ops.entry(call.component.clone()).or_default().insert(&call.op);
            }
        }
    }
    ops
}
