//! What WhatsApp's answers mean: the codes of its errors say more than its statuses.

use serde_json::Value;

use super::super::sender::{Answer, Call, Verdict, by_status, quoted};
use super::media;

/// A limit was reached: of the app, the account, the number, the user; or the number is being moved.
const LATER: &[u64] = &[4, 80007, 130_429, 131_056, 131_057, 133_016];

/// The token is none, or no longer one.
const TOKEN: &[u64] = &[0, 190];

/// More than 24 hours have passed since the user wrote.
const WINDOW: u64 = 131_047;

pub(super) fn of(call: &Call, answer: &Answer<'_>) -> Verdict {
    let body = answer.json();
    let code = body.pointer("/error/code").and_then(Value::as_u64);
    let verdict = match code {
        Some(code) if LATER.contains(&code) => Verdict::Later(answer.retry_after()),
        Some(code) => of_error(code, &body, answer),
        None => by_status(answer),
    };
    match verdict {
        verdict if call.what != media::UPLOAD => verdict,
        Verdict::Sent => {
            let id = body.get("id").and_then(Value::as_str);
            let next = id.zip(call.then.as_deref()).and_then(|(id, message)| media::with_id(message, id));
            let none = || Verdict::Refused("the file was uploaded and has no id".to_owned());
            next.map_or_else(none, |next| Verdict::Next(Box::new(next)))
        }
        // Nobody sees a file that was uploaded twice.
        Verdict::Unclear(_) => Verdict::Later(answer.retry_after()),
        verdict => verdict,
    }
}

fn of_error(code: u64, body: &Value, answer: &Answer<'_>) -> Verdict {
    let text = |path| body.pointer(path).and_then(Value::as_str);
    let why = quoted(text("/error/error_data/details").or(text("/error/message")).unwrap_or("no reason"));
    match by_status(answer) {
        verdict @ (Verdict::Unclear(_) | Verdict::Later(_)) => verdict,
        _ if TOKEN.contains(&code) => Verdict::Refused(format!("the token is not valid, or no longer ({code})")),
        _ if code == WINDOW => Verdict::Refused(format!(
            "more than 24 hours have passed since the user wrote, and only templates may be sent ({code})"
        )),
        _ => Verdict::Refused(format!("WhatsApp refuses it: {why} ({code})")),
    }
}
