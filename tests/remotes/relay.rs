//! A relay between a client and a server: it counts, remembers requests, and breaks off when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Passes on what comes to `address`.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: String,
    shared: Arc<Shared>,
    listener: Mutex<Option<TcpListener>>,
}

#[derive(Default)]
struct Shared {
    /// How many bytes of an answer are passed on before the connection ends; 0 for all. It happens once.
    cut: AtomicU64,
    /// What clients sent.
    asked: Mutex<Vec<u8>>,
}

impl Relay {
    /// A relay that waits for its server.
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { address, shared: Arc::default(), listener: Mutex::new(Some(listener)) }
    }

    /// A relay to the server at `to`.
    pub(crate) async fn to(to: &str) -> Self {
        let relay = Self::bind().await;
        relay.serve(to);
        relay
    }

    /// Passes on to the server at `to` from now on.
    pub(crate) fn serve(&self, to: &str) {
        let listener = self.listener.lock().take().unwrap();
        let (shared, to) = (Arc::clone(&self.shared), to.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, to) = (Arc::clone(&shared), to.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(&to).await.unwrap();
                    pass(&shared, client, server).await;
                });
            }
        });
    }

    /// Breaks off the next answer that is longer than `after` bytes, once.
    pub(crate) fn cut(&self, after: u64) {
        self.shared.cut.store(after, Ordering::SeqCst);
    }

    /// The lines that clients sent since this was asked before, which are requests without bodies.
    pub(crate) fn asked(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.shared.asked.lock());
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// The URL of `path` through it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn pass(shared: &Shared, client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from_client.read(&mut chunk).await {
            shared.asked.lock().extend_from_slice(&chunk[..read]);
            if to_server.write_all(&chunk[..read]).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        let (mut chunk, mut passed) = (vec![0; 16 << 10], 0);
        while let Ok(read @ 1..) = from_server.read(&mut chunk).await {
            passed += read as u64;
            let cut = shared.cut.load(Ordering::SeqCst);
            if cut > 0 && passed > cut && shared.cut.swap(0, Ordering::SeqCst) > 0 {
                break;
            }
            if to_client.write_all(&chunk[..read]).await.is_err() {
                break;
            }
        }
    };
    // Whichever side ends, ends both.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
