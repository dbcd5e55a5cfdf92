//! A server of HTTP for tests: answers by a closure, remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) path: String,
    /// Headers; several values of one name with commas between them.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What the server says.
pub(crate) struct Answer(Response);

impl Answer {
    pub(crate) fn json(value: Value) -> Self {
        Self::text("application/json", value.to_string())
    }

    pub(crate) fn text(content_type: &str, text: impl Into<String>) -> Self {
        Self(Response::builder().header("content-type", content_type).body(Body::from(text.into())).unwrap())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self(Response::builder().status(status).body(Body::empty()).unwrap())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self(Response::builder().status(302).header("location", to).body(Body::empty()).unwrap())
    }

    /// Lines as they come, until the sender is gone.
    pub(crate) fn lines(lines: mpsc::Receiver<String>) -> Self {
        let stream =
            futures::stream::unfold(lines, |mut lines| async { lines.recv().await.map(|line| (Ok::<_, std::io::Error>(Bytes::from(line + "\n")), lines)) });
        Self(Response::builder().header("content-type", "application/json").body(Body::from_stream(stream)).unwrap())
    }
}

/// A running server; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (known, answer) = (asked.clone(), Arc::new(answer));
        let app = Router::new().fallback(move |request: Request| {
            let (known, answer) = (known.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let mut headers = BTreeMap::<String, String>::new();
                for (name, value) in &parts.headers {
                    let value = value.to_str().unwrap();
                    headers.entry(name.to_string()).and_modify(|known| known.push_str(&format!(", {value}"))).or_insert_with(|| value.to_owned());
                }
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
                let one = Asked { path, headers, body: String::from_utf8(body.to_vec()).unwrap() };
                let answer = answer(&one);
                known.lock().push(one);
                answer.0
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, asked, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
