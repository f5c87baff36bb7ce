//! Packs through the public door: every form, every way in which they can be wrong, and the way back.

mod components;
mod forms;
mod hostile;
mod interop;
mod roundtrip;
mod util;
