//! What the lists of failures have in common: whose and how many, and what is told of a failure.

use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::store::Failure;

/// How many are listed unless the request says a number.
pub(in crate::server) const LISTED: usize = 50;
/// The most of one answer: each is read with its payload.
pub(in crate::server) const MOST_LISTED: usize = 100;

/// What is to be listed.
#[derive(Deserialize)]
pub(in crate::server) struct Listing {
    tenant: Option<String>,
    limit: Option<usize>,
}

impl Listing {
    /// The tenant, if it is to be one's only, and how many at most.
    pub(super) fn checked(self) -> Result<(Option<Id>, usize)> {
        let limit = self.limit.unwrap_or(LISTED);
        if !(1..=MOST_LISTED).contains(&limit) {
            return Err(Error::new(Code::RequestInvalid, format!("limit is not from 1 to {MOST_LISTED}")));
        }
        Ok((OfTenant { tenant: self.tenant }.checked()?, limit))
    }
}

/// Whose is to be told.
#[derive(Deserialize)]
pub(in crate::server) struct OfTenant {
    tenant: Option<String>,
}

impl OfTenant {
    /// The tenant, if it is to be one's only.
    pub(super) fn checked(self) -> Result<Option<Id>> {
        let unusable = |_| Error::new(Code::RequestInvalid, "tenant is no identifier");
        self.tenant.map(|tenant| id::parse("tenant", &tenant).map_err(unusable)).transpose()
    }
}

/// What a failure's code means. Its message may quote what a guest, a user or a platform said and is not shown.
pub(super) fn title(failure: &Failure) -> Option<String> {
    let code = Code::ALL.iter().find(|code| code.to_string() == failure.code);
    code.map(|code| code.title().to_owned())
}
