//! Whether two packs hold the same components, as far as their WIT goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_component::{DecodedWasm, WitPrinter};
use zip::ZipArchive;

/// Fails where the components of `built` are other ones than those of `committed`, or have another WIT.
pub(super) fn compare(committed: &Path, built: &Path) -> Result<()> {
    let (committed, built) = (worlds(committed)?, worlds(built)?);
    if let Some(name) = committed.keys().chain(built.keys()).find(|name| committed.get(*name) != built.get(*name)) {
        let shown = |worlds: &BTreeMap<String, String>| worlds.get(name).cloned().unwrap_or_else(|| "nothing".into());
        bail!("{name} differs: committed\n{}\nbuilt\n{}", shown(&committed), shown(&built));
    }
    eprintln!("demo: {} components have the same WIT", built.len());
    Ok(())
}

/// The WIT of each component, by its name in the archive.
fn worlds(pack: &Path) -> Result<BTreeMap<String, String>> {
    let mut archive = ZipArchive::new(File::open(pack)?).with_context(|| pack.display().to_string())?;
    let mut worlds = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let name = file.name()?.into_owned();
        if name.ends_with(".wasm") {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let wit = wit(&bytes).with_context(|| name.clone())?;
            worlds.insert(name, wit);
        }
    }
    if worlds.is_empty() {
        bail!("{} holds no component", pack.display());
    }
    Ok(worlds)
}

fn wit(bytes: &[u8]) -> Result<String> {
    let decoded = wit_component::decode(bytes)?;
    let main = match &decoded {
        DecodedWasm::Component(resolve, world) => resolve.worlds.get(*world).and_then(|world| world.package),
        DecodedWasm::WitPackage(_, package) => Some(*package),
    };
    let main = main.context("a component without a package")?;
    let resolve = decoded.resolve();
    let nested: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, main, &nested)?;
    Ok(printer.output.to_string())
}
