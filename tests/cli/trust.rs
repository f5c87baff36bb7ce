//! Keys, signatures and what they are good for, on the command line.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::{json_of, runner, stdout};

/// The key of RFC 8410, section 10.3.
pub(crate) const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
pub(crate) const PUBLIC: &str = "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
const FLOW: &str = "{ id: hi, type: messaging, nodes: { a: { emit.response: { text: Hello } } } }";

/// An unsigned pack `in.gtpack`, the key `key.pem`, and a signed `out.gtpack` with what signing said.
struct Place {
    dir: TempDir,
    signed: Value,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sources")).unwrap();
        std::fs::write(at("sources/index.ygtc"), FLOW).unwrap();
        std::fs::write(at("sources/pack.yaml"), "pack_id: acme.hi\nversion: 1.0.0\n").unwrap();
        std::fs::write(at("key.pem"), PEM).unwrap();
        runner().args(["pack", "build"]).arg(at("sources")).arg("-o").arg(at("in.gtpack")).assert().success();
        let mut sign = runner();
        sign.env("SOURCE_DATE_EPOCH", "1767225600").args(["pack", "sign", "--json", "--key"]);
        let signed =
            json_of(sign.arg(at("key.pem")).arg("-o").arg(at("out.gtpack")).arg(at("in.gtpack")).assert().success());
        Self { dir, signed }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn verify(&self, name: &str, args: &[&str]) -> assert_cmd::assert::Assert {
        runner().args(["pack", "verify"]).arg(self.at(name)).args(args).assert()
    }

    /// `text` without what depends on the place and on the ZIP writer.
    fn stable(&self, text: &str) -> String {
        let text = text.replace(&format!("{}/", self.dir.path().display()), "");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("sha256:") {
            out.push_str(&rest[..at]);
            out.push_str("sha256:…");
            rest = rest[at + 7..].trim_start_matches(|c: char| c.is_ascii_hexdigit());
        }
        out + rest
    }
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

fn run(pack: &Path, vars: &[(&str, &str)]) -> assert_cmd::assert::Assert {
    let data = tempfile::tempdir().unwrap();
    let mut command = runner();
    command.arg("run").arg("--pack").arg(pack).arg("--data-dir").arg(data.path()).args(["--input", "{}"]);
    command.envs(vars.iter().copied()).assert()
}

#[test]
fn a_key_is_made_once_and_for_this_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem");
    let keygen = || -> Command {
        let mut command = runner();
        command.args(["pack", "keygen", "-o"]).arg(&file);
        command
    };
    let public = stdout(keygen().assert().success());
    assert!(public.starts_with("ed25519:") && public.trim_end().len() == 52, "{public}");
    let pem = std::fs::read_to_string(&file).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{pem}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let refused = keygen().assert().code(2);
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), pem, "the key is still there");
    let other = stdout(keygen().arg("--force").assert().success());
    assert_ne!(other, public);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_pack_is_signed_and_verified() {
    let place = Place::new();
    let mut signed = place.signed.clone();
    assert_eq!(signed["public_key"], PUBLIC);
    let (digest, signature) = (signed["digest"].take(), signed["signature"].take());
    let (digest, signature) = (digest.as_str().unwrap(), signature.as_str().unwrap());

    let mut shown = String::new();
    for (name, args, code) in [
        ("out.gtpack", &["--key", PUBLIC][..], 0),
        ("out.gtpack", &["--key", PUBLIC, "--digest", digest, "--signature", signature], 0),
        ("out.gtpack", &["--key", "ed25519:/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU"], 1),
        ("out.gtpack", &["--strict"], 1),
        ("out.gtpack", &[], 0),
        ("in.gtpack", &["--key", PUBLIC], 1),
        ("in.gtpack", &["--key", PUBLIC, "--digest", digest, "--signature", signature], 1),
        ("sources", &["--key", PUBLIC], 1),
    ] {
        let verified = place.verify(name, args).code(code);
        let args = args.iter().map(|arg| if *arg == signature { "SIGNATURE" } else { *arg }).collect::<Vec<_>>();
        shown += &format!("$ pack verify {name} {}\n", args.join(" "));
        shown += &stderr(&verified);
        shown += &stdout(verified);
        shown += &format!("exit {code}\n\n");
    }
    insta::assert_snapshot!("verify", place.stable(&shown));
}

#[test]
fn reports_are_json_too() {
    let place = Place::new();
    let accepted = stdout(place.verify("out.gtpack", &["--json", "--key", &format!("new={PUBLIC}")]).success());
    insta::assert_snapshot!("verify_json_accepted", place.stable(&accepted));
    let refused = stdout(place.verify("in.gtpack", &["--json", "--key", PUBLIC]).code(1));
    insta::assert_snapshot!("verify_json_refused", place.stable(&refused));
}

#[test]
fn signing_in_place_twice_gives_the_same_bytes() {
    let place = Place::new();
    let sign = || {
        let mut command = runner();
        command.env("SOURCE_DATE_EPOCH", "1767225600").args(["pack", "sign", "--key"]);
        command.arg(place.at("key.pem")).arg(place.at("in.gtpack")).assert().success();
        std::fs::read(place.at("in.gtpack")).unwrap()
    };
    let first = sign();
    assert_eq!(sign(), first);
    assert_eq!(std::fs::read(place.at("out.gtpack")).unwrap(), first);
}

#[test]
fn the_environment_decides_which_packs_run() {
    let place = Place::new();
    let (signed, unsigned) = (place.at("out.gtpack"), place.at("in.gtpack"));
    let other = "ed25519:/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU";
    let both = format!("old={other}, new={PUBLIC}");
    for (pack, key, strict, code) in [
        (&unsigned, "", "", None),
        (&unsigned, "", "0", None),
        (&unsigned, "", "1", Some("GRH-0243")),
        (&signed, "", "1", Some("GRH-0243")),
        (&unsigned, PUBLIC, "", Some("GRH-0241")),
        (&unsigned, PUBLIC, "true", Some("GRH-0241")),
        (&unsigned, PUBLIC, "0", None),
        (&signed, PUBLIC, "", None),
        (&signed, both.as_str(), "1", None),
        (&signed, other, "", Some("GRH-0241")),
        (&signed, "ed25519:AAAA", "", Some("GRH-0103")),
        (&unsigned, "", "maybe", Some("GRH-0103")),
        (&place.at("sources"), PUBLIC, "", Some("GRH-0241")),
    ] {
        let ran = run(pack, &[("PACK_PUBLIC_KEY", key), ("PACK_VERIFY_STRICT", strict)]);
        let told = format!("{} {key:?} {strict:?}: {}", pack.display(), stderr(&ran));
        match code {
            Some(code) => {
                assert!(stderr(&ran).contains(code), "{told}");
                assert_eq!(stdout(ran.code(2)), "", "{told}");
            }
            None => {
                let reported = pack == &unsigned && key == PUBLIC;
                assert_eq!(stderr(&ran).contains("GRH-0241"), reported, "{told}");
                assert_eq!(stdout(ran.success()), "Hello\n", "{told}");
            }
        }
    }
}

#[test]
fn a_component_is_not_invoked_from_a_pack_that_is_refused() {
    let place = Place::new();
    let wasm = place.at("some.wasm");
    std::fs::write(&wasm, "\0asm\x0d\0\x01\0").unwrap();
    for args in [vec!["--wasm", wasm.to_str().unwrap()], vec!["--pack", place.at("in.gtpack").to_str().unwrap()]] {
        let refused =
            runner().args(["invoke", "--op", "x"]).args(&args).env("PACK_PUBLIC_KEY", PUBLIC).assert().code(2);
        assert!(stderr(&refused).contains("GRH-0241"), "{}", stderr(&refused));
    }
}

#[test]
fn bad_keys_and_packs_are_told() {
    let place = Place::new();
    std::fs::write(place.at("junk.pem"), "junk").unwrap();
    let sign = |key: &str, pack: &str| {
        let mut command = runner();
        command.args(["pack", "sign", "--key"]).arg(place.at(key)).arg(place.at(pack)).assert().code(2)
    };
    assert!(stderr(&sign("junk.pem", "in.gtpack")).contains("GRH-0240"));
    assert!(stderr(&sign("no.pem", "in.gtpack")).contains("GRH-0003"));
    assert!(stderr(&sign("key.pem", "sources")).contains("GRH-0244"));
    let verify = |name: &str, args: &[&str]| stderr(&place.verify(name, args).code(2));
    assert!(verify("in.gtpack", &["--key", "junk"]).contains("GRH-0240"));
    assert!(verify("no.gtpack", &["--key", PUBLIC]).contains("GRH-0003"));
    assert!(verify("junk.pem", &["--key", PUBLIC]).contains("GRH-0200"));
}

#[test]
fn the_demo_trusts_the_pack_that_comes_with_it_and_no_other() {
    use std::io::BufRead as _;
    let place = Place::new();
    let strict = [("PACK_VERIFY_STRICT", "1"), ("PACK_PUBLIC_KEY", "")];
    let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_greentic-runner"))
        .args(["demo", "--port", "0"])
        .envs(strict)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufReader::new(demo.stdout.take().unwrap()).read_line(&mut url).unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");

    let mut other = runner();
    other.args(["demo", "--port", "0", "--pack"]).arg(place.at("in.gtpack")).envs(strict);
    let refused = other.assert().code(2);
    assert!(stderr(&refused).contains("GRH-0243"), "{}", stderr(&refused));
}
