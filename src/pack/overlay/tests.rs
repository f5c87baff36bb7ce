//! What lies over what, and what the packs leave open.

use std::path::Path;

use bytes::Bytes;
use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::pack::Assets;
use crate::pack::model::{Operation, PackForm, PackKind};

/// A pack and its flows.
#[derive(Clone)]
struct Made(Pack);

fn pack(id: &str) -> Made {
    Made(Pack {
        id: Id::from(id),
        name: None,
        version: semver::Version::new(1, 0, 0),
        kind: PackKind::Application,
        publisher: "test".to_owned(),
        digest: Digest::of(id.as_bytes()),
        form: PackForm::Archive,
        generation: None,
        path: format!("{id}.gtpack").into(),
        components: IndexMap::new(),
        flows: Vec::new(),
        providers: IndexMap::new(),
        extensions: IndexMap::new(),
        secret_requirements: Vec::new(),
        assets: Assets::default(),
        signatures: Vec::new(),
        signed: Default::default(),
        sbom: Default::default(),
        lock_beside: None,
        notes: Vec::new(),
        faults: Vec::new(),
    })
}

impl Made {
    fn flow(mut self, id: &str, kind: FlowKind) -> Self {
        let path = self.0.path.clone();
        self.0.flows.push(FlowDoc::of_operation(Id::from(id), kind, &Id::from("c"), &path));
        self
    }

    fn component(mut self, id: &str, bytes: &'static str, ops: &[&str]) -> Self {
        let operation =
            |name: &&str| Operation { name: (*name).to_owned(), input_schema: Value::Null, output_schema: Value::Null };
        let component = PackComponent {
            id: Id::from(id),
            version: None,
            world: None,
            operations: ops.iter().map(operation).collect(),
            capabilities: None,
            wasm: Bytes::from_static(bytes.as_bytes()),
            digest: Digest::of(bytes.as_bytes()),
            published: None,
            found_in: format!("{}!{id}", self.0.path.display()),
        };
        self.0.components.insert(component.id.clone(), component);
        self
    }

    fn provider(mut self, id: &str, provider_type: &str) -> Self {
        let provider = ProviderDecl {
            id: Id::from(id),
            provider_type: provider_type.to_owned(),
            capabilities: Vec::new(),
            ops: Vec::new(),
            component: Id::from("c"),
            export: String::new(),
            world: String::new(),
            config: None,
            config_schema_ref: None,
        };
        self.0.providers.insert(provider.id.clone(), provider);
        self
    }

    fn asset(mut self, path: &str, text: &'static str) -> Self {
        let own = [(path.to_owned(), Bytes::from_static(text.as_bytes()))].into_iter().collect();
        self.0.assets = self.0.assets.overlaid(&own);
        self
    }

    fn secret(mut self, key: &str, required: bool) -> Self {
        let (key, rest) = (key.to_owned(), Map::new());
        self.0.secret_requirements.push(SecretRequirement { key, required, description: None, rest });
        self
    }

    fn note(mut self, text: &str) -> Self {
        self.0.notes.push(Error::new(Code::FilesMissing, text));
        self
    }
}

const CHAT: &[FlowKind] = &[FlowKind::Messaging];

fn merged(packs: &[&Made]) -> Result<Merged> {
    let packs: Vec<&Pack> = packs.iter().map(|made| &made.0).collect();
    let mut merged = merge(&packs)?;
    for (at, pack) in packs.iter().enumerate() {
        merged.add_flows(at, pack.flows.clone(), CHAT)?;
    }
    Ok(merged)
}

/// Which pack each flow is of, in the order of the flows.
fn flows(merged: &Merged) -> Vec<String> {
    let from = |flow: &FlowDoc| format!("{} of {}", flow.id, merged.packs[merged.pack_of_flow(&flow.id)].id);
    merged.pack.flows.iter().map(from).collect()
}

#[test]
fn a_pack_alone_stays_as_it_is() {
    let main = pack("main").flow("chat", FlowKind::Messaging).component("c", "one", &["a"]).asset("assets/a", "x");
    let alone = merged(&[&main]).unwrap();
    assert_eq!(alone.digest(), main.0.digest);
    assert_eq!(format!("{:?}", alone.pack), format!("{:?}", main.0));
}

#[test]
fn a_later_pack_replaces_and_adds() {
    let main = pack("main")
        .flow("chat", FlowKind::Messaging)
        .flow("nightly", FlowKind::Event)
        .component("c", "one", &["a"])
        .provider("mouth", "test.echo")
        .asset("assets/a", "main's")
        .asset("assets/b", "main's")
        .secret("TOKEN", false)
        .note("odd");
    let one = pack("one")
        .flow("more", FlowKind::Job)
        .flow("chat", FlowKind::Messaging)
        .component("c", "one", &["a", "b"])
        .component("d", "two", &[])
        .provider("ear", "test.echo")
        .asset("assets/b", "one's")
        .secret("TOKEN", true)
        .secret("KEY", false)
        .note("odder");
    let two = pack("two").flow("more", FlowKind::Job).asset("assets/b", "two's").asset("assets/c", "two's");
    let all = merged(&[&main, &one, &two]).unwrap();
    assert_eq!((&*all.pack.id, all.pack.digest), ("main", main.0.digest));
    assert_eq!(flows(&all), ["chat of one", "nightly of main", "more of two"]);
    let at = |path: &str| String::from_utf8(all.pack.assets.get(path).unwrap().to_vec()).unwrap();
    assert_eq!([at("assets/a"), at("assets/b"), at("assets/c")], ["main's", "two's", "two's"]);
    let ops: Vec<_> = all.pack.components["c"].operations.iter().map(|op| &*op.name).collect();
    assert_eq!(ops, ["a", "b"]);
    assert_eq!((all.pack_of_component("c"), all.pack_of_component("d")), (0, 1));
    assert_eq!((all.pack_of_provider("mouth"), all.pack_of_provider("ear")), (0, 1));
    let secrets: Vec<_> = all.pack.secret_requirements.iter().map(|s| (&*s.key, s.required)).collect();
    assert_eq!(secrets, [("TOKEN", true), ("KEY", false)]);
    let notes: Vec<_> = all.pack.notes.iter().map(Error::message).collect();
    assert_eq!(notes, ["odd", "overlay one 1.0.0: odder"]);
    let other_order = merged(&[&main, &two, &one]).unwrap();
    assert_eq!(flows(&other_order), ["chat of one", "nightly of main", "more of one"]);
    let digests = [all.digest(), other_order.digest(), merged(&[&main, &one]).unwrap().digest(), main.0.digest];
    let distinct: std::collections::BTreeSet<_> = digests.into_iter().collect();
    assert_eq!(distinct.len(), digests.len(), "each list of packs has a digest of its own");
}

/// The error, which names both packs.
fn refused(packs: &[&Made], code: Code, names: &[&str]) -> Error {
    let error = merged(packs).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    let text = error.to_string();
    for name in names {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(error.hint_text().or(error.details().first().and_then(Error::hint_text)).is_some(), "{error}");
    error
}

#[test]
fn what_no_order_decides_names_both_packs() {
    let main = pack("main").component("c", "one", &[]).provider("mouth", "test.echo").asset("assets/Card", "x");
    let both = ["pack main 1.0.0", "overlay other 1.0.0"];
    let other = pack("other").component("c", "two", &[]);
    let error = refused(&[&main, &other], Code::OverlayComponent, &both);
    for bytes in ["one", "two"] {
        assert!(error.message().contains(&Digest::of(bytes.as_bytes()).to_string()), "{error}");
    }
    refused(&[&main, &pack("other").provider("mouth", "test.mail")], Code::OverlayProvider, &both);
    for path in ["assets/card", "assets/Card/x", "assets"] {
        refused(&[&main, &pack("other").asset(path, "y")], Code::OverlayAsset, &["main 1.0.0", both[1]]);
    }
    let (one, two) = (pack("one").component("d", "one", &[]), pack("two").component("d", "two", &[]));
    refused(&[&main, &one, &two], Code::OverlayComponent, &["overlay one 1.0.0", "overlay two 1.0.0"]);
    // The same under one id leaves nothing open.
    let same = pack("same").component("c", "one", &[]).provider("mouth", "test.echo");
    assert_eq!(merged(&[&main, &same]).unwrap().pack.providers.len(), 1);
}

#[test]
fn a_pack_lies_over_nothing_twice() {
    let (main, one) = (pack("main"), pack("one"));
    let mut newer = pack("main");
    (newer.0.version, newer.0.digest) = (semver::Version::new(2, 0, 0), Digest::of(b"newer"));
    let mut renamed = pack("renamed");
    renamed.0.digest = one.0.digest;
    refused(&[&main, &main], Code::OverlayRepeated, &["overlay main 1.0.0", "pack main 1.0.0"]);
    refused(&[&main, &newer], Code::OverlayRepeated, &["overlay main 2.0.0", "pack main 1.0.0"]);
    refused(&[&main, &one, &renamed], Code::OverlayRepeated, &["overlay renamed", "overlay one"]);
    let error = refused(&[&main, &one, &main, &one], Code::OverlayRepeated, &["main", "one"]);
    assert_eq!(error.details().len(), 2, "{error}");
}

#[test]
fn there_are_only_so_many() {
    let packs: Vec<_> = (0..=MAX_OVERLAYS + 1).map(|n| pack(&format!("p{n}"))).collect();
    let packs: Vec<_> = packs.iter().collect();
    assert!(merged(&packs[..=MAX_OVERLAYS]).is_ok());
    assert_eq!(merged(&packs).unwrap_err().code(), Code::TooLarge);
}

#[test]
fn where_events_start_the_only_flow_it_stays_the_only_one() {
    let (chat, job) = (FlowKind::Messaging, FlowKind::Job);
    let main = pack("main").flow("chat", chat);
    let both = ["\"chat\" of pack main 1.0.0", "overlay other 1.0.0"];
    let error = refused(&[&main, &pack("other").flow("promo", chat)], Code::OverlayFlow, &both);
    assert!(error.message().contains("adds \"promo\""), "{error}");
    refused(&[&main, &pack("other").flow("promo", chat).flow("chat", chat)], Code::OverlayFlow, &both);
    refused(&[&main, &pack("other").flow("chat", job)], Code::OverlayFlow, &both);
    let (one, two) = (pack("one").flow("a", chat), pack("two").flow("b", chat));
    refused(&[&pack("main"), &one, &two], Code::OverlayFlow, &["\"a\" of overlay one", "overlay two"]);
    // What was unclear before is the main pack's own business; other kinds are started by name.
    let several = pack("main").flow("a", chat).flow("b", chat);
    for fine in [
        merged(&[&main, &pack("other").flow("chat", chat).flow("helper", job)]),
        merged(&[&several, &pack("other").flow("c", chat)]),
        merged(&[&pack("main"), &pack("other").flow("a", chat).flow("b", chat)]),
        merged(&[&pack("main").flow("x", job), &pack("other").flow("y", job)]),
    ] {
        fine.unwrap();
    }
}

#[test]
fn a_pack_that_has_two_flows_of_one_id_keeps_both_unless_one_lies_over_them() {
    let main = pack("main").flow("a", FlowKind::Job).flow("b", FlowKind::Job).flow("a", FlowKind::Job);
    assert_eq!(merged(&[&main]).unwrap().pack.flows.len(), 3);
    let over = pack("over").flow("a", FlowKind::Job);
    assert_eq!(flows(&merged(&[&main, &over]).unwrap()), ["a of over", "b of main"]);
    let twice = pack("over").flow("a", FlowKind::Job).flow("a", FlowKind::Job);
    assert_eq!(merged(&[&main, &twice]).unwrap().pack.flows.len(), 3);
}

proptest! {
    /// The last pack that has a flow or an asset is the one that it comes from.
    #[test]
    fn the_last_one_wins(layers in proptest::collection::vec(proptest::collection::btree_set(0..6usize, 0..6), 1..6)) {
        const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        const TEXTS: [&str; 6] = ["0", "1", "2", "3", "4", "5"];
        let packs: Vec<_> = layers.iter().enumerate().map(|(at, names)| {
            names.iter().fold(pack(&format!("p{at}")), |made, name| {
                made.flow(NAMES[*name], FlowKind::Job).asset(&format!("assets/{}", NAMES[*name]), TEXTS[at])
            })
        }).collect();
        let all = merged(&packs.iter().collect::<Vec<_>>()).unwrap();
        for (name, text) in NAMES.iter().enumerate() {
            let last = layers.iter().rposition(|names| names.contains(&name));
            let flow = all.pack.flows.iter().filter(|flow| &*flow.id == *text).collect::<Vec<_>>();
            prop_assert_eq!(flow.len(), usize::from(last.is_some()));
            let asset = all.pack.assets.get(&format!("assets/{text}"));
            prop_assert_eq!(asset.as_deref(), last.map(|at| TEXTS[at].as_bytes()));
            if let (Some(last), [flow]) = (last, flow.as_slice()) {
                prop_assert_eq!(all.pack_of_flow(text), last);
                prop_assert_eq!(Path::new(&flow.origin.file), &packs[last].0.path);
            }
        }
    }
}
