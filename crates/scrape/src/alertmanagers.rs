//! The Alertmanagers of a `prometheus.yml` (`alerting`): found as targets are, and the way to each. What they are told and when
//! is not known here; a request is tried once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use signalbox_model::{Clock, Error, Labels, Result};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::client::HttpClient;
use crate::config::{AlertmanagerConfig, PrometheusConfig};
use crate::discovery::{self, ADDRESS, Discovery, TargetGroup};
use crate::relabel::{self, RelabelConfig};
use crate::target;

const SCHEME: &str = "__scheme__";
const PATH: &str = "__alerts_path__";
/// Where alerts are posted, below the prefix.
const API: &str = "api/v2/alerts";
/// Characters of an answer that an error quotes.
const QUOTED_MAX: usize = 200;

/// The ways to find Alertmanagers, and who was found. They end when this is dropped.
#[derive(Debug)]
pub struct Alertmanagers {
    around: discovery::Surroundings,
    sets: Mutex<Vec<Set>>,
    changed: Arc<Notify>,
}

/// Alertmanagers that are found and told together.
#[derive(Debug, Clone)]
struct Set {
    config: Arc<AlertmanagerConfig>,
    /// Its own rules for alerts. Those for everybody are not its business: alerts come to it after them.
    rules: Arc<[RelabelConfig]>,
    client: HttpClient,
    finding: Arc<Finding>,
}

/// Discovery that runs, and the task that tells of its news.
#[derive(Debug)]
struct Finding {
    discovery: Discovery,
    telling: AbortHandle,
}

impl Drop for Finding {
    fn drop(&mut self) {
        self.telling.abort();
    }
}

/// Who was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Who is told.
    pub active: Vec<Alertmanager>,
    /// Where those are that relabelling dropped.
    pub dropped: Vec<String>,
}

/// The way to one Alertmanager.
#[derive(Debug, Clone)]
pub struct Alertmanager {
    /// What tells it from the others: the same address may stand in several sections, and is told for each.
    pub key: String,
    url: String,
    rules: Arc<[RelabelConfig]>,
    timeout: Duration,
    client: HttpClient,
}

impl Alertmanagers {
    /// Nobody is found yet: see [`Alertmanagers::apply`].
    pub fn new(around: discovery::Surroundings) -> Self {
        Self { around, sets: Mutex::default(), changed: Arc::default() }
    }

    /// Looks for the Alertmanagers of a configuration from now on. Must be called within a runtime.
    ///
    /// # Errors
    /// `Invalid` if a section cannot be used, for example for a certificate that cannot be read; then everything stays as it was.
    pub fn apply(&self, config: &PrometheusConfig) -> Result<()> {
        let mut sets = self.sets.lock();
        let prepared = config.alerting.alertmanagers.iter().enumerate().map(|(index, section)| {
            let known = sets.iter().find(|known| *known.config == *section);
            known.map_or_else(|| self.set(index, section), |known| Ok(known.clone()))
        });
        let prepared = prepared.collect::<Result<Vec<Set>>>()?;
        *sets = prepared;
        Ok(())
    }

    fn set(&self, index: usize, section: &AlertmanagerConfig) -> Result<Set> {
        let name = format!("alerting.alertmanagers[{index}]");
        let about = |error: Error| Error::new(error.kind(), format!("{name}: {}", error.message())).with_source(error);
        let client = HttpClient::new(&section.http, Arc::clone(&self.around.clock)).map_err(about)?;
        let discovery = Discovery::start(&name, &section.discovery, &self.around).map_err(about)?;
        let (mut groups, changed) = (discovery.groups(), Arc::clone(&self.changed));
        let telling = tokio::spawn(async move {
            while groups.changed().await.is_ok() {
                changed.notify_one();
            }
        });
        let finding = Finding { discovery, telling: telling.abort_handle() };
        let rules = section.alert_relabel_configs.as_slice().into();
        Ok(Set { config: Arc::new(section.clone()), rules, client, finding: Arc::new(finding) })
    }

    /// Waits for news of discovery. Only one may wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Who is found now.
    pub fn found(&self) -> Found {
        let mut found = Found::default();
        for (index, set) in self.sets.lock().iter().enumerate() {
            let groups = set.finding.discovery.groups().borrow().clone();
            let mut known = BTreeSet::new();
            for placed in groups.iter().flat_map(|group| place(group, &set.config)) {
                match placed {
                    Placed::Told(url) if known.insert(url.clone()) => found.active.push(Alertmanager {
                        key: format!("{index} {url}"),
                        url,
                        rules: Arc::clone(&set.rules),
                        timeout: set.config.timeout,
                        client: set.client.clone(),
                    }),
                    Placed::Told(_) => {}
                    Placed::Dropped(url) => found.dropped.push(url),
                    Placed::Failed(why) => tracing::error!("alerting.alertmanagers[{index}]: an Alertmanager cannot be told: {why}"),
                }
            }
        }
        found
    }
}

/// What became of an Alertmanager that was found.
#[derive(Debug, PartialEq, Eq)]
enum Placed {
    Told(String),
    Dropped(String),
    Failed(String),
}

fn place<'a>(group: &'a TargetGroup, config: &'a AlertmanagerConfig) -> impl Iterator<Item = Placed> + use<'a> {
    group.targets.iter().map(move |own| {
        let mut labels = own.to_builder();
        // As in Prometheus: what the section says goes before the labels of the target, and those of the group before both.
        labels.set(SCHEME, &config.scheme);
        labels.set(PATH, &path(&config.path_prefix));
        for (name, value) in group.labels.iter().filter(|(name, _)| own.get(name).is_none()) {
            labels.set(name, value);
        }
        let before = labels.clone().build();
        if !relabel::apply_to(&config.relabel_configs, &mut labels) {
            return Placed::Dropped(url(&before));
        }
        let labels = labels.build();
        let address = labels.get(ADDRESS).unwrap_or_default();
        if address.is_empty() {
            return Placed::Failed("no address".to_owned());
        }
        if address.contains('/') {
            return Placed::Failed(format!("{address:?} is not a valid hostname"));
        }
        Placed::Told(url(&labels))
    })
}

/// The path of the API below a prefix, without empty steps and with none that leads up, as Go's `path.Join` makes it.
fn path(prefix: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in prefix.split('/').chain(API.split('/')) {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

fn url(labels: &Labels) -> String {
    let part = |name: &str| labels.get(name).unwrap_or_default();
    let mut url = format!("{}://{}", part(SCHEME), part(ADDRESS));
    if !part(PATH).starts_with('/') {
        url.push('/');
    }
    target::escape_path(&mut url, part(PATH));
    url
}

impl Alertmanager {
    /// Where alerts are posted.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The labels of an alert as this one is told of it, by the rules of its section; `None` if it is not.
    pub fn relabel<'a>(&self, labels: &'a Labels) -> Option<Cow<'a, Labels>> {
        if self.rules.is_empty() { Some(Cow::Borrowed(labels)) } else { relabel::apply(&self.rules, labels).map(Cow::Owned) }
    }

    /// Posts alerts, JSON, once.
    ///
    /// # Errors
    /// `Invalid` if they are refused for good, `Unavailable` if another try may help.
    pub async fn post(&self, json: Vec<u8>) -> Result<()> {
        let url = Url::parse(&self.url).map_err(|error| Error::invalid(format!("cannot post to {:?}: {error}", self.url)))?;
        let request = self.client.request(Method::POST, url).await?;
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).timeout(self.timeout).body(json);
        let mut response = request.send().await.map_err(|error| crate::fetch::cannot_get(&self.url, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        // Without an answer that can be read the status says enough.
        let chunk = response.chunk().await.ok().flatten().unwrap_or_default();
        let said: String = String::from_utf8_lossy(&chunk).trim().chars().take(QUOTED_MAX).collect();
        let why = format!("bad response status {status}: {said}");
        let is_for_good = status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 404 | 408 | 429);
        Err(if is_for_good { Error::invalid(why) } else { Error::unavailable(why) })
    }
}

/// Makes the client of every section once, to find certificates that cannot be read and headers that cannot be sent.
///
/// # Errors
/// `Invalid` with the path of the first client that cannot be made.
pub(crate) fn check(config: &PrometheusConfig, clock: &Arc<dyn Clock>) -> Result<()> {
    for (index, section) in config.alerting.alertmanagers.iter().enumerate() {
        let about = |error: Error| Error::new(error.kind(), format!("alerting.alertmanagers[{index}]: {error}"));
        HttpClient::new(&section.http, Arc::clone(clock)).map_err(about)?;
        for (position, discovery) in section.discovery.https.iter().enumerate() {
            let about = |error: Error| Error::new(error.kind(), format!("alerting.alertmanagers[{index}].http_sd_configs[{position}]: {error}"));
            HttpClient::new(&discovery.http, Arc::clone(clock)).map_err(about)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
