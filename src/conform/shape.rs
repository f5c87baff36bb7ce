//! What a component imports and exports.

use std::panic::{AssertUnwindSafe, catch_unwind};

use indexmap::IndexMap;
use wasmparser::{BinaryReaderError, ComponentTypeRef, Encoding, Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::model::{Function, Interface};
use super::names::shown;
use super::read::Reader;
use crate::error::{Code, Error, Result};

/// The outside of a component.
#[derive(Debug, Default)]
pub struct ComponentShape {
    /// The interfaces that it imports, by full name with version.
    pub imports: IndexMap<String, Interface>,
    /// The functions that it imports outside of any interface.
    pub imported_functions: IndexMap<String, Function>,
    /// The interfaces that it exports, by full name with version.
    pub exports: IndexMap<String, Interface>,
    /// The functions that it exports outside of any interface.
    pub exported_functions: IndexMap<String, Function>,
}

/// Reads the outside of the component in `bytes`, called `name` in messages.
///
/// # Errors
///
/// [`Code::NotAComponent`] for what is no component, [`Code::Nonconforming`] for one whose outside cannot be written
/// in WIT.
pub fn inspect(name: &str, bytes: &[u8]) -> Result<ComponentShape> {
    check_frame(name, bytes)?;
    // The decoder asserts what it takes for granted; a component that proves it wrong must not end the process.
    let decoded = catch_unwind(AssertUnwindSafe(|| wit_component::decode(bytes)))
        .map_err(|_| unreadable(name, "its types confuse the decoder"))?
        .map_err(|error| unreadable(name, &format!("{error:#}")))?;
    match decoded {
        DecodedWasm::Component(resolve, world) => Ok(shape_of(&resolve, world)),
        DecodedWasm::WitPackage(..) => Err(Error::new(
            Code::NotAComponent,
            format!("component {name} is a WIT package in binary form: it describes interfaces and has no code"),
        )),
    }
}

/// Makes sure that the sections lie within `bytes`, so that no length that the file claims is believed later.
fn check_frame(name: &str, bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(b"\0asm") {
        return Err(Error::new(Code::NotAComponent, format!("component {name} does not begin as WebAssembly does"))
            .hint("a component is a binary .wasm file"));
    }
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::Version { encoding: Encoding::Module, range, .. }) if range.start == 0 => {
                return Err(Error::new(Code::NotAComponent, format!("component {name} is a core module"))
                    .hint("make a component of it, with `cargo component build` or `wasm-tools component new`"));
            }
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            // The decoder passes over these, and nothing could be linked to them.
            Ok(Payload::ComponentImportSection(imports)) if depth == 1 => {
                for import in imports {
                    let import = import.map_err(|error| damaged(name, &error))?;
                    if let Some(kind) = not_in_wit(&import.ty) {
                        return Err(unreadable(name, &format!("it imports {} as {kind}", shown(import.name.name))));
                    }
                }
            }
            Ok(_) => {}
            Err(error) => return Err(damaged(name, &error)),
        }
    }
    Ok(())
}

/// What kind of thing an import is, if interfaces have none of it.
fn not_in_wit(ty: &ComponentTypeRef) -> Option<&'static str> {
    match ty {
        ComponentTypeRef::Module(_) => Some("a core module"),
        ComponentTypeRef::Component(_) => Some("a component"),
        ComponentTypeRef::Value(_) => Some("a value"),
        ComponentTypeRef::Func(_) | ComponentTypeRef::Type(_) | ComponentTypeRef::Instance(_) => None,
    }
}

fn damaged(name: &str, error: &BinaryReaderError) -> Error {
    Error::new(Code::NotAComponent, format!("component {name} is damaged: {error}"))
}

fn unreadable(name: &str, why: &str) -> Error {
    const LIMIT: usize = 400;
    let why: String = why.chars().take(LIMIT).collect();
    Error::new(Code::Nonconforming, format!("the interfaces of component {name} cannot be read: {why}"))
}

fn shape_of(resolve: &Resolve, world: WorldId) -> ComponentShape {
    let mut reader = Reader::new(resolve);
    let mut shape = ComponentShape::default();
    let Some(world) = resolve.worlds.get(world) else {
        return shape;
    };
    for (key, item) in &world.imports {
        add(resolve, &mut reader, key, item, &mut shape.imports, &mut shape.imported_functions);
    }
    for (key, item) in &world.exports {
        add(resolve, &mut reader, key, item, &mut shape.exports, &mut shape.exported_functions);
    }
    shape
}

fn add(
    resolve: &Resolve,
    reader: &mut Reader<'_>,
    key: &WorldKey,
    item: &WorldItem,
    interfaces: &mut IndexMap<String, Interface>,
    functions: &mut IndexMap<String, Function>,
) {
    let name = match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_default(),
    };
    match item {
        WorldItem::Interface { id, .. } => {
            interfaces.insert(name, reader.interface(*id));
        }
        WorldItem::Function(function) => {
            functions.insert(name, reader.function(function));
        }
        WorldItem::Type { .. } => {}
    }
}
