//! The labels that alerts of our own rules are told with (`alert_relabel_configs` of a `prometheus.yml`), pure.
//!
//! As with Prometheus beside Alertmanager: state, series and history of an alert have its own labels, those of the server among them;
//! routes, silences, inhibition, receivers and other Alertmanagers see what relabelling makes of them. Alerts whose labels became the
//! same are one: it began with the first of them and is over with the last. What the rules are is not known here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use signalbox_model::Labels;

use crate::expand::ALERT_NAME;
use crate::group::Notice;

/// Rules for labels: what they become, or nothing.
type Rules = dyn Fn(&Labels) -> Option<Labels> + Send + Sync;

/// What becomes of the labels of an alert before anybody is told. The default changes nothing.
#[derive(Clone, Default)]
pub struct Relabelling {
    rules: Option<Arc<Rules>>,
    /// Alerts of this name are told as they are.
    spared: Option<&'static str>,
}

impl Relabelling {
    /// By these rules, which answer nothing for an alert that nobody is told of.
    pub fn new(rules: impl Fn(&Labels) -> Option<Labels> + Send + Sync + 'static) -> Self {
        Self { rules: Some(Arc::new(rules)), spared: None }
    }

    /// The same, but alerts of a name stay as they are.
    pub(crate) fn sparing(self, name: Option<&'static str>) -> Self {
        Self { spared: name, ..self }
    }

    /// The labels that an alert is told with; nothing if nobody is told. An alert without labels is none.
    pub fn told(&self, labels: &Labels) -> Option<Labels> {
        match &self.rules {
            Some(rules) if self.spared.is_none_or(|spared| labels.get(ALERT_NAME) != Some(spared)) => rules(labels).filter(|told| !told.is_empty()),
            _ => Some(labels.clone()),
        }
    }

    /// Whether alerts are told with their own labels.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.rules.is_none()
    }
}

impl fmt::Debug for Relabelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relabelling").field("has_rules", &self.rules.is_some()).field("spared", &self.spared).finish()
    }
}

/// Alerts that are told with the same labels.
#[derive(Debug, Clone)]
struct Alias {
    /// When the first of them began, of those that fired without a gap.
    starts_at_ms: i64,
    /// Those that fire, by their own labels, and when each began.
    sources: BTreeMap<Labels, i64>,
}

impl Alias {
    /// The one whose annotations are told: that which began first.
    fn speaker(&self) -> Option<&Labels> {
        self.sources.iter().min_by_key(|(labels, starts_at_ms)| (**starts_at_ms, *labels)).map(|(labels, _)| labels)
    }
}

/// Our own alerts that fire, and what they are told as. Without rules nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    relabelling: Relabelling,
    /// By their own labels.
    firing: BTreeMap<Labels, Notice>,
    /// By the labels that are told.
    told: BTreeMap<Labels, Alias>,
}

impl Aliases {
    /// The rules in force.
    pub(crate) fn relabelling(&self) -> &Relabelling {
        &self.relabelling
    }

    /// The alerts that are told with these labels, by their own: those that fire, or the labels themselves.
    pub(crate) fn own<'a>(&'a self, told: &'a Labels) -> impl Iterator<Item = &'a Labels> {
        let alias = self.told.get(told);
        alias.into_iter().flat_map(|alias| alias.sources.keys()).chain(alias.is_none().then_some(told))
    }

    /// Of the alerts that are told with these labels, the one that speaks for them.
    pub(crate) fn speaker<'a>(&'a self, told: &'a Labels) -> &'a Labels {
        self.told.get(told).and_then(Alias::speaker).unwrap_or(told)
    }

    /// What is new about alerts, as it is told.
    pub(crate) fn take(&mut self, mut notices: Vec<Notice>) -> Vec<Notice> {
        if self.relabelling.changes_nothing() {
            return notices;
        }
        // What is over makes room for what begins.
        notices.sort_by_key(|notice| notice.ends_at_ms.is_none());
        let mut told = Vec::with_capacity(notices.len());
        for notice in notices {
            if notice.ends_at_ms.is_none() {
                self.firing.insert(notice.labels.clone(), notice.clone());
            } else if self.firing.get(&notice.labels).is_some_and(|known| known.starts_at_ms <= notice.starts_at_ms) {
                self.firing.remove(&notice.labels);
            }
            let Some(labels) = self.relabelling.told(&notice.labels) else { continue };
            match notice.ends_at_ms {
                None => self.fires(labels, notice, &mut told),
                Some(ends_at_ms) => told.extend(self.is_over(labels, notice, ends_at_ms)),
            }
        }
        told
    }

    fn fires(&mut self, labels: Labels, notice: Notice, told: &mut Vec<Notice>) {
        let alias = self.told.entry(labels.clone()).or_insert_with(|| Alias { starts_at_ms: notice.starts_at_ms, sources: BTreeMap::new() });
        let before = alias.sources.insert(notice.labels.clone(), notice.starts_at_ms);
        if alias.sources.len() == 1 && before.is_some_and(|before| before != notice.starts_at_ms) {
            // It fires anew, and nobody said that it was over.
            told.push(Notice { labels: labels.clone(), starts_at_ms: alias.starts_at_ms, ends_at_ms: Some(notice.starts_at_ms), ..notice.clone() });
            alias.starts_at_ms = notice.starts_at_ms;
        }
        if alias.speaker() == Some(&notice.labels) {
            told.push(Notice { labels, starts_at_ms: alias.starts_at_ms, ..notice });
        }
    }

    /// What is told of an end: nothing while others fire that are told with the same labels.
    fn is_over(&mut self, labels: Labels, notice: Notice, ends_at_ms: i64) -> Option<Notice> {
        let Some(alias) = self.told.get_mut(&labels) else { return Some(Notice { labels, ..notice }) };
        let is_known = alias.sources.get(&notice.labels) == Some(&notice.starts_at_ms);
        let others = alias.sources.len() - usize::from(alias.sources.contains_key(&notice.labels));
        if is_known {
            alias.sources.remove(&notice.labels);
        }
        match (is_known, others) {
            (true, 0) => {
                let starts_at_ms = alias.starts_at_ms;
                self.told.remove(&labels);
                Some(Notice { labels, starts_at_ms, ends_at_ms: Some(ends_at_ms), ..notice })
            }
            // The end of an earlier firing.
            (false, 0) => Some(Notice { labels, ..notice }),
            (_, _) => None,
        }
    }

    /// Puts rules in force over the alerts that fire. Returns what is told of it: what is not told any more as it was is over now.
    pub(crate) fn relabel(&mut self, relabelling: Relabelling, untouched: impl FnOnce() -> Vec<Notice>, now_ms: i64) -> Vec<Notice> {
        let mut own: Vec<Notice> = match self.relabelling.changes_nothing() {
            true => untouched(),
            false => std::mem::take(&mut self.firing).into_values().collect(),
        };
        own.sort_by_key(|notice| notice.starts_at_ms);
        let before: BTreeMap<Labels, Notice> = match self.relabelling.changes_nothing() {
            true => own.iter().map(|notice| (notice.labels.clone(), notice.clone())).collect(),
            false => {
                let spoken = |(labels, alias): (&Labels, &Alias)| {
                    let notice = own.iter().find(|notice| Some(&notice.labels) == alias.speaker())?;
                    Some((labels.clone(), Notice { labels: labels.clone(), starts_at_ms: alias.starts_at_ms, ..notice.clone() }))
                };
                self.told.iter().filter_map(spoken).collect()
            }
        };
        let mut now = Self { relabelling, ..Self::default() };
        let mut told = now.take(own);
        let mut after: BTreeMap<Labels, i64> = BTreeMap::new();
        for notice in &mut told {
            // What goes on as it was told goes on since then; without rules nothing is remembered of that.
            if let Some(alias) = now.told.get_mut(&notice.labels)
                && let Some(known) = before.get(&notice.labels)
            {
                alias.starts_at_ms = known.starts_at_ms;
                notice.starts_at_ms = known.starts_at_ms;
            }
            after.insert(notice.labels.clone(), notice.starts_at_ms);
        }
        let gone = before.into_values().filter(|known| after.get(&known.labels) != Some(&known.starts_at_ms));
        let gone: Vec<Notice> = gone.map(|known| Notice { ends_at_ms: Some(now_ms.max(known.starts_at_ms)), ..known }).collect();
        *self = now;
        gone.into_iter().chain(told).collect()
    }
}

#[cfg(test)]
mod tests;
