//! What guests may ask of the host: one file per interface implements its generated host trait.
//!
//! In: generated traits from `bindings`, and the [`scope::Scope`] that the host decided. Out: calls of the domain
//! services behind them. This room knows nothing of flows or HTTP, and believes nothing that a guest says about
//! its tenant, session or identity.

pub mod grants;
pub mod scope;
pub mod state_view;
