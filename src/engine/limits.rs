//! What one invocation may use.

use std::time::Duration;

use super::bounds::Needs;
use crate::error::{Code, Error, Result};

/// Limits of one invocation. Settable per tenant in bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes, summed over all memories of the instance.
    pub memory_bytes: usize,
    /// Wall time from instantiation to the answer, host calls included.
    pub timeout: Duration,
    /// Bytes of an answer.
    pub output_bytes: usize,
    /// Handles and resources that the guest may hold.
    pub handles: usize,
    /// Bytes that the guest may pass to the host in one host call.
    pub host_call_bytes: usize,
    /// Host calls in one invocation.
    pub host_calls: u32,
    /// Bytes that the guest may write to the state in one invocation.
    pub state_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            timeout: Duration::from_secs(10),
            output_bytes: 1 << 20,
            handles: 1_000,
            host_call_bytes: 8 << 20,
            host_calls: 10_000,
            state_bytes: 4 << 20,
        }
    }
}

impl Limits {
    /// Checks that an instance with these `needs` can begin at all.
    ///
    /// # Errors
    ///
    /// [`Code::InitialMemory`] if its memories begin larger than they may ever be.
    pub fn admit(&self, name: &str, needs: &Needs) -> Result<()> {
        let (found, allowed) = (needs.memory_bytes, self.memory_bytes as u64);
        if found <= allowed {
            return Ok(());
        }
        let message = format!("component {name} begins with {found} bytes of memory; its limit is {allowed}");
        Err(Error::new(Code::InitialMemory, message)
            .hint("build it with a smaller initial memory, or raise `limits.memory` in the tenant's bindings"))
    }
}
