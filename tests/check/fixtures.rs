//! One target per finding code that `check` can give: the smallest that has it.

use std::path::{Path, PathBuf};

use greentic_runner_bindings::WIT_PACKAGES;
use greentic_runner_host::Code;
use greentic_runner_host::capabilities::grants::Grants;
use greentic_runner_host::check::{self, Against, Options, Report};
use greentic_runner_host::config::PackBinding;
use greentic_runner_host::conform::{Record, Surface};
use greentic_runner_host::id::Id;
use serde_json::{Value, json};
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::util::{archive, cbor, entry, manifest, put};

/// A target and how it is checked.
pub(crate) struct Fixture {
    pub(crate) code: Code,
    /// Files below the fixture's own directory.
    files: Vec<(String, Vec<u8>)>,
    /// What is checked: paths below that directory.
    targets: Vec<String>,
    set: fn(&mut Options, &Path),
    /// A recorded surface.
    against: Option<Value>,
}

/// A fixture that was written to a directory of its own.
pub(crate) struct Placed {
    dir: TempDir,
    fixture: Fixture,
}

impl Fixture {
    pub(crate) fn new(code: Code, target: &str, content: impl AsRef<[u8]>) -> Self {
        let (set, against): (fn(&mut Options, &Path), _) = (|_, _| {}, None);
        Self { code, files: Vec::new(), targets: vec![target.to_owned()], set, against }.and(target, content)
    }

    fn pack(code: Code, nodes: &str) -> Self {
        Self { targets: vec!["pack".to_owned()], ..Self::new(code, "pack/index.ygtc", flow("main", nodes)) }
    }

    fn and(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    pub(crate) fn set(self, set: fn(&mut Options, &Path)) -> Self {
        Self { set, ..self }
    }

    pub(crate) fn placed(self) -> Placed {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in &self.files {
            put(dir.path(), name, content);
        }
        Placed { dir, fixture: self }
    }
}

impl Placed {
    pub(crate) fn code(&self) -> Code {
        self.fixture.code
    }

    pub(crate) fn report(&self) -> Report {
        let mut options = Options::default();
        (self.fixture.set)(&mut options, self.dir.path());
        let against = self.fixture.against.as_ref().map(|record| Against::read(record.to_string().as_bytes()).unwrap());
        let targets: Vec<PathBuf> = self.fixture.targets.iter().map(|target| self.dir.path().join(target)).collect();
        check::check(&targets, &options, against.as_ref()).unwrap()
    }

    /// `text` without the directory in which the fixture happens to lie.
    pub(crate) fn stable(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn flow(id: &str, nodes: &str) -> String {
    format!("id: {id}\ntype: messaging\nnodes:\n{nodes}")
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A component of the world `test:component/root`, over the host's packages.
pub(crate) fn over_host(world: &str) -> Vec<u8> {
    let mut sources: Vec<&str> = WIT_PACKAGES.iter().map(|(_, text)| *text).collect();
    let world = format!("package test:component; world root {{ {world} }}");
    sources.push(&world);
    component(&sources)
}

/// A component of the world `root` of the last of `sources`.
pub(crate) fn component(sources: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let packages: Vec<_> = sources.iter().map(|text| resolve.push_source("test.wit", text).unwrap()).collect();
    let world = resolve.select_world(&packages[packages.len() - 1..], Some("root")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A node component without imports.
pub(crate) fn node() -> Vec<u8> {
    over_host("export greentic:component/node@0.6.0;")
}

/// A node component over the host's packages, with one of them changed.
fn changed(package: &str, change: impl Fn(&str) -> String, import: &str) -> Vec<u8> {
    let of_host = WIT_PACKAGES.iter().map(|(_, text)| match text.contains(&format!("package {package}")) {
        true => change(text),
        false => (*text).to_owned(),
    });
    let root =
        format!("package test:component; world root {{ import {import}; export greentic:component/node@0.6.0; }}");
    let sources: Vec<String> = of_host.chain([root]).collect();
    component(&sources.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Its `tenant-ctx` lacks a field.
fn drifted() -> Vec<u8> {
    let without = |text: &str| text.replacen("i18n-id: option<string>,", "", 1);
    changed("greentic:interfaces-types@0.1.0", without, "greentic:state/state-store@1.0.0")
}

/// It was built against a later patch version.
fn newer() -> Vec<u8> {
    let later = |text: &str| text.replacen("greentic:host@1.0.0", "greentic:host@1.0.3", 1);
    changed("greentic:host@1.0.0", later, "greentic:host/kv-v1@1.0.3")
}

fn provider() -> Vec<u8> {
    over_host("export greentic:provider/schema-core-api@1.0.0;")
}

/// A node component that also imports `body` as `greentic:host/kv-v1@1.0.0`.
fn importing_kv(body: &str) -> Vec<u8> {
    let other = |_: &str| format!("package greentic:host@1.0.0; interface kv-v1 {{ {body} }}");
    changed("greentic:host@1.0.0", other, "greentic:host/kv-v1@1.0.0")
}

/// A component whose one export is called as the host's, and is something else.
fn exporting(body: &str) -> Vec<u8> {
    let package = format!("package greentic:provider@1.0.0; interface schema-core-api {{ {body} }}");
    let root = "package test:component; world root { export greentic:provider/schema-core-api@1.0.0; }";
    component(&[&package, root])
}

/// A node of the 0.5 line whose context has a field that the host does not know.
fn sharded() -> Vec<u8> {
    let node = "package greentic:component@0.5.0; interface node {
        record exec-ctx { flow-id: string, shard: u32 }
        record node-error { code: string, message: string }
        variant invoke-result { ok(string), err(node-error) }
        invoke: func(ctx: exec-ctx, op: string, input: string) -> invoke-result;
    }";
    component(&[node, "package test:component; world root { export greentic:component/node@0.5.0; }"])
}

pub(crate) fn importing(name: &str) -> Vec<u8> {
    wat(&format!(r#"(component (import "{name}" (instance (export "f" (func)))))"#))
}

fn with_manifest(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = manifest(&[]);
    change(&mut value);
    archive(&[entry("manifest.cbor", cbor(&value))])
}

fn with_providers(list: Value) -> Vec<u8> {
    with_manifest(|manifest| {
        let kind = "greentic.provider-extension.v1";
        manifest["extensions"] = json!({ kind: { "kind": kind, "version": "1.0.0", "inline": { "providers": list } } });
    })
}

fn with_id(publisher: &str) -> Vec<u8> {
    with_manifest(|manifest| manifest["publisher"] = publisher.into())
}

const CRM: &str = "pack_id: acme.demo\nversion: 1.0.0\npublisher: acme\ncomponents:\n  crm:\n    operations: [find]\n";

const TWO_PROVIDERS: &str = "pack_id: acme.demo\nversion: 1.0.0\npublisher: acme\ncomponents:\n  mail:\nproviders:
  - { provider_type: acme.mail, provider_id: one, component: mail }
  - { provider_type: acme.mail, provider_id: two, component: mail }\n";

/// This host's surface, as it might have been recorded with other functions in one of its interfaces.
fn recorded(change: impl FnOnce(&mut Value)) -> Value {
    let mut record = serde_json::to_value(Record::of(Surface::host().unwrap(), "0.0.9")).unwrap();
    change(&mut record["imports"]["greentic:host/kv-v1@1.0.0"]["functions"]);
    record
}

fn against(code: Code, record: Value) -> Fixture {
    Fixture { targets: Vec::new(), files: Vec::new(), against: Some(record), ..Fixture::new(code, "", "") }
}

/// Every fixture, by the number of its code.
pub(crate) fn all() -> Vec<Fixture> {
    [general(), packs(), components(), extras(), flows()].into_iter().flatten().collect()
}

fn general() -> Vec<Fixture> {
    vec![
        Fixture::new(Code::InvalidId, "pack/index.ygtc", flow("a b", "  a:\n    emit.text: hi\n    routing: out\n")),
        Fixture { targets: vec!["gone.wasm".to_owned()], ..Fixture::new(Code::Io, "other.wasm", "") },
        Fixture::new(Code::TooLarge, "large.wat", " ".repeat((16 << 20) + 1)),
    ]
}

fn packs() -> Vec<Fixture> {
    let one = || vec![entry("manifest.cbor", cbor(&manifest(&[])))];
    let with = |more| archive(&[one(), vec![more]].concat());
    let missing = archive(&[entry("manifest.cbor", cbor(&manifest(&["crm", "mail"])))]);
    let sources = json!({ "schema_version": 1, "components": [{
        "name": "crm",
        "source": "oci://registry.example/crm:1",
        "resolved": { "digest": format!("sha256:{}", "0".repeat(64)) },
        "artifact": { "inline": { "wasm_path": "components/crm.wasm" } },
    }] });
    let mut stale = manifest(&["crm"]);
    let key = "greentic.pack.component_sources@v1";
    stale["extensions"] = json!({ key: { "kind": key, "version": "1.0.0", "inline": sources } });
    let stale = archive(&[entry("manifest.cbor", cbor(&stale)), entry("components/crm.wasm", node())]);
    vec![
        Fixture::new(Code::PackKind, "notes.txt", "This is no pack."),
        Fixture::new(Code::ArchiveInvalid, "text.gtpack", "{\"pack\": 1}"),
        Fixture::new(Code::ArchiveBounds, "bomb.gtpack", with(entry("assets/zeros", vec![0; 2 << 20]))),
        Fixture::new(Code::ArchiveEntry, "slip.gtpack", with(entry("../../etc/passwd", "x"))),
        Fixture::new(Code::ManifestMissing, "bare.gtpack", archive(&[entry("assets/x", "1")])),
        Fixture::new(Code::ManifestInvalid, "wrong.gtpack", with_manifest(|manifest| manifest["version"] = 7.into())),
        Fixture::new(
            Code::ManifestGeneration,
            "next.gtpack",
            with_manifest(|manifest| manifest["schema_version"] = "pack-v2".into()),
        ),
        Fixture::new(Code::ComponentsMissing, "hollow.gtpack", missing),
        Fixture::new(
            Code::FilesMissing,
            "hollow.gtpack",
            archive(&[entry("manifest.cbor", cbor(&manifest(&["crm"])))]),
        )
        .set(|options, root| drop(options.load.overrides.insert(Id::from("crm"), root.join("gone.wasm")))),
        Fixture::new(Code::DigestMismatch, "stale.gtpack", stale),
        Fixture::new(
            Code::SbomMismatch,
            "billed.gtpack",
            with(entry(
                "sbom.cbor",
                cbor(&json!({ "format": "greentic-sbom-v1", "files": [
                { "path": "assets/gone.txt", "size": 1, "hash_blake3": "00" },
            ] })),
            )),
        ),
        Fixture::new(Code::LockInvalid, "locked.gtpack", with(entry("pack.lock.cbor", "no lock"))),
        Fixture::new(Code::PackNotBound, "other.gtpack", with_manifest(|_| {})).set(|options, _| {
            let text = "tenant: acme\npack_id: acme.demo\npack_ref: acme.demo@2.0.0\nflows: [{ id: main }]\n";
            options.bound = Some(PackBinding::parse(text, "acme.gtbind").unwrap().1);
        }),
        Fixture::new(
            Code::ProviderInvalid,
            "twins.gtpack",
            with_providers(json!([
                { "provider_type": "acme.mail", "runtime": { "component_ref": "mail" } },
                { "provider_type": "acme.mail", "runtime": { "component_ref": "post" } },
                { "provider_type": "acme.sms", "runtime": { "component_ref": "sms" } },
            ])),
        ),
        Fixture::new(
            Code::LegacyProviderWorld,
            "typed.gtpack",
            with_providers(json!([{
                "provider_type": "acme.mail",
                "runtime": { "component_ref": "mail", "world": "greentic:messaging-provider/mail@1.0.0" },
            }])),
        ),
    ]
}

fn components() -> Vec<Fixture> {
    let nested = format!("{}{}", "(component ".repeat(12), ")".repeat(12));
    let memories = format!("(component (core module $m {}) (core instance (instantiate $m)))", "(memory 1)".repeat(17));
    let kv = "get: func(ns: string, key: string) -> option<string>; put: func(ns: string, key: string, val: string);";
    vec![
        Fixture::new(Code::NotAComponent, "module.wasm", wat("(module)")),
        Fixture::new(Code::Nonconforming, "odd.wasm", wat(r#"(component (import "a" (component)))"#)),
        Fixture::new(Code::ImportUnknown, "unknown.wasm", importing("greentic:state/state-stor@1.0.0")),
        Fixture::new(Code::ImportVersion, "version.wasm", importing("greentic:component/control@0.7.0")),
        Fixture::new(Code::ImportFunction, "function.wasm", importing_kv(&format!("{kv} gets: func(ns: string);"))),
        Fixture::new(
            Code::ImportType,
            "type.wasm",
            importing_kv(
                "enum kind { a } record place { kind: kind }
                 get: func(ns: place, key: string) -> option<list<u8>>; put: func(ns: string, key: string);",
            ),
        ),
        Fixture::new(Code::ImportNotGranted, "granted.wasm", importing_kv(kv))
            .set(|options, _| options.grants = Grants::none()),
        Fixture::new(Code::ImportConverted, "drifted.wasm", drifted()),
        Fixture::new(Code::ImportCompatible, "newer.wasm", newer()),
        Fixture::new(Code::ExportMissing, "mute.wasm", wat("(component)")),
        Fixture::new(
            Code::ExportType,
            "other.wasm",
            exporting(
                "describe: func() -> string; validate-config: func(config: list<u8>) -> list<u8>;
                 healthcheck: func() -> list<u8>; invoke: func(op: string) -> list<u8>;",
            ),
        ),
        Fixture::new(Code::ExportContext, "sharded.wasm", sharded()),
        Fixture::new(Code::CompileFailed, "wide.wasm", wat("(component (core module (memory i64 1)))")),
        Fixture::new(Code::CompileBounds, "nested.wasm", wat(&nested)),
        Fixture::new(Code::PoolTooSmall, "memories.wasm", wat(&memories)),
        Fixture::new(
            Code::InitialMemory,
            "hungry.wasm",
            wat("(component (core module $m (memory 2000)) (core instance (instantiate $m)))"),
        ),
    ]
}

fn extras() -> Vec<Fixture> {
    let idle = "  a:\n    crm: { name: x }\n    operation: find\n    routing: out\n";
    let yaml = format!("{CRM}    capabilities: {{}}\n  idle:\n").replace("[find]", "[find, forget]");
    vec![
        Fixture::pack(Code::ExportUnused, idle)
            .and("pack/pack.yaml", yaml)
            .and("pack/components/crm.wasm", node())
            .and("pack/components/idle.wasm", node()),
        against(
            Code::SurfaceBroken,
            recorded(|functions| {
                functions["get"]["params"]["key"] = "u32".into();
                functions["wipe"] = json!({ "params": {} });
            }),
        ),
        against(Code::SurfaceGrown, recorded(|functions| drop(functions.as_object_mut().unwrap().remove("put")))),
        Fixture {
            targets: vec!["acme.gtpack".to_owned(), "other.gtpack".to_owned()],
            ..Fixture::new(Code::PackIdTaken, "acme.gtpack", with_id("acme")).and("other.gtpack", with_id("mallory"))
        },
    ]
}

/// A flow of one node, whose card lies in the pack.
fn card(path: &str) -> String {
    format!(
        "  a:\n    crm: {{ card_source: asset, card_spec: {{ asset_path: '{path}' }} }}\n    operation: find\n    routing: out\n"
    )
}

fn flows() -> Vec<Fixture> {
    let text = |rest: &str| format!("  a:\n    emit.text: hi\n    {rest}\n");
    let crm = |nodes: &str| {
        Fixture::pack(Code::OpMissing, nodes)
            .and("pack/pack.yaml", CRM.replace("[find]", "[find, forget]"))
            .and("pack/components/crm.wasm", node())
    };
    vec![
        Fixture::pack(Code::FlowInvalid, &text("routing: nowhere")),
        Fixture::pack(Code::NodeUnknown, &text("routing: [{to: b}]")),
        Fixture::pack(Code::ComponentUnknown, "  a:\n    cmr: {}\n    operation: find\n    routing: out\n")
            .and("pack/pack.yaml", CRM)
            .and("pack/components/crm.wasm", node()),
        Fixture::pack(
            Code::ProviderUnknown,
            "  a:\n    provider.invoke: { provider_type: acme.sms, op: send }\n    routing: out\n",
        ),
        Fixture::pack(
            Code::ProviderAmbiguous,
            "  a:\n    provider.invoke: { provider_type: acme.mail, op: send }\n    routing: out\n",
        )
        .and("pack/pack.yaml", TWO_PROVIDERS)
        .and("pack/components/mail.wasm", provider()),
        Fixture::pack(Code::TemplateInvalid, "  a:\n    emit.text: \"{{#if x}}\"\n    routing: out\n"),
        Fixture::pack(
            Code::NodeUnreachable,
            &format!("{}  b:\n    emit.text: bye\n    routing: out\n", text("routing: out")),
        ),
        Fixture {
            targets: vec!["pack".to_owned()],
            ..Fixture::new(Code::FlowEmpty, "pack/index.ygtc", "id: main\ntype: messaging\nnodes: {}\n")
        },
        Fixture::pack(Code::FlowCallUnknown, "  a:\n    flow.call: { flow_id: nope }\n    routing: out\n"),
        Fixture::pack(
            Code::FlowCycle,
            &format!("{}  b:\n    emit.text: hi\n    routing: [{{to: a}}]\n", text("routing: [{to: b}]")),
        ),
        Fixture::pack(Code::WaitWithoutNext, "  a:\n    session.wait: {}\n    routing: out\n"),
        Fixture::pack(Code::ConditionInvalid, &text("routing: [{condition: 'in.x ==', to: a}]")),
        crm("  a:\n    crm: {}\n    routing: out\n"),
        Fixture { code: Code::OpUnknown, ..crm("  a:\n    crm: {}\n    operation: fnid\n    routing: out\n") },
        Fixture {
            targets: vec!["pack".to_owned()],
            ..Fixture::new(
                Code::FlowDialect,
                "pack/index.ygtc",
                "id: main\nversion: '1'\nnodes:\n  - id: x\n    op: y\nedges: []\n",
            )
        },
        Fixture { code: Code::AssetPath, ..crm(&card("../../etc/passwd")) },
        Fixture { code: Code::AssetMissing, ..crm(&card("cards/helo.json")) },
        Fixture::pack(Code::NodeInvalid, &text("timeout: soon")),
        Fixture::pack(Code::FlowDisabled, "  a:\n    flow.call: { flow_id: broken }\n    routing: out\n")
            .and("pack/broken.ygtc", "id: broken\ntype: messaging\nnodes: {}\n"),
    ]
}
