//! A bot that needs several messages. It asks one question after another, keeps the answers in the session's state, and
//! notes through `session.update` where it stands and why it waits; the flow around it does the waiting.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/types-core-0.4.0", "../../wit/host-import-0.6.0"],
    world: "greentic:host-import/host-imports",
    generate_all,
});

use greentic::host_import::{session, state};
use greentic::interfaces_types::types::SessionCursor;
use greentic::types_core::types::IfaceError;
use node_kit::{Failure, Operation, Operations, Value, json, parse, text};

const ANSWERS: &str = "answers";
const QUESTIONS: &[&str] = &["name", "city", "colour"];

struct WaitingBot;

impl Operations for WaitingBot {
    const NAME: &'static str = "waiting-bot";
    const ALL: &'static [Operation] =
        &[("ask", "Answers the next question, or the status `done` with all answers"), ("answer", "Keeps `text`")];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let mut answers = answers()?;
        if op == "answer" {
            answers.push(text(&input, "text")?.into());
            state::set(ANSWERS, &Value::from(answers).to_string(), None).map_err(failure)?;
            return Ok(json!({ "kept": true }));
        }
        let Some(question) = QUESTIONS.get(answers.len()) else {
            return Ok(json!({ "status": "done", "answers": answers }));
        };
        let cursor = SessionCursor {
            node_pointer: "answer".to_owned(),
            wait_reason: Some((*question).to_owned()),
            outbox_marker: None,
        };
        let session = session::update(&cursor, None).map_err(failure)?;
        Ok(json!({ "status": "asks", "question": question, "session": session }))
    }
}

fn answers() -> Result<Vec<Value>, Failure> {
    match state::get(ANSWERS, None) {
        Ok(stored) => match parse(stored.as_bytes()) {
            Ok(Value::Array(answers)) => Ok(answers),
            _ => Err(Failure::new("bad_state", "the stored answers are no list")),
        },
        Err(IfaceError::NotFound) => Ok(Vec::new()),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: IfaceError) -> Failure {
    Failure::new("host", error.name())
}

node_kit::export!(WaitingBot);
