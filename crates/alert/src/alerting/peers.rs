//! Other Alertmanagers that are told of the alerts of our own rules: a task for each, which come and go while the server runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Error, Labels, Result};
use signalbox_notify::forward::{Forwarder, Posted};
use signalbox_notify::retry::Failure;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Shared;
use crate::forward::{Ledger, posted};
use crate::settings::Settings;

/// How often it is looked whether they have to be told.
const FORWARD_WITHIN: Duration = Duration::from_secs(2);

/// Another Alertmanager.
#[async_trait]
pub trait Peer: Send + Sync + fmt::Debug {
    /// Where alerts are posted.
    fn url(&self) -> &str;

    /// The labels of an alert as this one is told of it; `None` if it is not.
    fn labels<'a>(&self, labels: &'a Labels) -> Option<Cow<'a, Labels>>;

    /// Posts alerts, once.
    async fn post(&self, alerts: &[Posted], now_ns: i64) -> Result<(), Failure>;
}

#[async_trait]
impl Peer for Forwarder {
    fn url(&self) -> &str {
        Forwarder::url(self)
    }

    fn labels<'a>(&self, labels: &'a Labels) -> Option<Cow<'a, Labels>> {
        Some(Cow::Borrowed(labels))
    }

    async fn post(&self, alerts: &[Posted], now_ns: i64) -> Result<(), Failure> {
        Forwarder::post(self, alerts, now_ns).await
    }
}

/// All of them, by what tells one from the others.
#[derive(Debug)]
pub(super) struct Peers {
    /// Those of the settings, which do not change.
    own: BTreeMap<String, Arc<dyn Peer>>,
    told: Mutex<BTreeMap<String, Telling>>,
}

/// The task that tells one of them.
#[derive(Debug)]
struct Telling {
    peer: watch::Sender<Arc<dyn Peer>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Peers {
    /// Those of the settings.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with one.
    pub(super) fn new(settings: &Settings, notify: &signalbox_notify::Settings) -> Result<Self> {
        let policy = notify.policy();
        let mut own: BTreeMap<String, Arc<dyn Peer>> = BTreeMap::new();
        for (index, settings) in settings.forward_to.iter().enumerate() {
            let setting = format!("alert.forward_to[{index}]");
            let forwarder = Forwarder::new(settings, &policy).map_err(|why| Error::invalid(format!("cannot use setting {setting}: {why}")))?;
            own.insert(setting, Arc::new(forwarder));
        }
        Ok(Self { own, told: Mutex::default() })
    }

    /// Tells these from now on beside those of the settings, and nobody else. Who was told before goes on with what he knows.
    pub(super) fn tell(&self, found: BTreeMap<String, Arc<dyn Peer>>, shared: &Arc<Shared>) {
        let mut told = self.told.lock();
        let wanted: BTreeMap<String, Arc<dyn Peer>> = self.own.clone().into_iter().chain(found).collect();
        told.retain(|key, telling| {
            let is_wanted = wanted.contains_key(key);
            if !is_wanted {
                // The task ends by itself; nobody has to wait for it.
                telling.stop.send_replace(true);
            }
            is_wanted
        });
        for (key, peer) in wanted {
            match told.entry(key) {
                Entry::Occupied(known) => {
                    known.get().peer.send_replace(peer);
                }
                Entry::Vacant(free) => {
                    free.insert(Telling::start(peer, Arc::clone(shared)));
                }
            }
        }
    }

    /// Where alerts are posted.
    pub(super) fn urls(&self) -> Vec<String> {
        self.told.lock().values().map(|telling| telling.peer.borrow().url().to_owned()).collect()
    }

    /// Tells nobody any more; requests that run come to their end.
    pub(super) async fn stop(&self) {
        let told = std::mem::take(&mut *self.told.lock());
        for telling in told.values() {
            telling.stop.send_replace(true);
        }
        for (key, telling) in told {
            if let Err(error) = telling.task.await {
                tracing::error!("the task that forwards alerts to {key} died: {error}");
            }
        }
    }
}

impl Telling {
    fn start(peer: Arc<dyn Peer>, shared: Arc<Shared>) -> Self {
        let (peer, is_replaced) = watch::channel(peer);
        let (stop, is_stopping) = watch::channel(false);
        Self { peer, stop, task: tokio::spawn(tell(shared, is_replaced, is_stopping)) }
    }
}

/// Tells another Alertmanager until it is stopped.
async fn tell(shared: Arc<Shared>, peer: watch::Receiver<Arc<dyn Peer>>, mut is_stopping: watch::Receiver<bool>) {
    let clock = &shared.world.parts.clock;
    let mut ledger = Ledger::default();
    while !*is_stopping.borrow() {
        let now_ms = clock.now_ms();
        let peer = Arc::clone(&peer.borrow());
        let due = {
            let mut dispatcher = shared.dispatcher.lock().await;
            ledger.due(dispatcher.own(now_ms).filter_map(|notice| Some((peer.labels(&notice.labels)?, notice))), now_ms)
        };
        if !due.is_empty() {
            let posted: Vec<_> = due.iter().map(|notice| posted(notice, now_ms)).collect();
            match peer.post(&posted, clock.now_ns()).await {
                Ok(()) => {
                    ledger.taken(&due, now_ms);
                    // There may be more than one request holds.
                    continue;
                }
                Err(failure) => {
                    tracing::warn!(error = %failure.error, "cannot forward {} alerts to {}: {}", due.len(), peer.url(), failure.error);
                    ledger.failed(&due, failure.is_transient, now_ms);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(FORWARD_WITHIN) => {}
            () = shared.forwards.notified() => {}
            // An error means that nobody can stop the task any more but by ending the process.
            _ = is_stopping.changed() => {}
        }
    }
}
