//! The routing tree from YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use signalbox_lang::{matchers, promql};
use signalbox_model::{Error, MatchOp, Matcher, Result};

use super::{Route, list};
use crate::group::GroupBy;

/// Depth of the tree: a hostile file must not exhaust the stack.
const DEPTH_MAX: usize = 100;
/// The word that groups by all labels.
const ALL: &str = "...";

/// A route as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRoute {
    receiver: Option<String>,
    group_by: Option<Vec<String>>,
    #[serde(rename = "match")]
    equal: Option<BTreeMap<String, String>>,
    match_re: Option<BTreeMap<String, String>>,
    matchers: Option<Vec<String>>,
    mute_time_intervals: Option<Vec<String>>,
    active_time_intervals: Option<Vec<String>>,
    #[serde(rename = "continue")]
    continues: bool,
    group_wait: Option<String>,
    group_interval: Option<String>,
    repeat_interval: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    routes: Option<Vec<RawRoute>>,
}

/// What routes may name.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub(crate) receivers: &'a BTreeSet<String>,
    pub(crate) intervals: &'a BTreeSet<String>,
}

impl RawRoute {
    /// The tree below this root.
    ///
    /// # Errors
    /// `Invalid` in the words of Alertmanager.
    pub(crate) fn read(&self, names: &Names<'_>) -> Result<Route> {
        if self.receiver.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::invalid("root route must specify a default receiver"));
        }
        let is_given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let has_pairs = |pairs: &Option<BTreeMap<String, String>>| pairs.as_ref().is_some_and(|pairs| !pairs.is_empty());
        if has_pairs(&self.equal) || has_pairs(&self.match_re) || is_given(&self.matchers) {
            return Err(Error::invalid("root route must not have any matchers"));
        }
        if is_given(&self.mute_time_intervals) {
            return Err(Error::invalid("root route must not have any mute time intervals"));
        }
        if is_given(&self.active_time_intervals) {
            return Err(Error::invalid("root route must not have any active time intervals"));
        }
        let above = Route { id: String::new(), key: String::new(), ..Route::root(String::new()) };
        self.below(&above, "", names, 0)
    }

    /// The route below its parent.
    fn below(&self, parent: &Route, place: &str, names: &Names<'_>, depth: usize) -> Result<Route> {
        if depth > DEPTH_MAX {
            return Err(Error::invalid(format!("routes more than {DEPTH_MAX} deep")));
        }
        let matchers = self.own_matchers()?;
        let own = list(&matchers);
        let below = |parent: &str| if parent.is_empty() { own.clone() } else { format!("{parent}/{own}") };
        let receiver = self.receiver.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| parent.receiver.clone());
        if !names.receivers.contains(&receiver) {
            return Err(Error::invalid(format!("undefined receiver {receiver:?} used in route")));
        }
        let known = |list: &Option<Vec<String>>| -> Result<Vec<String>> {
            let list = list.clone().unwrap_or_default();
            match list.iter().find(|name| !names.intervals.contains(*name)) {
                Some(unknown) => Err(Error::invalid(format!("undefined time interval {unknown:?} used in route"))),
                None => Ok(list),
            }
        };
        let mut labels = parent.labels.clone();
        labels.extend(self.labels.clone().unwrap_or_default());
        let mut route = Route {
            id: format!("{}{place}", below(&parent.id)),
            key: below(&parent.key),
            receiver,
            group_by: self.group_by.as_deref().map_or(Ok(parent.group_by.clone()), group_by)?,
            wait_ms: duration("group_wait", self.group_wait.as_deref())?.unwrap_or(parent.wait_ms),
            interval_ms: positive("group_interval", self.group_interval.as_deref())?.unwrap_or(parent.interval_ms),
            repeat_ms: positive("repeat_interval", self.repeat_interval.as_deref())?.unwrap_or(parent.repeat_ms),
            mute_intervals: known(&self.mute_time_intervals)?,
            active_intervals: known(&self.active_time_intervals)?,
            labels,
            matchers,
            continues: self.continues,
            routes: Vec::new(),
        };
        for (index, child) in self.routes.iter().flatten().enumerate() {
            let child = child.below(&route, &format!("/{index}"), names, depth + 1)?;
            route.routes.push(Arc::new(child));
        }
        Ok(route)
    }

    fn own_matchers(&self) -> Result<Vec<Matcher>> {
        let mut own = Vec::new();
        for (name, value) in self.equal.iter().flatten() {
            own.push(Matcher::new(name, MatchOp::Equal, value)?);
        }
        for (name, pattern) in self.match_re.iter().flatten() {
            // Written as Alertmanager writes it: the anchors are part of what groups are called.
            own.push(Matcher::new(name, MatchOp::Regex, format!("^(?:{pattern})$"))?);
        }
        for text in self.matchers.iter().flatten() {
            own.extend(matchers::parse(text)?);
        }
        own.sort_by(|a, b| (&a.name, &a.value, a.op.as_str()).cmp(&(&b.name, &b.value, b.op.as_str())));
        Ok(own)
    }
}

fn group_by(names: &[String]) -> Result<GroupBy> {
    let mut known = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            return Err(Error::invalid("invalid label name \"\" in group_by list"));
        }
        if !known.insert(name.clone()) {
            return Err(Error::invalid(format!("duplicated label {name:?} in group_by")));
        }
    }
    match known.contains(ALL) {
        true if known.len() > 1 => Err(Error::invalid("cannot have wildcard group_by (`...`) and other other labels at the same time")),
        true => Ok(GroupBy::Everything),
        false => Ok(GroupBy::Labels(known)),
    }
}

fn duration(name: &str, text: Option<&str>) -> Result<Option<i64>> {
    let read = |text| promql::parse_duration(text).map_err(|error| Error::invalid(format!("{name}: {}", error.message())));
    text.map(read).transpose()
}

fn positive(name: &str, text: Option<&str>) -> Result<Option<i64>> {
    match duration(name, text)? {
        Some(0) => Err(Error::invalid(format!("{name} cannot be zero"))),
        other => Ok(other),
    }
}
