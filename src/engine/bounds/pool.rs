//! What one instance may take of the instance pool.

use super::expansion::Needs;
use crate::engine::config::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};
use crate::error::{Code, Error, Result};

/// Checks that an instance with these `needs` fits into a place of the pool. What passes may still be refused when it
/// has been compiled: the compiler adds instances of its own where components are composed.
pub(in crate::engine) fn fits(name: &str, needs: &Needs) -> Result<()> {
    for (what, found, allowed) in [
        ("instances of modules", needs.core_instances, u64::from(MAX_CORE_INSTANCES)),
        ("linear memories", needs.memories, u64::from(MAX_MEMORIES)),
        ("tables", needs.tables, u64::from(MAX_TABLES)),
        ("elements in a table", needs.table_elements, MAX_TABLE_ELEMENTS as u64),
    ] {
        if found > allowed {
            let message = format!(
                "component {name} does not fit the instance pool: it has {found} {what}, of which an instance may \
                 have {allowed}"
            );
            return Err(Error::new(Code::PoolTooSmall, message).hint(HINT));
        }
    }
    Ok(())
}

pub(in crate::engine) const HINT: &str =
    "build the component with smaller initial memories and tables, or run without the pool";
