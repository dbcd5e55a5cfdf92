//! What Prometheus' dialect needs beside the engine: its settings made ready for use, and the notices.

use std::sync::Arc;

use regex::Regex;
use signalbox_model::{Error, Labels, Result};
use tokio::sync::Semaphore;

use super::notices::Notices;
use super::settings::Settings;

/// Settings made ready for use. One for all requests.
#[derive(Debug)]
pub struct Desk {
    pub(super) settings: Settings,
    /// Anchored; `None` lets everybody in.
    pub(super) cors_origin: Option<Regex>,
    /// Sorted by name.
    pub(super) external_labels: Labels,
    /// One permit a remote read.
    pub(super) remote_reads: Arc<Semaphore>,
    pub(crate) notices: Notices,
}

impl Desk {
    pub(crate) fn with_defaults(started_ns: i64) -> Self {
        Self::new(Settings::default(), started_ns).expect("the default settings make sense")
    }

    /// # Errors
    /// `Invalid` names the setting that makes no sense.
    pub(crate) fn new(settings: Settings, started_ns: i64) -> Result<Self> {
        let pattern = settings.cors_origin.as_str();
        let cors_origin =
            if pattern == ".*" {
                None
            } else {
                let regex = Regex::new(&format!("^(?:{pattern})$"));
                Some(regex.map_err(|error| {
                    Error::invalid(format!("cannot use api.prometheus.cors_origin {pattern:?}: want a regular expression")).with_source(error)
                })?)
            };
        for (name, least) in [("remote_read_concurrent_max", settings.remote_read_concurrent_max), ("search_results_max", settings.search_results_max)] {
            if least == 0 {
                return Err(Error::invalid(format!("cannot use api.prometheus.{name} 0: want at least 1")));
            }
        }
        let external_labels = Labels::from_pairs(settings.external_labels.iter().filter(|(_, value)| !value.is_empty()));
        let remote_reads = Arc::new(Semaphore::new(settings.remote_read_concurrent_max.min(Semaphore::MAX_PERMITS)));
        Ok(Self { settings, cors_origin, external_labels, remote_reads, notices: Notices::new(started_ns) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let refusal = |settings| Desk::new(settings, 0).unwrap_err().message().to_owned();
        let cases = [
            (Settings { cors_origin: "(".into(), ..Settings::default() }, "cannot use api.prometheus.cors_origin \"(\": want a regular expression"),
            (Settings { search_results_max: 0, ..Settings::default() }, "cannot use api.prometheus.search_results_max 0: want at least 1"),
            (Settings { remote_read_concurrent_max: 0, ..Settings::default() }, "cannot use api.prometheus.remote_read_concurrent_max 0: want at least 1"),
        ];
        for (settings, want) in cases {
            assert_eq!(refusal(settings), want);
        }
    }
}
