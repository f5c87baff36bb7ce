//! Requests that somebody else might send, who does not know the secret; and those of who does.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::super::recording::Recording;
use super::super::sign::Headers;
use super::lab::{NOW, Only, channel};
use super::target::{Proof, Signing, Target};
use super::{Broken, Promise};
use crate::error::Result;
use crate::ingress::Request;
use crate::ingress::adapter::{Channel, Context, Intake};
use crate::secret::Secret;

mod tokens;

use tokens::Tokens;

const SECRET: &str = "the-secret-of-the-lab";
const OTHER: &str = "the-secret-of-the-lab2";

/// A channel that lets in who proves where a request comes from.
pub(super) struct Forger {
    channel: Box<dyn Channel>,
    proof: Known,
}

enum Known {
    Secret(Signing),
    Tokens(Tokens),
}

impl Forger {
    /// None for targets whose requests prove nothing.
    pub(super) fn open(target: &Target) -> Result<Option<Self>> {
        let (config, secrets, proof) = match target.proof {
            None => return Ok(None),
            Some(Proof::Secret(signing)) => {
                let config = serde_json::from_str(signing.config).unwrap_or_default();
                (config, Only(Some((signing.secret, Secret::new(SECRET)))), Known::Secret(signing))
            }
            Some(Proof::Connector) => (json!({"app_id": tokens::APP}), Only(None), Known::Tokens(Tokens::new())),
        };
        Ok(Some(Self { channel: channel(target, &config, &secrets)?, proof }))
    }

    pub(super) fn check(&self, context: &Context, input: &Recording) -> Result<(), Broken> {
        match &self.proof {
            Known::Secret(signing) => self.by_secret(signing, context, input),
            Known::Tokens(tokens) => {
                let context = Context { keys: Some(tokens.keys()), ..context.clone() };
                let forged = tokens.forged(NOW, &input.body);
                forged.iter().try_for_each(|(what, headers)| self.refused(&context, input, what, headers, &input.body))
            }
        }
    }

    fn by_secret(&self, signing: &Signing, context: &Context, input: &Recording) -> Result<(), Broken> {
        let headers = |secret: &str| (signing.sign)(&Secret::new(secret), NOW, input);
        let (Ok(genuine), Ok(other)) = (headers(SECRET), headers(OTHER)) else { return Ok(()) };
        if let Err(error) = self.verified(context, input, &genuine, &input.body) {
            return Err(Broken::new(Promise::Genuine, format!("a request with the right signature: {error}")));
        }
        let refused = |what, headers: &Headers, body: &[u8]| self.refused(context, input, what, headers, body);
        refused("without a signature", &Headers::new(), &input.body)?;
        refused("signed with another secret", &other, &input.body)?;
        refused("with a signature that is cut off", &cut(&genuine), &input.body)?;
        // Where the secret itself is sent, it says nothing about the body.
        if genuine.iter().all(|(_, value)| value != SECRET) {
            let mut longer = input.body.clone();
            longer.push(b' ');
            refused("with the signature of another body", &genuine, &longer)?;
        }
        Ok(())
    }

    fn refused(
        &self,
        context: &Context,
        input: &Recording,
        what: &str,
        headers: &Headers,
        body: &[u8],
    ) -> Result<(), Broken> {
        if self.verified(context, input, headers, body).is_err() || self.is_probe(context, input, body) {
            return Ok(());
        }
        Err(Broken::new(Promise::Forgery, format!("a request {what} is let in")))
    }

    fn verified(&self, context: &Context, input: &Recording, signed: &Headers, body: &[u8]) -> Result<()> {
        let mut headers = HeaderMap::new();
        for (name, value) in signed {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        self.channel.verify(context, &Request { headers: &headers, body, ..input.request() })
    }

    /// Whether what was let in stands for nothing and is told nothing.
    fn is_probe(&self, context: &Context, input: &Recording, body: &[u8]) -> bool {
        let read = self.channel.normalize(context, &Request { body, ..input.request() });
        matches!(read, Ok(Intake::Answer(answer)) if answer.body.is_empty())
    }
}

/// The last header, which is the signature or the secret, without its last character.
fn cut(headers: &Headers) -> Headers {
    let mut cut = headers.clone();
    if let Some((_, value)) = cut.last_mut() {
        value.pop();
    }
    cut
}
