//! `ingress send`: a signed request to a running host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::sign::SigningArgs;
use super::{NowArgs, files};
use crate::cli::report;
use crate::error::{Code, Error, Result};
use crate::net;
use crate::probe::sign::Headers;
use crate::probe::{Kind, Recording};

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 4 << 20;

/// The headers of an answer that are shown.
const SHOWN: &[&str] = &["content-type", "retry-after", "www-authenticate", "allow", "location", "x-request-id"];

/// Send a recorded request to a running host, signed as its platform would, and print the answer
///
/// Without a secret the request is sent unsigned, as to a route that is `insecure: true`. Exit codes: 0 the answer is a 2xx,
/// 1 it is another one, or there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner ingress send telegram --secret @secret.txt update.json
  greentic-runner ingress send slack --url https://bots.example.com --tenant acme event.json   by SLACK_SIGNING_SECRET
  greentic-runner ingress send webhook --secret whsec_… request.json

The adapter's path is added to the URL; a webhook's file holds its own.")]
pub(in crate::cli) struct Args {
    /// The adapter, or the kind of request
    #[arg(value_name = "ADAPTER")]
    kind: Kind,
    /// Where the host is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// Send to this tenant's routes, /t/TENANT/…
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    #[command(flatten)]
    by: SigningArgs,
    #[command(flatten)]
    now: NowArgs,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "N", default_value_t = 60)]
    timeout: u64,
    /// Print one JSON object {status, headers, body}
    #[arg(long)]
    json: bool,
    /// The file with the request; - reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let recording = files::read(args.kind, &args.file)?;
    let signed = args.by.headers(args.kind, &recording, args.now.now())?;
    if signed.is_none() {
        report::say("note: there is no secret, so the request is not signed");
    }
    let url = target(&args.url, args.tenant.as_deref(), &recording)?;
    let response = request(&args, &url, recording, &signed.unwrap_or_default())?;
    let response = response.send().await.map_err(|error| failed(&url, &error))?;
    let success = response.status().is_success();
    print(args.json, &url, response).await?;
    Ok(ExitCode::from(u8::from(!success)))
}

/// The URL of the request's route below the host's.
fn target(base: &Url, tenant: Option<&str>, recording: &Recording) -> Result<Url> {
    let unusable = |why: &str| Error::new(Code::Usage, format!("--url {why}")).hint("as http://127.0.0.1:8080");
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(unusable("is none of http or https"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(unusable("has a query or a fragment"));
    }
    let tenant = tenant.map(|tenant| crate::id::parse("tenant", tenant)).transpose()?;
    let prefix = tenant.map(|tenant| format!("/t/{tenant}")).unwrap_or_default();
    let path = base.path().trim_end_matches('/');
    let mut url = base.clone();
    url.set_path(&format!("{path}{prefix}{}", recording.path));
    url.set_query(recording.query.as_deref());
    Ok(url)
}

fn request(args: &Args, url: &Url, recording: Recording, signed: &Headers) -> Result<reqwest::RequestBuilder> {
    net::tls::install();
    let mut client = Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(args.timeout))
        .user_agent(concat!("greentic-runner/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        client = client.no_proxy();
    }
    let client = client.build().map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))?;
    let method: Method = recording
        .method
        .parse()
        .map_err(|_| Error::new(Code::RecordingInvalid, format!("{:?} is no method", recording.method)))?;
    let mut headers = recording.headers;
    // Those that belong to another connection, or to the time of the recording.
    for name in [HOST, http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::CONNECTION] {
        headers.remove(name);
    }
    for (name, value) in signed {
        let pair = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = pair.ok_or_else(|| {
            Error::new(Code::SigningImpossible, format!("the header {name} cannot be sent with this value"))
        })?;
        headers.insert(name, value);
    }
    Ok(client.request(method, url.clone()).headers(headers).body(recording.body))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).to_canonical().is_loopback(),
        None => false,
    }
}

async fn print(as_json: bool, url: &Url, mut response: Response) -> Result<()> {
    let status = response.status();
    let shown = |name: &&str| response.headers().get(*name).and_then(|value| value.to_str().ok());
    let headers: Vec<(&str, String)> = SHOWN.iter().filter_map(|name| Some((*name, shown(name)?.to_owned()))).collect();
    let is_json = headers.iter().any(|(name, value)| *name == CONTENT_TYPE.as_str() && value.contains("json"));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::new(Code::SendFailed, format!("the answer is larger than {MAX_ANSWER} bytes"))
                .hint("look whether the URL is the host's"));
        }
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&body);
    if as_json {
        let parsed: Option<Value> = serde_json::from_str(&text).ok().filter(|_| is_json);
        let headers: Map<String, Value> =
            headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let body = parsed.unwrap_or_else(|| text.into());
        return report::data(&report::json_text(&json!({"status": status.as_u16(), "headers": headers, "body": body})));
    }
    let mut lines = vec![status.to_string()];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if !text.is_empty() {
        // What another host says must not steer the terminal.
        let plain: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        lines.extend([String::new(), plain.trim_end().to_owned()]);
    }
    report::data(&lines.join("\n"))
}

fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let why = match () {
        () if error.is_timeout() => "no answer came in time".to_owned(),
        () if error.is_connect() => "nobody answers there".to_owned(),
        () => std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string),
    };
    let mut shown = url.clone();
    // A password in the URL is nobody's to see.
    let _ = shown.set_password(None);
    Error::new(Code::SendFailed, format!("cannot send the request to {shown}: {why}"))
        .hint("look whether the host runs and --url is right")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_is_added_to_the_hosts_url() {
        let recording = Recording { query: Some("a=1".into()), ..Recording::post("/slack/events", None, Vec::new()) };
        let of =
            |base: &str, tenant| target(&base.parse().unwrap(), tenant, &recording).map(|url| url.to_string()).ok();
        assert_eq!(of("http://h:1", None).as_deref(), Some("http://h:1/slack/events?a=1"));
        assert_eq!(of("https://h/x/", Some("acme")).as_deref(), Some("https://h/x/t/acme/slack/events?a=1"));
        for (base, tenant) in [("ftp://h", None), ("http://h?a", None), ("http://h#a", None), ("http://h", Some("a b"))]
        {
            assert_eq!(of(base, tenant), None, "{base}");
        }
    }

    #[test]
    fn a_host_of_this_machine_is_reached_without_a_proxy() {
        for (url, local) in
            [("http://127.0.0.1:1", true), ("http://LOCALHOST", true), ("http://[::1]", true), ("http://h", false)]
        {
            assert_eq!(is_loopback(&url.parse().unwrap()), local, "{url}");
        }
    }
}
