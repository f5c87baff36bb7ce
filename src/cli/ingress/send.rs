//! `ingress send`: a signed request to a running host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method};
use reqwest::Response;
use serde_json::{Map, Value, json};
use url::Url;

use super::sign::SigningArgs;
use super::{NowArgs, files};
use crate::cli::{client, report};
use crate::error::{Code, Error, Result};
use crate::probe::sign::Headers;
use crate::probe::{Kind, Recording};

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
    let response = response.send().await.map_err(|error| client::failed(&url, &error))?;
    let success = response.status().is_success();
    print(args.json, &url, response).await?;
    Ok(ExitCode::from(u8::from(!success)))
}

/// The URL of the request's route below the host's.
fn target(base: &Url, tenant: Option<&str>, recording: &Recording) -> Result<Url> {
    let tenant = tenant.map(|tenant| crate::id::parse("tenant", tenant)).transpose()?;
    let prefix = tenant.map(|tenant| format!("/t/{tenant}")).unwrap_or_default();
    let mut url = client::below(base, &format!("{prefix}{}", recording.path))?;
    url.set_query(recording.query.as_deref());
    Ok(url)
}

fn request(args: &Args, url: &Url, recording: Recording, signed: &Headers) -> Result<reqwest::RequestBuilder> {
    let client = client::client(url, Duration::from_secs(args.timeout))?;
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

async fn print(as_json: bool, url: &Url, response: Response) -> Result<()> {
    let status = response.status();
    let shown = |name: &&str| response.headers().get(*name).and_then(|value| value.to_str().ok());
    let headers: Vec<(&str, String)> = SHOWN.iter().filter_map(|name| Some((*name, shown(name)?.to_owned()))).collect();
    let is_json = headers.iter().any(|(name, value)| *name == CONTENT_TYPE.as_str() && value.contains("json"));
    let body = client::body(url, response).await?;
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
        lines.extend([String::new(), client::plain(&text).trim_end().to_owned()]);
    }
    report::data(&lines.join("\n"))
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
}
