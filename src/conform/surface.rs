//! The host's side: every interface that it offers to components, and every one that it calls.

use std::sync::LazyLock;

use greentic_runner_bindings::WIT_PACKAGES;
use indexmap::IndexMap;
use wit_parser::Resolve;

use super::model::Interface;
use super::read::Reader;
use crate::capabilities::grants::Grant;
use crate::error::{Code, Error, Result};

/// The interfaces that components may import, and the grants that each takes.
const OFFERED: &[(&str, &[Grant])] = &[
    ("greentic:component/control@0.4.0", &[]),
    ("greentic:component/control@0.5.0", &[]),
    ("greentic:component/control@0.6.0", &[]),
    ("greentic:host-import/session@0.6.0", &[Grant::Session]),
    ("greentic:host-import/state@0.6.0", &[Grant::State]),
    ("greentic:host-import/telemetry@0.6.0", &[Grant::Telemetry]),
    ("greentic:host/kv-v1@1.0.0", &[Grant::Kv]),
    ("greentic:interfaces-host/imports@0.1.0", &[Grant::State, Grant::Session, Grant::Telemetry]),
    ("greentic:state/state-store@1.0.0", &[Grant::State]),
    ("greentic:telemetry/logger-api@1.0.0", &[Grant::Telemetry]),
];

/// The interfaces of components that the host calls.
const CALLED: &[&str] = &[
    "greentic:component/node@0.6.0",
    "greentic:provider-core/schema-core-api@1.0.0",
    "greentic:provider-schema-core/schema-core-api@1.0.0",
    "greentic:provider/schema-core-api@1.0.0",
];

/// The interfaces of WASI 0.2 that are always linked, over an empty context.
const WASI: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
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
    for (name, needs) in OFFERED {
        surface.imports.insert(name, Offer { interface: find(name)?, needs });
    }
    for name in CALLED {
        surface.exports.insert(name, find(name)?);
    }
    Ok(surface)
}

fn resolve_error(path: &str, error: &impl std::fmt::Display) -> String {
    format!("wit/{path} cannot be read: {error:#}")
}
