//! `check`: would these components and packs run on this host?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::capabilities::grants::Grant;
use crate::check::{self, Against, Options, Style};
use crate::cli::report;
use crate::cli::sources::{ComponentArgs, read_bindings, read_file};
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};

/// Tell whether components and packs would run on this host, and everything that is in the way
///
/// Nothing is run. Exit codes: 0 no errors and no warnings, 1 some, 2 a target could not be checked (the others are).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner check my.wasm
  greentic-runner check dist/ --format junit --output check.xml
  greentic-runner check acme.gtpack --bindings acme.yaml
  greentic-runner check --bindings acme.yaml --bindings acme.gtbind   the pack that the second file names
  greentic-runner check my.wasm --against surface-0.1.json    what an upgrade would break for it
  greentic-runner check --against surface-0.1.json            what has changed in the host

Every finding has a code; docs/errors explains each.")]
pub(super) struct Args {
    /// Components (.wasm, .wat), packs (.gtpack, .ygtc, directories), or directories that hold several of them
    #[arg(value_name = "TARGET", required_unless_present_any = ["against", "bindings"])]
    targets: Vec<PathBuf>,
    /// How to write the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Write the report to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Grant these and no others: state, session, kv, telemetry, http; `none` for none [default: all]
    #[arg(long, value_name = "GRANT", value_delimiter = ',', conflicts_with = "bindings")]
    grant: Option<Vec<String>>,
    /// Take grants and limits from a tenant's bindings; with a .gtbind file packs must be the one that it names, which is
    /// checked if there is no TARGET. May be given several times, for one tenant
    #[arg(long, value_name = "FILE")]
    bindings: Vec<PathBuf>,
    /// Compare with a surface that `surface --format json` has recorded
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    components: ComponentArgs,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One object, as docs/check.schema.json says
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

pub(super) fn run(args: &Args, verbose: bool) -> Result<ExitCode> {
    let against = args.against.as_deref().map(recorded).transpose()?;
    let options = options(args)?;
    let bound = options.bound.as_ref().and_then(|bound| bound.locator.as_ref());
    let named: &[PathBuf] = match bound {
        Some(named) if args.targets.is_empty() => std::slice::from_ref(named),
        _ => &args.targets,
    };
    if named.is_empty() && against.is_none() {
        return Err(Error::new(Code::Usage, "nothing is given to check")
            .hint("give TARGETs, or a .gtbind file with a pack_locator to --bindings"));
    }
    let checked = check::check(named, &options, against.as_ref())?;
    let colored = args.output.is_none() && report::is_colored(&std::io::stdout());
    let text = match args.format {
        Format::Text => check::text(&checked, Style { colored, verbose }),
        Format::Json => {
            let value = serde_json::to_value(&checked);
            report::json_text(&value.map_err(|e| Error::new(Code::Internal, format!("the report is no JSON: {e}")))?)
        }
        Format::Junit => check::junit(&checked)?,
        Format::Sarif => report::json_text(&check::sarif(&checked)),
    };
    match &args.output {
        None => report::data(text.trim_end())?,
        Some(file) => write(file, &text)?,
    }
    Ok(ExitCode::from(checked.exit_code()))
}

fn recorded(file: &Path) -> Result<Against> {
    Against::read(&read_file(file)?).map_err(|error| error.in_file(file))
}

fn options(args: &Args) -> Result<Options> {
    let mut options = Options { load: args.components.options()?, ..Options::default() };
    if let Some(config) = tenant(&args.bindings)? {
        config.notes().iter().for_each(|note| report::say(&format!("note: {note}")));
        (options.grants, options.limits) = (config.grants(), config.limits());
        options.bound = config.pack_binding().cloned();
        options.timers = config.timers().to_vec();
    }
    if let Some(names) = &args.grant {
        let named = names.iter().filter(|name| *name != "none").map(|name| grant(name));
        options.grants = named.collect::<Result<_>>()?;
    }
    Ok(options)
}

/// The one tenant of whom bindings speak.
fn tenant(files: &[PathBuf]) -> Result<Option<HostConfig>> {
    let mut configs = read_bindings(files)?;
    let config = configs.pop();
    if let (Some(config), Some(other)) = (&config, configs.pop()) {
        let message =
            format!("the bindings are for several tenants, among them {} and {}", other.tenant(), config.tenant());
        return Err(Error::new(Code::Usage, message).hint("check for one tenant at a time"));
    }
    Ok(config)
}

fn grant(name: &str) -> Result<Grant> {
    Grant::ALL.into_iter().find(|grant| grant.name() == name).ok_or_else(|| {
        let known: Vec<_> = Grant::ALL.iter().map(|grant| grant.name()).collect();
        Error::new(Code::Usage, format!("there is no grant {:?}", crate::id::clip(name)))
            .hint(format!("the grants are {}; `none` grants nothing", known.join(", ")))
    })
}

fn write(file: &Path, text: &str) -> Result<()> {
    let text = format!("{}\n", text.trim_end());
    std::fs::write(file, text).map_err(|error| {
        Error::new(Code::Io, format!("cannot write the report: {error}")).in_file(file).hint("choose another --output")
    })
}
