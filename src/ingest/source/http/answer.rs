//! What the status and the headers of an answer say.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::Response;

use super::super::{Fault, Stat, changed, not_found};
use crate::error::{Code, Error};
use crate::ingest::locator::Locator;

/// The longest version that is kept, in bytes.
const MAX_VERSION: usize = 512;

const ETAG_MARK: &str = "etag ";
const TIME_MARK: &str = "modified ";

/// Whether a server says so to the method `HEAD` where it might answer `GET`.
pub(super) fn knows_no_head(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}

/// Refuses an answer that does not bring the bytes, or brings them in another form.
pub(super) fn check(locator: &Locator, response: &Response) -> Result<(), Fault> {
    let status = response.status();
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(refused(locator, status, response.headers(), SystemTime::now()));
    }
    let encoding = text(response.headers(), &CONTENT_ENCODING).unwrap_or("identity");
    if encoding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    Err(Error::new(Code::SourceAnswer, format!("the server of {locator} sends it encoded, which nobody asked for"))
        .hint("let it serve the file as it is, without Content-Encoding")
        .into())
}

/// What a status that brings no bytes means.
fn refused(locator: &Locator, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Fault {
    match status.as_u16() {
        404 | 410 => not_found(locator),
        401 | 403 | 407 => Error::new(Code::AccessRefused, format!("the server of {locator} answers {status}"))
            .hint("give credentials in a netrc file, or a signed URL that has not expired")
            .into(),
        408 | 421 | 425 | 429 | 500..=599 => Fault {
            error: Error::new(Code::FetchFailed, format!("the server of {locator} answers {status}"))
                .hint("try again later; if it stays so, ask those who run the server"),
            after: text(headers, &RETRY_AFTER).and_then(|text| retry_after(text, now)),
        },
        _ => Error::new(Code::SourceAnswer, format!("the server of {locator} answers {status}"))
            .hint("check the locator; opened in a browser, it has to give the file itself")
            .into(),
    }
}

/// How long to wait, from seconds or a date.
pub(in super::super) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = SystemTime::from(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    Some(at.duration_since(now).unwrap_or_default())
}

/// What lies there, as an answer that brings all of it says.
pub(super) fn stat(headers: &HeaderMap) -> Stat {
    let size = text(headers, &CONTENT_LENGTH).and_then(|text| text.parse().ok());
    Stat { version: version(headers), size, digest: None }
}

/// What changes when the content does: the entity tag, else the time of change.
pub(super) fn version(headers: &HeaderMap) -> Option<String> {
    let marked = |mark: &str, name| text(headers, name).map(|text| format!("{mark}{text}"));
    marked(ETAG_MARK, &ETAG)
        .or_else(|| marked(TIME_MARK, &LAST_MODIFIED))
        .filter(|version| version.len() <= MAX_VERSION)
}

/// The validator for `If-Range`; a weak tag is none.
pub(super) fn strong(version: &str) -> Option<&str> {
    match version.strip_prefix(ETAG_MARK) {
        Some(tag) => Some(tag).filter(|tag| tag.starts_with('"')),
        None => version.strip_prefix(TIME_MARK),
    }
}

/// How many bytes of an answer come before `offset`: none if it is the rest, all before it if it is the whole. Fails if
/// it is anything else.
pub(in super::super) fn begins_at(
    locator: &Locator,
    response: &Response,
    stat: &Stat,
    offset: u64,
) -> Result<u64, Fault> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        let length = text(response.headers(), &CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        let is_other = stat.size.is_some_and(|size| length.is_some_and(|length| length != size));
        return if is_other { Err(changed(locator)) } else { Ok(offset) };
    }
    let range = text(response.headers(), &CONTENT_RANGE).and_then(content_range);
    match range {
        Some((start, _)) if start != offset => Err(out_of_range(locator)),
        Some((_, total)) if stat.size.is_some_and(|size| total.is_some_and(|total| total != size)) => {
            Err(changed(locator))
        }
        Some(_) => Ok(0),
        None => Err(out_of_range(locator)),
    }
}

fn out_of_range(locator: &Locator) -> Fault {
    Error::new(Code::SourceAnswer, format!("the server of {locator} sends another range than it was asked for"))
        .hint("its ranges are broken; let it serve whole files, or use another server")
        .into()
}

/// The first byte and the whole size in `bytes 5-9/10`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse::<u64>().ok()?);
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_read_as_seconds_or_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn ranges_are_read_only_if_they_can_be() {
        for (text, range) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 0-0/*", Some((0, None))),
            ("bytes 5-10/10", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("lines 5-9/10", None),
            ("bytes 5-/10", None),
            ("bytes 99999999999999999999-9/10", None),
        ] {
            assert_eq!(content_range(text), range, "{text:?}");
        }
    }

    #[test]
    fn only_what_tells_bytes_apart_goes_into_if_range() {
        assert_eq!(strong("etag \"a\""), Some("\"a\""));
        assert_eq!(strong("etag W/\"a\""), None);
        assert_eq!(strong("modified Sun, 06 Nov 1994 08:50:37 GMT"), Some("Sun, 06 Nov 1994 08:50:37 GMT"));
    }

    #[test]
    fn statuses_tell_whether_to_try_again() {
        let locator = Locator::Http("https://a.example/p".parse().unwrap());
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "3".parse().unwrap())]);
        for (status, code, waits) in [
            (401, Code::AccessRefused, false),
            (403, Code::AccessRefused, false),
            (404, Code::NotFound, false),
            (410, Code::NotFound, false),
            (416, Code::SourceAnswer, false),
            (429, Code::FetchFailed, true),
            (500, Code::FetchFailed, true),
            (503, Code::FetchFailed, true),
            (204, Code::SourceAnswer, false),
            (304, Code::SourceAnswer, false),
            (418, Code::SourceAnswer, false),
        ] {
            let fault = refused(&locator, StatusCode::from_u16(status).unwrap(), &headers, SystemTime::now());
            assert_eq!(fault.error.code(), code, "{status}");
            assert_eq!((fault.may_pass(), fault.after.is_some()), (waits, waits), "{status}");
        }
    }
}
