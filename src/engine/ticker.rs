//! The epoch ticker: what makes a guest that never calls the host interruptible.

use std::time::Duration;

use crate::error::Result;

/// How long a guest can run without giving its worker thread back.
const TICK: Duration = Duration::from_millis(10);

/// Starts the thread. It holds the engine only weakly, and ends once nobody else holds it.
pub(super) fn start(engine: &wasmtime::Engine) -> Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("epoch-ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(|e| super::internal("cannot start the epoch ticker", e))
}
