//! What Slack's answers mean.

use serde_json::Value;

use crate::egress::{Answer, Verdict, by_status};

/// The answer to a method: most errors come with the status 200.
pub(super) fn method(answer: &Answer<'_>) -> Verdict {
    let json = answer.json();
    match (answer.status, json.get("ok").and_then(Value::as_bool)) {
        (200..=299, Some(true)) => Verdict::Sent,
        (200..=299, Some(false)) => failed(answer, &json),
        (200..=299, None) => Verdict::Unclear("the answer cannot be read".into()),
        _ => named(by_status(answer), code_of(&json)),
    }
}

/// The answer of a `response_url`: a text, `ok` or an error.
pub(super) fn response(answer: &Answer<'_>) -> Verdict {
    let json = answer.json();
    if (200..=299).contains(&answer.status) && json.get("ok") == Some(&Value::Bool(false)) {
        return failed(answer, &json);
    }
    let text = std::str::from_utf8(answer.body).ok().map(str::trim).filter(|text| is_code(text));
    named(by_status(answer), code_of(&json).or(text))
}

/// A method failed, and Slack says how.
fn failed(answer: &Answer<'_>, json: &Value) -> Verdict {
    let code = code_of(json).unwrap_or("no reason");
    match code {
        "ratelimited" | "rate_limited" | "request_timeout" | "team_added_to_org" | "org_login_required" => {
            Verdict::Later(answer.retry_after())
        }
        // Slack's own words: some of it may have succeeded.
        "internal_error" | "fatal_error" | "service_unavailable" => Verdict::Unclear(code.into()),
        _ => Verdict::Refused(match hint(code) {
            Some(hint) => format!("{code}: {hint}"),
            None => code.into(),
        }),
    }
}

/// A verdict with the platform's word for it.
fn named(verdict: Verdict, code: Option<&str>) -> Verdict {
    match (verdict, code) {
        (Verdict::Refused(why), Some(code)) => Verdict::Refused(format!("{why}, {code}")),
        (Verdict::Unclear(why), Some(code)) => Verdict::Unclear(format!("{why}, {code}")),
        (verdict, _) => verdict,
    }
}

fn code_of(json: &Value) -> Option<&str> {
    json.get("error").and_then(Value::as_str).filter(|code| is_code(code))
}

/// Whether a text is an error's name, and not something longer.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "not_in_channel" => "invite the app to the channel",
        "channel_not_found" => "the channel is gone, or the app may not see it",
        "is_archived" => "the channel is archived",
        "missing_scope" => "the app needs the scope chat:write",
        "messages_tab_disabled" => "allow messages to the app in its App Home",
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            "set SLACK_BOT_TOKEN anew"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::RETRY_AFTER;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn verdict(
        judge: fn(&Answer<'_>) -> Verdict,
        status: u16,
        retry_after: Option<&'static str>,
        body: &str,
    ) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text))));
        judge(&Answer { status, headers: &headers, body: body.as_bytes() })
    }

    #[test]
    fn the_status_200_says_nothing_of_a_method() {
        let of = |body: &str| verdict(method, 200, None, body);
        assert_eq!(of(r#"{"ok":true,"ts":"1.2"}"#), Verdict::Sent);
        for (code, verdict) in [
            ("ratelimited", Verdict::Later(None)),
            ("request_timeout", Verdict::Later(None)),
            ("internal_error", Verdict::Unclear("internal_error".into())),
            ("fatal_error", Verdict::Unclear("fatal_error".into())),
            ("msg_too_long", Verdict::Refused("msg_too_long".into())),
            ("not_in_channel", Verdict::Refused("not_in_channel: invite the app to the channel".into())),
            ("token_revoked", Verdict::Refused("token_revoked: set SLACK_BOT_TOKEN anew".into())),
            ("<canary> canary", Verdict::Refused("no reason".into())),
        ] {
            assert_eq!(of(&serde_json::json!({"ok": false, "error": code}).to_string()), verdict, "{code}");
        }
        for unreadable in ["", "ok", "<html>", "[]", "{}"] {
            assert!(matches!(of(unreadable), Verdict::Unclear(_)), "{unreadable}");
        }
    }

    #[test]
    fn only_what_was_certainly_not_taken_comes_again() {
        for judge in [method, response] {
            let of = |status, retry_after| verdict(judge, status, retry_after, r#"{"ok":false,"error":"ratelimited"}"#);
            let wait = Some(Duration::from_secs(30));
            assert_eq!(of(429, Some("30")), Verdict::Later(wait));
            assert_eq!(of(200, Some("30")), Verdict::Later(wait));
            assert_eq!(of(429, None), Verdict::Later(None));
            assert_eq!(of(502, None), Verdict::Unclear("it answered with 502, ratelimited".into()));
            assert!(matches!(of(401, None), Verdict::Refused(_)));
        }
    }

    #[test]
    fn a_response_url_answers_in_words() {
        let of = |status, body| verdict(response, status, None, body);
        assert_eq!(of(200, "ok"), Verdict::Sent);
        assert_eq!(of(200, r#"{"ok":true}"#), Verdict::Sent);
        assert_eq!(of(404, "expired_url\n"), Verdict::Refused("it answered with 404, expired_url".into()));
        assert_eq!(of(404, "used_url"), Verdict::Refused("it answered with 404, used_url".into()));
        assert_eq!(of(400, "some canary"), Verdict::Refused("it answered with 400".into()));
        assert!(matches!(of(500, "no"), Verdict::Unclear(_)));
    }
}
