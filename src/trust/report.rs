//! What was verified about a pack, for logs, the command line and the admin API.

use schemars::JsonSchema;
use serde::Serialize;

use crate::trust::certificate::Certificate;

/// What was verified about a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verification {
    /// Whether unsigned packs are refused.
    pub strict: bool,
    /// The digest that the index states.
    pub digest: Check,
    /// The signature that the index states.
    pub index_signature: Signed,
    /// The signature in the pack. Valid only if the pack is what its bill of materials says.
    pub pack_signature: Signed,
    /// The pack's bill of materials.
    pub sbom: Check,
    /// What the certificate says that came with the pack, which proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// How a statement about bytes compares with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing is stated.
    Absent,
    /// It is as stated.
    Matches,
    /// It is not as stated.
    Differs,
}

/// What a signature is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Signed {
    /// There is none.
    Absent,
    /// No key is configured that could tell.
    Unchecked,
    /// A configured key made it over these bytes.
    Valid {
        /// The id of that key.
        key: String,
    },
    /// It names a key that is not configured, so it counts neither for nor against the pack.
    UnknownKey,
    /// It is not valid: malformed, or over other bytes.
    Invalid,
}

impl Signed {
    /// Whether a configured key made it over these bytes.
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Valid { .. })
    }
}
