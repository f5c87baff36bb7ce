use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";

fn read(text: &str) -> Result<Index> {
    Index::read(text.as_bytes(), "index.json")
}

#[test]
fn the_promised_shape_and_the_flat_one_say_the_same() {
    let promised = format!(
        r#"{{"tenants": {{"demo": {{
            "main_pack": {{"reference": {{"name": "demo-pack", "version": "1.2.3"}}, "locator": "fs:///packs/demo.gtpack",
                "digest": "{DIGEST}", "signature": "ed25519:abc", "path": "./packs/demo.gtpack"}},
            "overlays": [{{"reference": {{"name": "over", "version": "1.2.3"}}, "path": "./over.gtpack"}}]}}}}}}"#
    );
    let flat = format!(
        r#"{{"demo": {{
            "main_pack": {{"name": "demo-pack", "version": "1.2.3", "locator": "fs:///packs/demo.gtpack",
                "digest": "{}", "signature": "ed25519:abc", "path": "./packs/demo.gtpack"}},
            "overlays": [{{"name": "over", "version": "1.2.3", "path": "./over.gtpack"}}]}}}}"#,
        DIGEST.to_lowercase()
    );
    let (promised, flat) = (read(&promised).unwrap(), read(&flat).unwrap());
    let entry = promised.tenants["demo"].as_ref().unwrap();
    assert_eq!(entry, flat.tenants["demo"].as_ref().unwrap());
    assert_eq!(entry.main.name.as_deref(), Some("demo-pack"));
    assert_eq!(entry.main.version, Some(Version::new(1, 2, 3)));
    assert_eq!(entry.main.digest.unwrap().to_string(), DIGEST.to_lowercase());
    assert_eq!(entry.overlays[0].path.as_deref(), Some("./over.gtpack"));
}

#[test]
fn a_tenant_may_be_called_tenants() {
    let entry = r#"{"main_pack": {"path": "a.gtpack", "version": "1.0.0"}}"#;
    for text in [format!(r#"{{"tenants": {entry}}}"#), format!(r#"{{"tenants": {{"tenants": {entry}}}}}"#)] {
        let index = read(&text).unwrap();
        assert_eq!(index.tenants.keys().map(|id| &**id).collect::<Vec<_>>(), ["tenants"], "{text}");
    }
    // A tenant called main_pack, in the promised shape.
    let index = read(&format!(r#"{{"tenants": {{"main_pack": {entry}}}}}"#)).unwrap();
    assert_eq!(index.tenants.keys().map(|id| &**id).collect::<Vec<_>>(), ["main_pack"]);
}

#[test]
fn what_is_wrong_with_one_tenant_is_its_own() {
    let index = read(
        r#"{"tenants": {
  "good": {"main_pack": {"path": "a.gtpack", "version": "v1.0.0"}},
  "bad": {"main_pack": {"digest": "sha256:12", "version": "one"}, "overlays": [{"path": "x"}]},
  "worse": {"main_pack": 7},
  "twice": {"main_pack": {"path": "a", "path": "b", "version": "1.0.0"}},
  "$schema": "anything"
}}"#,
    )
    .unwrap();
    assert!(index.tenants["good"].is_ok());
    assert_eq!(index.tenants.len(), 4);
    let of = |tenant: &str| index.tenants[tenant].as_ref().unwrap_err().to_string();
    insta::assert_snapshot!(format!("{}\n{}\n{}", of("bad"), of("worse"), of("twice")));
}

#[test]
fn what_is_no_index_is_refused_with_its_place() {
    let cases = [
        ("", Code::IndexInvalid, (1, 1)),
        ("[]", Code::IndexInvalid, (1, 1)),
        ("{\"a\": {\n  \"main_pack\": \n}", Code::IndexInvalid, (3, 1)),
        // Behind the second of them.
        (r#"{"a": {}, "a": {}}"#, Code::IndexInvalid, (1, 18)),
        (r#"{"tenants": {"é": {"main_pack": {}}}}"#, Code::InvalidId, (1, 19)),
        ("{\"tenants\": {\n\n \"a\": {}, \"a\": {}}}", Code::IndexInvalid, (3, 18)),
    ];
    for (text, code, place) in cases {
        let error = read(text).unwrap_err();
        let position = error.location().and_then(|at| at.position).unwrap();
        assert_eq!((error.code(), position), (code, place), "{text:?}: {error}");
    }
    assert_eq!(Index::read(b"{\"a\xff\": 1}", "i").unwrap_err().code(), Code::IndexInvalid);
}

#[test]
fn ten_thousand_tenants_are_read_and_not_one_more() {
    let index_of = |n: usize| {
        let mut text = String::from("{\"tenants\": {");
        for tenant in 0..n {
            let comma = if tenant == 0 { "" } else { "," };
            write!(text, r#"{comma}"t{tenant}": {{"main_pack": {{"path": "a.gtpack", "digest": "{DIGEST}"}}}}"#)
                .unwrap();
        }
        text + "}}"
    };
    assert_eq!(read(&index_of(MAX_TENANTS)).unwrap().tenants.len(), MAX_TENANTS);
    assert_eq!(read(&index_of(MAX_TENANTS + 1)).unwrap_err().code(), Code::IndexBounds);
    let large = vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1];
    assert_eq!(Index::read(&large, "i").unwrap_err().code(), Code::IndexBounds);
    let deep = "[".repeat(100_000);
    assert_eq!(read(&format!("{{\"a\": {deep}")).unwrap_err().code(), Code::IndexInvalid);
    let many = format!(r#"{{"path": "a", "digest": "{DIGEST}"}},"#).repeat(65);
    let many = format!(
        r#"{{"a": {{"main_pack": {{"path": "a", "digest": "{DIGEST}"}}, "overlays": [{}]}}}}"#,
        &many[..many.len() - 1]
    );
    assert_eq!(read(&many).unwrap().tenants["a"].as_ref().unwrap_err().code(), Code::IndexBounds);
}

#[test]
fn places_are_not_shown() {
    let index =
        read(r#"{"a": {"main_pack": {"locator": "https://u:canary@h/x?sig=canary", "version": "1.0.0"}}}"#).unwrap();
    assert!(!format!("{index:?}").contains("canary"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,400}") {
        let _ = read(&text);
    }

    #[test]
    fn no_json_makes_it_panic(key in "[a-z$.é]{0,8}", pack in "\\{(\"(path|digest|version|name|reference|x)\": ?(\"[a-f0-9:.]{0,70}\"|\\{\\}|1|null),?){0,4}\\}") {
        let _ = read(&format!(r#"{{"tenants": {{"{key}": {{"main_pack": {pack}, "overlays": [{pack}]}}}}}}"#));
    }
}
