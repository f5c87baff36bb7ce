//! What the connector's answers mean.

use serde_json::Value;

use crate::egress::{Answer, Verdict, by_status};

/// The platform's documentation wants 412, 429, 502, 503 and 504 repeated. Of these 412 and 429 say that nothing was sent;
/// after the others a message may have arrived nonetheless, so they stay unclear, unless a 503 says when to come again.
pub(super) fn of(answer: &Answer<'_>) -> Verdict {
    let json = answer.json();
    let code =
        json.get("error").and_then(|error| error.get("code")).and_then(Value::as_str).filter(|code| is_code(code));
    let verdict = match answer.status {
        412 => Verdict::Later(answer.retry_after()),
        _ => by_status(answer),
    };
    let with = |why: String| match (code, hint(answer.status, code.unwrap_or_default())) {
        (Some(code), Some(hint)) => format!("{why}, {code}: {hint}"),
        (Some(code), None) => format!("{why}, {code}"),
        (None, Some(hint)) => format!("{why}: {hint}"),
        (None, None) => why,
    };
    match verdict {
        Verdict::Refused(why) => Verdict::Refused(with(why)),
        Verdict::Unclear(why) => Verdict::Unclear(with(why)),
        verdict @ (Verdict::Sent | Verdict::Next(_) | Verdict::Later(_)) => verdict,
    }
}

fn hint(status: u16, code: &str) -> Option<&'static str> {
    Some(match (status, code) {
        (401, _) => "see TEAMS_APP_ID, TEAMS_APP_PASSWORD, and tenant_id for an app of a single tenant",
        (403, "BotNotInConversationRoster" | "ForbiddenOperationException") => {
            "install the app in the conversation again"
        }
        (403, "ConversationBlockedByUser") => "the user blocked the bot",
        (403, "BotDisabledByAdmin") => "the tenant's administrator disabled the bot",
        (404, _) => "the conversation is gone",
        _ => return None,
    })
}

/// Whether a text is an error's name, and not something longer.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' '))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::RETRY_AFTER;
    use http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn nothing_ambiguous_is_repeated() {
        let of = |status: u16, retry_after: Option<&'static str>, code: &str| {
            let mut headers = HeaderMap::new();
            headers.extend(retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text))));
            let body = serde_json::json!({"error": {"code": code, "message": "canary"}}).to_string();
            of(&Answer { status, headers: &headers, body: body.as_bytes() })
        };
        let refused = |why: &str| Verdict::Refused(why.into());
        for (status, retry_after, code, verdict) in [
            (201, None, "", Verdict::Sent),
            (202, None, "", Verdict::Sent),
            (429, Some("3"), "Throttled", Verdict::Later(Some(Duration::from_secs(3)))),
            (429, None, "Throttled", Verdict::Later(None)),
            (412, None, "PreconditionFailed", Verdict::Later(None)),
            (503, Some("9"), "", Verdict::Later(Some(Duration::from_secs(9)))),
            (500, None, "ServiceError", Verdict::Unclear("it answered with 500, ServiceError".into())),
            (502, None, "ServiceError", Verdict::Unclear("it answered with 502, ServiceError".into())),
            (503, None, "", Verdict::Unclear("it answered with 503".into())),
            (504, None, "<canary>", Verdict::Unclear("it answered with 504".into())),
            (413, None, "MessageSizeTooBig", refused("it answered with 413, MessageSizeTooBig")),
            (
                403,
                None,
                "ConversationBlockedByUser",
                refused("it answered with 403, ConversationBlockedByUser: the user blocked the bot"),
            ),
            (404, None, "", refused("it answered with 404: the conversation is gone")),
        ] {
            assert_eq!(of(status, retry_after, code), verdict);
        }
        assert!(matches!(of(401, None, ""), Verdict::Refused(why) if why.contains("TEAMS_APP_PASSWORD")));
    }
}
