//! Alertmanager's routing tree, pure: which receivers are told of an alert, how it is grouped and when.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#route>. An alert enters at the root and goes to the deepest
//! routes that match it: a route whose children match nothing is the end itself, and the first child that matches ends the
//! search among its siblings unless it says `continue`. What a route does not say it has from its parent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_model::{Labels, Matcher};

use crate::group::GroupBy;
use crate::inhibit::is_matched;

mod read;

pub(crate) use read::{Names, RawRoute};

/// Alertmanager's defaults.
const WAIT_MS: i64 = 30_000;
const INTERVAL_MS: i64 = 5 * 60_000;
const REPEAT_MS: i64 = 4 * 3_600_000;

/// A route with everything that it has from its parents.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its place in the tree: unique, and the same as long as the tree is.
    pub id: String,
    /// What groups of it are called: the matchers on the way, `{}/{owner="team-A"}`, as Alertmanager spells them.
    pub key: String,
    /// Who is told.
    pub receiver: String,
    /// What makes a group.
    pub group_by: GroupBy,
    /// From the first alert of a new group to the first message, in milliseconds.
    pub wait_ms: i64,
    /// Between two messages about a group that changes, in milliseconds.
    pub interval_ms: i64,
    /// Between two messages about a group that does not, in milliseconds.
    pub repeat_ms: i64,
    /// Names of the time intervals in which nothing is told.
    pub mute_intervals: Vec<String>,
    /// Names of the time intervals outside of which nothing is told; none means always.
    pub active_intervals: Vec<String>,
    /// Labels of the route by name: templates over the group, for messages.
    pub labels: BTreeMap<String, String>,
    /// What an alert must match.
    pub matchers: Vec<Matcher>,
    /// Whether siblings behind it are asked too.
    pub continues: bool,
    /// Below it, in order.
    pub routes: Vec<Arc<Route>>,
}

impl Route {
    /// A root that everything goes to, with Alertmanager's defaults.
    pub fn root(receiver: String) -> Self {
        Self {
            id: "{}".to_owned(),
            key: "{}".to_owned(),
            receiver,
            group_by: GroupBy::Labels(BTreeSet::new()),
            wait_ms: WAIT_MS,
            interval_ms: INTERVAL_MS,
            repeat_ms: REPEAT_MS,
            mute_intervals: Vec::new(),
            active_intervals: Vec::new(),
            labels: BTreeMap::new(),
            matchers: Vec::new(),
            continues: false,
            routes: Vec::new(),
        }
    }

    /// The routes that an alert goes to, in order.
    pub fn find<'a>(self: &'a Arc<Self>, labels: &Labels) -> Vec<&'a Arc<Self>> {
        let mut found = Vec::new();
        self.collect(labels, &mut found);
        found
    }

    fn collect<'a>(self: &'a Arc<Self>, labels: &Labels, found: &mut Vec<&'a Arc<Self>>) {
        if !is_matched(&self.matchers, labels) {
            return;
        }
        let before = found.len();
        for route in &self.routes {
            let known = found.len();
            route.collect(labels, found);
            if found.len() > known && !route.continues {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
    }

    /// This route and all below it, parents first.
    pub fn all(self: &Arc<Self>) -> Vec<&Arc<Self>> {
        let mut all = vec![self];
        let mut at = 0;
        while at < all.len() {
            let route = all[at];
            all.splice(at + 1..at + 1, &route.routes);
            at += 1;
        }
        all
    }
}

/// Matchers as Alertmanager writes a list of them: sorted, in braces.
pub fn list(matchers: &[Matcher]) -> String {
    let mut sorted: Vec<&Matcher> = matchers.iter().collect();
    sorted.sort_by_key(|matcher| (&matcher.name, &matcher.value, matcher.op.as_str()));
    let texts: Vec<String> = sorted.into_iter().map(text).collect();
    format!("{{{}}}", texts.join(","))
}

/// A matcher as Alertmanager writes it: a name that is no plain label in quotes, too.
pub fn text(matcher: &Matcher) -> String {
    use signalbox_lang::text::{is_plain_label, quote};
    let name = if is_plain_label(&matcher.name) { matcher.name.clone() } else { quote(&matcher.name) };
    format!("{name}{}{}", matcher.op.as_str(), quote(&matcher.value))
}

#[cfg(test)]
mod tests;
