//! Where targets are found: each way of finding is a folder or file of its own and yields groups of targets.
//!
//! A group is replaced as a whole, known by its source. What somebody sees of a job is always all its groups at one instant.
//! A way of finding that fails keeps what it had found: targets do not vanish because a server of discovery does not answer.

mod config;
mod dns;
mod file;
pub mod foreign;
mod http;
mod kubernetes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Clock, Labels, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use config::{
    AttachMetadata, DiscoveryConfigs, DnsConfig, DnsRecord, FileConfig, HttpConfig, KubernetesConfig, Namespaces, Role, Selector, StaticGroup, Unsupported,
};

/// The label that holds host and port of a target.
pub const ADDRESS: &str = "__address__";

/// Groups of one way of finding; more are left out, loudly.
const GROUPS_MAX: usize = 100_000;
/// News that may wait to be told.
const UPDATES_WAITING_MAX: usize = 64;
/// Least time between two pieces of news about a job, as in Prometheus: a rollout changes hundreds of pods at once.
const QUIET: Duration = Duration::from_secs(5);

/// Targets that were found together. The labels of a target are its own and those of the group; its own win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// What the group is known by; unique in a job.
    pub source: String,
    /// The own labels of each target, `__address__` among them.
    pub targets: Vec<Labels>,
    /// Labels of all of them.
    pub labels: Labels,
}

/// All groups of a job at one instant.
pub type Groups = Arc<Vec<Arc<TargetGroup>>>;

/// What one way of finding has found: groups to add or replace, and with `is_all` that there are no others.
#[derive(Debug)]
struct Update {
    /// Number of the way of finding in its job.
    provider: usize,
    groups: Vec<TargetGroup>,
    is_all: bool,
}

/// Where a way of finding tells what it has found.
#[derive(Debug, Clone)]
struct Updates {
    provider: usize,
    sender: mpsc::Sender<Update>,
}

impl Updates {
    /// These are all groups there are. `false` once nobody listens.
    async fn replace(&self, groups: Vec<TargetGroup>) -> bool {
        self.sender.send(Update { provider: self.provider, groups, is_all: true }).await.is_ok()
    }

    /// These groups are new or changed; one without targets is gone. `false` once nobody listens.
    async fn merge(&self, groups: Vec<TargetGroup>) -> bool {
        self.sender.send(Update { provider: self.provider, groups, is_all: false }).await.is_ok()
    }
}

/// What discovery has around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// For the age of tokens.
    pub clock: Arc<dyn Clock>,
    /// Variables of the environment: a pod is told by them where its API server is.
    pub environment: fn(&str) -> Option<String>,
    /// The folder with the credentials of a pod.
    pub service_account: PathBuf,
}

impl Surroundings {
    /// The surroundings of a process.
    pub fn new(clock: Arc<dyn Clock>, environment: fn(&str) -> Option<String>) -> Self {
        Self { clock, environment, service_account: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount") }
    }
}

/// The running discovery of one job. It ends when it is dropped.
#[derive(Debug)]
pub struct Discovery {
    groups: watch::Receiver<Groups>,
    _tasks: JoinSet<()>,
}

impl Discovery {
    /// Starts all ways of finding of a job. Must be called within a runtime. What does not need to be asked for, the targets in
    /// the configuration itself, is there at once.
    ///
    /// # Errors
    /// `Invalid` if a client cannot be made of its options, for example for a certificate or a kubeconfig that cannot be read.
    pub fn start(job: &str, configs: &DiscoveryConfigs, around: &Surroundings) -> Result<Self> {
        Self::start_with(job, configs, around, QUIET)
    }

    fn start_with(job: &str, configs: &DiscoveryConfigs, around: &Surroundings, quiet: Duration) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(UPDATES_WAITING_MAX);
        let mut tasks = JoinSet::new();
        let mut provider = 0;
        let mut updates = || {
            provider += 1;
            Updates { provider, sender: sender.clone() }
        };
        for config in &configs.files {
            tasks.spawn(file::run(config.clone(), updates()));
        }
        for config in &configs.https {
            tasks.spawn(http::Finder::new(config, around.clock.clone())?.run(updates()));
        }
        for config in &configs.dns {
            tasks.spawn(dns::Finder::new(config).run(updates()));
        }
        for config in &configs.kubernetes {
            tasks.spawn(kubernetes::Finder::new(config, around)?.run(updates()));
        }
        let mut found = Found::default();
        found.apply(Update { provider: 0, groups: statics(&configs.statics), is_all: true });
        let (told, groups) = watch::channel(found.all());
        tasks.spawn(tell(job.to_owned(), found, receiver, told, quiet));
        Ok(Self { groups, _tasks: tasks })
    }

    /// The groups now, and news of them.
    pub fn groups(&self) -> watch::Receiver<Groups> {
        self.groups.clone()
    }
}

fn statics(configs: &[StaticGroup]) -> Vec<TargetGroup> {
    configs.iter().enumerate().map(|(index, group)| group.named(index.to_string())).collect()
}

impl StaticGroup {
    /// The group under this source.
    pub fn named(&self, source: String) -> TargetGroup {
        let targets = self.targets.iter().map(|target| Labels::from_pairs([(ADDRESS, target)])).collect();
        TargetGroup { source, targets, labels: Labels::from_pairs(&self.labels) }
    }
}

/// What all ways of finding of a job have found so far.
#[derive(Debug, Default)]
struct Found(BTreeMap<(usize, String), Arc<TargetGroup>>);

impl Found {
    /// Takes an update in; `false` if nothing changed by it.
    fn apply(&mut self, update: Update) -> bool {
        let Update { provider, groups, is_all } = update;
        let mut has_changed = false;
        if is_all {
            let sources: std::collections::BTreeSet<&str> = groups.iter().map(|group| group.source.as_str()).collect();
            let before = self.0.len();
            self.0.retain(|(known, source), _| *known != provider || sources.contains(source.as_str()));
            has_changed = self.0.len() != before;
        }
        for group in groups {
            let key = (provider, group.source.clone());
            if group.targets.is_empty() {
                has_changed |= self.0.remove(&key).is_some();
            } else if self.0.get(&key).is_none_or(|known| **known != group) {
                has_changed = true;
                self.0.insert(key, Arc::new(group));
            }
        }
        has_changed
    }

    fn all(&self) -> Groups {
        Arc::new(self.0.values().cloned().collect())
    }
}

/// Collects what is found and tells it: the first news at once, later ones not more often than every `quiet`.
async fn tell(job: String, mut found: Found, mut updates: mpsc::Receiver<Update>, told: watch::Sender<Groups>, quiet: Duration) {
    let mut next = Instant::now();
    let mut is_due = false;
    loop {
        tokio::select! {
            update = updates.recv() => match update {
                Some(update) => is_due |= found.apply(update),
                // Nothing else will be found: all ways of finding have ended, or there are none.
                None if is_due => tokio::time::sleep_until(next).await,
                None => return,
            },
            () = tokio::time::sleep_until(next), if is_due => {}
        }
        if found.0.len() > GROUPS_MAX {
            tracing::warn!(job, groups = found.0.len(), "job {job}: found more than {GROUPS_MAX} groups of targets, the others are left out");
            while found.0.len() > GROUPS_MAX {
                found.0.pop_last();
            }
        }
        if is_due && Instant::now() >= next {
            is_due = false;
            next = Instant::now() + quiet;
            tracing::debug!(job, groups = found.0.len(), "job {job}: {} groups of targets", found.0.len());
            told.send_replace(found.all());
        }
    }
}

#[cfg(test)]
mod tests;
