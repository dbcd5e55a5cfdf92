//! When alerts fired, and for which services: of the series `ALERTS` that evaluations of rules leave behind.
//!
//! An alert counts from when it was pending: that is when what it is about went on. One that never fired does not count.

use std::collections::HashMap;

use signalbox_model::{MatchOp, Matcher, Result, TimeRange};

use crate::snapshot::Snapshot;

/// Labels of an alert that name a service, as metrics of spans, of services and of edges have it: the first that is there counts.
const SERVICE_LABELS: [&str; 3] = ["service", "service_name", "server"];
/// A sample says that the alert is there for so long; the look-back of PromQL.
const COVERS_MS: i64 = 5 * 60 * 1000;
/// How much earlier and later than its samples an alert is about something: rates look back.
const MARGIN_MS: i64 = 5 * 60 * 1000;
/// Alerts that are looked at most; of more only these count.
const ALERTS_MAX: usize = 100_000;

/// Nanoseconds since the Unix epoch, both ends included.
pub(super) type Window = (i64, i64);

/// Windows of time by service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Alerted(HashMap<String, Vec<Window>>);

impl Alerted {
    /// In a range of time.
    ///
    /// # Errors
    /// Of the disk.
    pub(super) fn read(snapshot: &Snapshot, range: TimeRange) -> Result<Self> {
        let matchers = [Matcher::equal("__name__", "ALERTS"), Matcher::new("alertstate", MatchOp::Regex, "pending|firing")?];
        let margin_ns = MARGIN_MS * 1_000_000;
        let range = TimeRange::from_ns(range.start_ns.saturating_sub(margin_ns), range.end_ns.saturating_add(margin_ns));
        let mut series = snapshot.select(&matchers, range, usize::MAX)?;
        series.truncate(ALERTS_MAX);
        // Pending and firing are two series of one alert.
        let mut samples: HashMap<_, Vec<(i64, bool)>> = HashMap::new();
        snapshot.read(&series, range, &mut |at, read| {
            let Some(handle) = series.get(at) else { return Ok(()) };
            let is_firing = handle.labels.get("alertstate") == Some("firing");
            let of_alert = samples.entry(handle.labels.keep(|name| name != "alertstate")).or_default();
            let values = read.ts_ms.iter().zip(read.values).filter(|(_, value)| !value.is_nan());
            of_alert.extend(values.map(|(ts_ms, _)| (*ts_ms, is_firing)));
            Ok(())
        })?;
        let mut alerted = Self::default();
        for (labels, samples) in samples {
            if let Some(service) = SERVICE_LABELS.iter().find_map(|name| labels.get(name)) {
                alerted.0.entry(service.to_owned()).or_default().extend(windows(samples));
            }
        }
        Ok(alerted)
    }

    /// The windows of a service.
    pub(super) fn of(&self, service: &str) -> &[Window] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }
}

/// Windows of the samples of one alert, of which each has one that fires.
fn windows(mut samples: Vec<(i64, bool)>) -> Vec<Window> {
    samples.sort_unstable();
    let run_of = |run: &[(i64, bool)]| {
        let (first, last) = (run.first()?.0, run.last()?.0);
        let nanoseconds = |ms: i64| ms.saturating_mul(1_000_000);
        run.iter().any(|(_, is_firing)| *is_firing).then(|| (nanoseconds(first.saturating_sub(MARGIN_MS)), nanoseconds(last.saturating_add(MARGIN_MS))))
    };
    samples.chunk_by(|before, after| after.0.saturating_sub(before.0) <= COVERS_MS).filter_map(run_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_counts_from_when_it_was_pending_if_it_fired() {
        let minute = |minute: i64| minute * 60_000;
        let samples = |all: &[(i64, bool)]| windows(all.iter().map(|(at, is_firing)| (minute(*at), *is_firing)).collect());
        let window = |first: i64, last: i64| (minute(first - 5) * 1_000_000, minute(last + 5) * 1_000_000);
        assert_eq!(samples(&[(10, false), (11, false), (12, true), (17, true)]), [window(10, 17)]);
        assert_eq!(samples(&[(10, false), (11, false), (20, true)]), [window(20, 20)]);
        assert_eq!(samples(&[(10, false)]), []);
        assert_eq!(samples(&[]), []);
    }
}
