//! Random queries: the engine against the plain evaluator, from the head, from segments and from both.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use signalbox_lang::logql::{self, Expr};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Tenant, TimeRange, TraceId};
use signalbox_query::logql::{Direction, LogRequest, MetricRequest, MetricValue};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use super::naive::{self, Answer, Passing, Plain};
use super::run::Place;

const SECOND: i64 = 1_000_000_000;
const T0: i64 = 1_700_000_000 * SECOND;
const RECORDS: usize = 240;
const QUERIES: usize = 1_200;
/// Records of a segment.
const SEGMENT: usize = 80;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

fn trace(number: usize) -> String {
    TraceId::from_slice(&(number as u128 * 0x0123_4567_89ab_cdef_1122 + 1).to_be_bytes()).unwrap().to_string()
}

fn records(dice: &mut Dice) -> Vec<Plain> {
    let mut records = Vec::new();
    for number in 0..RECORDS {
        let service = dice.roll(4);
        let (user, milliseconds) = (format!("u{}", dice.roll(12)), dice.roll(900));
        let mut record = Plain { timestamp_ns: T0 + dice.roll(700) as i64 * SECOND, ..Plain::default() };
        let name = ["cart", "shop", "pay", ""][service];
        if !name.is_empty() {
            record.resource.push(("service_name", name.to_owned()));
            record.resource.push(("k8s_pod_name", format!("{name}-{}", dice.roll(3))));
        }
        if dice.one_in(25) {
            record.resource.push(("user_id", "u3".to_owned()));
        }
        if dice.one_in(40) {
            record.resource.push(("trace_id", trace(5)));
        }
        (record.severity_number, record.level) = [(17, "error"), (9, "info"), (9, "info"), (13, "warn"), (0, "unknown")][dice.roll(5)];
        record.severity_text =
            ["ERROR", "INFO", "INFO", "WARN", ""][[17, 9, 9, 13, 0].iter().position(|own| *own == record.severity_number).unwrap()].to_owned();
        if dice.one_in(3) {
            record.trace_id = trace(dice.roll(30));
        }
        if !dice.one_in(3) {
            record.attributes.push(("user_id", user.clone()));
        }
        if !dice.one_in(3) {
            record.attributes.push(("status", ["200", "404", "500"][dice.roll(3)].to_owned()));
        }
        if dice.one_in(2) {
            record.attributes.push(("dur", ["0.25", "1.5", "2.75", "12.5"][dice.roll(4)].to_owned()));
        }
        if dice.one_in(8) {
            record.attributes.push(("trace_id", trace(dice.roll(30))));
        }
        if dice.one_in(10) {
            record.scope.push(("user_id", "u9".to_owned()));
        }
        record.line = match service {
            1 => format!(
                "{{\"user_id\":\"{user}\",\"ms\":{milliseconds},\"msg\":\"{}\",\"http\":{{\"code\":{}}}}}",
                words(dice, number),
                200 + dice.roll(3) * 100
            ),
            2 => format!("user_id={user} ms={milliseconds} msg={} path=/p{}", dice.pick(&["timeout", "done", "failed"]), dice.roll(5)),
            _ => format!("{} {milliseconds}", words(dice, number)),
        };
        records.push(record);
    }
    records
}

fn words(dice: &mut Dice, number: usize) -> String {
    match dice.roll(6) {
        0 => format!("timeout after {number} ms"),
        1 => format!("checksum mismatch in block {:08x}", number * 7_919),
        2 => format!("order ORD-{:08} shipped", number * 31),
        3 => format!("request of 10.0.{}.{} done", dice.roll(3), dice.roll(20)),
        4 => format!("Größe {number} reicht nicht"),
        _ => "ok".to_owned(),
    }
}

/// Stages before and behind a parser, with what they can name.
fn stages(dice: &mut Dice, query: &mut String, parsed: &[&str], count: usize) {
    for _ in 0..dice.roll(count) {
        let user = format!("u{}", dice.roll(13));
        let text = match dice.roll(8) {
            0 => trace(dice.roll(30)),
            1 => format!("ORD-{:04}", dice.roll(12)),
            2 => dice.roll(400).to_string(),
            _ => {
                dice.pick(&["timeout", "checksum mismatch", "time", "ms", "sum mis", "10.0.1", "Größe", "nothing of this", "\\\"ms\\\"", "done", ""]).to_owned()
            }
        };
        let regex = dice.pick(&["timeout|mismatch", "ORD-0000[0-9]+", "(?i)TIMEOUT", "after [0-9]+ ms$", "^ok", "ms.:?=?[0-9]{3}", "ch(eck|oke)sum", "."]);
        let _written = match dice.roll(9) {
            0 | 1 => write!(query, " |= \"{text}\""),
            2 => write!(query, " != \"{text}\""),
            3 => write!(query, " |~ \"{regex}\""),
            4 => write!(query, " !~ \"{regex}\""),
            5 => write!(query, " |= \"{text}\" or \"shipped\""),
            _ => {
                let condition = |dice: &mut Dice| match dice.roll(11) {
                    0 | 1 => format!("user_id{}\"{user}\"", dice.pick(&["=", "!=", "="])),
                    2 => format!("user_id=~\"{user}|u2\""),
                    3 => format!("trace_id=\"{}\"", trace(dice.roll(30))),
                    4 => format!("status{}{}", dice.pick(&[">=", "<", "=", "!="]), dice.pick(&["200", "404", "500"])),
                    5 => format!("status=\"{}\"", dice.pick(&["200", "404", "500", ""])),
                    6 => format!("dur{}{}", dice.pick(&[">", "<="]), dice.pick(&["1", "2.75"])),
                    7 => format!("detected_level{}\"{}\"", dice.pick(&["=", "!="]), dice.pick(&["error", "info", "unknown"])),
                    8 => format!("service_name{}\"{}\"", dice.pick(&["=", "!=", "=~"]), dice.pick(&["cart", "shop|pay", "unknown_service"])),
                    9 if !parsed.is_empty() => format!("{}{}\"{}\"", dice.pick(parsed), dice.pick(&["=", "!="]), dice.pick(&["200", "u3", "timeout", "77"])),
                    _ => format!("severity_text{}\"{}\"", dice.pick(&["=", "!="]), dice.pick(&["ERROR", "INFO", ""])),
                };
                match dice.roll(4) {
                    0 => write!(query, " | {} or {}", condition(dice), condition(dice)),
                    1 => write!(query, " | {} and {}", condition(dice), condition(dice)),
                    _ => write!(query, " | {}", condition(dice)),
                }
            }
        };
    }
}

/// A selector with a pipeline, and the numbers among its labels.
fn logs(dice: &mut Dice) -> (String, Vec<&'static str>) {
    let mut numbers = vec!["dur", "status"];
    let mut query = String::new();
    let format = dice.roll(4);
    match format {
        0 => query += "{service_name=\"shop\"}",
        1 => query += "{service_name=\"pay\"}",
        _ => match dice.roll(8) {
            0 => query += "{service_name=~\".+\"}",
            1 => query += "{service_name=~\"cart|pay\"}",
            2 => query += "{k8s_pod_name=\"cart-1\"}",
            3 => drop(write!(query, "{{user_id=\"u{}\"}}", dice.roll(13))),
            4 => drop(write!(query, "{{trace_id=\"{}\"}}", trace(dice.roll(30)))),
            5 => query += "{level=\"error\", service_name!=\"pay\"}",
            6 => query += "{service_name=\"unknown_service\"}",
            _ => query += "{service_name!=\"\", user_id=~\"u1|u2|u3\"}",
        },
    }
    stages(dice, &mut query, &[], 3);
    match format {
        0 => {
            query += " | json";
            numbers.extend(["ms", "http_code"]);
            stages(dice, &mut query, &["http_code", "ms", "msg", "user_id_extracted"], 3);
        }
        1 => {
            query += " | logfmt";
            numbers.push("ms");
            stages(dice, &mut query, &["path", "msg", "user_id_extracted"], 3);
        }
        2 if dice.one_in(3) => {
            query += " | regexp \"(?P<word>[a-z]+) (?P<found>[0-9]+)$\"";
            numbers.push("found");
            stages(dice, &mut query, &["word", "found"], 2);
        }
        _ => {}
    }
    match dice.roll(12) {
        0 => query += " | line_format \"{{.user_id}} of {{.service_name}}\"",
        1 => query += " | drop user_id, detected_level=\"info\"",
        2 => query += " | keep service_name, status, dur, user_id",
        _ => {}
    }
    (query, numbers)
}

fn grouping(dice: &mut Dice) -> String {
    let labels = ["service_name", "user_id", "detected_level", "status", "k8s_pod_name", "trace_id", "http_code", "no_such_label"];
    let chosen: Vec<&str> = (0..dice.roll(3)).map(|_| dice.pick(&labels)).collect();
    format!("{} ({})", if dice.one_in(4) { "without" } else { "by" }, chosen.join(", "))
}

fn metric(dice: &mut Dice) -> String {
    let (logs, numbers) = logs(dice);
    let (range, offset) = (dice.pick(&["30s", "1m", "5m", "17s"]), dice.pick(&["", "", " offset 90s"]));
    let inner = if dice.one_in(2) {
        format!("{}({logs} [{range}]{offset})", dice.pick(&["count_over_time", "rate", "bytes_over_time", "bytes_rate"]))
    } else {
        let number = dice.pick(&numbers);
        let op = dice.pick(&["avg", "min", "max", "stddev", "stdvar", "first", "last", "quantile", "sum"]);
        let group = if op != "sum" && dice.one_in(2) { format!(" {}", grouping(dice)) } else { String::new() };
        let parameter = if op == "quantile" { "0.9, " } else { "" };
        format!("{op}_over_time({parameter}{logs} | unwrap {number} [{range}]{offset}){group}")
    };
    let is_whole = inner.starts_with("count") || inner.starts_with("bytes_over") || inner.starts_with("max") || inner.starts_with("min");
    let outer = match dice.roll(6) {
        0 => inner,
        1 if is_whole => format!("{}({}, {inner})", dice.pick(&["topk", "bottomk"]), 1 + dice.roll(5)),
        2 if is_whole => format!("{}({}, sum {} ({inner}))", dice.pick(&["topk", "bottomk"]), 1 + dice.roll(5), grouping(dice)),
        _ => format!("{} {} ({inner})", dice.pick(&["sum", "avg", "min", "max", "count", "stddev", "sum", "sum"]), grouping(dice)),
    };
    match dice.roll(8) {
        0 => format!("{outer} * 3"),
        1 => format!("({outer}) > 1.7"),
        2 => format!("100 - {outer}"),
        3 => format!("({outer}) {} ({outer})", dice.pick(&["/", "+", "and", "unless", "or"])),
        _ => outer,
    }
}

async fn engine(place: Place, records: &[Plain]) -> (Engine, tempfile::TempDir) {
    let (store, clock, dir) = store(place, records, SEGMENT).await;
    (Engine::new(store, clock, Settings::default()), dir)
}

/// A store of records, so many in a segment at most.
async fn store(place: Place, records: &[Plain], segment: usize) -> (Store, Arc<ManualClock>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    for (number, records) in records.chunks(segment).enumerate() {
        let mut builder = LogBuilder::default();
        for record in records {
            let json = |pairs: &[(&str, String)]| {
                // The dot shows that names become labels.
                let name = |name: &str| name.replace("service_name", "service.name").replace("k8s_pod_name", "k8s.pod.name");
                let object: serde_json::Map<String, serde_json::Value> = pairs.iter().map(|(key, value)| (name(key), value.clone().into())).collect();
                serde_json::Value::Object(object).to_string()
            };
            let service = record.resource.iter().find(|(name, _)| *name == "service_name").map_or("", |(_, value)| value);
            builder.set_resource(&json(&record.resource), service);
            builder.set_scope(&json(&record.scope));
            for (name, value) in &record.attributes {
                match *name {
                    "status" => builder.attributes().append_int("status", value.parse().unwrap()),
                    "dur" => builder.attributes().append_double("dur", value.parse().unwrap()),
                    name => builder.attributes().append_string(name, value),
                }
            }
            builder.close_row(&LogRow {
                timestamp_ns: record.timestamp_ns,
                severity_number: record.severity_number,
                severity_text: &record.severity_text,
                body: Some(&record.line),
                trace_id: (!record.trace_id.is_empty()).then(|| TraceId::from_hex(&record.trace_id).unwrap()),
                ..LogRow::default()
            });
        }
        store.append(&Tenant::default(), vec![Batch::Logs(builder.finish())]).await.unwrap();
        if place == Place::Segments || place == Place::Both && number % 3 < 2 {
            store.flush().await.unwrap();
        }
    }
    (store, clock, dir)
}

fn is_same(found: f64, want: f64) -> bool {
    found == want || found.is_nan() && want.is_nan() || (found - want).abs() <= 1e-7 * want.abs().max(1e-2)
}

/// A question, and what the plain evaluator answers.
enum Asked {
    Logs(LogRequest, Vec<Line>),
    Metric(MetricRequest, Answer),
}

/// Time, line and labels.
type Line = (i64, String, BTreeMap<String, String>);

fn ask(query: &str, dice: &mut Dice, records: &[Passing]) -> Asked {
    match logql::parse(query).unwrap_or_else(|error| panic!("{query}: {error}")) {
        Expr::Logs(expr) => {
            let (from, to) = (dice.roll(400) as i64, dice.roll(900) as i64);
            let range = TimeRange::from_ns(T0 + from * SECOND, T0 + (from + to) * SECOND);
            let direction = if dice.one_in(2) { Direction::Forward } else { Direction::Backward };
            let limit = [3, 20, 1_000][dice.roll(3)];
            // Sorting is stable: of equal times the order of arrival stays.
            let mut inside: Vec<&Passing> = records.iter().filter(|record| range.contains_ns(record.timestamp_ns)).collect();
            inside.sort_by_key(|record| record.timestamp_ns);
            if direction == Direction::Backward {
                inside.reverse();
            }
            let wanted = naive::run(&expr, inside).into_iter().take(limit).map(|one| (one.timestamp_ns, one.line, one.labels)).collect();
            Asked::Logs(LogRequest { expr, range, limit, direction }, wanted)
        }
        Expr::Metric(expr) => {
            let (start_ns, step_ns) = (T0 + dice.roll(500) as i64 * SECOND, if dice.one_in(2) { 0 } else { (10 + dice.roll(100)) as i64 * SECOND });
            let steps = if step_ns == 0 { 1 } else { 1 + dice.roll(6) as i64 };
            let instants: Vec<i64> = (0..steps).map(|step| start_ns + step * step_ns).collect();
            let wanted = naive::evaluate(&expr, records, &instants);
            Asked::Metric(MetricRequest { expr, start_ns, end_ns: instants[instants.len() - 1], step_ns }, wanted)
        }
    }
}

/// How many lines or series there are, if they are those that are wanted.
async fn check(engine: &Engine, asked: &Asked) -> Result<usize, String> {
    let tenant = Tenant::default();
    match asked {
        Asked::Logs(request, wanted) => {
            let answer = engine.logs(&tenant, request.clone()).await.map_err(|error| error.to_string())?;
            let found = answer.entries.into_iter().map(|entry| {
                let labels = entry.stream.iter().chain(&entry.metadata).chain(&entry.parsed).cloned().collect();
                (entry.record.timestamp_ns, entry.line, labels)
            });
            let found: Vec<Line> = found.collect();
            if found == *wanted { Ok(found.len()) } else { Err(format!("{:?} {}: is {found:#?}, want {wanted:#?}", request.direction, request.limit)) }
        }
        Asked::Metric(request, wanted) => {
            let answer = engine.logql(&tenant, request.clone()).await.map_err(|error| error.to_string())?;
            let (MetricValue::Vector(series) | MetricValue::Matrix(series)) = answer.value else { return Err(format!("is {:?}", answer.value)) };
            let found: Answer = series.into_iter().map(|one| (one.labels.into_iter().collect(), one.points.into_iter().collect())).collect();
            let is_equal = found.len() == wanted.len()
                && found.iter().zip(wanted).all(|((own, points), (labels, others))| {
                    own == labels && points.len() == others.len() && points.iter().zip(others).all(|(one, other)| one.0 == other.0 && is_same(*one.1, *other.1))
                });
            if is_equal { Ok(found.len()) } else { Err(format!("from {} every {}: is {found:#?}, want {wanted:#?}", request.start_ns, request.step_ns)) }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_answer_what_the_plain_evaluator_does() {
    const SEED: u64 = 4;
    let mut dice = Dice(SEED);
    let records = records(&mut dice);
    let mut worlds = Vec::new();
    for place in Place::ALL {
        worlds.push((place, engine(place, &records).await));
    }
    let passing: Vec<Passing> = records.iter().map(Passing::of).collect();
    let (mut failures, mut filled) = (Vec::new(), 0);
    for number in 0..QUERIES {
        let query = if dice.one_in(3) { logs(&mut dice).0 } else { metric(&mut dice) };
        let asked = ask(&query, &mut dice, &passing);
        let (place, (engine, _dir)) = &worlds[number % worlds.len()];
        match check(engine, &asked).await {
            Ok(found) => filled += usize::from(found > 0),
            Err(error) => failures.push(format!("{number}: {place:?}: {query}: {error}")),
        }
    }
    let texts: Vec<String> = failures.iter().take(5).map(|failure| failure.chars().take(3_000).collect()).collect();
    assert!(failures.is_empty(), "seed {SEED}: {} of {QUERIES} fail:\n{}", failures.len(), texts.join("\n\n"));
    assert!(filled * 3 > QUERIES, "only {filled} answers of {QUERIES} hold something");
}

/// All of an answer to the last bit, or the error; how much was looked at for it may differ.
async fn told(engine: &Engine, asked: &Asked) -> String {
    let tenant = Tenant::default();
    match asked {
        Asked::Logs(request, _) => format!("{:?}", engine.logs(&tenant, request.clone()).await.map(|answer| answer.entries)),
        Asked::Metric(request, _) => format!("{:?}", engine.logql(&tenant, request.clone()).await.map(|answer| answer.value)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_to_the_last_bit_with_any_number_of_threads() {
    const SEED: u64 = 9;
    let mut dice = Dice(SEED);
    let records = records(&mut dice);
    // Many small parts.
    let (store, clock, _dir) = store(Place::Both, &records, 12).await;
    let engines = [1, 2, 5].map(|partitions| Engine::new(store.clone(), clock.clone(), Settings { partitions, ..Settings::default() }));
    let passing: Vec<Passing> = records.iter().map(Passing::of).collect();
    for number in 0..QUERIES / 4 {
        let query = if dice.one_in(3) { logs(&mut dice).0 } else { metric(&mut dice) };
        let asked = ask(&query, &mut dice, &passing);
        let alone = told(&engines[0], &asked).await;
        for engine in &engines[1..] {
            assert_eq!(told(engine, &asked).await, alone, "seed {SEED}, {number}: {query}");
        }
    }
}
