//! Every span of the host: its name, its kind and its attributes. `docs/telemetry.md` has the same table.
//!
//! All have one target, at the level `info`, so that nothing of them is made while nobody collects them: the log of the
//! process does not ask for it. Attributes never hold what users, guests or platforms send.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Metadata, Span, info_span};

use crate::error::Code;
use crate::id::Id;

/// The `tracing` target of spans.
const TARGET: &str = "greentic::span";

/// Whether something is a span of the host's, which is for whoever collects spans and not for the log.
pub(crate) fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// A request that came in.
pub(crate) fn request(method: &'static str, route: &str) -> Span {
    info_span!(
        target: TARGET, "request", otel.name = %format_args!("{method} {route}"), otel.kind = "server",
        "http.request.method" = method, "http.route" = route, "http.response.status_code" = Empty,
        otel.status_code = Empty, "error.type" = Empty
    )
}

/// Working on an event.
pub(crate) fn event(
    tenant: &Id,
    pack: &Id,
    provider: Option<&Id>,
    event: u64,
    attempt: u32,
    correlation: &str,
) -> Span {
    info_span!(
        target: TARGET, "event", otel.kind = "consumer", "greentic.tenant" = &**tenant, "greentic.pack" = &**pack,
        "greentic.provider" = provider.map(|id| &**id), "greentic.event" = number(event),
        "greentic.attempt" = i64::from(attempt),
        "greentic.correlation" = correlation, "greentic.outcome" = Empty, otel.status_code = Empty,
        "error.type" = Empty
    )
}

/// Working on a run for one event.
pub(crate) fn flow(flow: &Id, kind: &'static str, run: uuid::Uuid, resumed: bool) -> Span {
    info_span!(
        target: TARGET, "flow", otel.name = %format_args!("flow {flow}"), "greentic.flow" = &**flow,
        "greentic.flow.type" = kind, "greentic.run" = %run, "greentic.resumed" = resumed,
        otel.status_code = Empty, "error.type" = Empty
    )
}

/// Executing a node.
pub(crate) fn node(flow: &Id, node: &Id, kind: &'static str) -> Span {
    info_span!(
        target: TARGET, "node", otel.name = %format_args!("node {node}"), "greentic.flow" = &**flow,
        "greentic.node" = &**node, "greentic.node.type" = kind, otel.status_code = Empty, "error.type" = Empty
    )
}

/// Calling a component, once.
pub(crate) fn component(component: &Id, provider: Option<&Id>, op: &str, attempt: u32) -> Span {
    info_span!(
        target: TARGET, "component", otel.name = %format_args!("call {component} {op}"),
        "greentic.component" = &**component, "greentic.provider" = provider.map(|id| &**id),
        "greentic.operation" = op, "greentic.attempt" = i64::from(attempt), otel.status_code = Empty,
        "error.type" = Empty
    )
}

/// One attempt at a tool in WebAssembly. Which one it is told by [`of_component`] and [`of_tool`] once that is known, for
/// anybody can ask for others.
#[cfg(feature = "mcp")]
pub(crate) fn component_tool(attempt: u32) -> Span {
    info_span!(
        target: TARGET, "component", otel.name = "call", "greentic.component" = Empty, "greentic.operation" = Empty,
        "greentic.attempt" = i64::from(attempt), otel.status_code = Empty, "error.type" = Empty
    )
}

/// One attempt at a tool of an MCP server by `method`, over the transport of this name. Which tool is told by [`of_server`]
/// once it is known.
#[cfg(feature = "mcp")]
pub(crate) fn server_tool(server: &str, method: &'static str, transport: &'static str, attempt: u32) -> Span {
    info_span!(
        target: TARGET, "mcp", otel.name = method, otel.kind = "client", "mcp.method.name" = method,
        "gen_ai.tool.name" = Empty, "greentic.server" = server, "network.transport" = transport,
        "greentic.attempt" = i64::from(attempt), otel.status_code = Empty, "error.type" = Empty
    )
}

/// Notes which component a tool is.
#[cfg(feature = "mcp")]
pub(crate) fn of_component(span: &Span, component: &str) {
    name(span, "greentic.component", component, "call", component);
}

/// Notes which tool of a component was called.
#[cfg(feature = "mcp")]
pub(crate) fn of_tool(span: &Span, component: &str, tool: &str) {
    name(span, "greentic.operation", tool, "call", &format!("{component} {tool}"));
}

/// Notes which tool of a server was called.
#[cfg(feature = "mcp")]
pub(crate) fn of_server(span: &Span, method: &'static str, tool: &str) {
    name(span, "gen_ai.tool.name", tool, method, tool);
}

/// Bytes of a tool's name.
#[cfg(feature = "mcp")]
const MAX_NAME: usize = 128;

/// Notes a name that others gave under `key`, and in the name of the span, if it is one of a usual form.
#[cfg(feature = "mcp")]
fn name(span: &Span, key: &'static str, name: &str, before: &str, what: &str) {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    if span.is_disabled() || name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(usual) {
        return;
    }
    span.record(key, name);
    super::rename(span, format!("{before} {what}"));
}

/// Answering a component.
pub(crate) fn host_call(interface: &'static str, function: &'static str) -> Span {
    info_span!(
        target: TARGET, "host_call", otel.name = %format_args!("{interface} {function}"),
        "greentic.interface" = interface, "greentic.function" = function, "greentic.ok" = Empty
    )
}

/// A request that goes out. Its address is told as far as scheme, host and port.
pub(crate) fn outgoing(method: &str, host: &str, port: Option<u16>) -> Span {
    info_span!(
        target: TARGET, "outgoing", otel.name = method, otel.kind = "client", "http.request.method" = method,
        "server.address" = host, "server.port" = port.map(i64::from), "http.response.status_code" = Empty,
        otel.status_code = Empty, "error.type" = Empty
    )
}

/// Sending one request of a reply to a platform.
pub(crate) fn delivery(tenant: &str, provider: &'static str, what: &str) -> Span {
    info_span!(
        target: TARGET, "delivery", otel.name = %format_args!("send {provider}"), otel.kind = "client",
        "greentic.tenant" = tenant, "greentic.provider" = provider, "greentic.operation" = what,
        "http.response.status_code" = Empty, otel.status_code = Empty, "error.type" = Empty
    )
}

/// Notes on `span` that what it stands for failed, and with which code.
pub(crate) fn failed(span: &Span, code: Code) {
    if !span.is_disabled() {
        failed_as(span, &code.to_string());
    }
}

/// Notes on the span of a host call whether it was answered with success; a key without a value is none, for one.
pub(crate) fn ended(span: &Span, ok: bool) {
    span.record("greentic.ok", ok);
}

/// The same as [`failed`], with a word of a closed set.
pub(crate) fn failed_as(span: &Span, word: &str) {
    span.record("otel.status_code", "ERROR").record("error.type", word);
}

/// Notes on `span` the status of an HTTP answer.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
}

/// A number that only grows, as attributes hold it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A method's name, where it is a usual one: anybody can send others.
pub(crate) fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "PUT" => "PUT",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

/// A route as metrics name it.
pub(crate) fn route_name(route: Option<&str>) -> Arc<str> {
    route.map_or_else(|| Arc::from(""), Arc::from)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
    use tracing_subscriber::prelude::*;

    use super::*;

    fn all_disabled() -> bool {
        let id = || Id::from("x");
        let spans = [
            request("GET", "/"),
            event(&id(), &id(), None, 1, 1, "c"),
            flow(&id(), "job", uuid::Uuid::nil(), false),
            node(&id(), &id(), "emit"),
            component(&id(), None, "op", 1),
            #[cfg(feature = "mcp")]
            component_tool(1),
            #[cfg(feature = "mcp")]
            server_tool("s", "tools/call", "tcp", 1),
            host_call("i", "f"),
            outgoing("GET", "h", None),
            delivery("t", "slack", "w"),
        ];
        spans.iter().all(Span::is_disabled)
    }

    #[test]
    fn nothing_is_made_while_nobody_collects_spans() {
        assert!(all_disabled(), "without a subscriber");
        for filter in ["warn", "greentic_runner_host=debug", "trace"] {
            // As the program logs to its standard error.
            let not_spans = filter_fn(|metadata| !is_span(metadata)).with_max_level_hint(LevelFilter::TRACE);
            let filter = EnvFilter::new(filter).and(not_spans);
            let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(filter);
            let _logging = tracing_subscriber::registry().with(log).set_default();
            assert!(all_disabled());
        }
    }
}
