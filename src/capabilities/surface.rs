//! The host's surface: every interface that a component may import, what it takes to be linked to it, and how it is
//! linked.
//!
//! A linker is built from empty for one component and one set of grants. It holds each name that the component asks
//! for once, in exactly the version that was asked for, and nothing that was not granted: what is not there cannot
//! be called.

use greentic_runner_bindings::imports;
use wasmtime::component::types::ComponentItem;
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

/// The linker for `component`, called `name` in messages.
///
/// # Errors
///
/// Every import that the host does not offer or that was not granted, all in one error.
pub fn linker(name: &str, component: &Component, grants: Grants) -> Result<Linker<HostCtx>> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let mut findings = Vec::new();
    let mut wasi = false;
    for (import, item) in component.component_type().imports(engine) {
        if is_wasi(import) {
            wasi = true;
        } else if let Some(interface) = SURFACE.iter().find(|i| i.name == import) {
            match interface.needs.iter().find(|grant| !grants.has(**grant)) {
                Some(grant) => findings.push(not_granted(name, import, *grant)),
                None => (interface.link)(&mut linker).map_err(|e| unlinkable(name, &e))?,
            }
        } else if !is_types_only(engine, &item.ty) {
            findings.push(unknown(name, import));
        }
    }
    if !findings.is_empty() {
        let summary = format!("component {name} imports what this host does not offer to it");
        return Err(Error::from_many(Code::Nonconforming, summary, findings));
    }
    if wasi {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(|e| unlinkable(name, &e))?;
    }
    Ok(linker)
}

/// Whether `import` is an interface of WASI that is linked.
pub fn is_wasi(import: &str) -> bool {
    import.split_once('@').is_some_and(|(interface, version)| {
        WASI.contains(&interface) && version.strip_prefix("0.2.").is_some_and(|patch| patch.parse::<u16>().is_ok())
    })
}

/// An instance without functions and resources asks for nothing.
fn is_types_only(engine: &wasmtime::Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .all(|(_, export)| matches!(export.ty, ComponentItem::Type(_)) || is_types_only(engine, &export.ty)),
        ComponentItem::Type(_) => true,
        _ => false,
    }
}

fn not_granted(name: &str, import: &str, grant: Grant) -> Error {
    Error::new(Code::ImportNotGranted, format!("component {name} imports {import}, which takes the grant {grant}"))
        .hint(format!("grant {grant} to the pack in the tenant's bindings"))
}

fn unknown(name: &str, import: &str) -> Error {
    let interface = |full: &'static str| full.split('@').next().unwrap_or(full);
    let asked = import.split('@').next().unwrap_or(import);
    let versions: Vec<_> = SURFACE.iter().map(|i| i.name).filter(|full| interface(full) == asked).collect();
    if !versions.is_empty() {
        return Error::new(
            Code::ImportVersion,
            format!("component {name} imports {import}, a version that the host lacks"),
        )
        .hint(format!("the host offers {}", versions.join(", ")));
    }
    let error =
        Error::new(Code::ImportUnknown, format!("component {name} imports {import}, which the host does not offer"));
    match nearest(import) {
        Some(near) => error.hint(format!("the nearest that it offers is {near}")),
        None => error,
    }
}

fn nearest(import: &str) -> Option<&'static str> {
    const SIMILAR: f64 = 0.8;
    SURFACE
        .iter()
        .map(|i| (strsim::normalized_levenshtein(i.name, import), i.name))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
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

    fn check(wat: &str, grants: Grants) -> Result<Linker<HostCtx>> {
        let engine = wasmtime::Engine::default();
        let component = Component::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        linker("c", &component, grants)
    }

    fn importing(name: &str) -> String {
        format!(r#"(component (import "{name}" (instance (export "f" (func)))))"#)
    }

    #[test]
    fn an_import_is_judged_by_its_full_name() {
        let cases = [
            ("greentic:component/control@0.6.0", None),
            ("greentic:component/control@0.6.1", Some(Code::ImportVersion)),
            ("greentic:component/controls@0.6.0", Some(Code::ImportUnknown)),
            ("greentic:state/state-store@1.0.0", Some(Code::ImportNotGranted)),
            ("wasi:cli/stdout@0.2.9", None),
            ("wasi:cli/stdout@0.3.0", Some(Code::ImportUnknown)),
            ("wasi:http/outgoing-handler@0.2.6", Some(Code::ImportUnknown)),
        ];
        for (import, expected) in cases {
            let found = check(&importing(import), Grants::none()).err().map(|e| e.code());
            assert_eq!(found, expected, "{import}");
        }
    }

    #[test]
    fn all_findings_come_at_once_with_the_nearest_name() {
        let wat = r#"(component
            (import "greentic:state/state-stor@1.0.0" (instance (export "f" (func))))
            (import "greentic:host/kv-v1@1.0.0" (instance (export "f" (func))))
            (import "types:only/types@1.0.0" (instance (type (record (field "a" string))) (export "t" (type (eq 0))))))"#;
        let error = check(wat, Grants::none()).err().unwrap();
        let codes: Vec<_> = error.details().iter().map(Error::code).collect();
        assert_eq!(codes, [Code::ImportUnknown, Code::ImportNotGranted]);
        assert!(error.to_string().contains("greentic:state/state-store@1.0.0"), "{error}");
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
