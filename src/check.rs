//! Checking: would these components and packs run on this host, and if not, what is in the way?
//!
//! In: paths of components, packs and directories, what they are granted, and where their components lie. Out: a
//! [`Report`] with every finding about each of them. The findings are those of the rooms that load packs, in the same
//! words: [`conform`](crate::conform) compares, [`engine`](crate::engine) knows its bounds, [`pack`](crate::pack)
//! reads, [`flow`](crate::flow) compiles. This room gathers and weighs them, and writes them down in formats for
//! people and for tools.
//!
//! No component is compiled or run here, so what only a running component tells (the operations that it describes,
//! whether a provider takes its configuration) is not known. A target that cannot be read never keeps the others from
//! being checked.

mod component;
mod junit;
mod pack;
mod report;
mod sarif;
mod surfaces;
mod targets;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub use junit::junit;
pub use report::{
    ComponentFacts, Finding, GrantName, ImportFacts, PackFacts, Place, Report, Status, Summary, TargetKind,
    TargetReport,
};
pub use sarif::sarif;
pub use text::{Style, text};

use crate::capabilities::grants::Grants;
use crate::config::{PackBinding, Timer};
use crate::conform::{Record, Severity, Surface};
use crate::engine::EngineOptions;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::pack::{LoadOptions, Pack};
use targets::{Expanded, Target};

/// What targets are checked against.
#[derive(Clone, Debug)]
pub struct Options {
    /// What components are granted.
    pub grants: Grants,
    /// What an invocation may use.
    pub limits: Limits,
    /// What the engine compiles and has room for.
    pub engine: EngineOptions,
    /// Where components lie that packs do not hold, and how large packs may be.
    pub load: LoadOptions,
    /// The pack that the tenant must serve: every pack that is checked has to be that one.
    pub bound: Option<PackBinding>,
    /// The tenant's timers, whose flows are looked for in every pack that is checked.
    pub timers: Vec<Timer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grants: Grants::all(),
            limits: Limits::default(),
            engine: EngineOptions::default(),
            load: LoadOptions::default(),
            bound: None,
            timers: Vec::new(),
        }
    }
}

/// A surface that was recorded by this or another version of the host.
#[derive(Debug)]
pub struct Against {
    version: String,
    surface: Surface,
}

impl Against {
    /// Reads what `surface --format json` wrote.
    ///
    /// # Errors
    ///
    /// [`Code::SurfaceInvalid`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let record = Record::from_json(bytes)?;
        Ok(Self { version: record.version.clone(), surface: record.surface()? })
    }
}

/// Checks `targets`. Findings that the recorded surface of `against` would not give are marked: an upgrade from it to
/// this host brings them. With no targets at all, this host's surface is compared with the recorded one.
///
/// It blocks: call it where blocking is allowed.
///
/// # Errors
///
/// [`Code::Internal`] only; what is wrong with a target is in the report.
pub fn check(targets: &[PathBuf], options: &Options, against: Option<&Against>) -> Result<Report> {
    let checker = Checker { options, surface: Surface::host()?, against };
    let mut reports = Vec::new();
    if targets.is_empty()
        && let Some(against) = against
    {
        reports.push(surfaces::compare(checker.surface, against));
    }
    for path in targets {
        match targets::expand(path, &options.load) {
            Ok(found) => reports.extend(found.into_iter().map(|target| checker.target(target))),
            Err(error) => reports.push(TargetReport::unchecked(path, TargetKind::Unknown, error)),
        }
    }
    same_ids(&mut reports);
    Ok(Report::new(reports, against.map(|against| against.version.clone())))
}

/// Checks one component or pack from memory, as the file `name` would be: a component if that ends in `.wasm` or
/// `.wat`, else an archive.
///
/// # Errors
///
/// As [`check`].
pub fn check_bytes(name: &str, bytes: impl Into<Bytes>, options: &Options) -> Result<Report> {
    let checker = Checker { options, surface: Surface::host()?, against: None };
    let (path, bytes) = (Path::new(name), bytes.into());
    let report = match targets::is_component(path) {
        true => component::bytes(&checker, path, bytes),
        false => pack::checked(&checker, path, load_bytes(bytes, name, &options.load)),
    };
    Ok(Report::new(vec![report], None))
}

fn load_bytes(bytes: Bytes, name: &str, options: &LoadOptions) -> Result<Pack> {
    crate::pack::load_bytes(bytes, name, &LoadOptions { keep_going: true, ..options.clone() })
}

/// What every target is checked with.
struct Checker<'a> {
    options: &'a Options,
    surface: &'static Surface,
    against: Option<&'a Against>,
}

impl Checker<'_> {
    fn target(&self, target: Target) -> TargetReport {
        match target.content {
            Expanded::Component => pack::single(self, &target.path),
            Expanded::Pack(loaded) => pack::checked(self, &target.path, *loaded),
        }
    }
}

/// Packs that say they are the same and are not: a later one would take the place, sessions and state of the other.
fn same_ids(reports: &mut [TargetReport]) {
    let mut seen: HashMap<String, (String, PackFacts)> = HashMap::new();
    for report in reports {
        let Some(facts) = report.pack.clone() else { continue };
        let Some((path, other)) = seen.get(&facts.id) else {
            seen.insert(facts.id.clone(), (report.path.clone(), facts));
            continue;
        };
        // A pack that is built, and what it is built from, are not two packs.
        let rebuilt = other.form == facts.form && other.version == facts.version && other.digest != facts.digest;
        let differs = other.publisher != facts.publisher || rebuilt;
        if differs {
            let message = format!(
                "pack {} {} by {} has the id of pack {} by {} in {path}, and is another one",
                facts.id, facts.version, facts.publisher, other.version, other.publisher
            );
            let hint =
                "a tenant takes packs of one id for versions of one pack: give each its own id, or raise the version";
            let error = Error::new(Code::PackIdTaken, message).hint(hint);
            report.add(error, Severity::Warning);
        }
    }
}
