//! The programs that keep credentials for docker and its like: `docker-credential-…`.
//!
//! They are named by this machine's own settings, are found in `PATH`, get the registry's name on their standard input
//! and answer with JSON. One that does not answer in time is ended; what it says is bounded and never shown.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::Fault;
use super::credentials::Login;
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::id::clip;

/// How long a helper may take; some ask a server of their own.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// What a helper says when it knows no login; then there is none, which is no failure.
const UNKNOWN: [&str; 2] = ["credentials not found in native keychain", "no credentials server URL"];

/// The name that means that the secret is no password.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks the helper `name` for the login to `server`.
pub(super) async fn get(environment: &Environment, name: &str, server: &str) -> Result<Option<Login>, Fault> {
    let program = find(environment, name)?;
    let (name, server) = (name.to_owned(), server.to_owned());
    let asked = tokio::task::spawn_blocking(move || ask(&program, &name, &server, PATIENCE)).await;
    Ok(asked.map_err(|e| Error::new(Code::Internal, format!("asking for a login broke off: {e}")))??)
}

fn find(environment: &Environment, name: &str) -> Result<PathBuf> {
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !is_name {
        return Err(failed(name, "has a name that no program has"));
    }
    let file = format!("docker-credential-{name}{}", std::env::consts::EXE_SUFFIX);
    let path = environment.get("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(path).map(|dir| dir.join(&file)).filter(|file| file.is_file());
    found.next().ok_or_else(|| failed(name, "is not in PATH"))
}

fn failed(name: &str, why: &str) -> Error {
    Error::new(Code::CredentialsInvalid, format!("the credential helper {:?} {why}", clip(name)))
        .hint("see credHelpers and credsStore in docker's config.json; run docker-credential-NAME get by hand")
}

/// Runs a helper until it has answered.
fn ask(program: &Path, name: &str, server: &str, patience: Duration) -> Result<Option<Login>> {
    let wrong = |why: &str| failed(name, why);
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| wrong(&format!("cannot be started: {e}")))?;
    let said = converse(&mut child, server, patience);
    if said.is_none() {
        // It may have ended by itself just now.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| wrong(&format!("cannot be waited for: {e}")))?;
    let said = said.ok_or_else(|| wrong(&format!("has no answer after {patience:?}, or one without end")))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&said);
        return match UNKNOWN.iter().any(|unknown| text.contains(unknown)) {
            true => Ok(None),
            false => Err(wrong(&format!("fails ({status})"))),
        };
    }
    let answer: Answer = serde_json::from_slice(&said).map_err(|_| wrong("answers with what is no login"))?;
    let secret = Zeroizing::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        TOKEN => Login::Refresh(secret),
        name => Login::Basic { name: name.to_owned(), password: secret },
    }))
}

/// Writes the question, and reads until the helper has ended; none if that takes too long or is too much.
fn converse(child: &mut Child, server: &str, patience: Duration) -> Option<Zeroizing<Vec<u8>>> {
    let until = Instant::now() + patience;
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    // A helper that knows the answer beforehand may have closed its input.
    let _ = stdin.write_all(server.as_bytes());
    drop(stdin);
    let (send, receive) = mpsc::channel();
    // Not waited for: a program that a helper started may keep its output open.
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.take(MAX_ANSWER + 1).read_to_end(&mut bytes);
        let _ = send.send(read.map(|_| bytes));
    });
    let said = receive.recv_timeout(patience).ok()?.ok()?;
    if said.len() as u64 > MAX_ANSWER {
        return None;
    }
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(LOOK);
    }
    Some(said)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use parking_lot::Mutex;

    use super::*;

    /// Held by whoever runs a script: a process that begins while another thread writes one has that open for a moment,
    /// and then it cannot be run.
    static ALONE: Mutex<()> = Mutex::new(());

    /// A helper that is a shell script.
    fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
        let file = dir.join(format!("docker-credential-{name}"));
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        file
    }

    fn answer(text: &str) -> Result<Option<Login>> {
        let _alone = ALONE.lock();
        let dir = tempfile::tempdir().unwrap();
        ask(&script(dir.path(), "test", text), "test", "r.example", Duration::from_secs(20))
    }

    #[test]
    fn a_helper_is_asked_for_the_registry() {
        let echo = r#"printf '{"ServerURL": "x", "Username": "%s", "Secret": "s-%s"}' "$1" "$(cat)""#;
        let login = answer(echo).unwrap();
        assert_eq!(login, Some(Login::Basic { name: "get".into(), password: Zeroizing::new("s-r.example".into()) }));
        let token = answer(r#"echo '{"Username": "<token>", "Secret": "t"}'"#).unwrap();
        assert_eq!(token, Some(Login::Refresh(Zeroizing::new("t".into()))));
        let unknown = answer("echo 'credentials not found in native keychain'; exit 1").unwrap();
        assert_eq!(unknown, None);
    }

    #[test]
    fn what_goes_wrong_is_told_without_what_was_said() {
        for text in ["echo secret; exit 3", "echo secret", "echo '{\"Secret\": \"secret\"}'", "yes secret"] {
            let error = answer(text).unwrap_err();
            assert_eq!(error.code(), Code::CredentialsInvalid, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_helper_that_does_not_answer_is_ended() {
        let _alone = ALONE.lock();
        let dir = tempfile::tempdir().unwrap();
        for text in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            let program = script(dir.path(), "slow", text);
            let error = ask(&program, "slow", "r.example", Duration::from_millis(300)).unwrap_err();
            assert!(error.to_string().contains("no answer"), "{error}");
        }
    }

    #[test]
    fn helpers_are_found_in_path_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = script(dir.path(), "here", "");
        let environment = Environment::from_iter([("PATH", dir.path().to_str().unwrap())]);
        assert_eq!(find(&environment, "here").unwrap(), file);
        for name in ["", "there", "../here", "a/b", "a b"] {
            assert_eq!(find(&environment, name).unwrap_err().code(), Code::CredentialsInvalid, "{name}");
        }
        assert!(find(&Environment::default(), "here").is_err());
    }
}
