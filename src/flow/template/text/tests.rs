use indexmap::IndexMap;
use proptest::prelude::{Just, Strategy};
use serde_json::{Value, json};

use super::*;
use crate::error::Location;
use crate::flow::template::{NodeOutput, Root};
use crate::id::Id;

proptest::proptest! {
    /// The small context holds all that a template uses: with everything in it, the text is the same.
    #[test]
    fn a_text_renders_from_the_small_context_as_from_the_whole(source in template()) {
        let mut site = Site {
            node: "here".into(),
            roots: Root::PAYLOAD,
            pointers: false,
            has_node: &|node| matches!(node, "ask" | "greet"),
            parameters: &Value::Null,
            location: Location { file: "demo.ygtc".into(), position: None },
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let Some(mut text) = Text::parse(&source, &mut site) else { return Ok(()) };
        let entry = json!({"text": "hello", "n": 7, "user": {"name": "Ada", "tags": ["a", "b"], "entry": {"n": 8}}});
        let output = |payload: Value| NodeOutput { ok: true, payload, meta: json!({"ms": 3}) };
        let nodes = IndexMap::from([
            (Id::from("ask"), output(json!({"answer": 42, "list": [1, {"k": "v"}]}))),
            (Id::from("greet"), output(json!("hi"))),
        ]);
        let event = json!({"user": {"name": "Bob"}});
        let vars = Vars::new(&entry, &Value::Null, &nodes).with_event(&event);
        let small = text.render(&vars);
        text.uses.add_all(Root::PAYLOAD);
        proptest::prop_assert_eq!(small, text.render(&vars), "{}", source);
    }
}

/// Well-formed templates: blocks in blocks over all kinds of paths.
fn template() -> impl Strategy<Value = String> {
    let path = || proptest::sample::select(PATHS);
    let leaf = proptest::prop_oneof![
        Just("text ".to_owned()),
        path().prop_map(|path| format!("{{{{{path}}}}}")),
        path().prop_map(|path| format!("{{{{json {path}}}}}")),
        (path(), path()).prop_map(|(a, b)| format!("{{{{lookup {a} {b}}}}}")),
    ];
    leaf.prop_recursive(5, 24, 4, move |inner| {
        let head = proptest::sample::select(&["if", "unless", "each", "with"][..]);
        let param = proptest::sample::select(&["", " as |x|", " as |x y|"][..]);
        let body = proptest::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        (head, path(), param, body.clone(), body).prop_map(|(head, path, param, body, other)| {
            let param = if matches!(head, "each" | "with") { param } else { "" };
            format!("{{{{#{head} {path}{param}}}}}{body}{{{{else}}}}{other}{{{{/{head}}}}}")
        })
    })
}

const PATHS: &[&str] = &[
    "entry",
    "in.user",
    "entry.user.tags",
    "entry.user.tags.[0]",
    "node",
    "node.ask.list",
    "state.nodes",
    "this",
    "this.x",
    ".",
    "..",
    "../entry",
    "../../this",
    "@root",
    "@root.entry.n",
    "@index",
    "@../key",
    "@first",
    "x",
    "x.k",
    "y",
    "../x",
    "entry.missing.more",
    "./entry",
    "\"key\"",
    "1",
    "(lookup entry \"user\")",
    "(json x)",
    "entry.text.deeper",
    "entry.user.tags.word",
];
