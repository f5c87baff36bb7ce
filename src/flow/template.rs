//! Templates in node payloads: parsed once at load, rendered at every step.
//!
//! A string that is exactly `{{path}}` inserts the value at the path with its type. Any other string with `{{`
//! goes through Handlebars and stays text. In the maps of a provider call a string that begins with `/` is a JSON
//! pointer. Object keys are never rendered.
//!
//! Rendering touches only what a template names: its cost does not depend on how many steps a run has behind it,
//! unless a template asks for `state` or `node` as a whole.

mod path;
mod reader;
mod text;
mod vars;
mod wanted;

use serde_json::{Map, Value};

use crate::error::{Code, Error, Location, Result};
use crate::id::{self, Id};

pub use path::{Root, VarPath};
pub(crate) use path::{Segment, parse as parse_path, walk};
pub use vars::{NodeOutput, Outputs, Vars};

use text::Text;

/// The largest value that one payload may render to, in bytes of its JSON text (roughly).
pub const MAX_RENDERED: usize = 4 << 20;

/// A payload with its templates parsed.
#[derive(Debug)]
pub struct Mapping {
    /// The node that it belongs to, for errors.
    node: Id,
    body: Part,
}

#[derive(Debug)]
enum Part {
    /// Holds no template.
    Constant(Value),
    /// The value at a path.
    Path(VarPath),
    /// A text with Handlebars in it.
    Text(Box<Text>),
    List(Vec<Part>),
    Object(Vec<(String, Part)>),
}

/// What is known where a payload is parsed, and what was found wrong with it.
pub struct Site<'a> {
    /// The node that the payload belongs to.
    pub node: Id,
    /// Which names a template may begin with.
    pub roots: &'static [Root],
    /// Whether a string that begins with `/` is a JSON pointer.
    pub pointers: bool,
    /// Tells whether a node exists.
    pub has_node: &'a dyn Fn(&str) -> bool,
    /// The flow's parameters; null if there are none.
    pub parameters: &'a Value,
    /// Where the node stands in its file.
    pub location: Location,
    /// What makes the payload unusable.
    pub findings: Vec<Error>,
    /// What is odd, but renders.
    pub notes: Vec<Error>,
}

impl Site<'_> {
    /// Records that a template cannot be used.
    fn invalid(&mut self, template: &str, problem: &str, hint: &str) {
        let message = format!("node {:?}: template {:?}: {problem}", &*self.node, id::clip(template));
        self.findings.push(Error::new(Code::TemplateInvalid, message).at(self.location.clone()).hint(hint));
    }

    /// Records that a template renders, but hardly as its author meant.
    fn odd(&mut self, template: &str, problem: &str, hint: &str) {
        let message = format!("node {:?}: template {:?}: {problem}", &*self.node, id::clip(template));
        self.notes.push(Error::new(Code::TemplateInvalid, message).at(self.location.clone()).hint(hint));
    }

    /// Names the roots that a template may begin with.
    fn roots_hint(&self) -> String {
        let names: Vec<&str> = self.roots.iter().map(|root| root.name()).collect();
        format!("a template begins with one of: {}", names.join(", "))
    }
}

impl Mapping {
    /// Parses `value`. What is wrong with it is added to `site.findings`; a mapping with findings must not be used.
    pub fn parse(value: &Value, site: &mut Site<'_>) -> Self {
        Self { node: site.node.clone(), body: Part::parse(value, site) }
    }

    /// Renders the payload.
    pub fn render(&self, vars: &Vars<'_>) -> Result<Value> {
        Render { node: &self.node, vars, left: MAX_RENDERED }.part(&self.body)
    }
}

impl Part {
    fn parse(value: &Value, site: &mut Site<'_>) -> Self {
        match value {
            Value::String(text) => Self::string(text, site),
            Value::Array(items) => {
                let parts: Vec<Self> = items.iter().map(|item| Self::parse(item, site)).collect();
                if parts.iter().all(Self::is_constant) { Self::Constant(value.clone()) } else { Self::List(parts) }
            }
            Value::Object(fields) => {
                let parts: Vec<(String, Self)> =
                    fields.iter().map(|(key, field)| (key.clone(), Self::parse(field, site))).collect();
                if parts.iter().all(|(_, part)| part.is_constant()) {
                    Self::Constant(value.clone())
                } else {
                    Self::Object(parts)
                }
            }
            other => Self::Constant(other.clone()),
        }
    }

    fn string(text: &str, site: &mut Site<'_>) -> Self {
        let constant = || Self::Constant(Value::String(text.to_owned()));
        if !text.contains("{{") {
            if !(site.pointers && text.starts_with('/')) {
                return constant();
            }
            return VarPath::pointer(text, site).map_or_else(constant, Self::Path);
        }
        if let Some(inner) = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"))
            && let Some(segments) = path::parse(inner.trim())
            && !text::is_helper(&segments)
        {
            return VarPath::new(segments, text, site).map_or_else(constant, Self::Path);
        }
        Text::parse(text, site).map_or_else(constant, |text| Self::Text(Box::new(text)))
    }

    fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

struct Render<'a, 'v> {
    node: &'a str,
    vars: &'a Vars<'v>,
    left: usize,
}

impl Render<'_, '_> {
    fn part(&mut self, part: &Part) -> Result<Value> {
        match part {
            Part::Constant(value) => Ok(value.clone()),
            Part::Path(path) => {
                let value = self.vars.get(path).ok_or_else(|| self.missing(path))?;
                self.spend(&value)?;
                Ok(value.into_owned())
            }
            Part::Text(text) => {
                let rendered = Value::String(text.render(self.vars).map_err(|problem| self.failed(text, &problem))?);
                self.spend(&rendered)?;
                Ok(rendered)
            }
            Part::List(parts) => parts.iter().map(|part| self.part(part)).collect::<Result<_>>().map(Value::Array),
            Part::Object(fields) => {
                let mut out = Map::with_capacity(fields.len());
                for (key, part) in fields {
                    out.insert(key.clone(), self.part(part)?);
                }
                Ok(Value::Object(out))
            }
        }
    }

    /// Takes the size of `value` off the budget, before it is copied.
    fn spend(&mut self, value: &Value) -> Result<()> {
        self.left = remaining(value, self.left).ok_or_else(|| {
            let message = format!("node {:?} renders to more than {MAX_RENDERED} bytes", self.node);
            Error::new(Code::RenderFailed, message).hint("insert the part that is needed, not whole outputs")
        })?;
        Ok(())
    }

    fn missing(&self, path: &VarPath) -> Error {
        let message = format!("node {:?}: `{}` has no value", self.node, id::clip(&path.text));
        Error::new(Code::RenderFailed, message).hint(self.vars.nearest(path))
    }

    fn failed(&self, text: &Text, problem: &str) -> Error {
        let message = format!("node {:?}: template {:?}: {problem}", self.node, id::clip(&text.source));
        Error::new(Code::RenderFailed, message).hint("check the helpers and the values that it uses")
    }
}

/// What is left of `budget` after `value`; nothing if it does not suffice.
fn remaining(value: &Value, budget: usize) -> Option<usize> {
    let budget = budget.checked_sub(match value {
        Value::String(text) => text.len() + 2,
        _ => 4,
    })?;
    match value {
        Value::Array(items) => items.iter().try_fold(budget, |left, item| remaining(item, left)),
        Value::Object(fields) => fields.iter().try_fold(budget, |left, (key, field)| {
            left.checked_sub(key.len() + 3).and_then(|left| remaining(field, left))
        }),
        _ => Some(budget),
    }
}

#[cfg(test)]
mod tests;
