//! The host's side: every interface that it offers to components, and every one that it calls.

use std::sync::LazyLock;

use greentic_runner_bindings::{WIT_PACKAGES, WIT_VARIANTS, variants};
use indexmap::IndexMap;
use wit_parser::Resolve;

use super::generation::{CALLED, Generation, Source};
use super::import::serving;
use super::model::Interface;
use super::read::Reader;
use crate::capabilities::grants::Grant;
use crate::capabilities::surface::{KnownShape, SURFACE, WASI, is_wasi_0_2};
use crate::error::{Code, Error, Result};

/// An interface that the host offers.
#[derive(Debug)]
pub struct Offer {
    /// Its functions.
    pub interface: Interface,
    /// The grants that it takes, all of them.
    pub needs: Vec<Grant>,
    /// The shapes that have typed functions of their own.
    pub known: Vec<(&'static KnownShape, Interface)>,
}

/// A host's interfaces.
#[derive(Debug, Default)]
pub struct Surface {
    pub(super) imports: IndexMap<String, Offer>,
    pub(super) exports: IndexMap<String, Interface>,
    pub(super) wasi: Vec<String>,
}

impl Surface {
    /// The surface of this host, read once.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] if the WIT texts that the host carries do not hold the interfaces it is built with.
    pub fn host() -> Result<&'static Self> {
        static HOST: LazyLock<Result<Surface>> = LazyLock::new(read_host);
        HOST.as_ref().map_err(Clone::clone)
    }

    /// What components may import, by full name with version.
    pub fn imports(&self) -> &IndexMap<String, Offer> {
        &self.imports
    }

    /// The interface that serves an import called `name`, with its own name: in exactly that version or, by the
    /// version rule, in a compatible one.
    pub fn offer(&self, name: &str) -> Option<(&str, &Offer)> {
        let serving = serving(name, self.imports.keys().map(String::as_str))?;
        Some((serving, self.imports.get(serving)?))
    }

    /// What the host calls, by full name with version and, where several shapes share that, the shape.
    pub fn exports(&self) -> &IndexMap<String, Interface> {
        &self.exports
    }

    /// The interfaces of WASI that are linked, in any patch version of 0.2.
    pub fn wasi(&self) -> &[String] {
        &self.wasi
    }

    /// Whether `import` is an interface of WASI that is linked.
    pub fn has_wasi(&self, import: &str) -> bool {
        is_wasi_0_2(import).is_some_and(|interface| self.wasi.iter().any(|known| known == interface))
    }
}

fn read_host() -> Result<Surface> {
    let resolve = host_wit(&[])?;
    let mut reader = Reader::new(&resolve);
    let mut surface = Surface { wasi: WASI.iter().map(|name| (*name).to_owned()).collect(), ..Surface::default() };
    for offered in SURFACE {
        let interface = find(&resolve, &mut reader, offered.name)?;
        let known = offered.known.iter().map(|shape| known(shape, offered.name)).collect::<Result<_>>()?;
        let offer = Offer { interface, needs: offered.needs.to_vec(), known };
        surface.imports.insert(offered.name.to_owned(), offer);
    }
    for (name, shape, source) in CALLED {
        let interface = match source {
            Source::Package => find(&resolve, &mut reader, name)?,
            Source::Variant(folder) => variant(folder, name)?,
        };
        surface.exports.insert(Generation { interface: name, shape: *shape }.to_string(), interface);
    }
    Ok(surface)
}

fn known(shape: &'static KnownShape, name: &str) -> Result<(&'static KnownShape, Interface)> {
    let resolve = host_wit(shape.wit)?;
    Ok((shape, find(&resolve, &mut Reader::new(&resolve), name)?))
}

/// The interface `name` of a package that shares its name with others. Of the host's own packages it may use the types.
fn variant(folder: &str, name: &str) -> Result<Interface> {
    let found = WIT_VARIANTS.iter().find(|variant| variant.name == folder);
    let variant = found.ok_or_else(|| Error::new(Code::Internal, format!("wit/variants/ holds no {folder}")))?;
    let used = WIT_PACKAGES.iter().filter(|(path, _)| path.starts_with("interfaces-types-")).copied();
    let mut resolve = Resolve::default();
    for (path, text) in used.chain([(variant.name, variant.text)]) {
        let read = resolve.push_source(path, text);
        read.map_err(|error| Error::new(Code::Internal, resolve_error(path, &error)))?;
    }
    find(&resolve, &mut Reader::new(&resolve), name)
}

fn find(resolve: &Resolve, reader: &mut Reader<'_>, name: &str) -> Result<Interface> {
    let found = resolve.interfaces.iter().map(|(id, _)| id).find(|id| resolve.id_of(*id).as_deref() == Some(name));
    let missing = || Error::new(Code::Internal, format!("wit/ holds no interface {name}"));
    found.map(|id| reader.interface(id)).ok_or_else(missing)
}

/// The WIT packages that the bindings are generated from, with `variants` in place of those that they stand for.
pub(super) fn host_wit(variants: &[&str]) -> Result<Resolve> {
    let mut resolve = Resolve::default();
    let variant = |path: &str| variants::WIT.iter().find(|v| variants.contains(&v.path) && v.replaces == path);
    for (path, text) in WIT_PACKAGES {
        let (path, text) = variant(path).map_or((*path, *text), |variant| (variant.path, variant.text));
        let read = resolve.push_source(path, text);
        read.map_err(|error| Error::new(Code::Internal, resolve_error(path, &error)))?;
    }
    Ok(resolve)
}

fn resolve_error(path: &str, error: &impl std::fmt::Display) -> String {
    format!("wit/{path} cannot be read: {error:#}")
}
