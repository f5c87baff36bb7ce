//! What is done to the entries of a pack: other contents, other names, fewer, more, twice; and the bills made right again.

use ciborium::Value;

use super::{Chance, EXPORTS, Files, tree, util};

/// Names that readers of packs look for, and such as no pack should have.
const NAMES: &[&str] = &[
    "manifest.cbor",
    "manifest.json",
    "sbom.cbor",
    "sbom.json",
    "pack.lock",
    "pack.lock.json",
    "pack.lock.cbor",
    "pack.yaml",
    "index.ygtc",
    "build.yaml",
    "components/echo.wasm",
    "components/echo.manifest.cbor",
    "components/.wasm",
    "flows/main/flow.json",
    "assets/cards/hello.json",
    "assets/i18n/en.json",
    "assets/pack.lock.json",
    "schemas/echo.json",
    "signatures/pack.sig",
    "assets",
    "assets/",
    "../up",
    "/etc/passwd",
    "assets/../../up",
    "assets/a\u{1b}[31mb",
    "C:\\windows",
    "assets//x",
    "ASSETS/CARDS/HELLO.JSON",
];

/// Pieces of text that mean something to one of the readers.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{#each in}}",
    "&a [*a]",
    "*a",
    "<<: *a",
    "!!binary ",
    "\0",
    "\u{feff}",
    "- ",
    ": ",
    "? ",
    "|\n",
    "---\n",
    "\t",
    "\"",
    "[[[[[[[[[[[[[[[[[[[[",
    "{{{{{{{{",
    "1e999",
    "-0",
    "null",
    "to: ",
    "condition: 'in.x == '",
    "\u{202e}",
];

/// Makes one change.
pub(super) fn one(files: &mut Files, chance: &mut Chance<'_>) {
    if files.is_empty() {
        files.push((chance.pick(NAMES).to_string(), chance.bytes(64)));
        return;
    }
    let at = chance.below(files.len());
    match chance.below(12) {
        0..=6 => {
            let (name, bytes) = &mut files[at];
            *bytes = content(name, bytes, chance);
        }
        7 => drop(files.remove(at)),
        8 => {
            let mut twin = files[at].clone();
            if chance.one_in(2) {
                twin.1 = content(&twin.0, &twin.1, chance);
            }
            let place = chance.below(files.len());
            files.insert(place, twin);
        }
        9 => files[at].0 = another_name(&files[at].0, chance),
        10 => {
            let content = files[at].1.clone();
            let name = another_name(&files[at].0, chance);
            files.push((name, content));
        }
        _ => {
            let other = chance.below(files.len());
            let (left, right) = (files[at].1.clone(), files[other].1.clone());
            (files[at].1, files[other].1) = (right, left);
        }
    }
}

fn another_name(name: &str, chance: &mut Chance<'_>) -> String {
    match chance.below(6) {
        0 => format!("{name}x"),
        1 => name.to_uppercase(),
        2 => format!("{}{name}", "deep/".repeat(40)),
        3 => format!("{name}{}", "long".repeat(200)),
        _ => chance.pick(NAMES).to_string(),
    }
}

fn content(name: &str, bytes: &[u8], chance: &mut Chance<'_>) -> Vec<u8> {
    let ending = name.rsplit('.').next().unwrap_or_default();
    let structured = chance.below(4) > 0;
    match ending {
        "cbor" if structured => tree::changed_cbor(bytes, chance),
        "json" | "ygtc" if structured => tree::changed_json(bytes, chance).unwrap_or_else(|| text(bytes, chance)),
        "json" | "ygtc" | "yaml" => text(bytes, chance),
        "wasm" => component(bytes, chance),
        _ => raw(bytes, chance),
    }
}

/// Lines and words changed.
fn text(bytes: &[u8], chance: &mut Chance<'_>) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = chance.below(lines.len());
    match chance.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at].splice(0..0, b"  ".repeat(1 + chance.below(300))).for_each(drop),
        3 => {
            let line = lines[at].repeat(200);
            lines[at] = line;
        }
        _ => {
            let place = chance.below(lines[at].len() + 1);
            let word = chance.pick(WORDS).as_bytes().iter().copied();
            lines[at].splice(place..place, word).for_each(drop);
        }
    }
    lines.join(&b'\n')
}

/// A component with bytes changed, cut, or another one.
fn component(bytes: &[u8], chance: &mut Chance<'_>) -> Vec<u8> {
    match chance.below(4) {
        0 => {
            let made = chance.bytes(512);
            let component: Option<wasm_smith::Component> = arbitrary::Unstructured::new(&made).arbitrary().ok();
            component.map(|component| component.to_bytes()).unwrap_or_default()
        }
        1 => [bytes, EXPORTS].concat(),
        _ => raw(bytes, chance),
    }
}

/// Bytes changed, cut, or more of them.
fn raw(bytes: &[u8], chance: &mut Chance<'_>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = chance.below(bytes.len() + 1);
    match chance.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.splice(at..at, chance.bytes(64)).for_each(drop),
        // Packs well, and meets the bound of what an entry may unpack to.
        2 => bytes.resize(bytes.len() + chance.below(300 << 10), 0),
        _ => {
            let changes = 1 + chance.below(4);
            for _ in 0..changes {
                let at = chance.below(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
    }
    bytes
}

/// Gives the entry `name` other bytes.
pub(super) fn set(files: &mut Files, name: &str, bytes: Vec<u8>) {
    files.retain(|(other, _)| other != name);
    files.push((name.to_owned(), bytes));
}

/// Makes hashes right again that a reader would only stop at: those of a manifest of the older generation, then those of
/// the bill of materials.
pub(super) fn repair(files: &mut Files) {
    let listed = files.clone();
    let hash = |name: &str| {
        let found = listed.iter().find(|(other, _)| other == name);
        found.map(|(_, bytes)| blake3::hash(bytes).to_hex().to_string())
    };
    for (_, bytes) in files.iter_mut().filter(|(name, _)| name == "manifest.cbor") {
        let Ok(mut manifest) = ciborium::from_reader::<Value, _>(&**bytes) else { continue };
        let mut repaired = false;
        for (list, file) in [("components", "file_wasm"), ("flows", "file_json")] {
            for entry in tree::list(&mut manifest, list) {
                let named = tree::get(entry, file).and_then(|value| value.as_text().map(str::to_owned));
                if let (Some(hash), Some(place)) = (named.and_then(|name| hash(&name)), tree::get(entry, "hash_blake3"))
                {
                    *place = Value::Text(hash);
                    repaired = true;
                }
            }
        }
        if repaired {
            *bytes = tree::written(&manifest);
        }
    }
    for bill in ["sbom.json", "sbom.cbor"] {
        if !files.iter().any(|(name, _)| name == bill) {
            continue;
        }
        let unlisted = |name: &str| name.starts_with("signatures/") || name.starts_with("sbom.");
        let listed = files.iter().filter(|(name, _)| !unlisted(name));
        let listed: Vec<_> = listed
            .map(|(name, bytes)| {
                let hash = blake3::hash(bytes).to_hex().to_string();
                serde_json::json!({ "path": name, "size": bytes.len(), "hash_blake3": hash, "media_type": "x/y" })
            })
            .collect();
        let written = serde_json::json!({ "format": "greentic-sbom-v1", "files": listed });
        let bytes = if bill == "sbom.json" { written.to_string().into_bytes() } else { util::cbor(&written) };
        set(files, bill, bytes);
    }
}
