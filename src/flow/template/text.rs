//! Texts with Handlebars in them, within bounds.
//!
//! Templates come from packs and are not trusted: their size, nesting, number of evaluated expressions and output
//! are bounded, partials and decorators are refused, and helpers are the fixed list below.

use std::io;
use std::sync::LazyLock;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, Path, PathSeg, RenderContext, RenderError, RenderErrorReason,
    Renderable, Template,
};

use crate::flow::hint;
use crate::flow::template::path::{self, Segment};
use crate::flow::template::vars::Vars;
use crate::flow::template::wanted::Uses;
use crate::flow::template::{MAX_RENDERED, Site};
use crate::id;

/// The longest text with Handlebars that is accepted, in bytes.
const MAX_SOURCE: usize = 64 << 10;
/// The deepest nesting of blocks and subexpressions.
const MAX_DEPTH: usize = 24;
/// Expressions that one rendering evaluates at most; loops count each time around.
const MAX_STEPS: usize = 20_000;
/// Up to so many opening brackets, nesting cannot exhaust the parser's stack.
const SHALLOW: usize = 128;
/// More opening brackets are refused; in between, the parser gets a stack of its own.
const MAX_BRACKETS: usize = 4 << 10;
const DEEP_STACK: usize = 128 << 20;

/// Counts one step; put before every expression when a template is parsed.
const STEP: &str = "step-of-the-host";

const HELPERS: &[&str] = &[
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
        let before = site.findings.len();
        let mut reader = Reader { source, site, uses: Uses::default(), scopes: 0, params: Vec::new() };
        reader.template(&mut template);
        let Reader { uses, site, .. } = reader;
        (site.findings.len() == before).then(|| Self { source: source.to_owned(), template, uses })
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
    if depth(&template, 0) > MAX_DEPTH {
        return Err((format!("it nests deeper than {MAX_DEPTH}"), "split the text over several nodes"));
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

fn depth(template: &Template, above: usize) -> usize {
    let below = above + 1;
    if below > MAX_DEPTH {
        return below;
    }
    template.elements.iter().map(|element| element_depth(element, below)).max().unwrap_or(below)
}

fn element_depth(element: &TemplateElement, above: usize) -> usize {
    match element {
        TemplateElement::Expression(call)
        | TemplateElement::HtmlExpression(call)
        | TemplateElement::HelperBlock(call) => {
            let params = call.params.iter().chain(call.hash.values()).chain([&call.name]);
            let params = params.map(|param| parameter_depth(param, above)).max().unwrap_or(above);
            let blocks = [&call.template, &call.inverse].into_iter().flatten();
            blocks.map(|block| depth(block, above)).max().unwrap_or(above).max(params)
        }
        _ => above,
    }
}

fn parameter_depth(parameter: &Parameter, above: usize) -> usize {
    match parameter {
        Parameter::Subexpression(inner) if above < MAX_DEPTH => element_depth(&inner.element, above + 1),
        Parameter::Subexpression(_) => above + 1,
        _ => above,
    }
}

/// Walks a parsed template: collects what it uses, refuses what is not offered, and adds the counting of steps.
struct Reader<'a, 's, 'n> {
    source: &'a str,
    site: &'s mut Site<'n>,
    uses: Uses,
    /// Blocks around this place that change what a bare name means.
    scopes: usize,
    /// Names that blocks around this place define.
    params: Vec<String>,
}

impl Reader<'_, '_, '_> {
    fn template(&mut self, template: &mut Template) {
        let elements = std::mem::take(&mut template.elements);
        let mapping = std::mem::take(&mut template.mapping);
        for (mut element, place) in elements.into_iter().zip(mapping) {
            let counted = self.element(&mut element);
            if counted && let Some(step) = step() {
                template.elements.push(step);
                template.mapping.push(place.clone());
            }
            template.elements.push(element);
            template.mapping.push(place);
        }
    }

    /// Returns whether the element counts as a step.
    fn element(&mut self, element: &mut TemplateElement) -> bool {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => return false,
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => self.expression(call),
            TemplateElement::HelperBlock(call) => self.block(call),
            _ => {
                self.site.invalid(self.source, "partials and decorators are not offered", "write the text in full");
            }
        }
        true
    }

    fn expression(&mut self, call: &HelperTemplate) {
        let bare = call.params.is_empty() && call.hash.is_empty();
        match &call.name {
            Parameter::Path(path) if bare && !name_of(path).is_some_and(is_helper_name) => self.path(path),
            Parameter::Subexpression(_) if bare => self.parameter(&call.name),
            name => self.helper(name),
        }
        self.arguments(call);
    }

    fn block(&mut self, call: &mut HelperTemplate) {
        self.helper(&call.name);
        self.arguments(call);
        let name = call.name.as_name().unwrap_or_default();
        let scoped = matches!(name, "each" | "with");
        let known = self.params.len();
        match &call.block_param {
            Some(handlebars::template::BlockParam::Single(one)) => self.param_name(one),
            Some(handlebars::template::BlockParam::Pair((one, two))) => {
                self.param_name(one);
                self.param_name(two);
            }
            _ => {}
        }
        self.scopes += usize::from(scoped);
        if let Some(body) = &mut call.template {
            self.template(body);
        }
        self.scopes -= usize::from(scoped);
        self.params.truncate(known);
        if let Some(body) = &mut call.inverse {
            self.template(body);
        }
    }

    fn param_name(&mut self, name: &Parameter) {
        self.params.extend(name.as_name().map(str::to_owned));
    }

    fn helper(&mut self, name: &Parameter) {
        let name = name.as_name().unwrap_or_default();
        if !is_helper_name(name) {
            let hint = hint::did_you_mean(name, "helpers", HELPERS.iter().copied());
            self.site.invalid(self.source, &format!("there is no helper `{}`", id::clip(name)), &hint);
        }
    }

    fn arguments(&mut self, call: &HelperTemplate) {
        for parameter in call.params.iter().chain(call.hash.values()) {
            self.parameter(parameter);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Path(path) => self.path(path),
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(call) = &*inner.element {
                    self.expression(call);
                }
            }
            _ => {}
        }
    }

    fn path(&mut self, path: &Path) {
        let Path::Relative((segments, raw)) = path else { return };
        let names: Vec<&str> = segments.iter().filter_map(name_segment).collect();
        let from_top = self.scopes == 0 || raw.starts_with("@root");
        let Some((first, keys)) = names.split_first() else {
            if from_top || raw.starts_with("..") {
                self.uses.add_all(self.site.roots);
            }
            return;
        };
        if self.params.iter().any(|param| param == first) {
            return;
        }
        if let Some(root) = path::root(first, self.site.roots) {
            let spelled = root.names().iter().find(|name| *name == first).copied().unwrap_or_default();
            self.uses.add(root, spelled, keys.iter().copied());
            if from_top {
                path::check_node(root, keys.iter().copied(), self.source, self.site);
            }
        } else if from_top {
            let hint = path::nearest_root(first, self.site);
            self.site.odd(self.source, &format!("`{}` is not known and renders as nothing", id::clip(first)), &hint);
        }
    }
}

fn name_segment(segment: &PathSeg) -> Option<&str> {
    match segment {
        PathSeg::Named(name) => Some(name),
        _ => None,
    }
}

fn name_of(path: &Path) -> Option<&str> {
    match path {
        Path::Relative((segments, raw)) => (segments.len() == 1).then_some(raw.as_str()),
        Path::Local(_) => None,
    }
}

fn is_helper_name(name: &str) -> bool {
    HELPERS.contains(&name)
}

/// The element that counts a step.
fn step() -> Option<TemplateElement> {
    static STEP_TEMPLATE: LazyLock<Option<Template>> =
        LazyLock::new(|| Template::compile(&format!("{{{{{STEP}}}}}")).ok());
    STEP_TEMPLATE.as_ref()?.elements.first().cloned()
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
