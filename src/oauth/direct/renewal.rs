//! Renewing tokens. A refresh token may be worth something once: the provider then gives another in its place, and takes
//! a second use for theft. So one renewal of an owner runs at a time, to its end, and what it brings is stored before it
//! is given to anybody.

use std::sync::Arc;
use std::time::Instant;

use oauth2::RefreshToken;
use url::Url;

use super::carrier::Carrier;
use super::client::{self, NoTokens};
use super::{Direct, place};
use crate::error::Result;
use crate::oauth::owner::Owner;
use crate::oauth::tokens::Tokens;
use crate::oauth::web::TIME;
use crate::secret::Secret;

impl Direct {
    /// The owner's tokens, renewed unless somebody else just did. None if they cannot be: the owner has to consent again.
    pub(super) async fn renew(self: Arc<Self>, owner: Owner) -> Result<Option<Tokens>> {
        let asked = Instant::now();
        let mut turn = self.flights.turn(&owner).await;
        if let Some(error) = turn.failed_since(asked) {
            return Err(error);
        }
        let renewed = self.renewed(&owner).await;
        turn.note(&renewed);
        renewed
    }

    async fn renewed(&self, owner: &Owner) -> Result<Option<Tokens>> {
        let Some(opened) = self.vault.get(&place(owner)).await? else { return Ok(None) };
        let kept = Tokens::of_record(&opened.plain)?;
        let now = self.vault.now();
        if kept.are_fresh(now) {
            return Ok(Some(kept));
        }
        let Some(refresh) = kept.refresh.clone() else {
            return Ok(Some(kept).filter(|kept| kept.are_valid(now)));
        };
        // What the provider gives in the place of the refresh token can be kept, whatever becomes of the key meanwhile.
        let ready = self.vault.ready().await?;
        match self.ask_anew(owner, &kept, &refresh).await {
            Ok(tokens) => {
                self.store(&ready, owner, &tokens).await?;
                Ok(Some(tokens))
            }
            Err(NoTokens::Worthless(error)) => {
                tracing::info!(target: crate::oauth::TARGET, tenant = %self.tenant, %error, "a subject has to consent again");
                self.vault.forget(&place(owner)).await?;
                Ok(None)
            }
            Err(NoTokens::Other(error)) => Err(error),
        }
    }

    async fn ask_anew(&self, owner: &Owner, kept: &Tokens, refresh: &Secret) -> Result<Tokens, NoTokens> {
        let provider = self.provider(&owner.provider).map_err(NoTokens::Other)?;
        let end = Instant::now() + TIME;
        let endpoints = self.endpoints(provider, end).await.map_err(NoTokens::Other)?;
        let secret = self.client_secret(provider).await.map_err(NoTokens::Other)?;
        // A renewal has no redirect; the client wants one.
        let nowhere: Url = endpoints.token.clone();
        let client = client::of(provider, secret, &endpoints, &nowhere);
        let refresh_token = RefreshToken::new(refresh.expose().to_owned());
        let now = self.vault.now();
        let answer = client.exchange_refresh_token(&refresh_token).request_async(&Carrier::new(&self.web, end)).await;
        let answer = answer.map_err(|error| client::failure(&owner.provider, error))?;
        let mut tokens = client::tokens(&answer, &kept.scopes, now);
        tokens.refresh = tokens.refresh.or_else(|| Some(refresh.clone()));
        Ok(tokens)
    }
}
