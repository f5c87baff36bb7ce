//! A server on loopback that does as it is told, and also what no server should.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::ingest::locator::{Base, Locator, Scheme};

/// What a client asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn line(&self) -> String {
        let range = self.header("range").map(|range| format!(" {range}")).unwrap_or_default();
        format!("{} {}{range}", self.method, self.path)
    }
}

/// What it is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// After how many bytes of the body the connection ends.
    pub(super) cut: Option<usize>,
    /// After how many bytes of the body nothing comes any more.
    pub(super) stall: Option<usize>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: vec![("content-length", "0".to_owned())], ..Self::default() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub(super) fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).header("location", to)
    }

    pub(super) fn cut(self, after: usize) -> Self {
        Self { cut: Some(after), ..self }
    }

    pub(super) fn stall(self, after: usize) -> Self {
        Self { stall: Some(after), ..self }
    }

    /// What a good server answers for a file with a version.
    pub(super) fn file(request: &Request, bytes: &[u8], tag: &str) -> Self {
        let tag = format!("\"{tag}\"");
        let whole = || Self {
            status: 200,
            headers: vec![("content-length", bytes.len().to_string()), ("etag", tag.clone())],
            body: bytes.to_vec(),
            ..Self::default()
        };
        let start = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let is_same = request.header("if-range").is_none_or(|known| known == tag);
        match start.and_then(|start| start.parse::<usize>().ok()).filter(|start| is_same && *start < bytes.len()) {
            None => whole(),
            Some(start) => {
                let rest = bytes[start..].to_vec();
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                let reply = whole().header("content-length", rest.len().to_string()).header("content-range", range);
                Self { status: 206, body: rest, ..reply }
            }
        }
    }
}

type Handler = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// The server. It ends when it is dropped.
pub(super) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Is told when a reply stalls.
    pub(super) stalled: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request by `handler`, which is told how many came before it.
    pub(super) async fn start(handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, stalled) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<Notify>::default());
        let handler: Arc<Handler> = Arc::new(handler);
        let task = tokio::spawn({
            let (requests, stalled) = (Arc::clone(&requests), Arc::clone(&stalled));
            async move {
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                    connections.spawn(answer(stream, handler, requests, Arc::clone(&stalled)));
                }
            }
        });
        Self { port, requests, stalled, task }
    }

    /// A server with one file.
    pub(super) async fn of_file(bytes: &'static [u8]) -> Self {
        Self::start(|request, _| Reply::file(request, bytes, "1")).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn locator(&self, path: &str) -> Locator {
        Locator::parse(&self.url(path), &Base::here().unwrap(), Scheme::Fs).unwrap()
    }

    /// What was asked, one line per request.
    pub(super) fn asked(&self) -> Vec<String> {
        self.requests.lock().iter().map(Request::line).collect()
    }

    /// The requests themselves.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut stream: TcpStream,
    handler: Arc<Handler>,
    requests: Arc<Mutex<Vec<Request>>>,
    stalled: Arc<Notify>,
) -> Option<()> {
    let request = read(&mut stream).await?;
    let count = {
        let mut requests = requests.lock();
        requests.push(request.clone());
        requests.len() - 1
    };
    let reply = handler(&request, count);
    let mut head = format!("HTTP/1.1 {} Test\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
    if request.method != "HEAD" {
        let end = reply.cut.or(reply.stall).unwrap_or(reply.body.len());
        stream.write_all(&reply.body[..end]).await.ok()?;
        stream.flush().await.ok()?;
        if reply.stall.is_some() {
            stalled.notify_one();
            std::future::pending::<()>().await;
        }
    }
    stream.shutdown().await.ok()
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next_line().await.ok()??;
    let mut parts = first.split(' ').map(str::to_owned);
    let (method, path) = (parts.next()?, parts.next()?);
    let mut headers = HashMap::new();
    while let Some(line) = lines.next_line().await.ok()?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers })
}
