//! Choosing the export by which a component is called: which generation it is of, and what is wrong with it if none.

use super::filling::{Contract, NamedCall, Unfit};
use super::finding::{Finding, Rule};
use super::generation::{
    self, CALLED, COMPONENT_API, EXPORTS_0_2, Generation, NODE_0_4, NODE_0_5, NODE_0_6, PACK_EXEC, Shape,
};
use super::model::Interface;
use super::names::{nearest, shown};
use super::shape::ComponentShape;
use super::surface::Surface;
use super::trail::Difference;
use super::types::Differ;
use crate::error::Code;

/// What a component is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To be a node of a flow.
    Node,
    /// To be a provider.
    Provider,
}

impl Want {
    /// The interfaces of which it must export at least one, the best first.
    pub fn any_of(self) -> &'static [&'static str] {
        match self {
            Self::Node => generation::NODES,
            Self::Provider => generation::PROVIDERS,
        }
    }
}

/// How a component is called for what it is wanted for.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The generation that it speaks.
    pub generation: Generation,
    /// How it is called by the names of its fields; none if its types are those of the host.
    pub call: Option<NamedCall>,
}

/// The export by which a component of this `shape` is called for `want`: the best one that fits.
///
/// # Errors
///
/// What is wrong with those that are there, or that none is.
pub fn export(want: Want, shape: &ComponentShape, surface: &Surface) -> Result<Chosen, Vec<Finding>> {
    let mut findings = Vec::new();
    for name in want.any_of() {
        let Some(found) = shape.exports.get(*name).filter(|_| is_called(name, surface)) else { continue };
        match judge(name, found, surface) {
            Ok(chosen) => return Ok(chosen),
            Err(wrong) => findings.extend(wrong),
        }
    }
    if findings.is_empty() {
        findings.push(no_export(want, shape));
    }
    Err(findings)
}

/// Whether the interface `name` as it was `found` can be called, and how.
fn judge(name: &'static str, found: &Interface, surface: &Surface) -> Result<Chosen, Vec<Finding>> {
    let closest = closest(name, found, surface);
    let of_shape = |shape| Generation { interface: name, shape };
    let equal = closest.as_ref().filter(|(_, differences)| differences.is_empty()).map(|(generation, _)| *generation);
    let contract = match name {
        NODE_0_4 | NODE_0_5 => Contract::Json,
        NODE_0_6 if equal.is_none() => Contract::Cbor,
        COMPONENT_API => Contract::Request,
        PACK_EXEC | EXPORTS_0_2 => Contract::Flow,
        _ => {
            return match closest {
                Some((generation, differences)) if differences.is_empty() => Ok(Chosen { generation, call: None }),
                Some((_, differences)) => Err(differences.into_iter().map(|d| different(name, d)).collect()),
                None => Err(vec![Finding::new(Code::ExportMissing, name, Rule::WantedExport)]),
            };
        }
    };
    match NamedCall::of(contract, found) {
        Ok(call) => Ok(Chosen { generation: equal.unwrap_or_else(|| of_shape(Shape::Own)), call: Some(call) }),
        Err(wrong) => Err(wrong.into_iter().map(|unfit| not_fillable(name, unfit, closest.as_ref(), found)).collect()),
    }
}

type Closest = (Generation, Vec<Difference>);

/// The published shape of `name` from which `found` differs least.
fn closest(name: &str, found: &Interface, surface: &Surface) -> Option<Closest> {
    shapes(name, surface)
        .map(|(generation, asked)| (generation, differences(asked, found)))
        .min_by_key(|(_, differences)| differences.len())
}

/// The shapes of `name` that are on the surface. An earlier host may know fewer, or none.
fn shapes<'a>(name: &str, surface: &'a Surface) -> impl Iterator<Item = (Generation, &'a Interface)> {
    let named = CALLED.iter().filter(move |(interface, ..)| *interface == name);
    named.filter_map(|(interface, shape, _)| {
        let generation = Generation { interface, shape: *shape };
        Some((generation, surface.exports().get(&generation.to_string())?))
    })
}

fn is_called(name: &str, surface: &Surface) -> bool {
    shapes(name, surface).next().is_some()
}

/// Where what was `found` differs from what the host would call.
fn differences(asked: &Interface, found: &Interface) -> Vec<Difference> {
    let mut differ = Differ::default();
    let mut differences = Vec::new();
    for (function, asked) in &asked.functions {
        match found.functions.get(function) {
            None => differences.push(Difference {
                item: function.clone(),
                asked: "a function".to_owned(),
                offered: ABSENT.to_owned(),
                nearest: nearest(function, found.functions.keys().map(String::as_str)),
            }),
            Some(found) => differences.extend(differ.function(function, asked, found)),
        }
    }
    differences
}

/// What a function that is not there offers.
const ABSENT: &str = "no such function";

fn different(name: &str, difference: Difference) -> Finding {
    if difference.offered == ABSENT {
        return Finding {
            item: difference.item,
            nearest: difference.nearest,
            ..Finding::new(Code::ExportMissing, name, Rule::WantedExport)
        };
    }
    Finding {
        item: difference.item,
        asked: Some(difference.asked),
        offered: Some(difference.offered),
        nearest: difference.nearest,
        ..Finding::new(Code::ExportType, name, Rule::EqualTypes)
    }
}

fn not_fillable(name: &str, unfit: Unfit, closest: Option<&Closest>, found: &Interface) -> Finding {
    const LISTED: usize = 2;
    let near = closest.map(|(generation, _)| generation.to_string());
    // Hooks may be missing, so they are no reason to build anything anew.
    let called = unfit.item.split(" > ").next().unwrap_or_default();
    let places = closest.into_iter().flat_map(|(_, differences)| differences);
    let places: Vec<_> = places.filter_map(|d| d.item.strip_prefix(called)?.strip_prefix(" > ")).collect();
    let differs = match places.get(..LISTED) {
        Some(first) if places.len() > LISTED => format!(", from which it differs in: {}, …", first.join(", ")),
        _ if places.is_empty() => String::new(),
        _ => format!(", from which it differs in: {}", places.join(", ")),
    };
    let hint = near.as_ref().map(|near| format!("build it to the closest published shape, {near}{differs}"));
    if unfit.asked == "a function" {
        let nearest = nearest(&unfit.item, found.functions.keys().map(String::as_str));
        let missing = Finding::new(Code::ExportMissing, name, Rule::WantedExport);
        return Finding { item: unfit.item, nearest, ..missing };
    }
    let (code, rule) =
        if unfit.field { (Code::ExportContext, Rule::KnownField) } else { (Code::ExportType, Rule::EqualTypes) };
    Finding {
        item: unfit.item,
        asked: Some(unfit.asked),
        offered: Some(unfit.offered),
        nearest: near,
        hint,
        ..Finding::new(code, name, rule)
    }
}

fn no_export(want: Want, shape: &ComponentShape) -> Finding {
    const LISTED: usize = 8;
    const NAMED: usize = 3;
    let best = want.any_of().first().copied().unwrap_or_default();
    let all = match want.any_of() {
        [best, ..] if want.any_of().len() > NAMED => format!("{best}, or another of docs/interfaces.md"),
        few => few.join(" or "),
    };
    let exported: Vec<_> =
        shape.exports.keys().chain(shape.exported_functions.keys()).map(|name| shown(name)).collect();
    let missing = Finding::new(Code::ExportMissing, best, Rule::WantedExport);
    if exported.is_empty() {
        let hint = format!("put a component in its place that exports {all}");
        return Finding { offered: Some("nothing".to_owned()), hint: Some(hint), ..missing };
    }
    let listed = exported.iter().take(LISTED).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    Finding {
        nearest: nearest(best, shape.exports.keys().map(String::as_str)),
        hint: Some(format!("it exports {listed}; build it to export {all}")),
        ..missing
    }
}
