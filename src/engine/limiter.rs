//! Counts what a guest's memories and tables hold, and refuses what is beyond the limit.

use wasmtime::ResourceLimiter;

/// Instances, tables and memories of one guest, and elements of all its tables.
const MAX_CORE_INSTANCES: usize = 200;
const MAX_TABLES: usize = 64;
const MAX_MEMORIES: usize = 32;
const MAX_TABLE_ELEMENTS: usize = 200_000;

/// The limiter of one store. Memory is summed over all memories, so that a second one gives no second allowance.
#[derive(Debug)]
pub struct Limiter {
    memory_limit: usize,
    memory: usize,
    table_elements: usize,
    denied: bool,
}

impl Limiter {
    /// A limiter that allows `memory_limit` bytes of linear memory in all.
    pub fn new(memory_limit: usize) -> Self {
        Self { memory_limit, memory: 0, table_elements: 0, denied: false }
    }

    /// Whether the guest was refused memory. What happens to it afterwards is a consequence of that.
    pub fn denied(&self) -> bool {
        self.denied
    }

    /// Bytes of linear memory in use.
    pub fn memory(&self) -> usize {
        self.memory
    }

    fn grow(used: &mut usize, denied: &mut bool, limit: usize, current: usize, desired: usize) -> bool {
        let after = used.saturating_add(desired.saturating_sub(current));
        if after > limit {
            *denied = true;
            return false;
        }
        *used = after;
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // A growth beyond the memory's own maximum fails afterwards: it must not count.
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        Ok(Self::grow(&mut self.memory, &mut self.denied, self.memory_limit, current, desired))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        Ok(Self::grow(&mut self.table_elements, &mut self.denied, MAX_TABLE_ELEMENTS, current, desired))
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_memories() {
        let mut limiter = Limiter::new(3 << 16);
        assert!(limiter.memory_growing(0, 2 << 16, None).unwrap());
        assert!(!limiter.memory_growing(0, 2 << 16, None).unwrap());
        assert!(limiter.denied());
        assert!(limiter.memory_growing(0, 1 << 16, None).unwrap());
        assert_eq!(limiter.memory(), 3 << 16);
    }

    #[test]
    fn a_growth_that_the_memory_itself_forbids_is_no_denial() {
        let mut limiter = Limiter::new(1 << 30);
        assert!(!limiter.memory_growing(0, 2 << 16, Some(1 << 16)).unwrap());
        assert!(!limiter.denied());
        assert_eq!(limiter.memory(), 0);
    }
}
