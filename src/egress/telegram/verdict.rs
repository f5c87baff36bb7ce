//! What Telegram's answers mean.

use std::time::Duration;

use serde_json::Value;

use super::super::sender::{Answer, Body, Call, Verdict, by_status, quoted};

pub(super) fn of(call: &Call, answer: &Answer<'_>) -> Verdict {
    let body = answer.json();
    if body.get("ok") != Some(&Value::Bool(false)) {
        return by_status(answer);
    }
    let parameter = |name: &str| body.get("parameters").and_then(|parameters| parameters.get(name));
    let description = quoted(body.get("description").and_then(Value::as_str).unwrap_or("no reason"));
    match answer.status {
        429 => {
            let seconds = parameter("retry_after").and_then(Value::as_u64);
            Verdict::Later(seconds.map(Duration::from_secs).or_else(|| answer.retry_after()))
        }
        400 => match parameter("migrate_to_chat_id").and_then(Value::as_i64).and_then(|chat| moved(call, chat)) {
            Some(call) => Verdict::Next(Box::new(call)),
            None => Verdict::Refused(format!("Telegram refuses it: {description}")),
        },
        401 | 404 => Verdict::Refused(format!("Telegram does not know the bot's token, or the method: {description}")),
        403 => Verdict::Refused(format!("the bot may not write there: {description}")),
        _ => by_status(answer),
    }
}

/// The same request to the supergroup that a group became. It was not taken, and a supergroup never moves.
fn moved(call: &Call, chat: i64) -> Option<Call> {
    const SUPERGROUPS: &str = "-100";
    let to = chat.to_string();
    let mut call = call.clone();
    let from = match &mut call.body {
        Body::Json(body) => {
            let place = body.get_mut("chat_id")?;
            std::mem::replace(place, chat.into()).to_string()
        }
        Body::Multipart { fields, .. } => {
            let (_, place) = fields.iter_mut().find(|(name, _)| name == "chat_id")?;
            std::mem::replace(place, to.clone())
        }
    };
    if from.starts_with(SUPERGROUPS) || !to.starts_with(SUPERGROUPS) {
        return None;
    }
    call.otherwise = call.otherwise.and_then(|otherwise| moved(&otherwise, chat)).map(Box::new);
    Some(call)
}
