//! Telling the components of packs that they are loaded, and that they are unloaded.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::Prepared;
use crate::capabilities::scope::Scope;
use crate::error::{Code, Error, Kind, Result};
use crate::id::Id;
use crate::tenant::Loaded;

/// What a component may take of the time in which a pack is replaced or the host stops.
const LONGEST: Duration = Duration::from_secs(2);

impl Loaded {
    /// Calls `on-start` of the packs' components, all at once. It is called last, for packs that nothing else refuses;
    /// components that stay from what was loaded `before` are left alone. A component that cannot start is noted: most
    /// hosts never ask, and components in circulation work nevertheless.
    ///
    /// # Errors
    ///
    /// That the host is too busy to ask, or, under `strict`, what the components say.
    pub async fn welcome(&mut self, strict: bool, before: Option<&Self>) -> Result<()> {
        let before = before.filter(|before| before.stays_in(&self.set));
        let program = &self.program;
        let told = self.told(before, |component, scope| async move {
            let surroundings = program.surroundings(&scope.component);
            component.on_start(scope, &program.limits, surroundings).await
        });
        let mut failed: Vec<Error> = told.await.into_iter().filter_map(Result::err).collect();
        if let Some(busy) = failed.iter().find(|error| error.code().kind() == Kind::Unavailable) {
            return Err(busy.clone());
        }
        if strict && !failed.is_empty() {
            let summary = format!("components of pack {} {} cannot start", program.pack, program.version);
            return Err(Error::from_many(Code::ComponentStart, summary, failed));
        }
        self.notes.append(&mut failed);
        Ok(())
    }

    /// Calls `on-stop` of the packs' components, all at once, with the `reason` for which the packs are unloaded. Those
    /// that stay in what is loaded `next` are left alone. How that goes is logged: nothing depends on it, and runs that
    /// began with the packs may still end on them.
    pub async fn farewell(&self, reason: &str, next: Option<&Self>) {
        let next = next.filter(|next| self.stays_in(&next.set));
        let program = &self.program;
        let mut limits = program.limits.clone();
        limits.timeout = limits.timeout.min(LONGEST);
        let limits = &limits;
        let told = self.told(next, |component, scope| async move {
            let surroundings = program.surroundings(&scope.component);
            component.on_stop(scope, reason, limits, surroundings).await
        });
        for error in told.await.into_iter().filter_map(Result::err) {
            tracing::warn!(code = %error.code(), tenant = %program.tenant, "{error}");
        }
    }

    /// What `tell` gives for each component that is not in `other` too, in the order of their ids.
    async fn told<F: Future<Output = Result<()>>>(
        &self,
        other: Option<&Self>,
        tell: impl Fn(Arc<Prepared>, Scope) -> F,
    ) -> Vec<Result<()>> {
        let program = &self.program;
        let scope = |id: &Id| Scope {
            tenant: program.tenant.clone(),
            env: program.env.clone(),
            pack: program.pack.clone(),
            ..Scope::outside(id)
        };
        let stays = |id: &Id, component| other.is_some_and(|other| other.program.holds(id, component));
        let mut components: Vec<_> =
            program.components.iter().filter(|(id, component)| !stays(id, component)).collect();
        components.sort_unstable_by_key(|(id, _)| *id);
        let told = components.into_iter().map(|(id, component)| tell(Arc::clone(component), scope(id)));
        futures::future::join_all(told).await
    }
}
