//! From core modules to components.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A module that carries its component type, as bindings generators embed it.
pub(super) fn rust(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("{} cannot be read", module.display()))?;
    encode(&bytes)
}

/// A WAT file: a component as it stands, or a core module that names its world in comments.
///
/// `;; wit: FOLDER…` lists the folders of `wit/` that the world needs, each after those it uses itself;
/// `;; world: PACKAGE/WORLD@VERSION` names the world.
pub(super) fn wat(file: &Path, wit: &Path) -> Result<Vec<u8>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut bytes = wat::parse_str(&text)?;
    let Some(world) = header(&text, ";; world:") else {
        return Ok(bytes);
    };
    let mut resolve = Resolve::new();
    let mut packages = Vec::new();
    for folder in header(&text, ";; wit:").context("the world is named, but no `;; wit:` line")?.split_whitespace() {
        packages.push(resolve.push_path(wit.join(folder))?.0);
    }
    let world = resolve.select_world(&packages, Some(world))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    encode(&bytes)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    // What a guest imports in two versions stays two imports: their types may differ.
    ComponentEncoder::default().validate(true).merge_imports_based_on_semver(false).module(module)?.encode()
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
