//! Telling servers which trace a request belongs to: in its `_meta`, as the protocol has it on every transport, and over
//! HTTP in its headers too, for what stands between.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, RequestParamsMeta};
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use serde_json::Value;

use crate::telemetry::{TRACEPARENT, TRACESTATE, TraceContext};

/// Says in `params` in which span this task asks.
pub(super) fn told<P: RequestParamsMeta>(mut params: P) -> P {
    if let Some(context) = TraceContext::current() {
        let meta = params.meta_or_default();
        for (name, value) in context.parts() {
            meta.insert(name.to_owned(), Value::from(value));
        }
    }
    params
}

/// An HTTP client that says in the headers of a request what its `_meta` says.
#[derive(Clone, Debug)]
pub(super) struct Traced(pub(super) reqwest::Client);

type Headers = HashMap<HeaderName, HeaderValue>;
type Answer<T> = Result<T, StreamableHttpError<reqwest::Error>>;

/// The headers of the request that carries `message`. What the operator states stays.
fn traced(message: &ClientJsonRpcMessage, mut headers: Headers) -> Headers {
    let JsonRpcMessage::Request(request) = message else { return headers };
    let meta = match &request.request {
        ClientRequest::CallToolRequest(call) => call.params.meta.as_ref(),
        ClientRequest::ListToolsRequest(list) => list.params.as_ref().and_then(|params| params.meta.as_ref()),
        _ => None,
    };
    // Names hash otherwise than their texts do.
    let is_stated = headers.contains_key(&HeaderName::from_static(TRACEPARENT));
    let Some(meta) = meta.filter(|_| !is_stated) else { return headers };
    for name in [TRACEPARENT, TRACESTATE] {
        if let Some(value) = meta.get(name).and_then(Value::as_str).and_then(|value| value.parse().ok()) {
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
    }
    headers
}

impl StreamableHttpClient for Traced {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> Answer<StreamableHttpPostResponse> {
        let headers = traced(&message, headers);
        self.0.post_message(uri, message, session, auth, headers).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Answer<StreamableHttpPostResponse> {
        let headers = traced(&message, headers);
        self.0.post_message_with_response_limits(uri, message, session, auth, headers, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        auth: Option<String>,
        headers: Headers,
    ) -> Answer<()> {
        self.0.delete_session(uri, session, auth, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> Answer<BoxedSseResponse> {
        self.0.get_stream(uri, session, last_event, auth, headers).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
        max: usize,
    ) -> Answer<BoxedSseResponse> {
        self.0.get_stream_with_max_sse_event_size(uri, session, last_event, auth, headers, max).await
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolRequest, CallToolRequestParams, NumberOrString, PingRequest};

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn call(meta: &[(&str, &str)]) -> ClientJsonRpcMessage {
        let mut params = CallToolRequestParams::new("x");
        for (name, value) in meta {
            params.meta_or_default().insert((*name).to_owned(), Value::from(*value));
        }
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        JsonRpcMessage::request(request, NumberOrString::Number(1))
    }

    fn shown(headers: &Headers) -> Vec<(&str, &str)> {
        let mut shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        shown.sort_unstable();
        shown
    }

    #[test]
    fn headers_say_what_a_request_says_and_nothing_of_their_own() {
        let none = Headers::new;
        let both = [("traceparent", PARENT), ("tracestate", "a=1")];
        assert_eq!(shown(&traced(&call(&both), none())), both);
        assert_eq!(shown(&traced(&call(&both[..1]), none())), both[..1]);
        assert_eq!(shown(&traced(&call(&[]), none())), []);
        assert_eq!(shown(&traced(&call(&[("traceparent", "line\nbreak"), ("progressToken", "1")]), none())), []);
        let ping = ClientRequest::PingRequest(PingRequest::default());
        assert_eq!(shown(&traced(&JsonRpcMessage::request(ping, NumberOrString::Number(1)), none())), []);
        let stated: Headers = [(HeaderName::from_static("traceparent"), HeaderValue::from_static("own"))].into();
        assert_eq!(shown(&traced(&call(&both), stated)), [("traceparent", "own")]);
        let stated: Headers = [(HeaderName::from_static("tracestate"), HeaderValue::from_static("own=1"))].into();
        assert_eq!(shown(&traced(&call(&both), stated)), [("traceparent", PARENT), ("tracestate", "own=1")]);
    }
}
