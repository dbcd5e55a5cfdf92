//! InfluxDB's line protocol: what becomes of points, and what senders are told.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use signalbox_model::{Batch, ErrorKind, KnownSeries, Rejected, SeriesKey, SeriesRef, TimeRange};
use signalbox_receive::Context;
use signalbox_receive::http::BodyLimits;
use signalbox_receive::influx::{FAULTS_MAX, Precision, Report, Settings, Target, Translation, decode, routes};

use crate::rows::lines;
use crate::support::{Answer, Memory, NOW_MS, NOW_NS, context, entry, post, send};

fn door_of(settings: Settings) -> (Arc<Memory>, Router) {
    let sink = Arc::new(Memory::default());
    let router = routes(entry(&sink), settings);
    (sink, router)
}

fn door() -> (Arc<Memory>, Router) {
    door_of(Settings::default())
}

fn rows(sink: &Memory) -> Vec<String> {
    lines(&sink.batches()).iter().map(|line| line.trim_start_matches("sample ").trim_end_matches(" start=0").to_owned()).collect()
}

fn target(database: &str, precision: Precision) -> Target {
    Target { database: database.into(), precision }
}

fn decoded(body: &str, target: &Target, translation: &Translation) -> (Vec<String>, Report) {
    let (decoded, report) = decode(body.as_bytes(), &context(), target, translation);
    let rows = lines(&decoded.batches).iter().map(|line| line.trim_start_matches("sample ").trim_end_matches(" start=0").to_owned()).collect();
    (rows, report)
}

fn sorted(rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().collect();
    rows.sort();
    rows
}

/// The samples of one body with everything at its default.
fn samples(body: &str) -> Vec<String> {
    decoded(body, &Target::default(), &Translation::default()).0
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json");
    serde_json::from_slice(&answer.body).unwrap()
}

async fn get(router: &Router, path: &str) -> Answer {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

#[test]
fn numbers_and_booleans_become_samples() {
    let body = "cpu,host=a,zone=eu idle=97.5,n=3i,u=7u,up=t,down=FALSE,neg=-1.25e2 1700000000123456789";
    let at = "1700000000123";
    let row = |field: &str, value: &str| format!("cpu_{field}{{host=\"a\", zone=\"eu\"}} {at} {value}");
    let want = [row("idle", "97.5"), row("n", "3"), row("u", "7"), row("up", "1"), row("down", "0"), row("neg", "-125")];
    assert_eq!(samples(body), sorted(want));
}

#[test]
fn names_are_made_prometheus_like_unless_they_are_to_be_kept() {
    let body = "disk.io,a-b=1,2c=x,a\\ b=2 read.bytes=1";
    assert_eq!(samples(body), [format!("disk_io_read_bytes{{_2c=\"x\", a_b=\"2;1\"}} {NOW_MS} 1")]);
    let keep = Translation { keep_names: true, ..Translation::default() };
    assert_eq!(decoded(body, &Target::default(), &keep).0, [format!("disk.io_read.bytes{{2c=\"x\", a b=\"2\", a-b=\"1\"}} {NOW_MS} 1")]);
    assert_eq!(samples("m:x,t:y=1 v=1"), [format!("m:x_v{{t_y=\"1\"}} {NOW_MS} 1")]);
}

#[test]
fn what_stands_between_measurement_and_field_can_be_set() {
    let body = "load value=1,short=2";
    assert_eq!(samples(body), [format!("load_short {NOW_MS} 2"), format!("load_value {NOW_MS} 1")]);
    let set = Translation { separator: ":".into(), omit_value_field: true, ..Translation::default() };
    assert_eq!(decoded(body, &Target::default(), &set).0, [format!("load {NOW_MS} 1"), format!("load:short {NOW_MS} 2")]);
    assert_eq!(samples("prometheus,le=+Inf http_seconds_bucket=4"), [format!("http_seconds_bucket{{le=\"+Inf\"}} {NOW_MS} 4")]);
}

#[test]
fn the_database_is_a_label_unless_a_tag_has_its_name() {
    let telegraf = target("telegraf", Precision::Nanoseconds);
    let default = Translation::default();
    assert_eq!(decoded("m v=1", &telegraf, &default).0, [format!("m_v{{db=\"telegraf\"}} {NOW_MS} 1")]);
    assert_eq!(decoded("m,db=own v=1", &telegraf, &default).0, [format!("m_v{{db=\"own\"}} {NOW_MS} 1")]);
    let none = Translation { database_label: String::new(), ..Translation::default() };
    assert_eq!(decoded("m v=1", &telegraf, &none).0, [format!("m_v {NOW_MS} 1")]);
}

#[test]
fn text_is_left_out_and_counted() {
    let (rows, report) = decoded("m s=\"a, b=c\\\" \n d\",v=1\nm only=\"text\"\nm, s=\"refused\",v=1", &Target::default(), &Translation::default());
    assert_eq!((rows, report.texts, report.taken, report.refused), (vec![format!("m_v {NOW_MS} 1")], 2, 2, 1));
}

#[test]
fn a_field_that_is_twice_in_a_line_counts_once() {
    let at = "1700000000000";
    let want = [format!("m_v {at} 3"), format!("m_v {at} 4"), format!("m_w {at} 2")];
    assert_eq!(samples("m v=1,w=2,v=3 1700000000000000000\nm v=4 1700000000000000000"), want);
}

#[test]
fn time_is_cut_to_milliseconds() {
    for (precision, time, want) in [
        (Precision::Nanoseconds, "1700000000123999999", 1_700_000_000_123),
        (Precision::Nanoseconds, "-1", -1),
        (Precision::Microseconds, "1700000000123999", 1_700_000_000_123),
        (Precision::Milliseconds, "1700000000123", 1_700_000_000_123),
        (Precision::Seconds, "1700000000", 1_700_000_000_000),
        (Precision::Minutes, "28333333", 1_699_999_980_000),
        (Precision::Hours, "472222", 1_699_999_200_000),
        (Precision::Auto, "1700000000", 1_700_000_000_000),
        (Precision::Auto, "1700000000123", 1_700_000_000_123),
        (Precision::Auto, "1700000000123456", 1_700_000_000_123),
        (Precision::Auto, "1700000000123456789", 1_700_000_000_123),
        // Without a time: arrival, cut to the unit.
        (Precision::Nanoseconds, "", NOW_MS),
        (Precision::Minutes, "", 1_699_999_980_000),
        (Precision::Hours, "", 1_699_999_200_000),
    ] {
        let (rows, report) = decoded(&format!("m v=1 {time}"), &target("", precision), &Translation::default());
        assert_eq!((rows, report.refused), (vec![format!("m_v {want} 1")], 0), "{precision:?} {time}");
    }
    let (rows, report) = decoded("m v=1 9223372036854775807", &target("", Precision::Hours), &Translation::default());
    assert_eq!((rows.len(), report.faults[0].fault.reason.as_str()), (0, "timestamp out of range"));
}

#[test]
fn nothing_is_nothing() {
    for body in ["", "\n", "\r\n\r\n", "   ", "# a comment\n\n#\n"] {
        let (rows, report) = decoded(body, &Target::default(), &Translation::default());
        assert_eq!((rows.len(), report), (0, Report::default()), "{body:?}");
    }
}

/// Knows every key.
struct All;

impl KnownSeries for All {
    fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        Some(SeriesRef(key.0 as u32))
    }
}

#[test]
fn a_series_has_one_key_for_each_way_it_is_spelled_and_stored() {
    let context = Context { known: &All, ..context() };
    let key = |body: &str, target: &Target, translation: &Translation| {
        let (decoded, _) = decode(body.as_bytes(), &context, target, translation);
        match &decoded.batches[..] {
            [Batch::Metrics(batch)] if batch.series.len() == 1 => format!("{:?}", batch.series[0]),
            other => panic!("one series: {other:?}"),
        }
    };
    let (plain, default) = (Target::default(), Translation::default());
    let first = key("m,a=b v=1", &plain, &default);
    assert_eq!(first, key("m,a=b   v=2i 17", &plain, &default));
    let other = Translation { separator: "-".into(), ..Translation::default() };
    for (body, target, translation) in [
        ("m,a=b w=1", &plain, &default),
        ("m,a=c v=1", &plain, &default),
        ("m,a=bv v=1", &plain, &default),
        ("m,a=b v=1", &target("x", Precision::Nanoseconds), &default),
        ("m,a=b v=1", &plain, &other),
    ] {
        assert_ne!(first, key(body, target, translation), "{body}");
    }
}

#[test]
fn a_line_is_taken_whole_or_not_at_all() {
    for (line, place, reason) in [
        ("m", (1, 2), "missing fields"),
        ("m,a=b", (1, 6), "missing fields"),
        (",a=b v=1", (1, 1), "missing measurement: found ','"),
        ("m,a v=1", (1, 3), "missing '=' after tag key"),
        ("m,=b v=1", (1, 3), "missing tag key"),
        ("m, v=1", (1, 3), "missing tag key"),
        ("m,a= v=1", (1, 5), "missing tag value"),
        ("m,a=1,b=2,a=3 v=1", (1, 1), "duplicate tag \"a\""),
        ("m\tv=1 2", (1, 2), "unexpected '\\t' in measurement or tags"),
        ("m,__name__=x v=1", (1, 1), "tag \"__name__\" has the name of the metric: want another one"),
        ("m v", (1, 4), "missing '=' after field key"),
        ("m v=1,", (1, 7), "missing field key: found the end"),
        ("m v=1,=2", (1, 7), "missing field key: found '='"),
        ("m v=", (1, 5), "missing field value"),
        ("m v= 1", (1, 5), "missing field value"),
        ("m v=x", (1, 5), "field value has no type: want a number, true, false or a text in double quotes"),
        ("m v=nan", (1, 5), "field value has no type: want a number, true, false or a text in double quotes"),
        ("m v=-inf", (1, 5), "not a number"),
        ("m v=tru", (1, 5), "invalid boolean"),
        ("m v=1.5i", (1, 5), "not a whole number"),
        ("m v=9223372036854775808i", (1, 5), "number out of range"),
        ("m v=-1u", (1, 5), "not a whole number"),
        ("m v=1e999", (1, 5), "number out of range"),
        ("m v=0x1p4", (1, 5), "not a number"),
        ("m v=\"a", (1, 5), "missing closing quote of text"),
        ("m v=\"a\"b", (1, 8), "unexpected 'b' after field value"),
        ("m v=1 x", (1, 7), "invalid timestamp: not a whole number"),
        ("m v=1 1x", (1, 7), "invalid timestamp: not a number"),
        ("m v=1 1 2", (1, 9), "unexpected text after timestamp"),
        ("m v=1,w=x 5", (1, 9), "field value has no type: want a number, true, false or a text in double quotes"),
        ("# a \u{1} comment", (1, 5), "invalid character in comment"),
    ] {
        let (rows, report) = decoded(line, &Target::default(), &Translation::default());
        let faults: Vec<_> = report.faults.iter().map(|line| ((line.fault.line, line.fault.column), line.fault.reason.as_str())).collect();
        assert_eq!((rows.len(), faults, report.refused), (0, vec![(place, reason)], 1), "{line:?}");
        // What is good before and after is taken.
        let (rows, report) = decoded(&format!("a v=1\n{line}\nb v=2\n"), &Target::default(), &Translation::default());
        let goes_on = !reason.contains("closing quote");
        assert_eq!((rows.len(), report.refused, report.faults[0].fault.line), (1 + usize::from(goes_on), 1, 1 + place.0), "{line:?}");
    }
}

#[test]
fn a_fault_behind_a_text_with_line_breaks_is_told_by_its_own_line() {
    let (rows, report) = decoded("m s=\"a\nb v=666\nc\",v=x\nok v=1", &Target::default(), &Translation::default());
    assert_eq!((rows, report.faults[0].fault.line, report.faults[0].fault.column), (vec![format!("ok_v {NOW_MS} 1")], 3, 6));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for line in [&b"\xff v=1"[..], b"m,\xff=a v=1", b"m,a=\xff v=1", b"m \xff=1", b"m v=\"\xff\""] {
        let (decoded, report) = decode(&[line, b"\nok v=1"].concat(), &context(), &Target::default(), &Translation::default());
        assert_eq!((lines(&decoded.batches).len(), report.refused), (1, 1), "{line:?}");
        assert_eq!(decoded.rejected[0].reason, "invalid_line");
    }
}

#[test]
fn what_grows_is_bounded() {
    let tags: String = (0..257).map(|at| format!(",t{at}=v")).collect();
    let long = format!("m,t={} v=1", "x".repeat(70_000));
    let bare = "x".repeat(70_000);
    for line in [format!("m{tags} v=1"), long, bare] {
        let (rows, report) = decoded(&line, &Target::default(), &Translation::default());
        assert_eq!((rows.len(), report.refused), (0, 1));
        assert!(report.faults[0].fault.text.len() <= 128 && report.faults[0].fault.reason.len() < 200);
    }
    let (_, report) = decoded(&"bad\n".repeat(5_000), &Target::default(), &Translation::default());
    assert_eq!((report.refused, report.faults.len()), (5_000, FAULTS_MAX));
}

/// Every prefix of a body is understood up to the line that is cut, and no row is invented.
#[test]
fn a_body_that_is_cut_short_invents_nothing() {
    let body = "cpu,host=a idle=1,user=2i 1700000000000000000\nmem,host=b\\ c used=\"a\nb\",free=3 1700000000000000000\n";
    let whole = samples(body);
    for end in 0..body.len() {
        let got = samples(&body[..end]);
        let is_known = |row: &String| whole.iter().any(|full| full.split(' ').next() == row.split(' ').next());
        assert!(got.len() <= whole.len() && got.iter().all(is_known), "cut at {end}: {got:?}");
    }
}

#[tokio::test]
async fn all_three_generations_are_taken_with_204_at_both_paths() {
    let (sink, router) = door();
    for (at, path) in [
        "/write?db=d&rp=autogen&precision=s&u=me&p=secret&consistency=quorum",
        "/influx/write?db=d&precision=s",
        "/api/v2/write?org=o&bucket=d&precision=s",
        "/influx/api/v2/write?org=o&bucket=d%2Fautogen&precision=s",
        "/api/v3/write_lp?db=d&precision=second&accept_partial=true&no_sync=false",
        "/influx/api/v3/write_lp?db=d",
    ]
    .into_iter()
    .enumerate()
    {
        let headers = [("authorization", "Token secret"), ("content-type", "text/plain; charset=utf-8")];
        let answer = post(&router, path, &headers, "m,host=a v=1 1700000000").await;
        assert_eq!((answer.status.as_u16(), answer.body.len(), answer.header("x-influxdb-version")), (204, 0, "1.8.10"), "{path}");
        assert_eq!(rows(&sink)[at], format!("m_v{{db=\"d\", host=\"a\"}} {NOW_MS} 1"), "{path}");
    }
}

const PARTLY_GOOD: &str = "m v=1\nm v=x\n\nm,a= v=1\nm v=2\n";

#[tokio::test]
async fn good_lines_are_kept_and_bad_ones_told_as_1_x_does() {
    let (sink, router) = door();
    let answer = post(&router, "/write?db=d", &[], PARTLY_GOOD).await;
    let reason = "field value has no type: want a number, true, false or a text in double quotes";
    let message =
        format!("partial write: unable to parse 'm v=x': at line 2:5: {reason}\nunable to parse 'm,a= v=1': at line 4:5: missing tag value dropped=0");
    assert_eq!((answer.status.as_u16(), json_of(&answer)), (400, json!({ "error": message })));
    assert!(answer.header("x-influxdb-error").starts_with("partial write: unable to parse 'm v=x'"));
    assert_eq!(rows(&sink), [format!("m_v{{db=\"d\"}} {NOW_MS} 1"), format!("m_v{{db=\"d\"}} {NOW_MS} 2")]);
    // Nothing good: not partial.
    let answer = post(&router, "/write?db=d", &[], "m v=x").await;
    assert_eq!((answer.status.as_u16(), json_of(&answer)), (400, json!({"error": format!("unable to parse 'm v=x': at line 1:5: {reason}")})));
    assert_eq!(sink.rows(), 2);
}

#[tokio::test]
async fn good_lines_are_kept_and_bad_ones_told_as_2_x_does() {
    let (sink, router) = door();
    let answer = json_of(&post(&router, "/api/v2/write?bucket=d", &[], PARTLY_GOOD).await);
    assert_eq!((&answer["code"], &answer["line"], sink.rows()), (&json!("invalid"), &json!(2), 2));
    assert!(answer["message"].as_str().unwrap().starts_with("partial write: unable to parse 'm v=x': at line 2:5: "));
    assert_eq!(answer["error"], answer["message"]);
}

#[tokio::test]
async fn good_lines_are_kept_and_bad_ones_told_as_3_x_does() {
    let (sink, router) = door();
    let answer = post(&router, "/api/v3/write_lp?db=d", &[], PARTLY_GOOD).await;
    let reason = "field value has no type: want a number, true, false or a text in double quotes (byte 5)";
    let first = json!({"original_line": "m v=x", "line_number": 2, "error_message": reason});
    let second = json!({"original_line": "m,a= v=1", "line_number": 4, "error_message": "missing tag value (byte 5)"});
    assert_eq!((answer.status.as_u16(), sink.rows()), (400, 2));
    assert_eq!(json_of(&answer), json!({"error": "partial write of line protocol occurred", "data": [first, second]}));
    let answer = post(&router, "/api/v3/write_lp?db=d&accept_partial=false", &[], PARTLY_GOOD).await;
    assert_eq!((answer.status.as_u16(), sink.rows()), (400, 2));
    assert_eq!(json_of(&answer), json!({"error": "parsing failed for write_lp endpoint", "data": first}));
    let answer = post(&router, "/api/v3/write_lp?db=d&accept_partial=false", &[], "m v=1").await;
    assert_eq!((answer.status.as_u16(), sink.rows()), (204, 3));
}

#[test]
fn a_line_out_of_time_is_one_line() {
    let accepted_time = TimeRange::from_ns(NOW_NS - 1_000_000_000, NOW_NS + 1_000_000_000);
    let body = format!("m a=1,b=2 {}\nm a=1,b=2 {}\nm a=1,b=2 {NOW_NS}", NOW_NS - 2_000_000_000, NOW_NS + 2_000_000_000);
    let (decoded, report) = decode(body.as_bytes(), &Context { accepted_time, ..context() }, &Target::default(), &Translation::default());
    let reasons: Vec<_> = decoded.rejected.iter().map(|rejected| (rejected.reason, rejected.rows)).collect();
    assert_eq!((reasons, lines(&decoded.batches).len()), (vec![("too_old", 1), ("too_far_in_future", 1)], 2));
    assert_eq!((report.taken, report.refused, report.out_of_time), (1, 2, 2));
}

#[tokio::test]
async fn what_admission_refuses_is_told_as_dropped() {
    let (sink, router) = door();
    *sink.reject.lock() = vec![Rejected { rows: 1, reason: "series_limit", message: "too many".into() }];
    let answer = post(&router, "/write?db=d", &[], "m v=1,w=2").await;
    let message = "partial write: 1 samples refused (series_limit): too many dropped=1";
    assert_eq!((answer.status.as_u16(), json_of(&answer)), (400, json!({ "error": message })));
    let answer = post(&router, "/api/v3/write_lp?db=d", &[], "m v=1,w=2\nbad").await;
    assert_eq!(json_of(&answer)["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_sender_is_told_to_wait() {
    let (sink, router) = door();
    for (kind, status, code) in
        [(ErrorKind::Limit, 429, "too many requests"), (ErrorKind::Unavailable, 503, "unavailable"), (ErrorKind::Internal, 503, "unavailable")]
    {
        *sink.refuse.lock() = Some((kind, Some(Duration::from_millis(1_500))));
        for path in ["/write", "/api/v2/write", "/api/v3/write_lp"] {
            let answer = post(&router, path, &[], "m v=1\nbad").await;
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (status, "2"), "{path}");
            let body = json_of(&answer);
            assert_eq!(if path.contains("v2") { &body["message"] } else { &body["error"] }, "the test says no", "{path}");
            assert!(!path.contains("v2") || body["code"] == code);
        }
    }
}

#[tokio::test]
async fn bodies_may_be_compressed_and_have_limits() {
    let (sink, router) = door();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"m v=1").unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(post(&router, "/write", &[("content-encoding", "gzip")], gzip.clone()).await.status, 204);
    assert_eq!(post(&router, "/write", &[("content-encoding", "zstd")], zstd::encode_all(&b"m v=2"[..], 1).unwrap()).await.status, 204);
    assert_eq!(sink.rows(), 2);
    assert_eq!(post(&router, "/write", &[("content-encoding", "gzip")], gzip[..gzip.len() / 2].to_vec()).await.status, 400);
    assert_eq!(post(&router, "/write", &[("content-encoding", "br")], "m v=1").await.status, 415);
    let (_, small) = door_of(Settings { limits: BodyLimits { wire_bytes_max: 100, bytes_max: 200, ..BodyLimits::default() }, ..Settings::default() });
    let answer = post(&small, "/api/v2/write", &[], "m v=1\n".repeat(20)).await;
    assert_eq!((answer.status.as_u16(), &json_of(&answer)["code"]), (413, &json!("request too large")));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    bomb.write_all(&b"m v=1\n".repeat(10_000)).unwrap();
    let bomb = bomb.finish().unwrap();
    let (_, small) = door_of(Settings { limits: BodyLimits { bytes_max: 200, ..BodyLimits::default() }, ..Settings::default() });
    assert_eq!(post(&small, "/write", &[("content-encoding", "gzip")], bomb).await.status, 413);
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused() {
    let (sink, router) = door();
    for (path, message) in [
        ("/write?precision=fortnight", "invalid precision \"fortnight\" (use ns, us, ms, s, m or h)"),
        ("/write?consistency=sometimes", "invalid consistency level"),
        ("/api/v3/write_lp?accept_partial=maybe", "cannot read the parameters of the address"),
    ] {
        let answer = post(&router, path, &[], "m v=1").await;
        assert_eq!((answer.status.as_u16(), &json_of(&answer)["error"]), (400, &json!(message)), "{path}");
    }
    for precision in ["n", "ns", "u", "us", "%C2%B5", "ms", "s", "m", "h"] {
        assert_eq!(post(&router, &format!("/write?precision={precision}"), &[], "m v=1").await.status, 204, "{precision}");
    }
    assert_eq!(sink.rows(), 9);
}

#[tokio::test]
async fn ping_and_health_say_that_we_are_here() {
    let (_, router) = door();
    for prefix in ["", "/influx"] {
        for method in ["GET", "HEAD"] {
            let request = Request::builder().method(method).uri(format!("{prefix}/ping")).body(Body::empty()).unwrap();
            let answer = send(&router, request).await;
            assert_eq!((answer.status.as_u16(), answer.body.len(), answer.header("x-influxdb-version")), (204, 0, "1.8.10"));
        }
        assert_eq!(json_of(&get(&router, &format!("{prefix}/ping?verbose=true")).await), json!({"version": "1.8.10"}));
        let health = json_of(&get(&router, &format!("{prefix}/health")).await);
        assert_eq!((&health["name"], &health["status"]), (&json!("influxdb"), &json!("pass")));
    }
}

async fn ask(router: &Router, statement: &str) -> (u16, Value) {
    let encoded: String = statement.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let by_get = get(router, &format!("/query?q={encoded}")).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let by_post = post(router, "/influx/query?u=me&p=secret", &form, format!("q={encoded}&db=x")).await;
    assert_eq!((by_get.status, json_of(&by_get)), (by_post.status, json_of(&by_post)), "{statement}");
    (by_get.status.as_u16(), json_of(&by_get))
}

#[tokio::test]
async fn what_senders_ask_before_they_write_is_answered() {
    let (_, router) = door_of(Settings { databases: vec!["always".into()], ..Settings::default() });
    let listed = |names: &[&str]| {
        let values: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
        (200, json!({"results": [{"statement_id": 0, "series": [{"name": "databases", "columns": ["name"], "values": values}]}]}))
    };
    assert_eq!(ask(&router, "SHOW DATABASES").await, listed(&["always"]));
    assert_eq!(ask(&router, "CREATE DATABASE \"tele\\\"graf\"").await, (200, json!({"results": [{"statement_id": 0}]})));
    post(&router, "/write?db=written", &[], "m v=1").await;
    post(&router, "/api/v2/write?bucket=bucket", &[], "m v=1").await;
    assert_eq!(ask(&router, "show databases;").await, listed(&["always", "bucket", "tele\"graf", "written"]));
    let (status, answer) = ask(&router, "CREATE DATABASE x WITH DURATION 3d REPLICATION 1 NAME y; SHOW RETENTION POLICIES ON x").await;
    assert_eq!((status, &answer["results"][0]["messages"][0]["level"]), (200, &json!("warning")));
    assert_eq!(answer["results"][1]["series"][0]["values"], json!([["autogen", "0s", "168h0m0s", 1, true]]));
    assert_eq!(ask(&router, "ALTER RETENTION POLICY p ON x DURATION 1d").await.0, 200);
}

#[tokio::test]
async fn other_questions_are_refused_by_name() {
    let (_, router) = door();
    for statement in ["SELECT mean(v) FROM m", "SHOW MEASUREMENTS", "DROP DATABASE x", "CREATE DATABASE", "SHOW DATABASES; DELETE FROM m", "\"", "", ";;"] {
        let (status, answer) = ask(&router, statement).await;
        assert_eq!(status, 400, "{statement}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
    }
    assert!(ask(&router, "SELECT 1").await.1["error"].as_str().unwrap().contains("ask in PromQL at /api/v1/query"));
    assert_eq!(post(&router, "/api/v2/query?org=o", &[], "from(bucket: \"b\")").await.status, 501);
    let long = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(post(&router, "/query", &long, format!("q={}", "x".repeat(1 << 20))).await.status, 413);
}

#[tokio::test]
async fn remembered_databases_are_bounded() {
    let (_, router) = door();
    for at in 0..1_100 {
        post(&router, &format!("/write?db=d{at}"), &[], "").await;
    }
    post(&router, &format!("/write?db={}", "x".repeat(1_000)), &[], "").await;
    let answer = ask(&router, "SHOW DATABASES").await.1;
    assert_eq!(answer["results"][0]["series"][0]["values"].as_array().unwrap().len(), 1_000);
}
