//! A connection that ends itself when nothing moves on it.

use std::future::Future as _;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::Peer;

/// A stream whose reads and writes fail once no byte has moved in either direction for a while.
#[derive(Debug)]
pub(crate) struct IdleStream {
    stream: Arc<TcpStream>,
    peer: Peer,
    limit: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl IdleStream {
    pub(crate) fn new(peer: Peer, limit: Duration) -> Self {
        Self { stream: Arc::clone(peer.stream()), peer, limit, alarm: Box::pin(sleep(limit)) }
    }

    /// Puts the alarm off if something moved, looks at it if nothing did.
    fn judge<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.alarm.as_mut().reset(Instant::now() + self.limit);
            return outcome;
        }
        match self.alarm.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moved on the connection"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Repeats what would block as soon as the stream is ready again.
macro_rules! when_ready {
    ($stream:expr, $poll_ready:ident, $context:expr, $attempt:expr) => {
        loop {
            ready!($stream.$poll_ready($context))?;
            match $attempt {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => break Poll::Ready(outcome),
            }
        }
    };
}

impl IdleStream {
    fn read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        when_ready!(self.stream, poll_read_ready, context, self.stream.try_read_buf(buffer).map(|_bytes| ()))
    }

    /// An answer that nobody waits for is thrown away, so that what was sent behind its request is read as well.
    fn write(&self, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = when_ready!(self.stream, poll_write_ready, context, self.stream.try_write_vectored(slices));
        match outcome {
            Poll::Ready(Err(error)) if is_gone(&error) && !self.peer.is_asking() => Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum())),
            outcome => outcome,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for IdleStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outcome = self.read(context, buffer);
        self.judge(outcome, context)
    }
}

impl AsyncWrite for IdleStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = self.write(context, slices);
        self.judge(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}
