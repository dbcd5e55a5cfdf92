//! Follows the alerts of one rule from evaluation to evaluation. Pure.

use std::collections::BTreeMap;

use signalbox_model::Labels;

use super::telling::News;
use super::{Firing, RuleReport};
use crate::ask::Asker;
use crate::evaluate::with_external;
use crate::evaluation::Evaluation;
use crate::group::Notice;
use crate::limits::BACKTEST_FIRINGS_MAX;
use crate::link::generator_url;
use crate::rule_file::{Group, Rule};
use crate::state::{Alert, State};

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    pub(super) evaluations: u64,
    errors: Vec<String>,
    open: BTreeMap<Labels, Episode>,
    closed: Vec<Episode>,
    left_out: u64,
}

#[derive(Debug, Clone)]
struct Episode {
    firing: Firing,
    annotations: Labels,
}

impl Episodes {
    /// Notes why an evaluation failed, the first `errors_max` reasons.
    pub(super) fn failed(&mut self, why: &str, errors_max: usize) {
        if self.errors.len() < errors_max && !self.errors.iter().any(|known| known == why) {
            self.errors.push(why.to_owned());
        }
    }

    /// Notes what an evaluation found.
    pub(super) fn observe(&mut self, at_ms: i64, evaluation: &Evaluation) {
        let active = |alert: &Alert| alert.state != State::Inactive;
        let is_over = |labels: &Labels, episode: &Episode| match evaluation.alerts.get(labels) {
            // An alert that has to wait again is another one for whoever was told.
            Some(alert) => !active(alert) || episode.firing.fired_at_ms.is_some() && alert.fired_at_ms != episode.firing.fired_at_ms,
            None => true,
        };
        let over: Vec<Labels> = self.open.iter().filter(|(labels, episode)| is_over(labels, episode)).map(|(labels, _)| labels.clone()).collect();
        for labels in over {
            if let Some(episode) = self.open.remove(&labels) {
                self.close(Episode { firing: Firing { resolved_at_ms: Some(at_ms), ..episode.firing }, ..episode });
            }
        }
        for (labels, alert) in evaluation.alerts.iter().filter(|(_, alert)| active(alert)) {
            let begin = || Firing { labels: labels.clone(), pending_at_ms: alert.active_at_ms, fired_at_ms: None, resolved_at_ms: None, value_max: f64::NAN };
            let episode = self.open.entry(labels.clone()).or_insert_with(|| Episode { firing: begin(), annotations: Labels::empty() });
            episode.firing.fired_at_ms = alert.fired_at_ms;
            if let Some(value) = evaluation.found.get(labels) {
                // The larger one; a number wins over none.
                episode.firing.value_max = episode.firing.value_max.max(*value);
            }
            episode.annotations = alert.annotations.clone();
        }
    }

    fn close(&mut self, episode: Episode) {
        if self.closed.len() < BACKTEST_FIRINGS_MAX {
            self.closed.push(episode);
        } else {
            self.left_out += 1;
        }
    }

    /// The report of the rule with this number, without messages, and what is news to receivers.
    pub(super) fn into_report(mut self, group: &Group, rule: &Rule, asker: &Asker, number: usize) -> (RuleReport, Vec<News>) {
        for (_, episode) in std::mem::take(&mut self.open) {
            self.close(episode);
        }
        if self.left_out > 0 {
            self.errors.push(format!("{} more alerts are left out, of the list and of the messages", self.left_out));
        }
        let mut news = Vec::new();
        for Episode { firing, annotations } in &self.closed {
            let Some(fired_at_ms) = firing.fired_at_ms else { continue };
            let notice = Notice {
                is_late: false,
                labels: with_external(&firing.labels, &asker.external_labels),
                annotations: annotations.clone(),
                starts_at_ms: fired_at_ms,
                ends_at_ms: None,
                generator_url: generator_url(rule, &firing.labels, &asker.external_url),
            };
            if let Some(resolved_at_ms) = firing.resolved_at_ms {
                let notice = Notice { ends_at_ms: Some(resolved_at_ms), ..notice.clone() };
                news.push(News { at_ms: resolved_at_ms, rule: number, notice });
            }
            news.push(News { at_ms: fired_at_ms, rule: number, notice });
        }
        let mut firings: Vec<Firing> = self.closed.into_iter().map(|episode| episode.firing).collect();
        firings.sort_by(|left, right| (left.pending_at_ms, &left.labels).cmp(&(right.pending_at_ms, &right.labels)));
        let report = RuleReport {
            group: group.name.clone(),
            rule: rule.name.clone(),
            evaluations: self.evaluations,
            errors: self.errors,
            firings,
            ..RuleReport::default()
        };
        (report, news)
    }
}
