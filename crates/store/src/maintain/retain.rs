//! Retention: segments whose rows are all too old go, and the oldest ones while a signal takes more space than it may.

use signalbox_model::{Result, Signal};
use signalbox_telemetry::{names, registry};

use super::Maintainer;
use crate::format::Segment;
use crate::publish::Change;
use crate::settings::Retention;

/// Why a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its newest row is too old.
    Age,
    /// The signal takes too much space, and this is the oldest segment.
    Bytes,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Bytes => "bytes",
        }
    }
}

/// Which of the segments of one signal go, oldest first.
pub(super) fn choose(mut segments: Vec<Segment>, retention: &Retention, now_ns: i64) -> Vec<(Segment, Reason)> {
    segments.sort_by_key(|segment| (segment.range.end_ns, segment.id));
    let max_age_ns = i64::try_from(u128::from(retention.max_age_seconds) * 1_000_000_000).unwrap_or(i64::MAX);
    let oldest_ns = now_ns.saturating_sub(max_age_ns);
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut chosen = Vec::new();
    for segment in segments {
        let is_old = retention.max_age_seconds > 0 && segment.range.end_ns < oldest_ns;
        let is_too_much = retention.max_bytes > 0 && bytes > retention.max_bytes;
        let reason = match (is_old, is_too_much) {
            (true, _) => Reason::Age,
            (false, true) => Reason::Bytes,
            (false, false) => break,
        };
        bytes -= segment.bytes;
        chosen.push((segment, reason));
    }
    chosen
}

impl Maintainer {
    /// Takes out of the catalog what is kept no longer; files go when no snapshot holds them.
    ///
    /// # Errors
    /// Of the catalog; nothing is removed then.
    pub(super) async fn retain(&self) -> Result<()> {
        let all: Vec<Segment> = self.tenants.segments().iter().map(|segment| segment.record().clone()).collect();
        let mut chosen = Vec::new();
        for signal in Signal::ALL {
            let retention = match signal {
                Signal::Metrics => &self.settings.retention.metrics,
                Signal::Logs => &self.settings.retention.logs,
                Signal::Traces => &self.settings.retention.traces,
            };
            let max_age_seconds = self.settings.retention.last_age_seconds(signal);
            let retention = &Retention { max_age_seconds, ..retention.clone() };
            let of_signal = all.iter().filter(|segment| segment.table.signal() == signal).cloned().collect();
            chosen.extend(choose(of_signal, retention, self.clock.now_ns()));
        }
        if chosen.is_empty() {
            return Ok(());
        }
        let removed = chosen.iter().map(|(segment, _)| segment.clone()).collect();
        self.publisher.publish(Change { removed, ..Change::default() }).await?;
        for (segment, reason) in &chosen {
            registry().counter(names::STORE_RETAINED_SEGMENTS_TOTAL, &[("reason", reason.as_str())]).add(1);
            tracing::info!(segment = %segment.url, reason = reason.as_str(), rows = segment.rows, "retention removed segment {}", segment.url);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
