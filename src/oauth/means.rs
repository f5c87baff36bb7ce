//! What both ways to tokens need, of one tenant.

use std::sync::Arc;

use super::secrets::Secrets;
use super::settings::OAuthBroker;
use super::vault::Vault;
use super::web::Web;
use super::works::Works;
use crate::id::Id;

#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) tenant: Id,
    pub(super) settings: Arc<OAuthBroker>,
    pub(super) web: Arc<Web>,
    pub(super) vault: Arc<Vault>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) works: Arc<Works>,
}
