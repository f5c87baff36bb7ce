//! What a pack is worth by the keys that an operator has configured.

use crate::error::{Code, Error};
use crate::pack::model::Pack;
use crate::trust::{self, Evidence, Judgement, StatedOrigin, TrustPolicy};

impl Pack {
    /// Judges the pack before anything of it runs. `stated` is what an index states about it, if it came from one.
    ///
    /// Beyond [`trust::judge`], which knows no files, strict verification takes that nothing outside of the pack says
    /// what its components are.
    pub fn judge(&self, policy: &TrustPolicy, stated: Option<&StatedOrigin>) -> Judgement {
        let nothing = StatedOrigin::default();
        let mut judgement = trust::judge(
            policy,
            &Evidence {
                stated: stated.unwrap_or(&nothing),
                digest: self.digest.0,
                pack_signature: &self.signed,
                sbom: &self.sbom,
            },
        );
        if policy.is_strict() {
            judgement.refusal = judgement.refusal.or_else(|| self.described_beside());
        } else if !policy.keys.is_empty() && judgement.refusal.is_none() {
            judgement.note = judgement.note.or_else(|| self.described_beside());
        }
        judgement.refusal = judgement.refusal.map(|error| error.in_file(&self.path));
        judgement.note = judgement.note.map(|error| error.in_file(&self.path));
        judgement
    }

    fn described_beside(&self) -> Option<Error> {
        let lock = self.lock_beside.as_ref()?;
        let message = format!("{} says what the pack's components are, and no signature is over it", lock.display());
        Some(
            Error::new(Code::PackUntrusted, message)
                .hint("`pack migrate` takes what it says into the pack, to be signed then; or move it away"),
        )
    }
}
