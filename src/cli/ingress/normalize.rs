//! `ingress normalize`: what adapters make of recorded requests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::{NowArgs, files};
use crate::cli::report;
use crate::error::{Code, Error, Kind as Fault, Result};
use crate::id::{self, Id};
use crate::ingress::Channel;
use crate::probe::{self, Kind, Normalized, normalize};

/// Print what an adapter makes of recorded requests, as a JSON array of {file, disposition, envelopes}
///
/// Nothing is verified, and no secret is needed: the channel is opened with `insecure: true`. Whatever the host makes
/// unique to a request is made of the file here, so that the same file always gives the same. Exit codes: 0 all files are
/// usable, 1 the adapter refuses some, 2 some cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner ingress normalize telegram update.json
  greentic-runner ingress normalize slack-interactive --tenant acme click.form
  greentic-runner ingress normalize telegram --config '{\"bot_id\": \"999\"}' update.json   knows its own messages
  cat event.json | greentic-runner ingress normalize slack -

Files hold a request's body as it is sent; those of webhook hold {method, path, headers, body}, where a body that is a text
is sent as it stands (body_base64 holds bytes). Of webex, NAME.fetched.json beside NAME.json holds what Webex answers when
it is asked for what NAME.json announces.

Dispositions: message, its envelopes in their order; ack_ignore, acknowledged and dropped, with the reason; handshake,
answered at once, with the answer; refused, with the error. docs/envelope.schema.json describes envelopes.")]
pub(in crate::cli) struct Args {
    /// The adapter, or the kind of request
    #[arg(value_name = "ADAPTER")]
    kind: Kind,
    /// The tenant that the requests are for
    #[arg(long, value_name = "TENANT", default_value = "demo")]
    tenant: String,
    /// The `config` of the tenant's binding, as JSON: who the bot is (bot_id, app_id), and what else decides
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Add by what repetitions are recognised, and the sessions as they are stored
    #[arg(long)]
    details: bool,
    #[command(flatten)]
    now: NowArgs,
    /// Files with requests; - reads stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let tenant = id::parse("tenant", &args.tenant)?;
    let config = args.config.as_deref().map_or_else(|| Ok(Map::new()), config)?;
    let channel = args.kind.open(&tenant, &config)?;
    let mut worst = 0;
    let mut printed = Vec::new();
    for file in &args.files {
        let (shown, exit) = shown(args, &*channel, &tenant, file);
        worst = worst.max(exit);
        printed.push(shown);
    }
    report::data(&report::json_text(&Value::Array(printed)))?;
    Ok(ExitCode::from(worst))
}

fn config(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|e| {
        Error::new(Code::InvalidJson, format!("--config is no JSON object: {e}")).hint("as '{\"bot_id\": \"999\"}'")
    })
}

/// What is printed of a file, and the exit code that it asks for.
fn shown(args: &Args, channel: &dyn Channel, tenant: &Id, file: &Path) -> (Value, u8) {
    let name = file.display().to_string();
    let refused = |error: &Error, exit: u8| {
        (json!({"file": name, "disposition": "refused", "envelopes": [], "error": report::error_json(error)}), exit)
    };
    let recording = match files::read(args.kind, file) {
        Ok(recording) => recording,
        Err(error) => return refused(&error, 2),
    };
    let context = probe::normalize::context(tenant, args.now.now(), &recording);
    match normalize(channel, &context, &recording) {
        Ok(normalized) => (of_normalized(args.details, &name, &normalized), 0),
        Err(error) if error.code().kind() == Fault::Internal => refused(&error, 2),
        Err(error) => refused(&error, 1),
    }
}

fn of_normalized(details: bool, name: &str, normalized: &Normalized) -> Value {
    let messages = &normalized.messages;
    let envelopes: Vec<_> = messages.iter().map(|inbound| json!(inbound.envelope)).collect();
    let mut shown = Map::new();
    shown.insert("file".into(), name.into());
    shown.insert("disposition".into(), json!(normalized.disposition));
    shown.insert("envelopes".into(), envelopes.into());
    if let Some(reason) = normalized.reason {
        shown.insert("reason".into(), reason.into());
    }
    if let Some(answer) = &normalized.answer {
        let answer = json!({"status": answer.status, "content_type": answer.content_type, "body": answer.body});
        shown.insert("answer".into(), answer);
    }
    if details {
        let of = |of: fn(&crate::ingress::Inbound) -> Value| messages.iter().map(of).collect::<Vec<_>>();
        shown.insert("dedupe".into(), of(|inbound| json!(inbound.dedupe)).into());
        shown.insert("sessions".into(), of(|inbound| json!(&*inbound.session.stored())).into());
    }
    Value::Object(shown)
}
