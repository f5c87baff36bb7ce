//! The host's side: every interface that it offers to components, and every one that it calls.

use std::sync::LazyLock;

use greentic_runner_bindings::WIT_PACKAGES;
use indexmap::IndexMap;
use wit_parser::Resolve;

use super::model::Interface;
use super::read::Reader;
use crate::capabilities::grants::Grant;
use crate::capabilities::surface::{SURFACE, WASI};
use crate::error::{Code, Error, Result};

/// The interfaces of components that the host calls.
const CALLED: &[&str] = &[
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
    pub needs: &'static [Grant],
}

/// The host's interfaces.
#[derive(Debug)]
pub struct Surface {
    imports: IndexMap<&'static str, Offer>,
    exports: IndexMap<&'static str, Interface>,
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
    pub fn imports(&self) -> &IndexMap<&'static str, Offer> {
        &self.imports
    }

    /// What the host calls, by full name with version.
    pub fn exports(&self) -> &IndexMap<&'static str, Interface> {
        &self.exports
    }

    /// The interfaces of WASI that are linked, in any patch version of 0.2.
    pub fn wasi(&self) -> &'static [&'static str] {
        WASI
    }
}

fn read_host() -> Result<Surface> {
    let defect = |what: String| Error::new(Code::Internal, what);
    let mut resolve = Resolve::default();
    for (path, text) in WIT_PACKAGES {
        resolve.push_source(path, text).map_err(|error| defect(resolve_error(path, &error)))?;
    }
    let mut reader = Reader::new(&resolve);
    let mut find = |name: &str| {
        let found = resolve.interfaces.iter().map(|(id, _)| id).find(|id| resolve.id_of(*id).as_deref() == Some(name));
        found.map(|id| reader.interface(id)).ok_or_else(|| defect(format!("wit/ holds no interface {name}")))
    };
    let mut surface = Surface { imports: IndexMap::new(), exports: IndexMap::new() };
    for offered in SURFACE {
        surface.imports.insert(offered.name, Offer { interface: find(offered.name)?, needs: offered.needs });
    }
    for name in CALLED {
        surface.exports.insert(name, find(name)?);
    }
    Ok(surface)
}

fn resolve_error(path: &str, error: &impl std::fmt::Display) -> String {
    format!("wit/{path} cannot be read: {error:#}")
}
