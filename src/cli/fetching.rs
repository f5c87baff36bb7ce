//! What commands that fetch have in common.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::progress::Downloads;
use crate::config::PackSettings;
use crate::error::Result;
use crate::ingest::{Cache, FetchOptions, Fetcher};
use crate::net::AllowedHost;

/// Where fetched packs are kept.
#[derive(Debug, Default, clap::Args)]
pub(super) struct CacheArgs {
    /// Keep fetched packs in this directory [default: $PACK_CACHE_DIR, else ./.packs]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl CacheArgs {
    pub(super) fn dir(&self) -> PathBuf {
        self.cache_dir.clone().unwrap_or_else(PackSettings::cache_dir_from_env)
    }

    pub(super) fn open(&self) -> Result<Cache> {
        Cache::open(&self.dir(), Cache::DEFAULT_MAX_BYTES)
    }
}

/// How packs are fetched.
#[derive(Debug, Default, clap::Args)]
pub(super) struct FetchArgs {
    #[command(flatten)]
    cache: CacheArgs,
    /// Allow http:// with other hosts than this machine
    #[arg(long)]
    allow_http: bool,
    /// Let a remote index or a redirect name this host, address or network (10.0.0.0/8) although it is not public; `any`
    /// allows all
    #[arg(long, value_name = "HOST", value_parser = private)]
    allow_private: Vec<Private>,
    /// Fetch nothing: use what was fetched before
    #[arg(long)]
    offline: bool,
}

#[derive(Clone, Debug)]
enum Private {
    Any,
    Host(AllowedHost),
}

fn private(text: &str) -> Result<Private, String> {
    if text == "any" { Ok(Private::Any) } else { text.parse().map(Private::Host) }
}

impl FetchArgs {
    /// A fetcher into the chosen cache, which tells on a terminal how far it is.
    pub(super) fn fetcher(&self, json: bool) -> Result<Fetcher> {
        let progress = Arc::new(Downloads::on_stderr(json));
        Fetcher::with_progress(self.cache.open()?, self.options(), progress)
    }

    /// Where fetched packs are kept.
    pub(super) fn cache_dir(&self) -> PathBuf {
        self.cache.dir()
    }

    /// The chosen options.
    pub(super) fn options(&self) -> FetchOptions {
        let allowed_hosts = self.allow_private.iter().filter_map(|private| match private {
            Private::Host(host) => Some(host.clone()),
            Private::Any => None,
        });
        FetchOptions {
            allow_http: self.allow_http,
            allow_private: self.allow_private.iter().any(|private| matches!(private, Private::Any)),
            allowed_hosts: allowed_hosts.collect(),
            offline: self.offline,
            netrc: FetchOptions::user_netrc(),
            ..FetchOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        fetch: FetchArgs,
    }

    fn options(args: &[&str]) -> Result<FetchOptions, clap::Error> {
        Line::try_parse_from([&["x"], args].concat()).map(|line| line.fetch.options())
    }

    #[test]
    fn what_is_not_allowed_is_denied() {
        let usual = options(&[]).unwrap();
        assert!(!usual.allow_http && !usual.allow_private && !usual.offline && usual.allowed_hosts.is_empty());
        let open =
            options(&["--allow-http", "--allow-private", "10.0.0.0/8", "--allow-private", "a.internal"]).unwrap();
        assert!(open.allow_http && !open.allow_private);
        assert_eq!(
            open.allowed_hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/8", "a.internal"]
        );
        assert!(options(&["--allow-private", "any", "--offline"]).unwrap().allow_private);
        assert!(options(&["--allow-private", "a b"]).is_err());
    }
}
