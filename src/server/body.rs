//! Reading a request's body within its bounds.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use super::HttpLimits;
use crate::error::{Code, Error, Result};

/// How much of a body that is too large is still taken in and thrown away. A client that is cut off while it sends
/// does not read the answer that tells it why.
const DISCARDED: usize = 32 << 20;

/// The whole body, of at most `max_body` bytes, within `body_timeout`.
pub(super) async fn read(headers: &HeaderMap, body: Body, limits: &HttpLimits) -> Result<Bytes> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_large = stated.is_some_and(|length| length > limits.max_body);
    // A client that asks first has sent nothing yet.
    if too_large && (headers.contains_key(EXPECT) || stated > Some(DISCARDED)) {
        return Err(too_large_error(limits));
    }
    let reading = collect(body, if too_large { 0 } else { limits.max_body }, stated.unwrap_or(0));
    match tokio::time::timeout(limits.body_timeout, reading).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large_error(limits)),
        Ok(Err(error)) => Err(Error::new(Code::RequestInvalid, format!("the body cannot be read: {error}"))),
        Err(_) => Err(Error::new(Code::RequestTimeout, "the body did not arrive in time")),
    }
}

/// None if the body is larger than `most`.
async fn collect(body: Body, most: usize, expected: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut kept = BytesMut::with_capacity(expected.min(most));
    let mut seen = 0usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        seen = seen.saturating_add(chunk.len());
        if seen <= most {
            kept.extend_from_slice(&chunk);
        } else if seen > DISCARDED {
            break;
        } else {
            kept = BytesMut::new();
        }
    }
    Ok((seen <= most).then(|| kept.freeze()))
}

fn too_large_error(limits: &HttpLimits) -> Error {
    Error::new(Code::BodyTooLarge, format!("the body is larger than {} bytes", limits.max_body))
}
