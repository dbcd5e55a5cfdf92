//! Where an alert would go and who can be told, as the API asks before anything happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Error, ErrorKind, Labels, Result};
use signalbox_notify::message::group_key;
use signalbox_notify::test::{self, Outcome};

use crate::Alerting;
use crate::dispatch::Target;
use crate::evaluate::pairs;
use crate::group::{GroupBy, Notice};
use crate::routing::{self, Route};

/// How long a test of a receiver waits for answers.
const TEST_WITHIN: Duration = Duration::from_secs(20);

/// Where an alert would go.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// The routes on the way, from the root down.
    pub way: Vec<Arc<Route>>,
    /// Which child each of them is, without the root.
    pub path: Vec<usize>,
    /// Key of the group.
    pub group_key: String,
    /// Labels of the group.
    pub group_labels: Labels,
    /// Labels of the route, rendered for a group of this alert alone.
    pub route_labels: BTreeMap<String, String>,
    /// Whether a silence, another alert or a time interval mutes it now.
    pub is_muted: bool,
    /// Names of the channels.
    pub channels: Vec<String>,
}

/// A receiver with its channels: names, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverView {
    /// Its name.
    pub name: String,
    /// Labels of it.
    pub labels: BTreeMap<String, String>,
    /// Its channels.
    pub channels: Vec<(String, &'static str)>,
}

impl Alerting {
    /// The tree of routes.
    pub async fn routes(&self) -> Arc<Route> {
        Arc::clone(&self.dispatcher().await.plan.root)
    }

    /// Where an alert with these labels would go, in order.
    pub async fn test_routes(&self, labels: &Labels) -> Vec<RouteMatch> {
        let (dispatcher, now_ms) = (self.dispatcher().await, self.now_ms());
        let is_muted = dispatcher.muted(labels, now_ms).is_muted();
        let generator_url = String::new();
        let notice = Notice { labels: labels.clone(), annotations: Labels::empty(), starts_at_ms: now_ms, ends_at_ms: None, generator_url, is_late: false };
        let matched = |route: &Arc<Route>| {
            let (way, path) = way_to(&dispatcher.plan.root, route);
            let group_labels = route.group_by.key(labels);
            RouteMatch {
                group_key: group_key(&route.key, &pairs(&group_labels)),
                route_labels: dispatcher.route_labels(route, &group_labels, std::iter::once(&notice), now_ms),
                is_muted: is_muted || !dispatcher.muting.of_route(route, now_ms).is_empty(),
                channels: dispatcher.plan.targets(&route.receiver).iter().map(|target| target.channel.clone()).collect(),
                group_labels,
                way,
                path,
            }
        };
        dispatcher.plan.root.find(labels).into_iter().map(matched).collect()
    }

    /// Who can be told, by name.
    pub async fn receivers(&self) -> Vec<ReceiverView> {
        let mut receivers: BTreeMap<String, Vec<Target>> = BTreeMap::new();
        let plan = self.dispatcher().await.plan.clone();
        for (name, targets) in &plan.receivers {
            if targets.is_empty() && !name.is_empty() {
                receivers.entry(name.clone()).or_default();
            }
            for target in targets {
                receivers.entry(target.receiver.clone()).or_default().push(target.clone());
            }
        }
        let channels = self.channels().await;
        let kind_of = |name: &str| channels.iter().find(|(known, _)| known == name).map_or("", |(_, channel)| channel.kind());
        let view = |(name, targets): (String, Vec<Target>)| ReceiverView {
            labels: plan.receiver_labels.get(&name).cloned().unwrap_or_default(),
            name,
            channels: targets.into_iter().map(|target| (target.channel.clone(), kind_of(&target.channel))).collect(),
        };
        receivers.into_iter().map(view).collect()
    }

    /// Tells a receiver about a made-up alert, through all of its channels and at once.
    ///
    /// # Errors
    /// `NotFound` for a receiver that nobody knows, `Invalid` for one without channels.
    pub async fn test_receiver(&self, name: &str, labels: &BTreeMap<String, String>, annotations: &BTreeMap<String, String>) -> Result<Vec<Outcome>> {
        let known = self.receivers().await.into_iter().find(|receiver| receiver.name == name);
        let known = known.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("receiver {name:?} not found")))?;
        if known.channels.is_empty() {
            return Err(Error::invalid(format!("cannot test receiver {name:?}: it has no channels")));
        }
        let mut channels = self.channels().await;
        channels.retain(|(channel, _)| known.channels.iter().any(|(wanted, _)| wanted == channel));
        let now_ns = self.now_ms().saturating_mul(1_000_000);
        let message = test::message(name, labels, annotations, self.external_url(), now_ns);
        Ok(test::send(&channels, &message, now_ns, TEST_WITHIN).await)
    }
}

/// The routes from the root to a route of its tree, and which child each is.
fn way_to(root: &Arc<Route>, wanted: &Arc<Route>) -> (Vec<Arc<Route>>, Vec<usize>) {
    fn search(route: &Arc<Route>, wanted: &Arc<Route>, way: &mut Vec<Arc<Route>>, path: &mut Vec<usize>) -> bool {
        way.push(Arc::clone(route));
        if Arc::ptr_eq(route, wanted) {
            return true;
        }
        for (index, child) in route.routes.iter().enumerate() {
            path.push(index);
            if search(child, wanted, way, path) {
                return true;
            }
            path.pop();
        }
        way.pop();
        false
    }
    let (mut way, mut path) = (Vec::new(), Vec::new());
    search(root, wanted, &mut way, &mut path);
    (way, path)
}

/// The labels that make groups of a route, as files write them.
pub fn group_by(route: &Route) -> Vec<String> {
    match &route.group_by {
        GroupBy::Everything => vec!["...".to_owned()],
        GroupBy::Labels(names) => names.iter().cloned().collect(),
    }
}

/// The matchers of a route, as Alertmanager writes them.
pub fn matchers(route: &Route) -> Vec<String> {
    route.matchers.iter().map(routing::text).collect()
}
