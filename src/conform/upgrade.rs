//! What an upgrade from one surface to another breaks, and what it adds.

use super::finding::{Finding, Rule, Severity};
use super::model::Interface;
use super::names::nearest;
use super::surface::{Offer, Surface};
use super::types::Differ;
use crate::error::Code;

/// How the surface `new` differs from `old`: errors where components of old no longer fit, notes where there is more.
pub fn upgrade(old: &Surface, new: &Surface) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, was) in &old.imports {
        match new.imports.get(name) {
            None => findings.push(gone(name, new.imports.keys())),
            Some(is) => {
                findings.extend(more_grants(name, was, is));
                interfaces(name, &was.interface, &is.interface, &mut findings);
            }
        }
    }
    for (name, was) in &old.exports {
        match new.exports.get(name) {
            None => findings.push(gone(name, new.exports.keys())),
            Some(is) => interfaces(name, was, is, &mut findings),
        }
    }
    for name in old.wasi.iter().filter(|name| !new.wasi.contains(name)) {
        findings.push(gone(&wasi(name), new.wasi.iter()));
    }
    let added = new.imports.keys().filter(|name| !old.imports.contains_key(*name)).cloned();
    let called = new.exports.keys().filter(|name| !old.exports.contains_key(*name)).cloned();
    let linked = new.wasi.iter().filter(|name| !old.wasi.contains(name)).map(|name| wasi(name));
    findings.extend(added.chain(called).chain(linked).map(|name| grown(&name, String::new())));
    findings
}

fn wasi(interface: &str) -> String {
    format!("{interface}@0.2")
}

fn gone<'a>(name: &str, candidates: impl Iterator<Item = &'a String>) -> Finding {
    let nearest = nearest(name, candidates.map(String::as_str));
    Finding { nearest, ..Finding::new(Code::SurfaceBroken, name, Rule::KeptSurface) }
}

fn grown(name: &str, item: String) -> Finding {
    Finding { item, severity: Severity::Note, ..Finding::new(Code::SurfaceGrown, name, Rule::GrownSurface) }
}

fn more_grants(name: &str, was: &Offer, is: &Offer) -> Option<Finding> {
    let listed = |offer: &Offer| match offer.needs.as_slice() {
        [] => "none".to_owned(),
        needs => needs.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", "),
    };
    is.needs.iter().any(|grant| !was.needs.contains(grant)).then(|| Finding {
        item: "grants".to_owned(),
        asked: Some(listed(was)),
        offered: Some(listed(is)),
        hint: Some("grant what it takes now to the packs that import it".to_owned()),
        ..Finding::new(Code::SurfaceBroken, name, Rule::Granted)
    })
}

/// Functions are looked for in the new surface; types have to be equal whichever side asks.
fn interfaces(name: &str, was: &Interface, is: &Interface, findings: &mut Vec<Finding>) {
    let mut differ = Differ::default();
    for (function, old) in &was.functions {
        let Some(new) = is.functions.get(function) else {
            findings.push(Finding {
                item: function.clone(),
                nearest: nearest(function, is.functions.keys().map(String::as_str)),
                ..Finding::new(Code::SurfaceBroken, name, Rule::KeptSurface)
            });
            continue;
        };
        findings.extend(differ.function(function, old, new).into_iter().map(|d| Finding {
            item: d.item,
            asked: Some(d.asked),
            offered: Some(d.offered),
            nearest: d.nearest,
            ..Finding::new(Code::SurfaceBroken, name, Rule::EqualTypes)
        }));
    }
    for resource in was.resources.iter().filter(|resource| !is.resources.contains(resource)) {
        findings.push(Finding {
            item: format!("resource {resource}"),
            asked: Some("a resource".to_owned()),
            offered: Some("nothing".to_owned()),
            ..Finding::new(Code::SurfaceBroken, name, Rule::EqualTypes)
        });
    }
    let added = is.functions.keys().filter(|function| !was.functions.contains_key(*function));
    findings.extend(added.map(|function| grown(name, function.clone())));
}
