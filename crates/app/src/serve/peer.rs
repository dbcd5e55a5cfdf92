//! The other end of a connection: a question is given up when nobody is left to read the answer, telemetry never is.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// When to look again at an end that has sent more than is read yet: what waits hides whether anything follows it.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The other end of one connection. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    stream: Arc<TcpStream>,
    questions: watch::Sender<usize>,
}

impl Peer {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Arc::new(stream), questions: watch::Sender::new(0) }
    }

    pub(super) fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    /// Whether it waits for an answer to a question.
    pub(super) fn is_asking(&self) -> bool {
        *self.questions.borrow() > 0
    }

    /// Says that something is done for this end alone, until the question is dropped.
    pub(crate) fn ask(&self) -> Question {
        self.questions.send_modify(|count| *count += 1);
        Question(self.questions.clone())
    }

    /// Completes when this end is gone while a question of its own is open.
    pub(super) async fn abandons_a_question(&self) {
        let mut questions = self.questions.subscribe();
        loop {
            if questions.wait_for(|count| *count > 0).await.is_err() {
                // There is a sender as long as there is a peer.
                return pending().await;
            }
            tokio::select! {
                () = self.is_gone() => return,
                _answered = questions.wait_for(|count| *count == 0) => {}
            }
        }
    }

    async fn is_gone(&self) {
        loop {
            match self.stream.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                Ok(_) => match self.stream.ready(Interest::READABLE).await {
                    Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(LOOK_AGAIN).await,
                    _ => return,
                },
            }
        }
    }
}

/// A question that is open.
#[derive(Debug)]
pub(crate) struct Question(watch::Sender<usize>);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// An answer whose question is open until the last of it is read.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    _question: Question,
}

impl Answer {
    pub(crate) fn new(body: Body, question: Question) -> Self {
        Self { body, _question: question }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
