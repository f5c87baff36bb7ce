//! Routing conditions.

/// A parsed condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition;
