//! Executing a node that calls a tool.

use serde_json::Value;

use crate::capabilities::state_view::{Overlay, StateView};
use crate::capabilities::tools::{ToolAnswer, ToolAttempt, ToolCall};
use crate::error::{Code, Error, Result};
use crate::flow::model::{self, Node};
use crate::flow::template::Vars;
use crate::mcp::settings::Retry;
use crate::mcp::{Failure, FailureKind};
use crate::run::node::{Attempt, Called, Environment, done};

/// Calls a tool.
pub(super) async fn call(env: Environment<'_>, node: &Node, call: &model::ToolCall, vars: &Vars<'_>) -> Result<Called> {
    let args = call.args.render(vars)?;
    let answer = match call.action.render(vars)? {
        Value::String(action) => asked(env, node, &call.tool, &action, args.clone()).await,
        _ => refused(&env, Failure::new(FailureKind::NotFound, "the name of the tool is no text")),
    };
    called(answer).map_error(call.err_map.as_ref(), vars, &args)
}

async fn asked(env: Environment<'_>, node: &Node, tool: &str, action: &str, args: Value) -> ToolAnswer {
    let Some(tools) = env.program.services.mcp.clone() else {
        let error = Error::new(Code::ToolsDenied, "the tenant's bindings have no `mcp` block");
        return refused(&env, Failure::of_host(error));
    };
    let retry = node.retry.map(|retry| Retry { max_attempts: retry.max_attempts, base_delay: retry.base_delay });
    let call = ToolCall {
        tool,
        action,
        args,
        scope: env.scope,
        state: StateView::new(env.state, env.writes),
        deadline: env.deadline,
        timeout: node.timeout,
        retry,
        trace: env.trace,
    };
    tools.call(call).await
}

/// A call that is refused before anybody is asked.
fn refused(env: &Environment<'_>, failure: Failure) -> ToolAnswer {
    env.metrics.tool_refused(&env.scope.tenant, failure.error().code());
    ToolAnswer::refused(failure)
}

fn called(answer: ToolAnswer) -> Called {
    let ToolAnswer { result, writes, attempts } = answer;
    let attempt = |attempt: ToolAttempt| {
        let ToolAttempt { micros, host_calls, error } = attempt;
        Attempt { micros, host_calls, error: error.map(|error| error.to_string()) }
    };
    let attempts = attempts.into_iter().map(attempt).collect();
    match result {
        Ok(output) => Called { result: Ok(done(output)), failure: None, retryable: false, writes, attempts },
        Err(failure) => {
            let (value, retryable) = (Some(failure.to_value()), failure.is_untaken());
            let writes = Overlay::new();
            Called { result: Err(failure.into()), failure: value, retryable, writes, attempts }
        }
    }
}
