//! `wasi:http`: components may import it, and every request that they make is denied.

use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::context::HostCtx;

/// The HTTP world of a guest: it can put requests together, and send none.
#[derive(Default)]
pub(super) struct Http {
    ctx: WasiHttpCtx,
    policy: DenyAll,
}

#[derive(Default)]
struct DenyAll;

type Response = (http::Response<WasiBody>, Transfer);
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for DenyAll {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transfer: Transfer,
    ) -> Box<dyn Future<Output = Result<Response>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl WasiHttpView for HostCtx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (http, table) = self.http_parts();
        WasiHttpCtxView { ctx: &mut http.ctx, hooks: &mut http.policy, table }
    }
}
