//! Credentials from a netrc file, as other tools read it.
//!
//! An entry counts for its host alone, and only where nobody listens. `default`, which would give a password to whoever
//! is asked, is not read.

use std::path::Path;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::super::Fault;
use crate::error::{Code, Error, Result};

/// The largest file that is read, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// A name and a password.
pub(super) struct Login {
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
}

/// What `file` has for the host of `url`. It is read anew each time, so that new credentials count at once.
pub(super) async fn login(file: Option<&Path>, url: &Url) -> Result<Option<Login>, Fault> {
    let (Some(file), Some(host)) = (file, url.host()) else { return Ok(None) };
    let is_private = url.scheme() == "https"
        || match host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(_) => false,
        };
    if !is_private {
        return Ok(None);
    }
    let text = read(file).await?;
    Ok(find(&text, &host.to_string()))
}

async fn read(file: &Path) -> Result<Zeroizing<String>, Fault> {
    let wrong = |why: String| -> Fault {
        Error::new(Code::NetrcInvalid, format!("the netrc file {why}"))
            .in_file(file)
            .hint("write one line per host: machine HOST login NAME password PASSWORD")
            .into()
    };
    let size = tokio::fs::metadata(file).await.map_err(|e| wrong(format!("cannot be read: {e}")))?.len();
    if size > MAX_LEN {
        return Err(wrong("is larger than 1 MiB".to_owned()));
    }
    match tokio::fs::read_to_string(file).await {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(e) => Err(wrong(format!("cannot be read: {e}"))),
    }
}

/// The first entry for `host` that has a password.
fn find(text: &str, host: &str) -> Option<Login> {
    let mut tokens = Tokens { rest: text };
    let mut is_ours = false;
    let (mut name, mut password) = (None, None);
    let login = |name: &mut Option<String>, password: &mut Option<Zeroizing<String>>| {
        password.take().map(|password| Login { name: name.take().unwrap_or_default(), password })
    };
    while let Some(token) = tokens.next() {
        match token.as_str() {
            "machine" | "default" => {
                if is_ours && password.is_some() {
                    break;
                }
                is_ours =
                    *token == "machine" && tokens.next().is_some_and(|machine| machine.eq_ignore_ascii_case(host));
                (name, password) = (None, None);
            }
            "login" => name = tokens.next().map(|token| token.to_string()),
            "password" => password = tokens.next(),
            "account" => drop(tokens.next()),
            "macdef" => tokens.skip_macro(),
            _ => {}
        }
    }
    if is_ours { login(&mut name, &mut password) } else { None }
}

/// The words of a netrc file: apart by white space, or in quotes; `#` begins a comment.
struct Tokens<'t> {
    rest: &'t str,
}

impl Tokens<'_> {
    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

impl Iterator for Tokens<'_> {
    type Item = Zeroizing<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            return (!word.is_empty()).then(|| Zeroizing::new(word.to_owned()));
        };
        let mut word = Zeroizing::new(String::new());
        let mut chars = quoted.char_indices();
        self.rest = "";
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = quoted.get(at + 1..).unwrap_or_default();
                    break;
                }
                '\\' => word.extend(chars.next().map(|(_, escaped)| escaped)),
                c => word.push(c),
            }
        }
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
# comment machine b.example login no password no
machine a.example login ann password "two \"words\""
machine b.example
  login bob account x
  password b#b
macdef init
machine c.example login macro password macro

machine c.example login carl password c
machine no-password.example login nobody
machine [::1] login six password 6
default login anybody password everywhere
"#;

    #[test]
    fn the_entry_of_the_host_counts_and_no_other() {
        for (host, found) in [
            ("a.example", Some(("ann", "two \"words\""))),
            ("A.EXAMPLE", Some(("ann", "two \"words\""))),
            ("b.example", Some(("bob", "b#b"))),
            ("c.example", Some(("carl", "c"))),
            ("[::1]", Some(("six", "6"))),
            ("no-password.example", None),
            ("d.example", None),
        ] {
            let login = find(FILE, host);
            let login = login.as_ref().map(|login| (login.name.as_str(), login.password.as_str()));
            assert_eq!(login, found, "{host}");
        }
        assert!(find("machine", "a").is_none());
        assert!(find("machine a password \"open", "a").is_some_and(|login| *login.password == "open"));
    }

    #[tokio::test]
    async fn credentials_go_only_where_nobody_listens() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "machine a.example password p\nmachine 127.0.0.1 password q").unwrap();
        for (url, given) in [
            ("https://a.example/", true),
            ("https://a.example:8443/", true),
            ("http://a.example/", false),
            ("http://127.0.0.1:80/", true),
            ("https://b.example/", false),
        ] {
            let login = login(Some(file.path()), &url.parse().unwrap()).await.unwrap();
            assert_eq!(login.is_some(), given, "{url}");
        }
        let missing = login(Some(Path::new("/nowhere/netrc")), &"https://a.example/".parse().unwrap()).await;
        assert_eq!(missing.err().map(|fault| fault.error.code()), Some(Code::NetrcInvalid));
    }
}
