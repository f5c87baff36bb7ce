//! What is answered, within its bounds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::fault;
use super::places::Place;
use super::reason::{Failure, Reason};
use super::tally::Tally;
use super::target::Target;

/// An answer that is all there.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values, without those of the connection.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Bytes,
}

/// An answer whose body is yet to come.
#[derive(Debug)]
pub struct Opened {
    /// The status.
    pub status: u16,
    /// Names and values, without those of the connection.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Incoming,
}

/// A body that comes, as far as its bounds allow.
pub struct Incoming {
    pub(super) response: reqwest::Response,
    pub(super) target: Target,
    pub(super) left: usize,
    pub(super) end: Instant,
    pub(super) idle: Option<Duration>,
    pub(super) tally: Arc<Tally>,
    /// Held until the body is done.
    pub(super) place: Option<Place>,
}

impl Incoming {
    /// The next piece; none after the last one.
    ///
    /// # Errors
    ///
    /// Why none comes. Nothing comes after an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = self.next().await;
        if !matches!(chunk, Ok(Some(_))) {
            self.place = None;
        }
        if let Err(failure) = &chunk {
            self.tally.failed(failure);
        }
        chunk
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.place.is_none() {
            return Ok(None);
        }
        let end = self.idle.map_or(self.end, |idle| self.end.min(Instant::now() + idle));
        let chunk = match tokio::time::timeout_at(end.into(), self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| fault::failure(&error, &self.target))?,
            Err(_) => return Err(fault::timed_out(&self.target)),
        };
        let Some(chunk) = chunk else { return Ok(None) };
        self.left = self.left.checked_sub(chunk.len()).ok_or_else(|| too_large(&self.target))?;
        Ok(Some(chunk))
    }

    /// All of it.
    ///
    /// # Errors
    ///
    /// As [`Self::chunk`].
    pub async fn whole(mut self) -> Result<Bytes, Failure> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(&*first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

pub(super) fn too_large(target: &Target) -> Failure {
    let message = format!("what {target} answered is larger than `http.max_response`");
    Failure::new(Reason::AnswerTooLarge, message)
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("body", &self.body.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("target", &self.target.origin())
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
