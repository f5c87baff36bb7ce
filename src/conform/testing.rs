//! For tests: components made from WIT text, and conversions of types made by hand.

use greentic_runner_bindings::WIT_PACKAGES;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use super::{Conversion, Function, bridge};
use crate::capabilities::served::Reads;

/// A component of the world `test:component/root`, over the host's packages.
pub(crate) fn over_host(world: &str) -> Vec<u8> {
    let mut sources: Vec<&str> = WIT_PACKAGES.iter().map(|(_, text)| *text).collect();
    let world = format!("package test:component; world root {{ {world} }}");
    sources.push(&world);
    component(&sources)
}

/// A component of the world `root` of the last of `sources`.
pub(crate) fn component(sources: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let packages: Vec<_> = sources.iter().map(|text| resolve.push_source("test.wit", text).unwrap()).collect();
    let world = resolve.select_world(&packages[packages.len() - 1..], Some("root")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    // Two versions of an interface stay two imports.
    let encoder = ComponentEncoder::default().validate(true).merge_imports_based_on_semver(false);
    encoder.module(&module).unwrap().encode().unwrap()
}

/// The conversion by which `offered` serves `asked`, or what stands in its way.
pub(crate) fn conversion(asked: &Function, offered: &Function, reads: &[Reads]) -> Result<Conversion, Vec<String>> {
    let blocking = bridge::bridge("f", asked, offered, reads);
    blocking.map_err(|all| all.into_iter().map(|d| format!("{}: {} / {}", d.item, d.asked, d.offered)).collect())
}
