//! Working on announcements: what they stand for is asked for, and the events that follow from it are accepted.

use std::sync::Arc;

use super::work::{CLAIMS, Caller};
use super::{LEASE, Lanes, Terms};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::completion::{Announced, Completer};
use crate::run::executor::Ended;
use crate::run::outcome::{Outcome, Status};
use crate::run::program::Program;
use crate::run::record::{EventRecord, decode};
use crate::store::{Claim, Completion, End, Lane};

impl Lanes {
    /// Lets announcements be worked on, those that were accepted before among them.
    pub async fn complete_with(&self, completer: Arc<dyn Completer>) -> Result<()> {
        self.completer.store(Some(Arc::new(completer)));
        self.recover().await.map(drop)
    }

    pub(super) fn completer(&self) -> Option<Arc<dyn Completer>> {
        self.completer.load().as_deref().cloned()
    }

    /// Works on the lane's oldest announcement. False if there is none to work on now.
    pub(super) async fn next_completion(&self, lane: &Lane, program: &Program) -> Result<bool> {
        let Some(completer) = self.completer() else { return Ok(false) };
        let now = self.services.clock.now();
        let Some(claim) = self.services.store.claim(lane, now, LEASE).await? else { return Ok(false) };
        let record = match decode(&claim.payload) {
            Ok(record) => record,
            Err(error) => {
                return self.finish(&claim, Ended::Badly { error, ends: None, replies: Vec::new() }, None).await;
            }
        };
        let ended = tokio::select! {
            ended = self.complete_one(&*completer, program, &claim, &record) => ended,
            // What is asked for may take long, and nothing is lost if it is asked for again.
            () = self.closed() => {
                self.services.store.release(&claim.token).await?;
                return Ok(false);
            }
        };
        let ended = match ended {
            Ok(()) => Ended::Well(Box::new((outcome(&record), completion()))),
            Err(error) => Ended::Badly { error, ends: None, replies: Vec::new() },
        };
        self.finish(&claim, ended, Some(Caller::of(&record))).await
    }

    /// Resolves when no further events are let in.
    async fn closed(&self) {
        // Fails only without a sender, which is this one.
        drop(self.open.subscribe().wait_for(|open| !open).await);
    }

    async fn complete_one(
        &self,
        completer: &dyn Completer,
        program: &Program,
        claim: &Claim,
        record: &EventRecord,
    ) -> Result<()> {
        if claim.attempts > CLAIMS {
            let message = format!("the announcement was taken up {CLAIMS} times without coming to an end");
            return Err(Error::new(Code::Internal, message));
        }
        let announced = Announced {
            tenant: claim.tenant.clone(),
            provider: record.provider.clone().unwrap_or_else(|| Id::from("")),
            pending: record.input.clone(),
            correlation_id: record.correlation_id.clone(),
        };
        let events = completer.complete(&announced).await?;
        for (place, mut event) in events.into_iter().enumerate() {
            // A process that dies before the announcement is ended asks again and accepts none of them twice; and so if
            // the announcement is replayed.
            event.dedupe.push(format!("{}:completion:{}:{place}", claim.tenant, claim.origin.0));
            // The announcement has a place in the queue; what follows from it needs none.
            self.accept_into(program, event, Terms::default(), u32::MAX).await?;
        }
        Ok(())
    }
}

/// The outcome of an event that ran no flow.
pub(super) fn outcome(record: &EventRecord) -> Outcome {
    Outcome { status: Status::Completed, replies: Vec::new(), session: record.session.shown(), flow: Id::from("") }
}

fn completion() -> Completion {
    Completion { state: Vec::new(), replies: Vec::new(), end: End::Finished { run: None }, result: None }
}
