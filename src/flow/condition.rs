//! Routing conditions: `response.action == "buy" && !(entry.n > 3)`, parsed at load.
//!
//! A path begins with `entry` (the flow's input), `in` (the input of the event that is worked on), `response` (what
//! the user sent with that event: its metadata and its text), or a field of the node's output; where the output has no such field, also with `prev` (the
//! output as a whole), `node`, `state` or `parameters`. Texts compare without regard to case, and a text equals the number or
//! truth value that it spells. What does not exist equals `null`. The whole may stand in `{{…}}`.

mod lexer;
mod parser;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::flow::template::{NodeOutput, Root, Segment, Vars, walk};

/// The longest condition that is accepted, in bytes.
pub const MAX_LEN: usize = 4096;

/// A parsed condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Expr);

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Any(Vec<Expr>),
    All(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Operand, Comparison, Operand),
    Exists(Vec<Segment>),
    Truthy(Operand),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(Vec<Segment>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Parses a condition. The error says what is wrong and where in the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LEN {
            return Err(format!("it has {} bytes, more than {MAX_LEN}", text.len()));
        }
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(trimmed);
        parser::parse(&lexer::tokens(inner)?).map(Self)
    }

    /// Tells whether the condition holds after a node gave `output`.
    pub fn holds(&self, vars: &Vars<'_>, output: &NodeOutput) -> bool {
        Scope { vars, output }.holds(&self.0)
    }

    /// The ids of nodes that the condition names.
    pub(crate) fn nodes(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.0.paths(&mut |path| match path {
            [root, id, ..] if root.key == "node" => found.push(id.key.as_str()),
            [root, part, id, ..] if root.key == "state" && part.key == "nodes" => found.push(id.key.as_str()),
            _ => {}
        });
        found
    }
}

impl Expr {
    fn paths<'e>(&'e self, visit: &mut dyn FnMut(&'e [Segment])) {
        let operand = |operand: &'e Operand, visit: &mut dyn FnMut(&'e [Segment])| {
            if let Operand::Path(path) = operand {
                visit(path);
            }
        };
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().for_each(|part| part.paths(visit)),
            Self::Not(inner) => inner.paths(visit),
            Self::Compare(left, _, right) => {
                operand(left, visit);
                operand(right, visit);
            }
            Self::Exists(path) => visit(path),
            Self::Truthy(value) => operand(value, visit),
        }
    }
}

struct Scope<'a, 'v> {
    vars: &'a Vars<'v>,
    output: &'a NodeOutput,
}

impl Scope<'_, '_> {
    fn holds(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Expr::All(parts) => parts.iter().all(|part| self.holds(part)),
            Expr::Not(inner) => !self.holds(inner),
            Expr::Compare(left, comparison, right) => compare(&self.value(left), *comparison, &self.value(right)),
            Expr::Exists(path) => self.find(path).is_some_and(|value| !value.is_null()),
            Expr::Truthy(operand) => truthy(&self.value(operand)),
        }
    }

    fn value<'s>(&'s self, operand: &'s Operand) -> Cow<'s, Value> {
        match operand {
            Operand::Literal(value) => Cow::Borrowed(value),
            Operand::Path(path) => self.find(path).unwrap_or(Cow::Owned(Value::Null)),
        }
    }

    fn find(&self, path: &[Segment]) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        match first.key.as_str() {
            "entry" => return self.vars.resolve(Root::Entry, rest),
            "in" => return self.vars.resolve(Root::Event, rest),
            "response" => return self.response(rest).map(Cow::Borrowed),
            _ => {}
        }
        if let Value::Object(fields) = &self.output.payload
            && let Some(field) = fields.get(&first.key)
        {
            return walk(field, rest).map(Cow::Borrowed);
        }
        match first.key.as_str() {
            "prev" => walk(&self.output.payload, rest).map(Cow::Borrowed),
            "node" => self.vars.resolve(Root::Node, rest),
            "state" => self.vars.resolve(Root::State, rest),
            "parameters" => self.vars.resolve(Root::Parameters, rest),
            _ => None,
        }
    }

    /// What the user sent: the fields of the event's metadata, and its text.
    fn response(&self, path: &[Segment]) -> Option<&Value> {
        let event = self.vars.event;
        let message = event.get("input").filter(|input| input.is_object()).unwrap_or(event);
        let metadata = message.get("metadata").or_else(|| event.get("metadata"));
        let Some((first, rest)) = path.split_first() else { return metadata };
        let text = (first.key == "text").then(|| message.get("text")).flatten();
        walk(text.or_else(|| metadata?.get(&first.key))?, rest)
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(set) => *set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right).is_some_and(Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparison::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => same_text(a, b),
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => same_text(text, &right.to_string()),
        (Value::Number(_) | Value::Bool(_), Value::String(text)) => same_text(text, &left.to_string()),
        _ => left == right,
    }
}

fn same_text(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// The order of two numbers, or of texts that spell numbers. Nothing else has an order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    number(left)?.partial_cmp(&number(right)?)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
