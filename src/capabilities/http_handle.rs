//! Counting the requests of `wasi:http`: each is a host call, of which an invocation has so many.
//!
//! Beyond that the interface's own error says that requests are denied, so that a guest can go on without their answers.
//! Whatever else of the host it asks then ends it, as of every interface.

use tracing::Level;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, RequestOptions};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};

use super::context::HostCtx;
use super::ledger::HANDLE;

/// The name under which the interface is linked, which fits every patch version.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

type Handled = wasmtime::Result<(Result<Resource<HostFutureIncomingResponse>, ErrorCode>,)>;

/// Puts a function that counts in place of the one that sends. The rest of the interface is linked already.
///
/// # Errors
///
/// It cannot be linked.
pub(super) fn link(linker: &mut Linker<HostCtx>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(HANDLER)?.func_wrap(
        HANDLE.name,
        |mut store: StoreContextMut<'_, HostCtx>,
         (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)|
         -> Handled { handle(store.data_mut(), request, options) },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn handle(
    ctx: &mut HostCtx,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> Handled {
    if let Err(beyond) = ctx.calls.spend() {
        let (_, table) = ctx.http_parts();
        table.delete(request)?;
        options.map(|options| table.delete(options)).transpose()?;
        ctx.record(Some(Level::WARN), &format!("{}: {beyond}", HANDLE.interface));
        ctx.calls.refused(HANDLE, beyond.message());
        return Ok((Err(ErrorCode::HttpRequestDenied),));
    }
    match ctx.http().handle(request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => error.downcast().map(|code| (Err(code),)),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi_http::p2::bindings::http::types::{self, Scheme};

    use super::*;
    use crate::capabilities::calls::Function;
    use crate::capabilities::context::tests::context;
    use crate::capabilities::log::tests::captured;
    use crate::engine::limits::Limits;

    fn request(ctx: &mut HostCtx) -> Resource<HostOutgoingRequest> {
        let mut view = ctx.http();
        let fields = types::HostFields::new(&mut view).unwrap();
        let request = types::HostOutgoingRequest::new(&mut view, fields).unwrap();
        let handle = || Resource::new_borrow(request.rep());
        let scheme = types::HostOutgoingRequest::set_scheme(&mut view, handle(), Some(Scheme::Http));
        scheme.unwrap().unwrap();
        let authority = Some("a.example".to_owned());
        types::HostOutgoingRequest::set_authority(&mut view, handle(), authority).unwrap().unwrap();
        let path = Some("/".to_owned());
        types::HostOutgoingRequest::set_path_with_query(&mut view, handle(), path).unwrap().unwrap();
        request
    }

    #[tokio::test]
    async fn requests_are_host_calls_and_refused_beyond_their_number() {
        const OTHER: Function = Function { interface: "a:b/c@1.0.0", name: "f" };
        // Handles are bounded too: what is refused leaves none.
        let mut ctx = context(&Limits { host_calls: 3, handles: 20, ..Limits::default() });
        ctx.begin(OTHER, 0).unwrap();
        let log = captured(|| {
            for n in 0..100 {
                let request = request(&mut ctx);
                let answer = handle(&mut ctx, request, None).unwrap().0;
                match answer {
                    Ok(_) => assert!(n < 2, "{n}"),
                    Err(error) => assert!(n >= 2 && matches!(error, ErrorCode::HttpRequestDenied), "{n}: {error:?}"),
                }
            }
        });
        assert!(log.contains("made more than 3 host calls") && log.contains("limits.host_calls"), "{log}");
        let error = ctx.begin(OTHER, 0).unwrap_err();
        assert_eq!(error.code(), crate::error::Code::GuestHostCalls);
    }
}
