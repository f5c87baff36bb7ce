//! `wasi:http`: components may import it and put requests together, and every request is denied when it is sent.

use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::context::HostCtx;

/// Bytes of one set of headers.
const MAX_FIELDS: usize = 16 << 10;
/// Bytes of a body that wait to be sent.
const MAX_CHUNK: usize = 4 << 10;

/// The HTTP world of a guest.
pub(super) struct Http {
    ctx: WasiHttpCtx,
    policy: DenyAll,
}

impl Default for Http {
    fn default() -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        Self { ctx, policy: DenyAll }
    }
}

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

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_CHUNK
    }
}

impl WasiHttpView for HostCtx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (http, table) = self.http_parts();
        WasiHttpCtxView { ctx: &mut http.ctx, hooks: &mut http.policy, table }
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
