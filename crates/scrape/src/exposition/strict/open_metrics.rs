//! OpenMetrics: families that hold together, values that their types allow, exemplars where they belong.

use std::collections::HashSet;

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{MetricKind, Result};

use super::{Verdict, at_line, refuse};
use crate::exposition::number;
use crate::exposition::text::{Dialect, Event, Page, Sample, labels};

/// Characters of all names and values of the labels of one exemplar.
pub const EXEMPLAR_CHARS_MAX: usize = 128;

pub(super) fn check(page: &[u8]) -> Result<()> {
    let mut page = Page::new(page, Dialect::OpenMetrics);
    let mut judge = Judge::default();
    loop {
        let Some(event) = page.next_event(b"")? else { break };
        judge.event(event).map_err(|why| at_line(&page, &why))?;
    }
    judge.end_family().map_err(|why| at_line(&page, &why))
}

#[derive(Default)]
struct Judge {
    family: Family,
    /// All sample names that families so far lay claim to.
    names: HashSet<String>,
}

/// The family that the page is in.
#[derive(Default)]
struct Family {
    name: String,
    kind: Option<MetricKind>,
    has_help: bool,
    has_unit: bool,
    has_samples: bool,
    groups: HashSet<Vec<(String, String)>>,
    group: Group,
}

/// The samples of one metric at one time.
#[derive(Default)]
struct Group {
    labels: Vec<(String, String)>,
    series: Vec<(String, String)>,
    ts_ms: Option<Option<i64>>,
    last_bucket: Option<(f64, f64)>,
    has_negative_bucket: bool,
    has_last_bucket: bool,
    count: Option<f64>,
    sum: Option<f64>,
}

impl Judge {
    fn event(&mut self, event: Event<'_>) -> Verdict {
        match event {
            Event::Kind { family, kind } => {
                self.enter(family)?;
                if self.family.kind.replace(kind).is_some() {
                    return refuse("a second TYPE of the family");
                }
            }
            Event::Help { family, .. } => {
                self.enter(family)?;
                if std::mem::replace(&mut self.family.has_help, true) {
                    return refuse("a second HELP of the family");
                }
            }
            Event::Unit { family, .. } => {
                self.enter(family)?;
                if std::mem::replace(&mut self.family.has_unit, true) {
                    return refuse("a second UNIT of the family");
                }
            }
            Event::Sample(sample) => return self.sample(&sample),
        }
        if self.family.has_unit && matches!(self.family.kind, Some(MetricKind::Info | MetricKind::StateSet)) {
            return refuse("an info or a state set has no unit");
        }
        if self.family.has_samples { refuse("metadata after the samples of the family") } else { Ok(()) }
    }

    /// The family of a line is this one from now on.
    fn enter(&mut self, name: &str) -> Verdict {
        if self.family.name == name {
            return Ok(());
        }
        self.end_family()?;
        self.family = Family { name: name.to_owned(), ..Family::default() };
        Ok(())
    }

    fn end_family(&mut self) -> Verdict {
        if self.family.name.is_empty() {
            return Ok(());
        }
        self.family.end_group()?;
        for suffix in suffixes(self.family.kind()) {
            let name = format!("{}{suffix}", self.family.name);
            if let Some(twice) = self.names.replace(name) {
                return refuse(format!("the name {twice:?} belongs to two families, or to one that is in pieces"));
            }
        }
        // The name of a family is its own even where no sample has it.
        self.names.insert(self.family.name.clone());
        Ok(())
    }

    fn sample(&mut self, sample: &Sample<'_>) -> Verdict {
        let labels = labels(sample.series, Dialect::OpenMetrics, MetricKind::Unknown).map_err(|error| error.to_string())?;
        let name = labels.iter().find(|(name, _)| name == METRIC_NAME).map(|(_, value)| value.clone()).unwrap_or_default();
        let is_member = suffixes(self.family.kind()).iter().any(|suffix| name.strip_suffix(suffix) == Some(&self.family.name));
        if !is_member {
            self.enter(&name)?;
        }
        self.family.sample(&name, labels, sample)
    }
}

/// The suffixes of the samples of a type.
fn suffixes(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Counter => &["_total", "_created"],
        MetricKind::Summary => &["_count", "_sum", "_created", ""],
        MetricKind::Histogram => &["_count", "_sum", "_bucket", "_created"],
        MetricKind::GaugeHistogram => &["_gcount", "_gsum", "_bucket"],
        MetricKind::Info => &["_info"],
        MetricKind::Gauge | MetricKind::StateSet | MetricKind::Unknown => &[""],
    }
}

impl Family {
    fn kind(&self) -> MetricKind {
        self.kind.unwrap_or_default()
    }

    fn sample(&mut self, name: &str, labels: Vec<(String, String)>, sample: &Sample<'_>) -> Verdict {
        self.has_samples = true;
        let suffix = name.get(self.name.len()..).unwrap_or_default().to_owned();
        let kind = self.kind();
        let magic = magic_label(kind, &self.name, &suffix);
        let bound = magic.and_then(|magic| labels.iter().find(|(name, _)| name == magic)).map(|(_, value)| value.clone());
        if magic.is_some() && bound.is_none() {
            return refuse(format!("want a label {:?}", magic.unwrap_or_default()));
        }
        // Bounds and states make no groups of their own.
        let own = group_label(kind, &self.name);
        let mut series = labels;
        series.sort_unstable();
        let group: Vec<(String, String)> = series.iter().filter(|(name, _)| name != METRIC_NAME && Some(name.as_str()) != own).cloned().collect();
        self.enter_group(group, series, sample.ts_ms)?;
        check_value(kind, &suffix, sample.value)?;
        check_exemplar(kind, &suffix, sample)?;
        self.group.take(kind, &suffix, bound.as_deref(), sample.value)
    }

    fn enter_group(&mut self, labels: Vec<(String, String)>, series: Vec<(String, String)>, ts_ms: Option<i64>) -> Verdict {
        let is_same = self.group.ts_ms.is_some() && self.group.labels == labels;
        if !is_same {
            self.end_group()?;
            if !self.groups.insert(labels.clone()) {
                return refuse("the samples of a metric are in pieces");
            }
            self.group = Group { labels, ts_ms: Some(ts_ms), ..Group::default() };
        } else if self.group.ts_ms != Some(ts_ms) {
            match (self.group.ts_ms.flatten(), ts_ms) {
                (Some(before), Some(now)) if before > now => return refuse("timestamps of a metric go back"),
                (None, Some(_)) | (Some(_), None) => return refuse("a metric has samples with and without a timestamp"),
                _ => {}
            }
            self.end_group()?;
            self.group = Group { labels, ts_ms: Some(ts_ms), ..Group::default() };
        } else if ts_ms.is_none() && self.group.series == series {
            return refuse("a series is there twice");
        }
        self.group.series = series;
        Ok(())
    }

    fn end_group(&self) -> Verdict {
        let group = &self.group;
        let is_gauge = match self.kind() {
            MetricKind::Histogram => false,
            MetricKind::GaugeHistogram => true,
            _ => return Ok(()),
        };
        if group.ts_ms.is_none() {
            return Ok(());
        }
        let Some((_, last)) = group.last_bucket.filter(|_| group.has_last_bucket) else {
            // Only `_sum` of a metric is refused for what it says itself, below.
            return if group.last_bucket.is_some() || group.count.is_some() { refuse("a histogram has no bucket +Inf") } else { Ok(()) };
        };
        if group.count.is_some_and(|count| count != last) {
            return refuse("the count of a histogram is not that of its bucket +Inf");
        }
        if group.sum.is_some() && group.count.is_none() || is_gauge && group.sum.is_some() != group.count.is_some() {
            return refuse("a histogram has a sum without a count, or a count without a sum");
        }
        if group.has_negative_bucket && group.sum.is_some() && !is_gauge {
            return refuse("a histogram with negative buckets has no sum");
        }
        if !group.has_negative_bucket && group.sum.is_some_and(|sum| sum < 0.0) {
            return refuse("the sum is negative and no bucket is");
        }
        Ok(())
    }
}

/// The label that a sample must have.
fn magic_label<'a>(kind: MetricKind, family: &'a str, suffix: &str) -> Option<&'a str> {
    match (kind, suffix) {
        (MetricKind::Histogram | MetricKind::GaugeHistogram, "_bucket") => Some("le"),
        (MetricKind::Summary, "") => Some("quantile"),
        (MetricKind::StateSet, "") => Some(family),
        _ => None,
    }
}

/// The label that tells the series of one metric from each other.
fn group_label(kind: MetricKind, family: &str) -> Option<&str> {
    match kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram => Some("le"),
        MetricKind::Summary => Some("quantile"),
        MetricKind::StateSet => Some(family),
        _ => None,
    }
}

fn check_value(kind: MetricKind, suffix: &str, value: f64) -> Verdict {
    let may_be_negative = match (kind, suffix) {
        (MetricKind::Histogram | MetricKind::GaugeHistogram, "_sum" | "_gsum") => true,
        (MetricKind::Counter | MetricKind::Histogram | MetricKind::GaugeHistogram | MetricKind::Summary, _) => false,
        (MetricKind::Info, _) => return if value == 1.0 { Ok(()) } else { refuse("the value of an info is 1") },
        (MetricKind::StateSet, _) => return if [0.0, 1.0].contains(&value) { Ok(()) } else { refuse("the value of a state is 0 or 1") },
        _ => return Ok(()),
    };
    // Without observations, a quantile is NaN.
    let may_be_nan = kind == MetricKind::Summary && suffix.is_empty();
    if value.is_nan() && !may_be_nan || value < 0.0 && !may_be_negative {
        return refuse("what is counted is neither negative nor NaN");
    }
    Ok(())
}

fn check_exemplar(kind: MetricKind, suffix: &str, sample: &Sample<'_>) -> Verdict {
    let Some(exemplar) = &sample.exemplar else { return Ok(()) };
    if !matches!((kind, suffix), (MetricKind::Counter, "_total") | (MetricKind::Histogram | MetricKind::GaugeHistogram, "_bucket")) {
        return refuse("only the total of a counter and the buckets of a histogram have exemplars");
    }
    let chars: usize = exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if chars > EXEMPLAR_CHARS_MAX { refuse(format!("an exemplar has {chars} characters: want at most {EXEMPLAR_CHARS_MAX}")) } else { Ok(()) }
}

impl Group {
    fn take(&mut self, kind: MetricKind, suffix: &str, bound: Option<&str>, value: f64) -> Verdict {
        match (kind, suffix, bound) {
            (MetricKind::Histogram | MetricKind::GaugeHistogram, "_bucket", Some(le)) => self.bucket(le, value),
            (MetricKind::Summary, "", Some(quantile)) => {
                let is_quantile = number::parse(quantile.as_bytes()).is_some_and(|quantile| (0.0..=1.0).contains(&quantile));
                if is_quantile { Ok(()) } else { refuse("a quantile is a number from 0 to 1") }
            }
            (MetricKind::Histogram | MetricKind::GaugeHistogram, "_count" | "_gcount", _) => {
                self.count = Some(value);
                Ok(())
            }
            (MetricKind::Histogram | MetricKind::GaugeHistogram, "_sum" | "_gsum", _) => {
                self.sum = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn bucket(&mut self, le: &str, cumulative: f64) -> Verdict {
        let Some(bound) = number::parse(le.as_bytes()).filter(|bound| bound.is_finite() || le == "+Inf") else {
            return refuse("the bound of a bucket is a number or +Inf");
        };
        if self.last_bucket.is_some_and(|(before, count)| before >= bound || count > cumulative) {
            return refuse("bounds and counts of buckets go up");
        }
        self.last_bucket = Some((bound, cumulative));
        self.has_negative_bucket |= bound < 0.0;
        self.has_last_bucket |= bound == f64::INFINITY;
        Ok(())
    }
}
