use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::flow::model::{Action, Route, Target};
use crate::flow::template::{NodeOutput, Vars};
use crate::flow::ygtc;

/// A pack's offer, in memory.
struct Offer {
    components: Vec<(&'static str, ComponentInfo)>,
    providers: Vec<(&'static str, &'static str, Option<Vec<String>>)>,
}

fn ops(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn offer() -> Offer {
    let component = |ops| ComponentInfo { callable: Ok(()), ops, complete: true };
    let listed = |ops| ComponentInfo { callable: Ok(()), ops, complete: false };
    let empty = Error::new(Code::ExportMissing, "it exports nothing").hint("replace it");
    Offer {
        components: vec![
            ("weather", component(ops(&["now", "forecast"]))),
            ("single", component(ops(&["run"]))),
            ("ai.greentic.echo", component(None)),
            ("vendor.tool.now", component(ops(&["now", "later"]))),
            ("component-card", component(ops(&["card", "run"]))),
            ("empty", ComponentInfo { callable: Err(empty), ops: ops(&["run"]), complete: true }),
            ("listed", listed(ops(&["preview", "validate"]))),
            ("listed.one", listed(ops(&["preview"]))),
            ("templating.own", listed(ops(&["preview", "validate"]))),
            ("templating.closed", component(ops(&["preview", "validate"]))),
        ],
        providers: vec![
            ("mail", "email.smtp", ops(&["send", "list"])),
            ("chat-a", "chat", ops(&["send"])),
            ("chat-b", "chat", None),
        ],
    }
}

impl Catalog for Offer {
    fn component(&self, id: &str) -> Option<ComponentInfo> {
        self.components.iter().find(|(known, _)| *known == id).map(|(_, info)| info.clone())
    }

    fn component_ids(&self) -> Vec<Id> {
        self.components.iter().map(|(id, _)| Id::from(*id)).collect()
    }

    fn provider(&self, id: &str) -> Option<ProviderInfo> {
        let (_, _, ops) = self.providers.iter().find(|(known, _, _)| *known == id)?;
        Some(ProviderInfo { callable: Ok(()), ops: ops.clone() })
    }

    fn providers_of_type(&self, provider_type: &str) -> Vec<Id> {
        self.providers
            .iter()
            .filter(|(_, of_type, _)| *of_type == provider_type)
            .map(|(id, ..)| Id::from(*id))
            .collect()
    }

    fn provider_ids(&self) -> Vec<Id> {
        self.providers.iter().map(|(id, ..)| Id::from(*id)).collect()
    }

    fn published(&self, reference: &str) -> Option<Id> {
        (reference == "oci://host.example/x/wttr:1").then(|| Id::from("weather"))
    }

    fn cards(&self) -> Cards {
        Cards::new([("assets/cards/hello.json".to_owned(), "{}".into())])
    }
}

fn compile_all(texts: &[&str]) -> FlowSet {
    let docs: Vec<FlowDoc> =
        texts.iter().enumerate().map(|(n, text)| ygtc::parse(text, &format!("flow{n}.ygtc")).unwrap()).collect();
    compile(&docs, &offer())
}

fn ready(set: &FlowSet, id: &str) -> Arc<Flow> {
    match &set.flows[id] {
        FlowState::Ready(flow) => flow.clone(),
        FlowState::Disabled { reason, .. } => panic!("{reason}"),
    }
}

fn disabled(set: &FlowSet, id: &str) -> Error {
    match &set.flows[id] {
        FlowState::Ready(_) => panic!("flow {id} is ready"),
        FlowState::Disabled { reason, .. } => reason.clone(),
    }
}

/// All findings of a disabled flow, one or many.
fn findings(error: &Error) -> Vec<Error> {
    if error.details().is_empty() { vec![error.clone()] } else { error.details().to_vec() }
}

/// A flow with one node `x`, given as YAML below the node.
fn one(node: &str) -> FlowSet {
    compile_all(&[&format!("id: f\ntype: job\nnodes:\n  x: {node}\n  y: {{emit.text: bye}}")])
}

fn action_of(node: &str) -> Action {
    let flow = Arc::try_unwrap(take(one(node))).unwrap();
    flow.nodes.into_iter().next().unwrap().action
}

fn take(mut set: FlowSet) -> Arc<Flow> {
    match set.flows.swap_remove("f").unwrap() {
        FlowState::Ready(flow) => flow,
        FlowState::Disabled { reason, .. } => panic!("{reason}"),
    }
}

fn rendered(mapping: &crate::flow::template::Mapping) -> Value {
    let nodes = IndexMap::<Id, NodeOutput>::new();
    mapping.render(&Vars::new(&json!({"text": "hi"}), &Value::Null, &nodes)).unwrap()
}

#[test]
fn component_nodes_find_component_operation_and_payload() {
    let card = json!({"card_source": "asset", "card_spec": {}, "payload": {}, "state": {}});
    let table = [
        // The payload is the whole mapping without what says what is called; `config` stays.
        ("{single: {config: {a: 1}, b: 2}}", "single", "run", json!({"config": {"a": 1}, "b": 2})),
        // A reference means the component that was published under it, else the one of that name.
        (
            "{component.exec: {component: 'oci://host.example/x/wttr:1', operation: now, config: {a: 1}}}",
            "weather",
            "now",
            json!({"config": {"a": 1}}),
        ),
        (
            "{component: 'oci://host.example/x/wttr:1', operation: now, config: {a: 1}}",
            "weather",
            "now",
            json!({"config": {"a": 1}}),
        ),
        ("{component: 'oci://host.example/x/single:1', payload: {a: 1}}", "single", "run", json!({"a": 1})),
        // Where the dialect means an operation by convention, a component's only one is the one.
        // Ids may have dots, and end in an operation.
        ("{vendor.tool.now: {a: 1}}", "vendor.tool.now", "now", json!({"a": 1})),
        ("{vendor.tool: {a: 1}, operation: now}", "vendor.tool.now", "now", json!({"a": 1})),
        ("{component.exec: {component: vendor.tool, operation: now, a: 1}}", "vendor.tool.now", "now", json!({"a": 1})),
        ("{component: ai.greentic.echo, payload: {a: 1}}", "ai.greentic.echo", "invoke", json!({"a": 1})),
        ("{component: weather.now, payload: {a: 1}}", "weather", "now", json!({"a": 1})),
        ("{single: {a: 1}, operation: run}", "single", "run", json!({"a": 1})),
        ("{weather: {operation: now, city: x}}", "weather", "now", json!({"city": "x"})),
        ("{weather: {operation_name: now, city: x}}", "weather", "now", json!({"city": "x"})),
        ("{weather: {operation: now}, operation: forecast}", "weather", "forecast", json!({})),
        (
            "{weather: {operation: now, operation_name: forecast, op: data}}",
            "weather",
            "now",
            json!({"operation_name": "forecast", "op": "data"}),
        ),
        ("{single: text}", "single", "run", json!("text")),
        ("{single: }", "single", "run", json!(null)),
        // A mapping that only wraps the payload is unwrapped.
        ("{weather: {op: now, input: {city: x}}}", "weather", "now", json!({"city": "x"})),
        ("{weather: {op: now, payload: {city: x}, metadata: {}}}", "weather", "now", json!({"city": "x"})),
        ("{single: {input: {a: 1}, other: 2}}", "single", "run", json!({"input": {"a": 1}, "other": 2})),
        (
            "{component-card: {card_source: asset, card_spec: {}, payload: {}, state: {}}, operation: card}",
            "component-card",
            "card",
            card,
        ),
        // The id itself may end in the operation; an exact id comes first.
        ("{weather.now: {city: x}}", "weather", "now", json!({"city": "x"})),
        ("{ai.greentic.echo: {a: 1}, operation: say}", "ai.greentic.echo", "say", json!({"a": 1})),
        ("{ai.greentic.echo.say: {a: 1}}", "ai.greentic.echo", "say", json!({"a": 1})),
        // `component.exec` names the component in its mapping.
        ("{component.exec: {component: weather, operation: now, city: x}}", "weather", "now", json!({"city": "x"})),
        (
            "{component.exec: {component_ref: weather, op: now, input: {city: x}}}",
            "weather",
            "now",
            json!({"city": "x"}),
        ),
        ("{component.exec: {component: weather, op: now, city: x}}", "weather", "now", json!({"city": "x"})),
        ("{component.exec: {component: weather, city: x}, operation: now}", "weather", "now", json!({"city": "x"})),
        ("{component.exec: {component: single, config: {a: 1}}}", "single", "run", json!({"config": {"a": 1}})),
        ("{weather: {city: x}, operation: component.exec, output: {}}", "weather", "now", json!({"city": "x"})),
        // An operation key with the component in the mapping, also by the reference that packing tools resolve.
        (
            "{run: {component: 'oci://host/path/component-card:latest', config: {a: 1}}}",
            "component-card",
            "run",
            json!({"config": {"a": 1}}),
        ),
        ("{card: {component: component-card, input: {a: 1}}}", "component-card", "card", json!({"a": 1})),
    ];
    for (node, component, op, payload) in table {
        let node = if node.contains("operation: component.exec") {
            node.replace("city: x", "city: x, operation: now")
        } else {
            node.to_owned()
        };
        let Action::Component(call) = action_of(&node) else { panic!("{node}") };
        assert_eq!((&*call.component, call.op.as_str()), (component, op), "{node}");
        assert_eq!(rendered(&call.input), payload, "{node}");
        assert!(call.err_map.is_none());
    }
}

#[test]
fn other_nodes_compile() {
    let Action::Emit { channel, payload } = action_of("{emit.response: {text: '{{entry.text}}'}}") else { panic!() };
    assert_eq!((channel.as_str(), rendered(&payload)), ("response", json!({"text": "hi"})));
    for (node, expected) in [
        ("{emit.log: {input: {a: 1}, b: 2}}", json!({"a": 1})),
        ("{emit.log: {payload: {a: 1}}}", json!({"a": 1})),
        ("{emit.log: plain}", json!("plain")),
        ("{component.exec: {component: emit.log, operation: x, a: 1}}", json!({"a": 1})),
        ("{component.exec: {a: 1}, operation: emit.log}", json!({"a": 1})),
    ] {
        let Action::Emit { channel, payload } = action_of(node) else { panic!("{node}") };
        assert_eq!((channel.as_str(), rendered(&payload)), ("log", expected), "{node}");
    }
    for (node, expected) in [
        ("{session.wait: {reason: 'more {{entry.text}}'}, routing: [{to: y}]}", Some(json!("more hi"))),
        ("{session.wait: because, routing: [{to: y}]}", Some(json!("because"))),
        ("{session.wait: {}, routing: [{condition: 'a', to: y}]}", None),
        ("{component.exec: {}, operation: session.wait, routing: [{to: y}]}", None),
    ] {
        let Action::Wait { reason } = action_of(node) else { panic!("{node}") };
        assert_eq!(reason.as_ref().map(rendered), expected, "{node}");
    }
    let set = compile_all(&[
        "id: f\ntype: job\nnodes:\n  x: {flow.call: {flow_id: g, input: {a: '{{entry.text}}'}}}",
        "id: g\ntype: job\nnodes:\n  x: {emit.text: hi}",
    ]);
    let flow = ready(&set, "f");
    let Action::Call { flow, input } = &flow.nodes[0].action else { panic!() };
    assert_eq!((&**flow, rendered(input)), ("g", json!({"a": "hi"})));
}

#[test]
fn provider_nodes_compile() {
    let node = "{provider.invoke: {provider_type: email.smtp, op: send, input: {to: '{{entry.text}}'}, \
                in_map: {to: /input/to}, out_map: {id: '{{result.id}}'}, err_map: {failed: '{{error.code}}'}}}";
    let Action::Provider(call) = action_of(node) else { panic!() };
    assert_eq!((&*call.provider, call.op.as_str()), ("mail", "send"));
    assert_eq!(rendered(&call.input), json!({"to": "hi"}));
    let nodes = IndexMap::<Id, NodeOutput>::new();
    let (input, result, error) = (json!({"to": "you"}), json!({"id": 7}), json!({"code": "busy"}));
    let vars = Vars::new(&Value::Null, &Value::Null, &nodes);
    assert_eq!(call.in_map.unwrap().render(&vars.with_input(&input)).unwrap(), json!({"to": "you"}));
    assert_eq!(call.out_map.unwrap().render(&vars.with_result(&result)).unwrap(), json!({"id": 7}));
    assert_eq!(call.err_map.unwrap().render(&vars.with_error(&error)).unwrap(), json!({"failed": "busy"}));

    for (node, provider, op) in [
        ("{provider.invoke: {provider_id: chat-a}}", "chat-a", "send"),
        ("{provider.invoke: {provider_id: chat-b, operation: anything}}", "chat-b", "anything"),
        ("{provider.invoke: {provider_id: mail, op: send}, operation: list}", "mail", "list"),
        ("{component.exec: {provider_id: mail, op: send}, operation: provider.invoke}", "mail", "send"),
    ] {
        let Action::Provider(call) = action_of(node) else { panic!("{node}") };
        assert_eq!((&*call.provider, call.op.as_str()), (provider, op), "{node}");
        assert!(call.in_map.is_none() && call.out_map.is_none() && call.err_map.is_none());
        assert_eq!(rendered(&call.input), Value::Null);
    }
}

#[test]
fn policies_and_maps_of_nodes_are_kept() {
    let flow = take(one(
        "{single: {}, retry: {max_attempts: 3, base_delay_ms: 10}, timeout: 2s, output: {a: '{{result.b}}'}, err_map: {e: '{{error.message}}'}}",
    ));
    let node = &flow.nodes[0];
    assert_eq!(node.retry, Some(crate::flow::model::Retry { max_attempts: 3, base_delay: Duration::from_millis(10) }));
    assert_eq!(node.timeout, Some(Duration::from_secs(2)));
    let nodes = IndexMap::<Id, NodeOutput>::new();
    let result = json!({"b": 5});
    let vars = Vars::new(&Value::Null, &Value::Null, &nodes).with_result(&result);
    assert_eq!(node.output.as_ref().unwrap().render(&vars).unwrap(), json!({"a": 5}));
    let Action::Component(call) = &node.action else { panic!() };
    assert!(call.err_map.is_some());
}

#[test]
fn routes_resolve_to_places() {
    let flow = ready(
        &compile_all(&["id: f\ntype: messaging\nstart: b\nentrypoints: {again: c}\nnodes:
  a: {emit.text: a, routing: reply}
  b: {emit.text: b, routing: [{status: ok, to: a}, {status: late, to: c}, {to: d}]}
  c: {emit.text: c, routing: [{condition: 'entry.n == 1', to: a}, {status: x, out: true}, {reply: true}, {to: a}]}
  d: {emit.text: d, routing: [{next: e}, {to: a}]}
  e: {emit.text: e, routing: out}"]),
        "f",
    );
    assert_eq!((flow.entry, flow.entrypoints["again"]), (1, 2));
    assert!(matches!(flow.nodes[0].route, Route::Reply));
    let Route::Branch { on_status, default } = &flow.nodes[1].route else { panic!() };
    assert_eq!((on_status["ok"], on_status["late"], *default), (0, 2, Some(3)));
    let Route::Cases(cases) = &flow.nodes[2].route else { panic!() };
    let targets: Vec<Target> = cases.iter().map(|case| case.target).collect();
    assert_eq!(targets, [Target::Node(0), Target::End, Target::Reply], "what follows a route without condition is cut");
    assert!(matches!(flow.nodes[3].route, Route::Next(4)), "a single route without condition is a plain one");
    assert!(matches!(flow.nodes[4].route, Route::End));
}

#[test]
fn the_entry_is_the_default_or_in_or_the_first() {
    for (head, entry) in [("", "in"), ("start: b", "b"), ("entrypoints: {default: a}", "a")] {
        let text = format!(
            "id: f\ntype: job\n{head}\nnodes:\n  a: {{emit.text: a}}\n  in: {{emit.text: a}}\n  b: {{emit.text: b}}"
        );
        let flow = ready(&compile_all(&[&text]), "f");
        assert_eq!(&*flow.nodes[flow.entry].id, entry, "{head}");
    }
    let flow = ready(&compile_all(&["id: f\ntype: job\nnodes:\n  a: {emit.text: a}\n  b: {emit.text: b}"]), "f");
    assert_eq!(&*flow.nodes[flow.entry].id, "a");
}

#[test]
fn what_cannot_run_is_found() {
    let table = [
        ("{emit.text: a, routing: [{to: z}]}", Code::NodeUnknown, "unknown node \"z\""),
        ("{emit.text: a, routing: [{condition: 'a ==', to: y}]}", Code::ConditionInvalid, "missing at the end"),
        (
            "{emit.text: a, routing: [{condition: 'node.z.a == 1', to: y}]}",
            Code::ConditionInvalid,
            "unknown node \"z\"",
        ),
        ("{emit.text: '{{node.z}}'}", Code::TemplateInvalid, "no node \"z\""),
        ("{emit.text: '{{result.z}}'}", Code::TemplateInvalid, "`result` is not known"),
        ("{wether: {}, operation: now}", Code::ComponentUnknown, "\"wether\""),
        ("{sesion.wait: {}}", Code::ComponentUnknown, "\"sesion.wait\""),
        ("{component.exec: {operation: x}}", Code::ComponentUnknown, "names no component"),
        ("{component.exec: {component: '{{entry.c}}', operation: x}}", Code::ComponentUnknown, "is a template"),
        ("{run: {component: 'oci://host/none:1'}}", Code::ComponentUnknown, "oci://host/none:1"),
        ("{empty: {}}", Code::ExportMissing, "cannot be called"),
        ("{weather: {}}", Code::OpMissing, "which operation"),
        ("{ai.greentic.echo: {}}", Code::OpMissing, "which operation"),
        ("{weather: {}, operation: forcast}", Code::OpUnknown, "\"forcast\""),
        ("{weather.forcast: {}}", Code::OpUnknown, "\"forcast\""),
        ("{provider.invoke: {op: send}}", Code::ProviderUnknown, "names no provider"),
        ("{provider.invoke: {provider_id: mial, op: send}}", Code::ProviderUnknown, "\"mial\""),
        ("{provider.invoke: {provider_type: sms, op: send}}", Code::ProviderUnknown, "type \"sms\""),
        ("{provider.invoke: {provider_type: chat, op: send}}", Code::ProviderAmbiguous, "several providers"),
        ("{provider.invoke: {provider_id: mail, op: sned}}", Code::OpUnknown, "\"sned\""),
        ("{provider.invoke: {provider_id: mail}}", Code::OpMissing, "which operation"),
        ("{provider.invoke: mail}", Code::NodeInvalid, "not a mapping"),
        ("{provider.invoke: {provider_id: chat-a, in_map: /nowhere}}", Code::TemplateInvalid, "`nowhere`"),
        ("{session.wait: {}}", Code::WaitWithoutNext, "no node comes next"),
        ("{session.wait: {}, routing: [{condition: a, out: true}]}", Code::WaitWithoutNext, "no node comes next"),
        ("{flow.call: {}}", Code::FlowCallUnknown, "names no flow"),
        ("{flow.call: {flow: g}}", Code::FlowCallUnknown, "\"g\""),
        ("{flow.call: f}", Code::FlowCycle, "calls itself"),
        ("{emit.text: a, routing: [{to: x}]}", Code::FlowCycle, "x → x"),
        ("{single: {}, retry: {max_attempts: 99}}", Code::NodeInvalid, "max_attempts"),
        ("{single: {}, timeout: soon}", Code::NodeInvalid, "timeout"),
    ];
    for (node, code, part) in table {
        let error = disabled(&one(node), "f");
        assert_eq!(error.code(), code, "{node}: {error}");
        assert!(error.message().contains(part), "{node}: {error}");
        assert!(error.hint_text().is_some(), "{node}");
        let place = if code == Code::FlowCycle && node.contains("flow.call") { "flow0.ygtc" } else { "flow0.ygtc:4:3" };
        assert_eq!(error.location().unwrap().to_string(), place, "{node}");
    }
}

#[test]
fn hints_name_what_was_probably_meant() {
    for (node, hint) in [
        ("{wether: {}, operation: now}", "did you mean \"weather\"?"),
        ("{sesion.wait: {}}", "did you mean \"session.wait\"?"),
        ("{weather: {}, operation: forcast}", "did you mean \"forecast\"?"),
        ("{provider.invoke: {provider_id: mial, op: send}}", "did you mean \"mail\"?"),
        ("{provider.invoke: {provider_type: chat, op: send}}", "add `provider_id:` with one of: chat-a, chat-b"),
        ("{weather: {}}", "`operation:` is one of: now, forecast"),
    ] {
        assert_eq!(disabled(&one(node), "f").hint_text(), Some(hint), "{node}");
    }
}

#[test]
fn cycles_with_a_way_out_are_fine() {
    for (x, y) in [
        ("{emit.text: a, routing: [{to: y}]}", "{session.wait: {}, routing: [{to: x}]}"),
        ("{emit.text: a, routing: [{to: y}]}", "{emit.text: a, routing: [{condition: entry.n, to: x}]}"),
        ("{emit.text: a, routing: [{to: y}]}", "{emit.text: a, routing: [{status: ok, to: x}, {to: x}]}"),
        ("{emit.text: a, routing: [{to: y}]}", "{single: {}, routing: [{to: x}]}"),
    ] {
        let text = format!("id: f\ntype: job\nnodes:\n  x: {x}\n  y: {y}");
        ready(&compile_all(&[&text]), "f");
    }
    let set = compile_all(&[
        "id: f\ntype: job\nnodes:\n  w: {emit.text: a, routing: [{to: x}]}\n  x: {emit.text: a, routing: [{to: y}]}\n  y: {emit.text: b, routing: [{to: x}]}",
    ]);
    let error = disabled(&set, "f");
    assert!(error.message().contains("x → y → x"), "{error}");
}

#[test]
fn a_long_flow_compiles() {
    let nodes: String =
        (0..5000).map(|n| format!("  n{n}: {{emit.text: a, routing: [{{to: n{}}}]}}\n", n + 1)).collect();
    let text = format!("id: f\ntype: job\nnodes:\n{nodes}  n5000: {{emit.text: a}}");
    assert_eq!(ready(&compile_all(&[&text]), "f").nodes.len(), 5001);
}

#[test]
fn flows_that_call_each_other_need_a_decision_between() {
    let call = |id: &str, other: &str, routing: &str| {
        format!(
            "id: {id}\ntype: job\nnodes:\n  x: {{emit.text: a, routing: {routing}}}\n  y: {{flow.call: {{flow: {other}}}}}"
        )
    };
    let set = compile_all(&[&call("a", "b", "[{to: y}]"), &call("b", "a", "[{to: y}]"), &call("c", "a", "[{to: y}]")]);
    assert_eq!(disabled(&set, "a").code(), Code::FlowCycle);
    assert_eq!(disabled(&set, "b").code(), Code::FlowCycle);
    ready(&set, "c");
    let [note] = &*set.notes else { panic!("{:?}", set.notes) };
    assert!(note.message().contains("calls flow \"a\", which cannot run"), "{note}");
    let chained =
        compile_all(&[&call("a", "b", "[{to: y}]"), &call("b", "c", "[{to: y}]"), &call("c", "b", "[{to: y}]")]);
    ready(&chained, "a");
    assert_eq!(disabled(&chained, "c").code(), Code::FlowCycle);

    let chain: Vec<String> =
        (0..3000).map(|n| call(&format!("f{n}"), &format!("f{}", (n + 1) % 3001), "[{to: y}]")).collect();
    let mut chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    chain.push("id: f3000\ntype: job\nnodes: {x: {emit.text: end}}");
    ready(&compile_all(&chain), "f0");

    let set = compile_all(&[&call("a", "b", "[{condition: entry.n, to: y}]"), &call("b", "a", "[{to: y}]")]);
    ready(&set, "a");
    ready(&set, "b");
}

#[test]
fn one_broken_flow_leaves_the_others_alone() {
    let set = compile_all(&[
        "id: f\ntype: job\nnodes: {x: {nowhere: {}}}",
        "id: empty\ntype: job\nnodes: {}",
        "id: g\ntype: job\nnodes: {x: {emit.text: hi}}",
        "id: twice\ntype: job\nnodes: {x: {emit.text: hi}}",
        "id: twice\ntype: job\nnodes: {x: {emit.text: hi}}",
    ]);
    assert_eq!(disabled(&set, "f").code(), Code::ComponentUnknown);
    assert_eq!(disabled(&set, "empty").code(), Code::FlowEmpty);
    assert!(disabled(&set, "twice").message().contains("defined twice"));
    ready(&set, "g");
}

#[test]
fn a_flow_of_many_mistakes_costs_little_and_says_the_first() {
    let nodes: String = (0..2000).map(|n| format!("  n{n}: {{emit.text: a, routing: [{{to: m{n}}}]}}\n")).collect();
    let set = compile_all(&[&format!("id: f\ntype: job\nentrypoints: {{other: n1}}\nnodes:\n{nodes}")]);
    assert_eq!(findings(&disabled(&set, "f")).len(), 2);
    assert_eq!(set.notes.len(), 101);
    assert!(set.notes[100].message().contains("3896 more notes are not listed"), "{}", set.notes[100]);

    let all: String = (0..500).map(|n| format!("{{status: s{n}, to: m{n}}}, ")).collect();
    let error = disabled(&one(&format!("{{emit.text: a, routing: [{all}]}}")), "f");
    assert_eq!(findings(&error).len(), 101);
    assert!(error.details()[100].message().contains("400 more reasons"), "{error}");
}

#[test]
fn a_long_way_to_a_broken_node_is_left_out() {
    let nodes: String =
        (0..8000).map(|n| format!("  n{n}: {{emit.text: a, routing: [{{to: n{}}}]}}\n", n + 1)).collect();
    let set = compile_all(&[&format!(
        "id: f\ntype: job\nstart: go\nnodes:\n{nodes}  n8000: {{nowhere: {{}}}}\n  go: {{emit.text: a}}"
    )]);
    assert_eq!(ready(&set, "f").nodes.len(), 1);
}

proptest::proptest! {
    /// Whatever is written, a flow that is ready has its nodes where its routes lead.
    #[test]
    fn arbitrary_flows_compile_or_say_why(
        nodes in proptest::collection::vec((proptest::sample::select(PAYLOADS), proptest::sample::select(ROUTINGS)), 1..6)
    ) {
        let nodes: String = nodes
            .iter()
            .enumerate()
            .map(|(n, (payload, routing))| format!("  n{n}: {{{payload}, routing: {routing}}}\n"))
            .collect();
        let set = compile_all(&[&format!("id: f\ntype: job\nnodes:\n{nodes}")]);
        if let FlowState::Ready(flow) = &set.flows["f"] {
            assert!(flow.entry < flow.nodes.len());
            for node in &flow.nodes {
                let targets: Vec<NodeIx> = match &node.route {
                    Route::End | Route::Reply => Vec::new(),
                    Route::Next(to) => vec![*to],
                    Route::Branch { on_status, default } => on_status.values().chain(default).copied().collect(),
                    Route::Cases(cases) => cases.iter().filter_map(|case| match case.target {
                        Target::Node(to) => Some(to),
                        Target::End | Target::Reply => None,
                    }).collect(),
                };
                assert!(targets.iter().all(|to| *to < flow.nodes.len()));
            }
        }
    }
}

const PAYLOADS: &[&str] = &[
    "emit.text: hi",
    "emit.text: '{{node.n0}}'",
    "session.wait: {}",
    "nowhere: {}",
    "single: {}",
    "weather: {op: now, input: {}}",
    "flow.call: f",
    "component.exec: {component: single}, operation: emit.x",
    "provider.invoke: {provider_id: mail, op: send}",
];

const ROUTINGS: &[&str] = &[
    "out",
    "reply",
    "[]",
    "[{to: n0}]",
    "[{to: n1}]",
    "[{to: n2}]",
    "[{to: n9}]",
    "[{status: ok, to: n1}, {to: n2}]",
    "[{condition: a, to: n3}, {out: true}]",
    "[{next: n4}]",
    "[{condition: '(', to: n1}]",
    "[{status: x, to: n1}]",
];

#[test]
fn nodes_that_no_route_reaches_are_noted_and_disable_nothing() {
    let set = compile_all(&["id: f\ntype: job\nnodes:
  a: {emit.text: a}
  fine: {emit.text: b}
  broken: {nowhere: {}}
  before: {emit.text: c, routing: [{to: broken}]}
  around: {emit.text: c, routing: [{to: around}]}"]);
    let flow = ready(&set, "f");
    let kept: Vec<&str> = flow.nodes.iter().map(|node| &*node.id).collect();
    assert_eq!(kept, ["a", "fine", "around"], "what leads to a broken node goes with it");
    let unreachable = set.notes.iter().filter(|note| note.code() == Code::NodeUnreachable).count();
    assert_eq!(unreachable, 4);
    assert!(set.notes.iter().any(|note| note.code() == Code::ComponentUnknown));
}

#[test]
fn oddities_are_noted() {
    for (node, part) in [
        ("{single: {input: {a: 1}, config: {b: 2}}}", "`config` beside `input`"),
        ("{provider.invoke: {provider_id: chat-a, to: you}}", "`to` means nothing"),
        ("{emit.text: 'hi {{nobody}}'}", "`nobody` is not known"),
        ("{emit.text: a, routing: [{to: y}, {to: x}]}", "never taken"),
    ] {
        let set = one(node);
        ready(&set, "f");
        assert!(set.notes.iter().any(|note| note.message().contains(part)), "{node}: {:?}", set.notes);
    }
    let set = compile_all(&["id: f\ntype: job\nentrypoints: {other: none}\nnodes: {x: {emit.text: a}}"]);
    ready(&set, "f");
    assert_eq!(set.notes[0].code(), Code::NodeUnknown);
}

#[test]
fn an_unknown_default_entry_disables() {
    let error = disabled(&compile_all(&["id: f\ntype: job\nstart: greeet\nnodes: {greet: {emit.text: a}}"]), "f");
    assert_eq!((error.code(), error.hint_text()), (Code::NodeUnknown, Some("did you mean \"greet\"?")));
}

#[test]
fn the_report_of_a_flow_with_many_mistakes() {
    let text = "\
id: support
type: messaging
nodes:
  greet:
    emit.response:
      text: 'Hello {{entry.user.name}}'
      card: '{{node.asked.answer}}'
    routing:
      - condition: response.action = \"buy\"
        to: buy
      - to: ask
  ask:
    session.wait: { reason: question }
  buy:
    provider.invoke:
      provider_type: chat
      op: send
    retry: { max_attempts: 100 }
    routing: [{to: forecast}]
  forecast:
    wether.forecast: { city: '{{shout entry.city}}' }
    timeout: soon
    routing: [{to: finish}]
  orphan:
    emit.text: never
";
    let set = compile_all(&[text]);
    let error = disabled(&set, "support");
    assert_eq!(findings(&error).len(), 9);
    let notes: Vec<String> = set.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(format!("{error}\n\n{}\n", notes.join("\n")));
}

#[test]
fn the_host_stands_in_for_components_that_render_texts() {
    for (node, expected, is_json) in [
        ("{templating.handlebars: {text: '{{in.text}}!'}}", "hi!", false),
        ("{component: templating.handlebars, payload_expr: {template: '{{in.text}}'}, routes: []}", "hi", false),
        ("{component.exec: {component: templating.handlebars, operation: render, input: {text: x}}}", "x", false),
        ("{template: 'say {{in.text}}'}", "say hi", true),
    ] {
        match action_of(node) {
            Action::Text { payload, json } => {
                assert_eq!((rendered(&payload), json), (json!({ "text": expected }), is_json), "{node}");
            }
            other => panic!("{node}: {other:?}"),
        }
    }
    for (node, part) in [
        ("{templating.handlebars: {}}", "no text to render"),
        ("{templating.handlebars: {text: [1]}}", "no text to render"),
        ("{questions: {fields: []}}", "\"questions\", and the host has none"),
        ("{component: 'oci://host.example/x/other:1'}", "comes from \"oci://host.example/x/other:1\""),
    ] {
        let error = disabled(&one(node), "f");
        assert!(error.message().contains(part), "{node}: {error}");
    }
    let set = one("{templating.handlebars: {text: x, data: {}}}");
    assert!(set.notes.iter().any(|note| note.message().contains("`data` means nothing")), "{:?}", set.notes);
}

#[test]
fn conditions_of_nodes_are_checked_at_load() {
    let when = |when: &str| one(&format!("{{emit.text: hi, when: {when}, routing: [{{to: y}}]}}"));
    for good in ["true", "false", "'in.text == \"x\"'", "'{{ exists(node.y) }}'", "'parameters.a'"] {
        assert!(ready(&when(good), "f").nodes[0].when.is_some(), "{good}");
    }
    for (bad, part) in [("[x]", "no condition"), ("'a =='", "condition"), ("'node.z == 1'", "unknown node")] {
        let error = disabled(&when(bad), "f");
        assert_eq!(error.code(), Code::ConditionInvalid);
        assert!(error.message().contains(part), "{bad}: {error}");
    }
}

#[test]
fn parameters_are_checked_at_load() {
    let flow = |parameters: &str, text: &str| {
        compile_all(&[&format!("id: f\ntype: job\nparameters: {parameters}\nnodes:\n  x: {{emit.text: '{text}'}}")])
    };
    for text in ["{{parameters.days}}", "{{parameters.list.[0]}} days", "{{parameters.list[1]}}"] {
        ready(&flow("{days: 3, list: [1, 2]}", text), "f");
    }
    for (parameters, text) in
        [("{days: 3}", "{{parameters.hours}}"), ("{}", "in {{parameters.days}} days"), ("", "{{parameters.x}}")]
    {
        let error = disabled(&flow(parameters, text), "f");
        assert!(error.message().contains("no such parameter"), "{error}");
    }
    assert_eq!(disabled(&flow("7", "hi"), "f").code(), Code::FlowInvalid);
}

#[test]
fn cards_are_looked_up_at_load() {
    let card = |path: &str| {
        one(&format!(
            "{{component-card: {{card_source: asset, card_spec: {{asset_path: '{path}'}}}}, operation: card}}"
        ))
    };
    assert_eq!(ready(&card("cards/hello.json"), "f").nodes.len(), 2);
    let missing = card("cards/helo.json");
    ready(&missing, "f");
    assert!(missing.notes.iter().any(|note| note.code() == Code::AssetMissing), "{:?}", missing.notes);
    assert_eq!(disabled(&card("../../etc/passwd"), "f").code(), Code::AssetPath);
}

#[test]
fn operations_that_a_manifest_leaves_out_are_called_and_noted() {
    let called = |node: &str| {
        let set = one(node);
        let flow = ready(&set, "f");
        let Action::Component(call) = &flow.nodes[0].action else { panic!("{node} calls no component") };
        let notes: Vec<_> = set.notes.iter().filter(|note| note.code() == Code::OpUnknown).cloned().collect();
        (call.op.clone(), notes.len())
    };
    assert_eq!(called("{listed: {}, operation: preview}"), ("preview".to_owned(), 0));
    assert_eq!(called("{listed: {}, operation: another}"), ("another".to_owned(), 1));
    // What a node of an older dialect means, unless the component lists just one.
    assert_eq!(called("{component: listed, payload: {}}"), ("invoke".to_owned(), 1));
    assert_eq!(called("{component: templating.own, payload: {}}"), ("render".to_owned(), 1));
    assert_eq!(called("{component: listed.one, payload: {}}"), ("preview".to_owned(), 0));
    for node in ["{listed: {}}", "{component: templating.closed, payload: {}}"] {
        assert_eq!(disabled(&one(node), "f").code(), Code::OpMissing, "{node}");
    }
}
