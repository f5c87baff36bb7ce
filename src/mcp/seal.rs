//! Whether a tool in WebAssembly is the one that the operator means, judged before anything of it runs.
//!
//! A signature is over the text `sha256:<hex>` of the tool's digest, in the form in which indexes sign packs:
//! `[ed25519:[KEYID:]]BASE64`.

use crate::error::{Code, Error, Result};
use crate::mcp::settings::Security;
use crate::trust::{self, Check, Evidence, PackSignature, SbomState, Signed, StatedOrigin, Strictness, TrustPolicy};

/// The largest signature file that is read, in bytes.
pub const MAX_SIGNATURE: u64 = 4 << 10;

/// What is added to a tool's name or address to get that of its signature.
pub const SIGNATURE_SUFFIX: &str = ".sig";

impl Security {
    /// Whether a signature is looked at.
    pub fn wants_signatures(&self) -> bool {
        self.require_signature || !self.signers.is_empty()
    }

    /// Judges the tool `name` with this digest, and the text of its signature if it has one.
    ///
    /// A digest that differs from the one that is stated refuses it, always; so does a signature that is malformed, or
    /// said to be by a known key that did not make it. That there is none by a known key refuses it only where one is
    /// required.
    ///
    /// # Errors
    ///
    /// [`Code::ToolUntrusted`].
    pub fn judge(&self, name: &str, digest: [u8; 32], signature: Option<String>) -> Result<()> {
        let stated = StatedOrigin { digest: self.digests.get(name).map(hex::encode), signature };
        let policy = TrustPolicy { keys: self.signers.clone(), strictness: Strictness::Report };
        let (pack_signature, sbom) = (PackSignature::Absent, SbomState::Absent);
        let evidence = Evidence { stated: &stated, digest, pack_signature: &pack_signature, sbom: &sbom };
        let found = trust::judge(&policy, &evidence).verification;
        let refused = |why: String| Err(Error::new(Code::ToolUntrusted, format!("tool {name}: {why}")));
        if found.digest == Check::Differs {
            let wanted = stated.digest.unwrap_or_default();
            return refused(format!("it is sha256:{}, and sha256:{wanted} is required", hex::encode(digest)));
        }
        match found.index_signature {
            Signed::Valid { .. } => Ok(()),
            Signed::Invalid => {
                refused("its signature is malformed, or not made over it by a trusted signer".to_owned())
            }
            Signed::UnknownKey if self.require_signature => {
                refused("the key that signed it is none of the trusted signers".to_owned())
            }
            Signed::Absent if self.require_signature => refused("it is not signed".to_owned()),
            _ if self.require_signature => refused("no trusted signer is named to verify it with".to_owned()),
            _ => Ok(()),
        }
        .map_err(|error| error.hint("see mcp.security in the bindings, and the tool's signature beside it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::PrivateKey;

    const DIGEST: [u8; 32] = [7; 32];

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::of_seed([seed; 32])
    }

    fn signed(seed: u8, digest: [u8; 32]) -> Option<String> {
        Some(key(seed).sign_for_index(&digest))
    }

    fn security(require_signature: bool, signers: &[u8]) -> Security {
        let signers = signers.iter().map(|seed| key(*seed).public()).collect();
        Security { require_signature, signers, ..Security::default() }
    }

    fn verdict(security: &Security, signature: Option<String>) -> String {
        match security.judge("t", DIGEST, signature) {
            Ok(()) => "fine".to_owned(),
            Err(error) => {
                assert_eq!(error.code(), Code::ToolUntrusted);
                error.message().to_owned()
            }
        }
    }

    #[test]
    fn a_required_digest_must_be_the_tools() {
        let with = |digest| Security { digests: [("t".to_owned(), digest)].into(), ..Security::default() };
        assert_eq!(verdict(&with(DIGEST), None), "fine");
        assert!(verdict(&with([8; 32]), None).contains("is required"));
        let other = Security { digests: [("u".to_owned(), [8; 32])].into(), ..Security::default() };
        assert_eq!(verdict(&other, None), "fine");
        let signed_and_other = Security { digests: [("t".to_owned(), [8; 32])].into(), ..security(true, &[1]) };
        assert!(
            verdict(&signed_and_other, signed(1, DIGEST)).contains("is required"),
            "a signature makes up for nothing"
        );
    }

    #[test]
    fn a_signature_must_be_good_if_it_is_there_and_be_there_if_it_is_required() {
        for (required, signature, expected) in [
            (false, None, "fine"),
            (true, None, "it is not signed"),
            (true, signed(1, DIGEST), "fine"),
            (true, signed(2, DIGEST), "not made over it"),
            (true, signed(1, [9; 32]), "not made over it"),
            (false, signed(1, [9; 32]), "not made over it"),
            (false, Some("nonsense".to_owned()), "malformed"),
        ] {
            let verdict = verdict(&security(required, &[1]), signature.clone());
            assert!(verdict.contains(expected), "{required} {signature:?}: {verdict}");
        }
        assert!(verdict(&security(true, &[]), signed(1, DIGEST)).contains("no trusted signer"));
    }
}
