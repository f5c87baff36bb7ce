//! What is kept of how an event ended, for its repetitions.

use serde_json::Value;

use super::Lanes;
use crate::error::{Code, Error, Result};
use crate::run::event::ReplyTo;
use crate::run::outcome::Outcome;
use crate::run::record::{OutcomeRecord, decode, encode};
use crate::store::{Claim, Completion, Kept, MAX_RESULT, NewReply, ReplyRoute};

/// Replies that are read at once.
const PAGE: usize = 100;

/// The outcome that was kept.
pub(super) fn outcome(kept: Kept) -> Result<Outcome> {
    match kept {
        Kept::Result(bytes) => {
            let OutcomeRecord { status, replies, session, flow } = decode(&bytes)?;
            Ok(Outcome { status, replies, session, flow })
        }
        Kept::Failure(failure) => {
            let message = failure.message.strip_prefix(&format!("{}: ", failure.code)).unwrap_or(&failure.message);
            let code = Code::ALL.iter().find(|code| code.to_string() == failure.code).copied();
            Err(Error::new(code.unwrap_or(Code::Internal), message))
        }
        Kept::Nothing => {
            Err(Error::new(Code::DuplicateEvent, "the event was accepted before, and its end is not known"))
        }
    }
}

impl Lanes {
    /// Adds to an event's end what its repetitions get. An attempt that went on after a crash knows its own replies only;
    /// those before it are in the store.
    pub(super) async fn keep(
        &self,
        claim: &Claim,
        reply_to: &ReplyTo,
        outcome: &mut Outcome,
        completion: &mut Completion,
    ) -> Result<()> {
        if let (true, ReplyTo::Route(route)) = (claim.run.is_some(), reply_to) {
            outcome.replies = self.replies_of(claim, route, &completion.replies).await?;
        }
        completion.result = Some(encode(&OutcomeRecord {
            status: outcome.status.clone(),
            replies: outcome.replies.clone(),
            session: outcome.session.clone(),
            flow: outcome.flow.clone(),
        })?);
        Ok(())
    }

    /// All replies of an event: those that are stored since it was accepted, and the last ones.
    async fn replies_of(&self, claim: &Claim, route: &ReplyRoute, last: &[NewReply]) -> Result<Vec<Value>> {
        let (mut payloads, mut bytes, mut after) = (Vec::new(), 0, 0);
        loop {
            let page = self.services.store.replies(route, after, PAGE).await?;
            let Some(end) = page.last().map(|reply| reply.seq) else { break };
            after = end;
            for reply in page.into_iter().filter(|reply| reply.at >= claim.accepted_at) {
                bytes += reply.payload.len();
                payloads.push(reply.payload);
            }
            // More than this is not kept.
            if bytes > MAX_RESULT {
                break;
            }
        }
        payloads.extend(last.iter().map(|reply| reply.payload.clone()));
        let parsed = payloads.iter().map(|payload| serde_json::from_slice(payload));
        parsed
            .collect::<Result<_, _>>()
            .map_err(|e| Error::new(Code::StoreFormat, format!("a stored reply is not JSON: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::Failure;

    #[test]
    fn a_kept_failure_is_the_error_that_it_was() {
        let error = Error::new(Code::GuestTrap, "unreachable").hint("look into it");
        let failure = |code: String| Failure { code, message: error.to_string(), at: Timestamp(0) };
        let again = outcome(Kept::Failure(failure(error.code().to_string()))).unwrap_err();
        assert_eq!(again.code(), Code::GuestTrap);
        assert_eq!(again.message(), "unreachable; hint: look into it");
        let newer = outcome(Kept::Failure(failure("GRH-9999".into()))).unwrap_err();
        assert_eq!(newer.code(), Code::Internal);
        assert_eq!(outcome(Kept::Nothing).unwrap_err().code(), Code::DuplicateEvent);
    }
}
