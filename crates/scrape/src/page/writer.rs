//! Reads a page and makes a batch of it.

use std::time::Duration;

use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::{Error, Histogram, HistogramSample, KnownSeries, Labels, MetricBatch, MetricKind, Result};

use super::cache::{Cache, Fate};
use super::exemplar;
use super::report::{How, Report};
use super::resolve::Rules;
use super::series::{NO_SLOT, Series};
use crate::exposition::classic::{self, Classic, Member, Role};
use crate::exposition::protobuf::{self, Point, Value};
use crate::exposition::text::{self, Dialect, Event, Sample};
use crate::exposition::{ExemplarText, Format};

/// A page as it came.
#[derive(Debug, Clone, Copy)]
pub struct Page<'p> {
    /// Its format.
    pub format: Format,
    /// Its bytes.
    pub bytes: &'p [u8],
}

/// When a scrape began.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since the Unix epoch: the time of samples that say none.
    pub now_ms: i64,
    /// The same on the clock that never goes back.
    pub monotonic: Duration,
}

/// What became of a page. The caller writes the batch, then says [`Cache::commit`] or [`Cache::roll_back`].
#[derive(Debug, Default)]
pub struct Outcome {
    /// The samples of the page and the staleness markers, or only these if the page failed.
    pub batch: MetricBatch,
    /// Samples on the page, as far as it was read.
    pub samples_scraped: u64,
    /// Samples that relabelling left.
    pub samples_kept: u64,
    /// Series that the scrape before did not have.
    pub series_added: u64,
    /// Samples that were left out because the page has another one of the series and the time.
    pub duplicates: u64,
    /// Whether there was a page, and it was good.
    pub had_page: bool,
    /// Why the scrape fails.
    pub error: Option<Error>,
}

/// Makes a batch of a page. `target` are the public labels of the target.
pub fn write(cache: &mut Cache, page: Page<'_>, rules: &Rules, target: &Labels, known: &dyn KnownSeries, moment: Moment) -> Outcome {
    if page.bytes.is_empty() {
        return write_nothing(cache, known, moment);
    }
    cache.begin();
    let is_fresh = cache.is_fresh(moment.monotonic);
    let mut writer = Writer {
        cache,
        rules,
        target,
        known,
        now_ms: moment.now_ms,
        is_fresh,
        outcome: Outcome::default(),
        appended: 0,
        limit: None,
        kind: MetricKind::Unknown,
        family: "",
        run: Run::default(),
        classic: None,
    };
    let read = match page.format {
        Format::Text => writer.text(page.bytes, Dialect::Prometheus),
        Format::OpenMetrics => writer.text(page.bytes, Dialect::OpenMetrics),
        Format::Protobuf => writer.protobuf(page.bytes),
    };
    let limit = writer.limit.map(Error::limit);
    let mut outcome = writer.outcome;
    outcome.error = read.err().or(limit);
    outcome.had_page = outcome.error.is_none();
    if outcome.had_page {
        outcome.batch.metadata = cache.new_metadata();
    } else {
        // What a page said before it failed is not stored, so nothing may count on it.
        cache.roll_back();
        (outcome.batch, outcome.series_added) = (MetricBatch::default(), 0);
    }
    mark_stale(cache, &mut outcome, known, moment, |_| true);
    outcome
}

/// Makes a batch of a scrape that brought no page: everything is stale.
pub fn write_nothing(cache: &mut Cache, known: &dyn KnownSeries, moment: Moment) -> Outcome {
    cache.begin();
    let mut outcome = Outcome::default();
    mark_stale(cache, &mut outcome, known, moment, |_| true);
    outcome
}

/// Makes the last batch of a target that is not scraped any more: it ends what `is_gone` says, the series of the report only
/// if nobody else writes them now.
pub fn write_end(cache: &mut Cache, known: &dyn KnownSeries, moment: Moment, is_gone: impl Fn(&Labels) -> bool, reports: Option<(&Rules, &Labels)>) -> Outcome {
    cache.begin();
    let mut outcome = Outcome::default();
    mark_stale(cache, &mut outcome, known, moment, is_gone);
    if let Some((rules, target)) = reports {
        outcome.end_reports(cache, rules, target, known, moment);
    }
    outcome
}

/// Ends the series that are live and that this scrape does not have.
fn mark_stale(cache: &mut Cache, outcome: &mut Outcome, known: &dyn KnownSeries, moment: Moment, is_gone: impl Fn(&Labels) -> bool) {
    let (scrape, had_page, is_fresh) = (cache.scrape, outcome.had_page, cache.is_fresh(moment.monotonic));
    let batch = &mut outcome.batch;
    for series in cache.series.iter_mut().filter(|series| series.is_live && !(had_page && series.seen == scrape) && is_gone(&series.labels)) {
        let slot = batch.series.len() as u32;
        batch.series.push(series.entry(known, is_fresh && series.seen >= cache.last_good));
        let stale = f64::from_bits(STALE_NAN_BITS);
        if series.is_histogram {
            let histogram = Histogram { sum: stale, ..Histogram::default() };
            batch.histograms.push(HistogramSample { series: slot, ts_ms: moment.now_ms, start_ms: 0, is_delta: false, histogram });
        } else {
            batch.samples.push(slot, moment.now_ms, stale);
        }
    }
}

impl Outcome {
    /// Adds what the scrape says about itself.
    pub fn add_report(&mut self, cache: &mut Cache, rules: &Rules, target: &Labels, known: &dyn KnownSeries, moment: Moment, report: &Report) {
        let how = How { known, ts_ms: moment.now_ms, has_extra: rules.has_extra_reports, is_fresh: cache.is_fresh(moment.monotonic) };
        cache.reports.add(&mut self.batch, target, &how, report);
    }

    /// Ends the report series.
    fn end_reports(&mut self, cache: &mut Cache, rules: &Rules, target: &Labels, known: &dyn KnownSeries, moment: Moment) {
        let how = How { known, ts_ms: moment.now_ms, has_extra: rules.has_extra_reports, is_fresh: false };
        cache.reports.end(&mut self.batch, target, &how);
    }
}

struct Writer<'a, 'p> {
    cache: &'a mut Cache,
    rules: &'a Rules,
    target: &'a Labels,
    known: &'a dyn KnownSeries,
    now_ms: i64,
    is_fresh: bool,
    outcome: Outcome,
    appended: u64,
    limit: Option<&'static str>,
    /// The family that the page is in.
    kind: MetricKind,
    family: &'p str,
    run: Run,
    classic: Option<Collected<'p>>,
}

/// Series of one metric that follow each other, which `_created` gives their start.
#[derive(Default)]
struct Run {
    group: Option<u128>,
    first_row: usize,
    start_ms: i64,
}

/// A classic histogram that is being converted.
struct Collected<'p> {
    group: u128,
    histogram: Classic,
    /// The text of one of its series.
    series: &'p [u8],
    ts_ms: Option<i64>,
    start_ms: i64,
    exemplars: Vec<ExemplarText>,
}

/// One sample on its way into the batch.
struct Emission<'e> {
    value: Value,
    ts_ms: Option<i64>,
    start_ms: i64,
    exemplars: &'e [ExemplarText],
}

impl<'p> Writer<'_, 'p> {
    fn text(&mut self, bytes: &'p [u8], dialect: Dialect) -> Result<()> {
        let mut page = text::Page::new(bytes, dialect);
        let mut before = None;
        while let Some(event) = page.next_event(self.cache.expected(before))? {
            match event {
                Event::Sample(sample) => {
                    let entry = if page.was_expected() { self.cache.expected_index(before) } else { self.text_entry(sample.series, before, dialect)? };
                    before = Some(entry);
                    self.text_sample(entry, sample, dialect)?;
                }
                Event::Kind { family, kind } => {
                    self.end_classic(dialect)?;
                    (self.kind, self.family, self.run) = (kind, family, Run::default());
                    self.cache.put_metadata(family, |known| std::mem::replace(&mut known.kind, kind) != kind);
                }
                Event::Help { family, help } => self.cache.put_metadata(family, |known| replace(&mut known.help, &help)),
                Event::Unit { family, unit } => self.cache.put_metadata(family, |known| replace(&mut known.unit, unit)),
            }
        }
        self.end_classic(dialect)
    }

    /// The entry of a text that was not expected.
    fn text_entry(&mut self, series: &[u8], before: Option<u32>, dialect: Dialect) -> Result<u32> {
        let entry = match self.cache.find(series) {
            Some(entry) => entry,
            None => {
                let exposed = text::labels(series, dialect, self.kind)?;
                let wants_members = dialect == Dialect::OpenMetrics || self.rules.wanted.convert;
                let member = if wants_members { classic::member(self.kind, self.family, &exposed) } else { None };
                let fate = if self.absorbs(member) { Fate::Unresolved } else { self.resolve(&exposed)? };
                self.cache.add(series, fate, member)
            }
        };
        self.cache.link(before, entry);
        Ok(entry)
    }

    /// Whether a series becomes part of a converted histogram and is not stored itself.
    fn absorbs(&self, member: Option<Member>) -> bool {
        let wanted = self.rules.wanted;
        wanted.convert && !wanted.classic_too && self.is_converted(member)
    }

    fn is_converted(&self, member: Option<Member>) -> bool {
        let is_part = member.is_some_and(|member| matches!(member.role, Role::Bucket(_) | Role::Sum | Role::Count));
        self.rules.wanted.convert && self.kind == MetricKind::Histogram && is_part
    }

    fn resolve(&mut self, exposed: &[(String, String)]) -> Result<Fate> {
        Ok(match self.rules.resolve(exposed, self.target)? {
            Some(labels) => Fate::Series(self.cache.series_of(labels)),
            None => Fate::Dropped,
        })
    }

    #[inline]
    fn text_sample(&mut self, entry: u32, sample: Sample<'p>, dialect: Dialect) -> Result<()> {
        let Sample { series, value, ts_ms, exemplar } = sample;
        let member = self.cache.entry(entry).member;
        let start_ms = match member {
            Some(member) => self.enter_run(member, value),
            None => {
                self.run = Run::default();
                0
            }
        };
        if self.classic.as_ref().is_some_and(|collected| member.is_none_or(|member| member.group != collected.group)) {
            self.end_classic(dialect)?;
        }
        let exemplars = exemplar.as_deref().map(std::slice::from_ref).unwrap_or_default();
        if let Some(member) = member.filter(|_| self.is_converted(member)) {
            self.collect(
                member,
                value,
                Collected { group: member.group, histogram: Classic::default(), series, ts_ms, start_ms, exemplars: exemplars.to_vec() },
            );
            if self.absorbs(Some(member)) {
                self.cache.entry(entry).seen = self.cache.scrape;
                return Ok(());
            }
        }
        if self.cache.entry(entry).fate == Fate::Unresolved {
            let exposed = text::labels(series, dialect, self.kind)?;
            self.cache.entry(entry).fate = self.resolve(&exposed)?;
        }
        self.emit(entry, Emission { value: Value::Float(value), ts_ms, start_ms, exemplars });
        Ok(())
    }

    /// Takes note of the metric that a series belongs to; the start of the metric, if it is known by now.
    fn enter_run(&mut self, member: Member, value: f64) -> i64 {
        if self.run.group != Some(member.group) {
            self.run = Run { group: Some(member.group), first_row: self.outcome.batch.samples.len(), start_ms: 0 };
        }
        if member.role != Role::Created {
            return self.run.start_ms;
        }
        let start_ms = (value * 1000.0) as i64;
        if start_ms > 0 && start_ms <= self.now_ms {
            self.run.start_ms = start_ms;
            self.classic.iter_mut().filter(|collected| collected.group == member.group).for_each(|collected| collected.start_ms = start_ms);
            let samples = &mut self.outcome.batch.samples;
            samples.start_ms.resize(samples.value.len(), 0);
            samples.start_ms.iter_mut().skip(self.run.first_row).for_each(|start| *start = start_ms);
        }
        // The moment itself has no start.
        0
    }

    fn collect(&mut self, member: Member, value: f64, first: Collected<'p>) {
        let exemplars = if self.classic.is_some() { first.exemplars.clone() } else { Vec::new() };
        let collected = self.classic.get_or_insert(first);
        collected.exemplars.extend(exemplars);
        match member.role {
            Role::Bucket(bound) => collected.histogram.set_bucket(bound, value),
            Role::Sum => collected.histogram.set_sum(value),
            Role::Count => collected.histogram.set_count(value),
            Role::Created | Role::Value => {}
        }
    }

    /// The classic histogram that was collected is complete.
    fn end_classic(&mut self, dialect: Dialect) -> Result<()> {
        let Some(Collected { group, histogram, series, ts_ms, start_ms, mut exemplars }) = self.classic.take() else { return Ok(()) };
        // One that contradicts itself is left out.
        let Some(histogram) = histogram.finish(false) else { return Ok(()) };
        // 0xff is in no text of a series.
        let mut text = [0xff; 17];
        text[1..].copy_from_slice(&group.to_le_bytes());
        let entry = match self.cache.find(&text) {
            Some(entry) => entry,
            None => {
                let mut exposed = text::labels(series, dialect, self.kind)?;
                exposed.retain(|(name, _)| name != "le");
                for (name, value) in &mut exposed {
                    if name == signalbox_model::labels::METRIC_NAME {
                        self.family.clone_into(value);
                    }
                }
                let fate = self.resolve(&exposed)?;
                self.cache.add(&text, fate, None)
            }
        };
        // Without a time, an exemplar of a histogram cannot be told from the same one a scrape later.
        exemplars.retain(|exemplar| exemplar.ts_ms.is_some());
        self.emit(entry, Emission { value: Value::Histogram(Box::new(histogram)), ts_ms, start_ms, exemplars: &exemplars });
        Ok(())
    }

    fn protobuf(&mut self, bytes: &'p [u8]) -> Result<()> {
        let (mut page, mut before, mut text) = (protobuf::Page::new(bytes), None, Vec::new());
        while let Some(family) = page.next_family()? {
            let mut is_empty = true;
            for metric in family.metrics() {
                let metric = metric?;
                is_empty = false;
                family.points(&metric, self.rules.wanted, &mut |point: Point<'_>| {
                    family.write_series(&metric, &point, &mut text);
                    let entry = if self.cache.expected(before) == text {
                        self.cache.expected_index(before)
                    } else {
                        let entry = match self.cache.find(&text) {
                            Some(entry) => entry,
                            None => {
                                let fate = self.resolve(&family.labels(&metric, &point)?)?;
                                self.cache.add(&text, fate, None)
                            }
                        };
                        self.cache.link(before, entry);
                        entry
                    };
                    before = Some(entry);
                    let Point { value, ts_ms, start_ms, exemplars, .. } = point;
                    let exemplars: Vec<ExemplarText> = exemplars.into_iter().map(protobuf::exemplar).collect();
                    self.emit(entry, Emission { value, ts_ms, start_ms, exemplars: &exemplars });
                    Ok(())
                })?;
            }
            if !is_empty {
                self.cache.put_metadata(family.name, |known| {
                    let is_new = std::mem::replace(&mut known.kind, family.kind) != family.kind;
                    replace(&mut known.help, family.help) | replace(&mut known.unit, family.unit) | is_new
                });
            }
        }
        Ok(())
    }

    /// A sample of an entry whose fate is known goes into the batch.
    #[inline]
    fn emit(&mut self, entry: u32, sample: Emission<'_>) {
        self.outcome.samples_scraped += 1;
        let scrape = self.cache.scrape;
        let entry = self.cache.entry(entry);
        let seen_before = std::mem::replace(&mut entry.seen, scrape);
        let Fate::Series(index) = entry.fate else { return };
        self.outcome.samples_kept += 1;
        let last_good = self.cache.last_good;
        let Some(series) = self.cache.series.get_mut(index as usize) else { return };
        let explicit = sample.ts_ms.filter(|_| self.rules.honor_timestamps);
        let ts_ms = explicit.unwrap_or(self.now_ms);
        let is_first = series.seen != scrape;
        if !is_first && (explicit.is_none() || series.last.is_some_and(|(last_ms, _)| last_ms == ts_ms)) {
            self.outcome.duplicates += 1;
            return;
        }
        self.appended += 1;
        if self.rules.limits.samples > 0 && self.appended > self.rules.limits.samples {
            self.limit = Some("sample limit exceeded");
            return;
        }
        // Later scrapes of an entry that the last good one had add no series.
        let is_added = seen_before == 0 || seen_before != last_good && seen_before != scrape;
        let is_fresh = self.is_fresh && series.seen == last_good;
        if is_first {
            (series.seen, series.slot) = (scrape, NO_SLOT);
            series.is_tracked = explicit.is_none() || self.rules.track_timestamps_staleness;
        }
        let batch = &mut self.outcome.batch;
        match sample.value {
            Value::Float(value) => {
                // No page can write a staleness marker.
                let value = if value.is_nan() { f64::NAN } else { value };
                // A timestamp of the page may stay the same for many scrapes.
                if explicit.is_none() || !series.is_last(ts_ms, value.to_bits()) {
                    let slot = slot_of(series, batch, self.known, is_fresh);
                    batch.samples.push_started(slot, ts_ms, value, sample.start_ms);
                    (series.last, series.is_histogram) = (Some((ts_ms, value.to_bits())), false);
                }
            }
            Value::Histogram(mut histogram) => {
                if !self.rules.limits.fit(&mut histogram) {
                    self.limit.get_or_insert("histogram bucket limit exceeded");
                    return;
                }
                let slot = slot_of(series, batch, self.known, is_fresh);
                batch.histograms.push(HistogramSample { series: slot, ts_ms, start_ms: sample.start_ms, is_delta: false, histogram: *histogram });
                (series.last, series.is_histogram) = (Some((ts_ms, 0)), true);
            }
        }
        self.outcome.series_added += u64::from(is_added && self.limit.is_none());
        if !sample.exemplars.is_empty() {
            let slot = slot_of(series, batch, self.known, is_fresh);
            batch.exemplars.extend(exemplar::fresh(series, slot, ts_ms, sample.exemplars));
        }
    }
}

/// Where a series is in the batch, put there if it is not.
#[inline]
fn slot_of(series: &mut Series, batch: &mut MetricBatch, known: &dyn KnownSeries, is_fresh: bool) -> u32 {
    if series.slot == NO_SLOT {
        series.slot = batch.series.len() as u32;
        batch.series.push(series.entry(known, is_fresh));
    }
    series.slot
}

/// Whether the text changed.
fn replace(known: &mut String, text: &str) -> bool {
    let is_new = known != text;
    if is_new {
        text.clone_into(known);
    }
    is_new
}
