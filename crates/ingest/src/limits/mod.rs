//! What a tenant may send. "Why was this refused?" is answered here.

mod metrics;
mod rows;

use serde::{Deserialize, Serialize};
use signalbox_model::time::NANOS_PER_MILLI;
use signalbox_model::{Rejected, TimeRange};

use crate::span_metrics::SpanMetricsSettings;

pub(crate) use metrics::{NewSeries, Verdicts, judge_metrics};
pub(crate) use rows::{admit_logs, admit_spans};

/// Limits of admission. Rows past a limit are refused with its reason and counted; the rest of a request goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Active series of one tenant. At the limit new series are refused (`series_limit`); known ones go on. A series takes
    /// about 0.5 KiB in the head: lower the limit when memory is scarce or senders are not trusted.
    pub series_max: usize,
    /// Labels of one series, the name included (`too_many_labels`).
    pub labels_max: usize,
    /// Bytes of a label's name (`label_too_long`).
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value (`label_too_long`).
    pub label_value_bytes_max: usize,
    /// Oldest row that is accepted, in seconds before its arrival (`too_old`). Rows may arrive late and out of order up to
    /// this age. Raise it to fill in history.
    pub age_seconds_max: u64,
    /// How far in the future a row may lie, in seconds (`too_far_in_future`): clocks are never quite right.
    pub future_seconds_max: u64,
    /// Bytes of the body of a log record (`body_too_long`).
    pub log_body_bytes_max: usize,
    /// Attributes of one log record, span, event or link (`too_many_attributes`).
    pub attributes_max: usize,
    /// Bytes of an attribute's value (`attribute_too_long`).
    pub attribute_value_bytes_max: usize,
    /// Series of one tenant with delta temporality whose sums are kept in memory (`delta_limit`).
    pub delta_series_max: usize,
    /// A delta series that was silent for this many seconds is forgotten; its sum then starts again, as after a restart
    /// of its source.
    pub delta_idle_seconds: u64,
    /// Bytes of decoded rows that may be in flight to the store at one time; past it writes are refused with a time to retry.
    pub in_flight_bytes_max: usize,
    /// Metrics made of spans.
    pub span_metrics: SpanMetricsSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            series_max: 10_000_000,
            labels_max: 64,
            label_name_bytes_max: 256,
            label_value_bytes_max: 2_048,
            age_seconds_max: 30 * 24 * 3600,
            future_seconds_max: 600,
            log_body_bytes_max: 256 << 10,
            attributes_max: 256,
            attribute_value_bytes_max: 256 << 10,
            delta_series_max: 200_000,
            delta_idle_seconds: 3600,
            in_flight_bytes_max: 512 << 20,
            span_metrics: SpanMetricsSettings::default(),
        }
    }
}

/// The time that rows may have, both ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    oldest_ns: i64,
    newest_ns: i64,
}

impl Window {
    pub(crate) fn new(settings: &Settings, now_ns: i64) -> Self {
        let nanoseconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        Self {
            oldest_ns: now_ns.saturating_sub(nanoseconds(settings.age_seconds_max)),
            newest_ns: now_ns.saturating_add(nanoseconds(settings.future_seconds_max)),
        }
    }

    /// The window as a range.
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange::from_ns(self.oldest_ns, self.newest_ns)
    }

    /// Why an instant is refused.
    pub(crate) fn refuses_ns(&self, instant_ns: i64) -> Option<Reason> {
        if instant_ns < self.oldest_ns {
            Some(Reason::TooOld)
        } else if instant_ns > self.newest_ns {
            Some(Reason::TooFarInFuture)
        } else {
            None
        }
    }

    /// Why an instant is refused.
    pub(crate) fn refuses_ms(&self, instant_ms: i64) -> Option<Reason> {
        self.refuses_ns(instant_ms.saturating_mul(NANOS_PER_MILLI))
    }
}

macro_rules! reasons {
    ($($variant:ident = $word:literal, $message:literal;)*) => {
        /// Why a row is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason { $($variant),* }

        impl Reason {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in counters.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),* }
            }
        }
    };
}

reasons! {
    SeriesLimit = "series_limit", "the tenant has as many active series as it may: new ones are refused";
    TooManyLabels = "too_many_labels", "a series has too many labels";
    LabelTooLong = "label_too_long", "the name or value of a label is too long";
    TooOld = "too_old", "older than the server accepts";
    TooFarInFuture = "too_far_in_future", "further in the future than the server accepts";
    BodyTooLong = "body_too_long", "the body of a log record is too long";
    TooManyAttributes = "too_many_attributes", "a row has too many attributes";
    AttributeTooLong = "attribute_too_long", "the value of an attribute is too long";
    DeltaLimit = "delta_limit", "the tenant has as many delta series as it may";
    DeltaOutOfOrder = "delta_out_of_order", "an increment is not later than the one before it";
}

/// Counts refused rows by reason.
#[derive(Debug, Default)]
pub(crate) struct Tally([u64; Reason::ALL.len()]);

impl Tally {
    pub(crate) fn add(&mut self, reason: Reason) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += 1;
        }
    }

    pub(crate) fn finish(&self) -> Vec<Rejected> {
        let counted = Reason::ALL.iter().zip(self.0).filter(|(_, rows)| *rows > 0);
        counted.map(|(reason, rows)| Rejected { rows, reason: reason.word(), message: reason.message().to_owned() }).collect()
    }
}
