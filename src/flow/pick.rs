//! Which flow an event starts.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::flow::doc::FlowKind;
use crate::flow::hint;
use crate::flow::model::{Flow, FlowSet, FlowState};
use crate::id::{self, Id};

/// What an event says about the flow that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick<'a> {
    /// The flow with this id.
    Id(&'a str),
    /// The one flow of this kind, as flow files spell it (`messaging`, `event`, …).
    Kind(&'a str),
    /// The one messaging flow; in a pack without any, its one flow.
    Default,
}

impl FlowSet {
    /// The flow that an event starts.
    ///
    /// Disabled flows count as candidates: an event must not go to another flow because its own is broken.
    pub fn pick(&self, pick: Pick<'_>) -> Result<Arc<Flow>> {
        match pick {
            Pick::Id(id) => match self.flows.get(id) {
                Some(state) => usable(id, state),
                None => {
                    let message = format!("there is no flow {:?}", id::clip(id));
                    Err(Error::new(Code::FlowUnknown, message).hint(hint::did_you_mean(id, "flows", self.ids())))
                }
            },
            Pick::Kind(name) => {
                let Some(kind) = FlowKind::named(name) else {
                    let hint = hint::did_you_mean(name, "kinds", FlowKind::spellings());
                    return Err(
                        Error::new(Code::FlowUnknown, format!("there is no flow kind {:?}", id::clip(name))).hint(hint)
                    );
                };
                let of_kind = self.flows.iter().filter(|(_, state)| state.kind() == kind).collect();
                self.only(of_kind, &format!(" of kind {}", kind.name()))
            }
            Pick::Default => {
                let messaging: Vec<_> =
                    self.flows.iter().filter(|(_, state)| state.kind() == FlowKind::Messaging).collect();
                match messaging.is_empty() {
                    true => self.only(self.flows.iter().collect(), ""),
                    false => self.only(messaging, " of kind messaging"),
                }
            }
        }
    }

    fn only(&self, candidates: Vec<(&Id, &FlowState)>, which: &str) -> Result<Arc<Flow>> {
        match candidates.as_slice() {
            [(id, state)] => usable(id, state),
            [] => {
                let hint = hint::did_you_mean("", "flows", self.ids());
                Err(Error::new(Code::FlowUnknown, format!("there is no flow{which}")).hint(hint))
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|(id, state)| match state {
                        FlowState::Ready(_) => id.to_string(),
                        FlowState::Disabled { .. } => format!("{id} (disabled)"),
                    })
                    .collect();
                let message = format!("{} flows{which} could start", several.len());
                Err(Error::new(Code::FlowAmbiguous, message).hint(format!("name one of: {}", names.join(", "))))
            }
        }
    }

    fn ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.flows.keys().map(|id| &**id)
    }
}

impl FlowState {
    /// The kind that the flow's author gave it.
    pub fn kind(&self) -> FlowKind {
        match self {
            Self::Ready(flow) => flow.kind,
            Self::Disabled { kind, .. } => *kind,
        }
    }
}

fn usable(id: &str, state: &FlowState) -> Result<Arc<Flow>> {
    match state {
        FlowState::Ready(flow) => Ok(flow.clone()),
        FlowState::Disabled { reason, .. } => {
            let error = Error::new(Code::FlowDisabled, format!("flow {id:?} is disabled because it cannot run"));
            Err(error.hint("repair what is listed, then load the pack again").with_details(vec![reason.clone()]))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn ready(id: &str, kind: FlowKind) -> (Id, FlowState) {
        let flow = Flow {
            id: id.into(),
            kind,
            title: None,
            parameters: serde_json::Value::Null,
            entry: 0,
            entrypoints: HashMap::new(),
            nodes: Vec::new(),
        };
        (id.into(), FlowState::Ready(Arc::new(flow)))
    }

    fn broken(id: &str, kind: FlowKind) -> (Id, FlowState) {
        (id.into(), FlowState::Disabled { kind, reason: Error::new(Code::FlowEmpty, "no nodes") })
    }

    fn set(flows: Vec<(Id, FlowState)>) -> FlowSet {
        FlowSet { flows: flows.into_iter().collect(), notes: Vec::new() }
    }

    #[test]
    fn flows_are_picked_or_the_error_says_which_there_are() {
        let set = set(vec![
            ready("support", FlowKind::Messaging),
            ready("sales", FlowKind::Messaging),
            ready("nightly", FlowKind::Event),
            broken("hook", FlowKind::Http),
            broken("old", FlowKind::Messaging),
        ]);
        for (pick, id) in
            [(Pick::Id("sales"), "sales"), (Pick::Kind("event"), "nightly"), (Pick::Kind("timer"), "nightly")]
        {
            assert_eq!(&*set.pick(pick).unwrap().id, id);
        }
        for (pick, code, hint) in [
            (Pick::Id("suport"), Code::FlowUnknown, "did you mean \"support\"?"),
            (Pick::Id("hook"), Code::FlowDisabled, "repair what is listed, then load the pack again"),
            (Pick::Kind("http"), Code::FlowDisabled, "repair what is listed, then load the pack again"),
            (Pick::Kind("messaging"), Code::FlowAmbiguous, "name one of: support, sales, old (disabled)"),
            (Pick::Kind("job"), Code::FlowUnknown, "flows: support, sales, nightly, hook, old"),
            (Pick::Kind("mesaging"), Code::FlowUnknown, "did you mean \"messaging\"?"),
            (Pick::Default, Code::FlowAmbiguous, "name one of: support, sales, old (disabled)"),
        ] {
            let error = set.pick(pick).unwrap_err();
            assert_eq!((error.code(), error.hint_text()), (code, Some(hint)), "{pick:?}");
        }
        assert_eq!(set.pick(Pick::Id("hook")).unwrap_err().details()[0].code(), Code::FlowEmpty);
    }

    #[test]
    fn without_a_wish_it_is_the_one_messaging_flow_or_the_one_flow() {
        let pick = |flows| set(flows).pick(Pick::Default).map(|flow| flow.id.to_string()).map_err(|error| error.code());
        let (chat, job, timer) = (FlowKind::Messaging, FlowKind::Job, FlowKind::Event);
        assert_eq!(pick(vec![ready("only", job)]), Ok("only".to_owned()));
        assert_eq!(pick(vec![ready("a", job), ready("b", chat), ready("c", timer)]), Ok("b".to_owned()));
        assert_eq!(pick(vec![ready("a", job), ready("c", timer)]), Err(Code::FlowAmbiguous));
        assert_eq!(pick(vec![ready("a", job), broken("b", chat)]), Err(Code::FlowDisabled));
        assert_eq!(pick(vec![]), Err(Code::FlowUnknown));
    }
}
