//! `wasi:http/outgoing-handler`: what a component puts together is sent as requests of the other interfaces are, under the
//! same policy. Redirects are answers here, as the interface has it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame};
use parking_lot::Mutex;
use tracing::Instrument as _;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::calls;
use super::context::HostCtx;
use super::fetch::{Asked, Failures};
use super::ledger::{HANDLE, Uses};
use super::tally::HostCalls;
use crate::abi::call::HostCall;
use crate::id::Id;
use crate::outbound::{Body, Failure, Incoming, Opened, Options, Outbound, Reason, Request};
use crate::telemetry::spans;

/// Bytes of one set of headers.
const MAX_FIELDS: usize = 16 << 10;
/// Bytes of a body that wait to be sent.
const MAX_CHUNK: usize = 4 << 10;

/// The HTTP world of a guest.
pub(super) struct Http {
    ctx: WasiHttpCtx,
    sender: Sender,
}

impl Http {
    /// Sends what the guest, a component that counts its uses, asks by `outbound` until `end`, and records it if `record`
    /// is set.
    pub(super) fn new(
        outbound: Arc<Outbound>,
        failures: Arc<Failures>,
        (asker, uses): (Id, Uses),
        end: Instant,
        record: bool,
    ) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        let journal = Arc::new(Journal { failures, calls: record.then(Mutex::default) });
        Self { ctx, sender: Sender { outbound, journal, asker, uses, end, tally: None } }
    }

    /// The same, with its requests counted in `tally`.
    pub(super) fn counted_in(mut self, tally: Option<Arc<HostCalls>>) -> Self {
        self.sender.tally = tally;
        self
    }

    /// The calls that were recorded.
    pub(super) fn take_calls(&self) -> Vec<HostCall> {
        self.sender.journal.calls.as_ref().map(|calls| std::mem::take(&mut *calls.lock())).unwrap_or_default()
    }
}

struct Sender {
    outbound: Arc<Outbound>,
    journal: Arc<Journal>,
    asker: Id,
    uses: Uses,
    end: Instant,
    tally: Option<Arc<HostCalls>>,
}

/// Where requests are noted that end while the guest does something else.
struct Journal {
    failures: Arc<Failures>,
    calls: Option<Mutex<Vec<HostCall>>>,
}

impl Journal {
    fn note(&self, asked: &Asked, since: Instant, opened: &std::result::Result<Opened, Failure>) {
        let note = match opened {
            Ok(opened) => asked.answered(opened.status),
            Err(failure) => {
                self.failures.log(HANDLE.interface, asked, failure);
                asked.failed(failure)
            }
        };
        if let Some(recorded) = &self.calls {
            calls::record(&mut recorded.lock(), HANDLE, since, opened.is_ok(), &note);
        }
    }
}

type Response = (http::Response<WasiBody>, Transfer);
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Sender {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _transfer: Transfer,
    ) -> Box<dyn Future<Output = Result<Response>> + Send> {
        self.uses.count(HANDLE);
        let (outbound, journal, end) = (Arc::clone(&self.outbound), Arc::clone(&self.journal), self.end);
        let (tally, span) = (self.tally.clone(), spans::host_call(HANDLE.interface, HANDLE.name));
        let answering = span.clone();
        let asker = self.asker.clone();
        let sending = async move {
            let request = request_of(request, options.unwrap_or_default());
            let (asked, since) = (Asked::of(&request, &journal.failures.hidden), Instant::now());
            let opened = outbound.open_for(Some(&asker), request, end).await;
            journal.note(&asked, since, &opened);
            if let Some(tally) = tally {
                tally.add(HANDLE.interface, opened.is_ok());
            }
            spans::ended(&answering, opened.is_ok());
            let Opened { status, headers, body } = opened.map_err(|failure| error(&failure))?;
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let body = StreamBody::new(pieces(body, Arc::clone(&journal), asked)).boxed_unsync();
            let response = response.body(body).map_err(|e| Error::InternalError(Some(e.to_string())))?;
            Ok((response, Box::new(async { Ok(()) }) as Transfer))
        };
        Box::new(sending.instrument(span))
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_CHUNK
    }
}

fn request_of(request: http::Request<WasiBody>, options: RequestOptions) -> Request {
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = options;
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let body = match body.size_hint().exact() {
        Some(0) => Body::Whole(Bytes::new()),
        _ => {
            let chunks = body.into_data_stream();
            Body::Stream(Box::pin(futures::TryStreamExt::map_err(chunks, Into::into)))
        }
    };
    Request {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers: headers.collect(),
        body,
        options: Options {
            connect_timeout,
            // Counted from the beginning, of which connecting is a part.
            head_timeout: first_byte_timeout.map(|time| time + connect_timeout.unwrap_or_default()),
            idle_timeout: between_bytes_timeout,
            ..Options::default()
        },
    }
}

/// The pieces of a body as they come.
fn pieces(
    body: Incoming,
    journal: Arc<Journal>,
    asked: Asked,
) -> impl futures::Stream<Item = Result<Frame<Bytes>>> + Send {
    stream::unfold(Some((body, journal, asked)), |state| async move {
        let (mut body, journal, asked) = state?;
        match body.chunk().await {
            Ok(Some(chunk)) => Some((Ok(Frame::data(chunk)), Some((body, journal, asked)))),
            Ok(None) => None,
            Err(failure) => {
                journal.failures.log(HANDLE.interface, &asked, &failure);
                Some((Err(error(&failure)), None))
            }
        }
    })
}

/// The error of the interface that comes nearest.
fn error(failure: &Failure) -> Error {
    match failure.reason() {
        Reason::Disabled
        | Reason::HostNotAllowed
        | Reason::SchemeNotAllowed
        | Reason::HeaderNotAllowed
        | Reason::CredentialsInUrl
        | Reason::InsecureNotAllowed
        | Reason::TooManyRedirects
        | Reason::BodyNotRedirected
        | Reason::BadHeader => Error::HttpRequestDenied,
        Reason::AddressNotPublic => Error::DestinationIpProhibited,
        Reason::MethodNotAllowed | Reason::BadMethod => Error::HttpRequestMethodInvalid,
        Reason::BadUrl => Error::HttpRequestUriInvalid,
        Reason::TooManyHeaders => Error::HttpRequestHeaderSectionSize(None),
        Reason::RequestTooLarge => Error::HttpRequestBodySize(None),
        Reason::Busy => Error::ConnectionLimitReached,
        Reason::NameNotFound => Error::DnsError { rcode: None, info_code: None },
        Reason::NotConnected => Error::ConnectionRefused,
        Reason::TlsFailed => Error::TlsProtocolError,
        Reason::TimedOut => Error::HttpResponseTimeout,
        Reason::Interrupted => Error::HttpResponseIncomplete,
        Reason::BadAnswer | Reason::NotText => Error::HttpProtocolError,
        Reason::AnswerTooLarge => Error::HttpResponseBodySize(None),
        Reason::Internal => Error::InternalError(None),
    }
}

impl WasiHttpView for HostCtx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (http, table) = self.http_parts();
        WasiHttpCtxView { ctx: &mut http.ctx, hooks: &mut http.sender, table }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi_http::p2::bindings::http::types::HostFields;

    use super::*;
    use crate::capabilities::context::tests::context;
    use crate::engine::limits::Limits;

    #[test]
    fn headers_are_bounded() {
        let mut ctx = context(&Limits::default());
        let mut view = ctx.http();
        let fields = HostFields::new(&mut view).unwrap();
        let handle = fields.rep();
        let mut add = |bytes: usize| {
            let fields = wasmtime::component::Resource::new_borrow(handle);
            HostFields::append(&mut view, fields, "x".to_owned(), vec![b'x'; bytes])
        };
        assert!(add(MAX_FIELDS / 2).is_ok());
        assert!(add(MAX_FIELDS).is_err());
    }
}
