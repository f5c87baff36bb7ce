//! `greentic:secrets/secret-store@1.0.0`

use greentic_runner_bindings::imports::secret_store::Host;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, bytes, result};
use crate::error::Result;
use crate::secret::SecretBytes;
use crate::secrets::{Refusal, RefusalKind};

const INTERFACE: &str = "greentic:secrets/secret-store@1.0.0";
const READ: Function = Function { interface: INTERFACE, name: "read" };
const WRITE: Function = Function { interface: INTERFACE, name: "write" };
const DELETE: Function = Function { interface: INTERFACE, name: "delete" };

/// What is answered to who asks for a secret to be deleted.
const NOT_DELETED: &str = "denied:the host deletes no secrets; delete it where it is kept";

impl Host for HostCtx {
    async fn read(&mut self, name: String) -> wasmtime::Result<std::result::Result<Vec<u8>, String>> {
        let answer = self.secret(READ, &name).await?;
        Ok(answer.map(|value| value.expose().to_vec()).map_err(|refusal| text(&refusal)))
    }

    async fn write(&mut self, name: String, value: Vec<u8>) -> wasmtime::Result<std::result::Result<(), String>> {
        let answer = self.put_secret(WRITE, &name, SecretBytes::new(value)).await?;
        Ok(answer.map_err(|refusal| text(&refusal)))
    }

    async fn delete(&mut self, name: String) -> wasmtime::Result<std::result::Result<(), String>> {
        delete(self, &name)?;
        Ok(Err(NOT_DELETED.to_owned()))
    }
}

fn delete(ctx: &mut HostCtx, name: &str) -> Result<()> {
    let begun = ctx.begin(DELETE, name.len())?;
    ctx.calls.end(begun, false, &crate::id::clip(name));
    Ok(())
}

fn text(refusal: &Refusal) -> String {
    let code = match refusal.reason().kind() {
        RefusalKind::Invalid => "invalid-arg",
        RefusalKind::Denied => "denied",
        RefusalKind::NotFound => "not-found",
        RefusalKind::Unavailable => "unavailable",
        RefusalKind::Internal => "internal",
    };
    format!("{code}:{}", refusal.message())
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: READ.name, reads: &[Reads::All], call: serve_read },
    Served { name: WRITE.name, reads: &[Reads::All, Reads::All], call: serve_write },
    Served { name: DELETE.name, reads: &[Reads::All], call: serve_delete },
];

fn serve_read<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.secret(READ, arguments.text(0)?).await?;
        Ok(result(answer.map(|value| bytes(value.expose())).map_err(|refusal| Val::String(text(&refusal)))))
    })
}

fn serve_write<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let value = SecretBytes::new(arguments.bytes(1)?);
        let answer = ctx.put_secret(WRITE, arguments.text(0)?, value).await?;
        Ok(Some(Val::Result(answer.map(|()| None).map_err(|refusal| Some(Box::new(Val::String(text(&refusal))))))))
    })
}

fn serve_delete<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        delete(ctx, arguments.text(0)?)?;
        Ok(Some(Val::Result(Err(Some(Box::new(Val::String(NOT_DELETED.to_owned())))))))
    })
}
