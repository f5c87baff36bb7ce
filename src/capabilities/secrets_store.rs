//! `greentic:secrets-store/secrets-store@1.0.0` and `@1.1.0`

use greentic_runner_bindings::imports::{secrets_store_v1_0 as v1_0, secrets_store_v1_1 as v1_1};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, bytes, result};
use crate::secret::SecretBytes;
use crate::secrets::{Refusal, RefusalKind};

const V1_0: &str = "greentic:secrets-store/secrets-store@1.0.0";
const V1_1: &str = "greentic:secrets-store/secrets-store@1.1.0";
const GET_1_0: Function = Function { interface: V1_0, name: "get" };
const GET_1_1: Function = Function { interface: V1_1, name: "get" };
const PUT: Function = Function { interface: V1_1, name: "put" };

macro_rules! own_errors {
    ($version:ident) => {
        impl From<Refusal> for $version::SecretsError {
            fn from(refusal: Refusal) -> Self {
                match refusal.reason().kind() {
                    RefusalKind::Invalid => Self::InvalidKey,
                    RefusalKind::Denied => Self::Denied,
                    RefusalKind::NotFound => Self::NotFound,
                    RefusalKind::Unavailable | RefusalKind::Internal => Self::Internal,
                }
            }
        }
    };
}

own_errors!(v1_0);
own_errors!(v1_1);

impl v1_0::Host for HostCtx {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, v1_0::SecretsError>> {
        let answer = self.secret(GET_1_0, &key).await?;
        Ok(answer.map(|value| Some(value.expose().to_vec())).map_err(Into::into))
    }
}

impl v1_1::Host for HostCtx {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, v1_1::SecretsError>> {
        let answer = self.secret(GET_1_1, &key).await?;
        Ok(answer.map(|value| Some(value.expose().to_vec())).map_err(Into::into))
    }

    async fn put(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
        Ok(self.store_secret(PUT, &key, SecretBytes::new(value)).await?)
    }
}

const SERVED_GET: &[Reads] = &[Reads::All];

/// The function of 1.0 for components with shapes of their own.
pub(super) const SERVED_1_0: &[Served] = &[Served { name: "get", reads: SERVED_GET, call: serve_get_1_0 }];

/// The functions of 1.1 for components with shapes of their own.
pub(super) const SERVED_1_1: &[Served] = &[
    Served { name: "get", reads: SERVED_GET, call: serve_get_1_1 },
    Served { name: "put", reads: &[Reads::All, Reads::All], call: serve_put },
];

fn serve_get_1_0<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_get(ctx, GET_1_0, arguments))
}

fn serve_get_1_1<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_get(ctx, GET_1_1, arguments))
}

async fn serve_get(ctx: &mut HostCtx, function: Function, arguments: Arguments<'_>) -> wasmtime::Result<Option<Val>> {
    let answer = ctx.secret(function, arguments.text(0)?).await?;
    let some = |value: SecretBytes| Val::Option(Some(Box::new(bytes(value.expose()))));
    Ok(result(answer.map(some).map_err(|refusal| error_value(&refusal))))
}

fn serve_put<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.store_secret(PUT, arguments.text(0)?, SecretBytes::new(arguments.bytes(1)?)).await?;
        Ok(None)
    })
}

fn error_value(refusal: &Refusal) -> Val {
    let name = match refusal.reason().kind() {
        RefusalKind::Invalid => "invalid-key",
        RefusalKind::Denied => "denied",
        RefusalKind::NotFound => "not-found",
        RefusalKind::Unavailable | RefusalKind::Internal => "internal",
    };
    Val::Enum(name.to_owned())
}
