//! Requests by `wasi:http`.

use node_kit::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;

use super::{Asked, answered, failed};

/// Sends what is asked, and takes the whole answer.
pub(super) fn ask(asked: &Asked) -> Value {
    let sent = prepare(asked).and_then(|request| {
        send(asked, request, |stream| {
            let body = asked.body.as_deref().unwrap_or_default().as_bytes();
            body.chunks(4096).try_for_each(|chunk| stream.blocking_write_and_flush(chunk)).map_err(|e| format!("{e:?}"))
        })
    });
    sent.unwrap_or_else(|error| failed("wasi", &error))
}

/// Sends a body that does not end.
pub(super) fn pour(asked: &Asked) -> Value {
    let poured = prepare(asked).and_then(|request| {
        send(asked, request, |stream| {
            while stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {}
            Ok(())
        })
    });
    poured.unwrap_or_else(|error| failed("wasi", &error))
}

fn prepare(asked: &Asked) -> Result<OutgoingRequest, String> {
    let headers = Fields::new();
    for (name, value) in &asked.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match asked.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "the method is refused")?;
    let (scheme, rest) = asked.url.split_once("://").ok_or("no URL")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(authority)).map_err(|()| "the authority is refused")?;
    request.set_path_with_query(Some(path)).map_err(|()| "the path is refused")?;
    Ok(request)
}

fn send(
    asked: &Asked,
    request: OutgoingRequest,
    write: impl FnOnce(&wasip2::io::streams::OutputStream) -> Result<(), String>,
) -> Result<Value, String> {
    let body = request.body().map_err(|()| "there is no body")?;
    let options = RequestOptions::new();
    let nanos = |name| asked.option(name).map(|ms| ms * 1_000_000);
    options.set_connect_timeout(nanos("connect-timeout-ms")).map_err(|()| "no such option")?;
    options.set_first_byte_timeout(nanos("first-byte-timeout-ms")).map_err(|()| "no such option")?;
    options.set_between_bytes_timeout(nanos("between-bytes-timeout-ms")).map_err(|()| "no such option")?;
    let response = outgoing_handler::handle(request, Some(options)).map_err(|error| format!("{error:?}"))?;
    let stream = body.write().map_err(|()| "there is no stream")?;
    let written = write(&stream);
    drop(stream);
    let finished = OutgoingBody::finish(body, None);
    response.subscribe().block();
    let response = match response.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(error))) => return Err(format!("{error:?}")),
        _ => return Err("no answer".to_owned()),
    };
    written?;
    finished.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let headers = response.headers().entries();
    let headers = headers.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()));
    let headers = json!(headers.collect::<Vec<_>>());
    let body = read(&response.consume().map_err(|()| "the answer has no body")?)?;
    Ok(answered(Some(status), headers, &body))
}

fn read(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "the answer has no stream")?;
    let mut all = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                return Err(code.map_or_else(|| error.to_debug_string(), |code| format!("{code:?}")));
            }
        }
    }
}
