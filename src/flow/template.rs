//! Templates in node payloads.

/// A payload with its templates parsed.
#[derive(Debug)]
pub struct Mapping;
