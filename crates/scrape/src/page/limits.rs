//! What a page may hold. A limit that is passed fails the whole scrape, in Prometheus' words.

use signalbox_model::{Error, Histogram, Labels, Result};

use crate::config::ScrapeConfig;

/// Coarsest and finest resolution of native histograms.
const SCHEMA_MIN: i32 = -4;
const SCHEMA_MAX: i32 = 8;

/// Limits of one job; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Samples after relabelling.
    pub samples: u64,
    /// Labels of a series.
    pub labels: usize,
    /// Bytes of the name of a label.
    pub label_name_bytes: usize,
    /// Bytes of the value of a label.
    pub label_value_bytes: usize,
    /// Buckets of a native histogram.
    pub buckets: usize,
    /// Finest resolution of native histograms.
    pub schema_max: i32,
}

impl Limits {
    /// Those of a job.
    pub fn of(job: &ScrapeConfig) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            samples: job.sample_limit,
            labels: size(job.label_limit),
            label_name_bytes: size(job.label_name_length_limit),
            label_value_bytes: size(job.label_value_length_limit),
            buckets: size(job.native_histogram_bucket_limit),
            schema_max: schema_of_factor(job.native_histogram_min_bucket_factor),
        }
    }

    /// Checks the labels of a series.
    pub(super) fn check(&self, labels: &Labels) -> Result<()> {
        let name = || excerpt(labels.metric_name());
        if self.labels > 0 {
            let count = labels.len();
            if count > self.labels {
                return Err(Error::limit(format!("label_limit exceeded (metric: {}, number of labels: {count}, limit: {})", name(), self.labels)));
            }
        }
        if self.label_name_bytes == 0 && self.label_value_bytes == 0 {
            return Ok(());
        }
        for (label, value) in labels {
            if self.label_name_bytes > 0 && label.len() > self.label_name_bytes {
                let (length, limit) = (label.len(), self.label_name_bytes);
                let label = excerpt(label);
                return Err(Error::limit(format!(
                    "label_name_length_limit exceeded (metric: {}, label name: {label}, length: {length}, limit: {limit})",
                    name()
                )));
            }
            if self.label_value_bytes > 0 && value.len() > self.label_value_bytes {
                let (length, limit) = (value.len(), self.label_value_bytes);
                let (label, value) = (excerpt(label), excerpt(value));
                return Err(Error::limit(format!(
                    "label_value_length_limit exceeded (metric: {}, label name: {label}, value: {value:?}, length: {length}, limit: {limit})",
                    name()
                )));
            }
        }
        Ok(())
    }

    /// Makes a histogram as coarse as it must be; `false` when it cannot be made small enough.
    pub(super) fn fit(&self, histogram: &mut Histogram) -> bool {
        let is_exponential = histogram.schema != Histogram::CUSTOM_SCHEMA;
        if is_exponential && histogram.coarsen(self.schema_max).is_err() {
            return false;
        }
        while self.buckets > 0 && histogram.positive_buckets.len() + histogram.negative_buckets.len() > self.buckets {
            if !is_exponential || histogram.schema <= SCHEMA_MIN || histogram.coarsen(histogram.schema - 1).is_err() {
                return false;
            }
        }
        true
    }
}

/// The first fifty characters.
fn excerpt(text: &str) -> String {
    text.chars().take(50).collect()
}

/// The finest resolution whose buckets are at least so far apart.
fn schema_of_factor(factor: f64) -> i32 {
    if factor <= 1.0 {
        return SCHEMA_MAX;
    }
    ((-factor.log2().log2()).floor() as i32).clamp(SCHEMA_MIN, SCHEMA_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_choose_resolutions() {
        for (factor, schema) in [(0.0, 8), (1.0, 8), (1.002, 8), (1.01, 6), (1.1, 2), (2.0, 0), (4.0, -1), (65536.0, -4), (1e300, -4)] {
            assert_eq!(schema_of_factor(factor), schema, "{factor}");
        }
    }
}
