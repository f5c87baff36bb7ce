use indexmap::IndexMap;
use serde_json::json;

use super::*;
use crate::id::Id;

fn holds(text: &str, entry: &Value, payload: &Value) -> bool {
    let condition = Condition::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    let nodes = IndexMap::from([(
        Id::from("ask"),
        NodeOutput { ok: true, payload: json!({"answer": "yes"}), meta: Value::Null },
    )]);
    let output = NodeOutput { ok: true, payload: payload.clone(), meta: Value::Null };
    condition.holds(&Vars::new(entry, &Value::Null, &nodes), &output)
}

#[test]
fn conditions_hold_or_do_not() {
    let entry = json!({"n": 3, "text": "Hi", "metadata": {"action": "Submit", "text": "meta", "deep": {"a": [1]}}});
    let payload = json!({
        "status": "OK", "count": 5, "price": 1.5, "done": true, "none": null, "empty": "", "list": [], "tags": ["x"],
        "a-b": "dash", "odd key": 1, "state": "own", "num": "12",
    });
    let table = [
        ("status == \"ok\"", true),
        ("status == 'Ok'", true),
        ("status != \"ok\"", false),
        ("{{ status == \"ok\" }}", true),
        ("{{status == ''}}", false),
        ("empty == ''", true),
        ("count == 5", true),
        ("count == \"5\"", true),
        ("count == 5.0", true),
        ("count != 6", true),
        ("count > 4 && count <= 5", true),
        ("count < 5 || count >= 6", false),
        ("price > 1.4", true),
        ("num > 5", true),
        ("status > 5", false),
        ("done == true", true),
        ("done == \"TRUE\"", true),
        ("done != false", true),
        ("done", true),
        ("!done", false),
        ("!!done", true),
        ("list", false),
        ("tags", true),
        ("empty", false),
        ("nothing", false),
        ("none == null", true),
        ("nothing == null", true),
        ("nothing != null", false),
        ("nothing != \"x\"", true),
        ("nothing == \"x\"", false),
        ("prev.count != null", true),
        ("prev.nothing != null", false),
        ("exists(count)", true),
        ("exists(none)", false),
        ("exists(nothing.at.all)", false),
        ("!exists(nothing)", true),
        ("entry.n == 3 && in.text == \"hi\"", true),
        ("entry.n == 4 || (status == \"ok\" && !(count == 6))", true),
        ("entry.n == 4 || status == \"ok\" && count == 6", false),
        ("(entry.n == 4 || status == \"ok\") && count == 5", true),
        ("response.action == \"submit\"", true),
        ("response.text == \"hi\"", true),
        ("response.deep.a[0] == 1", true),
        ("response.other == null", true),
        ("exists(response)", true),
        ("tags[0] == \"x\"", true),
        ("a-b == \"dash\"", true),
        ("prev[\"odd key\"] == 1", true),
        ("state == \"own\"", true),
        ("node.ask.answer == \"YES\"", true),
        ("node.other.answer == null", true),
        ("count == -5", false),
        ("\"a \\\"b\" == 'a \"b'", true),
        ("tags == tags", true),
        ("true", true),
        ("null", false),
        ("status == \"ÖK\" || \"ä\" == \"Ä\"", true),
    ];
    for (text, expected) in table {
        assert_eq!(holds(text, &entry, &payload), expected, "{text}");
    }
}

#[test]
fn the_response_is_found_in_wrapped_input_too() {
    let entry = json!({"input": {"text": "Hi", "metadata": {"action": "go"}}});
    assert!(holds("response.action == \"go\" && response.text == \"hi\"", &entry, &Value::Null));
    let entry = json!({"input": {"text": "Hi"}, "metadata": {"action": "go"}});
    assert!(holds("response.action == \"go\" && response.text == \"hi\"", &entry, &Value::Null));
    assert!(!holds("response.action == \"go\"", &json!("text only"), &Value::Null));
    assert!(holds("prev == \"plain\"", &Value::Null, &json!("plain")));
}

#[test]
fn after_a_wait_the_response_is_that_of_the_event_that_came() {
    let (entry, event) =
        (json!({"text": "start", "metadata": {"a": 1}}), json!({"text": "answer", "metadata": {"a": 2}}));
    let nodes = IndexMap::<Id, NodeOutput>::new();
    let vars = Vars::new(&entry, &Value::Null, &nodes).with_event(&event);
    let output = NodeOutput { ok: true, payload: Value::Null, meta: Value::Null };
    for text in ["entry.text == \"start\"", "in.text == \"answer\"", "response.text == \"answer\"", "response.a == 2"] {
        assert!(Condition::parse(text).unwrap().holds(&vars, &output), "{text}");
    }
}

#[test]
fn what_is_no_condition_says_why() {
    let long = "a".repeat(MAX_LEN + 1);
    let deep = format!("{}a", "!".repeat(40));
    let table = [
        ("", "missing at the end"),
        ("a ==", "missing at the end"),
        ("== 1", "missing at 0"),
        ("a = 1", "\"= 1\" at 2 is neither"),
        ("a == \"x", "at 5 has no end"),
        ("a b", "nothing more is expected at 2"),
        ("(a", "`)` is missing at the end"),
        ("a)", "nothing more is expected at 1"),
        ("a == 1.2.3", "no number"),
        ("a && ", "missing at the end"),
        ("a.", "neither a value nor a path"),
        ("exists(1)", "takes one path"),
        ("a == 1 == 2", "nothing more is expected"),
        ("{{a", "neither"),
        (&long, "bytes"),
        (&deep, "nests deeper"),
    ];
    for (text, part) in table {
        let problem = Condition::parse(text).unwrap_err();
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

#[test]
fn named_nodes_are_known() {
    let condition =
        Condition::parse("node.ask.x == 1 && (state.nodes.greet.ok || exists(node.third)) && entry.node.x").unwrap();
    assert_eq!(condition.nodes(), ["ask", "greet", "third"]);
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        let _ = Condition::parse(&text);
    }

    #[test]
    fn arbitrary_conditions_never_panic(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..16)
    ) {
        if Condition::parse(&parts.concat()).is_ok() {
            holds(&parts.concat(), &json!({"a": 1}), &json!({"b": [1, "x"]}));
        }
    }
}

const PARTS: &[&str] = &[
    "a",
    "b",
    " ",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    "(",
    ")",
    "exists(",
    "\"x\"",
    "'",
    "[0]",
    "[\"k\"]",
    ".",
    "1",
    "-2.5",
    "true",
    "null",
    "é",
    "entry",
    "response.text",
    "\\",
];
