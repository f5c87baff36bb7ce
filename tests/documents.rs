//! The documents hold: links lead somewhere, and the flows that they show run as they say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use greentic_runner_host::{Activity, HostBuilder, HostConfig, RunnerHost};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let in_dir = |dir: PathBuf| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let all = in_dir(root().to_owned()).chain(in_dir(root().join("docs"))).chain(in_dir(root().join("docs/errors")));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fenced block: its language and its text.
type Block = (String, String);

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        open = match (open, line.strip_prefix("```")) {
            (None, Some(language)) => Some((language.trim().to_owned(), String::new())),
            (Some(block), Some(_)) => {
                found.push(block);
                None
            }
            (Some((language, body)), None) => Some((language, body + line + "\n")),
            (None, None) => None,
        };
    }
    assert!(open.is_none(), "a fenced block has no end");
    found
}

/// Whether `text` has a heading with the anchor `anchor`.
fn has_anchor(text: &str, anchor: &str) -> bool {
    text.lines().filter_map(|line| line.strip_prefix('#')).any(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).eq(anchor.chars())
    })
}

#[test]
fn links_lead_somewhere() {
    for document in documents() {
        let text = read(&document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.with_file_name("").join(file) };
            assert!(target.exists(), "{} links to {link}, which does not exist", document.display());
            let found = anchor.is_empty() || has_anchor(&read(&target), anchor);
            assert!(found, "{} links to {link}, and there is no such heading", document.display());
        }
    }
}

/// A flow that is shown, and the talk that is shown below it: what is said, and what is replied.
struct Example {
    flow: String,
    talk: Vec<(String, Vec<String>)>,
}

fn examples(text: &str) -> Vec<Example> {
    let all = blocks(text);
    all.iter()
        .zip(all.iter().skip(1))
        .filter(|((language, flow), (below, talk))| {
            language == "yaml" && flow.starts_with("id: ") && below == "text" && talk.starts_with("> ")
        })
        .map(|((_, flow), (_, talk))| Example { flow: flow.clone(), talk: turns(talk) })
        .collect()
}

fn turns(talk: &str) -> Vec<(String, Vec<String>)> {
    let mut turns: Vec<(String, Vec<String>)> = Vec::new();
    for line in talk.lines() {
        match (line.strip_prefix("> "), line.strip_prefix("< "), turns.last_mut()) {
            (Some(said), ..) => turns.push((said.to_owned(), Vec::new())),
            (_, Some(reply), Some((_, replies))) => replies.push(reply.to_owned()),
            _ => panic!("{line:?} is neither said nor replied"),
        }
    }
    turns
}

async fn say(host: &RunnerHost, text: &str) -> Vec<String> {
    let replies = host.handle_activity("docs", Activity::text(text).with_session("s")).await.unwrap();
    replies.iter().map(|reply| text_of(reply.payload())).collect()
}

fn text_of(payload: &Value) -> String {
    payload.get("text").and_then(Value::as_str).unwrap_or_else(|| panic!("{payload} has no text")).to_owned()
}

#[tokio::test]
async fn flows_that_are_shown_run_as_they_say() {
    let examples = examples(&read(&root().join("docs/flows.md")));
    assert!(examples.len() >= 4, "docs/flows.md shows {} flows with a talk", examples.len());
    for example in examples {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.ygtc"), &example.flow).unwrap();
        let config = HostConfig::from_yaml("tenant: docs", "docs.yaml").unwrap();
        let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
        host.start().await.unwrap();
        host.load_pack("docs", &dir.path().join("index.ygtc")).await.unwrap();
        for (said, replied) in &example.talk {
            assert_eq!(&say(&host, said).await, replied, "after {said:?} in\n{}", example.flow);
        }
        host.stop().await.unwrap();
    }
}

/// The keys after `limits.` in the string literals of a source file.
fn limits_named_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let unescaped = line.replace("\\\"", "'");
        for literal in unescaped.split('"').skip(1).step_by(2) {
            for rest in literal.split("limits.").skip(1) {
                found.push(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
            }
        }
    }
    // What is put in where a hint is made.
    found.retain(|key: &String| !key.is_empty());
    found
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.extend(Some(path).filter(|path| path.extension().is_some_and(|e| e == "rs"))),
        }
    }
}

#[test]
fn hints_name_limits_that_bindings_have() {
    let schema: Value = serde_json::from_str(&read(&root().join("docs/bindings.schema.json"))).unwrap();
    let keys = schema["$defs"]["LimitsSection"]["properties"].as_object().unwrap();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut seen = 0;
    for file in files {
        for key in limits_named_in(&read(&file)) {
            assert!(keys.contains_key(&key), "{} names `limits.{key}`", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} were found");
}
