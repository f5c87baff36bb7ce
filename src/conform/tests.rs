//! Components are made from WIT text: what a table row says is what the component imports and exports.

use greentic_runner_bindings::WIT_PACKAGES;
use wit_parser::Resolve;

use super::testing::{component, over_host};
use super::*;
use crate::capabilities::grants::{Grant, Grants};
use crate::error::{Code, Result};

fn findings(bytes: &[u8], grants: Grants, wants: &[Want]) -> Vec<Finding> {
    compare(&inspect("c", bytes).unwrap(), Surface::host().unwrap(), grants, wants).findings
}

fn importing(name: &str) -> Vec<u8> {
    wat::parse_str(format!(r#"(component (import "{name}" (instance (export "f" (func)))))"#)).unwrap()
}

#[test]
fn a_component_that_uses_everything_as_it_is_has_no_findings() {
    let imports: String = Surface::host().unwrap().imports().keys().map(|name| format!("import {name}; ")).collect();
    for (export, want) in [
        ("greentic:component/node@0.6.0", Want::Node),
        ("greentic:provider-schema-core/schema-core-api@1.0.0", Want::Provider),
        ("greentic:provider/schema-core-api@1.0.0", Want::Provider),
        ("greentic:provider-core/schema-core-api@1.0.0", Want::Provider),
    ] {
        let bytes = over_host(&format!("{imports} export {export};"));
        assert_eq!(findings(&bytes, Grants::all(), &[want]), [], "{export}");
    }
}

#[test]
fn an_import_is_judged_by_its_full_name() {
    type Expected = (Code, Option<&'static str>, Option<&'static str>);
    const STORE: &str = "greentic:state/state-store@1.0.0";
    let cases: &[(&str, Option<Expected>)] = &[
        ("wasi:cli/stdout@0.2.0", None),
        ("wasi:sockets/tcp@0.2.9", None),
        ("wasi:io/streams@0.2.12", None),
        ("wasi:cli/stdout@0.3.0", Some((Code::ImportVersion, None, Some("0.2, in any patch version")))),
        ("wasi:http/outgoing-handler@0.2.6", None),
        ("wasi:http/types@0.2.12", None),
        ("wasi:tls/client@0.2.0-draft", Some((Code::ImportUnknown, None, None))),
        ("wasi:io/stream@0.2.6", Some((Code::ImportUnknown, Some("wasi:io/streams"), None))),
        ("acme:billing/ledger@1.0.0", Some((Code::ImportUnknown, None, None))),
        ("greentic:state/state-stor@1.0.0", Some((Code::ImportUnknown, Some(STORE), None))),
        #[cfg(not(feature = "mcp"))]
        ("greentic:host-import/mcp@0.6.0", Some((Code::ImportUnknown, None, None))),
        ("wasix:mcp/router@25.6.18", Some((Code::ImportUnknown, None, None))),
        ("greentic:state/state-store@1.0.1-rc.1", Some((Code::ImportVersion, Some(STORE), Some("1.0.0")))),
        ("greentic:state/state-store@2.0.0", Some((Code::ImportVersion, Some(STORE), Some("1.0.0")))),
        ("greentic:state/state-store", Some((Code::ImportVersion, Some(STORE), Some("1.0.0")))),
        (
            "greentic:component/control@0.7.0",
            Some((Code::ImportVersion, Some("greentic:component/control@0.6.0"), Some("0.4.0, 0.5.0, 0.6.0"))),
        ),
    ];
    for (name, expected) in cases {
        let found = findings(&importing(name), Grants::all(), &[]);
        let expected: Vec<_> = expected.iter().copied().collect();
        let found: Vec<_> = found.iter().map(|f| (f.code, f.nearest.as_deref(), f.offered.as_deref())).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_version_is_served_by_a_compatible_one() {
    const OFFERED: [&str; 8] = [
        "a:b/c@0.0.1",
        "a:b/c@0.2.0",
        "a:b/c@0.2.4",
        "a:b/c@0.3.0",
        "a:b/c@1.0.0",
        "a:b/c@1.4.0",
        "a:b/d@1.1.0",
        "a:b/e",
    ];
    let cases: &[(&str, Option<&str>)] = &[
        ("a:b/c@0.0.1", Some("a:b/c@0.0.1")),
        ("a:b/c@0.0.2", None),
        ("a:b/c@0.2.0", Some("a:b/c@0.2.0")),
        ("a:b/c@0.2.3", Some("a:b/c@0.2.0")),
        ("a:b/c@0.2.9", Some("a:b/c@0.2.4")),
        ("a:b/c@0.3.1", Some("a:b/c@0.3.0")),
        ("a:b/c@0.4.0", None),
        ("a:b/c@1.0.3", Some("a:b/c@1.0.0")),
        ("a:b/c@1.3.0", Some("a:b/c@1.0.0")),
        ("a:b/c@1.5.2", Some("a:b/c@1.4.0")),
        ("a:b/c@2.0.0", None),
        ("a:b/c@1.0.0-rc.1", None),
        ("a:b/d@1.0.0", Some("a:b/d@1.1.0")),
        ("a:b/c", None),
        ("a:b/e", Some("a:b/e")),
        ("a:b/c@nonsense", None),
        ("a:b/x@1.0.0", None),
    ];
    for (asked, serving) in cases {
        assert_eq!(import::serving(asked, OFFERED.into_iter()), *serving, "{asked}");
    }
}

#[test]
fn a_compatible_version_is_compared_all_the_same() {
    let kv = |version: &str, body: &str| {
        let host = format!("package greentic:host@{version}; interface kv-v1 {{ {body} }}");
        let root = format!("package test:root; world root {{ import greentic:host/kv-v1@{version}; }}");
        findings(&component(&[&host, &root]), Grants::all(), &[])
    };
    let codes = |found: Vec<Finding>| found.iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(codes(kv("1.0.7", "get: func(ns: string, key: string) -> option<string>;")), [Code::ImportCompatible]);
    assert_eq!(codes(kv("1.2.0", "drop: func(ns: string, key: string);")), [Code::ImportFunction]);
    assert_eq!(codes(kv("1.0.7", "get: func(ns: string) -> option<string>;")), [Code::ImportType]);
    assert_eq!(codes(kv("2.0.0", "get: func(ns: string, key: string) -> option<string>;")), [Code::ImportVersion]);
}

#[test]
fn what_wasi_sends_takes_a_grant_too() {
    let needed = |name| needs(&inspect("c", &importing(name)).unwrap(), Surface::host().unwrap());
    assert_eq!(needed("wasi:http/outgoing-handler@0.2.6"), Grants::none().with(Grant::Http));
    assert_eq!(needed("wasi:http/types@0.2.6"), Grants::none());
    assert_eq!(needed("greentic:http/client@1.1.0"), Grants::none().with(Grant::Http));
}

#[test]
fn what_is_not_granted_is_named_with_its_grant() {
    for (name, offer) in Surface::host().unwrap().imports() {
        let bytes = over_host(&format!("import {name};"));
        // An interface may use types of another one, which is imported then as well.
        let own = |grants| findings(&bytes, grants, &[]).into_iter().filter(|f| f.interface == *name);
        let grants: Vec<_> = own(Grants::none()).map(|f| (f.code, f.asked.unwrap())).collect();
        let expected: Vec<_> = offer.needs.iter().map(|g| (Code::ImportNotGranted, g.name().to_owned())).collect();
        assert_eq!(grants, expected, "{name}");
        for grant in &offer.needs {
            assert_eq!(own(Grants::all().without(*grant)).count(), 1, "{name} without {grant}");
        }
    }
}

#[test]
fn an_interface_without_functions_is_no_import() {
    let types = "package other:types@3.0.0; interface types { record r { a: u8 } }";
    let root = "package test:root; world root { import other:types/types@3.0.0; }";
    assert_eq!(findings(&component(&[types, root]), Grants::none(), &[]), []);
}

#[test]
fn a_function_outside_of_interfaces_is_unknown() {
    let found = findings(&over_host("import launch: func();"), Grants::all(), &[]);
    let found: Vec<_> = found.iter().map(|f| (f.code, f.interface.as_str())).collect();
    assert_eq!(found, [(Code::ImportUnknown, "launch")]);
}

/// `greentic:host/kv-v1@1.0.0` with another body, and what differs then: code, item, asked, offered.
#[test]
fn functions_are_compared_by_name_and_type() {
    type Expected = (Code, &'static str, Option<&'static str>, Option<&'static str>);
    let cases: &[(&str, &[Expected])] = &[
        ("get: func(ns: string, key: string) -> option<string>;", &[]),
        ("get: func(other: string, names: string) -> option<string>;", &[]),
        ("gets: func(ns: string);", &[(Code::ImportFunction, "gets", None, None)]),
        (
            "get: func(ns: string) -> option<string>;",
            &[(Code::ImportType, "get", Some("1 parameters"), Some("2 parameters"))],
        ),
        (
            "get: func(ns: string, key: list<u8>) -> option<string>;",
            &[(Code::ImportType, "get > parameter 2 (key)", Some("list<u8>"), Some("string"))],
        ),
        (
            "get: func(ns: string, key: string) -> option<list<u8>>;",
            &[(Code::ImportType, "get > result > option", Some("list<u8>"), Some("string"))],
        ),
        (
            "get: func(ns: string, key: string);",
            &[(Code::ImportType, "get > result", Some("nothing"), Some("option<string>"))],
        ),
        (
            "put: func(ns: string, key: u8, val: string) -> result<_, string>; drop: func();",
            &[
                (Code::ImportType, "put > parameter 2 (key)", Some("u8"), Some("string")),
                (Code::ImportType, "put > result", Some("result<_, string>"), Some("nothing")),
                (Code::ImportFunction, "drop", None, None),
            ],
        ),
        (
            "resource bucket { constructor(); }",
            &[
                (Code::ImportFunction, "[constructor]bucket", None, None),
                (Code::ImportType, "resource bucket", Some("a resource"), Some("nothing")),
            ],
        ),
    ];
    for (body, expected) in cases {
        let host = format!("package greentic:host@1.0.0; interface kv-v1 {{ {body} }}");
        let root = "package test:root; world root { import greentic:host/kv-v1@1.0.0; }";
        let found = findings(&component(&[&host, root]), Grants::all(), &[]);
        let found: Vec<_> =
            found.iter().map(|f| (f.code, f.item.as_str(), f.asked.as_deref(), f.offered.as_deref())).collect();
        assert_eq!(&found, expected, "{body}");
    }
}

/// The shapes of `state-store` and its types that a component may have been built with.
fn state_store(tenant_ctx: &str, op_ack: &str) -> Vec<u8> {
    let types = format!(
        "package greentic:interfaces-types@0.1.0; interface types {{
            record impersonation {{ actor-id: string, reason: option<string> }}
            record tenant-ctx {{ {tenant_ctx} }}
        }}"
    );
    let state = format!(
        "package greentic:state@1.0.0; interface state-store {{
            use greentic:interfaces-types/types@0.1.0.{{tenant-ctx}};
            record host-error {{ code: string, message: string }}
            enum op-ack {{ {op_ack} }}
            read: func(key: string, ctx: option<tenant-ctx>) -> result<list<u8>, host-error>;
            write: func(key: string, bytes: list<u8>, ctx: option<tenant-ctx>) -> result<op-ack, host-error>;
        }}"
    );
    let root = "package test:root; world root { import greentic:state/state-store@1.0.0; }";
    component(&[&types, &state, root])
}

const FIELDS: [&str; 19] = [
    "env: string",
    "tenant: string",
    "tenant-id: string",
    "team: option<string>",
    "team-id: option<string>",
    "user: option<string>",
    "user-id: option<string>",
    "trace-id: option<string>",
    "i18n-id: option<string>",
    "correlation-id: option<string>",
    "attributes: list<tuple<string, string>>",
    "session-id: option<string>",
    "flow-id: option<string>",
    "node-id: option<string>",
    "provider-id: option<string>",
    "deadline-ms: option<s64>",
    "attempt: u32",
    "idempotency-key: option<string>",
    "impersonation: option<impersonation>",
];

#[test]
fn records_are_compared_field_by_field() {
    const RECORD: &str = "read > parameter 2 (ctx) > option > record tenant-ctx";
    let with = |edit: &dyn Fn(&mut Vec<&'static str>)| {
        let mut fields = FIELDS.to_vec();
        edit(&mut fields);
        let bytes = state_store(&fields.join(", "), "ok");
        let found = findings(&bytes, Grants::all(), &[]);
        assert!(
            found.iter().all(|f| f.severity == Severity::Note && f.interface == "greentic:state/state-store@1.0.0")
        );
        found
            .into_iter()
            .map(|f| (f.item.replace(RECORD, "…"), f.asked.unwrap(), f.offered.unwrap()))
            .collect::<Vec<_>>()
    };
    let row = |item: &str, asked: &str, offered: &str| (item.to_owned(), asked.to_owned(), offered.to_owned());
    assert_eq!(with(&|_| {}), []);
    assert_eq!(
        with(&|f| f.retain(|field| !field.starts_with("i18n-id"))),
        [row("… > field i18n-id", "nothing", "option<string>")]
    );
    assert_eq!(with(&|f| f.push("region: string")), [row("… > field region", "string", "nothing")]);
    assert_eq!(
        with(&|f| f[0] = "envs: string"),
        [row("… > field envs", "string", "nothing"), row("… > field env", "nothing", "string")]
    );
    assert_eq!(with(&|f| f[16] = "attempt: u64"), [row("… > field attempt", "u64", "u32")]);
    assert_eq!(
        with(&|f| f[10] = "attributes: list<tuple<string, u8>>"),
        [row("… > field attributes > list item > tuple item 2", "u8", "string")]
    );
    let swapped = with(&|f| f.swap(0, 1));
    assert!(swapped.len() == 1 && swapped[0].0 == "…", "{swapped:?}");
    assert!(swapped[0].1.starts_with("fields in the order tenant, env,"), "{swapped:?}");
    assert!(swapped[0].2.starts_with("fields in the order env, tenant,"), "{swapped:?}");
}

#[test]
fn enums_are_compared_case_by_case() {
    for (cases, expected) in [
        ("ok", vec![]),
        ("ok, later", vec![(Code::ImportConverted, "case later", "no payload", "nothing")]),
        ("done", vec![(Code::ImportType, "case ok", "nothing", "no payload")]),
    ] {
        let found = findings(&state_store(&FIELDS.join(", "), cases), Grants::all(), &[]);
        let found: Vec<_> = found
            .iter()
            .map(|f| {
                let item = f.item.strip_prefix("write > result > ok > enum op-ack > ").unwrap();
                (f.code, item, f.asked.as_deref().unwrap(), f.offered.as_deref().unwrap())
            })
            .collect();
        assert_eq!(found, expected, "{cases}");
    }
}

#[test]
fn what_is_wanted_must_be_exported_in_one_of_its_forms() {
    const NODE: &str = "greentic:component/node@0.6.0";
    const CORE: &str = "greentic:provider-core/schema-core-api@1.0.0";
    let provider = |body: &str| {
        let core = format!("package greentic:provider-core@1.0.0; interface schema-core-api {{ {body} }}");
        component(&[&core, &format!("package test:root; world root {{ export {CORE}; }}")])
    };
    let whole = "describe: func() -> list<u8>; validate-config: func(c: list<u8>) -> list<u8>; \
                 healthcheck: func() -> list<u8>; invoke: func(op: string, i: list<u8>) -> list<u8>;";
    assert_eq!(findings(&provider(whole), Grants::none(), &[Want::Provider]), []);

    let found = findings(&provider(whole), Grants::none(), &[Want::Node, Want::Provider]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].interface.as_str()), (Code::ExportMissing, NODE));
    assert!(found[0].hint.as_deref().unwrap().contains(CORE), "{:?}", found[0]);

    let found = findings(&provider(&whole.replace("healthcheck", "health-check")), Grants::none(), &[Want::Provider]);
    let found: Vec<_> = found.iter().map(|f| (f.code, f.item.as_str(), f.nearest.as_deref())).collect();
    assert_eq!(found, [(Code::ExportMissing, "healthcheck", Some("health-check"))]);

    let found = findings(&provider(&whole.replace("op: string", "op: u32")), Grants::none(), &[Want::Provider]);
    let found: Vec<_> =
        found.iter().map(|f| (f.code, f.item.as_str(), f.asked.as_deref(), f.offered.as_deref())).collect();
    assert_eq!(found, [(Code::ExportType, "invoke > parameter 1 (op)", Some("string"), Some("u32"))]);

    let empty = wat::parse_str("(component)").unwrap();
    assert_eq!(findings(&empty, Grants::none(), &[]), []);
    let codes: Vec<_> =
        findings(&empty, Grants::none(), &[Want::Node, Want::Provider]).iter().map(|f| f.code).collect();
    assert_eq!(codes, [Code::ExportMissing, Code::ExportMissing]);
}

const NODE_ERROR: &str = "record node-error { code: string, message: string }
    variant invoke-result { ok(string), err(node-error) }";

/// A component that exports `greentic:component/node@0.5.0` with this body.
fn node_0_5(body: &str) -> Vec<u8> {
    let package = format!("package greentic:component@0.5.0; interface node {{ {NODE_ERROR} {body} }}");
    component(&[&package, "package test:root; world root { export greentic:component/node@0.5.0; }"])
}

fn generation(bytes: &[u8], want: Want) -> std::result::Result<String, Vec<Finding>> {
    let chosen = export(want, &inspect("c", bytes).unwrap(), Surface::host().unwrap())?;
    Ok(chosen.generation.to_string())
}

#[test]
fn every_published_shape_is_recognised() {
    use greentic_runner_bindings::WIT_VARIANTS;

    for variant in WIT_VARIANTS {
        let types = WIT_PACKAGES.iter().find(|(path, _)| path.starts_with("interfaces-types")).unwrap().1;
        let (interface, shown) = match variant.name.split_at("component-0.5.0".len()) {
            (_, "-early") => ("component-runtime@0.6.0", "greentic:component/component-runtime@0.6.0".to_owned()),
            (package, shape) => {
                let version = package.trim_start_matches("component-");
                let shape = shape.trim_start_matches('-').to_uppercase();
                let node = if version == "0.4.0" { "node@0.4.0" } else { "node@0.5.0" };
                (node, format!("greentic:component/{node} (shape {shape})"))
            }
        };
        let root = format!("package test:root; world root {{ export greentic:component/{interface}; }}");
        assert_eq!(generation(&component(&[types, variant.text, &root]), Want::Node), Ok(shown), "{}", variant.name);
    }
}

#[test]
fn a_binary_of_several_generations_is_called_by_the_newest() {
    let bytes = over_host("export greentic:component/runtime@0.6.1; export greentic:component/node@0.6.0;");
    assert_eq!(generation(&bytes, Want::Node).unwrap(), "greentic:component/node@0.6.0");
    let bytes = over_host(
        "export greentic:component/runtime@0.6.1; export greentic:provider-schema-core/schema-core-api@1.0.0;",
    );
    assert_eq!(generation(&bytes, Want::Node).unwrap(), "greentic:component/runtime@0.6.1");
    assert_eq!(generation(&bytes, Want::Provider).unwrap(), "greentic:provider-schema-core/schema-core-api@1.0.0");
    // Both packages that were published as 0.6.0, in one binary.
    let (_, core) = WIT_PACKAGES.iter().find(|(path, _)| path.starts_with("types-core-0.6.0")).unwrap();
    let (_, node) = WIT_PACKAGES.iter().find(|(path, _)| path.starts_with("component-0.6.0")).unwrap();
    let runtime = "interface component-runtime { record run-result { output: list<u8>, new-state: list<u8> }
        run: func(input: list<u8>, state: list<u8>) -> run-result; }";
    let root = "package test:root; world root { export greentic:component/component-runtime@0.6.0;
        export greentic:component/node@0.6.0; }";
    let bytes = component(&[core, &format!("{node} {runtime}"), root]);
    assert_eq!(generation(&bytes, Want::Node).unwrap(), "greentic:component/node@0.6.0");
    // A node that cannot be called is no reason not to call what can be.
    let broken = "package greentic:component@0.6.0; interface node { invoke: func(); }";
    let bytes = component(&[&format!("{broken} {runtime}"), root]);
    assert_eq!(generation(&bytes, Want::Node).unwrap(), "greentic:component/component-runtime@0.6.0");
}

#[test]
fn records_are_filled_by_the_names_of_their_fields() {
    let fits = |ctx: &str| {
        let body = format!("{ctx} invoke: func(c: exec-ctx, o: string, i: string) -> invoke-result;");
        generation(&node_0_5(&body), Want::Node)
    };
    let own = Ok("greentic:component/node@0.5.0 (a shape of its own)".to_owned());
    for ctx in [
        "record exec-ctx { flow-id: string }",
        "record exec-ctx { flow-id: option<string>, shard: option<u32>, labels: list<u8> }",
        "record inner { tenant: string } record exec-ctx { tenant: inner }",
        "enum cloud { aws, local } record d { cloud: cloud } record exec-ctx { deployment: d }",
        "record exec-ctx { attempt: u64, deadline-ms: s64 }",
        "record inner { shard: u32 } record exec-ctx { env: string, other: option<inner>, tenant: option<inner> }",
    ] {
        assert_eq!(fits(ctx), own, "{ctx}");
    }
    const ASKED: Option<&str> = Some("a field that the host knows by name, or an option");
    for (ctx, item, offered) in [
        ("record exec-ctx { flow-id: string, shard: u32 }", "record exec-ctx > field shard", "u32"),
        ("record exec-ctx { attempt: string }", "record exec-ctx > field attempt", "string"),
        ("record exec-ctx { flow-id: u8 }", "record exec-ctx > field flow-id", "u8"),
        (
            "record inner { shard: bool } record exec-ctx { tenant: inner }",
            "record exec-ctx > field tenant > record inner > field shard",
            "bool",
        ),
        ("enum cloud { aws } record exec-ctx { cloud: cloud }", "record exec-ctx > field cloud", "enum cloud"),
    ] {
        let found = fits(ctx).unwrap_err();
        let found: Vec<_> =
            found.iter().map(|f| (f.code, f.item.as_str(), f.asked.as_deref(), f.offered.as_deref())).collect();
        let item = format!("invoke > parameter 1 (c) > {item}");
        assert_eq!(found, [(Code::ExportContext, item.as_str(), ASKED, Some(offered))], "{ctx}");
    }
    let found = fits("record exec-ctx { flow-id: string, shard: u32 }").unwrap_err();
    assert_eq!(found[0].nearest.as_deref(), Some("greentic:component/node@0.5.0 (shape A)"));
    assert_eq!(
        found[0].hint.as_deref().unwrap(),
        "build it to the closest published shape, greentic:component/node@0.5.0 (shape A), from which it differs in: \
         parameter 1 (ctx) > record exec-ctx > field tenant, parameter 1 (ctx) > record exec-ctx > field node-id, …"
    );
    assert_eq!(
        refusal("pay", found).message(),
        "component pay exports greentic:component/node@0.5.0, whose invoke > parameter 1 (c) > record exec-ctx > field \
         shard is u32: the host cannot fill it (the host fills fields that it knows by name, options and lists)"
    );
}

#[test]
fn a_function_that_cannot_be_called_by_names_is_explained() {
    type Expected = (Code, &'static str, Option<&'static str>, Option<&'static str>);
    const RESULT: Option<&str> = Some("variant invoke-result { ok(string), err(node-error) }");
    let cases: &[(&str, &[Expected])] = &[
        (
            "invoke: func(c: exec-ctx, o: string) -> invoke-result;",
            &[(Code::ExportType, "invoke", Some("3 parameters"), Some("2 parameters"))],
        ),
        (
            "invoke: func(c: exec-ctx, o: string, i: list<u8>) -> string;",
            &[
                (Code::ExportType, "invoke > parameter 3 (i)", Some("string"), Some("list<u8>")),
                (Code::ExportType, "invoke > result", RESULT, Some("string")),
            ],
        ),
        (
            "invoke: func(c: string, o: string, i: string) -> invoke-result;",
            &[(Code::ExportType, "invoke > parameter 1 (c)", Some("a record"), Some("string"))],
        ),
        ("invokes: func();", &[(Code::ExportMissing, "invoke", None, None)]),
    ];
    for (functions, expected) in cases {
        let found = generation(&node_0_5(&format!("record exec-ctx {{ flow-id: string }} {functions}")), Want::Node);
        let found = found.unwrap_err();
        let found: Vec<_> =
            found.iter().map(|f| (f.code, f.item.as_str(), f.asked.as_deref(), f.offered.as_deref())).collect();
        assert_eq!(&found, expected, "{functions}");
    }
}

#[test]
fn records_that_share_parts_a_thousandfold_are_given_up_soon() {
    use std::fmt::Write as _;

    let mut types = String::from("record r0 { tenant: string, env: string } ");
    for n in 1..12 {
        write!(types, "record r{n} {{ a: r{p}, b: r{p} }} ", p = n - 1).unwrap();
    }
    let body =
        format!("{types} type exec-ctx = r11; invoke: func(c: exec-ctx, o: string, i: string) -> invoke-result;");
    let found = generation(&node_0_5(&body), Want::Node).unwrap_err();
    assert!(found.len() < 100 && found.iter().all(|f| f.code == Code::ExportContext), "{}", found.len());
}

#[test]
fn all_findings_of_a_component_come_at_once() {
    let bytes = wat::parse_str(
        r#"(component
            (import "greentic:state/state-stor@1.0.0" (instance (export "f" (func))))
            (import "greentic:telemetry/logger-api@2.0.0" (instance (export "f" (func))))
            (import "greentic:host/kv-v1@1.0.0" (instance (export "f" (func)))))"#,
    )
    .unwrap();
    let found = findings(&bytes, Grants::none(), &[Want::Node]);
    let codes: Vec<_> = found.iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        [Code::ImportUnknown, Code::ImportVersion, Code::ImportNotGranted, Code::ImportFunction, Code::ExportMissing]
    );
    let error = verdict("pay", Compared { findings: found, omitted: 7 }).unwrap_err();
    assert!(error.message().ends_with("and 7 more that are not listed"), "{error}");
    assert_eq!(error.code(), Code::Nonconforming);
    assert_eq!(error.details().len(), 5);
    assert!(error.details().iter().all(|e| e.message().starts_with("component pay ")), "{error}");
    assert!(error.details().iter().all(|e| e.hint_text().is_some()), "{error}");
    assert!(verdict("pay", Compared::default()).is_ok());
}

#[test]
fn findings_are_stable_as_json() {
    let found = findings(&importing("greentic:host/kv-v1@1.0.0"), Grants::none(), &[]);
    insta::assert_json_snapshot!(found, @r#"
    [
      {
        "code": "GRH-0306",
        "interface": "greentic:host/kv-v1@1.0.0",
        "item": "",
        "asked": "kv",
        "rule": "granted",
        "hint": "grant `kv` to the pack in the tenant's bindings"
      },
      {
        "code": "GRH-0304",
        "interface": "greentic:host/kv-v1@1.0.0",
        "item": "f",
        "rule": "known-function",
        "hint": "the interface has get, put"
      }
    ]
    "#);
}

#[test]
fn types_that_no_interface_of_the_host_has_are_compared_too() {
    let shape = |body: &str| {
        let package = format!("package a:b; interface i {{ {body} }} world root {{ import i; }}");
        inspect("c", &component(&[&package])).unwrap()
    };
    let differences = |asked: &str, offered: &str| -> Vec<String> {
        let (asked, offered) = (shape(asked), shape(offered));
        let (asked, offered) = (&asked.imports["a:b/i"], &offered.imports["a:b/i"]);
        let mut differ = types::Differ::default();
        let found = differ.function("f", &asked.functions["f"], &offered.functions["f"]);
        found.into_iter().map(|d| format!("{}: {} / {}", d.item, d.asked, d.offered)).collect()
    };
    let cases: &[(&str, &str, &[&str])] = &[
        ("flags x { a, b } f: func(p: x);", "flags y { a, b } f: func(p: y);", &[]),
        (
            "flags x { a, b } f: func(p: x);",
            "flags x { a } f: func(p: x);",
            &["f > parameter 1 (p) > flags x > flag b: no payload / nothing"],
        ),
        (
            "variant v { a(u8), b } f: func() -> v;",
            "variant v { a(string), b(u8) } f: func() -> v;",
            &["f > result > variant v > case a: u8 / string", "f > result > variant v > case b: nothing / u8"],
        ),
        ("f: func(p: tuple<u8, u8>);", "f: func(p: tuple<u8>);", &["f > parameter 1 (p): tuple<u8, u8> / tuple<u8>"]),
        (
            "f: func() -> result<u8>;",
            "f: func() -> result<_, u8>;",
            &["f > result > ok: u8 / nothing", "f > result > error: nothing / u8"],
        ),
        ("f: func(p: list<char>);", "f: func(p: list<f64>);", &["f > parameter 1 (p) > list item: char / f64"]),
    ];
    for (asked, offered, expected) in cases {
        assert_eq!(&differences(asked, offered), expected, "{asked} / {offered}");
    }
}

/// What the component asks for, what the host offers, and what stands in the way of a conversion.
#[test]
fn conversions_bridge_what_neither_side_misses() {
    let shape = |body: &str| {
        let package = format!("package a:b; interface i {{ {body} }} world root {{ import i; }}");
        inspect("c", &component(&[&package])).unwrap()
    };
    let blocking = |asked: &str, offered: &str| {
        let (asked, offered) = (shape(asked), shape(offered));
        let (asked, offered) = (&asked.imports["a:b/i"].functions["f"], &offered.imports["a:b/i"].functions["f"]);
        testing::conversion(asked, offered, &[]).err().unwrap_or_default()
    };
    let cases: &[(&str, &str, &[&str])] = &[
        ("record r { b: u8, a: u8 } f: func(p: r);", "record r { a: u8, b: u8 } f: func(p: r);", &[]),
        ("record r { a: u8, b: char } f: func(p: r);", "record r { a: u8 } f: func(p: r);", &[]),
        ("record r { a: u8 } f: func(p: r);", "record r { a: u8, b: option<u8> } f: func(p: r);", &[]),
        (
            "record r { a: u8 } f: func(p: r);",
            "record r { a: u8, b: u8 } f: func(p: r);",
            &["f > parameter 1 (p) > record r > field b: nothing / u8"],
        ),
        (
            "record r { a: u8, b: option<u8> } f: func(p: r);",
            "record r { a: u8, b: u8 } f: func(p: r);",
            &["f > parameter 1 (p) > record r > field b: option<u8> / u8"],
        ),
        ("f: func() -> option<u8>;", "f: func() -> u8;", &[]),
        ("f: func() -> u8;", "f: func() -> option<u8>;", &["f > result: u8 / option<u8>"]),
        ("f: func(p: u8);", "f: func(p: option<u8>);", &[]),
        ("f: func(p: u16);", "f: func(p: u32);", &["f > parameter 1 (p): u16 / u32"]),
        ("f: func();", "f: func(p: option<u8>);", &["f: 0 parameters / 1 parameters"]),
        ("f: func(p: u8, q: u8);", "f: func(p: u8);", &["f: 2 parameters / 1 parameters"]),
        ("f: func();", "f: func() -> result<u8, string>;", &["f > result: nothing / result<u8, string>"]),
        ("f: func() -> result<u8>;", "f: func() -> result<u8, string>;", &[]),
        ("f: func() -> result<_, string>;", "f: func() -> result<u8, string>;", &["f > result > ok: nothing / u8"]),
        ("f: func() -> result<_, string>;", "enum ack { ok } f: func() -> result<ack, string>;", &[]),
        ("f: func() -> result<u8, string>;", "f: func() -> result<u8>;", &["f > result > error: string / nothing"]),
        (
            "variant v { a(u8), b, c } f: func(p: v);",
            "variant v { b, a(u8) } f: func(p: v);",
            &["f > parameter 1 (p) > variant v > case c: no payload / nothing"],
        ),
        ("variant v { a(u8), b, c } f: func() -> v;", "variant v { b, a(u8) } f: func() -> v;", &[]),
        (
            "variant v { a(u8) } f: func() -> v;",
            "variant v { a(u16) } f: func() -> v;",
            &["f > result > variant v > case a: u8 / u16"],
        ),
        ("f: func(p: list<tuple<u8, u8>>);", "f: func(p: list<tuple<u8, option<u8>>>);", &[]),
        ("f: func(p: tuple<u8>);", "f: func(p: tuple<u8, u8>);", &["f > parameter 1 (p): tuple<u8> / tuple<u8, u8>"]),
        ("flags x { a, b } f: func(p: x);", "flags y { a, b } f: func(p: y);", &[]),
        (
            "flags x { a } f: func(p: x);",
            "flags x { a, b } f: func(p: x);",
            &["f > parameter 1 (p): flags x / flags x"],
        ),
    ];
    for (asked, offered, expected) in cases {
        assert_eq!(&blocking(asked, offered), expected, "{asked} / {offered}");
    }
}

fn code_of<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|error| error.code())
}

#[test]
fn what_is_no_component_is_said_to_be_none() {
    let wit_package = {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("a.wit", "package a:b; interface i { f: func(); }").unwrap();
        wit_component::encode(&resolve, package).unwrap()
    };
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"(component)".to_vec()),
        ("a module", wat::parse_str("(module)").unwrap()),
        ("a WIT package", wit_package),
        ("a section that claims four gigabytes", b"\0asm\x0d\0\x01\0\x07\xff\xff\xff\xff\x0f".to_vec()),
    ] {
        assert_eq!(code_of(inspect("c", &bytes)), Some(Code::NotAComponent), "{what}");
    }
}

#[test]
fn a_damaged_component_is_refused_or_read_but_never_fatal() {
    let whole = over_host("import greentic:host/kv-v1@1.0.0; export greentic:provider/schema-core-api@1.0.0;");
    let surface = Surface::host().unwrap();
    // A cut between two sections leaves a component that is whole, if poorer.
    let cuts: Vec<_> = (0..whole.len()).step_by(7).collect();
    let refused = cuts.iter().filter(|end| inspect("c", &whole[..**end]).is_err()).count();
    assert!(refused > cuts.len() * 9 / 10, "{refused} of {}", cuts.len());
    for position in (8..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0xff;
        if let Ok(shape) = inspect("c", &bytes) {
            compare(&shape, surface, Grants::none(), &[Want::Provider]);
        }
    }
}

#[test]
fn long_names_and_long_chains_of_aliases_are_bounded() {
    use std::fmt::Write as _;

    let mut body = String::from("type t0 = u8;");
    for n in 1..3000 {
        write!(body, "type t{n} = t{};", n - 1).unwrap();
    }
    let host = format!("package greentic:host@1.0.0; interface kv-v1 {{ {body} get: func(a: t2999); }}");
    let root = "package test:root; world root { import greentic:host/kv-v1@1.0.0; }";
    let found = findings(&component(&[&host, root]), Grants::all(), &[]);
    assert_eq!(found.len(), 3, "{found:?}");

    let long = "x".repeat(30_000);
    let found = findings(&importing(&format!("{long}:{long}/{long}")), Grants::all(), &[]);
    assert!(found.iter().all(|f| f.message().len() < 1000 && f.code == Code::ImportUnknown));
    assert_eq!(found.len(), 1);
}

#[test]
fn every_grant_opens_an_interface() {
    for grant in Grant::ALL {
        assert!(Surface::host().unwrap().imports().values().any(|offer| offer.needs.contains(&grant)), "{grant}");
    }
}

#[test]
fn errors_are_kept_before_all_else() {
    use super::compare::keep;
    let (mut kept, mut omitted) = (Vec::new(), 0);
    for severity in
        [Severity::Note, Severity::Error, Severity::Warning, Severity::Note, Severity::Error, Severity::Error]
    {
        omitted += keep(&mut kept, severity, 3, |severity| *severity);
    }
    assert_eq!((kept, omitted), (vec![Severity::Error; 3], 3));
}
