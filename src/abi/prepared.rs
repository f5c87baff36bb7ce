//! A component that is compiled, linked and ready to be called.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::OnceCell;
use wasmtime::component::InstancePre;

use super::answer::{self, Rejection, failed, rejected};
use super::call::{Answer, Call, CallFailure};
use super::exports::Exports;
use super::{cbor, node, provider};
use crate::capabilities::HostCtx;
use crate::capabilities::scope::Scope;
use crate::capabilities::state_view::StateView;
use crate::engine::limits::Limits;
use crate::engine::{Compiled, Engine, Guest, Subject, output_too_large, until};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::store::{Lane, StateReader, StateScope};

/// A prepared component, shared by every tenant and reload that uses the same bytes with the same grants. Each call
/// runs in an instance of its own.
pub struct Prepared {
    engine: Engine,
    pre: InstancePre<HostCtx>,
    exports: Exports,
    description: OnceCell<Value>,
    ops: OnceCell<Vec<String>>,
    _compiled: Arc<Compiled>,
}

impl Prepared {
    pub(super) fn new(engine: Engine, exports: Exports, pre: InstancePre<HostCtx>, compiled: Arc<Compiled>) -> Self {
        Self { engine, pre, exports, description: OnceCell::new(), ops: OnceCell::new(), _compiled: compiled }
    }

    /// Whether flow nodes can call it.
    ///
    /// # Errors
    ///
    /// What is missing: the component is empty, of another generation, or exports other types.
    pub fn component_callable(&self) -> Result<()> {
        self.exports.node().map(drop)
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

    /// Whether it imports files, and so has use for its pack's assets.
    pub fn reads_files(&self) -> bool {
        let component = &self._compiled.component;
        component.component_type().imports(component.engine()).any(|(name, _)| name.starts_with("wasi:filesystem/"))
    }

    /// Calls an operation of the component as a flow node.
    ///
    /// # Errors
    ///
    /// The component's own error, or why the host ended the call or could not begin it.
    pub async fn invoke_component(&self, call: Call<'_>) -> Result<Answer, Box<CallFailure>> {
        let refuse = |error| failed(error, Vec::new());
        let pre = self.exports.node().map_err(refuse)?;
        let component = call.scope.component.clone();
        let subject = Subject { component: &component, op: call.op };
        let payload = cbor::encode(call.input).map_err(|why| refuse(unencodable(subject, &why)))?;
        let envelope = node::envelope(&call.scope, call.deadline, payload);
        let limits = call.limits;
        let mut guest = self.enter(call).await.map_err(refuse)?;
        let result = until(guest.deadline(), node::call(pre, guest.store(), subject.op, &envelope)).await;
        let read = checked(&mut guest, subject, result, limits, node::answer_bytes);
        conclude(guest, subject, read.and_then(|answer| node::read(subject, answer)))
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
        Ok(provider::ops(self.describe(name, limits).await?))
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

    /// The operations that the component names, asked once and remembered.
    ///
    /// # Errors
    ///
    /// Why it could not be asked.
    pub async fn component_ops(&self, name: &str, limits: &Limits) -> Result<&[String]> {
        let ops = self.ops.get_or_try_init(async || {
            let pre = self.exports.node()?;
            let subject = Subject { component: name, op: "describe" };
            let mut guest = self.enter_alone(name, limits).await?;
            let result = until(guest.deadline(), node::ops(pre, guest.store())).await;
            checked(&mut guest, subject, result, limits, |ops| ops.iter().map(String::len).sum())
        });
        Ok(ops.await?)
    }

    /// Makes an instance and drops it, to learn at load whether that works.
    pub(super) async fn smoke_test(&self, name: &str, limits: &Limits) -> Result<()> {
        let mut guest = self.enter_alone(name, limits).await?;
        let result = until(guest.deadline(), self.pre.instantiate_async(guest.store())).await;
        result.map(drop).map_err(|e| guest.failure(Subject { component: name, op: "instantiate" }, &e))
    }

    async fn ask(&self, name: &str, request: provider::Request<'_>, limits: &Limits) -> Result<Value> {
        let pre = self.exports.provider()?;
        let subject = Subject { component: name, op: request.op() };
        let mut guest = self.enter_alone(name, limits).await?;
        let result = until(guest.deadline(), pre.call(guest.store(), request)).await;
        let bytes = checked(&mut guest, subject, result, limits, Vec::len)?;
        answer::from_json(subject, bytes)
    }

    async fn enter(&self, call: Call<'_>) -> Result<Guest<HostCtx>> {
        let ctx = HostCtx::new(call.scope, call.state, call.limits, call.deadline, call.trace).with_assets(call.assets);
        self.engine.guest(ctx, call.limits, call.deadline).await
    }

    /// A guest on nobody's behalf: no tenant, no state, nothing kept.
    async fn enter_alone(&self, name: &str, limits: &Limits) -> Result<Guest<HostCtx>> {
        let deadline = Instant::now() + limits.timeout;
        let state = StateView::new(Arc::new(NoState), Arc::default());
        let ctx = HostCtx::new(nobody(name), state, limits, deadline, false);
        self.engine.guest(ctx, limits, deadline).await
    }
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
fn conclude(
    guest: Guest<HostCtx>,
    subject: Subject<'_>,
    read: Result<Result<Value, Rejection>>,
) -> Result<Answer, Box<CallFailure>> {
    let mut ctx = guest.into_data();
    let host_calls = ctx.take_calls();
    match read {
        Ok(Ok(output)) => Ok(Answer { output, state: ctx.into_state(), host_calls }),
        Ok(Err(rejection)) => Err(rejected(subject, rejection, host_calls)),
        Err(error) => {
            ctx.log_last_words(&error);
            Err(failed(error, host_calls))
        }
    }
}

fn provider_answer(subject: Subject<'_>, bytes: Vec<u8>) -> Result<Result<Value, Rejection>> {
    let output = answer::from_json(subject, bytes)?;
    Ok(match Rejection::in_result(&output) {
        Some(rejection) => Err(rejection),
        None => Ok(output),
    })
}

fn unencodable(subject: Subject<'_>, why: &str) -> Error {
    Error::new(Code::Internal, format!("{subject}: the payload cannot be encoded: {why}"))
}

struct NoState;

#[async_trait]
impl StateReader for NoState {
    async fn state_get(&self, _scope: &StateScope, _key: &str) -> Result<Option<Bytes>> {
        Ok(None)
    }
}

fn nobody(component: &str) -> Scope {
    let none = || Id::from("");
    Scope {
        tenant: none(),
        env: none(),
        pack: none(),
        component: Id::from(component),
        provider: None,
        flow: none(),
        node: none(),
        lane: Lane(none()),
        session: none(),
        user: None,
        attempt: 1,
        idempotency_key: String::new(),
        correlation_id: String::new(),
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("compiled", &self._compiled).finish_non_exhaustive()
    }
}
