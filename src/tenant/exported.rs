//! The flows of a pack that is one component: the component lists them, and gives each as JSON or runs it itself.

use std::path::Path;

use super::catalog::LoadedComponent;
use crate::abi::ExportedFlow;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Kind, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::flow::json;
use crate::id::{self, Id, clip};
use crate::pack::model::{Pack, PackForm};

/// Asks the component of a pack without a manifest for its flows, and adds them to the pack. What is wrong with one of
/// them is a note.
///
/// # Errors
///
/// That the host is too busy to ask.
pub(super) async fn add(
    pack: &mut Pack,
    components: &std::collections::HashMap<Id, Result<LoadedComponent>>,
    limits: &Limits,
) -> Result<()> {
    let only = pack.components.keys().next().filter(|_| pack.form == PackForm::Wasm).cloned();
    let Some((id, Some(Ok(component)))) = only.map(|id| (id.clone(), components.get(&id))) else { return Ok(()) };
    let listed = match component.prepared.exported_flows(&id, limits).await {
        Err(busy) if busy.code().kind() == Kind::Unavailable => return Err(busy),
        Err(cause) => {
            let error = Error::new(Code::ComponentDescribe, format!("component {id} cannot say which flows it holds"));
            pack.notes.push(error.with_details(vec![cause]).in_file(&pack.path));
            return Ok(());
        }
        Ok(listed) => listed,
    };
    // A component that describes its pack has said which of them count.
    let named = !pack.flows.is_empty();
    for flow in listed {
        match read(&flow, &id, &pack.path) {
            Ok(doc) => match pack.flows.iter_mut().find(|other| other.id == doc.id) {
                Some(known) if named => *known = doc,
                Some(_) => {
                    let message = format!("component {id} holds two flows {:?}; the first is used", doc.id);
                    pack.notes.push(Error::new(Code::FlowInvalid, message).in_file(&pack.path));
                }
                None if named => {}
                None => pack.flows.push(doc),
            },
            Err(error) => pack.notes.push(error),
        }
    }
    Ok(())
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
