//! `greentic:host/kv-v1@1.0.0`

use greentic_runner_bindings::imports::kv_v1::Host;

use super::calls::Function;
use super::context::HostCtx;

const INTERFACE: &str = "greentic:host/kv-v1@1.0.0";
const GET: Function = Function { interface: INTERFACE, name: "get" };
const PUT: Function = Function { interface: INTERFACE, name: "put" };

impl Host for HostCtx {
    async fn get(&mut self, ns: String, key: String) -> wasmtime::Result<Option<String>> {
        let value = self.pack_read(GET, &ns, &key).await?;
        // Only `put` writes here, so that every value is text.
        Ok(value.and_then(|bytes| String::from_utf8(bytes.into()).ok()))
    }

    async fn put(&mut self, ns: String, key: String, val: String) -> wasmtime::Result<()> {
        Ok(self.pack_write(PUT, &ns, key, val.into())?)
    }
}
