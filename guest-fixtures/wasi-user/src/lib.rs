//! A node that uses what WASI has for it: it prints, reads variables, and reads files.

use node_kit::{Failure, Operation, Operations, Value, json, number, text};
use wasip2::cli::environment::get_environment;
use wasip2::cli::stderr::get_stderr;
use wasip2::cli::stdout::get_stdout;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip2::io::streams::OutputStream;

/// Bytes that are written at once, or read of a file.
const PIECE: usize = 4096;

struct WasiUser;

impl Operations for WasiUser {
    const NAME: &'static str = "wasi-user";
    const ALL: &'static [Operation] = &[
        ("print", "Prints `text` as a line to the standard output, `times` times"),
        ("complain", "Prints `text` as a line to the standard error"),
        ("env", "Answers all variables"),
        ("print-env", "Prints the value of the variable `name`"),
        ("read", "Answers the text of the file `path` in the first directory that it was given"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "print" => {
                let (text, times) = (text(&input, "text")?, number(&input, "times", 1));
                (0..times).try_for_each(|_| write(&get_stdout(), text))?;
                Ok(json!({ "printed": times }))
            }
            "complain" => write(&get_stderr(), text(&input, "text")?).map(|()| json!({})),
            "env" => {
                let all = get_environment().into_iter().map(|(name, value)| json!({ "name": name, "value": value }));
                Ok(json!({ "env": all.collect::<Vec<_>>() }))
            }
            "print-env" => {
                let name = text(&input, "name")?;
                let value = get_environment().into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
                write(&get_stdout(), &format!("{name} is {}", value.unwrap_or_default())).map(|()| json!({}))
            }
            _ => read(text(&input, "path")?),
        }
    }
}

fn write(stream: &OutputStream, text: &str) -> Result<(), Failure> {
    let line = format!("{text}\n");
    let mut pieces = line.as_bytes().chunks(PIECE);
    let written = pieces.try_for_each(|piece| stream.blocking_write_and_flush(piece));
    written.map_err(|error| Failure::new("unwritten", format!("{error:?}")))
}

fn read(path: &str) -> Result<Value, Failure> {
    let Some((root, _)) = get_directories().into_iter().next() else {
        return Err(Failure::new("no_files", "no directory was given"));
    };
    let read = root
        .open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)
        .and_then(|file| file.read(PIECE as u64, 0))
        .map_err(|code| Failure::new("refused", code.name()))?;
    Ok(json!({ "text": String::from_utf8_lossy(&read.0) }))
}

node_kit::export!(WasiUser);
