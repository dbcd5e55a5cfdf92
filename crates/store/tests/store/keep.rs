//! Policies that keep traces: no kept trace loses a span or a log record, and the rest is gone.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use futures::executor::block_on;
use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, SpanId, Table, Tenant, TimeRange, TraceId, schema};
use signalbox_store::catalog::CatalogState;
use signalbox_store::settings::{ARCHIVED_TRACE, Retention, RetentionSettings, TRACE_ID_LABEL, TracePolicy};
use signalbox_store::{ScanRequest, Settings, Store};
use signalbox_testkit::{SimDisk, Survival};

use crate::ledger::T0_MS;
use crate::world::{DAY_MS, HOUR_MS, World, settings};

const DAY_SECONDS: u64 = 24 * 3600;

/// A span of a test; times in milliseconds after the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Made {
    trace: u64,
    number: u64,
    at_ms: i64,
    ms: i64,
    service: &'static str,
    is_failed: bool,
    vip: Option<&'static str>,
    resource: &'static str,
}

fn made(trace: u64, number: u64, at_ms: i64) -> Made {
    Made { trace, number, at_ms, ms: 10, service: "api", is_failed: false, vip: None, resource: "{}" }
}

fn trace_id(trace: u64) -> TraceId {
    TraceId::from_slice(&(u128::from(trace) + 1).to_be_bytes()).unwrap()
}

fn spans(all: &[Made]) -> Batch {
    let mut builder = SpanBuilder::default();
    for one in all {
        builder.set_resource(one.resource, one.service);
        if let Some(vip) = one.vip {
            builder.attributes().append_string("vip", vip);
        }
        let start_ns = (T0_MS + one.at_ms) * 1_000_000;
        builder.close_row(&SpanRow {
            trace_id: trace_id(one.trace),
            span_id: SpanId::from_slice(&(one.number + 1).to_be_bytes()).unwrap(),
            parent_span_id: None,
            start_ns,
            end_ns: start_ns + one.ms * 1_000_000,
            name: "op",
            kind: 2,
            status_code: if one.is_failed { 2 } else { 0 },
            status_message: "",
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

/// Log records of traces, `None` for one without.
fn logs(all: &[(Option<u64>, i64)]) -> Batch {
    let mut builder = LogBuilder::default();
    for (trace, at_ms) in all {
        builder.set_resource("{}", "api");
        let row = LogRow { timestamp_ns: (T0_MS + at_ms) * 1_000_000, body: Some("a line"), trace_id: trace.map(trace_id), ..LogRow::default() };
        builder.close_row(&row);
    }
    Batch::Logs(builder.finish())
}

fn append(store: &Store, batch: Batch) {
    block_on(store.append(&Tenant::default(), vec![batch])).unwrap();
}

/// How many rows of each trace a table shows.
fn shown(store: &Store, table: Table) -> BTreeMap<Option<u64>, usize> {
    let mut found = BTreeMap::new();
    for part in store.snapshot(Tenant::default()).scan(table, &ScanRequest::all(TimeRange::ALL)).unwrap() {
        for rows in part.read().unwrap() {
            let rows = rows.unwrap();
            let ids = rows.column_by_name(schema::TRACE_ID).unwrap().as_fixed_size_binary();
            for row in 0..ids.len() {
                let trace = ids.is_valid(row).then(|| u128::from_be_bytes(ids.value(row).try_into().unwrap()) as u64 - 1);
                *found.entry(trace).or_default() += 1;
            }
        }
    }
    found
}

fn policy(name: &str, days: u64) -> TracePolicy {
    TracePolicy {
        name: name.to_owned(),
        keep_seconds: days * DAY_SECONDS,
        status_error: false,
        alerted: false,
        archived: false,
        service: String::new(),
        span_longer_than_ms: 0,
        attribute: String::new(),
        value: String::new(),
        trace_longer_than_ms: 0,
        percent: 100.0,
        with_logs: true,
    }
}

/// Traces two days, logs three, and what is kept for longer.
fn keeping(kept_traces: Vec<TracePolicy>) -> Settings {
    let days = |days: u64| Retention { max_age_seconds: days * DAY_SECONDS, max_bytes: 0 };
    Settings { retention: RetentionSettings { traces: days(2), logs: days(3), kept_traces, ..RetentionSettings::default() }, ..settings() }
}

fn policies() -> Vec<TracePolicy> {
    vec![
        TracePolicy { status_error: true, ..policy("errors", 6) },
        TracePolicy { trace_longer_than_ms: 5_000, with_logs: false, ..policy("slow", 5) },
        TracePolicy { service: "pay".into(), span_longer_than_ms: 500, ..policy("slow payments", 8) },
        TracePolicy { attribute: "vip".into(), value: "yes".into(), ..policy("important", 10) },
        TracePolicy { percent: 10.0, ..policy("some", 4) },
    ]
}

fn age(store: &Store, world: &World, at_ms: i64) {
    world.step(at_ms);
    block_on(store.flush()).unwrap();
    block_on(store.maintain()).unwrap();
}

#[test]
fn each_condition_keeps_what_it_says() {
    let all = [
        made(0, 0, 0),
        Made { is_failed: true, ..made(1, 0, 0) },
        made(1, 1, 1),
        made(2, 0, 0),
        made(2, 1, 4_991),
        made(3, 0, 0),
        made(3, 1, 4_990),
        Made { service: "pay", ms: 501, ..made(4, 0, 0) },
        Made { service: "pay", ms: 500, ..made(5, 0, 0) },
        Made { ms: 501, ..made(6, 0, 0) },
        Made { vip: Some("yes"), ..made(7, 0, 0) },
        Made { vip: Some("no"), resource: "{\"vip\":\"yes\"}", ..made(8, 0, 0) },
        Made { resource: "{\"vip\":\"yes\"}", ..made(9, 0, 0) },
        // One span has to meet all conditions of a policy.
        Made { service: "pay", ..made(10, 0, 0) },
        Made { ms: 501, ..made(10, 1, 0) },
    ];
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings = keeping(policies().into_iter().filter(|policy| policy.percent == 100.0).collect());
    let store = world.open().unwrap();
    append(&store, spans(&all));
    append(&store, logs(&[(Some(1), 0), (Some(2), 0), (Some(7), 0), (Some(0), 0), (None, 0), (Some(99), 0)]));
    let present = |store: &Store, table| shown(store, table).into_iter().map(|(trace, rows)| (trace.map_or(-1, u64::cast_signed), rows)).collect::<Vec<_>>();
    age(&store, &world, 2 * DAY_MS);
    assert_eq!(present(&store, Table::Spans).len(), 11, "nothing is too old");
    age(&store, &world, 2 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(present(&store, Table::Spans), [(1, 2), (2, 2), (4, 1), (7, 1), (9, 1)]);
    assert_eq!(present(&store, Table::Logs).len(), 6);
    age(&store, &world, 3 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(present(&store, Table::Logs), [(1, 1), (7, 1)], "logs of slow traces are not kept");
    age(&store, &world, 5 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(present(&store, Table::Spans), [(1, 2), (4, 1), (7, 1), (9, 1)]);
    // What is judged after a start is judged the same.
    drop(store);
    let store = world.open().unwrap();
    age(&store, &world, 5 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(present(&store, Table::Spans), [(1, 2), (4, 1), (7, 1), (9, 1)]);
    age(&store, &world, 9 * DAY_MS);
    assert_eq!((present(&store, Table::Spans), present(&store, Table::Logs)), (vec![(7, 1), (9, 1)], vec![(7, 1)]));
    age(&store, &world, 11 * DAY_MS);
    assert_eq!((present(&store, Table::Spans), present(&store, Table::Logs)), (vec![], vec![]));
}

#[test]
fn traces_of_a_service_are_kept_while_its_alert_fires() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings = keeping(vec![TracePolicy { alerted: true, ..policy("alerted", 5) }]);
    let store = world.open().unwrap();
    let minute = 60_000;
    let mut alerts = MetricBatch::default();
    for (service, state, minutes) in [("pay", "pending", 60..63), ("pay", "firing", 63..70), ("web", "pending", 60..70)] {
        let labels = Labels::from_pairs([("__name__", "ALERTS"), ("alertname", "Slow"), ("alertstate", state), ("service", service)]);
        alerts.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        for at in minutes {
            alerts.samples.push(alerts.series.len() as u32 - 1, T0_MS + at * minute, 1.0);
        }
    }
    append(&store, Batch::Metrics(alerts));
    let of = |trace, service, minutes: i64| Made { service, ..made(trace, 0, minutes * minute) };
    let all = [of(0, "pay", 50), of(1, "pay", 57), of(2, "pay", 74), of(3, "pay", 76), of(4, "web", 65), of(5, "api", 65)];
    append(&store, spans(&all));
    append(&store, spans(&[Made { number: 1, ..of(5, "pay", 66) }]));
    age(&store, &world, 3 * DAY_MS);
    assert_eq!(shown(&store, Table::Spans).into_iter().map(|(trace, spans)| (trace.unwrap(), spans)).collect::<Vec<_>>(), [(1, 1), (2, 1), (5, 2)]);
}

#[test]
fn archived_traces_are_kept() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings = keeping(vec![TracePolicy { archived: true, ..policy("archived", 5) }]);
    let store = world.open().unwrap();
    append(&store, spans(&[made(0, 0, 0), made(1, 0, 0), made(1, 1, 10), made(2, 0, 0)]));
    append(&store, logs(&[(Some(0), 0), (Some(1), 0)]));
    world.step(DAY_MS);
    let mut marks = MetricBatch::default();
    for trace in [1, 77] {
        let id = trace_id(trace).to_string();
        let labels = Labels::from_pairs([("__name__", ARCHIVED_TRACE), (TRACE_ID_LABEL, id.as_str())]);
        marks.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
        marks.samples.push(marks.series.len() as u32 - 1, T0_MS + DAY_MS, 1.0);
    }
    append(&store, Batch::Metrics(marks));
    age(&store, &world, 3 * DAY_MS + 2 * HOUR_MS);
    let present = |table| shown(&store, table).into_iter().map(|(trace, rows)| (trace.unwrap(), rows)).collect::<Vec<_>>();
    assert_eq!((present(Table::Spans), present(Table::Logs)), (vec![(1, 2)], vec![(1, 1)]));
    age(&store, &world, 6 * DAY_MS);
    assert_eq!((present(Table::Spans), present(Table::Logs)), (vec![], vec![]));
    world.settings = keeping(vec![TracePolicy { archived: true, ..policy("archived", 1_000) }]);
    let error = world.settings.check().unwrap_err();
    assert!(error.message().contains("kept_traces[0]: keep_seconds is 86400000: want at most the retention of metrics"), "{error}");
}

#[test]
fn so_many_of_a_hundred_stay() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings = keeping(vec![TracePolicy { percent: 10.0, ..policy("some", 4) }]);
    let store = world.open().unwrap();
    let all: Vec<Made> = (0..2000).flat_map(|trace| [made(trace, 0, 0), made(trace, 1, 0)]).collect();
    append(&store, spans(&all));
    age(&store, &world, 3 * DAY_MS);
    let kept = shown(&store, Table::Spans);
    assert!((150..250).contains(&kept.len()), "{}", kept.len());
    assert!(kept.values().all(|spans| *spans == 2));
}

/// A generator of numbers; the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// For how many days the policies keep a trace with these spans, and its logs; written apart from the store's own code.
fn kept_days(all: &[Made]) -> (u64, u64) {
    let (mut of_spans, mut of_logs) = (2, 3);
    if all.iter().any(|span| span.is_failed) {
        (of_spans, of_logs) = (6, 6);
    }
    let (start, end) = (all.iter().map(|span| span.at_ms).min().unwrap(), all.iter().map(|span| span.at_ms + span.ms).max().unwrap());
    if end - start > 5_000 {
        of_spans = of_spans.max(5);
    }
    for (is_met, days) in [
        (all.iter().any(|span| span.service == "pay" && span.ms > 500), 8),
        (all.iter().any(|span| span.vip.map_or(span.resource.contains("yes"), |vip| vip == "yes")), 10),
    ] {
        if is_met {
            (of_spans, of_logs) = (of_spans.max(days), of_logs.max(days));
        }
    }
    (of_spans, of_logs)
}

#[test]
fn no_kept_trace_loses_a_row_and_the_rest_is_gone() {
    // More find no more, and take half a minute each on a busy machine.
    const SEEDS: u64 = 1;
    const STEP_MS: i64 = 8 * HOUR_MS;
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut world = World::new(SimDisk::default(), CatalogState::default());
        world.settings = keeping(policies().into_iter().filter(|policy| policy.percent == 100.0).collect());
        let mut store = world.open().unwrap();
        let mut traces: BTreeMap<u64, (Vec<Made>, usize)> = BTreeMap::new();
        let mut late: Vec<Made> = Vec::new();
        for step in 0..44i64 {
            let now_ms = step * STEP_MS;
            world.step(now_ms);
            // Spans come at once, some of them a step later: then their trace lies in two segments.
            let (mut batch, mut lines) = (std::mem::take(&mut late), Vec::new());
            for _ in 0..if step < 12 { 6 } else { 0 } {
                let trace = traces.len() as u64;
                let begin_ms = now_ms - random.below(60_000).cast_signed();
                let all: Vec<Made> = (0..1 + random.below(4))
                    .map(|number| Made {
                        at_ms: begin_ms + (number * random.below(3_000)).cast_signed(),
                        ms: random.below(700).cast_signed(),
                        service: ["api", "pay", "web"][random.below(3) as usize],
                        is_failed: random.below(8) == 0,
                        vip: [None, None, None, Some("no"), Some("yes")][random.below(5) as usize].filter(|_| number == 0),
                        ..made(trace, number, 0)
                    })
                    .collect();
                for span in &all {
                    if random.below(4) == 0 { late.push(*span) } else { batch.push(*span) }
                }
                let records = random.below(3) as usize;
                lines.extend((0..records).map(|_| (Some(trace), begin_ms)));
                traces.insert(trace, (all, records));
            }
            lines.push((None, now_ms));
            if !batch.is_empty() {
                append(&store, spans(&batch));
            }
            append(&store, logs(&lines));
            if random.below(8) == 0 {
                drop(store);
                store = world.open().unwrap();
            }
            if random.below(3) > 0 {
                block_on(store.flush()).unwrap();
            }
            block_on(store.maintain()).unwrap();
            let (found_spans, found_logs) = (shown(&store, Table::Spans), shown(&store, Table::Logs));
            for (trace, (all, records)) in traces.iter().filter(|(_, (all, _))| !late.iter().any(|span| all.contains(span))) {
                let age_ms = now_ms - all.iter().map(|span| span.at_ms + span.ms).max().unwrap();
                let (of_spans, of_logs) = kept_days(all);
                let context = format!("seed {seed}, step {step}, trace {trace} of age {age_ms}: {all:?}");
                for (found, count, days) in [(&found_spans, all.len(), of_spans), (&found_logs, *records, of_logs)] {
                    let found = found.get(&Some(*trace)).copied().unwrap_or(0);
                    if age_ms <= days.cast_signed() * DAY_MS {
                        assert_eq!(found, count, "{context}");
                    } else if age_ms > (days.cast_signed() + 2) * DAY_MS {
                        assert_eq!(found, 0, "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_power_loss_leaves_all_of_a_trace_or_what_is_to_be() {
    let mut world = World::new(SimDisk::default(), CatalogState::default());
    world.settings = keeping(policies().into_iter().take(1).collect());
    let store = world.open().unwrap();
    append(&store, spans(&[made(0, 0, 0), Made { is_failed: true, ..made(1, 0, 0) }]));
    append(&store, logs(&[(Some(0), 0), (Some(1), 0)]));
    block_on(store.flush()).unwrap();
    append(&store, spans(&[made(1, 1, 100), made(2, 0, 100)]));
    block_on(store.flush()).unwrap();
    world.step(4 * DAY_MS);
    let begun = world.disk.operations();
    block_on(store.maintain()).unwrap();
    drop(store);
    let last = world.disk.operations();
    let kept = BTreeMap::from([(Some(1), 2)]);
    for operations in begun..=last {
        for survival in Survival::ALL {
            for (choice, catalog) in world.catalog.states_at(operations).into_iter().enumerate() {
                let context = format!("{operations} operations of {last}, {survival:?}, catalog {choice}");
                let mut after = World::new(world.disk.crash(operations, survival, 7), catalog);
                after.settings = world.settings.clone();
                after.step(4 * DAY_MS);
                let store = after.open().unwrap_or_else(|error| panic!("{context}: {error}"));
                let found = shown(&store, Table::Spans);
                assert_eq!(found.get(&Some(1)), Some(&2), "{context}: {found:?}");
                assert_eq!(shown(&store, Table::Logs).get(&Some(1)), Some(&1), "{context}");
                if operations % 4 > 0 {
                    continue;
                }
                block_on(store.flush()).unwrap();
                block_on(store.maintain()).unwrap();
                assert_eq!(shown(&store, Table::Spans), kept, "{context}");
                assert_eq!(shown(&store, Table::Logs), BTreeMap::from([(Some(1), 1)]), "{context}");
            }
        }
    }
}

#[test]
fn policies_that_cannot_work_are_refused() {
    let bad = [
        policy("too short", 2),
        TracePolicy { percent: 0.0, ..policy("none", 5) },
        TracePolicy { percent: f64::NAN, ..policy("none", 5) },
        TracePolicy { value: "x".into(), ..policy("value", 5) },
    ];
    for policy in bad {
        assert!(keeping(vec![policy.clone()]).check().is_err(), "{policy:?}");
    }
    assert!(keeping(policies()).check().is_ok());
    let for_ever =
        Settings { retention: RetentionSettings { traces: Retention { max_age_seconds: 0, max_bytes: 0 }, ..keeping(policies()).retention }, ..settings() };
    assert!(for_ever.check().is_err(), "what is kept for ever needs no policy");
}
