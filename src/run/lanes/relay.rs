//! Working on what a user says in a conversation whose transcript is kept: it is kept first, and then is an event of its
//! session.
//!
//! It has a lane of its own, so that it is kept, and seen, at once, however long what the user said before is worked on.

use bytes::Bytes;

use super::completions::outcome;
use super::{Lanes, Terms};
use crate::error::{Code, Error, Result};
use crate::run::event::{Event, ReplyTo, Said};
use crate::run::executor::{Ended, run_id};
use crate::run::program::Program;
use crate::run::record::EventRecord;
use crate::run::transcript;
use crate::store::{Checkpoint, Claim, Completion, End, NewReply, RunId};

impl Lanes {
    /// Keeps what was said, and accepts the event for its session.
    pub(super) async fn relay(&self, program: &Program, claim: &Claim, record: EventRecord) -> Ended {
        let outcome = outcome(&record);
        match self.relay_one(program, claim, record).await {
            Ok(run) => {
                let end = End::Finished { run: Some(run) };
                Ended::Well(Box::new((
                    outcome,
                    Completion { state: Vec::new(), replies: Vec::new(), end, result: None },
                )))
            }
            Err(error) => Ended::Badly { error, ends: None, replies: Vec::new() },
        }
    }

    async fn relay_one(&self, program: &Program, claim: &Claim, record: EventRecord) -> Result<RunId> {
        let ReplyTo::Transcript { route, said: Said { id, message: Some(message) } } = record.reply_to else {
            return Err(Error::new(Code::Internal, "an event that says nothing was to be relayed"));
        };
        let run = run_id(claim);
        // An attempt that got as far as this left its run behind.
        if claim.run.is_none() {
            let at = self.services.clock.now();
            let kept = NewReply { route: route.clone(), payload: transcript::said(&message), at, trace: None };
            let (head, journal, state) = (Bytes::new(), Vec::new(), Vec::new());
            let checkpoint = Checkpoint { run, head, journal, state, replies: vec![kept] };
            self.services.store.checkpoint(&claim.token, checkpoint).await?;
            self.services.watch.tell(&route);
        }
        let event = Event {
            tenant: claim.tenant.clone(),
            pack: None,
            flow: record.flow,
            session: record.session,
            user: record.user,
            provider: record.provider,
            // A process that dies before this one is ended comes here again and accepts it no second time; and so if
            // this one is replayed.
            dedupe: vec![format!("{}:relay:{}", claim.tenant, claim.origin.0)],
            remember: None,
            input: record.input,
            reply_to: ReplyTo::Transcript { route, said: Said { id, message: None } },
            correlation_id: record.correlation_id,
        };
        // It had a place in the queue already.
        self.accept_into(program, event, Terms::default(), u32::MAX).await?;
        Ok(run)
    }
}
