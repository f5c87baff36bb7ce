//! Nodes that are called by the names of their fields: the 0.4 and 0.5 lines, whose published shapes differ in the
//! records that describe a call, and shapes of `node@0.6.0` that are not the host's.
//!
//! Values are passed as the component's own types have them, by a plan that was made at load. A string is as cheap this
//! way as in generated code; a list of bytes is not, which is why what passes bytes in known types has bindings.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};

use super::answer::{self, FAILED, NO_MESSAGE, Rejection};
use super::circumstances::Circumstances;
use super::{cbor, val};
use crate::capabilities::HostCtx;
use crate::conform::filling::{Contract, Filling, Known, NamedCall, Width};
use crate::engine::Subject;
use crate::error::{Code, Error, Result};

/// A node that is called by names.
pub(super) struct NamedNode {
    pre: InstancePre<HostCtx>,
    plan: NamedCall,
    invoke: ComponentExportIndex,
    on_start: Option<ComponentExportIndex>,
    on_stop: Option<ComponentExportIndex>,
}

/// A hook of a component's life with a pack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hook<'a> {
    /// The pack is loaded.
    Start,
    /// The pack is unloaded, for this reason.
    Stop(&'a str),
}

impl Hook<'_> {
    /// The function, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "on-start",
            Self::Stop(_) => "on-stop",
        }
    }
}

impl NamedNode {
    /// The node behind the export `interface`.
    pub(super) fn find(name: &str, interface: &str, plan: NamedCall, pre: &InstancePre<HostCtx>) -> Result<Self> {
        let component = pre.component();
        let lost = || Error::new(Code::Internal, format!("component {name}: the export {interface} cannot be found"));
        let (_, instance) = component.get_export(None, interface).ok_or_else(lost)?;
        let function = |function: &str| component.get_export(Some(&instance), function).map(|(_, index)| index);
        Ok(Self {
            pre: pre.clone(),
            invoke: function(plan.contract.function()).ok_or_else(lost)?,
            on_start: plan.on_start.as_ref().and_then(|_| function("on-start")),
            on_stop: plan.on_stop.as_ref().and_then(|_| function("on-stop")),
            plan,
        })
    }

    /// The arguments of one call.
    pub(super) fn arguments(
        &self,
        known: &Circumstances<'_>,
        op: &str,
        input: &Value,
    ) -> std::result::Result<Vec<Val>, String> {
        let (text, cbor) = match self.plan.contract {
            Contract::Cbor => (String::new(), cbor::encode(input)?),
            _ => (serde_json::to_string(input).map_err(|e| e.to_string())?, Vec::new()),
        };
        let known = Circumstances { op, input: &text, ..*known };
        Ok(self.plan.arguments.iter().map(|plan| fill(plan, &known, &cbor)).collect())
    }

    /// Makes an instance in `store` and calls it.
    pub(super) async fn call(&self, store: &mut Store<HostCtx>, arguments: &[Val]) -> wasmtime::Result<Val> {
        invoke(&self.pre, store, &self.invoke, arguments).await
    }

    /// What an answer means.
    pub(super) fn read(&self, subject: Subject<'_>, answer: Val) -> Result<std::result::Result<Value, Rejection>> {
        let payload = match answer {
            Val::Result(Ok(payload)) => Ok(payload),
            Val::Variant(case, payload) if case == "ok" => Ok(payload),
            Val::Result(Err(error)) | Val::Variant(_, error) => Err(error),
            other => Ok(Some(Box::new(other))),
        };
        let payload = match payload {
            Ok(Some(payload)) => *payload,
            Ok(None) => return Ok(Ok(Value::Null)),
            Err(error) => return Ok(Err(rejection(error.map(|error| *error)))),
        };
        match self.plan.contract {
            Contract::Json => from_text(subject, val::text(payload)),
            Contract::Cbor => {
                let mut fields = val::fields(payload);
                let bytes = val::take(&mut fields, "output-cbor").and_then(val::bytes).unwrap_or_default();
                let ok = !matches!(val::take(&mut fields, "ok"), Some(Val::Bool(false)));
                answer::from_cbor(subject, &bytes, ok)
            }
            Contract::Flow => run_result(subject, val::fields(payload)),
            Contract::Request => outcome(subject, val::fields(payload)),
        }
    }

    /// Calls a hook, if the component has it. The inner error is what the component says of it.
    pub(super) async fn hook(
        &self,
        store: &mut Store<HostCtx>,
        hook: Hook<'_>,
        known: &Circumstances<'_>,
    ) -> wasmtime::Result<std::result::Result<(), String>> {
        let (found, plan, reason) = match hook {
            Hook::Start => (&self.on_start, &self.plan.on_start, None),
            Hook::Stop(reason) => (&self.on_stop, &self.plan.on_stop, Some(Val::String(reason.to_owned()))),
        };
        let (Some(function), Some(plan)) = (found, plan) else { return Ok(Ok(())) };
        let arguments: Vec<Val> = [fill(plan, known, &[])].into_iter().chain(reason).collect();
        Ok(match invoke(&self.pre, store, function, &arguments).await? {
            Val::Result(Err(why)) => Err(why.and_then(|why| val::text(*why)).unwrap_or_else(|| NO_MESSAGE.to_owned())),
            _ => Ok(()),
        })
    }

    /// Whether the component has this hook.
    pub(super) fn has(&self, hook: Hook<'_>) -> bool {
        match hook {
            Hook::Start => self.on_start.is_some(),
            Hook::Stop(_) => self.on_stop.is_some(),
        }
    }
}

/// Makes an instance in `store` and calls a function of it that gives one value.
pub(super) async fn invoke(
    pre: &InstancePre<HostCtx>,
    store: &mut Store<HostCtx>,
    function: &ComponentExportIndex,
    arguments: &[Val],
) -> wasmtime::Result<Val> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, function)
        .ok_or_else(|| wasmtime::Error::msg("an export that was found at load is gone"))?;
    let mut results = [Val::Bool(false)];
    function.call_async(store, arguments, &mut results).await?;
    let [result] = results;
    Ok(result)
}

/// The value that a plan stands for.
fn fill(plan: &Filling, known: &Circumstances<'_>, payload: &[u8]) -> Val {
    maybe(plan, known, payload).unwrap_or_else(|| Val::String(String::new()))
}

/// The same, or none if the host does not know it.
fn maybe(plan: &Filling, known: &Circumstances<'_>, payload: &[u8]) -> Option<Val> {
    Some(match plan {
        Filling::Text(what) => Val::String(known.text(*what)?.to_owned()),
        Filling::Number(what, width) => number(known.number(*what), *width),
        Filling::Bytes(Known::Payload) => Val::List(payload.iter().copied().map(Val::U8).collect()),
        Filling::Bytes(_) | Filling::EmptyList => Val::List(Vec::new()),
        Filling::Maybe(inner) => Val::Option(maybe(inner, known, payload).map(Box::new)),
        Filling::Nothing => Val::Option(None),
        Filling::Case(case) => Val::Enum((*case).to_owned()),
        Filling::Record(fields) => {
            Val::Record(fields.iter().map(|(name, plan)| (name.clone(), fill(plan, known, payload))).collect())
        }
    })
}

fn number(value: u64, width: Width) -> Val {
    match width {
        Width::U32 => Val::U32(u32::try_from(value).unwrap_or(u32::MAX)),
        Width::U64 => Val::U64(value),
        Width::S64 => Val::S64(i64::try_from(value).unwrap_or(i64::MAX)),
    }
}

fn from_text(subject: Subject<'_>, text: Option<String>) -> Result<std::result::Result<Value, Rejection>> {
    let text = text.ok_or_else(|| answer::unreadable(subject, "it is no text"))?;
    answer::from_json_text(subject, text.into_bytes())
}

/// How a flow inside a component ended: with an error, or with an output.
fn run_result(subject: Subject<'_>, mut fields: Vec<(String, Val)>) -> Result<std::result::Result<Value, Rejection>> {
    let mut text = |name| val::take(&mut fields, name).and_then(val::text);
    let (status, error) = (text("status"), text("error"));
    let failed_so = status.as_deref() == Some("error");
    let error = error.filter(|message| !message.is_empty());
    match error.or_else(|| failed_so.then(|| NO_MESSAGE.to_owned())) {
        Some(message) => Ok(Err(Rejection { message, ..failed() })),
        None => from_text(subject, Some(text("output-json").unwrap_or_default())),
    }
}

/// How a request ended. One that is pending has an output as well: it is the flow that waits.
fn outcome(subject: Subject<'_>, mut fields: Vec<(String, Val)>) -> Result<std::result::Result<Value, Rejection>> {
    let failed_so = matches!(val::take(&mut fields, "status"), Some(Val::Enum(status)) if status == "error");
    let code = val::take(&mut fields, "code").and_then(val::text);
    let payload = val::take(&mut fields, "payload-json").and_then(val::text);
    if !failed_so {
        return from_text(subject, payload);
    }
    let payload = answer::from_json(subject, payload.unwrap_or_default().into_bytes())?;
    let message = payload.get("message").and_then(Value::as_str).or(payload.as_str()).unwrap_or(NO_MESSAGE).to_owned();
    Ok(Err(Rejection { code: code.unwrap_or_else(|| FAILED.to_owned()), message, details: Some(payload), ..failed() }))
}

fn failed() -> Rejection {
    Rejection {
        code: FAILED.to_owned(),
        message: NO_MESSAGE.to_owned(),
        retryable: false,
        backoff_ms: None,
        details: None,
    }
}

/// The error that a component answers: a record by the names of its fields, or the name of a case.
fn rejection(error: Option<Val>) -> Rejection {
    let mut fields = match error {
        Some(Val::Enum(case)) => return Rejection { message: case.clone(), code: case, ..failed() },
        Some(Val::Variant(case, payload)) => {
            let message = payload.and_then(|payload| val::text(*payload)).unwrap_or_else(|| case.clone());
            return Rejection { code: case, message, ..failed() };
        }
        other => other.map(val::fields).unwrap_or_default(),
    };
    let code = val::take(&mut fields, "code").and_then(val::text);
    let message = val::take(&mut fields, "message").and_then(val::text);
    Rejection {
        code: code.unwrap_or_else(|| FAILED.to_owned()),
        message: message.unwrap_or_else(|| NO_MESSAGE.to_owned()),
        retryable: matches!(val::take(&mut fields, "retryable"), Some(Val::Bool(true))),
        backoff_ms: val::take(&mut fields, "backoff-ms").and_then(val::number),
        details: val::take(&mut fields, "details").and_then(details),
    }
}

/// Details are JSON text or CBOR.
fn details(value: Val) -> Option<Value> {
    match val::some(value)? {
        Val::String(text) => Some(serde_json::from_str(&text).unwrap_or(Value::String(text))),
        other => cbor::decode(&val::bytes(other)?).ok(),
    }
}
