//! `pack keygen`: a key to sign packs with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::report;
use crate::error::{Code, Error, Result};
use crate::trust::PrivateKey;

/// Make a key to sign packs with
///
/// The private key is written in PKCS#8, as PEM, readable by this user only. Stdout holds the public key as
/// PACK_PUBLIC_KEY takes it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "pack-key.pem")]
    output: PathBuf,
    /// Write over a file that exists; what its key signed stays signed
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let key = PrivateKey::generate()?;
    write(key.to_pem()?.as_bytes(), &args.output, args.force)?;
    report::say(&format!(
        "the private key is in {}: keep it secret; its id is {}",
        args.output.display(),
        key.public().id()
    ));
    report::data(&key.public().to_string())
}

/// Writes a file that only this user may read, as a whole or not at all.
fn write(secret: &[u8], out: &Path, force: bool) -> Result<()> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let put = || -> std::io::Result<()> {
        // Temporary files are made with mode 0600, and keep it.
        let mut file = tempfile::Builder::new().prefix(".key-").tempfile_in(parent)?;
        file.write_all(secret)?;
        file.as_file().sync_all()?;
        let kept = if force { file.persist(out) } else { file.persist_noclobber(out) };
        kept.map(drop).map_err(|error| error.error)
    };
    put().map_err(|error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let hint = match exists {
            true => "name another file; --force writes over it, and the key in it is lost",
            false => "name a file in a directory that exists and that this user may write to",
        };
        Error::new(Code::Io, format!("the key cannot be written: {}", error.kind())).in_file(out).hint(hint)
    })
}
