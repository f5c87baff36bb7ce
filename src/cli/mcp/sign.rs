//! `mcp sign`: a signature beside a tool.

use std::path::PathBuf;
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::cli::report;
use crate::cli::sources::read_file;
use crate::error::{Code, Error, Result};
use crate::mcp::seal::SIGNATURE_SUFFIX;
use crate::pack::model::Digest;
use crate::trust::PrivateKey;

/// Sign a tool, so that tenants that trust the key may run it
///
/// The signature is over the tool's digest and is written beside it, as FILE.sig.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The tool: a .wasm
    tool: PathBuf,
    /// The private key, as `pack keygen` writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let pem = Zeroizing::new(read_file(&args.key)?);
    let key = PrivateKey::from_pem(str::from_utf8(&pem).unwrap_or_default()).map_err(|e| e.in_file(&args.key))?;
    let digest = Digest::of(&read_file(&args.tool)?);
    let mut name = args.tool.clone().into_os_string();
    name.push(SIGNATURE_SUFFIX);
    let path = PathBuf::from(name);
    std::fs::write(&path, format!("{}\n", key.sign_for_index(&digest.0)))
        .map_err(|e| Error::new(Code::Io, format!("it cannot be written: {e}")).in_file(&path))?;
    report::say(&format!("signed with the key {}", key.public().id()));
    report::data(&format!("{digest} {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
