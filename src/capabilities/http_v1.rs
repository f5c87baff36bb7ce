//! `greentic:host/http-v1@1.0.0`

use greentic_runner_bindings::imports::http_v1::Host;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::fetch::code;
use super::served::{Arguments, Reads, Reply, Served, bytes, result};
use crate::outbound::{Body, Failure, Options, Reason, Request};

const REQUEST: Function = Function { interface: "greentic:host/http-v1@1.0.0", name: "request" };

impl Host for HostCtx {
    async fn request(
        &mut self,
        method: String,
        url: String,
        headers: Vec<String>,
        body: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let answer = request(self, method, url, &headers, body.unwrap_or_default()).await?;
        Ok(answer.map(Vec::from))
    }
}

/// The body of the answer, whatever its status: the interface has no place for that.
async fn request(
    ctx: &mut HostCtx,
    method: String,
    url: String,
    headers: &[String],
    body: Vec<u8>,
) -> wasmtime::Result<Result<bytes::Bytes, String>> {
    let options = Options { follow_redirects: true, ..Options::default() };
    let mut request = Request { method, url, headers: Vec::new(), body: Body::Whole(body.into()), options };
    let failed = |failure: Failure| format!("{}: {failure}", code(&failure));
    match pairs(headers) {
        Ok(pairs) => request.headers = pairs,
        Err(failure) => {
            ctx.refuse(REQUEST, &request, &failure)?;
            return Ok(Err(failed(failure)));
        }
    }
    let answer = ctx.fetch(REQUEST, request).await?;
    Ok(answer.map(|answer| answer.body).map_err(failed))
}

/// Headers as names and values: they come in turn, or joined as `name: value`. No name holds a colon, so that the names
/// tell which of both it is.
fn pairs(given: &[String]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let bad = |message: &str| Failure::new(Reason::BadHeader, message);
    let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    if given.iter().step_by(2).any(|name| name.contains(':')) {
        let split = |line: &String| line.split_once(':').map(|(name, value)| pair(name.trim(), value));
        let lines: Option<Vec<_>> = given.iter().map(split).collect();
        return lines.ok_or_else(|| bad("a header is no text such as `name: value`, although another one is"));
    }
    let (pairs, rest) = given.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[name, value]| pair(name, value)).collect()),
        _ => Err(bad("headers are names and values in turn, and the last value is missing")),
    }
}

/// The function for components with shapes of their own.
pub(super) const SERVED: &[Served] =
    &[Served { name: REQUEST.name, reads: &[Reads::All, Reads::All, Reads::All, Reads::All], call: serve_request }];

fn serve_request<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let text = |position| arguments.text(position).map(str::to_owned);
        let body = arguments.optional_list(3)?.map(Vec::from).unwrap_or_default();
        let answer = request(ctx, text(0)?, text(1)?, &arguments.texts(2)?, body).await?;
        Ok(result(answer.map(|body| bytes(&body)).map_err(Val::String)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_in_turn_or_joined() {
        let read = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(|text| (*text).to_owned()).collect();
            let pairs = pairs(&given).ok()?;
            Some(pairs.into_iter().map(|(n, v)| format!("{n}={}", String::from_utf8(v).unwrap())).collect::<Vec<_>>())
        };
        for (given, pairs) in [
            (&[][..], Some(&[][..])),
            (
                &["accept", "text/html", "authorization", "Basic a:b"],
                Some(&["accept=text/html", "authorization=Basic a:b"]),
            ),
            (&["accept: text/html"], Some(&["accept= text/html"])),
            (&["accept: text/html", "x-time: 10:30"], Some(&["accept= text/html", "x-time= 10:30"])),
            (&["accept", "a: b"], Some(&["accept=a: b"])),
            (&["accept"], None),
            (&["a: b", "accept"], None),
            (&["a", "b", "c: d"], None),
        ] {
            let pairs = pairs.map(|pairs| pairs.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            assert_eq!(read(given), pairs, "{given:?}");
        }
    }
}
