//! The head: newest rows in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, Float64Array, Int32Array, Int64Array, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use parking_lot::{Mutex, RwLock};
use signalbox_model::builder::DictionaryBuilder;
use signalbox_model::{
    Batch, Error, Exemplar, KnownSeries, Labels, Matcher, MetricBatch, MetricMetadata, Result, SeriesEntry, SeriesId, SeriesKey, SeriesRef, Table, Tenant,
    TimeRange, schema,
};

use crate::scan::{Batches, ScanPart, ScanRequest};
use crate::snapshot::{HistogramPoint, SeriesHandle, SeriesSamples, Snapshot};

#[derive(Debug, Default)]
pub(crate) struct Head {
    tenants: Mutex<HashMap<Tenant, Arc<TenantHead>>>,
}

#[derive(Debug, Default)]
pub(crate) struct TenantHead {
    metrics: RwLock<Metrics>,
    logs: RwLock<Vec<RecordBatch>>,
    spans: RwLock<Vec<RecordBatch>>,
    sequence: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Metrics {
    series: Vec<Series>,
    by_id: HashMap<SeriesId, SeriesRef>,
    by_key: HashMap<SeriesKey, SeriesRef>,
    metadata: BTreeMap<String, MetricMetadata>,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    samples: BTreeMap<i64, (f64, i64)>,
    histograms: BTreeMap<i64, HistogramPoint>,
    exemplars: Vec<Exemplar>,
}

impl Head {
    fn tenant(&self, tenant: &Tenant) -> Arc<TenantHead> {
        Arc::clone(self.tenants.lock().entry(tenant.clone()).or_default())
    }

    pub(crate) fn append(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<()> {
        let head = self.tenant(tenant);
        for batch in batches {
            match batch {
                Batch::Metrics(batch) => head.metrics.write().append(batch)?,
                Batch::Logs(batch) => head.logs.write().push(head.number(batch.into_rows())?),
                Batch::Traces(batch) => head.spans.write().push(head.number(batch.into_rows())?),
            }
        }
        Ok(())
    }

    pub(crate) fn known_series(&self, tenant: &Tenant) -> Arc<dyn KnownSeries> {
        self.tenant(tenant)
    }

    pub(crate) fn active_series(&self, tenant: &Tenant) -> usize {
        self.tenant(tenant).metrics.read().series.len()
    }

    pub(crate) fn snapshot(&self, tenant: &Tenant) -> Snapshot {
        Snapshot { head: self.tenant(tenant) }
    }
}

impl KnownSeries for TenantHead {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.metrics.read().by_key.get(&key).copied()
    }
}

impl Metrics {
    fn append(&mut self, batch: MetricBatch) -> Result<()> {
        let mut refs = Vec::with_capacity(batch.series.len());
        for entry in batch.series {
            refs.push(match entry {
                SeriesEntry::Known(series) => series,
                SeriesEntry::New { key, labels } => {
                    let next = SeriesRef(self.series.len() as u32);
                    let series = *self.by_id.entry(labels.series_id()).or_insert(next);
                    if series == next {
                        self.series.push(Series { labels, samples: BTreeMap::new(), histograms: BTreeMap::new(), exemplars: Vec::new() });
                    }
                    self.by_key.insert(key, series);
                    series
                }
            });
        }
        let columns = &batch.samples;
        for at in 0..columns.len() {
            let start_ms = columns.start_ms.get(at).copied().unwrap_or(0);
            self.at(&refs, columns.series[at])?.samples.insert(columns.ts_ms[at], (columns.value[at], start_ms));
        }
        for sample in batch.histograms {
            let point = HistogramPoint { ts_ms: sample.ts_ms, start_ms: sample.start_ms, histogram: Arc::new(sample.histogram) };
            self.at(&refs, sample.series)?.histograms.insert(sample.ts_ms, point);
        }
        for exemplar in batch.exemplars {
            self.at(&refs, exemplar.series)?.exemplars.push(exemplar);
        }
        self.metadata.extend(batch.metadata.into_iter().map(|metadata| (metadata.name.clone(), metadata)));
        Ok(())
    }

    fn at(&mut self, refs: &[SeriesRef], index: u32) -> Result<&mut Series> {
        let series = refs.get(index as usize).and_then(|series| self.series.get_mut(series.0 as usize));
        series.ok_or_else(|| Error::internal(format!("cannot append to series {index} of the batch: no such series")))
    }
}

impl TenantHead {
    fn number(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let mut next = self.sequence.lock();
        let first = *next;
        *next += rows.num_rows() as u64;
        let mut columns = rows.columns().to_vec();
        columns[schema::index(&rows.schema(), schema::SEQUENCE)] = Arc::new(UInt64Array::from_iter_values(first..*next));
        RecordBatch::try_new(rows.schema(), columns).map_err(|error| Error::internal("cannot number rows").with_source(error))
    }

    pub(crate) fn select(&self, matchers: &[Matcher], range: TimeRange, series_max: usize) -> Result<Vec<SeriesHandle>> {
        let metrics = self.metrics.read();
        let mut found: Vec<SeriesHandle> = Vec::new();
        for series in &metrics.series {
            let in_range = |times: &mut dyn Iterator<Item = i64>| times.next().is_some();
            let alive = in_range(&mut series.samples.range(range.start_ms()..=range.end_ms()).map(|(ts, _)| *ts))
                || in_range(&mut series.histograms.range(range.start_ms()..=range.end_ms()).map(|(ts, _)| *ts));
            if alive && matchers.iter().all(|matcher| matcher.matches_labels(&series.labels)) {
                found.push(SeriesHandle { id: series.labels.series_id(), labels: series.labels.clone() });
            }
        }
        if found.len() > series_max {
            return Err(Error::limit(format!("cannot select {} series: want at most {series_max}", found.len())));
        }
        found.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(found)
    }

    pub(crate) fn read(&self, series: &[SeriesHandle], range: TimeRange, visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>) -> Result<()> {
        let metrics = self.metrics.read();
        for (position, handle) in series.iter().enumerate() {
            let Some(series) = metrics.by_id.get(&handle.id).map(|series| &metrics.series[series.0 as usize]) else { continue };
            let samples = || series.samples.range(range.start_ms()..=range.end_ms());
            let ts_ms: Vec<i64> = samples().map(|(ts, _)| *ts).collect();
            let values: Vec<f64> = samples().map(|(_, (value, _))| *value).collect();
            let start_ms: Vec<i64> = samples().map(|(_, (_, start))| *start).collect();
            let histograms: Vec<HistogramPoint> = series.histograms.range(range.start_ms()..=range.end_ms()).map(|(_, point)| point.clone()).collect();
            if !ts_ms.is_empty() || !histograms.is_empty() {
                visit(position, SeriesSamples { ts_ms: &ts_ms, values: &values, start_ms: &start_ms, histograms: &histograms })?;
            }
        }
        Ok(())
    }

    pub(crate) fn metadata(&self) -> Vec<MetricMetadata> {
        self.metrics.read().metadata.values().cloned().collect()
    }

    pub(crate) fn exemplars(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
        let metrics = self.metrics.read();
        let mut found: Vec<(Labels, Vec<Exemplar>)> = Vec::new();
        for series in metrics.series.iter().filter(|series| matchers.iter().all(|matcher| matcher.matches_labels(&series.labels))) {
            let in_range = |exemplar: &&Exemplar| range.start_ms() <= exemplar.ts_ms && exemplar.ts_ms <= range.end_ms();
            let exemplars: Vec<Exemplar> = series.exemplars.iter().filter(in_range).cloned().collect();
            if !exemplars.is_empty() {
                found.push((series.labels.clone(), exemplars));
            }
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(found)
    }

    pub(crate) fn scan(&self, table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let batches = match table {
            Table::Logs => self.logs.read().clone(),
            Table::Spans => self.spans.read().clone(),
            Table::Samples => vec![self.metrics.read().rows(request.range)?],
            Table::Histograms | Table::Exemplars => Vec::new(),
        };
        let mut parts = Vec::new();
        for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
            let range = time_bounds(&batch);
            if !range.overlaps(&request.range) {
                continue;
            }
            let rows = batch.num_rows() as u64;
            let batch = match &request.projection {
                Some(columns) => batch.project(columns).map_err(|error| Error::internal("cannot project rows").with_source(error))?,
                None => batch,
            };
            parts.push(ScanPart::new(range, rows, move || Ok(Box::new(std::iter::once(Ok(batch))) as Batches)));
        }
        Ok(parts)
    }
}

impl Metrics {
    fn rows(&self, range: TimeRange) -> Result<RecordBatch> {
        let (mut name, mut labels) = (DictionaryBuilder::default(), DictionaryBuilder::default());
        let (mut times, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for series in &self.series {
            let (name_code, labels_code) = (name.intern(series.labels.metric_name()), labels.intern(&labels_json(&series.labels)));
            for (ts, (value, start)) in series.samples.range(range.start_ms()..=range.end_ms()) {
                name.push(name_code);
                labels.push(labels_code);
                times.push(*ts);
                values.push(*value);
                starts.push((*start != 0).then_some(*start));
            }
        }
        let rows = times.len();
        let columns: Vec<arrow::array::ArrayRef> = vec![
            name.finish(),
            labels.finish(),
            Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")),
            Arc::new(Int64Array::new_null(rows)),
            Arc::new(Int32Array::new_null(rows)),
            Arc::new(Float64Array::from(values)),
            Arc::new(TimestampMillisecondArray::from(starts).with_timezone("UTC")),
        ];
        RecordBatch::try_new(schema::samples(), columns).map_err(|error| Error::internal("cannot build rows of samples").with_source(error))
    }
}

/// Labels as the JSON object that the `labels` column of metrics holds.
pub(crate) fn labels_json(labels: &Labels) -> String {
    let mut json = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            json.push(',');
        }
        signalbox_model::attributes::write_json_string(&mut json, name);
        json.push(':');
        signalbox_model::attributes::write_json_string(&mut json, value);
    }
    json.push('}');
    json
}

fn time_bounds(batch: &RecordBatch) -> TimeRange {
    let column = batch.column(schema::index(&batch.schema(), schema::TIMESTAMP));
    if let Some(times) = column.as_any().downcast_ref::<TimestampNanosecondArray>() {
        let (min, max) = bounds(times.values());
        return TimeRange::from_ns(min, max);
    }
    let times = column.as_any().downcast_ref::<TimestampMillisecondArray>();
    let (min, max) = bounds(times.map_or(&[], |times| times.values().as_ref()));
    TimeRange::from_ms(min, max)
}

fn bounds(times: &[i64]) -> (i64, i64) {
    times.iter().fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(*time), max.max(*time)))
}
