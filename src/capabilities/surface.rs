//! The host's surface: every interface that a component may import, what it takes to be linked to it, and how it is
//! linked.
//!
//! A linker is built from empty for one component and one set of grants. It holds each name that the component asks
//! for once, in exactly the version that was asked for, and nothing that was not granted: what is not there cannot
//! be called.

use greentic_runner_bindings::imports;
use wasmtime::component::{Component, HasSelf, Linker};

use super::context::HostCtx;
use super::grants::{Grant, Grants};
use crate::error::{Code, Error, Result};

/// An interface that the host offers.
#[derive(Clone, Copy)]
pub struct Interface {
    /// Its full name, with version.
    pub name: &'static str,
    /// The grants that it takes.
    pub needs: &'static [Grant],
    link: fn(&mut Linker<HostCtx>) -> wasmtime::Result<()>,
}

macro_rules! surface {
    ($($name:literal, $needs:expr, $module:ident;)+) => {
        /// Every interface of the host beside WASI.
        pub const SURFACE: &[Interface] = &[$(Interface {
            name: $name,
            needs: $needs,
            link: |linker| imports::$module::add_to_linker::<_, HasSelf<HostCtx>>(linker, |ctx| ctx),
        },)+];
    };
}

surface! {
    "greentic:component/control@0.4.0", &[], control_v0_4;
    "greentic:component/control@0.5.0", &[], control_v0_5;
    "greentic:component/control@0.6.0", &[], control_v0_6;
    "greentic:host-import/session@0.6.0", &[Grant::Session], host_import_session;
    "greentic:host-import/state@0.6.0", &[Grant::State], host_import_state;
    "greentic:host-import/telemetry@0.6.0", &[Grant::Telemetry], host_import_telemetry;
    "greentic:host/kv-v1@1.0.0", &[Grant::Kv], kv_v1;
    "greentic:interfaces-host/imports@0.1.0", &[Grant::State, Grant::Session, Grant::Telemetry], interfaces_host;
    "greentic:state/state-store@1.0.0", &[Grant::State], state_store;
    "greentic:telemetry/logger-api@1.0.0", &[Grant::Telemetry], logger_api;
}

/// WASI 0.2, in any of its patch versions: linked always, over an empty context.
pub const WASI: &[&str] = &[
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

/// The linker for `component`, called `name` in messages: what it imports, as far as it was granted.
///
/// Conformance has been checked before; what is imported and not linked here cannot be instantiated.
///
/// # Errors
///
/// [`Code::Internal`] if an interface cannot be linked.
pub fn linker(name: &str, component: &Component, grants: Grants) -> Result<Linker<HostCtx>> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let mut wasi = false;
    for (import, _) in component.component_type().imports(engine) {
        wasi |= is_wasi(import);
        let offered = SURFACE.iter().find(|i| i.name == import && i.needs.iter().all(|grant| grants.has(*grant)));
        if let Some(interface) = offered {
            (interface.link)(&mut linker).map_err(|e| unlinkable(name, &e))?;
        }
    }
    if wasi {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(|e| unlinkable(name, &e))?;
    }
    Ok(linker)
}

/// Whether `import` is an interface of WASI that is linked.
pub fn is_wasi(import: &str) -> bool {
    is_wasi_0_2(import).is_some_and(|interface| WASI.contains(&interface))
}

/// The interface that `import` names in a patch version of 0.2, whether or not it is one of WASI's.
pub fn is_wasi_0_2(import: &str) -> Option<&str> {
    let (interface, version) = import.split_once('@')?;
    version.strip_prefix("0.2.")?.parse::<u16>().ok().map(|_| interface)
}

fn unlinkable(name: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::Internal, format!("component {name} cannot be linked: {cause:#}"))
}

impl std::fmt::Debug for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interface").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::Surface;

    /// Whether the linker for a component that imports `import` holds `function` of it: a name is defined once.
    fn is_linked(import: &str, function: &str, grants: Grants) -> bool {
        let engine = wasmtime::Engine::default();
        let wat = format!(r#"(component (import "{import}" (instance)))"#);
        let component = Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let mut linker = linker("c", &component, grants).unwrap();
        linker.instance(import).unwrap().func_wrap(function, |_, (): ()| Ok(())).is_err()
    }

    #[test]
    fn what_was_granted_is_linked_and_nothing_else() {
        for (name, offer) in Surface::host().unwrap().imports() {
            let function = offer.interface.functions.keys().next().unwrap();
            assert!(is_linked(name, function, Grants::all()), "{name}");
            assert_eq!(is_linked(name, function, Grants::none()), offer.needs.is_empty(), "{name}");
            for grant in &offer.needs {
                assert!(!is_linked(name, function, Grants::all().without(*grant)), "{name} {grant}");
            }
        }
        assert!(!is_linked("greentic:component/control@0.6.1", "yield-now", Grants::all()));
    }

    #[test]
    fn the_whole_surface_can_be_linked_at_once() {
        let mut linker = Linker::new(&wasmtime::Engine::default());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        for interface in SURFACE {
            (interface.link)(&mut linker).unwrap();
        }
    }
}
