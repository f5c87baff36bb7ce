//! Every format fits its schema, for every fixture.

use std::path::{Path, PathBuf};
use std::process::Command;

use greentic_runner_host::check::{self, Report};
use serde_json::Value;

use crate::fixtures::{self, Fixture};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fits(validator: &jsonschema::Validator, what: &str, value: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}

#[test]
fn the_json_schema_is_current() {
    let path = root().join("docs/check.schema.json");
    let schema = serde_json::to_string_pretty(&Report::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == schema, "run this test with UPDATE_SCHEMA=1 to write docs/check.schema.json anew");
}

#[test]
fn json_fits_its_schema() {
    let schema: Value = serde_json::from_slice(&std::fs::read(root().join("docs/check.schema.json")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for placed in fixtures::all().into_iter().map(Fixture::placed) {
        let value = serde_json::to_value(placed.report()).unwrap();
        fits(&validator, &placed.code().to_string(), &value);
        assert!(!validator.is_valid(&Value::Null));
    }
}

/// The schema that OASIS publishes, out of a crate that carries it. The crate is downloaded and never compiled.
fn sarif_schema() -> Value {
    let manifest = root().join("tests/check/schemas/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(&manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let dir = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let text = std::fs::read_to_string(dir.join("src/schema.json")).unwrap();
    // A bracket too many, which strict readers of regular expressions refuse.
    serde_json::from_str(&text.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$")).unwrap()
}

#[test]
fn sarif_fits_its_schema() {
    let validator = jsonschema::validator_for(&sarif_schema()).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0" })));
    for placed in fixtures::all().into_iter().map(Fixture::placed) {
        let log = check::sarif(&placed.report());
        fits(&validator, &placed.code().to_string(), &log);
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule["id"] == placed.code().to_string()), "{log:#}");
        for result in run["results"].as_array().unwrap() {
            assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        }
    }
}

/// Started for real: `xmllint` (Debian's libxml2-utils) reads the schema and every report.
#[test]
fn junit_fits_its_schema_which_needs_xmllint() {
    let dir = tempfile::tempdir().unwrap();
    let validates = |files: &[PathBuf]| {
        let schema = root().join("tests/check/junit.xsd");
        Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schema).args(files).output().unwrap()
    };
    let mut files = Vec::new();
    for placed in fixtures::all().into_iter().map(Fixture::placed) {
        let file = dir.path().join(format!("{}.xml", placed.code()));
        std::fs::write(&file, check::junit(&placed.report()).unwrap()).unwrap();
        files.push(file);
    }
    let output = validates(&files);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let wrong = dir.path().join("wrong.xml");
    std::fs::write(&wrong, "<testsuites><testcase/></testsuites>").unwrap();
    assert!(!validates(&[wrong]).status.success(), "the schema refuses what is no report");
}

/// One report of each format, for whoever reads them with another tool than ours.
#[test]
fn the_formats_are_as_recorded() {
    let fixture = fixtures::all().into_iter().find(|f| f.code == greentic_runner_host::Code::ImportType).unwrap();
    let placed = fixture.placed();
    let report = placed.report();
    let shown = |text: &str| without_digests(&placed.stable(text));
    let json = serde_json::to_value(&report).unwrap();
    insta::with_settings!({ snapshot_path => "formats", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("json", shown(&format!("{json:#}")));
        insta::assert_snapshot!("junit", shown(&check::junit(&report).unwrap()));
        insta::assert_snapshot!("sarif", shown(&format!("{:#}", check::sarif(&report))));
    });
}

/// Digests depend on who encoded the component.
fn without_digests(text: &str) -> String {
    let (mut out, mut hex) = (String::new(), String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
            hex.push(c);
            continue;
        }
        out.push_str(if hex.len() == 64 { "[digest]" } else { &hex });
        hex.clear();
        out.push(c);
    }
    out
}
