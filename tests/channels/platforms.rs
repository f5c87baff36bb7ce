//! Servers that speak the platforms' APIs, as far as replies need them: they check what the platform checks, keep what
//! they took, and can be told how to answer next.

use std::collections::VecDeque;
use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

#[path = "platforms/check.rs"]
mod check;
#[path = "platforms/deliver.rs"]
mod deliver;
#[path = "platforms/form.rs"]
pub(crate) mod form;
#[path = "platforms/slack.rs"]
pub(crate) mod slack;
#[path = "platforms/teams.rs"]
pub(crate) mod teams;
#[path = "platforms/telegram.rs"]
pub(crate) mod telegram;
#[path = "platforms/webex.rs"]
pub(crate) mod webex;
#[path = "platforms/whatsapp.rs"]
pub(crate) mod whatsapp;

/// How a request is answered instead of being taken.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    /// As the platform does when too much was sent: come again in so many seconds.
    TooMany(u64),
    /// By a status without a word of the platform's: 5xx.
    Status(u16),
    /// As the platform does when the bot may not write there.
    Forbidden,
    /// With this status and body.
    Answer(u16, Value),
    /// It is taken, and never answered.
    Hang,
}

/// A request that was taken: what it does, and its fields; a file as `{"file": {name, mime, bytes}}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    pub(crate) what: String,
    pub(crate) body: Value,
}

/// What a platform was told to do, and what it took.
#[derive(Default)]
pub(crate) struct Script {
    instead: Mutex<VecDeque<Instead>>,
    taken: Mutex<Vec<Taken>>,
    changed: Notify,
}

impl Script {
    /// Answers the next requests so; then they are taken.
    pub(crate) fn answer(&self, instead: impl IntoIterator<Item = Instead>) {
        self.instead.lock().extend(instead);
    }

    /// How the next request is to be answered, if it is not to be taken.
    pub(crate) fn next(&self) -> Option<Instead> {
        let next = self.instead.lock().pop_front();
        self.changed.notify_waiters();
        next
    }

    /// How many answers are left.
    pub(crate) fn left(&self) -> usize {
        self.instead.lock().len()
    }

    /// Returns as soon as every answer that it was told to give is given.
    pub(crate) async fn spent(&self) {
        loop {
            let changed = self.changed.notified();
            if self.instead.lock().is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Takes a request, and tells which it is, counted from 1.
    pub(crate) fn take(&self, what: &str, body: Value) -> usize {
        let mut taken = self.taken.lock();
        taken.push(Taken { what: what.to_owned(), body });
        let count = taken.len();
        drop(taken);
        self.changed.notify_waiters();
        count
    }

    /// What was taken, as soon as it is so much.
    pub(crate) async fn taken(&self, count: usize) -> Vec<Taken> {
        loop {
            let changed = self.changed.notified();
            let taken = self.taken.lock().clone();
            if taken.len() >= count {
                return taken;
            }
            changed.await;
        }
    }
}

/// Serves a platform on a port of its own.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}
