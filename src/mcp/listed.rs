//! What a server lists, as far as it is kept.

use std::sync::Arc;

use serde_json::Value;

/// Tools of one server.
const MAX_TOOLS: usize = 2_000;

/// Bytes of all of them together, as JSON. A page alone may have more, and is not kept then.
const MAX_BYTES: usize = 4 << 20;

/// The tools that a server lists.
pub(super) struct Listed {
    pub(super) tools: Arc<Vec<Value>>,
    /// Whether that is all of them.
    pub(super) is_whole: bool,
}

impl Listed {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().filter_map(|tool| tool.get("name")?.as_str())
    }
}

/// A list that is being read.
#[derive(Default)]
pub(super) struct Listing {
    tools: Vec<Value>,
    bytes: usize,
    is_cut: bool,
}

impl Listing {
    /// Adds a page, as far as it fits. False if nothing fits any more.
    pub(super) fn add(&mut self, page: Vec<Value>) -> bool {
        for tool in page {
            self.bytes = self.bytes.saturating_add(tool.to_string().len());
            if self.tools.len() >= MAX_TOOLS || self.bytes > MAX_BYTES {
                self.is_cut = true;
                return false;
            }
            self.tools.push(tool);
        }
        true
    }

    /// The list; `is_last` says whether its last page was read.
    pub(super) fn end(self, is_last: bool) -> Listed {
        Listed { tools: Arc::new(self.tools), is_whole: is_last && !self.is_cut }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: usize, bytes: usize) -> Value {
        json!({ "name": format!("t{name}"), "description": "x".repeat(bytes) })
    }

    #[test]
    fn lists_are_bounded_by_number_and_by_bytes_over_all_pages() {
        for (pages, each, bytes, kept, is_whole) in [
            (3, 2, 10, 6, true),
            (1, MAX_TOOLS, 10, MAX_TOOLS, true),
            (1, MAX_TOOLS + 1, 10, MAX_TOOLS, false),
            (21, 100, 10, MAX_TOOLS, false),
            (3, 1, MAX_BYTES / 2 - 100, 2, false),
            (1, 1, MAX_BYTES, 0, false),
        ] {
            let mut listing = Listing::default();
            let mut read = 0;
            for page in 0..pages {
                let page: Vec<_> = (0..each).map(|n| tool(page * each + n, bytes)).collect();
                read += 1;
                if !listing.add(page) {
                    break;
                }
            }
            let listed = listing.end(read == pages);
            assert_eq!((listed.tools.len(), listed.is_whole), (kept, is_whole), "{pages} x {each} x {bytes}");
            assert!(listed.names().eq((0..kept).map(|n| format!("t{n}"))));
        }
    }

    #[test]
    fn a_list_whose_last_page_was_not_read_is_not_whole() {
        let mut listing = Listing::default();
        assert!(listing.add(vec![tool(1, 1)]));
        assert!(!listing.end(false).is_whole);
    }
}
