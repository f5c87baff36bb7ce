//! There is nothing to compile here; see `Cargo.toml`.
