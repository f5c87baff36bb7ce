//! Flow files (`.ygtc`): YAML as authors write it, read within bounds into a [`FlowDoc`].
//!
//! A node holds exactly one operation key besides the keys that every node may have; the key is a builtin
//! (`provider.invoke`, `session.wait`, `flow.call`, `emit.*`, `component.exec`) or a component id, its value the
//! payload. The forms that came before are read as well, see `flow::dialect`. The keys `telemetry`,
//! `annotations` and `meta` are part of the format and describe a flow to other tools; the host does not act on them.

use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

use crate::error::{Code, Error, Location, Result};
use crate::flow::dialect::{self, Source};
use crate::flow::doc::FlowDoc;
use crate::flow::written::{File, Format, Placed};
use crate::id;

/// The largest flow file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads the flow file `text`; `file` is its name in errors.
///
/// All that is wrong is reported in one error, each finding with line and column.
pub fn parse(text: &str, file: &str) -> Result<FlowDoc> {
    let origin = Location { file: file.to_owned(), position: None };
    if text.len() > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("the flow file has {} bytes", text.len()))
            .at(origin)
            .hint(format!("at most {MAX_BYTES} bytes are read; split the flow")));
    }
    let read = serde_saphyr::from_str_with_options::<File<Yaml>>(text, options());
    let File { written, .. } = read.map_err(|error| yaml_error(&error, file))?;
    dialect::read(written, file, Source::Author)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 48,
            flow_nesting_limit: 48,
            max_documents: 1,
            max_total_scalar_bytes: 2 * MAX_BYTES,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 2 * MAX_BYTES,
            max_merge_keys: 1_000,
        },
    }
}

fn yaml_error(error: &serde_saphyr::Error, file: &str) -> Error {
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let location = Location { file: file.to_owned(), position: error.location().and_then(position) };
    Error::new(Code::FlowInvalid, id::clip(&message))
        .at(location)
        .hint("a flow file is one YAML mapping of `id`, `type` and `nodes`; look at indentation and quotes here")
}

fn position(at: serde_saphyr::Location) -> Option<(u32, u32)> {
    let line = u32::try_from(at.line()).ok().filter(|line| *line > 0)?;
    Some((line, u32::try_from(at.column()).ok()?))
}

struct Yaml;

impl Format for Yaml {
    type Of<T: DeserializeOwned> = Spanned<T>;

    fn open<T: DeserializeOwned>(wrapped: Spanned<T>) -> Placed<T> {
        Placed { position: position(wrapped.referenced), value: wrapped.value }
    }
}

#[cfg(test)]
mod tests;
