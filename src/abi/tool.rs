//! Components that are tools: a router of `wasix:mcp`, in any of its three published versions, or a plain `exec` that
//! is exported outside of any interface.
//!
//! They are called by names, as what the versions share is called alike, and answer as [`crate::mcp::router`] reads it.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};

use super::{named, val};
use crate::capabilities::HostCtx;
use crate::conform::{ComponentShape, Function, Type, shown};
use crate::error::{Code, Error, Result};
use crate::mcp::{Failure, outcome, router};

/// What the names of routers begin with.
const ROUTER: &str = "wasix:mcp/router@";

/// A tool.
pub(super) struct Tool {
    call: ComponentExportIndex,
    form: Form,
    /// Lists what a router has.
    list: Option<ComponentExportIndex>,
}

/// How arguments are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As text, to a plain `exec`, which answers text.
    Exec,
    /// As text, to a router.
    Text,
    /// As text in a record, to a router.
    Record,
}

impl Tool {
    /// The tool that the component called `name` is.
    ///
    /// # Errors
    ///
    /// [`Code::ToolUnusable`] if it is none.
    pub(super) fn find(name: &str, shape: &ComponentShape, pre: &InstancePre<HostCtx>) -> Result<Self> {
        let lost = || Error::new(Code::Internal, format!("component {name}: an export cannot be found again"));
        if let Some((router, interface)) = shape.exports.iter().find(|(name, _)| name.starts_with(ROUTER)) {
            let function = |function: &str| interface.functions.get(function);
            let Some(form) = function("call-tool").and_then(router_form) else {
                return Err(unusable(
                    name,
                    &format!("its {} has another `call-tool` than those published", shown(router)),
                ));
            };
            let component = pre.component();
            let (_, instance) = component.get_export(None, router.as_str()).ok_or_else(lost)?;
            let index = |function: &str| component.get_export(Some(&instance), function).map(|(_, index)| index);
            let lists = function("list-tools").is_some_and(|list| list.params.is_empty() && !list.is_async);
            let list = index("list-tools").filter(|_| lists);
            return Ok(Self { call: index("call-tool").ok_or_else(lost)?, form, list });
        }
        match shape.exported_functions.get("exec") {
            Some(exec) if is_plain(exec) => {
                let (_, call) = pre.component().get_export(None, "exec").ok_or_else(lost)?;
                Ok(Self { call, form: Form::Exec, list: None })
            }
            Some(_) => Err(unusable(name, "its `exec` takes or answers something else than two texts and a text")),
            None => Err(unusable(name, "it exports neither `wasix:mcp/router` nor a function `exec`")),
        }
    }

    /// Makes an instance in `store` and calls it.
    pub(super) async fn call(
        &self,
        pre: &InstancePre<HostCtx>,
        store: &mut Store<HostCtx>,
        action: &str,
        arguments: String,
    ) -> wasmtime::Result<Val> {
        let arguments = match self.form {
            Form::Exec | Form::Text => Val::String(arguments),
            Form::Record => Val::Record(vec![("json".to_owned(), Val::String(arguments))]),
        };
        named::invoke(pre, store, &self.call, &[Val::String(action.to_owned()), arguments]).await
    }

    /// What its answer means.
    pub(super) fn read(&self, tool: &str, answer: Val) -> Result<Value, Failure> {
        match answer {
            Val::String(text) if self.form == Form::Exec => outcome::of_exec(tool, text),
            Val::Result(Ok(answer)) => {
                let answer = answer.map_or(Value::Null, |answer| val::to_json(*answer));
                outcome::of_result(tool, router::result(tool, answer)?)
            }
            Val::Result(Err(error)) => {
                Err(router::refusal(tool, &error.map_or(Value::Null, |error| val::to_json(*error))))
            }
            other => Ok(val::to_json(other)),
        }
    }

    /// Makes an instance in `store` and has it list its tools; none if it has no way to. With the answer come the bytes
    /// that it held.
    pub(super) async fn list(
        &self,
        pre: &InstancePre<HostCtx>,
        store: &mut Store<HostCtx>,
    ) -> wasmtime::Result<(Option<Vec<Value>>, usize)> {
        let Some(list) = &self.list else { return Ok((None, 0)) };
        let answer = named::invoke(pre, store, list, &[]).await?;
        let size = val::size(&answer);
        Ok((Some(router::tools(val::to_json(answer))), size))
    }
}

/// How a router's `call-tool` takes arguments, if it is one of those published.
fn router_form(call: &Function) -> Option<Form> {
    let answers = matches!(call.result.as_deref(), Some(Type::Result(Some(_), Some(_))));
    match call.params.as_slice() {
        [(_, name), (_, arguments)] if answers && !call.is_async && is_text(name) => match &**arguments {
            Type::Record(_, fields) if matches!(fields.as_slice(), [(field, text)] if field == "json" && is_text(text)) => {
                Some(Form::Record)
            }
            arguments => is_text(arguments).then_some(Form::Text),
        },
        _ => None,
    }
}

fn is_plain(exec: &Function) -> bool {
    let takes = exec.params.len() == 2 && exec.params.iter().all(|(_, ty)| is_text(ty));
    takes && !exec.is_async && exec.result.as_deref().is_some_and(is_text)
}

fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::Primitive("string"))
}

fn unusable(name: &str, why: &str) -> Error {
    Error::new(Code::ToolUnusable, format!("component {name} is no tool: {why}"))
        .hint("export `wasix:mcp/router` in one of the versions 24.11.5, 25.3.26 and 25.6.18")
}
