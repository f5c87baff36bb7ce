//! `pack sign`: a signature into an archive.

use std::path::PathBuf;

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::report;
use crate::cli::sources::read_file;
use crate::error::{Code, Error, Result};
use crate::pack;
use crate::trust::PrivateKey;

/// Sign an archive, so that hosts with the public key accept it
///
/// The signature is written into the archive and covers every file of it. An archive that is not what its bill of
/// materials says is refused. With the same key and the time in SOURCE_DATE_EPOCH (seconds since 1970; the time now
/// unless set) the same archive gives the same bytes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pack: a .gtpack
    pack: PathBuf,
    /// The private key, as `pack keygen` writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The file to write [default: the pack itself]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Certificates in PEM to go with the signature, the key's own first; they are for people, hosts do not believe them
    #[arg(long, value_name = "PEM")]
    chain: Option<PathBuf>,
    /// Print JSON: digest and signature as the entry of an index states them
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let key = private_key(args)?;
    let chain = args.chain.as_deref().map(read_file).transpose()?;
    let out = args.output.as_deref().unwrap_or(&args.pack);
    let signed = pack::sign(&args.pack, &key, chain.as_deref(), time()?, out)?;
    pack::findings(&signed.pack).iter().for_each(report::warn);
    if args.json {
        let out = json!({
            "path": out.display().to_string(),
            "size": signed.size,
            "digest": signed.digest.to_string(),
            "signature": signed.index_signature,
            "key": key.public().id(),
            "public_key": key.public().to_string(),
        });
        return report::data(&report::json_text(&out));
    }
    report::say(&format!("signed with the key {}", key.public().id()));
    report::data(&format!("{} {}", signed.digest, out.display()))
}

fn private_key(args: &Args) -> Result<PrivateKey> {
    let bytes = Zeroizing::new(read_file(&args.key)?);
    let text = str::from_utf8(&bytes).unwrap_or_default();
    PrivateKey::from_pem(text).map_err(|error| error.in_file(&args.key))
}

/// When the signature says that it was made.
fn time() -> Result<jiff::Timestamp> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
        let now = jiff::Timestamp::now();
        return Ok(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now));
    };
    let seconds = text.to_str().and_then(|text| text.trim().parse().ok());
    seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).ok_or_else(|| {
        Error::new(Code::EnvInvalid, "the environment variable SOURCE_DATE_EPOCH is no time")
            .hint("give seconds since 1970, or unset it")
    })
}
