//! What a series of a page becomes: labels of the target, relabelling, names and limits.

use signalbox_model::labels::{LabelsBuilder, METRIC_NAME};
use signalbox_model::{Error, Labels, Result};

use super::limits::Limits;
use crate::config::{NameScheme, ScrapeConfig};
use crate::exposition::protobuf::Wanted;
use crate::relabel::{self, RelabelConfig};

/// Stands in front of a label of the page whose name the target has too.
const EXPORTED: &str = "exported_";

/// What a job does with the series of its targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Whether labels of the page win over those of the target.
    pub honor_labels: bool,
    /// Whether timestamps of the page are taken.
    pub honor_timestamps: bool,
    /// Whether series with timestamps of the page go stale when they disappear.
    pub track_timestamps_staleness: bool,
    /// Which names are valid.
    pub names: NameScheme,
    /// Rules for series.
    pub relabel: Vec<RelabelConfig>,
    /// Limits.
    pub limits: Limits,
    /// What is wanted of histograms.
    pub wanted: Wanted,
    /// Whether the further `scrape_*` series are written.
    pub has_extra_reports: bool,
}

impl Rules {
    /// Those of a job, before its targets have a say in histograms.
    pub fn of(job: &ScrapeConfig) -> Self {
        Self {
            honor_labels: job.honor_labels,
            honor_timestamps: job.honor_timestamps,
            track_timestamps_staleness: job.track_timestamps_staleness,
            names: job.names(),
            relabel: job.metric_relabel_configs.clone(),
            limits: Limits::of(job),
            wanted: Wanted {
                native: job.takes_native_histograms(),
                classic_too: job.always_takes_classic_histograms(),
                convert: job.converts_classic_histograms(),
            },
            has_extra_reports: job.writes_extra_metrics(),
        }
    }

    /// The labels under which a series is stored, `None` when relabelling drops it. `target` are the public labels of the target.
    ///
    /// # Errors
    /// `Invalid` when the series has no valid name, `Limit` when it passes a limit: both fail the scrape.
    pub(super) fn resolve(&self, exposed: &[(String, String)], target: &Labels) -> Result<Option<Labels>> {
        let mut labels = LabelsBuilder::default();
        for (name, value) in exposed {
            labels.set(name, value);
        }
        if self.honor_labels {
            // A label that the page has without a value says that the target's is not wanted.
            for (name, value) in target.iter().filter(|(name, _)| !exposed.iter().any(|(other, _)| other == name)) {
                labels.set(name, value);
            }
        } else {
            add_target(&mut labels, target);
        }
        if !relabel::apply_to(&self.relabel, &mut labels) {
            return Ok(None);
        }
        let labels = labels.build();
        if labels.is_empty() {
            return Ok(None);
        }
        if labels.get(METRIC_NAME).is_none() {
            return Err(Error::invalid("missing metric name (__name__ label)"));
        }
        let is_valid = self.names.accepts_metric(labels.metric_name()) && labels.iter().all(|(name, _)| self.names.accepts_label(name));
        if !is_valid {
            return Err(Error::invalid(format!("invalid metric name or label names: {labels}")));
        }
        self.limits.check(&labels)?;
        Ok(Some(labels))
    }
}

/// The labels of the target win; what the page says under their names is kept as `exported_…`.
fn add_target(labels: &mut LabelsBuilder, target: &Labels) {
    let mut conflicts: Vec<(&str, String)> = Vec::new();
    for (name, value) in target {
        conflicts.extend(labels.get(name).map(|exposed| (name, exposed.to_owned())));
        labels.set(name, value);
    }
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut free = format!("{EXPORTED}{name}");
        while labels.get(&free).is_some() {
            free.insert_str(0, EXPORTED);
        }
        labels.set(&free, &value);
    }
}
