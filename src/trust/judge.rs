//! The rule by which packs are accepted.

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::trust::evidence::{Evidence, IndexSignature, PackSignature, SbomState, index_message};
use crate::trust::key::PublicKey;
use crate::trust::policy::TrustPolicy;
use crate::trust::report::{Check, Signed, Verification};

/// What becomes of a pack, and why.
#[derive(Clone, Debug)]
#[must_use]
pub struct Judgement {
    /// What was verified.
    pub verification: Verification,
    /// Why the pack is refused, if it is.
    pub refusal: Option<Error>,
    /// Why strict verification would refuse it, where a key is configured and that only reports.
    pub note: Option<Error>,
}

impl Judgement {
    /// What was verified and what is to be reported, unless the pack is refused.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn accepted(self) -> Result<(Verification, Option<Error>)> {
        match self.refusal {
            Some(refusal) => Err(refusal),
            None => Ok((self.verification, self.note)),
        }
    }
}

/// Judges a pack.
///
/// A stated digest that differs refuses it, always. All else refuses it under a strict policy only: then at least one
/// configured key has to have signed it, in the index over its digest or in the pack over its content, no signature
/// may be invalid, and its bill of materials, if it has one, has to match. A signature that names a key which is not
/// configured counts neither for nor against it.
pub fn judge(policy: &TrustPolicy, evidence: &Evidence<'_>) -> Judgement {
    let verification = verification(policy, evidence);
    if verification.digest == Check::Differs {
        let refusal = Some(other_digest(evidence));
        return Judgement { verification, refusal, note: None };
    }
    let objection = objection(policy, evidence, &verification);
    match (policy.is_strict(), policy.keys.is_empty()) {
        (true, _) => Judgement { verification, refusal: objection, note: None },
        (false, has_none) => Judgement { verification, refusal: None, note: objection.filter(|_| !has_none) },
    }
}

fn verification(policy: &TrustPolicy, evidence: &Evidence<'_>) -> Verification {
    let actual = index_message(&evidence.digest);
    let digest = match &evidence.stated.digest {
        None => Check::Absent,
        Some(stated) if is_digest(stated, &actual) => Check::Matches,
        Some(_) => Check::Differs,
    };
    let index_signature = match evidence.stated.signature.as_deref().map(IndexSignature::parse) {
        None => Signed::Absent,
        Some(None) => Signed::Invalid,
        Some(Some(signature)) => worth(policy, signature.key, actual.as_bytes(), &signature.bytes),
    };
    let (pack_signature, certificate) = match evidence.pack_signature {
        PackSignature::Absent => (Signed::Absent, None),
        PackSignature::Unusable(_) => (Signed::Invalid, None),
        PackSignature::Present(signed) => {
            let worth = worth(policy, signed.key.as_deref(), &signed.message, &signed.signature);
            // It is over the bill of materials: what that does not say truly, nobody signed.
            let holds = !worth.is_valid() || evidence.sbom.check() == Check::Matches;
            (if holds { worth } else { Signed::Invalid }, signed.certificate.clone())
        }
    };
    let sbom = evidence.sbom.check();
    Verification { strict: policy.is_strict(), digest, index_signature, pack_signature, sbom, certificate }
}

/// Whether a digest that somebody wrote down is `actual`. Bare hex is SHA-256.
fn is_digest(stated: &str, actual: &str) -> bool {
    let stated = stated.trim();
    let is_bare = !stated.contains(':');
    stated.eq_ignore_ascii_case(actual)
        || is_bare && actual.split(':').nth(1).is_some_and(|hex| hex.eq_ignore_ascii_case(stated))
}

/// What a signature is worth that is said to be by the key `named`.
fn worth(policy: &TrustPolicy, named: Option<&str>, message: &[u8], signature: &[u8; 64]) -> Signed {
    if policy.keys.is_empty() {
        return Signed::Unchecked;
    }
    // Whatever it names: a configured key is one under any name.
    if let Some(key) = policy.keys.iter().find(|key| key.has_signed(message, signature)) {
        return Signed::Valid { key: key.id().to_owned() };
    }
    match named {
        Some(name) if !policy.keys.iter().any(|key| key.is_named(name)) => Signed::UnknownKey,
        _ => Signed::Invalid,
    }
}

fn other_digest(evidence: &Evidence<'_>) -> Error {
    let stated = clip(evidence.stated.digest.as_deref().unwrap_or_default());
    let actual = index_message(&evidence.digest);
    Error::new(Code::DigestMismatch, format!("the pack is {actual}, and {stated:?} is stated"))
        .hint("it was changed on its way, or published anew: get it again, or correct the digest in the index")
}

/// Why strict verification refuses a pack, if it does.
fn objection(policy: &TrustPolicy, evidence: &Evidence<'_>, verification: &Verification) -> Option<Error> {
    if policy.keys.is_empty() {
        return Some(
            Error::new(Code::TrustWithoutKeys, "packs are to be verified, and no key is configured to do it with")
                .hint("set PACK_PUBLIC_KEY to the keys that you trust, or PACK_VERIFY_STRICT=0 to verify nothing"),
        );
    }
    let mut findings = Vec::new();
    if let SbomState::Differs(differs) = evidence.sbom {
        let summary = "the pack is not what its bill of materials says";
        findings.push(Error::from_many(Code::SbomMismatch, summary, differs.clone()));
    }
    if verification.index_signature == Signed::Invalid {
        findings.push(Error::new(
            Code::SignatureInvalid,
            "the signature in the index is malformed, or no configured key made it over this pack's digest",
        ));
    }
    if verification.pack_signature == Signed::Invalid {
        let message = "the signature in the pack is malformed, or no configured key made it over what the pack holds";
        let why = match evidence.pack_signature {
            PackSignature::Unusable(why) => vec![why.clone()],
            _ => Vec::new(),
        };
        findings.push(Error::new(Code::SignatureInvalid, message).with_details(why));
    }
    if findings.is_empty() && !verification.index_signature.is_valid() && !verification.pack_signature.is_valid() {
        findings.push(unsigned(evidence, verification));
    }
    if findings.is_empty() {
        return None;
    }
    let keys: Vec<_> = policy.keys.iter().map(PublicKey::id).collect();
    let error = Error::from_many(Code::PackUntrusted, "the pack is not as a configured key signed it", findings);
    Some(error.hint(format!(
        "configured: {}; take the pack from whom you trust, or sign it with `pack sign`; PACK_VERIFY_STRICT=0 reports only",
        keys.join(", ")
    )))
}

fn unsigned(evidence: &Evidence<'_>, verification: &Verification) -> Error {
    let mut named = Vec::new();
    if verification.index_signature == Signed::UnknownKey {
        let key = evidence.stated.signature.as_deref().and_then(IndexSignature::parse).and_then(|signed| signed.key);
        named.push(format!("the index names the key {:?}", clip(key.unwrap_or_default())));
    }
    if let (Signed::UnknownKey, PackSignature::Present(signed)) =
        (&verification.pack_signature, evidence.pack_signature)
    {
        named.push(format!("the pack names the key {:?}", clip(signed.key.as_deref().unwrap_or_default())));
    }
    let message = match named.is_empty() {
        true => "the pack is not signed".to_owned(),
        false => format!("no configured key signed the pack: {}", named.join(", ")),
    };
    Error::new(Code::PackUntrusted, message)
}
