//! What went wrong between the host and a server, in words that hold no address and no header.

use std::error::Error as StdError;

use rmcp::ServiceError;
use rmcp::model::ErrorCode;
use rmcp::service::ClientInitializeError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use super::failure::{Failure, FailureKind};
use crate::id::clip;

/// Statuses of HTTP by which a server says that it did nothing.
const NOT_NOW: [u16; 2] = [429, 503];

/// Why a server could not be greeted. No tool saw anything then.
pub(super) fn of_greeting(name: &str, error: &ClientInitializeError) -> Failure {
    let why = match error {
        ClientInitializeError::TransportError { error, .. } => transport(error.error.as_ref()).0,
        ClientInitializeError::JsonRpcError(error) => {
            let about = format!("MCP server {name}: it refused the greeting");
            return Failure::quoting(FailureKind::Unavailable, about, &error.message).untaken();
        }
        ClientInitializeError::ConnectionClosed(_) => "it ended before it greeted".to_owned(),
        _ => "it does not speak the protocol".to_owned(),
    };
    Failure::new(FailureKind::Unavailable, format!("MCP server {name}: {why}")).untaken()
}

/// Why the tool `tool` of a server gave no result.
pub(super) fn of_call(name: &str, tool: &str, error: &ServiceError) -> Failure {
    let failed = |kind, why: &str| Failure::new(kind, format!("MCP server {name}, tool {}: {why}", clip(tool)));
    match error {
        ServiceError::McpError(error) => {
            let kind = match error.code {
                ErrorCode::INVALID_PARAMS => FailureKind::Arguments,
                ErrorCode::METHOD_NOT_FOUND => FailureKind::NotFound,
                _ => FailureKind::Tool,
            };
            let about = format!("MCP server {name}, tool {}: error {}", clip(tool), error.code.0);
            let failure = Failure::quoting(kind, about, &error.message);
            match &error.data {
                Some(data) => failure.with_details(data.clone()),
                None => failure,
            }
        }
        ServiceError::TransportSend(error) => {
            let (why, untaken, kind) = match transport(error.error.as_ref()) {
                (why, Sent::No) => (why, true, FailureKind::Unavailable),
                (why, Sent::TooMuch) => (why, false, FailureKind::Answer),
                (why, Sent::Perhaps) => (why, false, FailureKind::Unavailable),
            };
            let failure = failed(kind, &why);
            if untaken { failure.untaken() } else { failure }
        }
        ServiceError::TransportClosed => failed(FailureKind::Unavailable, "the connection ended before the answer"),
        ServiceError::UnexpectedResponse => failed(FailureKind::Answer, "its answer is no result of a tool"),
        _ => failed(FailureKind::Unavailable, "the call was broken off"),
    }
}

/// Whether a request reached its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    No,
    Perhaps,
    /// It did, and was answered with more than is taken.
    TooMuch,
}

fn transport(error: &(dyn StdError + 'static)) -> (String, Sent) {
    let http = chain(error).into_iter().find_map(|error| error.downcast_ref::<StreamableHttpError<reqwest::Error>>());
    match http {
        Some(StreamableHttpError::HttpStatus(found)) => {
            let sent = if NOT_NOW.contains(&found.status) { Sent::No } else { Sent::Perhaps };
            (format!("it answered with status {}", found.status), sent)
        }
        Some(StreamableHttpError::ResponseBodyTooLarge { max_size }) => {
            (format!("it answered with more than {max_size} bytes"), Sent::TooMuch)
        }
        Some(StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_)) => {
            ("it wants other credentials; see its headers in mcp.servers".to_owned(), Sent::No)
        }
        Some(StreamableHttpError::Deserialize(_) | StreamableHttpError::UnexpectedContentType(_)) => {
            ("its answer is none of the protocol's".to_owned(), Sent::Perhaps)
        }
        Some(StreamableHttpError::Client(error)) => request(error),
        _ => ("the connection broke".to_owned(), Sent::Perhaps),
    }
}

/// What went wrong with a request. Its own words would hold the address.
fn request(error: &reqwest::Error) -> (String, Sent) {
    match error.status() {
        _ if error.is_connect() => ("it cannot be connected to".to_owned(), Sent::No),
        Some(status) => (format!("it answered with status {}", status.as_u16()), Sent::Perhaps),
        None => ("the request broke off".to_owned(), Sent::Perhaps),
    }
}

/// An error and what caused it.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> Vec<&'e (dyn StdError + 'static)> {
    let (mut chain, mut at) = (vec![error], error);
    while let Some(cause) = at.source() {
        chain.push(cause);
        at = cause;
    }
    chain
}
