//! Running flows durably: lanes, the executor, checkpoints, waits.
//!
//! In: [`event::Event`]s from ingress, the API, timers, and a [`program::Program`] per tenant. Out: an
//! [`outcome::Outcome`] per event, and what the store keeps. The room sends nothing anywhere and parses no
//! platform's format.
//!
//! An event is accepted (stored) by [`lanes::Lanes::submit`]. A lane works on its events one after another: it
//! claims the oldest, [`executor`] loads or starts its run, executes nodes (`node`), stores a checkpoint between
//! effects, and completes or fails the event in one transaction.

pub mod completion;
mod control;
pub mod event;
pub mod executor;
pub mod lanes;
mod node;
pub mod outcome;
pub mod program;
mod record;
mod state;
mod tool;
pub mod trace;
pub mod transcript;
mod value;
pub mod watch;
