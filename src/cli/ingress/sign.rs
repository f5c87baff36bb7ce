//! `ingress sign`: the headers that a platform would send.

use std::path::PathBuf;
use std::process::ExitCode;

use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::secret::{self, SecretArgs};
use super::{NowArgs, files};
use crate::cli::report;
use crate::cli::sources::read_file;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::probe::sign::connector::{self, Connector};
use crate::probe::sign::{self, Headers, Scheme, Signed};
use crate::probe::{Kind, Recording};

/// Print the headers with which a platform would send a request, one on a line
///
/// The body is signed as its bytes stand in the file, so send exactly those.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner ingress sign slack --secret @secret.txt event.json
  greentic-runner ingress sign whatsapp delivery.json > headers.txt      by WHATSAPP_APP_SECRET
  curl -H @headers.txt --data-binary @delivery.json http://127.0.0.1:8080/whatsapp/webhook
  greentic-runner ingress sign webhook --scheme standard-webhooks --secret whsec_… request.json
  greentic-runner ingress sign teams --key key.pem --app-id APP activity.json

Requests of webchat are not signed. Teams takes a token by a key that the host has to be told to trust.")]
pub(in crate::cli) struct Args {
    /// The adapter, or the kind of request
    #[arg(value_name = "ADAPTER")]
    kind: Kind,
    #[command(flatten)]
    by: SigningArgs,
    #[command(flatten)]
    now: NowArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The file with the request; - reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// With what a request is signed.
#[derive(Debug, clap::Args)]
pub(super) struct SigningArgs {
    #[command(flatten)]
    pub(super) secret: SecretArgs,
    /// How a webhook is signed [default: standard-webhooks for secrets that begin with whsec_, else hmac-sha256]
    #[arg(long, value_enum, value_name = "SCHEME")]
    scheme: Option<SchemeName>,
    /// The message's id, which Standard Webhooks sign [default: made of the body]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The private RSA key in PEM that makes a token of Teams
    #[arg(long, value_name = "FILE", requires = "app_id", conflicts_with = "secret")]
    key: Option<PathBuf>,
    /// The App ID of the bot of Teams
    #[arg(long, value_name = "ID", requires = "key")]
    app_id: Option<String>,
    /// The id that the key of Teams is published under
    #[arg(long, value_name = "ID", default_value = "probe", requires = "key")]
    key_id: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemeName {
    /// `Authorization: Bearer SECRET`
    Bearer,
    /// `X-Hub-Signature-256`, over the body
    HmacSha256,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`
    StandardWebhooks,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Self {
        match name {
            SchemeName::Bearer => Self::Bearer,
            SchemeName::HmacSha256 => Self::HmacSha256,
            SchemeName::StandardWebhooks => Self::Standard,
        }
    }
}

impl SigningArgs {
    /// The headers for a request. None if there is nothing to sign with.
    pub(super) fn headers(&self, kind: Kind, recording: &Recording, now: Timestamp) -> Result<Option<Headers>> {
        self.check(kind)?;
        if let (Some(key), Some(app_id)) = (&self.key, &self.app_id) {
            let key = read_file(key)?;
            let connector = Connector { key: &key, key_id: &self.key_id, app_id };
            return connector::sign(&connector, now, &recording.body).map(Some);
        }
        let Some(secret) = self.secret.read(kind)? else { return Ok(None) };
        let scheme = self.scheme.map(Scheme::from);
        let signed = Signed { kind, scheme, body: &recording.body, id: self.id.as_deref(), now };
        sign::sign(&signed, &secret).map(Some)
    }

    /// Options that would do nothing are refused.
    fn check(&self, kind: Kind) -> Result<()> {
        let stray = match kind {
            Kind::Webhook => self.key.is_some().then_some("--key"),
            Kind::Teams => (self.scheme.is_some() || self.id.is_some()).then_some("--scheme or --id"),
            _ if self.scheme.is_some() || self.id.is_some() => Some("--scheme or --id"),
            _ => self.key.is_some().then_some("--key"),
        };
        match stray {
            None => Ok(()),
            Some(option) => Err(Error::new(Code::Usage, format!("{kind} does not take {option}"))
                .hint("--scheme and --id are for webhook, --key is for teams")),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let recording = files::read(args.kind, &args.file)?;
    let Some(headers) = args.by.headers(args.kind, &recording, args.now.now())? else {
        sign::takes_secret(args.kind)?;
        return Err(secret::missing(args.kind));
    };
    let content_type = recording.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(|value| ("Content-Type", value.to_owned()));
    let all = content_type.into_iter().chain(headers);
    if args.json {
        let object: Map<String, Value> = all.map(|(name, value)| (name.to_owned(), value.into())).collect();
        report::data(&report::json_text(&Value::Object(object)))?;
    } else {
        let lines: Vec<_> = all.map(|(name, value)| format!("{name}: {value}")).collect();
        report::data(&lines.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
