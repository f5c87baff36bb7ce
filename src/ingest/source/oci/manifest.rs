//! What an artifact's manifest says: which of its layers holds the bytes.
//!
//! Pure functions over bytes. The types are those of the image specification, from the client crate.

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
    OciDescriptor, OciImageIndex, OciImageManifest, OciManifest,
};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::ingest::locator::OciReference;
use crate::pack::model::Digest;

/// The largest manifest that is read, in bytes: what the specification asks of registries.
pub(super) const MAX_MANIFEST: usize = 4 << 20;

/// How many entries a manifest may have.
const MAX_ENTRIES: usize = 1000;

/// How many candidates an error lists.
const LISTED: usize = 8;

/// The form of manifests that are asked for.
pub(super) const ACCEPT: [&str; 4] =
    [OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];

const TITLE: &str = "org.opencontainers.image.title";
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The layer that holds the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// The digest of its bytes.
    pub(super) digest: Digest,
    /// How many bytes it has.
    pub(super) size: u64,
}

/// What a manifest leads to.
#[derive(Debug)]
pub(super) enum Content {
    /// The bytes.
    Layer(Layer),
    /// Another manifest.
    Manifest(Digest),
}

/// Reads a manifest and chooses.
pub(super) fn read(reference: &OciReference, bytes: &[u8]) -> Result<Content> {
    let wrong = |why: &str| invalid(reference, why);
    match serde_json::from_slice(bytes).map_err(|e| wrong(&format!("it cannot be read: {e}")))? {
        OciManifest::Image(manifest) if manifest.schema_version == 2 => layer(reference, &manifest).map(Content::Layer),
        OciManifest::ImageIndex(index) if index.schema_version == 2 => entry(reference, &index).map(Content::Manifest),
        _ => Err(wrong("it is not of schema version 2")),
    }
}

/// What a registry sends as a manifest and cannot be used.
pub(super) fn invalid(reference: &OciReference, why: &str) -> Error {
    Error::new(Code::ArtifactInvalid, format!("the manifest of {reference} is no use: {why}"))
        .hint("push the artifact again, with a current version of oras or a like tool")
}

/// The layer that says that it is a pack or a component; else the one whose name says so; else the only one.
fn layer(reference: &OciReference, manifest: &OciImageManifest) -> Result<Layer> {
    if manifest.layers.len() > MAX_ENTRIES {
        return Err(invalid(reference, &format!("it has more than {MAX_ENTRIES} layers")));
    }
    let layers: Vec<&OciDescriptor> = manifest.layers.iter().filter(|layer| layer.media_type != EMPTY).collect();
    let says: [fn(&OciDescriptor) -> bool; 4] = [is_pack, is_component, is_named_as_pack, |_| true];
    for says in says {
        let found: Vec<&OciDescriptor> = layers.iter().copied().filter(|layer| says(layer)).collect();
        match found.as_slice() {
            [] => {}
            [only] => return described(reference, only),
            several => return Err(unclear(reference, several)),
        }
    }
    Err(Error::new(Code::ArtifactUnclear, format!("{reference} has no layer that could be a pack or a component"))
        .hint("push the file as a layer, for instance with oras push registry/repository:tag demo.gtpack"))
}

fn is_pack(layer: &OciDescriptor) -> bool {
    media_type(layer).starts_with("application/vnd.greentic.pack")
}

fn is_component(layer: &OciDescriptor) -> bool {
    let media_type = media_type(layer);
    media_type == "application/wasm"
        || media_type.starts_with("application/vnd.wasm")
        || media_type.starts_with("application/vnd.greentic.component")
}

fn is_named_as_pack(layer: &OciDescriptor) -> bool {
    title(layer).is_some_and(|title| title.ends_with(".gtpack") || title.ends_with(".wasm"))
}

fn media_type(layer: &OciDescriptor) -> String {
    layer.media_type.to_ascii_lowercase()
}

fn title(entry: &OciDescriptor) -> Option<&str> {
    entry.annotations.as_ref()?.get(TITLE).map(String::as_str)
}

fn described(reference: &OciReference, layer: &OciDescriptor) -> Result<Layer> {
    let digest = digest(reference, &layer.digest)?;
    let size = u64::try_from(layer.size).map_err(|_| invalid(reference, "the size of its layer is negative"))?;
    Ok(Layer { digest, size })
}

fn digest(reference: &OciReference, text: &str) -> Result<Digest> {
    text.parse().map_err(|_| invalid(reference, &format!("{:?} is no SHA-256 digest", clip(text))))
}

/// The only manifest of an index that is more than a note about another one. Packs are made for no platform, so there
/// is nothing to choose by.
fn entry(reference: &OciReference, index: &OciImageIndex) -> Result<Digest> {
    if index.manifests.len() > MAX_ENTRIES {
        return Err(invalid(reference, &format!("it lists more than {MAX_ENTRIES} manifests")));
    }
    let is_note = |annotations: Option<&std::collections::BTreeMap<String, String>>| {
        annotations.is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE))
    };
    let mut entries = index.manifests.iter().filter(|entry| !is_note(entry.annotations.as_ref()));
    match (entries.next(), entries.next()) {
        (Some(only), None) => digest(reference, &only.digest),
        (None, _) => Err(invalid(reference, "it is an index without a manifest")),
        (Some(first), Some(second)) => {
            let listed = [first, second].into_iter().chain(entries).map(|entry| {
                let platform = entry.platform.as_ref().map(|p| format!("{}/{}", p.os, p.architecture));
                one_of(&entry.digest, &platform.unwrap_or_else(|| entry.media_type.clone()))
            });
            Err(ambiguous(reference, "manifests", listed.collect())
                .hint("name the one that is meant by its digest, as oci://registry/repository@sha256:…"))
        }
    }
}

fn unclear(reference: &OciReference, layers: &[&OciDescriptor]) -> Error {
    let listed = layers.iter().map(|layer| one_of(&layer.digest, title(layer).unwrap_or(&layer.media_type)));
    ambiguous(reference, "layers", listed.collect())
        .hint("push one pack or component per tag, or give its layer the type application/vnd.greentic.pack")
}

fn one_of(digest: &str, what: &str) -> String {
    format!("{} ({})", clip(digest), clip(what))
}

fn ambiguous(reference: &OciReference, what: &str, mut listed: Vec<String>) -> Error {
    let more = listed.len().saturating_sub(LISTED);
    listed.truncate(LISTED);
    if more > 0 {
        listed.push(format!("{more} more"));
    }
    let message = format!("{reference} has several {what} that could be meant: {}", listed.join(", "));
    Error::new(Code::ArtifactUnclear, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reference() -> OciReference {
        let (registry, repository) = ("registry.example".into(), "packs/demo".into());
        OciReference { registry, repository, tag: Some("1".into()), digest: None }
    }

    fn digest_of(fill: char) -> String {
        format!("sha256:{}", fill.to_string().repeat(64))
    }

    fn layer(media_type: &str, fill: char, title: Option<&str>) -> Value {
        let mut layer = json!({"mediaType": media_type, "digest": digest_of(fill), "size": 7});
        if let Some(title) = title {
            layer["annotations"] = json!({TITLE: title});
        }
        layer
    }

    fn manifest(layers: &[Value]) -> Vec<u8> {
        let config = json!({"mediaType": EMPTY, "digest": digest_of('0'), "size": 2});
        json!({"schemaVersion": 2, "mediaType": OCI_IMAGE_MEDIA_TYPE, "config": config, "layers": layers})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn the_layer_is_chosen_by_what_it_says_of_itself() {
        let tar = "application/vnd.oci.image.layer.v1.tar";
        let pack = "application/vnd.greentic.pack.v1+zip";
        let wasm = "application/vnd.wasm.content.layer.v1+wasm";
        let cases: [(&str, Vec<Value>, Option<char>); 12] = [
            ("the only one, whatever it is", vec![layer(tar, 'a', None)], Some('a')),
            ("a pack among others", vec![layer(tar, 'a', None), layer(pack, 'b', None)], Some('b')),
            ("a pack and its component", vec![layer(wasm, 'a', None), layer(pack, 'b', None)], Some('b')),
            ("a component", vec![layer(wasm, 'a', None), layer("text/markdown", 'b', None)], Some('a')),
            ("plain wasm", vec![layer("application/wasm", 'a', None), layer(tar, 'b', None)], Some('a')),
            ("upper case", vec![layer("Application/WASM", 'a', None), layer(tar, 'b', None)], Some('a')),
            ("by name", vec![layer(tar, 'a', Some("README.md")), layer(tar, 'b', Some("d.gtpack"))], Some('b')),
            ("empty ones do not count", vec![layer(EMPTY, 'a', None), layer(tar, 'b', None)], Some('b')),
            ("two packs", vec![layer(pack, 'a', None), layer(pack, 'b', None)], None),
            ("two unknown", vec![layer(tar, 'a', None), layer(tar, 'b', None)], None),
            ("nothing", vec![], None),
            ("only an empty one", vec![layer(EMPTY, 'a', None)], None),
        ];
        for (case, layers, chosen) in cases {
            match (read(&reference(), &manifest(&layers)), chosen) {
                (Ok(Content::Layer(layer)), Some(fill)) => {
                    assert_eq!((layer.digest.to_string(), layer.size), (digest_of(fill), 7), "{case}");
                }
                (Err(error), None) => assert_eq!(error.code(), Code::ArtifactUnclear, "{case}"),
                (found, _) => panic!("{case}: {found:?}"),
            }
        }
    }

    #[test]
    fn several_candidates_are_listed_and_not_all_of_a_thousand() {
        let tar = "application/vnd.oci.image.layer.v1.tar";
        let two = [layer(tar, 'a', Some("a.gtpack")), layer(tar, 'b', Some("b.gtpack"))];
        let text = read(&reference(), &manifest(&two)).unwrap_err().to_string();
        for part in ["a.gtpack", "b.gtpack", &digest_of('a')[..20], "registry.example/packs/demo:1"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let many: Vec<Value> = (0..500).map(|_| layer(tar, 'c', None)).collect();
        let text = read(&reference(), &manifest(&many)).unwrap_err().to_string();
        assert!(text.contains("492 more") && text.len() < 4000, "{text}");
    }

    #[test]
    fn an_index_leads_to_its_only_manifest() {
        let entry = |fill, annotations: Value| json!({"mediaType": OCI_IMAGE_MEDIA_TYPE, "digest": digest_of(fill), "size": 3, "annotations": annotations});
        let index = |manifests: &[Value]| {
            json!({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE, "manifests": manifests}).to_string()
        };
        let note = entry('b', json!({REFERENCE_TYPE: "attestation-manifest"}));
        let found = read(&reference(), index(&[entry('a', json!({})), note]).as_bytes()).unwrap();
        assert!(matches!(found, Content::Manifest(digest) if digest.to_string() == digest_of('a')));
        let two = read(&reference(), index(&[entry('a', json!({})), entry('b', json!({}))]).as_bytes()).unwrap_err();
        assert_eq!(two.code(), Code::ArtifactUnclear);
        assert_eq!(read(&reference(), index(&[]).as_bytes()).unwrap_err().code(), Code::ArtifactInvalid);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let tar = "application/vnd.oci.image.layer.v1.tar";
        let negative = json!({"mediaType": tar, "digest": digest_of('a'), "size": -1});
        let other = json!({"mediaType": tar, "digest": format!("sha512:{}", "a".repeat(128)), "size": 1});
        let huge: Vec<Value> = (0..=MAX_ENTRIES).map(|_| layer(tar, 'c', None)).collect();
        for bytes in [
            b"".to_vec(),
            b"{}".to_vec(),
            b"<html>".to_vec(),
            br#"{"schemaVersion": 1, "manifests": []}"#.to_vec(),
            manifest(&[negative]),
            manifest(&[other]),
            manifest(&huge),
        ] {
            let error = read(&reference(), &bytes).unwrap_err();
            assert_eq!(error.code(), Code::ArtifactInvalid, "{error}");
        }
    }
}
