//! `greentic:oauth-broker/broker-v1@1.0.0`
//!
//! The interface has no errors: whatever goes wrong is an empty text, and a coded line in the log.

use std::sync::Arc;

use greentic_runner_bindings::imports::oauth_broker::Host;
use serde_json::Value;
use tracing::Level;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served};
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::oauth::{MAX_CODE, OAuth};
use crate::secret::SecretBytes;

/// Shorter texts beside a token are none.
const SHORTEST_TOKEN: usize = 16;
/// Texts beside a token that are taken for some at most.
const MOST_TOKENS: usize = 64;

const INTERFACE: &str = "greentic:oauth-broker/broker-v1@1.0.0";
const CONSENT: Function = Function { interface: INTERFACE, name: "get-consent-url" };
const EXCHANGE: Function = Function { interface: INTERFACE, name: "exchange-code" };
const TOKEN: Function = Function { interface: INTERFACE, name: "get-token" };

impl Host for HostCtx {
    async fn get_consent_url(
        &mut self,
        provider_id: String,
        subject: String,
        scopes: Vec<String>,
        redirect_path: String,
        extra_json: String,
    ) -> wasmtime::Result<String> {
        Ok(consent(self, [&provider_id, &subject, &redirect_path, &extra_json], &scopes).await?)
    }

    async fn exchange_code(
        &mut self,
        provider_id: String,
        subject: String,
        code: String,
        redirect_path: String,
    ) -> wasmtime::Result<String> {
        Ok(exchange(self, [&provider_id, &subject, &code, &redirect_path]).await?)
    }

    async fn get_token(
        &mut self,
        provider_id: String,
        subject: String,
        scopes: Vec<String>,
    ) -> wasmtime::Result<String> {
        Ok(token(self, [&provider_id, &subject], &scopes).await?)
    }
}

async fn consent(ctx: &mut HostCtx, texts: [&str; 4], scopes: &[String]) -> Result<String> {
    let [provider, subject, path, extra] = texts;
    let end = ctx.cancel_at;
    let ask = async |oauth: Arc<OAuth>| oauth.consent_url(provider, subject, scopes, path, extra, end).await;
    ctx.ask(CONSENT, bytes(&texts, scopes), provider, ask).await
}

async fn exchange(ctx: &mut HostCtx, texts: [&str; 4]) -> Result<String> {
    let [provider, subject, code, path] = texts;
    let end = ctx.cancel_at;
    ctx.note_code(code);
    let ask = async |oauth: Arc<OAuth>| {
        let tokens = oauth.exchange_code(provider, subject, code, path, end).await?;
        Ok(tokens.expose().to_owned())
    };
    let tokens = ctx.ask(EXCHANGE, bytes(&texts, &[]), provider, ask).await?;
    ctx.note_tokens(&tokens);
    Ok(tokens)
}

async fn token(ctx: &mut HostCtx, texts: [&str; 2], scopes: &[String]) -> Result<String> {
    let [provider, subject] = texts;
    let end = ctx.cancel_at;
    let ask = async |oauth: Arc<OAuth>| {
        let tokens = oauth.get_token(provider, subject, scopes, end).await?;
        Ok(tokens.map(|tokens| tokens.expose().to_owned()).unwrap_or_default())
    };
    let tokens = ctx.ask(TOKEN, bytes(&texts, scopes), provider, ask).await?;
    ctx.note_tokens(&tokens);
    Ok(tokens)
}

/// The texts in `value` that are long enough to be tokens.
fn long_texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.len() >= SHORTEST_TOKEN && found.len() < MOST_TOKENS => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| long_texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| long_texts(field, found)),
        _ => {}
    }
}

fn bytes(texts: &[&str], scopes: &[String]) -> usize {
    let texts: usize = texts.iter().map(|text| text.len()).sum();
    texts + scopes.iter().map(String::len).sum::<usize>()
}

impl HostCtx {
    /// Notes what a guest was given, so that it does not stand in what the host writes of the guest.
    fn note_tokens(&self, tokens: &str) {
        let Ok(set) = serde_json::from_str::<Value>(tokens) else { return };
        let mut found: Vec<_> = set.get("access_token").and_then(Value::as_str).into_iter().collect();
        // Some providers put further tokens deep into their answers.
        set.get("extra").into_iter().for_each(|extra| long_texts(extra, &mut found));
        found.into_iter().for_each(|text| self.given.note(&SecretBytes::new(text.as_bytes())));
    }

    /// Notes a code that a guest got elsewhere; a longer text is none, and is refused.
    fn note_code(&self, code: &str) {
        if (SHORTEST_TOKEN..=MAX_CODE).contains(&code.len()) {
            self.given.note(&SecretBytes::new(code.as_bytes()));
        }
    }

    /// Counts a call, carries it out, and logs why it gives nothing. The note names the provider, and nothing that it gave.
    async fn ask(
        &mut self,
        function: Function,
        bytes: usize,
        provider: &str,
        ask: impl AsyncFnOnce(Arc<OAuth>) -> Result<String>,
    ) -> Result<String> {
        let begun = self.begin(function, bytes)?;
        let answer = match self.services.oauth.clone() {
            Some(oauth) => match tokio::time::timeout_at(self.cancel_at.into(), ask(oauth)).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::new(Code::OAuthUnavailable, "the time was up before there was an answer")),
            },
            None => Err(Error::new(Code::OAuthProvider, "nobody is asked for tokens on behalf of this call")),
        };
        // A guest that mixes its arguments up names a token where a provider should be.
        let provider = clip(&self.hide(provider));
        let note = match &answer {
            Ok(text) if text.is_empty() => format!("{provider}: none"),
            Ok(_) => provider,
            Err(error) => format!("{provider}: {}", error.code()),
        };
        self.calls.end(begun, answer.is_ok(), &note);
        answer.or_else(|error| {
            self.record(Some(Level::WARN), &format!("{}: {error}", function.name));
            Ok(String::new())
        })
    }
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: CONSENT.name, reads: &[Reads::All; 5], call: serve_consent },
    Served { name: EXCHANGE.name, reads: &[Reads::All; 4], call: serve_exchange },
    Served { name: TOKEN.name, reads: &[Reads::All; 3], call: serve_token },
];

fn serve_consent<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let texts = [arguments.text(0)?, arguments.text(1)?, arguments.text(3)?, arguments.text(4)?];
        Ok(Some(Val::String(consent(ctx, texts, &arguments.texts(2)?).await?)))
    })
}

fn serve_exchange<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let texts = [arguments.text(0)?, arguments.text(1)?, arguments.text(2)?, arguments.text(3)?];
        Ok(Some(Val::String(exchange(ctx, texts).await?)))
    })
}

fn serve_token<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let texts = [arguments.text(0)?, arguments.text(1)?];
        Ok(Some(Val::String(token(ctx, texts, &arguments.texts(2)?).await?)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::capabilities::context::tests::context;
    use crate::engine::limits::Limits;
    use crate::oauth::MAX_CODE;

    #[test]
    fn whatever_may_be_a_token_is_hidden_and_nothing_else() {
        let ctx = context(&Limits::default());
        ctx.note_tokens("no tokens");
        ctx.note_code("short");
        ctx.note_code(&"x".repeat(MAX_CODE + 1));
        assert!(ctx.given.is_empty());
        let deep = json!({"authed_user": {"tokens": ["canary-nested-token"], "id": "U1"}, "id_token": "canary-id-of-somebody"});
        ctx.note_tokens(&json!({"access_token": "canary-a", "extra": deep, "token_type": "Bearer"}).to_string());
        ctx.note_code("canary-of-a-long-code");
        let shown =
            ctx.hide("canary-a canary-nested-token canary-id-of-somebody canary-of-a-long-code U1 Bearer short");
        assert_eq!(shown, "[redacted] [redacted] [redacted] [redacted] U1 Bearer short");
        let many: Vec<_> = (0..10_000).map(|n| format!("something-quite-long-{n}")).collect();
        ctx.note_tokens(&json!({"access_token": "canary-b", "extra": {"many": many}}).to_string());
        assert_eq!(ctx.hide("canary-b"), "[redacted]");
    }
}
