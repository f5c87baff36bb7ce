//! Errors and results as people and programs read them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use crate::error::{Code, Error, Kind, Result};

/// The exit code that an error stands for.
pub(super) fn exit_code(error: &Error) -> ExitCode {
    match error.code().kind() {
        Kind::BadInput => ExitCode::from(2),
        Kind::Failed | Kind::Unavailable | Kind::Internal => ExitCode::from(1),
    }
}

/// Whether output there is to be in colour: on a terminal, unless `NO_COLOR` and its like say otherwise.
pub(super) fn is_colored(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Prints an error to stderr, in colour on a terminal.
pub(super) fn print(error: &Error) {
    // Nothing can be done about a stderr that is closed.
    let _ = anstream::stderr().write_all(render(error).as_bytes());
}

/// Prints a note that does not fail the command.
pub(super) fn warn(note: &Error) {
    let _ = anstream::stderr().write_all(render_as(note, &"warning".yellow().bold().to_string(), 0).as_bytes());
}

fn render(error: &Error) -> String {
    render_as(error, &"error".red().bold().to_string(), 0)
}

fn render_as(error: &Error, label: &str, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let mut out = format!("{indent}{label}[{}]: {}\n", error.code(), error.message());
    if let Some(location) = error.location() {
        let _ = writeln!(out, "{indent}  {} {location}", "at".dimmed());
    }
    for detail in error.details() {
        out.push_str(&render_as(detail, &"finding".cyan().to_string(), depth + 1));
    }
    if let Some(hint) = error.hint_text() {
        let _ = writeln!(out, "{indent}  {} {hint}", "hint:".green());
    }
    out
}

/// An error as the JSON outputs show it.
pub(super) fn error_json(error: &Error) -> Value {
    let mut out = json!({ "code": error.code().to_string(), "message": error.message() });
    if let Some(map) = out.as_object_mut() {
        if let Some(hint) = error.hint_text() {
            map.insert("hint".to_owned(), hint.into());
        }
        if let Some(location) = error.location() {
            map.insert("location".to_owned(), location.to_string().into());
        }
        if !error.details().is_empty() {
            map.insert("details".to_owned(), error.details().iter().map(error_json).collect());
        }
    }
    out
}

/// Prints a line of data to stdout. A closed pipe ends the output, not the command.
pub(super) fn data(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::Io, format!("cannot write to stdout: {error}"))
                .hint("see that what stdout leads to is open and has room"))
        }
        _ => Ok(()),
    }
}

/// Prints a line for people to stderr.
pub(super) fn say(line: &str) {
    // Nothing can be done about a stderr that is closed.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// JSON as it is printed: indented for people, on one line otherwise.
pub(super) fn json_text(value: &Value) -> String {
    format!("{value:#}")
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = ((u128::from(bytes) * 10) >> 10, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths >>= 10;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS.get(unit).unwrap_or(&"TiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
