//! One component: what it is, and every way in which it does not fit.

use std::path::Path;

use bytes::Bytes;

use super::report::{ComponentFacts, Finding, GrantName, ImportFacts, TargetKind, TargetReport};
use super::{Against, Checker};
use crate::capabilities::grants::{Grant, Grants};
use crate::conform::{self, Chosen, Compared, ComponentShape, Rule, Severity, Surface, Want};
use crate::engine;
use crate::error::{Code, Error, Result};
use crate::pack::model::Digest;

/// The largest text form of a component that is read, in bytes.
const TEXT: usize = 16 << 20;

/// A component that was looked at.
pub(super) struct Examined {
    pub(super) facts: ComponentFacts,
    /// Why nothing, or not everything, could be learnt of it: damage, bounds, what the engine does not take.
    pub(super) errors: Vec<Error>,
    /// How it does not fit the host.
    pub(super) compared: Compared,
    shape: Option<ComponentShape>,
}

impl Examined {
    /// Whether it can be called as `want`: how, or everything that is in the way.
    pub(super) fn export(&self, want: Want, surface: &Surface) -> Result<Chosen, Vec<conform::Finding>> {
        match &self.shape {
            Some(shape) => conform::export(want, shape, surface),
            None => Err(Vec::new()),
        }
    }

    /// Why the host does not load it, in the words of loading; nothing if it does.
    pub(super) fn refused(&self) -> Option<Error> {
        let first = self.errors.first().cloned();
        first.or_else(|| conform::verdict(&self.facts.name, self.compared.clone()).err())
    }
}

/// Looks at the component called `name`.
pub(super) fn examine(checker: &Checker<'_>, name: &str, bytes: &[u8]) -> Examined {
    let facts =
        ComponentFacts { name: name.to_owned(), digest: Digest::of(bytes).to_string(), ..ComponentFacts::default() };
    let mut examined = Examined { facts, errors: Vec::new(), compared: Compared::default(), shape: None };
    match engine::examine(&checker.options.engine, name, bytes) {
        Ok(needs) => {
            examined.facts.memory = Some(needs.memory_bytes);
            examined.errors.extend(checker.options.limits.admit(name, &needs).err());
        }
        Err(error) => {
            // What is too large or damaged is not read any further; what only cannot be compiled still has an outside.
            let readable = matches!(error.code(), Code::PoolTooSmall | Code::CompileFailed);
            examined.errors.push(error);
            if !readable {
                return examined;
            }
        }
    }
    match conform::inspect(name, bytes) {
        Ok(shape) => {
            examined.compared = conform::compare(&shape, checker.surface, checker.options.grants, &[]);
            examined.facts.imports = imports(&shape, checker.surface, &examined.compared.findings);
            examined.facts.grants = grants(&examined.facts.imports);
            let speaks = [Want::Node, Want::Provider].into_iter();
            examined.facts.speaks = speaks
                .filter_map(|want| conform::export(want, &shape, checker.surface).ok())
                .map(|chosen| chosen.generation.to_string())
                .chain(conform::gives_flows(&shape).then(|| conform::PACK_API.to_owned()))
                .collect();
            examined.shape = Some(shape);
        }
        // Damage that the engine has named already needs no second name.
        Err(error) if examined.errors.is_empty() => examined.errors.push(error),
        Err(_) => {}
    }
    examined
}

fn imports(shape: &ComponentShape, surface: &Surface, findings: &[conform::Finding]) -> Vec<ImportFacts> {
    const LISTED: usize = 200;
    let linked = shape.imports.iter().filter(|(_, interface)| !interface.is_types_only());
    let names = linked.map(|(name, _)| name).chain(shape.imported_functions.keys());
    let facts = names.take(LISTED).map(|name| {
        let shown = conform::shown(name);
        let refused = findings.iter().find(|finding| finding.interface == shown && finding.severity == Severity::Error);
        let rule = match refused {
            Some(finding) => finding.rule,
            None if surface.has_wasi(name) => Rule::AnyPatch,
            None => {
                let note = findings.iter().rfind(|finding| finding.interface == shown);
                note.map_or(Rule::ExactVersion, |note| note.rule)
            }
        };
        let needs = surface.offer(name).map(|(_, offer)| offer.needs.as_slice()).unwrap_or_default();
        ImportFacts {
            name: shown.into_owned(),
            accepted: refused.is_none(),
            rule,
            grants: needs.iter().copied().map(GrantName::from).collect(),
        }
    });
    facts.collect()
}

fn grants(imports: &[ImportFacts]) -> Vec<GrantName> {
    let needed = |grant: &GrantName| imports.iter().any(|import| import.grants.contains(grant));
    Grant::ALL.into_iter().map(GrantName::from).filter(needed).collect()
}

/// The component in the file at `path`.
pub(super) fn file(checker: &Checker<'_>, path: &Path) -> TargetReport {
    match crate::pack::read_file(path, checker.options.load.limits.archive) {
        Ok(read) => bytes(checker, path, read.into()),
        Err(error) => TargetReport::unchecked(path, TargetKind::Component, error),
    }
}

/// The component in `bytes`, which are or might be those of the file at `path`.
pub(super) fn bytes(checker: &Checker<'_>, path: &Path, bytes: Bytes) -> TargetReport {
    let bytes = match binary(path, bytes) {
        Ok(bytes) => bytes,
        Err(error) => return TargetReport::unchecked(path, TargetKind::Component, error),
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let examined = examine(checker, &name, &bytes);
    let no_component = |error: &Error| error.code() == Code::NotAComponent;
    if let Some(error) = examined.errors.iter().find(|error| no_component(error)) {
        return TargetReport::unchecked(path, TargetKind::Component, error.clone());
    }
    let mut report = TargetReport::new(path, TargetKind::Component);
    let wanted = wanted(&examined, checker.surface);
    add(checker, &mut report, examined, wanted, None);
    let unused = crate::pack::unused_description(&bytes, &checker.options.load.limits);
    unused.into_iter().for_each(|note| report.add(note.in_file(path), Severity::Warning));
    report
}

/// What keeps a component from being called at all, when nothing says what it is for: it has to be callable in some
/// way, and what it exports under a name that the host calls has to be right.
fn wanted(examined: &Examined, surface: &Surface) -> Vec<conform::Finding> {
    let Some(shape) = &examined.shape else { return Vec::new() };
    let (node, provider) = (examined.export(Want::Node, surface), examined.export(Want::Provider, surface));
    let callable = node.is_ok() || provider.is_ok() || conform::gives_flows(shape);
    let exports =
        |finding: &conform::Finding| shape.exports.keys().any(|name| conform::shown(name) == finding.interface);
    let (node, provider) = (node.err().unwrap_or_default(), provider.err().unwrap_or_default());
    let wrong: Vec<_> = node.iter().chain(&provider).filter(|finding| exports(finding)).cloned().collect();
    if callable || !wrong.is_empty() { wrong } else { node }
}

/// Puts what was learnt of a component into the report of its target. `found_in` is the file or entry in which it
/// lies, if that is not the target itself.
pub(super) fn add(
    checker: &Checker<'_>,
    report: &mut TargetReport,
    examined: Examined,
    wanted: Vec<conform::Finding>,
    found_in: Option<&str>,
) {
    let path = found_in.unwrap_or(&report.path).to_owned();
    let fitted = checker.against.zip(examined.shape.as_ref()).map(|(against, shape)| earlier(against, shape, checker));
    for error in examined.errors {
        report.add(error.in_file(&path), Severity::Error);
    }
    for finding in examined.compared.findings.into_iter().chain(wanted) {
        let new = fitted.as_ref().map(|earlier| !earlier.iter().any(|other| is_same(other, &finding)));
        report.push(Finding { new, ..Finding::of_component(finding, &examined.facts.name, &path) });
    }
    report.omitted += examined.compared.omitted;
    report.components.push(examined.facts);
}

/// What the recorded surface would have found.
fn earlier(against: &Against, shape: &ComponentShape, checker: &Checker<'_>) -> Vec<conform::Finding> {
    let grants: Grants = checker.options.grants;
    conform::compare(shape, &against.surface, grants, &[Want::Node, Want::Provider]).findings
}

fn is_same(a: &conform::Finding, b: &conform::Finding) -> bool {
    (a.code, &a.interface, &a.item, &a.asked) == (b.code, &b.interface, &b.item, &b.asked)
}

/// The binary form of a component that may be given as text.
fn binary(path: &Path, bytes: Bytes) -> Result<Bytes> {
    if bytes.starts_with(b"\0asm") || path.extension().is_none_or(|extension| extension != "wat") {
        return Ok(bytes);
    }
    if bytes.len() > TEXT {
        let message = format!("the text is larger than {} MiB", TEXT >> 20);
        return Err(Error::new(Code::TooLarge, message).in_file(path).hint("give the component in binary form"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| not_text(path, "it is not UTF-8"))?;
    wat::parse_str(text).map(Bytes::from).map_err(|error| not_text(path, &first_line(&error.to_string())))
}

fn first_line(text: &str) -> String {
    crate::id::clip(text.lines().next().unwrap_or_default())
}

fn not_text(path: &Path, why: &str) -> Error {
    Error::new(Code::NotAComponent, format!("{} is no component in text form: {why}", path.display()))
        .hint("give a .wasm component, or a .wat that `wasm-tools parse` accepts")
}
