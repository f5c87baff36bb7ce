//! The flows of a pack that is one component: the component lists them, and gives each as JSON or runs it itself.

use std::path::Path;

use super::catalog::Components;
use crate::abi::ExportedFlow;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Kind, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::flow::json;
use crate::id::{self, Id, clip};
use crate::pack::model::{Pack, PackForm};

/// The flows of a pack, and what is wrong with those that its component lists.
pub(super) struct Flows {
    pub(super) flows: Vec<FlowDoc>,
    pub(super) notes: Vec<Error>,
}

/// The flows of a pack. The component of a pack without a manifest is asked for them; what is wrong with one of them is
/// a note.
///
/// # Errors
///
/// That the host is too busy to ask.
pub(super) async fn flows(pack: &Pack, components: &Components, limits: &Limits) -> Result<Flows> {
    let (mut flows, mut notes) = (pack.flows.clone(), Vec::new());
    let only = pack.components.keys().next().filter(|_| pack.form == PackForm::Wasm);
    let Some((id, Some(Ok(component)))) = only.map(|id| (id, components.get(id))) else {
        return Ok(Flows { flows, notes });
    };
    let listed = match component.prepared.exported_flows(id, limits).await {
        Err(busy) if busy.code().kind() == Kind::Unavailable => return Err(busy),
        Err(cause) => {
            let error = Error::new(Code::ComponentDescribe, format!("component {id} cannot say which flows it holds"));
            notes.push(error.with_details(vec![cause]).in_file(&pack.path));
            return Ok(Flows { flows, notes });
        }
        Ok(listed) => listed,
    };
    // A component that describes its pack has said which of them count.
    let named = !flows.is_empty();
    for flow in listed {
        match read(&flow, id, &pack.path) {
            Ok(doc) => match flows.iter_mut().find(|other| other.id == doc.id) {
                Some(known) if named => *known = doc,
                Some(_) => {
                    let message = format!("component {id} holds two flows {:?}; the first is used", doc.id);
                    notes.push(Error::new(Code::FlowInvalid, message).in_file(&pack.path));
                }
                None if named => {}
                None => flows.push(doc),
            },
            Err(error) => notes.push(error),
        }
    }
    Ok(Flows { flows, notes })
}

/// A flow of the component `component`: as it was given, or one that has the component run it.
fn read(flow: &ExportedFlow, component: &Id, path: &Path) -> Result<FlowDoc> {
    if let Some(text) = &flow.json {
        return json::read(text.as_bytes(), path);
    }
    let id = id::parse("flow id", &flow.id).map_err(|error| error.in_file(path))?;
    let kind = flow.kind.as_deref().map_or(Some(FlowKind::Messaging), FlowKind::named).ok_or_else(|| {
        let message = format!("flow {id} is of the unknown kind {:?}", clip(flow.kind.as_deref().unwrap_or_default()));
        Error::new(Code::FlowInvalid, message).in_file(path)
    })?;
    Ok(FlowDoc::of_operation(id, kind, component, path))
}
