//! Judging one imported interface: is it offered, in a version that fits, with types that are equal or can be
//! converted, and granted? What is not refused is linked as was decided here.
//!
//! **The version rule.** The exact version is taken if it is offered. Otherwise one is that semantic versioning calls
//! compatible: the same major version from 1.0 on, the same minor version below, and below 0.1 the same patch version;
//! never for pre-releases. Of several the latest that is not later than the one asked for, else the earliest. The
//! number is not believed: every imported function must be there, and its types are compared, as for the exact version.

use semver::Version;

use super::absent;
use super::bridge::bridge;
use super::finding::{Finding, Rule, Severity};
use super::model::Interface;
use super::names::{is_compatible, nearest, shown, split_version};
use super::plan::Conversion;
use super::shape::ComponentShape;
use super::surface::{Offer, Surface};
use super::trail::Difference;
use super::types::Differ;
use crate::capabilities::grants::{Grant, Grants};
use crate::capabilities::served::{Reads, Served};
use crate::capabilities::surface::{Interface as Offered, KnownShape, SURFACE, TOOL_INVOKE, needed_by_wasi};
use crate::error::Code;
use crate::mcp::OFFERED;

/// An imported interface and how it is linked.
#[derive(Debug)]
pub struct Link {
    /// The name under which the component imports it.
    pub name: String,
    /// The host's interface.
    pub interface: &'static Offered,
    /// By which functions.
    pub how: How,
}

/// By which functions an interface is linked.
#[derive(Debug)]
pub enum How {
    /// By the generated ones: name and types are the host's own.
    Generated,
    /// By typed ones for a shape that is known.
    Known(&'static KnownShape),
    /// By conversions, for each function that the component imports.
    Converted(Vec<(&'static Served, Conversion)>),
}

/// What is to be said of an import, and how it is linked if nothing speaks against it.
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    pub(super) link: Option<Link>,
}

impl Judged {
    fn refused(finding: Finding) -> Self {
        Self { findings: vec![finding], link: None }
    }
}

/// How each interface is linked that a component of this `shape` imports and may be given.
pub fn links(shape: &ComponentShape, surface: &Surface, grants: Grants) -> Vec<Link> {
    let imports = shape.imports.iter().filter(|(_, interface)| !interface.is_types_only());
    imports.filter_map(|(name, interface)| judge(name, interface, surface, grants).link).collect()
}

/// The grants that it takes to be given everything that a component of this `shape` imports.
pub fn needs(shape: &ComponentShape, surface: &Surface) -> Grants {
    let imports = || shape.imports.iter().filter(|(_, interface)| !interface.is_types_only());
    let needs =
        imports().filter_map(|(name, _)| surface.offer(name)).flat_map(|(_, offer)| offer.needs.iter().copied());
    needs.chain(imports().filter_map(|(name, _)| needed_by_wasi(name))).collect()
}

/// Judges the import of `asked` under `name`. Of a surface on record nothing can be linked, but the same is said.
pub(super) fn judge(name: &str, asked: &Interface, surface: &Surface, grants: Grants) -> Judged {
    if surface.has_wasi(name) {
        return Judged { findings: Vec::new(), link: None };
    }
    let Some((offered, offer)) = surface.offer(name) else {
        return Judged::refused(foreign(name, surface));
    };
    let own = SURFACE.iter().find(|own| own.name == offered);
    let mut findings = not_granted(name, offer, grants);
    let mut functions = Vec::new();
    for (function, asked) in &asked.functions {
        let Some(offered) = offer.interface.functions.get(function) else {
            findings.push(unknown_function(name, function, offer));
            continue;
        };
        let served = own.and_then(|own| own.served.iter().find(|served| served.name == function));
        let reads: &[Reads] = served.map_or(&[], |served| served.reads);
        match bridge(function, asked, offered, reads) {
            Ok(conversion) => functions.extend(served.map(|served| (served, conversion))),
            Err(blocking) => findings.extend(blocking.into_iter().map(|d| of_type(name, d))),
        }
    }
    let lacking = asked.resources.iter().filter(|resource| !offer.interface.resources.contains(resource));
    findings.extend(lacking.map(|resource| unknown_resource(name, resource)));
    if !findings.is_empty() {
        return Judged { findings, link: None };
    }
    findings.extend(denied_at_call(name, offered, asked, grants));
    let exact = name == offered;
    if !exact {
        findings.push(compatible(name, offered));
    }
    let notes = differences(asked, &offer.interface);
    let how = match notes.is_empty() {
        true if exact => How::Generated,
        _ => match known(asked, offer) {
            Some(shape) => How::Known(shape),
            None => How::Converted(functions),
        },
    };
    findings.extend(notes.into_iter().map(|difference| converted(name, difference)));
    Judged { findings, link: own.map(|interface| Link { name: name.to_owned(), interface, how }) }
}

/// The differences between the functions that are asked for and those of the same names.
fn differences(asked: &Interface, offered: &Interface) -> Vec<Difference> {
    let mut differ = Differ::default();
    let pairs = asked.functions.iter().filter_map(|(name, asked)| Some((name, asked, offered.functions.get(name)?)));
    pairs.flat_map(|(name, asked, offered)| differ.function(name, asked, offered)).collect()
}

/// The known shape that `asked` has.
fn known(asked: &Interface, offer: &Offer) -> Option<&'static KnownShape> {
    offer.known.iter().find(|(_, shape)| differences(asked, shape).is_empty()).map(|(known, _)| *known)
}

fn of_type(name: &str, difference: Difference) -> Finding {
    Finding {
        item: difference.item,
        asked: Some(difference.asked),
        offered: Some(difference.offered),
        nearest: difference.nearest,
        ..Finding::new(Code::ImportType, name, Rule::Convertible)
    }
}

fn converted(name: &str, difference: Difference) -> Finding {
    Finding {
        item: difference.item,
        asked: Some(difference.asked),
        offered: Some(difference.offered),
        severity: Severity::Note,
        ..Finding::new(Code::ImportConverted, name, Rule::Converted)
    }
}

fn compatible(name: &str, offered: &str) -> Finding {
    let version = |name| split_version(name).1.map(|version| version.to_string());
    Finding {
        asked: version(name),
        offered: version(offered),
        severity: Severity::Note,
        ..Finding::new(Code::ImportCompatible, name, Rule::CompatibleVersion)
    }
}

fn unknown_resource(name: &str, resource: &str) -> Finding {
    Finding {
        item: format!("resource {}", shown(resource)),
        asked: Some("a resource".to_owned()),
        offered: Some("nothing".to_owned()),
        ..Finding::new(Code::ImportType, name, Rule::Convertible)
    }
}

/// An import that the host knows in no version that fits.
fn foreign(name: &str, surface: &Surface) -> Finding {
    let (interface, version) = split_version(name);
    let known: Vec<&str> =
        surface.imports().keys().map(String::as_str).filter(|known| split_version(known).0 == interface).collect();
    if !known.is_empty() {
        return other_version(name, version.as_ref(), &known);
    }
    if surface.wasi().iter().any(|known| known == interface) {
        return Finding {
            asked: version.map(|version| version.to_string()),
            offered: Some("0.2, in any patch version".to_owned()),
            hint: Some("build the component for WASI 0.2".to_owned()),
            ..Finding::new(Code::ImportVersion, name, Rule::AnyPatch)
        };
    }
    if let Some((nearest, hint)) = absent::find(name, surface) {
        let hint = Some(hint.to_owned());
        return Finding { nearest, hint, ..Finding::new(Code::ImportUnknown, name, Rule::KnownInterface) };
    }
    let candidates = surface.imports().keys().chain(surface.wasi()).map(String::as_str);
    let nearest = nearest(name, candidates);
    let hint = match &nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "compose the component with one that exports it (`wac plug`), or build it without".to_owned(),
    };
    Finding { nearest, hint: Some(hint), ..Finding::new(Code::ImportUnknown, name, Rule::KnownInterface) }
}

fn other_version(name: &str, asked: Option<&Version>, known: &[&str]) -> Finding {
    let versions: Vec<String> =
        known.iter().filter_map(|known| split_version(known).1).map(|version| version.to_string()).collect();
    let listed = versions.join(", ");
    let hint = match asked {
        None => format!("name the version: the host offers {listed}"),
        Some(_) => format!("build the component against {listed}"),
    };
    Finding {
        asked: asked.map(ToString::to_string),
        offered: Some(listed),
        nearest: known.last().map(|known| (*known).to_owned()),
        hint: Some(hint),
        ..Finding::new(Code::ImportVersion, name, Rule::CompatibleVersion)
    }
}

fn not_granted(name: &str, offer: &Offer, grants: Grants) -> Vec<Finding> {
    let missing = offer.needs.iter().filter(|grant| !grants.has(**grant));
    missing
        .map(|grant| Finding {
            asked: Some(grant.name().to_owned()),
            hint: Some(how_to_grant(*grant)),
            ..Finding::new(Code::ImportNotGranted, name, Rule::Granted)
        })
        .collect()
}

/// What is linked and answers `denied`, because this tenant or this host has nothing behind it.
fn denied_at_call(name: &str, offered: &str, asked: &Interface, grants: Grants) -> Option<Finding> {
    let is_asked = offered == TOOL_INVOKE.interface && asked.functions.contains_key(TOOL_INVOKE.function);
    let (code, why, hint) = match (OFFERED, grants.has(TOOL_INVOKE.needs)) {
        _ if !is_asked => return None,
        (true, true) => return None,
        (false, _) => (
            Code::ToolsMissing,
            "this host was built without the feature `mcp`",
            "build the host with `--features mcp`, and name the tools in the block `mcp` of the tenant's bindings"
                .to_owned(),
        ),
        (true, false) => (Code::ToolsDenied, "the tenant has no tools", how_to_grant(TOOL_INVOKE.needs)),
    };
    Some(Finding {
        item: TOOL_INVOKE.function.to_owned(),
        asked: Some(TOOL_INVOKE.needs.name().to_owned()),
        offered: Some(why.to_owned()),
        severity: Severity::Warning,
        hint: Some(hint),
        ..Finding::new(code, name, Rule::AskedAtCall)
    })
}

fn how_to_grant(grant: Grant) -> String {
    match grant {
        Grant::OAuth => "add the block `oauth` to the tenant's bindings, with a broker or with providers".to_owned(),
        Grant::Mcp => {
            "add an `mcp` block to the tenant's bindings; `grants`, if it is there, has to name `mcp`".to_owned()
        }
        grant => format!("grant `{grant}` to the pack in the tenant's bindings"),
    }
}

fn unknown_function(name: &str, function: &str, offer: &Offer) -> Finding {
    let known = || offer.interface.functions.keys().map(String::as_str);
    Finding {
        item: shown(function).into_owned(),
        nearest: nearest(function, known()),
        hint: Some(format!("the interface has {}", known().collect::<Vec<_>>().join(", "))),
        ..Finding::new(Code::ImportFunction, name, Rule::KnownFunction)
    }
}

/// The name of the interface among `offered` that serves `asked` by the version rule.
pub(super) fn serving<'a>(asked: &str, offered: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if let Some(exact) = offered.clone().find(|name| *name == asked) {
        return Some(exact);
    }
    let (base, version) = split_version(asked);
    let version = version?;
    let compatible = || {
        let versions = offered.clone().filter_map(|name| match split_version(name) {
            (other, Some(version)) if other == base => Some((version, name)),
            _ => None,
        });
        versions.filter(|(offered, _)| is_compatible(&version, offered))
    };
    let latest = compatible().filter(|(offered, _)| *offered <= version).max_by(|a, b| a.0.cmp(&b.0));
    latest.or_else(|| compatible().min_by(|a, b| a.0.cmp(&b.0))).map(|(_, name)| name)
}
