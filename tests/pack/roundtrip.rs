//! Whatever flows a manifest holds, it reads back as it was written.

use greentic_runner_host::error::Location;
use greentic_runner_host::flow::doc::{FlowDoc, FlowKind, NodeDoc, RoutingDoc};
use greentic_runner_host::id::Id;
use greentic_runner_host::pack::Limits;
use greentic_runner_host::pack::manifest::{ComponentEntry, Manifest};
use greentic_runner_host::pack::model::PackKind;
use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PLACE: &str = "manifest.cbor";

fn name() -> impl Strategy<Value = String> {
    "[a-c_.-]{1,3}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("(mapping|\\PC{0,4})", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn routing(nodes: Vec<String>) -> impl Strategy<Value = RoutingDoc> {
    let node = prop::sample::select(nodes);
    let statuses = prop::collection::vec(("\\PC{0,4}", node.clone()), 0..3);
    prop_oneof![
        Just(RoutingDoc::End),
        Just(RoutingDoc::Reply),
        node.clone().prop_map(RoutingDoc::Next),
        (statuses, prop::option::of(node)).prop_map(|(on_status, default)| RoutingDoc::Branch {
            on_status: on_status.into_iter().collect(),
            default
        }),
        value().prop_map(RoutingDoc::Custom),
    ]
}

fn node(nodes: Vec<String>) -> impl Strategy<Value = NodeDoc> {
    let mappings = [value(), value(), value(), value(), value(), value()];
    let operation = || prop::option::of("\\PC{0,4}");
    (name(), (operation(), operation()), mappings, routing(nodes)).prop_map(
        |(component, (operation, default_operation), values, routing)| {
            let [input, output, err_map, retry, timeout, when] = values;
            NodeDoc {
                component,
                operation,
                default_operation,
                input,
                output,
                err_map,
                routing,
                retry,
                timeout,
                when,
                location: None,
            }
        },
    )
}

fn flow() -> impl Strategy<Value = FlowDoc> {
    let kinds = [FlowKind::Messaging, FlowKind::Event, FlowKind::ComponentConfig, FlowKind::Job, FlowKind::Http];
    let names = prop::collection::hash_set(name(), 1..5).prop_map(Vec::from_iter);
    let head = (
        name(),
        prop::sample::select(kinds.to_vec()),
        prop::option::of("\\PC{0,4}"),
        prop::option::of("\\PC{0,4}"),
        value(),
    );
    let tags = prop::collection::hash_set("\\PC{0,3}", 0..3).prop_map(Vec::from_iter);
    let entrypoints = prop::collection::vec(("\\PC{0,3}", name()), 0..3);
    (head, names, tags, entrypoints).prop_flat_map(|(head, names, tags, entrypoints)| {
        let nodes = names.iter().map(|_| node(names.clone()).boxed()).collect::<Vec<_>>();
        nodes.prop_map(move |nodes| FlowDoc {
            id: Id::from(head.0.as_str()),
            kind: head.1,
            title: head.2.clone(),
            description: head.3.clone(),
            tags: tags.clone(),
            entrypoints: entrypoints.iter().cloned().collect(),
            parameters: head.4.clone(),
            nodes: names.iter().cloned().zip(nodes).collect(),
            origin: Location { file: PLACE.to_owned(), position: None },
        })
    })
}

fn manifest(flows: Vec<FlowDoc>) -> Manifest {
    let component = |id: &str| ComponentEntry {
        id: Id::from(id),
        version: semver::Version::new(1, 0, 0),
        world: None,
        operations: Vec::new(),
        capabilities: None,
        supports: Vec::new(),
        rest: Map::from_iter([("profiles".to_owned(), json!({})), ("resources".to_owned(), json!({}))]),
    };
    let flows: IndexMap<_, _> = flows.into_iter().map(|flow| (flow.id.clone(), flow)).collect();
    Manifest {
        id: Id::from("acme.demo"),
        name: None,
        version: semver::Version::new(1, 2, 3),
        kind: PackKind::Library,
        publisher: "acme".to_owned(),
        components: vec![component("z"), component("a")],
        flows: flows.into_values().collect(),
        dependencies: Vec::new(),
        capabilities: Vec::new(),
        secret_requirements: Vec::new(),
        signatures: json!({ "signatures": [] }),
        bootstrap: Value::Null,
        extensions: IndexMap::new(),
    }
}

proptest! {
    #[test]
    fn a_manifest_reads_back_as_it_was_written(flows in prop::collection::vec(flow(), 0..3)) {
        let written = manifest(flows);
        let bytes = written.encode().unwrap();
        prop_assert_eq!(&bytes, &written.encode().unwrap(), "the same manifest gives the same bytes");
        prop_assert_eq!(Manifest::decode(&bytes, PLACE, &Limits::default()).unwrap(), written);
    }

    #[test]
    fn any_bytes_are_a_manifest_or_a_coded_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = Manifest::decode(&bytes, PLACE, &Limits::default()) {
            prop_assert!(matches!(error.code().number(), 4 | 205 | 206), "{}", error);
        }
    }
}
