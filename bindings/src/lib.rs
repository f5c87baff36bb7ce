//! Code generated from `wit/`, and nothing else: the host traits behind a component's imports, the typed exports that
//! the host calls, and the WIT texts themselves.
//!
//! Every import interface is a module with a `Host` trait and an `add_to_linker`. Every export generation is a
//! module with `…Indices` (looked up once in an `InstancePre`) and `Guest` (typed calls into one instance).

#![allow(missing_docs, reason = "generated code; the WIT files document it")]

/// What components import from the host, one module per interface and version.
pub mod imports {
    mod generated {
        wasmtime::component::bindgen!({
            path: [
                "../wit/interfaces-types-0.1.0",
                "../wit/types-core-0.4.0",
                "../wit/component-0.4.0",
                "../wit/component-0.5.0",
                "../wit/types-core-0.6.0",
                "../wit/component-0.6.0",
                "../wit/host-1.0.0",
                "../wit/host-import-0.2.0",
                "../wit/host-import-0.4.0",
                "../wit/host-import-0.6.0",
                "../wit/http-1.0.0",
                "../wit/http-1.1.0",
                "../wit/interfaces-host-0.1.0",
                "../wit/oauth-broker-1.0.0",
                "../wit/secrets-1.0.0",
                "../wit/secrets-store-1.0.0",
                "../wit/secrets-store-1.1.0",
                "../wit/state-1.0.0",
                "../wit/telemetry-1.0.0",
            ],
            inline: "
                package greentic:host-surface;

                world imports {
                    import greentic:component/control@0.4.0;
                    import greentic:component/control@0.5.0;
                    import greentic:component/control@0.6.0;
                    import greentic:host/http-v1@1.0.0;
                    import greentic:host/kv-v1@1.0.0;
                    import greentic:host-import/imports@0.2.0;
                    import greentic:host-import/http@0.4.0;
                    import greentic:host-import/secrets@0.4.0;
                    import greentic:host-import/telemetry@0.4.0;
                    import greentic:host-import/http@0.6.0;
                    import greentic:host-import/mcp@0.6.0;
                    import greentic:host-import/secrets@0.6.0;
                    import greentic:host-import/session@0.6.0;
                    import greentic:host-import/state@0.6.0;
                    import greentic:host-import/telemetry@0.6.0;
                    import greentic:http/client@1.0.0;
                    import greentic:http/http-client@1.0.0;
                    import greentic:http/client@1.1.0;
                    import greentic:http/http-client@1.1.0;
                    import greentic:interfaces-host/imports@0.1.0;
                    import greentic:oauth-broker/broker-v1@1.0.0;
                    import greentic:secrets/secret-store@1.0.0;
                    import greentic:secrets-store/secrets-store@1.0.0;
                    import greentic:secrets-store/secrets-store@1.1.0;
                    import greentic:state/state-store@1.0.0;
                    import greentic:telemetry/logger-api@1.0.0;
                }
            ",
            imports: {
                "greentic:component/control.should-cancel": trappable,
                "greentic:host-import/telemetry.emit": trappable,
                "greentic:host-import/imports.telemetry-emit": trappable,
                "greentic:interfaces-host/imports.telemetry-emit": trappable,
                "greentic:telemetry/logger-api.log": trappable,
                default: async | trappable,
            },
        });
    }

    pub use generated::greentic::component0_4_0::control as control_v0_4;
    pub use generated::greentic::component0_5_0::control as control_v0_5;
    pub use generated::greentic::component0_6_0::control as control_v0_6;
    pub use generated::greentic::host::{http_v1, kv_v1};
    pub use generated::greentic::host_import0_2_0::imports as host_import_v0_2;
    pub use generated::greentic::host_import0_4_0::http as host_import_http_v0_4;
    pub use generated::greentic::host_import0_4_0::secrets as host_import_secrets_v0_4;
    pub use generated::greentic::host_import0_4_0::telemetry as host_import_telemetry_v0_4;
    pub use generated::greentic::host_import0_6_0::http as host_import_http;
    pub use generated::greentic::host_import0_6_0::mcp as host_import_mcp;
    pub use generated::greentic::host_import0_6_0::secrets as host_import_secrets;
    pub use generated::greentic::host_import0_6_0::session as host_import_session;
    pub use generated::greentic::host_import0_6_0::state as host_import_state;
    pub use generated::greentic::host_import0_6_0::telemetry as host_import_telemetry;
    pub use generated::greentic::http1_0_0::client as http_alias_v1_0;
    pub use generated::greentic::http1_0_0::http_client as http_client_v1_0;
    pub use generated::greentic::http1_1_0::client as http_alias_v1_1;
    pub use generated::greentic::http1_1_0::http_client as http_client_v1_1;
    pub use generated::greentic::interfaces_host::imports as interfaces_host;
    pub use generated::greentic::interfaces_types::types as interfaces_types;
    pub use generated::greentic::oauth_broker::broker_v1 as oauth_broker;
    pub use generated::greentic::secrets::secret_store;
    pub use generated::greentic::secrets_store1_0_0::secrets_store as secrets_store_v1_0;
    pub use generated::greentic::secrets_store1_1_0::secrets_store as secrets_store_v1_1;
    pub use generated::greentic::state::state_store;
    pub use generated::greentic::telemetry::logger_api;
    pub use generated::greentic::types_core0_4_0::types as types_core_v0_4;
}

/// Published shapes that share a version with the host's own, for imports.
pub mod variants {
    /// `greentic:interfaces-types/types@0.1.0` without `i18n-id`.
    pub mod interfaces_types_without_i18n {
        mod generated {
            wasmtime::component::bindgen!({
                path: "../wit/variants/imports-interfaces-types-0.1.0-without-i18n.wit",
                inline: "
                    package greentic:host-surface;

                    world imports {
                        import greentic:interfaces-types/types@0.1.0;
                    }
                ",
            });
        }

        pub use generated::greentic::interfaces_types::types::*;
    }

    /// The path below `wit/` of `greentic:interfaces-types@0.1.0` without `i18n-id`.
    pub const INTERFACES_TYPES_WITHOUT_I18N: &str = "variants/imports-interfaces-types-0.1.0-without-i18n.wit";

    /// A WIT file that stands for one of the host's packages.
    #[derive(Clone, Copy, Debug)]
    pub struct Variant {
        /// Its path below `wit/`.
        pub path: &'static str,
        /// The path of the package that it stands for.
        pub replaces: &'static str,
        /// What it says.
        pub text: &'static str,
    }

    /// The variants.
    pub const WIT: &[Variant] = &[
        Variant {
            path: INTERFACES_TYPES_WITHOUT_I18N,
            replaces: "interfaces-types-0.1.0/package.wit",
            text: include_str!("../../wit/variants/imports-interfaces-types-0.1.0-without-i18n.wit"),
        },
        Variant {
            path: "variants/imports-types-core-0.4.0-without-i18n.wit",
            replaces: "types-core-0.4.0/package.wit",
            text: include_str!("../../wit/variants/imports-types-core-0.4.0-without-i18n.wit"),
        },
    ];
}

/// `greentic:component/node@0.6.0`, which flow nodes call.
pub mod node_v0_6 {
    mod generated {
        wasmtime::component::bindgen!({
            path: ["../wit/types-core-0.6.0", "../wit/component-0.6.0"],
            inline: "
                package greentic:host-surface;

                world node {
                    export greentic:component/node@0.6.0;
                }
            ",
            exports: { default: async },
        });
    }

    pub use generated::exports::greentic::component::node::*;
    pub use generated::{Node, NodeIndices, NodePre};
}

/// `greentic:component/runtime@0.6.1`, which flow nodes call.
pub mod runtime_v0_6_1 {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../wit/component-0.6.1",
            inline: "
                package greentic:host-surface;

                world runtime {
                    export greentic:component/runtime@0.6.1;
                }
            ",
            exports: { default: async },
        });
    }

    pub use generated::{Runtime, RuntimeIndices, RuntimePre};
}

/// `greentic:component/component-runtime@0.6.0` of the package that was first published under this version.
pub mod component_runtime_v0_6 {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../wit/variants/component-0.6.0-early",
            inline: "
                package greentic:host-surface;

                world component-runtime {
                    export greentic:component/component-runtime@0.6.0;
                }
            ",
            exports: { default: async },
        });
    }

    pub use generated::exports::greentic::component::component_runtime::*;
    pub use generated::{ComponentRuntime, ComponentRuntimeIndices, ComponentRuntimePre};
}

/// `greentic:provider-schema-core/schema-core-api@1.0.0`: providers under the name that new ones use.
pub mod provider_schema_core {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../wit/provider-schema-core-1.0.0",
            world: "schema-core",
            exports: { default: async },
        });
    }

    pub use generated::exports::greentic::provider_schema_core::schema_core_api::*;
    pub use generated::{SchemaCore, SchemaCoreIndices, SchemaCorePre};
}

/// `greentic:provider/schema-core-api@1.0.0`: providers under an older name.
pub mod provider {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../wit/provider-1.0.0",
            world: "schema-core",
            exports: { default: async },
        });
    }

    pub use generated::exports::greentic::provider::schema_core_api::*;
    pub use generated::{SchemaCore, SchemaCoreIndices, SchemaCorePre};
}

/// `greentic:provider-core/schema-core-api@1.0.0`: providers under the first name.
pub mod provider_core {
    mod generated {
        wasmtime::component::bindgen!({
            path: "../wit/provider-core-1.0.0",
            world: "schema-core",
            exports: { default: async },
        });
    }

    pub use generated::exports::greentic::provider_core::schema_core_api::*;
    pub use generated::{SchemaCore, SchemaCoreIndices, SchemaCorePre};
}

macro_rules! wit_packages {
    ($($folder:literal,)+) => {
        /// The WIT packages as path below `wit/` and text, each after those it uses.
        pub const WIT_PACKAGES: &[(&str, &str)] = &[$((
            concat!($folder, "/package.wit"),
            include_str!(concat!("../../wit/", $folder, "/package.wit")),
        ),)+];
    };
}

wit_packages! {
    "interfaces-types-0.1.0",
    "types-core-0.4.0",
    "types-core-0.6.0",
    "component-0.4.0",
    "component-0.5.0",
    "component-0.6.0",
    "component-0.6.1",
    "component-v1-0.1.0",
    "host-1.0.0",
    "host-import-0.2.0",
    "host-import-0.4.0",
    "host-import-0.6.0",
    "http-1.0.0",
    "http-1.1.0",
    "interfaces-host-0.1.0",
    "oauth-broker-1.0.0",
    "mcp-24.11.5",
    "mcp-25.3.26",
    "mcp-25.6.18",
    "pack-export-0.2.0",
    "pack-export-0.4.0",
    "pack-export-v1-0.1.0",
    "provider-1.0.0",
    "provider-core-1.0.0",
    "provider-schema-core-1.0.0",
    "secrets-1.0.0",
    "secrets-store-1.0.0",
    "secrets-store-1.1.0",
    "state-1.0.0",
    "telemetry-1.0.0",
}

/// A published package that shares name and version with another one.
#[derive(Clone, Copy, Debug)]
pub struct WitVariant {
    /// Its folder below `wit/variants/`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! wit_variants {
    ($($name:literal,)+) => {
        /// The packages that share name and version with another one. They use those of [`WIT_PACKAGES`] at most.
        pub const WIT_VARIANTS: &[WitVariant] = &[$(WitVariant {
            name: $name,
            text: include_str!(concat!("../../wit/variants/", $name, "/package.wit")),
        },)+];
    };
}

wit_variants! {
    "component-0.4.0-a",
    "component-0.4.0-b",
    "component-0.4.0-c",
    "component-0.5.0-a",
    "component-0.5.0-b",
    "component-0.5.0-c",
    "component-0.6.0-early",
}
