//! What a pack is worth by the keys that an operator has configured.

use crate::pack::model::Pack;
use crate::trust::{self, Evidence, Judgement, StatedOrigin, TrustPolicy};

impl Pack {
    /// Judges the pack before anything of it runs. `stated` is what an index states about it, if it came from one.
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
        judgement.refusal = judgement.refusal.map(|error| error.in_file(&self.path));
        judgement.note = judgement.note.map(|error| error.in_file(&self.path));
        judgement
    }
}
