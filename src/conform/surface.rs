//! The host's side: every interface that it offers to components, and every one that it calls.

use std::sync::LazyLock;

use greentic_runner_bindings::WIT_PACKAGES;
use indexmap::IndexMap;
use wit_parser::Resolve;

use super::model::Interface;
use super::read::Reader;
use crate::capabilities::grants::Grant;
use crate::capabilities::surface::{SURFACE, WASI, is_wasi_0_2};
use crate::error::{Code, Error, Result};

/// The interfaces of components that the host calls.
pub(super) const CALLED: &[&str] = &[
    "greentic:component/node@0.6.0",
    "greentic:provider-core/schema-core-api@1.0.0",
    "greentic:provider-schema-core/schema-core-api@1.0.0",
    "greentic:provider/schema-core-api@1.0.0",
];

/// An interface that the host offers.
#[derive(Debug)]
pub struct Offer {
    /// Its functions.
    pub interface: Interface,
    /// The grants that it takes, all of them.
    pub needs: Vec<Grant>,
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

    /// What the host calls, by full name with version.
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
    let defect = |what: String| Error::new(Code::Internal, what);
    let resolve = host_wit()?;
    let mut reader = Reader::new(&resolve);
    let mut find = |name: &str| {
        let found = resolve.interfaces.iter().map(|(id, _)| id).find(|id| resolve.id_of(*id).as_deref() == Some(name));
        found.map(|id| reader.interface(id)).ok_or_else(|| defect(format!("wit/ holds no interface {name}")))
    };
    let mut surface = Surface { wasi: WASI.iter().map(|name| (*name).to_owned()).collect(), ..Surface::default() };
    for offered in SURFACE {
        let offer = Offer { interface: find(offered.name)?, needs: offered.needs.to_vec() };
        surface.imports.insert(offered.name.to_owned(), offer);
    }
    for name in CALLED {
        surface.exports.insert((*name).to_owned(), find(name)?);
    }
    Ok(surface)
}

/// The WIT packages that the bindings are generated from.
pub(super) fn host_wit() -> Result<Resolve> {
    let mut resolve = Resolve::default();
    for (path, text) in WIT_PACKAGES {
        let read = resolve.push_source(path, text);
        read.map_err(|error| Error::new(Code::Internal, resolve_error(path, &error)))?;
    }
    Ok(resolve)
}

fn resolve_error(path: &str, error: &impl std::fmt::Display) -> String {
    format!("wit/{path} cannot be read: {error:#}")
}
