//! Codes at a broker. One that takes codes is handed them: what it answers can be had once, so that goes on and is kept
//! without whoever asked. Any other exchanges them itself, and to a component a code is the consent's name.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::Broker;
use super::kept::{Begun, Kept};
use super::wire;
use crate::error::{Code, Error, Result};
use crate::oauth::ask;
use crate::oauth::owner::Owner;
use crate::oauth::web::TIME;
use crate::secret::Secret;

impl Broker {
    /// What a code is worth.
    pub(in crate::oauth) async fn exchange(
        self: &Arc<Self>,
        owner: Owner,
        code: &str,
        path: &str,
        end: Instant,
    ) -> Result<Secret> {
        let code = ask::code(code)?;
        let Some(place) = self.settings.exchange_path.clone() else {
            return self.of_consent(&owner, code, end).await;
        };
        let body = wire::exchange(&owner, code, self.redirect(path)?.as_ref());
        let broker = Arc::clone(self);
        self.works.within(end, async move { broker.hand_over(&owner, &place, &body).await }).await
    }

    /// Hands a code to the broker, once what comes of it can be kept.
    async fn hand_over(&self, owner: &Owner, place: &str, body: &Value) -> Result<Secret> {
        let ready = self.vault.ready().await?;
        let answer = self.post(place, body, Instant::now() + TIME).await?;
        match answer.status {
            200 | 201 => {}
            status => return Err(self.refused(status)),
        }
        let Some(handle) = wire::handle(&answer.body)? else {
            let given = wire::tokens(&answer.body)?;
            self.keep_tokens(&ready, owner, &given).await?;
            return Ok(given.tokens);
        };
        self.keep_handle(&ready, owner, handle.clone(), String::new()).await?;
        self.of_handle(owner, &handle, Instant::now() + TIME).await
    }

    /// The tokens of the consent that is named so, once the broker tells how it ended.
    async fn of_consent(&self, owner: &Owner, name: &str, end: Instant) -> Result<Secret> {
        if self.nats.is_none() {
            return Err(ask::bad("this broker exchanges codes itself, and says nothing of it over HTTP").hint(
                "ask for the token; or state `oauth.nats_url`, or `oauth.exchange_path` if the broker takes codes",
            ));
        }
        let is_meant = |begun: &Begun| {
            let names = [Some(&begun.flow_id), begun.state.as_ref()];
            names.into_iter().flatten().any(|known| Secret::new(known.as_str()).matches(name.as_bytes()))
        };
        let begun = self.latest(owner).await?.filter(is_meant).ok_or_else(|| {
            Error::new(Code::OAuthState, "no consent of this subject is under way at the broker under this name")
                .hint("pass the `state` or the flow id with which the broker's redirect came")
        })?;
        let handle = self.await_handle(owner, &begun.flow_id, end).await?;
        self.of_handle(owner, &handle, end).await
    }

    async fn of_handle(&self, owner: &Owner, handle: &str, end: Instant) -> Result<Secret> {
        self.by_handle(owner, handle, end).await?.ok_or_else(|| wire::nothing(&owner.provider))
    }

    async fn await_handle(&self, owner: &Owner, flow: &str, end: Instant) -> Result<String> {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if let Some(Kept::Handle { handle, flow_id }) = self.kept(owner).await?
                && flow_id == flow
            {
                return Ok(handle);
            }
            if tokio::time::timeout_at(end.into(), came).await.is_err() {
                let message = "the time was up before the broker told that the subject consented";
                return Err(Error::new(Code::OAuthUnavailable, message));
            }
        }
    }
}
