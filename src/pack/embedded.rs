//! What a component that is a whole pack says of the pack: in a custom section of its own, or in its static data.

use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::error::{Code, Error};
use crate::id::{self, Id};
use crate::pack::cbor;
use crate::pack::limits::Limits;
use crate::pack::model::SecretRequirement;

/// The name of the custom section, and the key under which the description is listed with the extensions.
pub(super) const SECTION: &str = "greentic.manifest";

/// Flows that it may name.
const MAX_FLOWS: usize = 256;

/// What such a component says.
pub(super) struct Embedded {
    pub(super) id: Id,
    pub(super) version: Version,
    pub(super) secret_requirements: Vec<SecretRequirement>,
    /// The flows that it names, the one to begin with first.
    pub(super) flows: Vec<Id>,
    /// All of it, as written.
    pub(super) written: Value,
}

#[derive(Deserialize)]
struct Wire {
    pack_id: String,
    version: String,
    #[serde(default)]
    secret_requirements: Vec<SecretRequirement>,
    #[serde(default)]
    entry_flows: Vec<String>,
    #[serde(default)]
    flows: Vec<WireFlow>,
}

#[derive(Deserialize)]
struct WireFlow {
    id: String,
}

/// Looks for a description in `wasm`. What looks like one and is none is ignored in data, and noted in the section.
pub(super) fn find(wasm: &[u8], limits: &Limits) -> (Option<Embedded>, Option<Error>) {
    let mut note = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::CustomSection(section)) if section.name() == SECTION => match read(section.data(), limits) {
                Ok(embedded) => return (Some(embedded), None),
                Err(why) => {
                    let message = format!("the section {SECTION} of the component is not used: {}", id::clip(&why));
                    note = Some(Error::new(Code::ManifestInvalid, message));
                }
            },
            Ok(Payload::DataSection(segments)) => {
                let maps = segments.into_iter().map_while(Result::ok).filter(|segment| is_map(segment.data));
                if let Some(found) = maps.filter_map(|segment| read(segment.data, limits).ok()).next() {
                    return (Some(found), note);
                }
            }
            Ok(_) => {}
            // What is no WebAssembly is said when the component is prepared.
            Err(_) => break,
        }
    }
    (None, note)
}

/// Why the description in a section of `wasm` is not used, if there is one that is not.
pub(crate) fn unused(wasm: &[u8], limits: &Limits) -> Option<Error> {
    find(wasm, limits).1
}

/// Whether bytes begin like a CBOR map, which most data does not.
fn is_map(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 5 == 5)
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Embedded, String> {
    let written = cbor::decode_first(bytes, limits).map_err(|error| error.message().to_owned())?;
    let wire = Wire::deserialize(&written).map_err(|error| error.to_string())?;
    let id = id::parse("pack id", &wire.pack_id).map_err(|error| error.message().to_owned())?;
    let version = Version::parse(&wire.version).map_err(|error| format!("version: {error}"))?;
    let mut flows: Vec<Id> = Vec::new();
    for flow in wire.entry_flows.iter().chain(wire.flows.iter().map(|flow| &flow.id)) {
        let flow = id::parse("flow id", flow).map_err(|error| error.message().to_owned())?;
        if !flows.contains(&flow) {
            flows.push(flow);
        }
        if flows.len() > MAX_FLOWS {
            return Err(format!("it names more than {MAX_FLOWS} flows"));
        }
    }
    Ok(Embedded { id, version, secret_requirements: wire.secret_requirements, flows, written })
}
