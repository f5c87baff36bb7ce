//! `new`: first files for authors.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::author::{self, Language};
use crate::cli::report;
use crate::error::Result;

/// Write a first component in one of several languages
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write a component and a pack whose flow answers with it
    ///
    /// The component is a provider with two operations; the flow calls both when a chat message comes in.
    #[command(after_help = "\
Examples:
  greentic-runner new component --lang rust hello
  greentic-runner dev hello                        builds it and serves a chat page; changes are used at once")]
    Component {
        /// The language
        #[arg(long, value_enum)]
        lang: Language,
        /// What it is called: lower-case letters, digits and '-'
        name: String,
        /// The directory to write to [default: the name]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    let Command::Component { lang, name, dir } = command;
    let dir = dir.unwrap_or_else(|| PathBuf::from(&name));
    for file in author::new_component(&dir, &name, lang)? {
        report::data(&file.display().to_string())?;
    }
    report::say(&format!("try it: greentic-runner dev {}", dir.display()));
    Ok(ExitCode::SUCCESS)
}
