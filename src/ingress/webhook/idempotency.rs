//! The `Idempotency-Key` header: a structured-field string (`"8e03…"`), by most clients sent bare.

use http::HeaderMap;

use crate::error::{Code, Error, Result};

const LONGEST: usize = 255;

/// The request's key, without the quotes that are only syntax. None if the header is absent.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut lines = headers.get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(invalid("it is given more than once"));
    }
    let text = line.to_str().map_err(|_| invalid("it is not printable ASCII"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(|| invalid("its quotes do not match"))?,
        None => text.to_owned(),
    };
    if key.is_empty() || key.len() > LONGEST {
        return Err(invalid("it must have 1 to 255 characters"));
    }
    Ok(Some(key))
}

/// The content of a structured-field string behind its opening quote.
fn unquote(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(out),
            '\\' => out.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => out.push(other),
        }
    }
}

fn invalid(why: &str) -> Error {
    Error::new(Code::RequestInvalid, format!("the Idempotency-Key header cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&[u8]]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("idempotency-key", http::HeaderValue::from_bytes(line).unwrap());
        }
        key(&headers)
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        assert_eq!(of(&[]).unwrap(), None);
        for line in [&b"\"8e03\""[..], b"8e03", b"  8e03 "] {
            assert_eq!(of(&[line]).unwrap().as_deref(), Some("8e03"));
        }
        assert_eq!(of(&[br#""a\"b\\c""#]).unwrap().as_deref(), Some(r#"a"b\c"#));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = [b'x'; 256];
        for lines in
            [&[&b""[..]][..], &[b"\"\""], &[b"\"a"], &[b"\"a\"b"], &[br#""a\b""#], &[b"\xff"], &[&long], &[b"a", b"a"]]
        {
            assert_eq!(of(lines).unwrap_err().code(), Code::RequestInvalid, "{lines:?}");
        }
    }
}
