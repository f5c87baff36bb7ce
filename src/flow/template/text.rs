//! Texts with Handlebars in them, within bounds.
//!
//! Templates come from packs and are not trusted: their size, nesting, number of evaluated expressions and output
//! are bounded, partials and decorators are refused, and helpers are the fixed list below.

use std::io;
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderError, RenderErrorReason, Renderable,
    Template,
};

use crate::flow::template::path::Segment;
use crate::flow::template::reader;
use crate::flow::template::vars::Vars;
use crate::flow::template::wanted::Uses;
use crate::flow::template::{MAX_RENDERED, Site};
use crate::id;

/// The longest text with Handlebars that is accepted, in bytes.
const MAX_SOURCE: usize = 64 << 10;
/// Expressions that one rendering evaluates at most; loops count each time around.
const MAX_STEPS: usize = 20_000;
/// Up to so many opening brackets, nesting cannot exhaust the parser's stack.
const SHALLOW: usize = 128;
/// More opening brackets are refused; in between, the parser gets a stack of its own.
const MAX_BRACKETS: usize = 4 << 10;
const DEEP_STACK: usize = 128 << 20;

/// Counts one step; put before every expression when a template is parsed.
pub(super) const STEP: &str = "step-of-the-host";

/// The helpers that templates may use.
pub(super) const HELPERS: &[&str] = &[
    "if", "unless", "each", "with", "lookup", "raw", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not", "len",
    "json",
];

/// A parsed text.
#[derive(Debug)]
pub(super) struct Text {
    /// As written.
    pub(super) source: String,
    template: Template,
    uses: Uses,
}

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    registry.unregister_helper("log");
    registry.register_helper("json", Box::new(json_helper));
    registry.register_helper(STEP, Box::new(step_helper));
    registry
});

/// Tells whether an exact `{{path}}` is the call of a helper instead.
pub(super) fn is_helper(segments: &[Segment]) -> bool {
    matches!(segments, [only] if HELPERS.contains(&only.key.as_str()))
}

impl Text {
    /// Parses `source`, or reports to `site` why not.
    pub(super) fn parse(source: &str, site: &mut Site<'_>) -> Option<Self> {
        if source.len() > MAX_SOURCE {
            site.invalid(source, &format!("it has {} bytes", source.len()), &format!("at most {MAX_SOURCE}"));
            return None;
        }
        let brackets = source.bytes().filter(|b| matches!(b, b'(' | b'[' | b'{')).count();
        if brackets > MAX_BRACKETS {
            let hint = format!("at most {MAX_BRACKETS} opening brackets");
            site.invalid(source, &format!("it has {brackets} opening brackets"), &hint);
            return None;
        }
        let parsed = if brackets <= SHALLOW { compile(source) } else { on_deep_stack(|| compile(source)) };
        let mut template = match parsed {
            Ok(template) => template,
            Err((problem, hint)) => {
                site.invalid(source, &problem, hint);
                return None;
            }
        };
        let uses = reader::read(source, &mut template, site)?;
        Some(Self { source: source.to_owned(), template, uses })
    }

    /// Renders the text; the error says what went wrong.
    pub(super) fn render(&self, vars: &Vars<'_>) -> Result<String, String> {
        let context = Context::from(self.uses.context(vars));
        let mut out = Bounded { text: String::new(), steps: MAX_STEPS };
        let mut render = RenderContext::new(None);
        self.template.render(&REGISTRY, &context, &mut render, &mut out).map_err(|error| problem(&error))?;
        Ok(out.text)
    }
}

fn problem(error: &RenderError) -> String {
    id::clip(&error.reason().to_string())
}

/// What is wrong with a template, and what to do about it.
type Problem = (String, &'static str);

/// Runs `work` on a thread with a stack that the deepest accepted template cannot exhaust.
fn on_deep_stack(work: impl FnOnce() -> Result<Template, Problem> + Send) -> Result<Template, Problem> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| (format!("no thread to parse it: {error}"), "try again"))?;
        thread.join().unwrap_or_else(|_| Err(("it cannot be parsed".to_owned(), "simplify it")))
    })
}

/// Parses and checks the nesting, both on the stack that is there: what nests too deep is also dropped on it.
fn compile(source: &str) -> Result<Template, Problem> {
    let template = Template::compile(&spare_i18n(source)).map_err(|error| {
        let place = error.pos().map_or_else(String::new, |(line, column)| format!(" at {line}:{column} of the text"));
        let problem = format!("{}{place}", id::clip(&error.reason().to_string()));
        (problem, "write `{{path}}`, or a Handlebars expression")
    })?;
    if reader::nests_too_deep(&template) {
        return Err((format!("it nests deeper than {}", reader::MAX_DEPTH), "split the text over several nodes"));
    }
    Ok(template)
}

/// `{{i18n:key}}` is left to the component that translates it.
fn spare_i18n(source: &str) -> String {
    const TAG: &str = "{{i18n:";
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once(TAG) {
        out.push_str(before);
        if !before.ends_with('\\') {
            out.push('\\');
        }
        out.push_str(TAG);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn step_helper(
    _: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    out.write("").map_err(RenderError::from)
}

/// `{{json path}}`: the value as JSON text, `null` if there is none.
fn json_helper(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
    out.write(&value.value().to_string()).map_err(RenderError::from)
}

/// Output within bounds. An empty write is a step.
struct Bounded {
    text: String,
    steps: usize,
}

impl Output for Bounded {
    fn write(&mut self, part: &str) -> io::Result<()> {
        if part.is_empty() {
            self.steps = self
                .steps
                .checked_sub(1)
                .ok_or_else(|| io::Error::other(format!("it evaluates more than {MAX_STEPS} expressions")))?;
        } else if self.text.len() + part.len() > MAX_RENDERED {
            return Err(io::Error::other(format!("it renders to more than {MAX_RENDERED} bytes")));
        }
        self.text.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
