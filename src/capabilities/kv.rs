//! `greentic:host/kv-v1@1.0.0`

use greentic_runner_bindings::imports::kv_v1::Host;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served};
use crate::error::Result;

const INTERFACE: &str = "greentic:host/kv-v1@1.0.0";
const GET: Function = Function { interface: INTERFACE, name: "get" };
const PUT: Function = Function { interface: INTERFACE, name: "put" };

impl Host for HostCtx {
    async fn get(&mut self, ns: String, key: String) -> wasmtime::Result<Option<String>> {
        Ok(get(self, &ns, &key).await?)
    }

    async fn put(&mut self, ns: String, key: String, val: String) -> wasmtime::Result<()> {
        Ok(self.pack_write(PUT, &ns, key, val.into())?)
    }
}

async fn get(ctx: &mut HostCtx, ns: &str, key: &str) -> Result<Option<String>> {
    let value = ctx.pack_read(GET, ns, key).await?;
    // Only `put` writes here, so that every value is text.
    Ok(value.and_then(|bytes| String::from_utf8(bytes.into()).ok()))
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: GET.name, reads: &[Reads::All, Reads::All], call: serve_get },
    Served { name: PUT.name, reads: &[Reads::All, Reads::All, Reads::All], call: serve_put },
];

fn serve_get<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let value = get(ctx, arguments.text(0)?, arguments.text(1)?).await?;
        Ok(Some(Val::Option(value.map(|text| Box::new(Val::String(text))))))
    })
}

fn serve_put<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let (ns, key, value) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
        ctx.pack_write(PUT, ns, key.to_owned(), value.to_owned().into())?;
        Ok(None)
    })
}
