//! The cache of packs, on the command line.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::{json_of, runner, stdout};

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A cache, and beside it a file to fetch.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("demo.gtpack"), "abc").unwrap();
        Self(dir)
    }

    fn pack(&self) -> PathBuf {
        self.0.path().join("demo.gtpack")
    }

    fn cache(&self, args: &[&str]) -> Command {
        let mut command = runner();
        command.current_dir(&self.0).env_remove("NETRC").env("HOME", self.0.path());
        command.env("PACK_CACHE_DIR", "kept").arg("cache").args(args);
        command
    }
}

#[test]
fn what_was_fetched_is_listed_and_can_be_deleted() {
    let place = Place::new();
    let warmed = stdout(place.cache(&["warm", "demo.gtpack"]).assert().success());
    assert!(warmed.starts_with(DIGEST) && warmed.contains("3 B") && warmed.contains("demo.gtpack"), "{warmed}");

    let list = json_of(place.cache(&["list", "--json"]).assert().success());
    let entry = &list["entries"][0];
    assert_eq!((&list["bytes"], &entry["name"], &entry["kind"]), (&3.into(), &DIGEST.into(), &"fetched".into()));
    assert_eq!(entry["locators"][0], place.pack().canonicalize().unwrap().display().to_string());
    let list = stdout(place.cache(&["list"]).assert().success());
    assert!(list.contains(DIGEST) && list.contains("demo.gtpack"), "{list}");

    let asked = json_of(place.cache(&["prune", "--max-size", "0", "--dry-run", "--json"]).assert().success());
    assert_eq!((&asked["freed"], &asked["dry_run"]), (&3.into(), &true.into()));
    let kept = json_of(place.cache(&["prune", "--max-size", "1KiB", "--json"]).assert().success());
    assert_eq!((&kept["freed"], &kept["kept"]), (&0.into(), &3.into()));
    let pruned = stdout(place.cache(&["prune", "--max-size", "0"]).assert().success());
    assert!(pruned.contains(DIGEST), "{pruned}");
    assert_eq!(json_of(place.cache(&["list", "--json"]).assert().success())["bytes"], 0);
}

#[test]
fn one_locator_that_fails_does_not_keep_the_others_from_being_fetched() {
    let place = Place::new();
    let failed = place.cache(&["warm", "--json", "missing.gtpack", "demo.gtpack"]).assert().code(2);
    let error = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
    assert!(error.contains("GRH-1002"), "{error}");
    let packs = json_of(failed);
    assert_eq!(packs["packs"][0]["error"]["code"], "GRH-1002");
    assert_eq!((&packs["packs"][1]["digest"], &packs["packs"][1]["outcome"]), (&DIGEST.into(), &"downloaded".into()));
}

#[test]
fn what_cannot_be_fetched_is_said_without_what_is_secret() {
    let place = Place::new();
    for (args, code, exit) in [
        (&["warm", "https://user:canary@a.example/x"][..], "GRH-1000", 2),
        (&["warm", "http://a.example/x?canary"], "GRH-1001", 2),
        (&["warm", "--offline", "https://a.example/x?canary"], "GRH-1003", 1),
        (&["warm"], "LOCATOR", 2),
        (&["prune", "--max-size", "much"], "2GiB", 2),
    ] {
        let failed = place.cache(args).assert().code(exit);
        let error = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
        assert!(error.contains(code) && !error.contains("canary"), "{error}");
    }
}

/// A process that fetches and one that comes after it share the cache.
#[test]
fn a_pack_is_there_when_its_server_is_gone() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/demo.gtpack", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for body in ["", "abc"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\netag: \"1\"\r\nconnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    place.cache(&["warm", &url]).assert().success();
    server.join().unwrap();
    let again = place.cache(&["warm", "--offline", &url]).assert().success();
    let warning = String::from_utf8(again.get_output().stderr.clone()).unwrap();
    assert!(warning.contains("GRH-1012") && warning.contains("GRH-1003"), "{warning}");
    assert!(stdout(again).contains(DIGEST));
}

/// Answers every request, until the process ends: an index at `/index.json`, and three bytes anywhere else.
fn serve(index: String) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            let request = String::from_utf8(request).unwrap();
            let line = request.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
            let whole = if line.ends_with("/index.json") { index.as_str() } else { "abc" };
            let body = if line.starts_with("HEAD") { "" } else { whole };
            let length = whole.len();
            tell.send(line).unwrap();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\netag: \"1\"\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    (base, asked)
}

#[test]
fn what_an_index_names_is_fetched_once() {
    let place = Place::new();
    let main = format!(r#"{{ "main_pack": {{ "path": "./a.gtpack", "digest": "{DIGEST}" }}"#);
    let over = r#""overlays": [{ "path": "./b.gtpack", "version": "1.0.0" }] }"#;
    let (base, asked) = serve(format!(r#"{{ "tenants": {{ "a": {main}, {over}, "b": {main} }} }} }}"#));
    let index = format!("{base}/index.json");
    let warmed = json_of(place.cache(&["warm", "--index", &index, "--json"]).assert().success());
    let locators: Vec<_> = warmed["packs"].as_array().unwrap().iter().map(|pack| pack["locator"].clone()).collect();
    assert_eq!(locators, [format!("{base}/a.gtpack"), format!("{base}/b.gtpack")]);
    let fetched = asked.try_iter().filter(|line| line.starts_with("GET") && line.ends_with(".gtpack")).count();
    assert_eq!(fetched, 2, "one that two tenants run is fetched once");
    assert_eq!(warmed["packs"][0]["digest"], DIGEST);

    let (base, _asked) = serve("{}{".to_owned());
    let failed = place.cache(&["warm", "--index", &format!("{base}/index.json")]).assert().failure();
    assert!(String::from_utf8_lossy(&failed.get_output().stderr).contains("GRH-1040"));
    place.cache(&["warm"]).assert().code(2);
}
