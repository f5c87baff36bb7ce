//! A connection that cannot be held open for nothing.
//!
//! Hyper's own timers start once it knows which HTTP version a client speaks, and it finds that out from the first
//! bytes, for which it would wait forever. And a client that stops reading its answer holds the connection as well as
//! one that stops sending. So the bytes themselves are timed, in both directions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// After so many bytes the HTTP version is known: the length of the HTTP/2 preface.
const OPENING: u64 = 24;

pub(super) struct Connection {
    stream: TcpStream,
    idle: Duration,
    read: u64,
    /// Ends the opening at first; afterwards moved by every byte.
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// `opening` is the time for the first bytes, `idle` the longest silence afterwards.
    pub(super) fn new(stream: TcpStream, opening: Duration, idle: Duration) -> Self {
        Self { stream, idle, read: 0, deadline: Box::pin(sleep(opening)) }
    }

    fn moved(&mut self, read: usize) {
        self.read = self.read.saturating_add(read as u64);
        if self.read >= OPENING {
            self.deadline.as_mut().reset(Instant::now() + self.idle);
        }
    }

    /// What a pending operation answers: pending, until the deadline.
    fn stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.stalled(context),
            Poll::Ready(result) => {
                this.moved(buffer.filled().len().saturating_sub(before));
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending => this.stalled(context),
            Poll::Ready(result) => {
                this.moved(0);
                Poll::Ready(result)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write_vectored(context, bytes) {
            Poll::Pending => this.stalled(context),
            Poll::Ready(result) => {
                this.moved(0);
                Poll::Ready(result)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
