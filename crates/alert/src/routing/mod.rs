//! Alertmanager's routing tree, pure: which receivers are told of an alert, how it is grouped and when.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#route>. An alert enters at the root and goes to the deepest
//! routes that match it: a route whose children match nothing is the end itself, and the first child that matches ends the
//! search among its siblings unless it says `continue`. What a route does not say it has from its parent.

use std::collections::BTreeMap;

use signalbox_model::{Labels, Matcher};

use crate::group::GroupBy;

mod read;

pub(crate) use read::{Names, RawRoute};

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
    pub routes: Vec<Route>,
}

impl Route {
    /// The routes that an alert goes to, in order.
    pub fn find(&self, labels: &Labels) -> Vec<&Self> {
        let mut found = Vec::new();
        self.collect(labels, &mut found);
        found
    }

    fn collect<'a>(&'a self, labels: &Labels, found: &mut Vec<&'a Self>) {
        let is_matched = self.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()));
        if !is_matched {
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
    pub fn all(&self) -> Vec<&Self> {
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
