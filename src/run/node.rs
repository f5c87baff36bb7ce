//! Executing one node that calls a guest: rendering its input, the call with its retries, mapping its result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::abi::Prepared;
use crate::abi::call::{Answer, Call, CallFailure, HostCall, add_config};
use crate::capabilities::scope::Scope;
use crate::capabilities::state_view::{Overlay, StateView};
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Kind, Result};
use crate::flow::model::{ComponentCall, Node, ProviderCall, Retry};
use crate::flow::template::{Mapping, NodeOutput, Vars};
use crate::run::program::Program;
use crate::store::StateReader;
use crate::telemetry::{Metrics, spans};

/// What a guest call may use and see, the same for all attempts.
pub(super) struct Environment<'a> {
    pub(super) program: &'a Program,
    pub(super) scope: Scope,
    pub(super) state: Arc<dyn StateReader>,
    pub(super) writes: Arc<Overlay>,
    pub(super) deadline: Instant,
    pub(super) trace: bool,
    pub(super) metrics: &'a Metrics,
}

/// What a guest call gave, and what to tell observers of each attempt.
pub(super) struct Called {
    pub(super) result: Result<NodeOutput, Error>,
    /// The failure as error maps and routes see it.
    pub(super) failure: Option<Value>,
    /// Whether the component says of its failure that another attempt may help.
    pub(super) retryable: bool,
    pub(super) writes: Overlay,
    pub(super) attempts: Vec<Attempt>,
}

/// One attempt at a node.
pub(super) struct Attempt {
    pub(super) micros: u64,
    pub(super) host_calls: Vec<HostCall>,
    pub(super) error: Option<String>,
}

/// Which side of a component is called.
enum Side<'a> {
    Component(&'a Prepared),
    Provider(&'a Prepared),
}

struct Request<'a> {
    side: Side<'a>,
    op: &'a str,
    input: Value,
}

/// Calls a provider.
pub(super) async fn provider(
    env: Environment<'_>,
    node: &Node,
    call: &ProviderCall,
    vars: &Vars<'_>,
) -> Result<Called> {
    let provider = match env.program.provider(&call.provider) {
        Ok(provider) => provider,
        // Stored, and disabled or broken: flows catch that as they catch its failures.
        Err(error) => return Called::refused(error).map_error(call.err_map.as_ref(), vars, &Value::Null),
    };
    let payload = call.input.render(vars)?;
    let mut input = match &call.in_map {
        Some(map) => map.render(&vars.with_input(&payload).with_result(&payload))?,
        None => payload,
    };
    add_config(&mut input, provider.config.as_ref());
    let request = Request { side: Side::Provider(&provider.component), op: &call.op, input };
    let mut called = attempts(env, node, &request).await;
    if let (Ok(output), Some(map)) = (&mut called.result, &call.out_map) {
        let mapped = map.render(&vars.with_input(&request.input).with_result(&output.payload));
        called.result = mapped.map(done);
        called.failure = called.result.as_ref().err().map(failure_of);
    }
    called.map_error(call.err_map.as_ref(), vars, &request.input)
}

/// Calls a component.
pub(super) async fn component(
    env: Environment<'_>,
    node: &Node,
    call: &ComponentCall,
    vars: &Vars<'_>,
    events: &[&Value],
) -> Result<Called> {
    let component = env.program.component(&call.component)?;
    let mut input = call.input.render(vars)?;
    env.program.cards.fill(&mut input, call.texts, events)?;
    let request = Request { side: Side::Component(component), op: &call.op, input };
    let called = attempts(env, node, &request).await;
    called.map_error(call.err_map.as_ref(), vars, &request.input)
}

pub(super) fn done(payload: Value) -> NodeOutput {
    NodeOutput { ok: true, payload, meta: Value::Null }
}

impl Called {
    /// Of a guest that was not called.
    fn refused(error: Error) -> Self {
        let (failure, writes) = (Some(failure_of(&error)), Overlay::new());
        Self { result: Err(error), failure, retryable: false, writes, attempts: Vec::new() }
    }

    /// Lets an error map make an output of a failure. Without one the failure stays, for the route to catch.
    pub(super) fn map_error(mut self, map: Option<&Mapping>, vars: &Vars<'_>, input: &Value) -> Result<Self> {
        if let (Err(error), Some(map)) = (&self.result, map)
            && !is_fatal(error)
        {
            let error = self.failure.take().unwrap_or_else(|| failure_of(error));
            let payload = map.render(&vars.with_error(&error).with_input(input).with_result(&error))?;
            self.result = Ok(NodeOutput { ok: false, payload, meta: json!({ "error": error }) });
        }
        Ok(self)
    }
}

async fn attempts(env: Environment<'_>, node: &Node, request: &Request<'_>) -> Called {
    let limits = limits_of(node, &env.program.limits);
    let retry = node.retry.unwrap_or(env.program.retry);
    let mut scope = env.scope;
    let mut made = Vec::new();
    loop {
        let attempt = made.len() as u32 + 1;
        scope.attempt = attempt;
        let begun = Instant::now();
        let call = Call {
            scope: scope.clone(),
            op: request.op,
            input: &request.input,
            state: StateView::new(Arc::clone(&env.state), Arc::clone(&env.writes)),
            assets: env.program.assets_dir.clone(),
            services: env.program.services_of(&scope.component),
            limits: &limits,
            deadline: env.deadline,
            trace: env.trace,
        };
        let span = spans::component(&scope.component, scope.provider.as_ref(), request.op, attempt);
        let (side, result) = match request.side {
            Side::Component(component) => {
                ("component", component.invoke_component(call).instrument(span.clone()).await)
            }
            Side::Provider(component) => ("provider", component.invoke_provider(call).instrument(span.clone()).await),
        };
        let failure = result.as_ref().err().map(|failure| failure.error.code());
        if let Some(code) = failure {
            spans::failed(&span, code);
        }
        env.metrics.component_called(&scope.tenant, side, failure, begun.elapsed());
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match result {
            Ok(Answer { output, state, host_calls }) => {
                made.push(Attempt { micros, host_calls, error: None });
                let writes = state.into_writes();
                return Called { result: Ok(done(output)), failure: None, retryable: false, writes, attempts: made };
            }
            Err(failure) => {
                let CallFailure { error, retryable, backoff_ms, value, host_calls } = *failure;
                made.push(Attempt { micros, host_calls, error: Some(error.to_string()) });
                let pause = retryable.then(|| pause(retry, attempt, backoff_ms, &scope.idempotency_key)).flatten();
                match pause {
                    Some(pause) if Instant::now() + pause < env.deadline => tokio::time::sleep(pause).await,
                    _ => {
                        let failure = Some(value);
                        let writes = Overlay::new();
                        return Called { result: Err(error), failure, retryable, writes, attempts: made };
                    }
                }
            }
        }
    }
}

fn limits_of(node: &Node, limits: &Limits) -> Limits {
    let mut limits = limits.clone();
    if let Some(timeout) = node.timeout {
        limits.timeout = limits.timeout.min(timeout);
    }
    limits
}

/// The longest pause between attempts, whatever the policy or the component says.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long to wait before the attempt after `attempt`; none if there is to be none. The delay doubles, with up to a
/// quarter of jitter that is drawn from the idempotency key, so that runs spread and tests repeat.
fn pause(retry: Retry, attempt: u32, asked_ms: Option<u64>, key: &str) -> Option<Duration> {
    if attempt >= retry.max_attempts {
        return None;
    }
    let doubled = retry.base_delay.saturating_mul(1u32 << (attempt - 1).min(10));
    let base = doubled.max(Duration::from_millis(asked_ms.unwrap_or(0))).min(LONGEST_PAUSE);
    let seed = key.bytes().fold(attempt, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    Some(base + base.mul_f64(f64::from(seed % 256) / 1024.0))
}

/// The error for a node whose input or route names what the program lacks.
pub(super) fn in_node(error: Error, flow: &str, node: &str) -> Error {
    if error.location().is_some() {
        return error;
    }
    error.in_file(format!("flow {flow}, node {node}"))
}

/// What a route that catches failures sees of one.
pub(super) fn failed(error: &Error, value: Option<Value>) -> NodeOutput {
    let value = value.unwrap_or_else(|| failure_of(error));
    NodeOutput { ok: false, payload: json!({ "ok": false, "error": value }), meta: Value::Null }
}

/// A failure of the host's own, as error maps and routes see it.
fn failure_of(error: &Error) -> Value {
    json!({ "code": error.code().to_string(), "message": error.message(), "retryable": false })
}

/// Whether a failure of the host's own (not of the guest) must end the run at once.
pub(super) fn is_fatal(error: &Error) -> bool {
    error.code() == Code::DeadlinePassed || matches!(error.code().kind(), Kind::Internal | Kind::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_attempts() {
        let retry = Retry { max_attempts: 3, base_delay: Duration::from_millis(100) };
        let first = pause(retry, 1, None, "k").unwrap();
        let second = pause(retry, 2, None, "k").unwrap();
        assert!((100..=125).contains(&(first.as_millis() as u64)), "{first:?}");
        assert!((200..=250).contains(&(second.as_millis() as u64)), "{second:?}");
        assert_eq!(pause(retry, 3, None, "k"), None);
        assert!(pause(retry, 1, Some(3_600_000), "k").unwrap() <= LONGEST_PAUSE.mul_f64(1.25));
    }
}
