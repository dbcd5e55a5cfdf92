//! Head, segments and merges of metrics against a plain map.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMillisecondType};
use signalbox_model::batch::STALE_NAN_BITS;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{
    ErrorKind, Exemplar, Histogram, HistogramSample, Labels, MatchOp, Matcher, MetricBatch, SampleColumns, SeriesEntry, SeriesKey, Tenant, TimeRange, TraceId,
    schema,
};
use signalbox_testkit::SimDisk;

use super::*;
use crate::format::{FrameRange, SegmentId};
use crate::read::metrics::cache::PageCache;
use crate::read::metrics::{MetricView, Values};
use crate::rollup::Rollup;
use crate::scan::ScanRequest;
use crate::write::head::metrics::MetricHead;

/// Bits of the value, and the start.
type Samples = BTreeMap<(u32, i64), (u64, i64)>;

struct World {
    sim: SimDisk,
    disk: Arc<dyn Disk>,
    head: MetricHead,
    segments: Vec<Arc<MetricSegment>>,
    cache: Arc<PageCache>,
    next: u32,
    level: u8,
    samples: Samples,
    histograms: BTreeMap<(u32, i64), Histogram>,
    exemplars: BTreeMap<(u32, i64), Exemplar>,
}

fn labels(at: u32) -> Labels {
    let mut pairs = vec![("__name__", format!("metric_{}", at % 5)), ("host", format!("h{}", at % 4)), ("n", at.to_string())];
    if at.is_multiple_of(3) {
        pairs.push(("Zone", "a \"quoted\"\n".into()));
    }
    Labels::from_pairs(pairs)
}

impl World {
    fn new(cache_bytes: usize) -> Self {
        let sim = SimDisk::default();
        Self {
            disk: Arc::new(sim.clone()),
            sim,
            head: MetricHead::default(),
            segments: Vec::new(),
            cache: Arc::new(PageCache::new(cache_bytes)),
            next: 0,
            level: 0,
            samples: Samples::new(),
            histograms: BTreeMap::new(),
            exemplars: BTreeMap::new(),
        }
    }

    fn append(&mut self, samples: &[(u32, i64, f64, i64)], histograms: &[(u32, i64, Histogram)], exemplars: &[(u32, i64, f64)]) {
        let mut batch =
            MetricBatch { series: (0..40).map(|at| SeriesEntry::New { key: SeriesKey(at.into()), labels: labels(at) }).collect(), ..MetricBatch::default() };
        let mut columns = SampleColumns::default();
        for (at, ts, value, start) in samples {
            columns.push_started(*at, *ts, *value, *start);
            self.samples.insert((*at, *ts), (value.to_bits(), *start));
        }
        batch.samples = columns;
        for (at, ts, histogram) in histograms {
            batch.histograms.push(HistogramSample { series: *at, ts_ms: *ts, start_ms: 0, is_delta: false, histogram: histogram.clone() });
            self.histograms.insert((*at, *ts), histogram.clone());
        }
        for (at, ts, value) in exemplars {
            let trace_id = TraceId::from_slice(&[*ts as u8 + 1; 16]).filter(|_| ts % 2 == 0);
            let labels = Labels::from_pairs([("k", format!("{ts}"))]);
            let exemplar = Exemplar { series: *at, ts_ms: *ts, value: *value, trace_id, span_id: None, labels };
            batch.exemplars.push(exemplar.clone());
            self.exemplars.entry((*at, *ts)).or_insert(Exemplar { series: 0, ..exemplar });
        }
        let refs = self.head.resolve(&batch.series).unwrap();
        self.head.append(&batch, &refs).unwrap();
    }

    fn with_target<T>(&mut self, run: impl FnOnce(&mut Self, &mut Target<'_>) -> T) -> T {
        let (disk, level, mut next) = (Arc::clone(&self.disk), self.level, self.next);
        let mut record = |table: Table| {
            next += 1;
            let id = SegmentId { epoch: 1, number: next };
            Ok(Segment {
                id,
                tenant: Tenant::default(),
                table,
                level,
                url: format!("segments/{id}.parquet"),
                range: TimeRange::ALL,
                frames: vec![FrameRange { first: 1, last: 1 }],
                rows: 0,
                bytes: 0,
                body_bytes: 0,
                checksum: 0,
                created_at_ns: 0,
                replaces: Vec::new(),
            })
        };
        let result = run(self, &mut Target { disk: &disk, dir: Path::new("/data"), record: &mut record });
        self.next = next;
        result
    }

    fn open(&self, segment: &Segment) -> Arc<MetricSegment> {
        MetricSegment::open(&self.disk, Path::new("/data"), segment, &self.cache)
    }

    fn flush(&mut self) {
        let Some(sealed) = self.head.seal() else { return };
        let written = self.with_target(|_, target| write(&sealed, target)).unwrap();
        let opened: Vec<_> = written.iter().map(|segment| self.open(segment)).collect();
        self.segments.extend(opened);
        self.head.release(&sealed);
    }

    /// Merges segments `from..to` of one table, counted among those of the table.
    fn merge(&mut self, table: Table, from: usize, to: usize) {
        let places: Vec<usize> = (0..self.segments.len()).filter(|at| self.segments[*at].record().table == table).collect();
        let Some(places) = places.get(from..to.min(places.len())).filter(|places| !places.is_empty()) else { return };
        let inputs: Vec<_> = places.iter().map(|at| Arc::clone(&self.segments[*at])).collect();
        self.level = 1;
        let merged = self.with_target(|_, target| merge(&inputs, &mut Rollup::default(), target)).unwrap();
        self.level = 0;
        assert_eq!(merged.len(), 1);
        let merged = self.open(&merged[0]);
        merged.verify().unwrap();
        self.segments[places[0]] = merged;
        let mut at = 0;
        self.segments.retain(|_| {
            at += 1;
            !places[1..].contains(&(at - 1))
        });
    }

    fn view(&self) -> MetricView {
        MetricView { head: self.head.view(), segments: self.segments.clone().into() }
    }

    fn check(&self, matchers: &[Matcher], range: TimeRange, hint: &str) {
        let view = self.view();
        let inside = |ts: &i64| range.start_ms() <= *ts && *ts <= range.end_ms();
        let matching = |at: &u32| matchers.iter().all(|matcher| matcher.matches_labels(&labels(*at)));
        let found = view.select(matchers, range, usize::MAX).unwrap();
        assert!(found.windows(2).all(|pair| pair[0].labels < pair[1].labels), "{hint}: order of series");
        let mut floats: BTreeMap<Labels, Vec<(i64, u64, i64)>> = BTreeMap::new();
        let mut histograms: BTreeMap<Labels, Vec<(i64, Histogram)>> = BTreeMap::new();
        view.read(&found, range, Values::Exact, &mut |position, samples| {
            let labels = &found[position].labels;
            assert!(samples.start_ms.is_empty() || samples.start_ms.len() == samples.ts_ms.len());
            let start = |at: usize| samples.start_ms.get(at).copied().unwrap_or(0);
            let rows: Vec<_> = (0..samples.ts_ms.len()).map(|at| (samples.ts_ms[at], samples.values[at].to_bits(), start(at))).collect();
            if !rows.is_empty() {
                assert!(floats.insert(labels.clone(), rows).is_none(), "{hint}: one call a series");
            }
            let points: Vec<_> = samples.histograms.iter().map(|point| (point.ts_ms, plain(&point.histogram))).collect();
            if !points.is_empty() {
                histograms.insert(labels.clone(), points);
            }
            Ok(())
        })
        .unwrap();
        let mut want: BTreeMap<Labels, Vec<(i64, u64, i64)>> = BTreeMap::new();
        for ((at, ts), (bits, start)) in self.samples.iter().filter(|((at, ts), _)| matching(at) && inside(ts)) {
            want.entry(labels(*at)).or_default().push((*ts, *bits, *start));
        }
        assert_eq!(floats, want, "{hint}");
        let mut want: BTreeMap<Labels, Vec<(i64, Histogram)>> = BTreeMap::new();
        for ((at, ts), histogram) in self.histograms.iter().filter(|((at, ts), _)| matching(at) && inside(ts)) {
            want.entry(labels(*at)).or_default().push((*ts, plain(histogram)));
        }
        assert_eq!(histograms, want, "{hint}");
        let mut want: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for ((at, _), exemplar) in self.exemplars.iter().filter(|((at, ts), _)| matching(at) && inside(ts)) {
            want.entry(labels(*at)).or_default().push(exemplar.clone());
        }
        assert_eq!(view.exemplars(matchers, range).unwrap(), want.into_iter().collect::<Vec<_>>(), "{hint}");
        if range == TimeRange::ALL {
            let series = self.samples.keys().chain(self.histograms.keys()).map(|(at, _)| *at).filter(|at| matching(at));
            let want: std::collections::BTreeSet<Labels> = series.map(labels).collect();
            assert_eq!(found.iter().map(|handle| handle.labels.clone()).collect::<std::collections::BTreeSet<_>>(), want, "{hint}");
            let values = view.label_values("Zone", &[matchers.to_vec()], range).unwrap();
            assert_eq!(values, want.iter().filter_map(|labels| labels.get("Zone").map(str::to_owned)).collect(), "{hint}");
            let names = view.label_names(&[matchers.to_vec()], range).unwrap();
            assert_eq!(names, want.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned())).collect(), "{hint}");
        }
    }

    /// All rows of the table of samples as SQL sees them.
    fn scan_samples(&self) -> Vec<(String, i64, u64, i64)> {
        let mut found = Vec::new();
        for part in self.view().scan(Table::Samples, &ScanRequest::all(TimeRange::ALL)).unwrap() {
            let rows_of_part = part.rows;
            let mut rows_seen = 0;
            for rows in part.read().unwrap() {
                let rows = rows.unwrap();
                assert_eq!(rows.schema().fields(), schema::samples().fields());
                rows_seen += rows.num_rows() as u64;
                let labels = cast(rows.column(1), &DataType::Utf8).unwrap();
                let (times, mantissas) = (rows.column(2).as_primitive::<TimestampMillisecondType>(), rows.column(3).as_primitive::<Int64Type>());
                let (bases, divisors) = (rows.column(4).as_primitive::<Int64Type>(), rows.column(5).as_primitive::<Float64Type>());
                let (values, starts) = (rows.column(6).as_primitive::<Float64Type>(), rows.column(7).as_primitive::<TimestampMillisecondType>());
                for at in 0..rows.num_rows() {
                    let decimal = |part: &dyn Array| part.is_valid(at) == mantissas.is_valid(at);
                    assert!((mantissas.is_valid(at) || values.is_valid(at)) && decimal(bases) && decimal(divisors));
                    let whole = |part: &arrow::array::Int64Array| part.is_valid(at).then(|| part.value(at));
                    let double = |part: &arrow::array::Float64Array| part.is_valid(at).then(|| part.value(at));
                    let value = schema::metrics::value_of(whole(mantissas), whole(bases), double(divisors), double(values));
                    let start = if starts.is_valid(at) { starts.value(at) } else { 0 };
                    found.push((labels.as_string::<i32>().value(at).to_owned(), times.value(at), value.to_bits(), start));
                }
            }
            assert_eq!(rows_seen, rows_of_part);
        }
        found
    }
}

fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % below
    }
}

fn value(next: &mut impl FnMut(u64) -> u64) -> f64 {
    match next(12) {
        0 => f64::from_bits(STALE_NAN_BITS),
        1 => f64::from_bits(0x7ff8_0000_0000_0000 | next(1 << 40)),
        2 => -0.0,
        3 => f64::INFINITY,
        4 => f64::from_bits(next(u64::MAX)),
        5 | 6 => next(1 << 50) as f64,
        7 => -(next(1000) as f64) / 1000.0,
        _ => next(100_000) as f64 / 100.0,
    }
}

/// A histogram as it was given: that it grew out of the one before it is found when it is read.
fn plain(histogram: &Histogram) -> Histogram {
    let reset_hint = if histogram.reset_hint == ResetHint::NotReset { ResetHint::Unknown } else { histogram.reset_hint };
    Histogram { reset_hint, ..histogram.clone() }
}

fn histogram(next: &mut impl FnMut(u64) -> u64) -> Histogram {
    let buckets = next(5) as usize;
    Histogram {
        schema: next(9) as i32 - 4,
        zero_threshold: 0.001,
        zero_count: next(10) as f64,
        count: next(1000) as f64,
        sum: next(1000) as f64 / 7.0,
        is_integer: next(2) == 0,
        reset_hint: [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge][next(4) as usize],
        positive_spans: if buckets > 0 { vec![Span { offset: next(9) as i32 - 4, length: buckets as u32 }] } else { Vec::new() },
        positive_buckets: (0..buckets).map(|at| at as f64 + 0.5).collect(),
        ..Histogram::default()
    }
}

fn matchers(next: &mut impl FnMut(u64) -> u64) -> Vec<Matcher> {
    let all = [
        Matcher::equal("__name__", format!("metric_{}", next(6))),
        Matcher::new("host", MatchOp::Regex, "h[12]").unwrap(),
        Matcher::new("n", MatchOp::NotRegex, "1.*").unwrap(),
        Matcher::new("Zone", MatchOp::NotEqual, "").unwrap(),
        Matcher::equal("Zone", ""),
        Matcher::new("host", MatchOp::Regex, "h0|h3|x").unwrap(),
    ];
    all.into_iter().filter(|_| next(4) == 0).collect()
}

#[test]
fn head_segments_and_merges_answer_as_a_map_does() {
    for seed in 1..=10u64 {
        let mut next = random(seed);
        // A tiny cache: everything is evicted all the time.
        let mut world = World::new(if seed % 2 == 0 { 64 << 20 } else { 3000 });
        let mut clock = 0i64;
        for step in 0..40 {
            clock += 15;
            let mut samples = Vec::new();
            for at in 0..40u32 {
                if next(3) > 0 {
                    let ts = if next(10) == 0 { next(clock as u64 + 1) as i64 } else { clock };
                    samples.push((at, ts, if at % 2 == 0 { (step * 3) as f64 } else { value(&mut next) }, if at % 7 == 0 { next(2) as i64 * 5 } else { 0 }));
                }
            }
            let histograms: Vec<_> = (0..next(4)).map(|_| (next(40) as u32, next(clock as u64) as i64, histogram(&mut next))).collect();
            let exemplars: Vec<_> = (0..next(3)).map(|_| next(clock as u64) as i64).map(|ts| (ts as u32 % 40, ts, ts as f64 / 8.0)).collect();
            world.append(&samples, &histograms, &exemplars);
            if next(6) == 0 {
                world.flush();
            }
            if next(8) == 0 {
                let table = [Table::Samples, Table::Histograms, Table::Exemplars][next(3) as usize];
                let from = next(3) as usize;
                world.merge(table, from, from + 1 + next(4) as usize);
            }
            if next(5) == 0 {
                let from = next(clock as u64) as i64;
                let range = if next(2) == 0 { TimeRange::ALL } else { TimeRange::from_ms(from, from + next(300) as i64) };
                world.check(&matchers(&mut next), range, &format!("seed {seed}, step {step}"));
            }
        }
        world.flush();
        world.check(&[], TimeRange::ALL, &format!("seed {seed}, all in segments"));
        for table in [Table::Samples, Table::Histograms, Table::Exemplars] {
            world.merge(table, 0, usize::MAX);
        }
        world.check(&[], TimeRange::ALL, &format!("seed {seed}, all merged"));
        let mut scanned = world.scan_samples();
        assert!(scanned.windows(2).all(|pair| {
            let key = |row: &(String, i64, u64, i64)| (labels_name(&row.0), row.0.clone(), row.1);
            key(&pair[0]) < key(&pair[1])
        }));
        scanned.sort();
        let mut want: Vec<_> = world.samples.iter().map(|((at, ts), (bits, start))| (labels_json(&labels(*at)), *ts, *bits, *start)).collect();
        want.sort();
        assert_eq!(scanned, want, "seed {seed}");
    }
}

fn labels_name(json: &str) -> String {
    serde_json::from_str::<BTreeMap<String, String>>(json).unwrap().remove("__name__").unwrap()
}

/// A series longer than a row group and others around it, so that series cross pages and row groups.
#[test]
fn presence_shows_times_and_markers_and_decodes_only_where_markers_may_be() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let mut world = World::new(1 << 20);
    world.append(&[(1, 10, 1.5, 0), (1, 20, 2.5, 0), (2, 10, 7.0, 0)], &[], &[]);
    world.flush();
    world.append(&[(1, 30, 3.5, 0), (1, 40, stale, 0)], &[], &[]);
    world.flush();
    world.append(&[(1, 50, 4.5, 0)], &[], &[]);
    let view = world.view();
    let series = view.select(&[], TimeRange::ALL, 10).unwrap();
    let read = |wanted: Values| {
        let mut found = BTreeMap::new();
        let mut visit = |position: usize, samples: crate::snapshot::SeriesSamples<'_>| {
            let values: Vec<u64> = samples.values.iter().map(|value| value.to_bits()).collect();
            found.insert(series[position].labels.get("n").unwrap_or_default().to_owned(), (samples.ts_ms.to_vec(), values));
            Ok(())
        };
        view.read(&series, TimeRange::ALL, wanted, &mut visit).unwrap();
        found
    };
    let want = |first: [f64; 3]| {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
        let one = (vec![10, 20, 30, 40, 50], bits(&[first[0], first[1], 3.5, stale, 4.5]));
        BTreeMap::from([("1".to_owned(), one), ("2".to_owned(), (vec![10], bits(&first[2..])))])
    };
    for _ in 0..3 {
        assert_eq!(read(Values::Presence), want([0.0; 3]), "no double, so no marker: not decoded");
        assert_eq!(read(Values::Exact), want([1.5, 2.5, 7.0]));
    }
}

#[test]
fn series_may_cross_pages_and_row_groups() {
    let mut world = World::new(64 << 20);
    let long: Vec<(u32, i64, f64, i64)> = (0..1_200_000i64).map(|at| (7, at * 10, (at % 1000) as f64 / 10.0, if at < 600_000 { 0 } else { 3 })).collect();
    world.append(&long, &[], &[]);
    let others: Vec<_> = (0..30u32).filter(|at| *at != 7).flat_map(|at| (0..3000).map(move |step| (at, step * 10, f64::from(at), 0))).collect();
    world.append(&others, &[], &[]);
    world.flush();
    for range in [TimeRange::ALL, TimeRange::from_ms(10_485_000, 10_486_000), TimeRange::from_ms(327_600, 327_700)] {
        world.check(&[], range, "crossing");
    }
    let index = world.segments[0].index().unwrap();
    assert!((0..index.len() as u32).filter(|at| index.rows(*at).unwrap().leader == *at).count() <= 2, "series scraped together share their times");
    assert_eq!(world.segments[0].opened().unwrap().rebuild_index().unwrap(), *index);
}

#[test]
fn damage_anywhere_is_noticed_or_harmless() {
    let mut world = World::new(0);
    let samples: Vec<_> = (0..40u32).flat_map(|at| (0..200).map(move |step| (at, step * 15_000, f64::from(at) * 0.1 + step as f64, 0))).collect();
    let histograms: Vec<_> = (0..20).map(|at| (at, 5, histogram(&mut random(3)))).collect();
    world.append(&samples, &histograms, &[(1, 2, 3.0)]);
    world.flush();
    let mut next = random(99);
    for segment in world.segments.clone() {
        let path = segment.record().path(Path::new("/data"));
        let good = world.sim.files()[&path].clone();
        for round in 0..60 {
            let mut bad = good.clone();
            let at = next(bad.len() as u64) as usize;
            match round % 3 {
                0 => bad.truncate(at),
                1 => bad[at] ^= 1 << next(8),
                _ => bad[at..].iter_mut().take(200).for_each(|byte| *byte = 0),
            }
            world.sim.put(&path, bad.clone());
            let reopened = world.open(segment.record());
            let view = MetricView { head: MetricHead::default().view(), segments: vec![Arc::clone(&reopened)].into() };
            let scanned = reopened.index().and_then(|_| {
                let found = view.select(&[], TimeRange::ALL, usize::MAX)?;
                let mut rows = 0;
                view.read(&found, TimeRange::ALL, Values::Exact, &mut |_, samples| {
                    rows += samples.ts_ms.len() + samples.histograms.len();
                    Ok(())
                })?;
                view.exemplars(&[], TimeRange::ALL)?;
                Ok(rows)
            });
            match scanned {
                Ok(rows) => assert!(rows as u64 == segment.record().rows || segment.record().table == Table::Exemplars, "byte {at}: {rows} rows"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    assert!(reopened.is_damaged());
                }
            }
            assert_eq!(reopened.verify().is_err(), bad != good, "byte {at}");
        }
        world.sim.put(&path, good);
    }
    world.check(&[], TimeRange::ALL, "healed");
}

/// Appends, flushes and reads at once: a reader sees everything that was appended before it took its view, once.
#[test]
fn readers_miss_nothing_while_heads_become_segments() {
    use std::sync::atomic::{AtomicI64, Ordering};
    const LAST: i64 = 600;
    let world = World::new(1 << 20);
    let (head, published, appended) = (MetricHead::default(), parking_lot::RwLock::new(Vec::new()), AtomicI64::new(-1));
    let entries: Vec<SeriesEntry> = (0..20).map(|at| SeriesEntry::New { key: SeriesKey(at.into()), labels: labels(at) }).collect();
    let flush = |number: u32| {
        let Some(sealed) = head.seal() else { return };
        let mut flushing = World { next: number * 10, disk: Arc::clone(&world.disk), ..World::new(0) };
        let written = flushing.with_target(|_, target| write(&sealed, target)).unwrap();
        let mut published = published.write();
        published.extend(written.iter().map(|segment| world.open(segment)));
        head.release(&sealed);
    };
    let read = || {
        let before = appended.load(Ordering::SeqCst);
        let view = {
            let published = published.read();
            MetricView { head: head.view(), segments: published.clone().into() }
        };
        let found = view.select(&[], TimeRange::ALL, usize::MAX).unwrap();
        assert!(before < 0 || found.len() == 20);
        let mut visited = 0;
        view.read(&found, TimeRange::ALL, Values::Exact, &mut |_, samples| {
            visited += 1;
            assert!(samples.ts_ms.iter().copied().eq(0..samples.ts_ms.len() as i64), "{:?}", samples.ts_ms);
            assert!(samples.ts_ms.len() as i64 > before, "{} of {before} samples", samples.ts_ms.len());
            Ok(())
        })
        .unwrap();
        assert_eq!(visited, found.len());
    };
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for ts in 0..=LAST {
                let mut batch = MetricBatch { series: entries.clone(), ..MetricBatch::default() };
                (0..20).for_each(|at| batch.samples.push(at, ts, ts as f64));
                let refs = head.resolve(&batch.series).unwrap();
                head.append(&batch, &refs).unwrap();
                appended.store(ts, Ordering::SeqCst);
            }
        });
        threads.spawn(|| {
            let mut number = 1;
            while appended.load(Ordering::SeqCst) < LAST {
                flush(number);
                number += 1;
            }
        });
        for _ in 0..2 {
            threads.spawn(|| {
                while appended.load(Ordering::SeqCst) < LAST {
                    read();
                }
            });
        }
    });
    flush(1_000_000);
    read();
}
