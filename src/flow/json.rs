//! Flows as JSON, as packs carry them: what tools made of flow files.
//!
//! Three shapes circulate, and may be mixed node by node: the flow file's own (`type`, a node is an operation key beside
//! `routing`), the compiled one (`flow_type`, a node is `{component, payload_expr, routes}`), and one whose `kind` is
//! `flow/v1`. `flow::dialect` reads them all. JSON is written by tools, older or newer than this host, so a key
//! that says nothing to it is no error.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::error::{Code, Error, Location, Result};
use crate::flow::dialect::{self, Source};
use crate::flow::doc::FlowDoc;
use crate::flow::written::{File, Format, Placed};
use crate::id;

/// The largest flow that is read, in bytes. Tools write cards and schemas into flows.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads a flow; `file` is its name in errors.
///
/// # Errors
///
/// `TooLarge`, `InvalidJson`, or all that is wrong with the flow in one error.
pub fn read(bytes: &[u8], file: &Path) -> Result<FlowDoc> {
    let file = &file.display().to_string();
    let origin = Location { file: file.clone(), position: None };
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("the flow has {} bytes", bytes.len()))
            .at(origin)
            .hint(format!("at most {MAX_BYTES} bytes are read; split the flow")));
    }
    let File { written, .. } = serde_json::from_slice::<File<Json>>(bytes).map_err(|error| {
        let position = u32::try_from(error.line()).ok().zip(u32::try_from(error.column()).ok());
        Error::new(Code::InvalidJson, format!("the flow cannot be read: {}", id::clip(&error.to_string())))
            .at(Location { position: position.filter(|(line, _)| *line > 0), ..origin })
            .hint("a flow is one JSON object with `id`, `type` and `nodes`")
    })?;
    dialect::read(written, file, Source::Tool)
}

/// JSON says where something stands only when it cannot be read.
struct Json;

struct Bare<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl Format for Json {
    type Of<T: DeserializeOwned> = Bare<T>;

    fn open<T: DeserializeOwned>(Bare(value): Bare<T>) -> Placed<T> {
        Placed { value, position: None }
    }
}

#[cfg(test)]
mod tests;
