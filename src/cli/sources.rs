//! Where commands get packs, components and inputs from.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{GTBIND, HostConfig, RunnerConfig};
use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::pack::LoadOptions;

/// The largest input that is read, in bytes.
const INPUT: u64 = 8 << 20;

const READABLE: &str = "check the path, and that this user may read it";

/// Where components lie that a pack names but does not hold.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ComponentArgs {
    /// Look for components in this directory first (`<id>.wasm`, or `components/<id>.wasm`)
    #[arg(long, value_name = "DIR")]
    components_dir: Option<PathBuf>,
    /// Take components from the paths of this JSON file: {"<component id>": "<path>"}
    #[arg(long, value_name = "FILE")]
    components_map: Option<PathBuf>,
}

impl ComponentArgs {
    pub(super) fn options(&self) -> Result<LoadOptions> {
        let overrides = self.components_map.as_deref().map(read_map).transpose()?.unwrap_or_default();
        if let Some(dir) = self.components_dir.as_deref().filter(|dir| !dir.is_dir()) {
            let message = format!("the components directory {} is no directory that can be opened", dir.display());
            return Err(Error::new(Code::Io, message).hint("give --components-dir a directory with <id>.wasm files"));
        }
        Ok(LoadOptions { overrides, components_dir: self.components_dir.clone(), ..LoadOptions::default() })
    }
}

fn read_map(file: &Path) -> Result<BTreeMap<Id, PathBuf>> {
    let map: BTreeMap<String, PathBuf> = serde_json::from_slice(&read_file(file)?).map_err(|e| {
        Error::new(Code::InvalidJson, format!("the components map is not a JSON object of paths: {e}"))
            .in_file(file)
            .hint("it looks like {\"my-component\": \"./target/my_component.wasm\"}")
    })?;
    let base = file.parent().unwrap_or(Path::new(""));
    map.into_iter().map(|(id, path)| Ok((id::parse("component id", &id)?, base.join(path)))).collect()
}

/// Reads bindings and `.gtbind` files, which may speak of the same tenant.
pub(super) fn read_bindings(files: &[PathBuf]) -> Result<Vec<HostConfig>> {
    let (bound, files): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| file.extension().is_some_and(|extension| extension == GTBIND));
    let mut configs = files.into_iter().map(HostConfig::load_from_path).collect::<Result<Vec<_>>>()?;
    for config in HostConfig::from_gtbind(&bound)? {
        // Bindings of the same tenant say how events come in, the file which pack serves them.
        match (configs.iter_mut().find(|other| other.tenant() == config.tenant()), config.pack_binding()) {
            (Some(known), Some(binding)) => *known = known.clone().with_pack_binding(binding.clone()),
            _ => configs.push(config),
        }
    }
    Ok(configs)
}

/// The input of an event or a call.
#[derive(Debug, clap::Args)]
pub(super) struct InputArgs {
    /// The input as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "input_file")]
    input: Option<String>,
    /// Read the input from a JSON file; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
}

impl InputArgs {
    /// The input, if one was given.
    pub(super) fn read(&self) -> Result<Option<Value>> {
        let (bytes, origin) = match (&self.input, &self.input_file) {
            (Some(text), _) => (text.clone().into_bytes(), "--input".to_owned()),
            (None, Some(file)) => (read_input(file)?, file.display().to_string()),
            (None, None) => return Ok(None),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::new(Code::InvalidJson, format!("the input is not valid JSON: {e}"))
                .in_file(origin)
                .hint("give JSON, for a message for example '{\"text\": \"hello\"}'")
        })
    }
}

/// Reads a file; `-` reads stdin.
pub(super) fn read_input(file: &Path) -> Result<Vec<u8>> {
    if file.as_os_str() == "-" { read_limited(std::io::stdin().lock(), "-") } else { read_file(file) }
}

pub(super) fn read_file(file: &Path) -> Result<Vec<u8>> {
    let opened = std::fs::File::open(file)
        .map_err(|e| Error::new(Code::Io, format!("cannot open the file: {e}")).in_file(file).hint(READABLE))?;
    read_limited(opened, &file.display().to_string())
}

fn read_limited(from: impl std::io::Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(Code::Io, format!("cannot read the file: {e}")).in_file(name).hint(READABLE))?;
    if bytes.len() as u64 > INPUT {
        let error = Error::new(Code::TooLarge, format!("the file is larger than {} MiB", INPUT >> 20));
        return Err(error.in_file(name).hint("give a smaller one; large data belongs into assets of the pack"));
    }
    Ok(bytes)
}

/// Where events, sessions and state are kept.
#[derive(Debug, clap::Args)]
pub(super) struct DataArgs {
    /// Keep events, sessions and state in this directory [default: $GREENTIC_DATA_DIR, else ./.greentic]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataArgs {
    pub(super) fn dir(&self) -> PathBuf {
        RunnerConfig::data_dir_from_env(self.data_dir.as_deref())
    }
}
