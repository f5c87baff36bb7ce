//! `pack verify`: what a pack is worth by the keys that are configured.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::report;
use crate::config::RunnerConfig;
use crate::error::{Code, Error, Result};
use crate::pack::{self, LoadOptions, Pack};
use crate::trust::{Check, Signed, StatedOrigin, Strictness, TrustPolicy, Verification};

/// Say whether a host would accept a pack, and what of it was verified
///
/// Nothing of the pack runs. Keys and strictness are those of the environment (PACK_PUBLIC_KEY, PACK_VERIFY_STRICT)
/// unless options say otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 accepted, 1 refused, 2 usage or no pack.")]
pub(in crate::cli) struct Args {
    /// The pack: a .gtpack, a directory, an index.ygtc or a .wasm
    pack: PathBuf,
    /// A public key that counts, as `pack keygen` prints it; several with several --key [default: $PACK_PUBLIC_KEY]
    #[arg(long, value_name = "[ID=]KEY")]
    key: Vec<String>,
    /// The digest that an index states for the pack
    #[arg(long, value_name = "sha256:HEX")]
    digest: Option<String>,
    /// The signature that an index states for the pack
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Refuse a pack that none of the keys signed, as with PACK_VERIFY_STRICT=1
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let policy = policy(args)?;
    let looking = LoadOptions { keep_going: true, ..LoadOptions::default() };
    let pack = pack::load(&args.pack, &looking)?;
    let stated = StatedOrigin { digest: args.digest.clone(), signature: args.signature.clone() };
    let judgement = pack.judge(&policy, Some(&stated));
    // No host loads such a pack, whatever it wants of packs.
    let differs = pack.faults.iter().find(|fault| fault.code() == Code::SbomMismatch);
    let refusal = judgement.refusal.as_ref().or(differs);
    if args.json {
        let out = json!({
            "accepted": refusal.is_none(),
            "pack_id": &*pack.id,
            "version": pack.version.to_string(),
            "digest": pack.digest.to_string(),
            "verification": judgement.verification,
            "refusal": refusal.map(report::error_json),
            "note": judgement.note.as_ref().map(report::error_json),
        });
        report::data(&report::json_text(&out))?;
    } else {
        report::data(&text(&pack, &judgement.verification, refusal.is_none()))?;
        judgement.note.iter().for_each(report::warn);
        refusal.into_iter().for_each(report::print);
    }
    Ok(if refusal.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn policy(args: &Args) -> Result<TrustPolicy> {
    let mut policy = RunnerConfig::from_env()?.trust;
    if !args.key.is_empty() {
        policy.keys = TrustPolicy::read_keys(&args.key.join(","))
            .map_err(|errors| Error::from_many(Code::KeyInvalid, "keys cannot be used", errors))?;
    }
    if args.strict {
        policy.strictness = Strictness::Strict;
    }
    Ok(policy)
}

fn text(pack: &Pack, verification: &Verification, accepted: bool) -> String {
    let Verification { strict, digest, index_signature, pack_signature, sbom, certificate } = verification;
    let mut out = format!("{} {}  {}\n", pack.id, pack.version, pack.digest);
    let mut line = |what: &str, how: String| {
        let _ = writeln!(out, "  {what:<18} {how}");
    };
    line("stated digest", check(*digest).to_owned());
    line("index signature", signed(index_signature));
    line("pack signature", signed(pack_signature));
    line("bill of materials", check(*sbom).to_owned());
    if let Some(certificate) = certificate {
        let key = certificate.key_fingerprint.as_deref().and_then(|print| print.get(..16)).unwrap_or("of another kind");
        line("certificate", format!("for {}, key {key}; it proves nothing", certificate.subject));
    }
    line("verification", if *strict { "strict" } else { "not strict" }.to_owned());
    out + if accepted { "accepted" } else { "refused" }
}

fn check(check: Check) -> &'static str {
    match check {
        Check::Absent => "none",
        Check::Matches => "matches",
        Check::Differs => "DIFFERS",
    }
}

fn signed(signed: &Signed) -> String {
    match signed {
        Signed::Absent => "none".to_owned(),
        Signed::Unchecked => "not checked: no key is configured".to_owned(),
        Signed::Valid { key } => format!("valid, by the key {key}"),
        Signed::UnknownKey => "by a key that is not configured".to_owned(),
        Signed::Invalid => "NOT VALID".to_owned(),
    }
}
