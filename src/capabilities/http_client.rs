//! `greentic:http/http-client@1.0.0` and `@1.1.0`, also imported as `greentic:http/client`

use std::time::Duration;

use bytes::Bytes;
use greentic_runner_bindings::imports::interfaces_types::TenantCtx;
use greentic_runner_bindings::imports::{http_alias_v1_0, http_alias_v1_1};
use greentic_runner_bindings::imports::{http_client_v1_0 as v1_0, http_client_v1_1 as v1_1};
use wasmtime::component::{Lift, LinkerInstance, Val};

use super::calls::Function;
use super::context::HostCtx;
use super::fetch::{code, failure_value, header_text};
use super::served::{Arguments, Reads, Reply, Served, bytes, misfit, result};
use crate::outbound::{Answer, Body, Failure, Options, Request};

const SEND: &str = "send";
const CLIENT_1_0: Function = Function { interface: "greentic:http/http-client@1.0.0", name: SEND };
const CLIENT_1_1: Function = Function { interface: "greentic:http/http-client@1.1.0", name: SEND };
const ALIAS_1_0: Function = Function { interface: "greentic:http/client@1.0.0", name: SEND };
const ALIAS_1_1: Function = Function { interface: "greentic:http/client@1.1.0", name: SEND };

/// What a component that says nothing of it gets.
const PLAIN: Options = Options {
    timeout: None,
    connect_timeout: None,
    head_timeout: None,
    idle_timeout: None,
    allow_insecure: false,
    follow_redirects: true,
    text_only: false,
};

type Sent1_0 = Result<v1_0::Response, v1_0::HostError>;
type Sent1_1 = Result<v1_1::Response, v1_1::HostError>;

impl v1_0::Host for HostCtx {
    async fn send(&mut self, req: v1_0::Request, _ctx: Option<TenantCtx>) -> wasmtime::Result<Sent1_0> {
        send_1_0(self, CLIENT_1_0, req).await
    }
}

impl http_alias_v1_0::Host for HostCtx {
    async fn send(&mut self, req: v1_0::Request, _ctx: Option<TenantCtx>) -> wasmtime::Result<Sent1_0> {
        send_1_0(self, ALIAS_1_0, req).await
    }
}

impl v1_1::Host for HostCtx {
    async fn send(
        &mut self,
        req: v1_1::Request,
        opts: Option<v1_1::RequestOptions>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Sent1_1> {
        send_1_1(self, CLIENT_1_1, req, opts).await
    }
}

impl http_alias_v1_1::Host for HostCtx {
    async fn send(
        &mut self,
        req: v1_1::Request,
        opts: Option<v1_1::RequestOptions>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Sent1_1> {
        send_1_1(self, ALIAS_1_1, req, opts).await
    }
}

async fn send_1_0(ctx: &mut HostCtx, function: Function, req: v1_0::Request) -> wasmtime::Result<Sent1_0> {
    let v1_0::Request { method, url, headers, body } = req;
    let answer = ctx.fetch(function, request(method, url, headers, body, PLAIN)).await?;
    Ok(answer.map(v1_0::Response::from).map_err(v1_0::HostError::from))
}

async fn send_1_1(
    ctx: &mut HostCtx,
    function: Function,
    req: v1_1::Request,
    opts: Option<v1_1::RequestOptions>,
) -> wasmtime::Result<Sent1_1> {
    let v1_1::Request { method, url, headers, body } = req;
    let options = opts.map_or(PLAIN, |opts| options(opts.timeout_ms, opts.allow_insecure, opts.follow_redirects));
    let answer = ctx.fetch(function, request(method, url, headers, body, options)).await?;
    Ok(answer.map(v1_1::Response::from).map_err(v1_1::HostError::from))
}

fn request(
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    options: Options,
) -> Request {
    let headers = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    Request { method, url, headers, body: Body::Whole(body.unwrap_or_default().into()), options }
}

fn options(timeout_ms: Option<u32>, allow_insecure: Option<bool>, follow_redirects: Option<bool>) -> Options {
    Options {
        timeout: timeout_ms.map(|ms| Duration::from_millis(ms.into())),
        allow_insecure: allow_insecure.unwrap_or(PLAIN.allow_insecure),
        follow_redirects: follow_redirects.unwrap_or(PLAIN.follow_redirects),
        ..PLAIN
    }
}

macro_rules! from_the_rooms_own {
    ($version:ident) => {
        impl From<Answer> for $version::Response {
            fn from(answer: Answer) -> Self {
                let headers = answer.headers.into_iter().map(|(name, value)| (name, header_text(value))).collect();
                Self { status: answer.status, headers, body: some(answer.body).map(Vec::from) }
            }
        }

        impl From<Failure> for $version::HostError {
            fn from(failure: Failure) -> Self {
                Self { code: code(&failure).to_owned(), message: failure.to_string() }
            }
        }
    };
}

from_the_rooms_own!(v1_0);
from_the_rooms_own!(v1_1);

fn some(body: Bytes) -> Option<Bytes> {
    (!body.is_empty()).then_some(body)
}

/// Links 1.0 for components whose contexts have the shape `C`. Bodies pass as bytes, where a conversion would make a
/// value of each of them.
pub(super) fn link_1_0<C: Lift + 'static, const ALIAS: bool>(
    instance: &mut LinkerInstance<'_, HostCtx>,
) -> wasmtime::Result<()> {
    let function = if ALIAS { ALIAS_1_0 } else { CLIENT_1_0 };
    instance.func_wrap_async(SEND, move |mut store, (req, _): (v1_0::Request, Option<C>)| {
        Box::new(async move { Ok((send_1_0(store.data_mut(), function, req).await?,)) })
    })
}

/// The same for 1.1.
pub(super) fn link_1_1<C: Lift + 'static, const ALIAS: bool>(
    instance: &mut LinkerInstance<'_, HostCtx>,
) -> wasmtime::Result<()> {
    type Given<C> = (v1_1::Request, Option<v1_1::RequestOptions>, Option<C>);
    let function = if ALIAS { ALIAS_1_1 } else { CLIENT_1_1 };
    instance.func_wrap_async(SEND, move |mut store, (req, opts, _): Given<C>| {
        Box::new(async move { Ok((send_1_1(store.data_mut(), function, req, opts).await?,)) })
    })
}

/// What is read of a request.
const REQUEST: Reads = Reads::Fields(&["method", "url", "headers", "body"]);

/// The function of `http-client@1.0.0` for components with shapes of their own.
pub(super) const SERVED_1_0: &[Served] =
    &[Served { name: SEND, reads: &[REQUEST, Reads::Nothing], call: serve_client_1_0 }];

/// The function of `client@1.0.0` for components with shapes of their own.
pub(super) const SERVED_ALIAS_1_0: &[Served] =
    &[Served { name: SEND, reads: &[REQUEST, Reads::Nothing], call: serve_alias_1_0 }];

/// The function of `http-client@1.1.0` for components with shapes of their own.
pub(super) const SERVED_1_1: &[Served] =
    &[Served { name: SEND, reads: &[REQUEST, Reads::All, Reads::Nothing], call: serve_client_1_1 }];

/// The function of `client@1.1.0` for components with shapes of their own.
pub(super) const SERVED_ALIAS_1_1: &[Served] =
    &[Served { name: SEND, reads: &[REQUEST, Reads::All, Reads::Nothing], call: serve_alias_1_1 }];

fn serve_client_1_0<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve(ctx, CLIENT_1_0, arguments, false))
}

fn serve_alias_1_0<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve(ctx, ALIAS_1_0, arguments, false))
}

fn serve_client_1_1<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve(ctx, CLIENT_1_1, arguments, true))
}

fn serve_alias_1_1<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve(ctx, ALIAS_1_1, arguments, true))
}

async fn serve(
    ctx: &mut HostCtx,
    function: Function,
    arguments: Arguments<'_>,
    has_options: bool,
) -> wasmtime::Result<Option<Val>> {
    let text = |name| arguments.field(0, name).map(str::to_owned);
    let body = arguments.optional_bytes(0, "body")?.map(Vec::from);
    let options = if has_options { options_of(&arguments)? } else { PLAIN };
    let request = request(text("method")?, text("url")?, arguments.field_pairs(0, "headers")?, body, options);
    let answer = ctx.fetch(function, request).await?;
    Ok(result(answer.map(answer_value).map_err(|failure| failure_value(&failure))))
}

fn options_of(arguments: &Arguments<'_>) -> wasmtime::Result<Options> {
    let Some(fields) = arguments.optional_record(1)? else { return Ok(PLAIN) };
    let (mut timeout_ms, mut allow_insecure, mut follow_redirects) = (None, None, None);
    for (name, value) in fields {
        let Val::Option(value) = value else { return Err(misfit("an option")) };
        match (name.as_str(), value.as_deref()) {
            (_, None) => {}
            ("timeout-ms", Some(Val::U32(ms))) => timeout_ms = Some(*ms),
            ("allow-insecure", Some(Val::Bool(yes))) => allow_insecure = Some(*yes),
            ("follow-redirects", Some(Val::Bool(yes))) => follow_redirects = Some(*yes),
            _ => return Err(misfit("an option of a request")),
        }
    }
    Ok(options(timeout_ms, allow_insecure, follow_redirects))
}

fn answer_value(answer: Answer) -> Val {
    let pair = |(name, value)| Val::Tuple(vec![Val::String(name), Val::String(header_text(value))]);
    let headers = answer.headers.into_iter().map(pair).collect();
    let body = some(answer.body).map(|body| Box::new(bytes(&body)));
    Val::Record(vec![
        ("status".to_owned(), Val::U16(answer.status)),
        ("headers".to_owned(), Val::List(headers)),
        ("body".to_owned(), Val::Option(body)),
    ])
}
