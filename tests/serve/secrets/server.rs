//! A server with one way to answer.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tokio::net::TcpListener;

/// Starts one that ends with the test.
pub(super) async fn server<A: Future<Output = Response> + Send + 'static>(
    answer: impl Fn(Request) -> A + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let (tell, address) = tokio::sync::oneshot::channel();
    // On a thread of its own, so that it answers while a test waits for the program to start.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, Router::new().fallback(answer)).await
        })
    });
    address.await.unwrap()
}
