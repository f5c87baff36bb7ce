//! `dev`: an author's directory, built, checked and served with a chat page, again after each change.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use owo_colors::OwoColorize as _;

use crate::author::watch::{self, Sources};
use crate::author::{self, Built, Project};
use crate::cli::page::{Page, PageArgs};
use crate::cli::report;
use crate::cli::serve::stopped;
use crate::engine::EngineOptions;
use crate::error::{Code, Error, Result};
use crate::flow::model::FlowState;
use crate::host::RunnerHost;
use crate::id::Id;
use crate::pack::LoadOptions;
use crate::tenant::{Loaded, load};
use crate::watch::Watcher;

/// Work on a pack of sources: build, check and run it, again after each change
///
/// Serves a chat page on this machine only. When a file changes, the components whose sources changed are built, the
/// pack is checked and put in the place of the one that runs; conversations go on. If anything is wrong, it is said and
/// what ran before goes on running. What components log is on stderr, beside what their builds say.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stdout holds the page's URL, and then a line for each version: `loaded PACK VERSION DIGEST`, or `failed CODE`.")]
pub(super) struct Args {
    /// The directory with build.yaml and flows
    dir: PathBuf,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    Project::open(&args.dir)?;
    // What was compiled once need not be compiled again by the next `dev`: some languages bring large engines along.
    let engine = EngineOptions { artifact_dir: Some(args.dir.join("build/compiled")), ..EngineOptions::default() };
    let page = Page::open(&args.page, "dev", engine, None).await?;
    page.host.start().await?;
    page.invite("Talk to the flow, and see its run:")?;
    let session = Session { dir: args.dir, host: Arc::clone(&page.host), tenant: page.tenant, seen: None };
    let result = tokio::select! {
        error = session.work(Watcher::new()?) => error.map(|never| match never {}),
        () = page.server.run(stopped()) => Ok(ExitCode::SUCCESS),
    };
    page.host.stop().await?;
    result
}

/// The work on one directory.
struct Session {
    dir: PathBuf,
    host: Arc<RunnerHost>,
    tenant: Id,
    /// What the directory held when the last version was made.
    seen: Option<Sources>,
}

impl Session {
    /// Makes a version of what is there, and another one whenever it changes. Ends only if changes cannot be seen.
    async fn work(mut self, mut watcher: Watcher) -> Result<Infallible> {
        loop {
            let dir = self.dir.clone();
            let look = on_a_thread(move || Look::at(&dir, watcher)).await??;
            let (project, now) = (look.project, look.now);
            watcher = look.watcher;
            if !matches!((&now, self.seen), (Ok(now), Some(seen)) if *now == seen) {
                self.seen = now.as_ref().ok().copied();
                let made = match now.and(project) {
                    Ok(project) => self.version(project).await,
                    Err(error) => Err(error),
                };
                tell(made)?;
            }
            watcher.changed().await;
        }
    }

    /// Builds, checks and runs what is there now. If anything is wrong, what ran before goes on running.
    async fn version(&mut self, project: Project) -> Result<Arc<Loaded>> {
        let begun = Instant::now();
        let (built, after) = on_a_thread(move || (build_all(&project), Sources::of(&project))).await?;
        if let Some(seen) = &mut self.seen {
            // The components that were just built are no change to wait for.
            seen.pack = after?.pack;
        }
        let built = built?;
        let pack = load::read(&self.dir, LoadOptions::default()).await?;
        let loaded = self.host.load_if(&self.tenant, pack, all_flows_run).await?;
        loaded.notes.iter().for_each(report::warn);
        let what = if built == 0 { "loaded" } else { "built and loaded" };
        report::say(&format!("{}", format_args!("{what} in {:.1} s", begun.elapsed().as_secs_f32()).dimmed()));
        Ok(loaded)
    }
}

/// What there is to see in the directory.
struct Look {
    /// It tells of changes since.
    watcher: Watcher,
    project: Result<Project>,
    /// What the project's directories hold now.
    now: Result<Sources>,
}

impl Look {
    /// Reads every file, which takes its time. Fails only if changes cannot be seen.
    fn at(dir: &Path, mut watcher: Watcher) -> Result<Self> {
        let project = Project::open(dir);
        // A build.yaml that cannot be read is a version that failed; it is waited for with the rest.
        let bare = Project { root: dir.to_owned(), components: Vec::new() };
        let looked_at = project.as_ref().unwrap_or(&bare);
        watcher.cover(watch::directories(looked_at.directories())?)?;
        let now = Sources::of(looked_at);
        Ok(Self { watcher, project, now })
    }
}

/// Builds the components whose sources changed, and answers how many those are.
fn build_all(project: &Project) -> Result<usize> {
    let mut built = 0;
    for recipe in &project.components {
        if let Built::New { size, .. } = author::build(project, recipe, true)? {
            report::say(&format!("built {}, {size} bytes", recipe.id));
            built += 1;
        }
    }
    Ok(built)
}

/// Who works on a pack wants to know of a flow that cannot run before it is in use.
fn all_flows_run(loaded: &Loaded) -> Result<()> {
    if loaded.program.flows.flows.values().all(|flow| matches!(flow, FlowState::Ready(_))) {
        return Ok(());
    }
    let message = format!("flows of pack {} cannot run", loaded.program.pack);
    Err(Error::from_many(Code::Nonconforming, message, loaded.notes.clone()))
}

fn tell(made: Result<Arc<Loaded>>) -> Result<()> {
    match made {
        Ok(loaded) => {
            let program = &loaded.program;
            report::data(&format!("loaded {} {} {}", program.pack, program.version, program.digest))
        }
        Err(error) => {
            report::print(&error);
            report::data(&format!("failed {}", error.code()))
        }
    }
}

/// Does what may take long where neither the server nor the end of the command waits for it: a compiler may hang.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (send, done) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || send.send(work()));
    done.await.map_err(|_| Error::new(Code::Internal, "work on a thread did not end as it should"))
}
