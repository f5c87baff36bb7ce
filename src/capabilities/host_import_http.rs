//! `greentic:host-import/http@0.6.0` and `@0.4.0`

use greentic_runner_bindings::imports::types_core_v0_4::{IfaceError, TenantCtx};
use greentic_runner_bindings::imports::{
    host_import_http as v0_6, host_import_http_v0_4 as v0_4, host_import_v0_2 as v0_2,
};
use serde_json::{Map, Value};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::fetch::header_text;
use super::served::{Arguments, Reads, Reply, Served, result};
use crate::outbound::{Answer, Body, Failure, Kind, Options, Reason, Request};

const FETCH: &str = "fetch";
const FETCH_0_6: Function = Function { interface: "greentic:host-import/http@0.6.0", name: FETCH };
const FETCH_0_4: Function = Function { interface: "greentic:host-import/http@0.4.0", name: FETCH };

/// What is asked, as text.
pub(super) struct Asked {
    method: String,
    url: String,
    headers_json: Option<String>,
    body: Option<String>,
}

/// What is answered, as text.
pub(super) struct Answered {
    status: u16,
    headers_json: String,
    body: String,
}

macro_rules! own_records {
    ($version:ident) => {
        impl From<$version::HttpRequest> for Asked {
            fn from(request: $version::HttpRequest) -> Self {
                let $version::HttpRequest { method, url, headers_json, body } = request;
                Self { method, url, headers_json, body }
            }
        }

        impl From<Answered> for $version::HttpResponse {
            fn from(answered: Answered) -> Self {
                let Answered { status, headers_json, body } = answered;
                Self { status, headers_json: Some(headers_json), body: Some(body) }
            }
        }
    };
}

own_records!(v0_2);
own_records!(v0_4);
own_records!(v0_6);

impl v0_6::Host for HostCtx {
    async fn fetch(
        &mut self,
        req: v0_6::HttpRequest,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<v0_6::HttpResponse, IfaceError>> {
        let answer = fetch(self, FETCH_0_6, req.into()).await?;
        Ok(answer.map(Into::into).map_err(|failure| iface_error(&failure)))
    }
}

impl v0_4::Host for HostCtx {
    async fn fetch(
        &mut self,
        req: v0_4::HttpRequest,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<v0_4::HttpResponse, IfaceError>> {
        let answer = fetch(self, FETCH_0_4, req.into()).await?;
        Ok(answer.map(Into::into).map_err(|failure| iface_error(&failure)))
    }
}

pub(super) async fn fetch(
    ctx: &mut HostCtx,
    function: Function,
    asked: Asked,
) -> wasmtime::Result<Result<Answered, Failure>> {
    let Asked { method, url, headers_json, body } = asked;
    let options = Options { follow_redirects: true, text_only: true, ..Options::default() };
    let body = Body::Whole(body.unwrap_or_default().into());
    let mut request = Request { method, url, headers: Vec::new(), body, options };
    match headers_of(headers_json.as_deref()) {
        Ok(headers) => request.headers = headers,
        Err(failure) => {
            ctx.refuse(function, &request, &failure)?;
            return Ok(Err(failure));
        }
    }
    let answer = ctx.fetch(function, request).await?;
    Ok(answer.map(in_text))
}

/// The headers of a JSON object; a list of values repeats the header.
fn headers_of(json: Option<&str>) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let bad = |message: &str| Failure::new(Reason::BadHeader, message);
    let Some(json) = json.filter(|json| !json.trim().is_empty()) else { return Ok(Vec::new()) };
    let object: Option<Map<String, Value>> =
        serde_json::from_str(json).map_err(|_| bad("the headers are no JSON object"))?;
    let mut headers = Vec::new();
    for (name, value) in object.unwrap_or_default() {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => yes.to_string(),
                _ => return Err(bad("the value of a header is neither text nor a list of texts")),
            };
            headers.push((name.clone(), text.into_bytes()));
        }
    }
    Ok(headers)
}

/// An answer as text. Values of one header are joined by commas, as HTTP has it; `set-cookie`, for which that would not
/// do, is a list.
fn in_text(answer: Answer) -> Answered {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in answer.headers {
        let value = header_text(value);
        match headers.get_mut(&name) {
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(Value::String(first)) => {
                first.push_str(", ");
                first.push_str(&value);
            }
            _ if name == "set-cookie" => drop(headers.insert(name, Value::Array(vec![Value::String(value)]))),
            _ => drop(headers.insert(name, Value::String(value))),
        }
    }
    Answered { status: answer.status, headers_json: Value::Object(headers).to_string(), body }
}

pub(super) fn iface_error(failure: &Failure) -> IfaceError {
    match failure.reason().kind() {
        Kind::Invalid => IfaceError::InvalidArg,
        Kind::Denied => IfaceError::Denied,
        Kind::Unavailable => IfaceError::Unavailable,
        Kind::Internal => IfaceError::Internal,
    }
}

/// What is read of a request.
pub(super) const REQUEST: Reads = Reads::Fields(&["method", "url", "headers-json", "body"]);

/// The function of `http@0.6.0` for components with shapes of their own.
pub(super) const SERVED_0_6: &[Served] =
    &[Served { name: FETCH, reads: &[REQUEST, Reads::Nothing], call: serve_fetch_0_6 }];

/// The function of `http@0.4.0` for components with shapes of their own.
pub(super) const SERVED_0_4: &[Served] =
    &[Served { name: FETCH, reads: &[REQUEST, Reads::Nothing], call: serve_fetch_0_4 }];

fn serve_fetch_0_6<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_fetch(ctx, FETCH_0_6, arguments, false))
}

fn serve_fetch_0_4<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_fetch(ctx, FETCH_0_4, arguments, false))
}

/// Carries a request out that came as values; the error is a variant or an enum.
pub(super) async fn serve_fetch(
    ctx: &mut HostCtx,
    function: Function,
    arguments: Arguments<'_>,
    variant: bool,
) -> wasmtime::Result<Option<Val>> {
    let text = |name| arguments.field(0, name).map(str::to_owned);
    let optional = |name| Ok::<_, wasmtime::Error>(arguments.optional_field(0, name)?.map(str::to_owned));
    let asked = Asked {
        method: text("method")?,
        url: text("url")?,
        headers_json: optional("headers-json")?,
        body: optional("body")?,
    };
    let answer = fetch(ctx, function, asked).await?;
    let some = |text| Val::Option(Some(Box::new(Val::String(text))));
    let answered = |Answered { status, headers_json, body }| {
        Val::Record(vec![
            ("status".to_owned(), Val::U16(status)),
            ("headers-json".to_owned(), some(headers_json)),
            ("body".to_owned(), some(body)),
        ])
    };
    Ok(result(answer.map(answered).map_err(|failure| error_value(&failure, variant))))
}

fn error_value(failure: &Failure, variant: bool) -> Val {
    let name = super::fetch::code(failure).to_owned();
    if variant { Val::Variant(name, None) } else { Val::Enum(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_an_object_of_texts_and_lists() {
        let read = |json| {
            let headers = headers_of(Some(json)).ok()?;
            Some(headers.into_iter().map(|(n, v)| format!("{n}={}", String::from_utf8(v).unwrap())).collect::<Vec<_>>())
        };
        for (json, headers) in [
            ("", Some(&[][..])),
            ("null", Some(&[])),
            (r#"{"a": "x", "b": ["y", "z"], "c": 1, "d": true}"#, Some(&["a=x", "b=y", "b=z", "c=1", "d=true"])),
            (r#"{"a": null}"#, None),
            (r#"{"a": {"b": "c"}}"#, None),
            (r#"[["a", "b"]]"#, None),
            ("a: b", None),
        ] {
            let headers = headers.map(|all| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            assert_eq!(read(json), headers, "{json}");
        }
    }

    #[test]
    fn an_answer_is_text() {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let headers = vec![header("a", "1"), header("a", "2"), header("set-cookie", "x"), header("set-cookie", "y")];
        let answer = Answer { status: 200, headers, body: "ü".into() };
        let text = in_text(answer);
        assert_eq!((text.headers_json.as_str(), &*text.body), (r#"{"a":"1, 2","set-cookie":["x","y"]}"#, "ü"));
    }
}
