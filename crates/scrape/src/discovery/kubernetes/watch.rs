//! List and watch: all objects of a kind, then every change, from the version of the list on.
//!
//! A watch that ends is taken up where it ended; one that the server no longer remembers (410) starts with a new list.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use signalbox_model::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use super::objects::{Kind, Object};
use super::server::ApiServer;

/// Objects of one page of a list.
const PAGE_OBJECTS: usize = 500;
/// Bytes of one page of a list.
const PAGE_BYTES_MAX: usize = 256 << 20;
/// Bytes of one event of a watch.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Objects of one kind in one namespace; of more, the list is an error.
const OBJECTS_MAX: usize = 1_000_000;
/// How long the server keeps a watch open.
const WATCH_SECONDS: u64 = 300;
/// How long a list may take, and a watch longer than the server said.
const GRACE: Duration = Duration::from_secs(60);

/// What has happened to objects.
#[derive(Debug)]
pub(super) enum Event {
    /// These are all objects of a kind in a namespace.
    Listed { kind: Kind, namespace: String, objects: Vec<Object> },
    /// An object is new or changed.
    Changed { kind: Kind, object: Object },
    /// An object is gone.
    Gone { kind: Kind, key: String },
}

/// What is watched: a kind in a namespace (the empty one is all), chosen by labels and fields.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) label_selector: String,
    pub(super) field_selector: String,
}

/// How long to wait after a failure: the first, and at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) most: Duration,
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    rest: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What is read of every object: the version of the bookmark, or the code of an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stub {
    metadata: PageMeta,
    code: u16,
    message: String,
}

/// Why a watch has ended.
enum End {
    /// The server closed it, as it does now and then.
    Closed,
    /// The server does not remember the version any more.
    Expired,
    /// Nobody wants to know any more.
    Unwanted,
}

impl Watch {
    /// Tells all objects and then their changes until nobody wants to know.
    pub(super) async fn run(self, server: ApiServer, events: mpsc::Sender<Event>, pace: Pace) {
        let mut wait = pace.first;
        loop {
            let listed = self.list(&server).await;
            let (objects, mut version) = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    self.complain(&error, wait);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(pace.most);
                    continue;
                }
            };
            let listed = Event::Listed { kind: self.kind, namespace: self.namespace.clone(), objects };
            if events.send(listed).await.is_err() {
                return;
            }
            loop {
                let before = version.clone();
                match self.follow(&server, &mut version, &events).await {
                    Ok(End::Unwanted) => return,
                    Ok(End::Expired) => break,
                    Ok(End::Closed) if version != before => wait = pace.first,
                    // A server that closes every watch at once must not be asked without a pause.
                    Ok(End::Closed) => tokio::time::sleep(pace.first).await,
                    Err(error) => {
                        self.complain(&error, wait);
                        tokio::time::sleep(wait).await;
                        wait = (wait * 2).min(pace.most);
                    }
                }
            }
        }
    }

    fn complain(&self, error: &Error, wait: Duration) {
        let (kind, namespace) = (self.kind.name(), &self.namespace);
        tracing::warn!(kind, namespace, "cannot follow {kind} of kubernetes, again in {wait:?}: {error}");
    }

    async fn list(&self, server: &ApiServer) -> Result<(Vec<Object>, String)> {
        let (mut objects, mut rest) = (Vec::new(), String::new());
        loop {
            let limit = PAGE_OBJECTS.to_string();
            let mut parameters = self.parameters();
            parameters.push(("limit", &limit));
            if !rest.is_empty() {
                parameters.push(("continue", &rest));
            }
            let mut answer = server.get(&self.kind.path(&self.namespace), &parameters, GRACE).await?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| unavailable(&error.without_url()))? {
                body.extend_from_slice(&chunk);
                if body.len() > PAGE_BYTES_MAX {
                    return Err(unavailable(&format!("found a page of more than {PAGE_BYTES_MAX} bytes")));
                }
            }
            let page: Page<'_> = serde_json::from_slice(&body).map_err(|error| unavailable(&error))?;
            objects.extend(page.items.unwrap_or_default().into_iter().filter_map(|item| self.read(item)));
            if objects.len() > OBJECTS_MAX {
                return Err(unavailable(&format!("found more than {OBJECTS_MAX} objects")));
            }
            if page.metadata.rest.is_empty() {
                return Ok((objects, page.metadata.resource_version));
            }
            rest = page.metadata.rest;
        }
    }

    fn parameters(&self) -> Vec<(&str, &str)> {
        let selectors = [("labelSelector", self.label_selector.as_str()), ("fieldSelector", self.field_selector.as_str())];
        selectors.into_iter().filter(|(_, selector)| !selector.is_empty()).collect()
    }

    /// One object; what cannot be read is left out, loudly.
    fn read(&self, json: &RawValue) -> Option<Object> {
        Object::read(self.kind, json.get()).inspect_err(|error| tracing::warn!(kind = self.kind.name(), "an object is left out: {error}")).ok()
    }

    /// Follows changes from a version on, and moves the version along.
    async fn follow(&self, server: &ApiServer, version: &mut String, events: &mpsc::Sender<Event>) -> Result<End> {
        let seconds = WATCH_SECONDS.to_string();
        let from = version.clone();
        let mut parameters = self.parameters();
        parameters.extend([("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", &seconds), ("resourceVersion", &from)]);
        let timeout = Duration::from_secs(WATCH_SECONDS) + GRACE;
        let mut answer = match server.get(&self.kind.path(&self.namespace), &parameters, timeout).await {
            Err(error) if error.kind() == ErrorKind::NotFound && error.message().contains("410") => return Ok(End::Expired),
            other => other?,
        };
        let mut buffer = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unavailable(&error.without_url()))? {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                match self.event(&line, version)? {
                    Step::Tell(event) => {
                        if events.send(event).await.is_err() {
                            return Ok(End::Unwanted);
                        }
                    }
                    Step::Nothing => {}
                    Step::Expired => return Ok(End::Expired),
                }
            }
            if buffer.len() > EVENT_BYTES_MAX {
                return Err(unavailable(&format!("found an event of more than {EVENT_BYTES_MAX} bytes")));
            }
        }
        Ok(End::Closed)
    }

    fn event(&self, line: &[u8], version: &mut String) -> Result<Step> {
        if line.trim_ascii().is_empty() {
            return Ok(Step::Nothing);
        }
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| unavailable(&error))?;
        let stub: Stub = serde_json::from_str(line.object.get()).map_err(|error| unavailable(&error))?;
        if line.r#type == "ERROR" {
            return if stub.code == 410 { Ok(Step::Expired) } else { Err(unavailable(&format!("found error {}: {}", stub.code, stub.message))) };
        }
        if !stub.metadata.resource_version.is_empty() {
            *version = stub.metadata.resource_version;
        }
        let (kind, object) = (self.kind, || self.read(line.object));
        Ok(match line.r#type.as_str() {
            "ADDED" | "MODIFIED" => object().map_or(Step::Nothing, |object| Step::Tell(Event::Changed { kind, object })),
            "DELETED" => object().map_or(Step::Nothing, |object| Step::Tell(Event::Gone { kind, key: object.meta().key() })),
            // A bookmark moves the version only.
            _ => Step::Nothing,
        })
    }
}

enum Step {
    Tell(Event),
    Nothing,
    Expired,
}

fn unavailable(why: &dyn std::fmt::Display) -> Error {
    Error::unavailable(format!("cannot read from the API server: {why}"))
}
