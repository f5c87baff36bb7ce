//! Servers as processes, and where their programs are.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// How long a server may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that runs until this is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: String,
    /// A directory of its own.
    pub(crate) dir: TempDir,
    child: Child,
}

impl Server {
    /// Starts `program` with the arguments that `arguments` makes of its directory and its address, and waits until it
    /// accepts connections.
    pub(crate) async fn start(program: &str, arguments: impl FnOnce(&Path, &str) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = free_address().await;
        let log = dir.path().join("server.log");
        let (out, err) = (File::create(&log).unwrap(), File::options().append(true).open(&log).unwrap());
        let child = Command::new(find(program))
            .args(arguments(dir.path(), &address))
            .current_dir(dir.path())
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "1000000")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|e| panic!("{program} cannot be started: {e}"));
        let mut server = Self { address, dir, child };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&server.address).await.is_err() {
            let ended = server.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("{program} does not listen at {} ({ended:?}):\n{log}", server.address);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// The URL of `path` on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on which nothing listens. It is below those that the system gives by itself, so that no other test gets it
/// before the server is up; processes look for it at different places.
async fn free_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", 10_000 + place % 20_000);
        if TcpListener::bind(&address).await.is_ok() {
            return address;
        }
    }
}

/// A client for plain requests.
pub(crate) fn client() -> reqwest::Client {
    greentic_runner_host::net::tls::install();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The port in `address`.
pub(crate) fn port(address: &str) -> String {
    address.rsplit_once(':').unwrap().1.to_owned()
}

fn find(program: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/servers");
    let own = [tools.join("node_modules/.bin"), tools.join("venv/bin")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = own.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(program));
    places.find(|file| file.is_file()).unwrap_or_else(|| panic!("{program} is not installed: cargo xtask tools"))
}
