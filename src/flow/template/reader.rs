//! A parsed Handlebars template, read before it is used: how deep it nests, what it uses, what it must not say.

use std::sync::LazyLock;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};

use crate::flow::hint;
use crate::flow::template::Site;
use crate::flow::template::path;
use crate::flow::template::text::{HELPERS, STEP};
use crate::flow::template::wanted::Uses;
use crate::id;

/// The deepest nesting of blocks and subexpressions.
pub(super) const MAX_DEPTH: usize = 24;

/// Reads `template`, adds the counting of steps to it, and tells what it uses. Nothing if it must not be used; why
/// not is reported to `site`.
pub(super) fn read(source: &str, template: &mut Template, site: &mut Site<'_>) -> Option<Uses> {
    let before = site.findings.len();
    let mut reader = Reader { source, site, uses: Uses::default(), scopes: 0, params: Vec::new() };
    reader.template(template);
    let Reader { uses, site, .. } = reader;
    (site.findings.len() == before).then_some(uses)
}

/// Tells whether blocks and subexpressions nest deeper than is accepted.
pub(super) fn nests_too_deep(template: &Template) -> bool {
    depth(template, 0) > MAX_DEPTH
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
            Some(BlockParam::Single(one)) => self.param_name(one),
            Some(BlockParam::Pair((one, two))) => {
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
            self.uses.add(root, keys.iter().copied());
            if from_top {
                path::check_names(root, keys.iter().copied(), self.source, self.site);
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
