//! Where a run goes after a node.

use std::collections::HashMap;

use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::flow::model::{Case, NodeIx, Route, Target};
use crate::flow::template::{NodeOutput, Vars};
use crate::id;

/// Where a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To a node.
    Node(NodeIx),
    /// The flow ends.
    End,
    /// The flow ends and the node's output is its reply.
    Reply,
    /// No branch and no case fits: the flow ends as with [`Decision::End`], and the run's trace should say why.
    NoMatch,
}

/// Decides where a run goes after a node gave `output`.
///
/// Fails where the output is an error and the node's branches or cases have no place for it: such an error must not
/// pass for success.
pub fn choose(route: &Route, vars: &Vars<'_>, output: &NodeOutput) -> Result<Decision> {
    let target = match route {
        Route::End => return Ok(Decision::End),
        Route::Reply => return Ok(Decision::Reply),
        Route::Next(node) => return Ok(Decision::Node(*node)),
        Route::Branch { on_status, default } => branch(on_status, *default, output),
        Route::Cases(cases) => case(cases, vars, output),
    };
    match target {
        Some(Target::Node(node)) => Ok(Decision::Node(node)),
        Some(Target::End) => Ok(Decision::End),
        Some(Target::Reply) => Ok(Decision::Reply),
        None if output.ok => Ok(Decision::NoMatch),
        None => {
            let message = format!("no route fits a result with status {:?}", id::clip(status(output)));
            Err(Error::new(Code::NoRoute, message)
                .hint("add a route without status and condition, or one for this status"))
        }
    }
}

/// The status of a node's result: what its payload says, else `ok` or `error`.
pub fn status(output: &NodeOutput) -> &str {
    match output.payload.get("status") {
        Some(Value::String(status)) => status,
        _ if output.ok => "ok",
        _ => "error",
    }
}

fn branch(on_status: &HashMap<String, NodeIx>, default: Option<NodeIx>, output: &NodeOutput) -> Option<Target> {
    on_status.get(status(output)).copied().or(default).map(Target::Node)
}

fn case(cases: &[Case], vars: &Vars<'_>, output: &NodeOutput) -> Option<Target> {
    let fits = |case: &&Case| {
        case.status.as_deref().is_none_or(|wanted| wanted == status(output))
            && case.condition.as_ref().is_none_or(|condition| condition.holds(vars, output))
    };
    cases.iter().find(fits).map(|case| case.target)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use super::*;
    use crate::flow::condition::Condition;
    use crate::id::Id;

    fn decide(route: &Route, ok: bool, payload: Value) -> Result<Decision> {
        let nodes = IndexMap::<Id, NodeOutput>::new();
        let output = NodeOutput { ok, payload, meta: Value::Null };
        choose(route, &Vars::new(&json!({"n": 1}), &Value::Null, &nodes), &output)
    }

    fn case(condition: Option<&str>, status: Option<&str>, target: Target) -> Case {
        Case {
            condition: condition.map(|text| Condition::parse(text).unwrap()),
            status: status.map(str::to_owned),
            target,
        }
    }

    #[test]
    fn plain_routes_need_no_result() {
        for (route, decision) in
            [(Route::End, Decision::End), (Route::Reply, Decision::Reply), (Route::Next(4), Decision::Node(4))]
        {
            assert_eq!(decide(&route, true, Value::Null).unwrap(), decision);
            assert_eq!(decide(&route, false, Value::Null).unwrap(), decision);
        }
    }

    #[test]
    fn branches_go_by_status() {
        let on_status = HashMap::from([("ok".to_owned(), 1), ("error".to_owned(), 2), ("late".to_owned(), 3)]);
        let route = |default| Route::Branch { on_status: on_status.clone(), default };
        let table = [
            (true, json!({}), None, Decision::Node(1)),
            (false, json!({}), None, Decision::Node(2)),
            (true, json!({"status": "late"}), None, Decision::Node(3)),
            (true, json!({"status": 7}), None, Decision::Node(1)),
            (true, json!({"status": "other"}), Some(9), Decision::Node(9)),
            (true, json!({"status": "other"}), None, Decision::NoMatch),
            (false, json!({"status": "other"}), Some(9), Decision::Node(9)),
        ];
        for (ok, payload, default, expected) in table {
            assert_eq!(decide(&route(default), ok, payload.clone()).unwrap(), expected, "{ok} {payload}");
        }
        let error = decide(&route(None), false, json!({"status": "other"})).unwrap_err();
        assert_eq!(error.code(), Code::NoRoute);
        assert!(error.message().contains("other"));
    }

    #[test]
    fn the_first_case_that_fits_wins() {
        let route = Route::Cases(vec![
            case(Some("text == \"a\""), None, Target::Node(1)),
            case(None, Some("late"), Target::Node(2)),
            case(Some("entry.n == 1"), Some("ok"), Target::Reply),
            case(Some("text == \"end\""), None, Target::End),
        ]);
        let table = [
            (json!({"text": "A", "status": "late"}), Decision::Node(1)),
            (json!({"text": "b", "status": "late"}), Decision::Node(2)),
            (json!({"text": "b"}), Decision::Reply),
            (json!({"text": "end", "status": "x"}), Decision::End),
            (json!({"text": "b", "status": "x"}), Decision::NoMatch),
        ];
        for (payload, expected) in table {
            assert_eq!(decide(&route, true, payload.clone()).unwrap(), expected, "{payload}");
        }
        assert_eq!(decide(&route, false, json!({"status": "x"})).unwrap_err().code(), Code::NoRoute);
    }
}
