//! How often a tenant's guests called the host.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::surface::SURFACE;

/// Interfaces beside those of the surface whose calls are counted.
const FURTHER: &[&str] = &["wasi:http/outgoing-handler"];

/// Host calls by interface, those that went well and those that did not.
#[derive(Debug)]
pub struct HostCalls(Box<[[AtomicU64; 2]]>);

impl Default for HostCalls {
    fn default() -> Self {
        Self(interfaces().map(|_| Default::default()).collect())
    }
}

impl HostCalls {
    pub(super) fn add(&self, interface: &str, ok: bool) {
        let counts = places().get(interface).and_then(|place| self.0.get(*place));
        if let Some([well, badly]) = counts {
            if ok { well } else { badly }.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The calls of each interface that was called, with whether they went well.
    pub fn counts(&self) -> Vec<(&'static str, bool, u64)> {
        let of = |(interface, [well, badly]): (&'static str, &[AtomicU64; 2])| {
            let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
            [(interface, true, load(well)), (interface, false, load(badly))]
        };
        interfaces().zip(&self.0).flat_map(of).filter(|(.., count)| *count > 0).collect()
    }
}

fn interfaces() -> impl Iterator<Item = &'static str> {
    SURFACE.iter().map(|interface| interface.name).chain(FURTHER.iter().copied())
}

/// Where an interface is counted.
fn places() -> &'static HashMap<&'static str, usize> {
    static PLACES: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    PLACES.get_or_init(|| interfaces().zip(0..).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_interface() {
        let calls = HostCalls::default();
        for (interface, ok) in
            [(FURTHER[0], true), (SURFACE[0].name, true), (SURFACE[0].name, true), (FURTHER[0], false)]
        {
            calls.add(interface, ok);
        }
        calls.add("nobody:knows/this@1.0.0", true);
        let counts = calls.counts();
        assert_eq!(counts, [(SURFACE[0].name, true, 2), (FURTHER[0], true, 1), (FURTHER[0], false, 1)]);
    }
}
