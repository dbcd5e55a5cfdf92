//! Which way an alert goes through the tree of routes, for whoever asks why somebody was told.

use std::sync::Arc;

use signalbox_model::Labels;
use signalbox_notify::message::group_key;

use crate::Alerting;
use crate::evaluate::{pairs, with_external};
use crate::group::GroupBy;
use crate::routing::{self, Route};

/// A way through the tree, from the root to the route whose receiver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The routes on it, the root first.
    pub steps: Vec<WayStep>,
    /// Who is told.
    pub receiver: String,
    /// The group that the alert is in, as notifications name it.
    pub group_key: String,
    /// Labels that make a group; `...` is all of them.
    pub group_by: Vec<String>,
    /// From the first alert of a new group to the first message, in milliseconds.
    pub wait_ms: i64,
    /// Between two messages about a group that changes, in milliseconds.
    pub interval_ms: i64,
    /// Between two messages about a group that does not, in milliseconds.
    pub repeat_ms: i64,
}

/// A route on a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayStep {
    /// What an alert must match, as Alertmanager writes it.
    pub matchers: Vec<String>,
    /// Its receiver.
    pub receiver: String,
    /// Whether siblings behind it are asked too.
    pub continues: bool,
}

impl Alerting {
    /// The ways that an alert with these labels goes, in order.
    pub async fn ways(&self, labels: &Labels) -> Vec<Way> {
        ways(&self.dispatcher().await.plan.root, labels)
    }

    /// The labels that an alert of our own rules is told with; nothing if nobody is told of it.
    pub async fn told_as(&self, labels: &Labels) -> Option<Labels> {
        self.dispatcher().await.aliases().relabelling().told(labels)
    }

    /// What makes of the labels that alerts of our own rules are shown with, which are without those of the server, the labels that they are
    /// told with; nothing if nobody is told. There is none while only labels of the server are added.
    pub async fn telling(&self) -> Option<impl Fn(&Labels) -> Option<Labels> + Send + Sync + 'static> {
        let relabelling = self.dispatcher().await.aliases().relabelling().clone();
        let external = self.settings().external_labels();
        (!relabelling.changes_nothing()).then_some(move |labels: &Labels| relabelling.told(&with_external(labels, &external)))
    }

    /// The alerts that fire and are told with these labels, by their own; the labels themselves if nothing else is known.
    pub async fn own_labels(&self, told: &Labels) -> Vec<Labels> {
        self.dispatcher().await.aliases().own(told).cloned().collect()
    }
}

fn ways(root: &Arc<Route>, labels: &Labels) -> Vec<Way> {
    root.find(labels).into_iter().map(|end| way(root, end, labels)).collect()
}

fn way(root: &Arc<Route>, end: &Arc<Route>, labels: &Labels) -> Way {
    let mut routes = Vec::new();
    descend(root, end, &mut routes);
    let step = |route: &&Arc<Route>| WayStep {
        matchers: route.matchers.iter().map(routing::text).collect(),
        receiver: route.receiver.clone(),
        continues: route.continues,
    };
    Way {
        steps: routes.iter().map(step).collect(),
        receiver: end.receiver.clone(),
        group_key: group_key(&end.key, &pairs(&end.group_by.key(labels))),
        group_by: match &end.group_by {
            GroupBy::Labels(names) => names.iter().cloned().collect(),
            GroupBy::Everything => vec!["...".to_owned()],
        },
        wait_ms: end.wait_ms,
        interval_ms: end.interval_ms,
        repeat_ms: end.repeat_ms,
    }
}

/// Finds the routes from one to another below it. The depth of the tree is bounded where it is read.
fn descend<'a>(from: &'a Arc<Route>, to: &Arc<Route>, routes: &mut Vec<&'a Arc<Route>>) -> bool {
    routes.push(from);
    if from.id == to.id || from.routes.iter().any(|route| descend(route, to, routes)) {
        return true;
    }
    routes.pop();
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alertmanager_file::AlertmanagerFile;

    #[test]
    fn a_way_has_all_routes_from_the_root() {
        let text = "
route:
  receiver: all
  group_by: [alertname]
  routes:
  - matchers: ['team=db']
    receiver: db
    continue: true
    routes:
    - {matchers: ['severity=critical'], receiver: pager, group_by: ['...'], group_wait: 1s}
  - {matchers: ['team=~\"db|web\"']}
receivers: [{name: all}, {name: db}, {name: pager}]
";
        let file = AlertmanagerFile::parse(text, std::path::Path::new("")).unwrap();
        let labels = Labels::from_pairs([("alertname", "Down"), ("team", "db"), ("severity", "critical")]);
        let found = ways(&file.route, &labels);
        let shown = |way: &Way| {
            let steps: Vec<String> = way.steps.iter().map(|step| format!("{}{:?}{}", step.receiver, step.matchers, step.continues)).collect();
            format!("{} {} {:?} {} {}", way.receiver, steps.join(">"), way.group_by, way.wait_ms, way.group_key)
        };
        assert_eq!(
            found.iter().map(shown).collect::<Vec<_>>(),
            [
                "pager all[]false>db[\"team=\\\"db\\\"\"]true>pager[\"severity=\\\"critical\\\"\"]false [\"...\"] 1000 \
                 {}/{team=\"db\"}/{severity=\"critical\"}:{alertname=\"Down\", severity=\"critical\", team=\"db\"}",
                "all all[]false>all[\"team=~\\\"db|web\\\"\"]false [\"alertname\"] 30000 {}/{team=~\"db|web\"}:{alertname=\"Down\"}",
            ]
        );
    }
}
