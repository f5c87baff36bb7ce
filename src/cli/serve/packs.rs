//! Which tenants there are, and where their packs come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::Args;
use crate::cli::progress::Downloads;
use crate::cli::sources::read_bindings;
use crate::config::{HostConfig, RunnerConfig};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingest::Locator;
use crate::ingest::locator::Base;
use crate::reload::{PackSource, ReloadConfig};

/// What the reloader is told.
pub(super) fn reloading(args: &Args, env: &RunnerConfig, configs: &[HostConfig]) -> Result<ReloadConfig> {
    let source = source(args, env, configs)?;
    let mut config = match source {
        PackSource::Fixed(packs) => ReloadConfig::fixed(packs),
        PackSource::Index(locator) => {
            ReloadConfig { interval: Some(env.packs.refresh_interval), ..ReloadConfig::index(locator) }
        }
    };
    config.scheme = env.packs.source;
    config.allow_downgrade = args.allow_downgrade;
    config.state_dir = Some(args.data.dir());
    config.options = args.components.options()?;
    config.cache_dir = args.fetch.cache_dir();
    config.fetch = args.fetch.options();
    config.progress = Some(Arc::new(Downloads::on_stderr(false)));
    Ok(config)
}

/// `--pack` and `--index` say it; without both the environment does, and then bindings that name their packs.
fn source(args: &Args, env: &RunnerConfig, configs: &[HostConfig]) -> Result<PackSource> {
    if let Some(index) = &args.index {
        if !args.pack.is_empty() {
            return Err(Error::new(Code::Usage, "--index and --pack are two ways to say which packs run")
                .hint("name the packs of --pack in the index, or leave --index out"));
        }
        return Locator::parse(index, &Base::here()?, env.packs.source).map(PackSource::Index);
    }
    let mut packs = assign(&args.pack, &configs.iter().map(HostConfig::tenant).collect::<Vec<_>>())?;
    if packs.is_empty()
        && let Some(index) = &env.packs.index
    {
        return Ok(PackSource::Index(index.clone()));
    }
    for config in configs {
        let bound = config.pack_binding().and_then(|bound| bound.locator.clone());
        if let Some(path) = bound.filter(|_| packs.iter().all(|(tenant, _)| tenant != config.tenant())) {
            packs.push((config.tenant().clone(), path));
        }
    }
    if packs.is_empty() {
        return Err(Error::new(Code::Usage, "neither an index nor a pack is given").hint(
            "give --index LOCATOR (or PACK_INDEX_URL), --pack PATH, or a .gtbind file with a pack_locator to --bindings",
        ));
    }
    Ok(PackSource::Fixed(packs))
}

/// The tenants.
pub(super) fn configs(files: &[PathBuf], default: &Id) -> Result<Vec<HostConfig>> {
    if files.is_empty() {
        return Ok(vec![HostConfig::for_tenant(default.clone())]);
    }
    read_bindings(files)
}

/// Which tenant gets which pack.
fn assign(packs: &[String], tenants: &[&Id]) -> Result<Vec<(Id, PathBuf)>> {
    let mut assigned: Vec<(Id, PathBuf)> = Vec::new();
    for pack in packs {
        let named = pack.split_once('=').filter(|(tenant, _)| tenants.iter().any(|id| &***id == *tenant));
        let (tenant, path) = match (named, tenants) {
            (Some((tenant, path)), _) => (Id::from(tenant), path),
            (None, [only]) => ((*only).clone(), pack.as_str()),
            (None, _) => {
                return Err(Error::new(Code::Usage, format!("--pack {pack} does not say which tenant it is for"))
                    .hint("with several tenants write --pack TENANT=PATH"));
            }
        };
        if assigned.iter().any(|(other, _)| *other == tenant) {
            return Err(Error::new(Code::Usage, format!("tenant {tenant} is given two packs"))
                .hint("a tenant serves one pack; give each pack a tenant of its own"));
        }
        assigned.push((tenant, path.into()));
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_find_their_tenants() {
        let (a, b) = (Id::from("a"), Id::from("b"));
        let of = |packs: &[&str], tenants: &[&Id]| {
            let packs: Vec<String> = packs.iter().map(|&s| s.to_owned()).collect();
            assign(&packs, tenants).map(|found| {
                found.iter().map(|(id, path)| format!("{id}:{}", path.display())).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(of(&["x"], &[&a]).unwrap(), "a:x");
        assert_eq!(of(&["dir/k=v.gtpack"], &[&a]).unwrap(), "a:dir/k=v.gtpack");
        assert_eq!(of(&["b=y", "a=x"], &[&a, &b]).unwrap(), "b:y a:x");
        for (packs, tenants) in [(&["x"][..], &[&a, &b][..]), (&["x", "y"], &[&a]), (&["a=x", "a=y"], &[&a, &b])] {
            assert_eq!(of(packs, tenants).unwrap_err().code(), Code::Usage);
        }
    }
}
