//! What the host does in the place of well-known components that packs name and do not always carry.

use serde_json::{Map, Value};

use crate::error::Code;
use crate::flow::compile::node::Compiler;
use crate::flow::model::Action;
use crate::id;

/// A component that the host stands in for.
#[derive(Clone, Copy)]
pub(super) enum Builtin {
    /// `templating.handlebars`: a text with its templates rendered.
    Handlebars,
    /// `template`: the same, and a text that is a JSON object becomes that object.
    Template,
}

/// The keys under which the text stands.
const TEXT: &[&str] = &["text", "template"];

/// The builtin of this name.
pub(super) fn of(component: &str) -> Option<Builtin> {
    match component {
        "templating.handlebars" | "templating.handlebars.render" => Some(Builtin::Handlebars),
        "template" => Some(Builtin::Template),
        _ => None,
    }
}

/// Compiles a node that renders a text.
pub(super) fn compile(compiler: &mut Compiler<'_>, builtin: Builtin, payload: Value) -> Option<Action> {
    let mut fields = match payload {
        Value::String(text) => Map::from_iter([("text".to_owned(), Value::String(text))]),
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let text = TEXT.iter().find_map(|key| fields.shift_remove(*key)).filter(Value::is_string);
    for key in fields.keys() {
        let problem = format!("`{}` means nothing to a template", id::clip(key));
        compiler.findings.odd(Code::NodeInvalid, &problem, "the text uses `in`, `prev`, `node.<id>` and `parameters`");
    }
    let Some(text) = text else {
        compiler.findings.wrong(Code::NodeInvalid, "it has no text to render", "write `text: \"Hello {{in.text}}\"`");
        return None;
    };
    let payload = Value::Object(Map::from_iter([("text".to_owned(), text)]));
    Some(Action::Text { payload: compiler.payload(&payload), json: matches!(builtin, Builtin::Template) })
}
