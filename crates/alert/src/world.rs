//! What all groups share: whom they ask, where they write, what they are told by the settings.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signalbox_ingest::Sink;
use signalbox_meta::{AlertBoard, Meta};
use signalbox_model::{Batch, Clock, Error, MetricBatch, Result, Tenant};
use signalbox_telemetry::{Counter, names, registry};

use crate::ask::{Answers, Asker};
use crate::pace::Pace;
use crate::progress::Progress;
use crate::relabel::Relabelling;
use crate::settings::Settings;

/// The parts of the server that alerting works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Answers the expressions.
    pub engine: Arc<dyn Answers>,
    /// Takes recorded series, `ALERTS` and `ALERTS_FOR_STATE`.
    pub sink: Arc<dyn Sink>,
    /// Keeps alert state, notification log and outbox.
    pub meta: Arc<Meta>,
    /// Where the state of rules is shown.
    pub board: AlertBoard,
    /// What our own alerts are told as when alerting starts.
    pub relabelling: Relabelling,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Everything that the evaluation of one group needs besides the group.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) parts: Parts,
    pub(crate) asker: Asker,
    pub(crate) interval_ms: i64,
    pub(crate) query_offset_ms: i64,
    pub(crate) history_ms: i64,
    pub(crate) silences_kept_ms: i64,
    pub(crate) good: Counter,
    pub(crate) bad: Counter,
    pub(crate) missed: Counter,
    pub(crate) late: Counter,
    /// How far back missed evaluations are made up.
    pub(crate) horizon_ms: i64,
    pub(crate) progress: Progress,
    /// Groups that make up for what they missed.
    pub(crate) pace: Pace,
    /// Whether the groups of the start are there: those that come later missed nothing.
    pub(crate) is_started: AtomicBool,
}

impl World {
    pub(crate) fn new(parts: Parts, settings: &Settings) -> Self {
        let evaluations = |outcome| registry().counter(names::ALERT_EVALUATIONS_TOTAL, &[("outcome", outcome)]);
        let asker = Asker {
            engine: Arc::clone(&parts.engine),
            tenant: Tenant::default(),
            external_labels: settings.external_labels(),
            external_url: settings.external_url.trim_end_matches('/').to_owned(),
            retention_ms: settings.retention_ms(),
        };
        Self {
            parts,
            asker,
            interval_ms: settings.evaluation_interval_ms(),
            query_offset_ms: settings.query_offset_ms(),
            history_ms: settings.history_ms(),
            silences_kept_ms: settings.silences_kept_ms(),
            good: evaluations("ok"),
            bad: evaluations("error"),
            missed: registry().counter(names::ALERT_EVALUATIONS_MISSED_TOTAL, &[]),
            late: registry().counter(names::ALERT_EVALUATIONS_LATE_TOTAL, &[]),
            horizon_ms: settings.catch_up_horizon_ms(),
            progress: Progress::default(),
            pace: Pace::default(),
            is_started: AtomicBool::new(false),
        }
    }

    /// Writes the rows of an evaluation durably. Rows that are refused for good are an error after the others are written.
    pub(crate) async fn write(&self, batch: MetricBatch) -> Result<()> {
        if batch.series.is_empty() {
            return Ok(());
        }
        let accepted = self.parts.sink.write(&self.asker.tenant, vec![Batch::Metrics(batch)]).await?;
        match accepted.rejected.first() {
            None => Ok(()),
            Some(rejected) => Err(Error::invalid(format!("cannot write the result: {} samples refused: {}", rejected.rows, rejected.message))),
        }
    }
}
