use std::cell::RefCell;
use std::sync::Mutex;

use indexmap::IndexMap;
use serde_json::json;

use super::*;

fn site(has_node: &dyn Fn(&str) -> bool) -> Site<'_> {
    Site {
        node: "here".into(),
        roots: Root::CALL,
        pointers: false,
        has_node,
        parameters: &Value::Null,
        location: Location { file: "demo.ygtc".into(), position: Some((3, 5)) },
        findings: Vec::new(),
        notes: Vec::new(),
    }
}

fn ask_or_greet(node: &str) -> bool {
    matches!(node, "ask" | "greet")
}

/// Parses, and gives what was found wrong and odd.
fn parse(value: &Value) -> (Mapping, Vec<Error>, Vec<Error>) {
    let mut site = site(&ask_or_greet);
    let mapping = Mapping::parse(value, &mut site);
    (mapping, site.findings, site.notes)
}

fn outputs() -> IndexMap<Id, NodeOutput> {
    let output = |payload: Value| NodeOutput { ok: true, payload, meta: json!({"ms": 3}) };
    IndexMap::from([
        (Id::from("ask"), output(json!({"answer": 42, "list": [1, {"k": "v"}], "html": "<b>&</b>"}))),
        (Id::from("greet"), output(json!("hi"))),
    ])
}

fn entry() -> Value {
    json!({"text": "hello", "n": 7, "user": {"name": "Ada", "tags": ["a", "b"]}, "odd key": true, "nothing": null})
}

fn render(value: &Value) -> Result<Value> {
    let (mapping, findings, _) = parse(value);
    assert!(findings.is_empty(), "{value}: {findings:?}");
    let (entry, prev, nodes) = (entry(), json!({"p": 1}), outputs());
    let (input, result) = (json!({"i": 1}), json!({"r": [5]}));
    mapping.render(&Vars::new(&entry, &prev, &nodes).with_input(&input).with_result(&result))
}

#[test]
fn exact_paths_keep_their_type() {
    let table = [
        ("{{entry.n}}", json!(7)),
        ("  {{ in.user }} ", json!({"name": "Ada", "tags": ["a", "b"]})),
        ("{{this.entry.text}}", json!("hello")),
        ("{{entry.user.tags[1]}}", json!("b")),
        ("{{entry.user.tags.0}}", json!("a")),
        ("{{entry[\"odd key\"]}}", json!(true)),
        ("{{entry['user'][\"name\"]}}", json!("Ada")),
        ("{{entry.nothing}}", json!(null)),
        ("{{prev.p}}", json!(1)),
        ("{{prev}}", json!({"p": 1})),
        ("{{node.ask.list[1].k}}", json!("v")),
        ("{{node[\"ask\"].answer}}", json!(42)),
        ("{{node.greet}}", json!("hi")),
        ("{{state.nodes.ask.ok}}", json!(true)),
        ("{{state.nodes.ask.meta.ms}}", json!(3)),
        ("{{state.nodes.ask.payload.answer}}", json!(42)),
        ("{{state.entry.n}}", json!(7)),
        ("{{state.input.n}}", json!(7)),
        ("{{input.i}}", json!(1)),
        ("{{result.r[0]}}", json!(5)),
    ];
    for (text, expected) in table {
        assert_eq!(render(&json!(text)).unwrap(), expected, "{text}");
    }
    assert_eq!(render(&json!("{{node}}")).unwrap()["greet"], json!("hi"));
    assert_eq!(render(&json!("{{state}}")).unwrap()["nodes"]["greet"]["payload"], json!("hi"));
    assert_eq!(render(&json!("{{state.nodes}}")).unwrap()["ask"]["ok"], json!(true));
}

#[test]
fn other_texts_go_through_handlebars() {
    let table = [
        ("Hello {{entry.user.name}}!", "Hello Ada!"),
        ("{{entry.n}} and {{entry.missing}}.", "7 and ."),
        ("{{node.ask.html}} raw", "<b>&</b> raw"),
        ("{{json entry.user}}", "{\"name\":\"Ada\",\"tags\":[\"a\",\"b\"]}"),
        ("{{json entry.missing}}", "null"),
        ("{{#if entry.n}}yes{{else}}no{{/if}}", "yes"),
        ("{{#each entry.user.tags}}{{this}},{{/each}}", "a,b,"),
        ("{{#each entry.user.tags}}{{@index}}{{../entry.n}}{{/each}}", "0717"),
        ("{{#each entry.user.tags}}{{@root.entry.n}}{{/each}}", "77"),
        ("{{#each entry.user.tags as |tag|}}<{{tag}}>{{/each}}", "<a><b>"),
        ("{{#with entry.user}}{{name}}{{/with}}", "Ada"),
        ("{{lookup entry.user \"name\"}}!", "Ada!"),
        ("{{#with (lookup entry \"user\")}}{{name}}{{/with}}", "Ada"),
        ("{{#if (eq entry.text \"hello\")}}same{{/if}}", "same"),
        ("{{len entry.user.tags}} tags", "2 tags"),
        ("{{node.ask.list.[1].k}}!", "v!"),
        ("{{state.nodes.ask.payload.answer}}/{{state.nodes.ask.ok}}/{{state.entry.n}}", "42/true/7"),
        ("{{#each node}}{{@key}} {{/each}}", "ask greet "),
        ("{{#each state.nodes}}{{ok}}{{/each}}", "truetrue"),
        ("\\{{entry.n}}", "{{entry.n}}"),
        ("{{! a note }}x", "x"),
        ("{{i18n:hello.title}}", "{{i18n:hello.title}}"),
        ("{{i18n:hello}} {{entry.n}}", "{{i18n:hello}} 7"),
        ("{{entry.input.text}}, {{in.input.user.name}}", "hello, Ada"),
        ("{{input.i}}{{result.r.[0]}}.", "15."),
    ];
    for (text, expected) in table {
        assert_eq!(render(&json!(text)).unwrap(), json!(expected), "{text}");
    }
    let whole = render(&json!("{{json this}}")).unwrap();
    let whole: Value = serde_json::from_str(whole.as_str().unwrap()).unwrap();
    assert_eq!((&whole["entry"]["n"], &whole["node"]["greet"]), (&json!(7), &json!("hi")));
}

#[test]
fn an_event_is_found_in_both_of_its_forms() {
    let nodes = outputs();
    for entry in [json!({"text": "hi", "metadata": {"a": 1}}), json!({"input": {"text": "hi", "metadata": {"a": 1}}})] {
        let vars = Vars::new(&entry, &Value::Null, &nodes);
        for (text, expected) in [
            ("{{in.input.text}}", json!("hi")),
            ("{{this.entry.input.metadata.a}}", json!(1)),
            ("{{in.input.text}}!", json!("hi!")),
            ("{{in.input}}", json!({"text": "hi", "metadata": {"a": 1}})),
        ] {
            assert_eq!(parse(&json!(text)).0.render(&vars).unwrap(), expected, "{text} in {entry}");
        }
    }
}

#[test]
fn the_state_holds_the_count_of_jumps() {
    let (entry, nodes) = (json!({}), outputs());
    let vars = Vars::new(&entry, &Value::Null, &nodes).with_redirects(2);
    for (text, expected) in [("{{state.redirect_count}}", json!(2)), ("{{state.redirect_count}}.", json!("2."))] {
        assert_eq!(parse(&json!(text)).0.render(&vars).unwrap(), expected, "{text}");
    }
    assert_eq!(parse(&json!("{{state}}")).0.render(&vars).unwrap()["redirect_count"], 2);
}

#[test]
fn after_a_wait_in_is_the_event_that_came() {
    let (entry, event) = (json!({"text": "start"}), json!({"text": "answer"}));
    let nodes = outputs();
    let vars = Vars::new(&entry, &Value::Null, &nodes).with_event(&event);
    for (text, expected) in [
        ("{{entry.text}}", "start"),
        ("{{in.text}}", "answer"),
        ("{{state.input.text}}!", "answer!"),
        ("{{state.entry.text}}!", "start!"),
        ("{{entry.text}} {{in.text}}", "start answer"),
    ] {
        assert_eq!(parse(&json!(text)).0.render(&vars).unwrap(), json!(expected), "{text}");
    }
}

#[test]
fn structure_is_kept_and_keys_are_not_rendered() {
    let value = json!({"{{entry.n}}": ["{{entry.n}}", 1, {"deep": "{{entry.text}}"}], "plain": "x"});
    let expected = json!({"{{entry.n}}": [7, 1, {"deep": "hello"}], "plain": "x"});
    assert_eq!(render(&value).unwrap(), expected);
}

#[test]
fn a_missing_value_names_path_node_and_what_is_there() {
    let table = [
        ("{{entry.user.email}}", "`entry.user` has: name, tags"),
        ("{{entry.user.tags[9]}}", "`entry.user.tags` is a list of 2"),
        ("{{entry.text.more}}", "`entry.text` has no fields"),
        ("{{node.greet.text}}", "`node.greet` has no fields"),
        ("{{state.other}}", "`state` has: entry, input, nodes, redirect_count"),
    ];
    for (text, hint) in table {
        let error = render(&json!({"a": text})).unwrap_err();
        assert_eq!(error.code(), Code::RenderFailed);
        assert!(
            error.message().contains("\"here\"") && error.message().contains(text.trim_matches(['{', '}'])),
            "{error}"
        );
        assert_eq!(error.hint_text(), Some(hint), "{text}");
    }
}

#[test]
fn a_node_that_has_not_run_says_so() {
    let (mapping, _, _) = parse(&json!("{{node.ask.answer}}"));
    let error = mapping.render(&Vars::new(&Value::Null, &Value::Null, &IndexMap::<Id, NodeOutput>::new())).unwrap_err();
    assert_eq!(error.hint_text(), Some("node \"ask\" has not run yet"));
}

#[test]
fn a_null_input_is_an_empty_object() {
    let nodes = IndexMap::<Id, NodeOutput>::new();
    for root in ["entry", "in", "prev"] {
        let (mapping, _, _) = parse(&json!(format!("{{{{{root}}}}}")));
        assert_eq!(mapping.render(&Vars::new(&Value::Null, &Value::Null, &nodes)).unwrap(), json!({}), "{root}");
    }
}

#[test]
fn what_cannot_work_is_found_at_load() {
    let table = [
        ("{{foo.bar}}", "`foo` is not known"),
        ("{{error.code}}", "`error` is not known"),
        ("{{node.nobody.x}}", "no node \"nobody\""),
        ("{{state.nodes.nobody.ok}}", "no node \"nobody\""),
        ("a {{node.nobody.x}}", "no node \"nobody\""),
        ("{{shout entry.text}}", "no helper `shout`"),
        ("{{#shout}}x{{/shout}}", "no helper `shout`"),
        ("{{> partial}}", "partials"),
        ("{{#*inline \"x\"}}y{{/inline}}", "partials"),
        ("{{#if entry.n}}", "syntax"),
        ("{{#if entry.n}}x{{/each}}", "closing"),
        ("{{entry.n", "syntax"),
        ("{{log entry.text}}", "no helper `log`"),
        ("{{#if (shout entry.n)}}x{{/if}}", "no helper `shout`"),
    ];
    for (text, part) in table {
        let (_, findings, _) = parse(&json!([text]));
        let [finding] = &*findings else { panic!("{text}: {findings:?}") };
        assert_eq!(finding.code(), Code::TemplateInvalid);
        assert!(finding.message().contains(part), "{text}: {finding}");
        assert_eq!(finding.location().unwrap().to_string(), "demo.ygtc:3:5");
        assert!(finding.hint_text().is_some(), "{text}");
    }
}

#[test]
fn a_name_that_renders_as_nothing_is_noted() {
    let (_, findings, notes) = parse(&json!("Hi {{entri.text}}, {{#each entry.user}}{{name}}{{/each}}"));
    assert!(findings.is_empty());
    let [note] = &*notes else { panic!("{notes:?}") };
    assert!(note.message().contains("`entri`"), "{note}");
    assert_eq!(note.hint_text(), Some("did you mean `entry`?"));
}

#[test]
fn pointers_are_for_provider_maps_only() {
    assert_eq!(render(&json!("/entry/n")).unwrap(), json!("/entry/n"));
    let has_node = ask_or_greet;
    let mut site = Site { pointers: true, ..site(&has_node) };
    let value = json!({"a": "/input/i", "b": "/result/r/0", "c": "/state/nodes/ask/payload/list/1/k", "d": "/in/odd key", "e": "plain"});
    let mapping = Mapping::parse(&value, &mut site);
    let wrong = Mapping::parse(&json!("/nowhere/x"), &mut site);
    assert_eq!(site.findings.len(), 1);
    drop(wrong);
    let (entry, nodes, input, result) = (entry(), outputs(), json!({"i": 1}), json!({"r": [5]}));
    let vars = Vars::new(&entry, &Value::Null, &nodes).with_input(&input).with_result(&result);
    assert_eq!(mapping.render(&vars).unwrap(), json!({"a": 1, "b": 5, "c": "v", "d": true, "e": "plain"}));

    let mut site = Site { pointers: true, ..self::site(&has_node) };
    let error = Mapping::parse(&json!("/input/none"), &mut site).render(&vars).unwrap_err();
    assert_eq!(error.code(), Code::RenderFailed);
}

#[test]
fn output_is_bounded() {
    let big = json!({"text": "x".repeat(MAX_RENDERED / 4)});
    let nodes = outputs();
    let vars = Vars::new(&big, &Value::Null, &nodes);
    let render = |value: Value| parse(&value).0.render(&vars);
    assert!(render(json!(["{{entry.text}}", "{{entry.text}}"])).is_ok());
    for value in
        [json!(vec!["{{entry.text}}"; 5]), json!(vec!["a {{entry.text}}"; 5]), json!("{{entry.text}}".repeat(5))]
    {
        assert_eq!(render(value).unwrap_err().code(), Code::RenderFailed);
    }
}

#[test]
fn loops_are_bounded_even_when_they_write_nothing() {
    let entry = json!({"list": vec![1; 1000]});
    let nodes = outputs();
    let text = "{{#each entry.list}}{{#each ../entry.list}}{{#if @last}}{{/if}}{{/each}}{{/each}}";
    let error = parse(&json!(text)).0.render(&Vars::new(&entry, &Value::Null, &nodes)).unwrap_err();
    assert!(error.message().contains("expressions"), "{error}");
}

#[test]
fn hostile_nesting_is_refused_and_harms_nobody() {
    let many = 4000;
    let table = [
        format!("{{{{json {}", "(lookup ".repeat(many)),
        format!("{{{{json {}entry{}}}}}", "(json ".repeat(many), ")".repeat(many)),
        format!("{{{{json {}{}}}}}", "[".repeat(many), "]".repeat(many)),
        format!("{{{{json {}1{}}}}}", "{\"a\":".repeat(many), "}".repeat(many)),
        format!("{}{}", "{{#if entry}}".repeat(900), "{{/if}}".repeat(900)),
        format!("{}{}", "{{#if entry}}".repeat(30), "{{/if}}".repeat(30)),
        "{{#if entry}}".repeat(900),
        "{{".repeat(2000),
        format!("{{{{{}", "(".repeat(5000)),
        "x".repeat(MAX_RENDERED) + "{{entry}}",
    ];
    for text in table {
        let (_, findings, _) = parse(&json!(text));
        assert_eq!(findings.len(), 1, "{}", id::clip(&text));
    }
}

/// Outputs that count who asks for what.
struct Counting {
    inner: IndexMap<Id, NodeOutput>,
    got: Mutex<Vec<String>>,
    all: Mutex<usize>,
}

impl Outputs for Counting {
    fn get(&self, node: &str) -> Option<&NodeOutput> {
        self.got.lock().unwrap().push(node.to_owned());
        self.inner.get(node)
    }

    fn all(&self) -> Box<dyn Iterator<Item = (&str, &NodeOutput)> + '_> {
        *self.all.lock().unwrap() += 1;
        Outputs::all(&self.inner)
    }
}

#[test]
fn the_cost_of_a_step_does_not_grow_with_the_steps_behind_it() {
    let value = json!({
        "constant": {"a": [1, 2, 3]},
        "typed": "{{node.n0.text}}",
        "text": "{{node.n1.text}} {{state.nodes.n2.payload.text}} {{#each node.n3.list}}{{this}}{{/each}}",
        "prev": "{{prev.x}}",
    });
    let asked = RefCell::new(Vec::new());
    for behind in [4, 4000] {
        let output = || NodeOutput { ok: true, payload: json!({"text": "t", "list": [1]}), meta: Value::Null };
        let inner = (0..behind).map(|n| (Id::from(format!("n{n}")), output())).collect();
        let nodes = Counting { inner, got: Mutex::default(), all: Mutex::default() };
        let always = |_: &str| true;
        let mapping = Mapping::parse(&value, &mut site(&always));
        let prev = json!({"x": 1});
        let rendered = mapping.render(&Vars::new(&Value::Null, &prev, &nodes)).unwrap();
        assert_eq!(rendered["text"], json!("t t 1"));
        assert_eq!(*nodes.all.lock().unwrap(), 0, "no template asks for everything");
        asked.borrow_mut().push(nodes.got.into_inner().unwrap());
    }
    let asked = asked.into_inner();
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0], ["n0", "n1", "n3", "n2"], "each is looked up once");
}

#[test]
fn only_a_template_that_asks_for_everything_pays_for_it() {
    for (text, whole) in
        [("{{state}}", 1), ("{{#each node}}{{/each}}", 1), ("{{state.nodes.ask.ok}} ", 0), ("{{node.ask}}", 0)]
    {
        let nodes = Counting { inner: outputs(), got: Mutex::default(), all: Mutex::default() };
        let (mapping, findings, _) = parse(&json!(text));
        assert!(findings.is_empty());
        mapping.render(&Vars::new(&Value::Null, &Value::Null, &nodes)).unwrap();
        assert_eq!(*nodes.all.lock().unwrap(), whole, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_neither_panics_at_load_nor_when_rendered(text in "\\PC{0,80}") {
        exercise(&text);
    }

    #[test]
    fn arbitrary_templates_neither_panic_at_load_nor_when_rendered(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..12)
    ) {
        exercise(&parts.concat());
    }
}

const PARTS: &[&str] = &[
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{{#",
    "{{/",
    "{{else}}",
    "{{^",
    "if",
    "each",
    "with",
    "lookup",
    "json",
    " ",
    "entry",
    "node",
    ".",
    "..",
    "../",
    "[0]",
    "[",
    "]",
    "(",
    ")",
    "\"a\"",
    "'",
    "as |x|",
    "x",
    "@root",
    "@index",
    "@../index",
    "this",
    "text",
    "{{~",
    "~}}",
    "\\",
    "{{!--",
    "--}}",
    "{{>",
    "{{&",
    "{{#each entry.user.tags}}",
    "{{/each}}",
    "{{#with entry}}",
    "{{/with}}",
    "=",
    "1",
    "null",
    "{{{{raw}}}}",
    "{{{{/raw}}}}",
    "\n",
    "é",
    "/",
];

fn exercise(text: &str) {
    let mut site = Site { pointers: true, ..site(&ask_or_greet) };
    let mapping = Mapping::parse(&json!(text), &mut site);
    if site.findings.is_empty() {
        let (entry, nodes) = (entry(), outputs());
        let _ =
            mapping.render(&Vars::new(&entry, &Value::Null, &nodes).with_input(&Value::Null).with_result(&Value::Null));
    }
}
