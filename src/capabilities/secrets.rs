//! Secrets of guests, as the interfaces that offer them share it: judged by the host's own knowledge of who asks,
//! bounded by the guest's time, recorded without their values, and refusals logged.

use super::calls::Function;
use super::context::HostCtx;
use super::scope::Scope;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::secret::{Secret, SecretBytes};
use crate::secrets::{Asker, Refusal, RefusalReason};

/// The `tracing` target of secrets that guests did not get.
const TARGET: &str = "greentic::secrets";
/// Refusals of one invocation that are logged.
pub(super) const MAX_REFUSALS: u32 = 20;

impl HostCtx {
    /// A secret's bytes.
    pub(super) async fn secret(
        &mut self,
        function: Function,
        key: &str,
    ) -> Result<std::result::Result<SecretBytes, Refusal>> {
        let begun = self.begin(function, key.len())?;
        let answer = self.services.secrets.get(&asker(&self.scope), key, self.cancel_at).await;
        if let Ok(secret) = &answer {
            self.given.note(secret);
        }
        let note = self.told(function, &answer, key);
        self.calls.end(begun, answer.is_ok(), &note);
        Ok(answer)
    }

    /// A secret that is text.
    pub(super) async fn secret_text(
        &mut self,
        function: Function,
        key: &str,
    ) -> Result<std::result::Result<Secret, Refusal>> {
        Ok(self.secret(function, key).await?.and_then(|bytes| {
            bytes.to_text().ok_or_else(|| Refusal::new(RefusalReason::NotText, key, "its value is not text"))
        }))
    }

    /// Stores a secret, or says why not.
    pub(super) async fn put_secret(
        &mut self,
        function: Function,
        key: &str,
        value: SecretBytes,
    ) -> Result<std::result::Result<(), Refusal>> {
        let begun = self.begin(function, key.len() + value.expose().len())?;
        self.given.note(&value);
        let answer = self.services.secrets.put(&asker(&self.scope), key, value, self.cancel_at).await;
        let note = self.told(function, &answer, key);
        self.calls.end(begun, answer.is_ok(), &note);
        Ok(answer)
    }

    /// Stores a secret. The interface knows no failures, so one that is not stored ends the guest.
    pub(super) async fn store_secret(&mut self, function: Function, key: &str, value: SecretBytes) -> Result<()> {
        self.put_secret(function, key, value).await?.map_err(|refusal| {
            let message = format!("the component stored a secret, and it is not stored: {refusal}");
            Error::new(Code::SecretNotStored, message).hint(
                "name the secret in `secrets.write` of the bindings, and use a place for secrets that can be written",
            )
        })
    }

    /// Logs what was refused, and gives the note for the trace.
    fn told<T>(&mut self, function: Function, answer: &std::result::Result<T, Refusal>, key: &str) -> String {
        // A guest may ask by anything, a secret among it.
        let key = clip(&self.hide(key)).escape_debug().to_string();
        let Err(refusal) = answer else { return key };
        if let Some(left) = self.refusals_left.checked_sub(1) {
            self.refusals_left = left;
            let Scope { tenant, pack, component, flow, node, correlation_id, .. } = &self.scope;
            tracing::warn!(
                target: TARGET, reason = refusal.reason().name(), key, %tenant, %pack, %component, %flow,
                %node, correlation = %correlation_id, interface = function.interface, "a secret was refused: {}",
                self.hide(refusal.message())
            );
        }
        format!("{key}: {}", refusal.reason().name())
    }
}

/// Who asks, by what the host knows.
fn asker(scope: &Scope) -> Asker<'_> {
    Asker {
        env: &scope.env,
        tenant: &scope.tenant,
        pack: &scope.pack,
        component: &scope.component,
        flow_type: scope.flow_type,
        user: scope.user.as_ref(),
    }
}
