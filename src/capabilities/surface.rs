//! The host's surface: every interface that a component may import, what it takes to be linked to it, and how it is
//! linked.
//!
//! A linker is built from empty for one component and one set of grants. It holds each name that the component asks
//! for once, in exactly the version that was asked for, and nothing that was not granted: what is not there cannot
//! be called.

use std::sync::Arc;

use greentic_runner_bindings::{imports, variants};
use wasmtime::component::{Component, HasSelf, Linker, LinkerInstance};

use super::context::HostCtx;
use super::grants::{Grant, Grants};
#[cfg(feature = "mcp")]
use super::mcp;
use super::served::Served;
use super::{
    control, convert, host_import, host_import_0_2, host_import_http, host_import_secrets, http_client, http_fields,
    http_handle, http_v1, interfaces_host, kv, oauth_broker, secret_store, secrets_store, state_store, telemetry, wasi,
};
use crate::conform::{ComponentShape, Conversion, How, Link, Surface, links};
use crate::error::{Code, Error, Result};

/// An interface that the host offers.
#[derive(Clone, Copy)]
pub struct Interface {
    /// Its full name, with version.
    pub name: &'static str,
    /// The grants that it takes.
    pub needs: &'static [Grant],
    /// Its functions, for components that import it in a shape or a version of their own.
    pub served: &'static [Served],
    /// The shapes for which it has typed functions as well.
    pub known: &'static [KnownShape],
    link: fn(&mut Linker<HostCtx>) -> wasmtime::Result<()>,
}

/// A published shape that is linked with types, because a conversion would be dear: payloads of bytes pass through it.
#[derive(Clone, Copy)]
pub struct KnownShape {
    /// The WIT files that stand for the host's own of the same package, below `wit/`. None for the host's own shape,
    /// which components may ask for in another version.
    pub wit: &'static [&'static str],
    link: LinkShape,
}

/// Links the functions of an interface with types.
type LinkShape = fn(&mut LinkerInstance<'_, HostCtx>) -> wasmtime::Result<()>;

macro_rules! surface {
    ($($(#[$when:meta])* $name:literal, $needs:expr, $module:ident, $served:expr, $known:expr;)+) => {
        /// Every interface of the host beside WASI.
        pub const SURFACE: &[Interface] = &[$($(#[$when])* Interface {
            name: $name,
            needs: $needs,
            served: $served,
            known: $known,
            link: |linker| imports::$module::add_to_linker::<_, HasSelf<HostCtx>>(linker, |ctx| ctx),
        },)+];
    };
}

surface! {
    "greentic:component/control@0.4.0", &[], control_v0_4, control::SERVED_0_4, &[];
    "greentic:component/control@0.5.0", &[], control_v0_5, control::SERVED_0_5, &[];
    "greentic:component/control@0.6.0", &[], control_v0_6, control::SERVED_0_6, &[];
    "greentic:host-import/http@0.4.0", &[Grant::Http], host_import_http_v0_4, host_import_http::SERVED_0_4, &[];
    "greentic:host-import/http@0.6.0", &[Grant::Http], host_import_http, host_import_http::SERVED_0_6, &[];
    "greentic:host-import/imports@0.2.0", &[Grant::Http, Grant::Secrets, Grant::Telemetry], host_import_v0_2,
        host_import_0_2::SERVED, &[];
    #[cfg(feature = "mcp")]
    "greentic:host-import/mcp@0.6.0", &[Grant::Mcp], host_import_mcp, mcp::SERVED, &[];
    "greentic:host-import/secrets@0.4.0", &[Grant::Secrets], host_import_secrets_v0_4, host_import_secrets::SERVED_0_4,
        &[];
    "greentic:host-import/secrets@0.6.0", &[Grant::Secrets], host_import_secrets, host_import_secrets::SERVED_0_6, &[];
    "greentic:host-import/session@0.6.0", &[Grant::Session], host_import_session, host_import::SERVED_SESSION, &[];
    "greentic:host-import/state@0.6.0", &[Grant::State], host_import_state, host_import::SERVED_STATE, &[];
    "greentic:host-import/telemetry@0.4.0", &[Grant::Telemetry], host_import_telemetry_v0_4,
        host_import::SERVED_TELEMETRY_0_4, &[];
    "greentic:host-import/telemetry@0.6.0", &[Grant::Telemetry], host_import_telemetry, host_import::SERVED_TELEMETRY,
        &[];
    "greentic:host/http-v1@1.0.0", &[Grant::Http], http_v1, http_v1::SERVED, &[];
    "greentic:host/kv-v1@1.0.0", &[Grant::Kv], kv_v1, kv::SERVED, &[];
    "greentic:http/client@1.0.0", &[Grant::Http], http_alias_v1_0, http_client::SERVED_ALIAS_1_0, HTTP_ALIAS_1_0;
    "greentic:http/client@1.1.0", &[Grant::Http], http_alias_v1_1, http_client::SERVED_ALIAS_1_1, HTTP_ALIAS_1_1;
    "greentic:http/http-client@1.0.0", &[Grant::Http], http_client_v1_0, http_client::SERVED_1_0, HTTP_CLIENT_1_0;
    "greentic:http/http-client@1.1.0", &[Grant::Http], http_client_v1_1, http_client::SERVED_1_1, HTTP_CLIENT_1_1;
    "greentic:interfaces-host/imports@0.1.0", &[Grant::State, Grant::Session, Grant::Telemetry], interfaces_host,
        interfaces_host::SERVED, &[];
    "greentic:oauth-broker/broker-v1@1.0.0", &[Grant::OAuth], oauth_broker, oauth_broker::SERVED, &[];
    "greentic:secrets-store/secrets-store@1.0.0", &[Grant::Secrets], secrets_store_v1_0, secrets_store::SERVED_1_0, &[];
    "greentic:secrets-store/secrets-store@1.1.0", &[Grant::Secrets], secrets_store_v1_1, secrets_store::SERVED_1_1, &[];
    "greentic:secrets/secret-store@1.0.0", &[Grant::Secrets], secret_store, secret_store::SERVED, &[];
    "greentic:state/state-store@1.0.0", &[Grant::State], state_store, state_store::SERVED, STATE_STORE_SHAPES;
    "greentic:telemetry/logger-api@1.0.0", &[Grant::Telemetry], logger_api, telemetry::SERVED, &[];
}

/// A function whose grant is asked for when it is called, because components import its interface for others too.
#[derive(Clone, Copy, Debug)]
pub struct AskedAtCall {
    /// The interface.
    pub interface: &'static str,
    /// The function.
    pub function: &'static str,
    /// What it takes.
    pub needs: Grant,
}

/// The tools of the oldest line.
pub const TOOL_INVOKE: AskedAtCall =
    AskedAtCall { interface: "greentic:host-import/imports@0.2.0", function: "tool-invoke", needs: Grant::Mcp };

/// Contexts with and without `i18n-id` circulate under one version.
type WithI18n = imports::interfaces_types::TenantCtx;
type WithoutI18n = variants::interfaces_types_without_i18n::TenantCtx;

const STATE_STORE_SHAPES: &[KnownShape] = &by_context(state_store::link::<WithI18n>, state_store::link::<WithoutI18n>);
const HTTP_CLIENT_1_0: &[KnownShape] =
    &by_context(http_client::link_1_0::<WithI18n, false>, http_client::link_1_0::<WithoutI18n, false>);
const HTTP_ALIAS_1_0: &[KnownShape] =
    &by_context(http_client::link_1_0::<WithI18n, true>, http_client::link_1_0::<WithoutI18n, true>);
const HTTP_CLIENT_1_1: &[KnownShape] =
    &by_context(http_client::link_1_1::<WithI18n, false>, http_client::link_1_1::<WithoutI18n, false>);
const HTTP_ALIAS_1_1: &[KnownShape] =
    &by_context(http_client::link_1_1::<WithI18n, true>, http_client::link_1_1::<WithoutI18n, true>);

/// The shapes of an interface in whose contexts `i18n-id` is, and is not.
const fn by_context(with_i18n: LinkShape, without_i18n: LinkShape) -> [KnownShape; 2] {
    [
        KnownShape { wit: &[], link: with_i18n },
        KnownShape { wit: &[variants::INTERFACES_TYPES_WITHOUT_I18N], link: without_i18n },
    ]
}

/// WASI 0.2, in any of its patch versions: linked always, over a context with nothing but the pack's assets.
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
    "wasi:http/outgoing-handler",
    "wasi:http/types",
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

/// The linker for `component` of this `shape`, called `name` in messages: what it imports, as far as it was granted.
///
/// Conformance has been checked before; what is imported and not linked here cannot be instantiated.
///
/// # Errors
///
/// [`Code::Internal`] if an interface cannot be linked.
pub fn linker(name: &str, component: &Component, shape: &ComponentShape, grants: Grants) -> Result<Linker<HostCtx>> {
    let mut linker = Linker::new(component.engine());
    for found in links(shape, Surface::host()?, grants) {
        link(&mut linker, found).map_err(|e| unlinkable(name, &e))?;
    }
    let imports = || shape.imports.keys().filter(|import| is_wasi(import));
    if imports().next().is_some() {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(|e| unlinkable(name, &e))?;
        wasi::link(&mut linker).map_err(|e| unlinkable(name, &e))?;
    }
    if imports().any(|import| import.starts_with(HTTP)) {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).map_err(|e| unlinkable(name, &e))?;
        http_fields::link(&mut linker).map_err(|e| unlinkable(name, &e))?;
        http_handle::link(&mut linker).map_err(|e| unlinkable(name, &e))?;
    }
    Ok(linker)
}

fn link(linker: &mut Linker<HostCtx>, link: Link) -> wasmtime::Result<()> {
    match link.how {
        How::Generated => (link.interface.link)(linker),
        How::Known(shape) => (shape.link)(&mut linker.instance(&link.name)?),
        How::Converted(functions) => {
            let mut instance = linker.instance(&link.name)?;
            functions.into_iter().try_for_each(|(served, conversion)| converted(&mut instance, served, conversion))
        }
    }
}

fn converted(
    instance: &mut LinkerInstance<'_, HostCtx>,
    served: &'static Served,
    conversion: Conversion,
) -> wasmtime::Result<()> {
    let conversion = Arc::new(conversion);
    instance.func_new_async(served.name, move |mut store, _, params, results| {
        let conversion = Arc::clone(&conversion);
        Box::new(async move { convert::call(served, &conversion, store.data_mut(), params, results).await })
    })
}

/// What the interfaces for HTTP requests begin with.
const HTTP: &str = "wasi:http/";

/// The grant without which `import`, an interface of WASI, is linked and denies everything.
pub fn needed_by_wasi(import: &str) -> Option<Grant> {
    is_wasi_0_2(import).filter(|interface| *interface == "wasi:http/outgoing-handler").map(|_| Grant::Http)
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

impl std::fmt::Debug for KnownShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownShape").field("wit", &self.wit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::{self, testing};

    /// Whether the linker for a component that imports all of `import` holds `function` of it: a name is defined once.
    fn is_linked(import: &str, function: &str, grants: Grants) -> bool {
        let engine = wasmtime::Engine::default();
        let bytes = testing::over_host(&format!("import {import};"));
        let component = Component::new(&engine, &bytes).unwrap();
        let shape = conform::inspect("c", &bytes).unwrap();
        let mut linker = linker("c", &component, &shape, grants).unwrap();
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
    }

    #[test]
    fn the_whole_surface_can_be_linked_at_once() {
        let mut linker = Linker::new(&wasmtime::Engine::default());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        for interface in SURFACE {
            (interface.link)(&mut linker).unwrap();
        }
    }

    #[test]
    fn every_function_can_be_served_to_components_of_other_shapes() {
        let surface = Surface::host().unwrap();
        for interface in SURFACE {
            let functions = &surface.imports()[interface.name].interface.functions;
            let served: Vec<_> = interface.served.iter().map(|f| (f.name, f.reads.len())).collect();
            let wanted: Vec<_> = functions.iter().map(|(name, f)| (name.as_str(), f.params.len())).collect();
            assert_eq!(served, wanted, "{}", interface.name);
        }
    }
}
