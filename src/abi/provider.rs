//! Providers: `schema-core-api@1.0.0` under its three published package names.

use greentic_runner_bindings::{provider, provider_core, provider_schema_core};
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::capabilities::HostCtx;

/// A call of a provider.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    Describe,
    ValidateConfig(&'a [u8]),
    Healthcheck,
    Invoke(&'a str, &'a [u8]),
}

impl Request<'_> {
    /// The operation, for messages.
    pub(super) fn op(&self) -> &str {
        match self {
            Self::Describe => "describe",
            Self::ValidateConfig(_) => "validate-config",
            Self::Healthcheck => "healthcheck",
            Self::Invoke(op, _) => op,
        }
    }
}

macro_rules! packages {
    ($($variant:ident = $name:literal, $module:ident, $accessor:ident;)+) => {
        /// A provider, by the name under which it exports the interface.
        pub(super) enum ProviderPre { $($variant($module::SchemaCorePre<HostCtx>),)+ }

        impl ProviderPre {
            /// The provider behind the export `name`, if that is one of the names.
            pub(super) fn named(name: &str, pre: &InstancePre<HostCtx>) -> Option<wasmtime::Result<Self>> {
                match name {
                    $($name => Some($module::SchemaCorePre::new(pre.clone()).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// Makes an instance in `store` and calls it.
            pub(super) async fn call(
                &self,
                store: &mut Store<HostCtx>,
                request: Request<'_>,
            ) -> wasmtime::Result<Vec<u8>> {
                match self {$(
                    Self::$variant(pre) => {
                        let instance = pre.instantiate_async(&mut *store).await?;
                        let guest = instance.$accessor();
                        match request {
                            Request::Describe => guest.call_describe(store).await,
                            Request::ValidateConfig(config) => guest.call_validate_config(store, config).await,
                            Request::Healthcheck => guest.call_healthcheck(store).await,
                            Request::Invoke(op, input) => guest.call_invoke(store, op, input).await,
                        }
                    }
                )+}
            }
        }
    };
}

packages! {
    SchemaCore = "greentic:provider-schema-core/schema-core-api@1.0.0", provider_schema_core,
        greentic_provider_schema_core_schema_core_api;
    Provider = "greentic:provider/schema-core-api@1.0.0", provider, greentic_provider_schema_core_api;
    ProviderCore = "greentic:provider-core/schema-core-api@1.0.0", provider_core,
        greentic_provider_core_schema_core_api;
}

/// What a configuration check found wrong; nothing if it found nothing.
pub(super) fn complaints(result: &Value) -> Option<String> {
    let Value::Object(found) = result else {
        return (result == &Value::Bool(false)).then(|| "it was refused without a reason".to_owned());
    };
    let refused = ["ok", "valid"].iter().any(|key| found.get(*key) == Some(&Value::Bool(false)));
    let lists = ["errors", "issues", "diagnostics"].iter().filter_map(|key| found.get(*key)?.as_array());
    let texts: Vec<_> = lists.flatten().map(complaint).collect();
    match (texts.is_empty(), refused) {
        (true, false) => None,
        (false, _) if refused || !found.contains_key("ok") && !found.contains_key("valid") => Some(texts.join("; ")),
        (false, _) => None,
        (true, true) => Some(
            found
                .get("error")
                .or_else(|| found.get("message"))
                .map_or_else(|| "it was refused without a reason".to_owned(), complaint),
        ),
    }
}

fn complaint(value: &Value) -> String {
    let text = |v: &Value| v.as_str().map(str::to_owned);
    text(value).or_else(|| text(value.get("message")?)).unwrap_or_else(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_check_complains_in_several_forms() {
        for fine in [json!(null), json!(true), json!({"ok": true}), json!({"valid": true, "errors": []}), json!({})] {
            assert_eq!(complaints(&fine), None, "{fine}");
        }
        let cases = [
            (json!(false), "it was refused without a reason"),
            (json!({"ok": false}), "it was refused without a reason"),
            (json!({"ok": false, "error": {"message": "no token"}}), "no token"),
            (json!({"valid": false, "errors": ["a", {"message": "b"}]}), "a; b"),
            (json!({"errors": ["a"]}), "a"),
        ];
        for (result, expected) in cases {
            assert_eq!(complaints(&result).as_deref(), Some(expected), "{result}");
        }
    }
}
