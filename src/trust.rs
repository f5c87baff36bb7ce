//! Trust: which keys an operator has configured, and what the signatures of an index and of a pack are worth by them.
//!
//! In: keys, digests, signatures and what they are over. Out: a [`Verification`] that says what was checked, and the
//! reason to refuse a pack if there is one. This room does no I/O and knows no pack: `pack` says what a signature in a
//! pack is over, `ingest` where bytes come from. A key that travels with a pack proves nothing here.

mod certificate;
mod evidence;
mod judge;
mod key;
mod policy;
mod private;
mod report;

pub use certificate::Certificate;
pub use evidence::{Evidence, PackSignature, SbomState, SignedContent, StatedOrigin};
pub use judge::{Judgement, judge};
pub use key::PublicKey;
pub use policy::{Strictness, TrustPolicy};
pub use private::PrivateKey;
pub use report::{Check, Signed, Verification};

#[cfg(test)]
mod tests;

pub(crate) use key::decode;
