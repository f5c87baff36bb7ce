//! A chat on the terminal.

use std::io::ErrorKind;
use std::process::ExitCode;

use owo_colors::OwoColorize as _;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use serde_json::{Value, json};

use crate::cli::report;
use crate::error::{Code, Error, Kind, Result};
use crate::host::RunnerHost;
use crate::host::activity::part;
use crate::id::{self, Id};
use crate::run::event::{Event, FlowChoice, ReplyTo};
use crate::run::outcome::Status;
use crate::session::SessionKey;

/// Who talks to which flow.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) tenant: String,
    pub(super) session: String,
    pub(super) flow: Option<String>,
    pub(super) user: Option<String>,
}

/// The event of a message or another input.
pub(super) fn event(chat: &Chat, input: Value) -> Result<Event> {
    Ok(Event {
        tenant: id::parse("tenant", &chat.tenant)?,
        pack: None,
        flow: match &chat.flow {
            Some(flow) => FlowChoice::Id(id::parse("flow id", flow)?),
            None => FlowChoice::Default,
        },
        session: SessionKey::of([&chat.tenant, "session", &chat.session]),
        user: chat.user.as_deref().map(|user| part("user", user).map(Id::from)).transpose()?,
        provider: None,
        dedupe: Vec::new(),
        remember: None,
        input,
        reply_to: ReplyTo::Caller,
        correlation_id: uuid::Uuid::new_v4().to_string(),
    })
}

/// A reply as people read it: its text, else its JSON.
pub(super) fn reply_text(reply: &Value) -> String {
    match reply {
        Value::String(text) => text.clone(),
        other => other.get("text").and_then(Value::as_str).map_or_else(|| other.to_string(), str::to_owned),
    }
}

/// Talks until the end of the input (Ctrl-D) or Ctrl-C.
pub(super) async fn chat(host: &RunnerHost, chat: &Chat) -> Result<ExitCode> {
    report::say(&format!("{}", format_args!("session {}; Ctrl-D ends the chat", chat.session).dimmed()));
    let mut editor = Some(DefaultEditor::new().map_err(terminal)?);
    loop {
        let (typed, back) = read_line(editor.take()).await?;
        editor = Some(back);
        let text = match typed {
            Typed::Line(text) if text.trim().is_empty() => continue,
            Typed::Line(text) => text,
            Typed::Unreadable(note) => {
                report::warn(&note);
                continue;
            }
            Typed::End => break,
        };
        match say(host, chat, &text).await {
            Ok(()) => {}
            Err(error) if ends_chat(&error) => return Err(error),
            Err(error) => report::print(&error),
        }
    }
    report::say(&format!("go on later with --session {}", chat.session));
    Ok(ExitCode::SUCCESS)
}

async fn say(host: &RunnerHost, chat: &Chat, text: &str) -> Result<()> {
    let outcome = host.submit(event(chat, json!({ "text": text }))?).await?.outcome().await?;
    for reply in &outcome.replies {
        report::data(&format!("{} {}", "bot>".cyan(), reply_text(reply)))?;
        for button in buttons(reply) {
            report::data(&format!("     [{button}]"))?;
        }
    }
    if outcome.status == Status::Completed {
        report::say(&format!("{}", "(the flow is done; the next message starts it anew)".dimmed()));
    }
    Ok(())
}

fn buttons(reply: &Value) -> Vec<&str> {
    let Some(Value::Array(buttons)) = reply.get("buttons") else { return Vec::new() };
    buttons.iter().filter_map(|button| button.get("title")?.as_str()).collect()
}

/// What was typed.
#[derive(Debug)]
enum Typed {
    Line(String),
    /// What is no text; the next line may be.
    Unreadable(Error),
    End,
}

impl Typed {
    fn of(read: Result<String, ReadlineError>) -> Result<Self> {
        match read {
            Ok(line) => Ok(Self::Line(line)),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(Self::End),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                let note = Error::new(Code::RequestInvalid, "what was typed is not valid UTF-8, and was not sent");
                Ok(Self::Unreadable(note.hint("type it again in a terminal that is set to UTF-8")))
            }
            Err(error) => Err(terminal(error)),
        }
    }
}

/// Reads a line on a thread that may block; the editor comes back for the next one.
async fn read_line(editor: Option<DefaultEditor>) -> Result<(Typed, DefaultEditor)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut editor = match editor {
            Some(editor) => editor,
            None => DefaultEditor::new().map_err(terminal)?,
        };
        let typed = Typed::of(editor.readline("you> "))?;
        if let Typed::Line(line) = &typed {
            // A history that cannot be kept is no reason to stop.
            let _ = editor.add_history_entry(line);
        }
        Ok((typed, editor))
    });
    read.await.map_err(|e| Error::new(Code::Internal, format!("reading a line did not end well: {e}")))?
}

fn terminal(error: ReadlineError) -> Error {
    Error::new(Code::Io, format!("the terminal cannot be used: {error}")).hint("give the message with --input")
}

/// Whether an error ends a chat, rather than one message of it.
fn ends_chat(error: &Error) -> bool {
    matches!(error.code().kind(), Kind::Unavailable | Kind::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_does_not_end_the_chat() {
        let typed = |error| Typed::of(Err(error));
        let unreadable = typed(ReadlineError::from(ErrorKind::InvalidData)).unwrap();
        assert!(matches!(unreadable, Typed::Unreadable(_)), "{unreadable:?}");
        assert!(matches!(typed(ReadlineError::Eof), Ok(Typed::End)));
        assert!(matches!(typed(ReadlineError::Interrupted), Ok(Typed::End)));
        let broken = typed(ReadlineError::from(ErrorKind::BrokenPipe)).unwrap_err();
        assert!(broken.code() == Code::Io && broken.hint_text().is_some());
        assert!(matches!(Typed::of(Ok("hi".into())), Ok(Typed::Line(line)) if line == "hi"));
    }
}
