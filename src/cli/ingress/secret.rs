//! Where a command gets the secret from that it signs with.

use std::io::Read as _;
use std::path::Path;

use crate::cli::sources::read_file;
use crate::error::{Code, Error, Result};
use crate::probe::Kind;
use crate::secret::Secret;

/// The longest secret, in bytes.
const LONGEST: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
pub(super) struct SecretArgs {
    /// The secret; @FILE reads it from a file, @- from stdin, @@… is one that begins with @ [default: the environment
    /// variable that the host reads, as SLACK_SIGNING_SECRET]
    #[arg(long, value_name = "SECRET", value_parser = hidden)]
    secret: Option<Secret>,
}

fn hidden(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

impl SecretArgs {
    /// The secret for a kind of request, if there is one.
    pub(super) fn read(&self, kind: Kind) -> Result<Option<Secret>> {
        let Some(given) = &self.secret else {
            return Ok(kind.secret_name().and_then(|name| std::env::var(name).ok()).map(Secret::new));
        };
        let text = match given.expose().strip_prefix('@') {
            None => return Ok(Some(given.clone())),
            Some(literal) if literal.starts_with('@') => return Ok(Some(Secret::new(literal))),
            Some("-") => read_stdin()?,
            Some(file) => read_file(Path::new(file))?,
        };
        let text =
            String::from_utf8(text).map_err(|_| Error::new(Code::SigningImpossible, "the secret is not UTF-8"))?;
        // A line end is the file's, and not the secret's.
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        Ok(Some(Secret::new(text)))
    }
}

/// That there is no secret for a kind of request.
pub(super) fn missing(kind: Kind) -> Error {
    let hint = match kind.secret_name() {
        Some(name) => format!("give --secret, or set {name}"),
        None => "give --secret".to_owned(),
    };
    Error::new(Code::Usage, "there is no secret to sign with").hint(hint)
}

fn read_stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|e| Error::new(Code::Io, format!("cannot read the secret: {e}")).hint("pipe it into stdin"))?;
    Ok(bytes)
}
