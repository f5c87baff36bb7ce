//! What is kept of consents at a broker: those that have begun, and what came of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Broker;
use super::wire::Given;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::oauth::owner::{Owner, bound};
use crate::oauth::tokens::MAX_RECORD;
use crate::oauth::vault::{Place, Ready};

/// How long a broker waits for a user.
const KEEP: Duration = Duration::from_secs(900);

/// A consent that has begun at the broker.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) provider: String,
    pub(super) subject: String,
    pub(super) flow_id: String,
    /// What the broker calls it, if it says so.
    pub(super) state: Option<String>,
}

/// What the host has of a subject.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Kept {
    /// Under what the broker has its tokens.
    Handle { handle: String, flow_id: String },
    /// The tokens, as a component gets them, of a broker that gave no handle.
    Tokens { tokens: String },
}

impl Kept {
    /// Whether it is this handle.
    pub(super) fn is_handle(&self, other: &str) -> bool {
        matches!(self, Self::Handle { handle, .. } if handle == other)
    }
}

impl Broker {
    /// Keeps a consent that begins, if its end will be told.
    pub(super) async fn keep(&self, owner: &Owner, begun: &Begun) -> Result<()> {
        if self.nats.is_none() {
            return Ok(());
        }
        self.vault.put(&self.flow_place(&begun.flow_id), &written(begun)?, Some(KEEP)).await?;
        self.keep_latest(owner, begun).await
    }

    /// Keeps it as the one that the owner began last.
    pub(super) async fn keep_latest(&self, owner: &Owner, begun: &Begun) -> Result<()> {
        self.vault.put(&latest(owner), &written(begun)?, Some(KEEP)).await
    }

    /// The consent that the owner began last.
    pub(super) async fn latest(&self, owner: &Owner) -> Result<Option<Begun>> {
        self.read(&latest(owner)).await
    }

    /// The consent of a name.
    pub(super) async fn begun(&self, flow_id: &str) -> Result<Option<Begun>> {
        self.read(&self.flow_place(flow_id)).await
    }

    pub(super) async fn forget_begun(&self, flow_id: &str) -> Result<()> {
        self.vault.forget(&self.flow_place(flow_id)).await
    }

    /// Keeps the handle of a subject's tokens, in the place of what was there.
    pub(super) async fn keep_handle(
        &self,
        ready: &Ready,
        owner: &Owner,
        handle: String,
        flow_id: String,
    ) -> Result<()> {
        let record = written(&Kept::Handle { handle, flow_id })?;
        self.vault.put_surely(ready, &kept_place(owner), &record, None).await
    }

    /// Keeps a subject's tokens until their end, in the place of what was there.
    pub(super) async fn keep_tokens(&self, ready: &Ready, owner: &Owner, given: &Given) -> Result<()> {
        let record = written(&Kept::Tokens { tokens: given.tokens.expose().to_owned() })?;
        if record.len() > MAX_RECORD {
            return Err(Error::new(Code::OAuthAnswer, format!("the tokens are larger than {MAX_RECORD} bytes")));
        }
        let end = given.expires_at.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let keep = end.map(|end| end.since(self.vault.now()));
        self.vault.put_surely(ready, &kept_place(owner), &record, keep).await
    }

    /// What there is of a subject.
    pub(super) async fn kept(&self, owner: &Owner) -> Result<Option<Kept>> {
        self.read(&kept_place(owner)).await
    }

    pub(super) async fn forget(&self, owner: &Owner) -> Result<()> {
        self.vault.forget(&kept_place(owner)).await
    }

    /// What is kept there; what cannot be read is none.
    async fn read<T: for<'a> Deserialize<'a>>(&self, place: &Place) -> Result<Option<T>> {
        let opened = self.vault.get(place).await?;
        Ok(opened.and_then(|opened| serde_json::from_slice(&opened.plain).ok()))
    }

    fn flow_place(&self, flow_id: &str) -> Place {
        let bound = bound(&["flow", &self.settings.env, &self.tenant, flow_id]);
        Place { key: format!("oauth/flow/{}", blake3::hash(&bound).to_hex()), bound }
    }
}

fn latest(owner: &Owner) -> Place {
    Place { key: owner.key("begun", ""), bound: owner.bound("begun", "") }
}

fn kept_place(owner: &Owner) -> Place {
    Place { key: owner.key("handle", ""), bound: owner.bound("handle", "") }
}

fn written(record: &impl Serialize) -> Result<Zeroizing<Vec<u8>>> {
    let written = serde_json::to_vec(record);
    let failed = |e| Error::new(Code::Internal, format!("a record could not be written: {e}"));
    written.map(Zeroizing::new).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on users' disks, once it is decrypted.
    #[test]
    fn what_is_kept_keeps_its_formats() {
        let handle = Kept::Handle { handle: "h".into(), flow_id: "f".into() };
        let tokens = Kept::Tokens { tokens: r#"{"access_token":"a"}"#.into() };
        let begun =
            Begun { provider: "p".into(), subject: "s".into(), flow_id: "f".into(), state: Some("state".into()) };
        let texts = [written(&handle), written(&tokens), written(&begun)].map(|record| {
            let record = record.unwrap();
            String::from_utf8(record.to_vec()).unwrap()
        });
        insta::assert_snapshot!(texts.join("\n"));
        let read: Kept = serde_json::from_str(&texts[0]).unwrap();
        assert!(read.is_handle("h") && !read.is_handle("i"));
        assert!(matches!(serde_json::from_str(&texts[1]).unwrap(), Kept::Tokens { .. }));
    }
}
