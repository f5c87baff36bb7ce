//! `ingress fuzz`: inputs that break what adapters promise.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::files;
use crate::cli::report;
use crate::error::{Code, Error, Result};
use crate::probe::fuzz::{self, Broken, Effort, Failure, Target};
use crate::probe::{Form, Kind, Recording, samples};

/// Change samples of requests until an adapter breaks what adapters promise
///
/// Fields are dropped, doubled, retyped, deepened, lengthened and exchanged, texts and numbers made difficult, bytes
/// flipped. Checked is that an adapter does not panic, is quick and always gives the same; that envelopes keep to their
/// schema and bounds and are read back as they were; that nobody shares a session with somebody else; that no forged
/// request is let in. Exit codes: 0 nothing was found, 1 a promise is broken; stdout then holds the files that break it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner ingress fuzz telegram --seconds 60
  greentic-runner ingress fuzz slack --seconds 600 --corpus recordings/slack --out findings
  greentic-runner ingress fuzz webhook --inputs 100000 --seed 7      the same inputs every time
  greentic-runner ingress fuzz telegram --replay findings/telegram-panic-1f2e3d4c.json")]
pub(in crate::cli) struct Args {
    /// The adapter, or the kind of request
    #[arg(value_name = "ADAPTER")]
    kind: Kind,
    /// How long to go on [default: 10, unless --inputs is given]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// How many inputs to try
    #[arg(long, value_name = "N")]
    inputs: Option<u64>,
    /// What the inputs follow from, together with the samples [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Begin with the requests in this directory as well
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Write what breaks a promise to this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Try these requests instead, and no others
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["seconds", "inputs", "seed", "corpus"])]
    replay: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let target = Target::of_kind(args.kind)?;
    if !args.replay.is_empty() {
        return replay(args, &target);
    }
    let mut inputs: Vec<Recording> = samples::of(args.kind)?.into_iter().map(|sample| sample.recording).collect();
    if let Some(dir) = &args.corpus {
        inputs.extend(files::read_dir(args.kind, dir)?);
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let seconds = args.seconds.or_else(|| args.inputs.is_none().then_some(10));
    let effort = Effort { time: seconds.map(Duration::from_secs), inputs: args.inputs };
    let began = Instant::now();
    let found = fuzz::run(&target, &inputs, seed, effort)?;
    let seconds = began.elapsed().as_secs_f64();
    report::say(&format!(
        "{}: {} inputs, of which {} are messages, in {seconds:.1} s (--seed {seed})",
        args.kind, found.inputs, found.messages
    ));
    match found.failure {
        None => Ok(ExitCode::SUCCESS),
        Some(failure) => {
            report::say(&format!("made smaller: {} bytes of {}", failure.bytes(), failure.found_bytes));
            let files = written(args, &failure)?;
            files.iter().try_for_each(|file| report::data(&file.display().to_string()))?;
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            let hint = format!("greentic-runner ingress fuzz {} --replay {}", args.kind, names.join(" "));
            Err(broken(&failure.broken, args.kind).hint(hint))
        }
    }
}

fn broken(broken: &Broken, kind: Kind) -> Error {
    Error::new(Code::PromiseBroken, format!("{kind} breaks a promise: {}: {}", broken.promise, broken.how))
}

fn replay(args: &Args, target: &Target) -> Result<ExitCode> {
    let inputs = args.replay.iter().map(|file| files::read(args.kind, file)).collect::<Result<Vec<_>>>()?;
    match fuzz::replay(target, &inputs)? {
        Some(found) => Err(broken(&found, args.kind).hint("mend the adapter, and keep the file as a test")),
        None => {
            report::say(&format!("{}: no promise is broken", args.kind));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes the requests into files that `--replay` and `ingress normalize` read.
fn written(args: &Args, failure: &Failure) -> Result<Vec<PathBuf>> {
    let cannot = |error: std::io::Error| {
        Error::new(Code::Io, format!("cannot write what was found: {error}"))
            .in_file(&args.out)
            .hint("give --out a directory that can be written to")
    };
    std::fs::create_dir_all(&args.out).map_err(cannot)?;
    let write = |recording: &Recording| {
        let form = args.kind.form();
        let bytes = match form {
            Form::Described => format!("{:#}\n", recording.description()).into_bytes(),
            _ => recording.body.clone(),
        };
        let digest = blake3::hash(&bytes).to_hex();
        let (short, _) = digest.split_at(8);
        let name = format!("{}-{}-{short}.{}", args.kind, failure.broken.promise.word(), form.extension());
        let file = args.out.join(name);
        std::fs::write(&file, &bytes).map_err(cannot)?;
        if let Some(fetched) = &recording.fetched {
            std::fs::write(files::fetched_name(&file), fetched).map_err(cannot)?;
        }
        Ok(file)
    };
    failure.recordings.iter().map(write).collect()
}
