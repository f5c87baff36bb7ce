//! Providers that a pack declares in its provider extension.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::pack::manifest::{ExtensionRef, Findings};
use crate::pack::model::ProviderDecl;

/// The key that is written, and read first.
pub const KEY: &str = "greentic.provider-extension.v1";

/// The other key that circulates.
pub const OTHER_KEY: &str = "greentic.ext.provider";

/// The interface that providers export unless they say otherwise.
const EXPORT: &str = "schema-core-api";

/// The world that providers name unless they say otherwise.
const WORLD: &str = "greentic:provider/schema-core@1.0.0";

/// Packages of the worlds that this host calls; their names contain the word that marks typed worlds.
const SCHEMA_CORE: [&str; 3] = ["greentic:provider", "greentic:provider-schema-core", "greentic:provider-core"];

/// A declaration as it stands in the extension.
#[derive(Serialize, Deserialize)]
struct Wire {
    provider_type: String,
    /// Where two providers share a type, or one has a name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ops: Vec<String>,
    /// Other readers insist on it, so it is written even when it is empty.
    #[serde(default)]
    config_schema_ref: Option<String>,
    runtime: Runtime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
}

#[derive(Serialize, Deserialize)]
struct Runtime {
    component_ref: String,
    #[serde(default)]
    export: String,
    #[serde(default)]
    world: String,
}

/// Tells whether `key` is one of the keys under which providers are declared.
pub(super) fn is_provider_key(key: &str) -> bool {
    key == KEY || key == OTHER_KEY
}

/// The providers that the extensions declare.
pub(super) fn declared(extensions: &IndexMap<String, ExtensionRef>, place: &str) -> Result<IndexMap<Id, ProviderDecl>> {
    let mut findings = Findings::new(Code::ProviderInvalid, place);
    let mut out: IndexMap<Id, ProviderDecl> = IndexMap::new();
    for key in [KEY, OTHER_KEY] {
        let Some(extension) = extensions.get(key) else { continue };
        let Some(list) = list(&mut findings, key, &extension.inline) else { continue };
        for (at, value) in list.iter().enumerate() {
            let path = format!("{key}.providers[{at}]");
            let Some(decl) = declaration(&mut findings, &path, value) else { continue };
            match out.get(&decl.id) {
                // Tools that write both keys write the same under both.
                Some(other) if *other == decl && key == OTHER_KEY => {}
                Some(_) => findings.add(path, format_args!("provider {:?} is declared twice", decl.id)),
                None => drop(out.insert(decl.id.clone(), decl)),
            }
        }
    }
    findings.finish("the pack's providers are not valid")?;
    Ok(out)
}

fn list<'a>(findings: &mut Findings, key: &str, inline: &'a Value) -> Option<&'a Vec<Value>> {
    // Without an inline payload it lies elsewhere, where this host does not look.
    let Value::Object(payload) = inline else {
        if !inline.is_null() {
            findings.add(key, "its inline payload is not a map");
        }
        return None;
    };
    match payload.get("providers") {
        Some(Value::Array(list)) => Some(list),
        Some(_) => {
            findings.add(key, "`providers` is not a list");
            None
        }
        None => None,
    }
}

fn declaration(findings: &mut Findings, path: &str, value: &Value) -> Option<ProviderDecl> {
    let wire: Wire = findings.ok(path, Wire::deserialize(value))?;
    let name = wire.provider_id.as_deref().unwrap_or(&wire.provider_type);
    let message = |error: Error| error.message().to_owned();
    let id = findings.ok(path, id::parse("provider id", name).map_err(message));
    let component = findings.ok(path, id::parse("component id", &wire.runtime.component_ref).map_err(message));
    if wire.provider_type.is_empty() {
        findings.add(path, "provider_type is empty");
    }
    if is_legacy(&wire.runtime.world) {
        findings.push(legacy(name, &wire.runtime.world));
    }
    Some(ProviderDecl {
        id: id?,
        provider_type: wire.provider_type,
        capabilities: wire.capabilities,
        ops: wire.ops,
        component: component?,
        export: or(wire.runtime.export, EXPORT),
        world: wire.runtime.world,
        config: wire.config,
        config_schema_ref: wire.config_schema_ref.filter(|text| !text.is_empty()),
    })
}

fn or(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

fn legacy(name: &str, world: &str) -> Error {
    let message = format!("provider {:?} names the typed world {:?}, which is not supported", clip(name), clip(world));
    Error::new(Code::LegacyProviderWorld, message)
        .hint(format!("build the provider against {WORLD} and declare that world"))
}

/// Tells whether a world is one of the typed provider worlds of old: in a package of the namespace `provider`, or in
/// a package named after a kind of provider. What else a world may be called is informative only.
fn is_legacy(world: &str) -> bool {
    let package = world.split(['/', '@']).next().unwrap_or_default();
    match package.split_once(':') {
        Some(("provider", _)) => true,
        Some(("greentic", name)) => {
            !SCHEMA_CORE.contains(&package) && name.split('-').any(|word| word == "provider" || word == "providers")
        }
        _ => false,
    }
}

/// The extension that declares `providers`; none if there are none.
pub(super) fn extension<'a>(providers: impl IntoIterator<Item = &'a ProviderDecl>) -> Result<Option<ExtensionRef>> {
    let mut list = Vec::new();
    for decl in providers {
        let wire = Wire {
            provider_type: decl.provider_type.clone(),
            provider_id: Some(decl.id.to_string()).filter(|id| *id != decl.provider_type),
            capabilities: decl.capabilities.clone(),
            ops: decl.ops.clone(),
            config_schema_ref: Some(decl.config_schema_ref.clone().unwrap_or_default()),
            runtime: Runtime {
                component_ref: decl.component.to_string(),
                export: or(decl.export.clone(), EXPORT),
                world: or(decl.world.clone(), WORLD),
            },
            config: decl.config.clone(),
        };
        let value = serde_json::to_value(wire);
        list.push(value.map_err(|error| Error::new(Code::Internal, format!("a provider has no JSON form: {error}")))?);
    }
    if list.is_empty() {
        return Ok(None);
    }
    let inline = Value::Object(Map::from_iter([("providers".to_owned(), Value::Array(list))]));
    let (kind, version) = (KEY.to_owned(), "1.0.0".to_owned());
    Ok(Some(ExtensionRef { kind, version, digest: None, location: None, inline }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declare(key: &str, inline: Value) -> Result<IndexMap<Id, ProviderDecl>> {
        let extension =
            ExtensionRef { kind: key.into(), version: "1.0.0".into(), digest: None, location: None, inline };
        declared(&IndexMap::from([(key.to_owned(), extension)]), "demo!manifest.cbor")
    }

    fn telegram(world: &str) -> Value {
        json!({ "providers": [{
            "provider_type": "messaging.telegram.bot",
            "capabilities": ["send"],
            "ops": ["send", "reply"],
            "config_schema_ref": "schemas/telegram.json",
            "docs_ref": "README.md",
            "runtime": { "component_ref": "telegram", "export": "schema-core-api", "world": world },
        }], "vendor": 7 })
    }

    #[test]
    fn both_keys_declare_providers() {
        for key in [KEY, OTHER_KEY] {
            let providers = declare(key, telegram(WORLD)).unwrap();
            let decl = &providers["messaging.telegram.bot"];
            assert_eq!((&*decl.component, &*decl.ops.join(",")), ("telegram", "send,reply"));
            assert_eq!(decl.config_schema_ref.as_deref(), Some("schemas/telegram.json"));
        }
    }

    #[test]
    fn typed_worlds_are_refused_and_others_are_not() {
        for world in [
            "provider:common@0.0.2",
            "provider:common/common@0.0.2",
            "greentic:messaging-provider/telegram@1.0.0",
            "greentic:messaging-provider-telegram/provider@0.1.0",
            "greentic:events-providers/timer@0.1.0",
        ] {
            let error = declare(KEY, telegram(world)).unwrap_err();
            assert_eq!(error.code(), Code::LegacyProviderWorld, "{world}");
            assert!(error.message().contains(world), "{error}");
        }
        for world in [
            "",
            "root:component/root",
            "greentic:component/component@0.6.1",
            "greentic:provider/schema-core@1.0.0",
            "greentic:provider-schema-core/schema-core@1.0.0",
            "greentic:provider-core/schema-core@1.0.0",
        ] {
            assert!(declare(KEY, telegram(world)).is_ok(), "{world}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let good = telegram(WORLD)["providers"][0].clone();
        let bad_ref = json!({ "provider_type": "x", "runtime": { "component_ref": "no such/id" } });
        let error = declare(KEY, json!({ "providers": [good, good, { "ops": [] }, bad_ref] })).unwrap_err();
        assert_eq!(error.code(), Code::ProviderInvalid);
        let text = error.to_string();
        for part in ["declared twice", "missing field `provider_type`", "no such/id", "providers[3]", "manifest.cbor"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_extension_that_is_written_reads_back() {
        let providers = declare(KEY, telegram(WORLD)).unwrap();
        let written = extension(providers.values()).unwrap().unwrap();
        assert_eq!(declare(KEY, written.inline).unwrap(), providers);
        assert!(extension([]).unwrap().is_none());
    }
}
