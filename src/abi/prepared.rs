//! A component that is compiled, linked and ready to be called.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::OnceCell;
use wasmtime::component::InstancePre;

use super::answer::{self, failed, rejected};
use super::call::{Answer, Call, CallFailure, HostCall};
use super::circumstances::Circumstances;
use super::component::{Raw, Read, unencodable};
use super::description::Describer;
use super::exports::Exports;
use super::flows::{ExportedFlow, FlowLister};
use super::named::Hook;
use super::{description, provider, val};
use crate::capabilities::grants::Grants;
use crate::capabilities::scope::Scope;
use crate::capabilities::services::Services;
use crate::capabilities::state_view::{Overlay, StateView};
use crate::capabilities::{AssetsDir, HostCtx};
use crate::conform::{Finding, Generation};
use crate::engine::limits::Limits;
use crate::engine::{Compiled, Engine, Guest, Subject, output_too_large, until};
use crate::error::{Code, Error, Kind, Result};
use crate::id::clip;
use crate::mcp::Failure;
use crate::store::{StateReader, StateScope};

/// A prepared component, shared by every tenant and reload that uses the same bytes with the same grants. Each call
/// runs in an instance of its own.
pub struct Prepared {
    engine: Engine,
    pre: InstancePre<HostCtx>,
    exports: Exports,
    needs: Grants,
    /// What works, and probably not as it was meant.
    warnings: Vec<Finding>,
    /// What it says of itself as a provider.
    description: OnceCell<Value>,
    /// What it says of itself as a component.
    own_description: OnceCell<Value>,
    _compiled: Arc<Compiled>,
}

impl Prepared {
    pub(super) fn new(
        engine: Engine,
        exports: Exports,
        needs: Grants,
        pre: InstancePre<HostCtx>,
        compiled: Arc<Compiled>,
    ) -> Self {
        let (description, own_description) = (OnceCell::new(), OnceCell::new());
        let warnings = Vec::new();
        Self { engine, pre, exports, needs, warnings, description, own_description, _compiled: compiled }
    }

    pub(super) fn with_warnings(self, warnings: Vec<Finding>) -> Self {
        Self { warnings, ..self }
    }

    /// What works with its grants, and probably not as it was meant, about the component called `name`.
    pub fn warnings(&self, name: &str) -> impl Iterator<Item = Error> {
        self.warnings.iter().cloned().map(move |finding| finding.about(name))
    }

    /// The grants that what it imports takes.
    pub fn needs(&self) -> Grants {
        self.needs
    }

    /// Whether flow nodes can call it.
    ///
    /// # Errors
    ///
    /// What is missing: the component is empty, of another generation, or exports other types.
    pub fn component_callable(&self) -> Result<()> {
        self.exports.component().map(drop)
    }

    /// The generation that it speaks as a component: how flow nodes call it.
    pub fn component_generation(&self) -> Option<Generation> {
        self.exports.component().ok().map(|component| component.generation)
    }

    /// The operation of a component that has only one and is not told which one a flow calls.
    pub fn only_op(&self) -> Option<&'static str> {
        let component = self.exports.component().ok()?;
        (!component.takes_operation()).then_some("run")
    }

    /// The generation that it speaks as a provider.
    pub fn provider_generation(&self) -> Option<Generation> {
        self.exports.provider_generation()
    }

    /// Whether it can be called as a provider.
    ///
    /// # Errors
    ///
    /// As [`Self::component_callable`].
    pub fn provider_callable(&self) -> Result<()> {
        self.exports.provider().map(drop)
    }

    /// Whether it exports nothing.
    pub fn is_empty(&self) -> bool {
        let component = &self._compiled.component;
        component.component_type().exports(component.engine()).next().is_none()
    }

    /// Whether it imports an interface whose name begins so.
    pub fn imports(&self, beginning: &str) -> bool {
        let component = &self._compiled.component;
        component.component_type().imports(component.engine()).any(|(name, _)| name.starts_with(beginning))
    }

    /// Whether it imports files, and so has use for its pack's assets.
    pub fn reads_files(&self) -> bool {
        self.imports("wasi:filesystem/")
    }

    /// Calls an operation of the component as a flow node.
    ///
    /// # Errors
    ///
    /// The component's own error, or why the host ended the call or could not begin it.
    pub async fn invoke_component(&self, call: Call<'_>) -> Result<Answer, Box<CallFailure>> {
        let refuse = |error| failed(error, Vec::new());
        let component = self.exports.component().map_err(refuse)?;
        let name = call.scope.component.clone();
        let subject = Subject { component: &name, op: call.op };
        let pending = component.pending(&call, subject).await.map_err(refuse)?;
        let limits = call.limits;
        let mut guest = self.enter(call).await.map_err(refuse)?;
        let result = until(guest.deadline(), pending.call(guest.store(), subject.op)).await;
        let answer = checked(&mut guest, subject, result, limits, Raw::bytes);
        conclude(guest, subject, answer.and_then(|raw| raw.read(subject)))
    }

    /// Calls an operation of the component as a provider.
    ///
    /// # Errors
    ///
    /// As [`Self::invoke_component`].
    pub async fn invoke_provider(&self, call: Call<'_>) -> Result<Answer, Box<CallFailure>> {
        let refuse = |error| failed(error, Vec::new());
        let pre = self.exports.provider().map_err(refuse)?;
        let component = call.scope.component.clone();
        let subject = Subject { component: &component, op: call.op };
        let input = serde_json::to_vec(call.input).map_err(|e| refuse(unencodable(subject, &e.to_string())))?;
        let limits = call.limits;
        let mut guest = self.enter(call).await.map_err(refuse)?;
        let request = provider::Request::Invoke(subject.op, &input);
        let result = until(guest.deadline(), pre.call(guest.store(), request)).await;
        let read = checked(&mut guest, subject, result, limits, Vec::len);
        conclude(guest, subject, read.and_then(|bytes| provider_answer(subject, bytes)))
    }

    /// Whether it can be called as a tool.
    ///
    /// # Errors
    ///
    /// [`Code::ToolUnusable`] if it exports no tool.
    pub fn tool_callable(&self) -> Result<()> {
        self.exports.tool().map(drop)
    }

    /// Calls the tool `call.op` of a component that is one. What it writes is kept only if it does not fail.
    pub async fn invoke_tool(&self, call: Call<'_>) -> ToolRun {
        let refused =
            |error| ToolRun { result: Err(Failure::of_host(error)), writes: Overlay::new(), host_calls: Vec::new() };
        let tool = match self.exports.tool() {
            Ok(tool) => tool,
            Err(error) => return refused(error),
        };
        let component = call.scope.component.clone();
        let (subject, arguments) = (Subject { component: &component, op: call.op }, call.input.to_string());
        let limits = call.limits;
        let mut guest = match self.enter(call).await {
            Ok(guest) => guest,
            Err(error) => return refused(error),
        };
        let result = until(guest.deadline(), tool.call(&self.pre, guest.store(), subject.op, arguments)).await;
        let answer = checked(&mut guest, subject, result, limits, val::size);
        let mut ctx = guest.into_data();
        let host_calls = ctx.take_calls();
        let result = match answer {
            Ok(answer) => tool.read(subject.op, answer).map_err(|failure| failure.without(ctx.hidden())),
            Err(error) => {
                let error = ctx.hide_in_error(error);
                ctx.log_last_words(&error);
                Err(Failure::of_host(error))
            }
        };
        let writes = if result.is_ok() { ctx.into_state().into_writes() } else { Overlay::new() };
        ToolRun { result, writes, host_calls }
    }

    /// The tools that the component lists; none if it has no way to.
    ///
    /// # Errors
    ///
    /// Why it could not be asked.
    pub async fn tools(&self, name: &str, limits: &Limits) -> Result<Option<Vec<Value>>> {
        let tool = self.exports.tool()?;
        let subject = Subject { component: name, op: "list-tools" };
        let mut guest = self.enter_alone(Scope::outside(name), limits).await?;
        let result = until(guest.deadline(), tool.list(&self.pre, guest.store())).await;
        checked(&mut guest, subject, result, limits, |(_, size)| *size).map(|(tools, _)| tools)
    }

    /// What the provider says of itself, asked once and remembered.
    ///
    /// # Errors
    ///
    /// Why the provider could not be asked, as for any call.
    pub async fn describe(&self, name: &str, limits: &Limits) -> Result<&Value> {
        self.description.get_or_try_init(|| self.ask(name, provider::Request::Describe, limits)).await
    }

    /// The operations that the provider's description names; none if it names none.
    ///
    /// # Errors
    ///
    /// As [`Self::describe`].
    pub async fn provider_ops(&self, name: &str, limits: &Limits) -> Result<Option<Vec<String>>> {
        Ok(description::provider_ops(self.describe(name, limits).await?))
    }

    /// Has the provider check a configuration.
    ///
    /// # Errors
    ///
    /// [`Code::ProviderConfig`] with what it complains of, or why it could not be asked.
    pub async fn validate_config(&self, name: &str, config: &Value, limits: &Limits) -> Result<()> {
        let config = config.to_string();
        let result = self.ask(name, provider::Request::ValidateConfig(config.as_bytes()), limits).await?;
        match provider::complaints(&result) {
            None => Ok(()),
            Some(why) => {
                Err(Error::new(Code::ProviderConfig, format!("provider {name} rejects its configuration: {why}")))
            }
        }
    }

    /// How the provider says that it is.
    ///
    /// # Errors
    ///
    /// Why it could not be asked.
    pub async fn healthcheck(&self, name: &str, limits: &Limits) -> Result<Value> {
        self.ask(name, provider::Request::Healthcheck, limits).await
    }

    /// The same, asked on behalf of `scope`, with what the provider finds when a flow calls it.
    ///
    /// # Errors
    ///
    /// Why it could not be asked.
    pub async fn healthcheck_for(&self, scope: Scope, limits: &Limits, surroundings: Surroundings) -> Result<Value> {
        let name = scope.component.clone();
        let guest = self.enter_with(scope, limits, surroundings).await?;
        self.ask_in(guest, &name, provider::Request::Healthcheck, limits).await
    }

    /// What the component says of itself: `describe` or `get-manifest`, whichever its generation has. Asked once and
    /// remembered; none if it has neither.
    ///
    /// # Errors
    ///
    /// Why it could not be asked, as for any call.
    pub async fn describe_component(&self, name: &str, limits: &Limits) -> Result<Option<&Value>> {
        let Some(describer) = &self.exports.describer else { return Ok(None) };
        let description = self.own_description.get_or_try_init(async || {
            let subject = Subject { component: name, op: "describe" };
            let mut guest = self.enter_alone(Scope::outside(name), limits).await?;
            let result = until(guest.deadline(), describer.ask(&self.pre, guest.store())).await;
            checked(&mut guest, subject, result, limits, |(_, size)| *size).map(|(description, _)| description)
        });
        description.await.map(Some)
    }

    /// The operations that the component names in its description; none if it names none, or is not told at a call
    /// which operation is meant.
    ///
    /// # Errors
    ///
    /// As [`Self::describe_component`].
    pub async fn component_ops(&self, name: &str, limits: &Limits) -> Result<Option<Vec<String>>> {
        if !self.exports.component()?.takes_operation() {
            return Ok(None);
        }
        if let Some(lister) = self.exports.flows.as_ref().filter(|lister| !lister.gives_json()) {
            let flows = self.list_flows(lister, name, limits).await?;
            return Ok(Some(flows.into_iter().map(|flow| flow.id).collect()));
        }
        Ok(self.describe_component(name, limits).await?.and_then(description::ops))
    }

    /// Whether it has no operations but those of [`Self::component_ops`]. The manifest that components of the 0.4 and 0.5
    /// lines give is the one they were published with, and leaves some out.
    pub fn describes_all_ops(&self) -> bool {
        let runs_flows = self.exports.flows.as_ref().is_some_and(|lister| !lister.gives_json());
        runs_flows || self.exports.describer.as_ref().is_some_and(Describer::is_complete)
    }

    /// The flows that the component holds, if it is a pack in itself; empty if it is none.
    ///
    /// # Errors
    ///
    /// Why it could not be asked, as for any call.
    pub async fn exported_flows(&self, name: &str, limits: &Limits) -> Result<Vec<ExportedFlow>> {
        let Some(lister) = &self.exports.flows else { return Ok(Vec::new()) };
        let end = Instant::now() + limits.timeout;
        let mut flows = self.list_flows(lister, name, limits).await?;
        for flow in &mut flows {
            let subject = Subject { component: name, op: "get-flow-json" };
            // All of them together have the time of one call.
            let left = Limits { timeout: end.saturating_duration_since(Instant::now()), ..limits.clone() };
            let mut guest = self.enter_alone(Scope::outside(name), &left).await?;
            let result = until(guest.deadline(), lister.get(&self.pre, guest.store(), &flow.id)).await;
            flow.json = checked(&mut guest, subject, result, limits, |json| json.as_ref().map_or(0, String::len))?;
        }
        Ok(flows)
    }

    async fn list_flows(&self, lister: &FlowLister, name: &str, limits: &Limits) -> Result<Vec<ExportedFlow>> {
        let subject = Subject { component: name, op: "list-flows" };
        let mut guest = self.enter_alone(Scope::outside(name), limits).await?;
        let result = until(guest.deadline(), lister.ask(&self.pre, guest.store())).await;
        checked(&mut guest, subject, result, limits, |(_, size)| *size).map(|(flows, _)| flows)
    }

    /// Tells the component that a pack with it, and with these assets, is loaded for the tenant of `scope`. Nothing happens
    /// if it has no such hook. State belongs to sessions, of which there is none here: the hook finds nothing, and what it
    /// writes is dropped.
    ///
    /// # Errors
    ///
    /// [`Code::ComponentStart`] if it cannot start, or that the host is too busy to ask it.
    pub async fn on_start(&self, scope: Scope, limits: &Limits, surroundings: Surroundings) -> Result<()> {
        let name = scope.component.clone();
        match self.hook(Hook::Start, scope, limits, surroundings).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => {
                let why = clip(&why);
                Err(Error::new(Code::ComponentStart, format!("component {name} says that it cannot start: {why}")))
            }
            Err(busy) if busy.code().kind() == Kind::Unavailable => Err(busy),
            Err(cause) => {
                let error = Error::new(Code::ComponentStart, format!("component {name} failed as it was started"));
                Err(error.with_details(vec![cause]))
            }
        }
    }

    /// Tells the component that the pack of `scope` is unloaded, for `reason`. Nothing happens if it has no such hook.
    ///
    /// # Errors
    ///
    /// What the component says, or why it could not be told. Nothing depends on it.
    pub async fn on_stop(&self, scope: Scope, reason: &str, limits: &Limits, surroundings: Surroundings) -> Result<()> {
        let name = scope.component.clone();
        self.hook(Hook::Stop(reason), scope, limits, surroundings).await?.map_err(|why| {
            Error::new(Code::ComponentFailed, format!("component {name} failed as it was stopped: {}", clip(&why)))
        })
    }

    async fn hook(
        &self,
        hook: Hook<'_>,
        scope: Scope,
        limits: &Limits,
        surroundings: Surroundings,
    ) -> Result<std::result::Result<(), String>> {
        let component = self.exports.component().ok().and_then(|component| component.named());
        let Some(node) = component.filter(|node| node.has(hook)) else { return Ok(Ok(())) };
        let name = scope.component.clone();
        let subject = Subject { component: &name, op: hook.name() };
        let mut guest = self.enter_with(scope.clone(), limits, surroundings).await?;
        let known = Circumstances::new(&scope, guest.deadline());
        let result = until(guest.deadline(), node.hook(guest.store(), hook, &known)).await;
        let said = result.map_err(|e| guest.failure(subject, &e));
        let ctx = guest.into_data();
        said.map(|said| said.map_err(|why| ctx.hide(&why))).map_err(|error| ctx.hide_in_error(error))
    }

    /// Makes an instance and drops it, to learn at load whether that works.
    pub(super) async fn smoke_test(&self, name: &str, limits: &Limits) -> Result<()> {
        let mut guest = self.enter_alone(Scope::outside(name), limits).await?;
        let result = until(guest.deadline(), self.pre.instantiate_async(guest.store())).await;
        result.map(drop).map_err(|e| guest.failure(Subject { component: name, op: "instantiate" }, &e))
    }

    async fn ask(&self, name: &str, request: provider::Request<'_>, limits: &Limits) -> Result<Value> {
        self.exports.provider()?;
        let guest = self.enter_alone(Scope::outside(name), limits).await?;
        self.ask_in(guest, name, request, limits).await
    }

    async fn ask_in(
        &self,
        mut guest: Guest<HostCtx>,
        name: &str,
        request: provider::Request<'_>,
        limits: &Limits,
    ) -> Result<Value> {
        let pre = self.exports.provider()?;
        let subject = Subject { component: name, op: request.op() };
        let result = until(guest.deadline(), pre.call(guest.store(), request)).await;
        let bytes = checked(&mut guest, subject, result, limits, Vec::len);
        // What is asked so is for people to read.
        let ctx = guest.into_data();
        let said = bytes.and_then(|bytes| answer::from_json(subject, bytes));
        said.map(|said| ctx.hide_in(said)).map_err(|error| ctx.hide_in_error(error))
    }

    async fn enter(&self, call: Call<'_>) -> Result<Guest<HostCtx>> {
        let ctx = HostCtx::new(call.scope, call.state, call.services, call.limits, call.deadline, call.trace);
        self.engine.guest(ctx.with_assets(call.assets), call.limits, call.deadline).await
    }

    /// A guest outside of any session: no state, nothing kept.
    async fn enter_alone(&self, scope: Scope, limits: &Limits) -> Result<Guest<HostCtx>> {
        self.enter_with(scope, limits, Surroundings::default()).await
    }

    async fn enter_with(&self, scope: Scope, limits: &Limits, surroundings: Surroundings) -> Result<Guest<HostCtx>> {
        let deadline = Instant::now() + limits.timeout;
        let state = StateView::new(Arc::new(NoState), Arc::default());
        let ctx = HostCtx::new(scope, state, surroundings.services, limits, deadline, false);
        self.engine.guest(ctx.with_assets(surroundings.assets), limits, deadline).await
    }
}

/// What became of a tool's call.
#[derive(Debug)]
pub struct ToolRun {
    /// Its result, or why there is none.
    pub result: Result<Value, Failure>,
    /// What it wrote to the state.
    pub writes: Overlay,
    /// The host calls that it made, if they were recorded.
    pub host_calls: Vec<HostCall>,
}

/// What a guest outside of any session finds. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The files of the pack that it may read.
    pub assets: Option<Arc<AssetsDir>>,
    /// What it may ask.
    pub services: Services,
}

/// The result of a call, if it went well and is not too large.
fn checked<R>(
    guest: &mut Guest<HostCtx>,
    subject: Subject<'_>,
    result: wasmtime::Result<R>,
    limits: &Limits,
    size: impl FnOnce(&R) -> usize,
) -> Result<R> {
    let result = result.map_err(|e| guest.failure(subject, &e))?;
    match size(&result) <= limits.output_bytes {
        true => Ok(result),
        false => Err(output_too_large(subject, limits.output_bytes)),
    }
}

/// Ends a guest: its writes are kept only if its call went well.
fn conclude(guest: Guest<HostCtx>, subject: Subject<'_>, read: Result<Read>) -> Result<Answer, Box<CallFailure>> {
    let mut ctx = guest.into_data();
    let host_calls = ctx.take_calls();
    let read = read.and_then(|Read { outcome, state }| {
        if let (Ok(_), Some(state)) = (&outcome, state) {
            ctx.keep_component_state(state.into())?;
        }
        Ok(outcome)
    });
    match read {
        Ok(Ok(output)) => Ok(Answer { output, state: ctx.into_state(), host_calls }),
        Ok(Err(rejection)) => Err(rejected(subject, rejection.hidden(&ctx), host_calls)),
        Err(error) => {
            let error = ctx.hide_in_error(error);
            ctx.log_last_words(&error);
            Err(failed(error, host_calls))
        }
    }
}

fn provider_answer(subject: Subject<'_>, bytes: Vec<u8>) -> Result<Read> {
    Ok(Read { outcome: answer::from_json_text(subject, bytes)?, state: None })
}

struct NoState;

#[async_trait]
impl StateReader for NoState {
    async fn state_get(&self, _scope: &StateScope, _key: &str) -> Result<Option<Bytes>> {
        Ok(None)
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("compiled", &self._compiled).finish_non_exhaustive()
    }
}
