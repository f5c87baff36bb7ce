//! What the fuzz targets do with their bytes: one function per parser of foreign bytes.
//!
//! A target fails by panicking, also where a parser breaks a promise without panicking itself. Nothing here needs
//! libFuzzer, so that a test on the stable compiler can replay the corpora through the same functions.

use std::path::Path;

use arbitrary::{Arbitrary as _, Unstructured};
use greentic_runner_host::check::{self, Report, Style};
use greentic_runner_host::config::PackBinding;
use greentic_runner_host::error::{Code, Location};
use greentic_runner_host::flow::compile::{Catalog, ComponentInfo, ProviderInfo, compile};
use greentic_runner_host::flow::condition::Condition;
use greentic_runner_host::flow::json as flow_file;
use greentic_runner_host::flow::model::FlowState;
use greentic_runner_host::flow::template::{Mapping, NodeOutput, Root, Site, Vars};
use greentic_runner_host::flow::ygtc;
use greentic_runner_host::id::Id;
use greentic_runner_host::ingest::Index;
use greentic_runner_host::ingest::locator::{Base, Locator, Scheme};
use greentic_runner_host::ingress::{Context, Request};
use greentic_runner_host::pack::manifest::{Decoded, Manifest};
use greentic_runner_host::pack::signature::Envelope;
use greentic_runner_host::pack::{self, Limits, LoadOptions};
use greentic_runner_host::trust::{
    self, Certificate, Evidence, PackSignature, PublicKey, SbomState, SignedContent, StatedOrigin, Strictness,
    TrustPolicy,
};
use greentic_runner_host::{Error, HostConfig, conform};
use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use serde_json::{Value, json};

pub mod adapters;
mod entries;

/// A parser's bytes.
pub type Target = fn(&[u8]);

/// Every target by name; the directories below `corpus/` have the same names.
pub const TARGETS: &[(&str, Target)] = &[
    ("archive", archive),
    ("bindings_yaml", bindings_yaml),
    ("component", component),
    ("condition", condition),
    ("flow_json", flow_json),
    ("generated", generated),
    ("gtbind", gtbind),
    ("index", index),
    ("locator", locator),
    ("lock", lock),
    ("manifest", manifest),
    ("pack_entries", pack_entries),
    ("signature", signature),
    ("slack", adapters::slack),
    ("slack_fields", adapters::slack_fields),
    ("teams", adapters::teams),
    ("teams_fields", adapters::teams_fields),
    ("telegram", adapters::telegram),
    ("telegram_fields", adapters::telegram_fields),
    ("template", template),
    ("webchat", adapters::webchat),
    ("webchat_fields", adapters::webchat_fields),
    ("webex", adapters::webex),
    ("webex_fields", adapters::webex_fields),
    ("webhook", adapters::webhook),
    ("webhook_fields", adapters::webhook_fields),
    ("whatsapp", adapters::whatsapp),
    ("whatsapp_fields", adapters::whatsapp_fields),
    ("ygtc", ygtc_file),
];

/// An error of a parser blames the input; a defect of the host is never the input's fault.
fn blames_input<T>(result: Result<T, Error>) -> Option<T> {
    result.inspect_err(|error| assert_ne!(error.code(), Code::Internal, "{error}")).ok()
}

/// `.gtpack` archives: what loads keeps to the limits.
pub fn archive(bytes: &[u8]) {
    let limits = Limits { entry: 64 << 10, total: 256 << 10, entries: 64, ratio_floor: 4 << 10, ..Limits::default() };
    let total = limits.total;
    let options = LoadOptions { limits, ..LoadOptions::default() };
    let Some(pack) = blames_input(pack::load_bytes(bytes.to_vec(), "fuzz.gtpack", &options)) else { return };
    let assets: usize = pack.assets.iter().map(|(_, asset)| asset.len()).sum();
    let components: usize = pack.components.values().map(|component| component.wasm.len()).sum();
    assert!((assets + components) as u64 <= total, "the pack holds more than its limit");
    assert!(!pack::Inspection::of(&pack).to_string().contains('\x1b'), "an inspection writes to a terminal");
    checked("fuzz.gtpack", bytes, options);
}

/// The index of packs: what one tenant's entry says is that tenant's, and nothing shows where packs lie.
pub fn index(bytes: &[u8]) {
    let Some(index) = blames_input(Index::read(bytes, "index.json")) else { return };
    for entry in index.tenants.values() {
        match entry {
            Ok(entry) => {
                let all = std::iter::once(&entry.main).chain(&entry.overlays);
                assert!(all.clone().all(|pack| pack.locator.is_some() || pack.path.is_some()), "a pack lies nowhere");
                assert!(all.clone().all(|pack| pack.version.is_some() || pack.digest.is_some()), "any pack will do");
            }
            Err(error) => assert_ne!(error.code(), Code::Internal, "{error}"),
        }
    }
}

/// Packs of every generation and form with entries changed: the bytes choose what is done to them.
pub fn pack_entries(bytes: &[u8]) {
    entries::changed(bytes);
}

/// What `check` says of the packs that [`pack_entries`] changes, before they are changed.
pub fn unchanged_packs() -> Vec<Report> {
    entries::unchanged()
}

/// Checks a component or a pack, and writes the report in every format.
fn checked(name: &str, bytes: &[u8], load: LoadOptions) -> Report {
    let options = check::Options { load, ..check::Options::default() };
    sound(check::check_bytes(name, bytes.to_vec(), &options).expect("a report is made of anything"))
}

/// A report that blames its targets, and can be written in every format.
fn sound(report: Report) -> Report {
    for finding in report.targets.iter().flat_map(|target| &target.findings) {
        assert_ne!(finding.code, Code::Internal, "{}", finding.message);
    }
    let text = check::text(&report, Style { colored: false, verbose: true });
    assert!(!text.contains('\x1b'), "a report writes to a terminal");
    check::junit(&report).expect("a report is JUnit XML");
    assert!(text.len() + check::sarif(&report).to_string().len() < 8 << 20, "a report is bounded");
    report
}

/// Manifests: what can be read and written again is the same afterwards.
pub fn manifest(bytes: &[u8]) {
    let limits = Limits { manifest_values: 10_000, ..Limits::default() };
    let decoded = blames_input(Decoded::read(bytes, "manifest.cbor", &limits));
    let Some(Decoded::Current(manifest)) = decoded else { return };
    // A node of another pack's component has no form in a manifest of ours.
    let Ok(written) = manifest.encode() else { return };
    let again = Manifest::decode(&written, "manifest.cbor", &Limits::default()).expect("what was written reads back");
    assert_eq!(again.encode().expect("and can be written again"), written);
}

/// Files that say which pack a tenant serves.
pub fn gtbind(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some((tenant, binding)) = blames_input(PackBinding::parse(text, "fuzz.gtbind")) else { return };
    assert!(greentic_runner_host::id::is_valid(&tenant) && greentic_runner_host::id::is_valid(&binding.pack_id));
}

/// Locators, beside indexes of every kind: one of a remote index is no file, and what is shown is read again.
pub fn locator(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let here = Base::directory(Path::new("/conf")).expect("an absolute path is a base");
    for index in ["/conf/index.json", "https://a.example/conf/index.json", "s3://bucket/conf/i", "oci://a.example/i"] {
        let index = Locator::parse(index, &here, Scheme::Fs).expect("a locator");
        let base = Base::of(&index).expect("a base");
        for scheme in Scheme::ALL {
            let Some(locator) = blames_input(Locator::parse(text, &base, scheme)) else { continue };
            assert!(locator.is_remote() || !base.is_remote(), "a remote index names {locator}");
            let shown = locator.to_string();
            assert!(!shown.chars().any(char::is_control), "a locator writes to a terminal");
            // A path may end in white space, a query is left out, and what is encoded may be too long to be read again.
            if shown.trim() == shown && !shown.ends_with("?…") && shown.len() <= 4096 {
                assert_eq!(blames_input(Locator::parse(&shown, &here, Scheme::Fs)), Some(locator));
            }
        }
    }
}

/// Lock files: what is odd about their entries is said within bounds.
pub fn lock(bytes: &[u8]) {
    let limits = Limits { manifest_values: 10_000, ..Limits::default() };
    if let Some(lock) = blames_input(pack::lock::read(bytes, "pack.lock", &limits)) {
        assert!(lock.notes.len() <= 51, "{} notes", lock.notes.len());
    }
}

/// Keys, signatures of indexes and packs, certificates: no bytes are a signature of a key that signed nothing.
pub fn signature(bytes: &[u8]) {
    let text = str::from_utf8(bytes).ok();
    for key in text.and_then(|text| TrustPolicy::read_keys(text).ok()).into_iter().flatten() {
        let again = PublicKey::parse(&key.to_string()).expect("a key is printed as it is read");
        assert_eq!(again.fingerprint(), key.fingerprint());
    }
    let certificate = Certificate::first(bytes);
    let clean = |certificate: &Certificate| !certificate.subject.contains(char::is_control);
    assert!(certificate.as_ref().is_none_or(clean), "a certificate writes to a terminal");
    let pack_signature = match Envelope::read(bytes) {
        Ok((envelope, signature)) => {
            let key = envelope.key_fingerprint;
            PackSignature::Present(Box::new(SignedContent { signature, message: [9; 32], key, certificate }))
        }
        Err(error) => {
            assert_eq!(error.code(), Code::SignatureInvalid);
            PackSignature::Unusable(error)
        }
    };
    let stated = StatedOrigin { digest: None, signature: text.map(str::to_owned) };
    let sbom = SbomState::Matches;
    let evidence = Evidence { stated: &stated, digest: [7; 32], pack_signature: &pack_signature, sbom: &sbom };
    let key = |text: &str| PublicKey::parse(text).expect("it is a key");
    // The first made the signatures of the corpus, the second none.
    let made = key("ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    let other = key("ed25519:/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=");
    for strictness in [Strictness::ByKeys, Strictness::Strict, Strictness::Report] {
        for keys in [vec![], vec![other.clone()], vec![made.clone(), other.clone()]] {
            let policy = TrustPolicy { keys, strictness };
            let judgement = trust::judge(&policy, &evidence);
            let of_other = |signed: &trust::Signed| matches!(signed, trust::Signed::Valid { key } if key == other.id());
            let signed = [&judgement.verification.index_signature, &judgement.verification.pack_signature];
            assert!(!signed.into_iter().any(of_other), "a signature of a key that signed nothing");
            if !policy.is_strict() {
                assert!(judgement.refusal.is_none(), "what is only reported refuses nothing");
            } else if !policy.keys.contains(&made) {
                assert!(judgement.refusal.is_some(), "accepted without a signature");
            }
        }
    }
}

/// Bindings of a tenant.
pub fn bindings_yaml(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some(config) = blames_input(HostConfig::from_yaml(text, "fuzz.yaml")) else { return };
    assert!(greentic_runner_host::id::is_valid(config.tenant()));
}

/// WebAssembly components: the outside that is compared with the host's interfaces.
pub fn component(bytes: &[u8]) {
    blames_input(conform::inspect("fuzz", bytes));
    checked("fuzz.wasm", bytes, LoadOptions::default());
}

/// Valid components, made from the bytes as from a source of chance.
pub fn generated(bytes: &[u8]) {
    let mut chance = Unstructured::new(bytes);
    let Ok(component) = wasm_smith::Component::arbitrary(&mut chance) else { return };
    let report = checked("fuzz.wasm", &component.to_bytes(), LoadOptions::default());
    assert_eq!(report.exit_code(), 1, "it is a component, and exports nothing that the host calls: {report:?}");
}

/// Flow files.
pub fn ygtc_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some(flow) = blames_input(ygtc::parse(text, "fuzz.ygtc")) else { return };
    assert!(greentic_runner_host::id::is_valid(&flow.id));
}

/// Flows as JSON: what is read compiles or says why not.
pub fn flow_json(bytes: &[u8]) {
    let Some(flow) = blames_input(flow_file::read(bytes, Path::new("fuzz.json"))) else { return };
    assert!(greentic_runner_host::id::is_valid(&flow.id));
    for state in compile(&[flow], &Nothing).flows.into_values() {
        if let FlowState::Disabled { reason, .. } = state {
            assert_ne!(reason.code(), Code::Internal, "{reason}");
        }
    }
}

/// What a pack without components and providers offers to its flows.
struct Nothing;

impl Catalog for Nothing {
    fn component(&self, _: &str) -> Option<ComponentInfo> {
        None
    }
    fn component_ids(&self) -> Vec<Id> {
        Vec::new()
    }
    fn provider(&self, _: &str) -> Option<ProviderInfo> {
        None
    }
    fn providers_of_type(&self, _: &str) -> Vec<Id> {
        Vec::new()
    }
    fn provider_ids(&self) -> Vec<Id> {
        Vec::new()
    }
}

/// What a run knows in these tests.
fn with_vars<T>(run: impl FnOnce(&Vars<'_>, &NodeOutput) -> T) -> T {
    let entry =
        json!({ "text": "hello", "metadata": { "action": "buy", "n": 7 }, "list": [1, "two", null, { "a b": [] }] });
    let output = NodeOutput { ok: true, payload: json!({ "status": "ok", "count": 3 }), meta: Value::Null };
    let nodes = IndexMap::from([(Id::from("ask"), output.clone())]);
    run(&Vars::new(&entry, &output.payload, &nodes).with_input(&entry).with_result(&entry), &output)
}

/// Payloads with templates: what is parsed without findings renders or fails, within its bound.
pub fn template(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let payload = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    for (roots, pointers) in [(Root::PAYLOAD, false), (Root::CALL, true)] {
        let mut site = Site {
            node: Id::from("fuzz"),
            roots,
            pointers,
            has_node: &|node| node == "ask",
            parameters: &Value::Null,
            location: Location { file: "fuzz.ygtc".to_owned(), position: None },
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let mapping = Mapping::parse(&payload, &mut site);
        if site.findings.is_empty() {
            with_vars(|vars, _| blames_input(mapping.render(vars)));
        }
    }
}

/// Routing conditions.
pub fn condition(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(condition) = Condition::parse(text) else { return };
    let first = with_vars(|vars, output| condition.holds(vars, output));
    assert_eq!(
        first,
        with_vars(|vars, output| condition.holds(vars, output)),
        "a condition depends on its variables only"
    );
}

/// Splits bytes into headers and a body: lines `name: value` up to an empty line.
fn split(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        if line.is_empty() {
            return (headers, after);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()))
        else {
            break;
        };
        headers.append(name, value);
        rest = after;
    }
    (HeaderMap::new(), bytes)
}

fn context() -> Context {
    Context { tenant: Id::from("demo"), now: Default::default(), nonce: uuid::Uuid::nil(), keys: None }
}

fn request<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    Request { method: "POST", path: "/fuzz", query: Some("a=1&b=%20"), headers, body, peer: None }
}
