//! Running flows durably: lanes, the executor, checkpoints, waits.
//!
//! In: [`event::Event`]s from ingress, the API, timers. Out: replies, and what the store keeps. The room sends
//! nothing anywhere and parses no platform's format.

pub mod event;
pub mod trace;
