//! Volumes, patterns and fields of log records: equal from the head, from segments and across both.

use std::sync::Arc;

use signalbox_lang::logql::{self, Expr, LogExpr};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Tenant, TimeRange, pattern};
use signalbox_query::logql::{FieldsRequest, PatternsRequest, VolumeBy, VolumeRequest};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use crate::world::{CART, SECOND, T0, worlds};

pub(crate) fn logs(query: &str) -> LogExpr {
    let Expr::Logs(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
    expr
}

pub(crate) const RANGE: TimeRange = TimeRange { start_ns: T0, end_ns: T0 + 1_000 * SECOND };

/// Lines of the records of the small world with these numbers.
fn lines(numbers: impl Iterator<Item = i64>) -> (u64, u64) {
    let line = |number: i64| if number % 5 == 0 { format!("timeout after {number} ms\nretrying") } else { format!("request {number} done") };
    numbers.fold((0, 0), |(entries, bytes), number| (entries + 1, bytes + line(number).len() as u64))
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_counted_by_labels_and_steps() {
    for (place, world) in worlds().await {
        let ask = async |query: &str, step_ns: i64, by: VolumeBy| {
            let expr = if query == "{}" { LogExpr::default() } else { logs(query) };
            world.engine.log_volume(&world.tenant, VolumeRequest { expr, range: RANGE, step_ns, by }).await.unwrap()
        };
        let of = |series: &[signalbox_query::logql::VolumeSeries]| {
            let of = |series: &signalbox_query::logql::VolumeSeries| {
                let labels = series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
                (labels, (series.total().entries, series.total().bytes))
            };
            series.iter().map(of).collect::<Vec<_>>()
        };
        let thirds: Vec<(u64, u64)> = (0..3).map(|rest| lines((0..300).filter(|number| number % 3 == rest))).collect();
        let answer = ask("{}", 0, VolumeBy::Labels(vec!["service_name".into()])).await;
        let want = [("service_name=cart", thirds[0]), ("service_name=shop", thirds[1]), ("service_name=unknown_service", thirds[2])];
        assert_eq!(of(&answer.series), want.map(|(labels, volume)| (labels.to_owned(), volume)), "{place}");
        assert!(answer.parts >= 1 && answer.rows_read >= 300, "{place}");
        let answer = ask("{service_name=\"cart\"}", 0, VolumeBy::Stream).await;
        assert_eq!(of(&answer.series), [("k8s_pod_name=cart-1,replicas=3,service_name=cart".to_owned(), thirds[0])], "{place}");
        let answer = ask("{}", 0, VolumeBy::EachLabel(vec!["k8s_pod_name".into(), "service_name".into()])).await;
        let (pods, all) = ((thirds[0].0 + thirds[1].0, thirds[0].1 + thirds[1].1), lines(0..300));
        assert_eq!(of(&answer.series), [("k8s_pod_name=".to_owned(), pods), ("service_name=".to_owned(), all)], "{place}");
        // With filters, step by step: what a step holds is what its time says.
        let answer = ask("{service_name=\"cart\"} |= \"timeout\" | user=~\"user-.*\"", 60 * SECOND, VolumeBy::Labels(Vec::new())).await;
        let begin = T0 / SECOND;
        let step = |step: i64| lines((0..300).filter(|number| (begin + number) / 60 == step).filter(|number| number % 15 == 0));
        let steps: Vec<_> = answer.series[0].steps.iter().map(|(step, volume)| (*step, (volume.entries, volume.bytes))).collect();
        assert_eq!((answer.series.len(), steps), (1, (begin / 60..=(begin + 299) / 60).map(|number| (number, step(number))).collect::<Vec<_>>()), "{place}");
        assert!(ask("{service_name=\"nobody\"}", 0, VolumeBy::Stream).await.series.is_empty(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_counted_by_level_and_step() {
    let timeouts = pattern::of("timeout after 5 ms\nretrying");
    let requests = pattern::of("request 7 done");
    for (place, world) in worlds().await {
        let ask = async |query: &str, step_ns: i64, limit: usize| {
            let expr = if query == "{}" { LogExpr::default() } else { logs(query) };
            world.engine.log_patterns(&world.tenant, PatternsRequest { expr, range: RANGE, step_ns, limit }).await
        };
        let found = ask("{}", 1_000 * SECOND, 10).await.unwrap();
        let counts: Vec<(&str, &str, u64)> = found.iter().map(|series| (series.pattern.as_str(), series.level.as_str(), series.points[0].1)).collect();
        assert_eq!(counts, [(requests.as_str(), "info", 240), (timeouts.as_str(), "error", 60)], "{place}");
        let found = ask("{service_name=\"cart\"} |= \"timeout\"", 100 * SECOND, 10).await.unwrap();
        let want: Vec<(i64, u64)> =
            (0..3).map(|step| (T0 + step * 100 * SECOND, (step * 100..step * 100 + 100).filter(|number| number % 15 == 0).count() as u64)).collect();
        assert_eq!((found.len(), &found[0].points), (1, &want), "{place}");
        assert_eq!(ask("{}", SECOND, 1).await.unwrap().len(), 1, "{place}");
        assert!(ask("{}", 0, 1).await.is_err(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_found_in_lines_and_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    let mut builder = LogBuilder::default();
    builder.set_resource(CART, "cart");
    let bodies = [
        r#"{"user":{"id":7},"took":"12ms","size":"5 KB","ok":true,"service_name":"inner"}"#,
        r#"{"user":{"id":8.5},"took":"1.5s","size":"1 MiB","ok":false}"#,
        "level=warn took=7 msg=\"hello there\"",
        "just words",
        "{ no json",
    ];
    for (number, body) in bodies.iter().enumerate() {
        builder.attributes().append_string("user", &format!("user-{number}"));
        builder.close_row(&LogRow { timestamp_ns: T0 + number as i64 * SECOND, body: Some(body), ..LogRow::default() });
    }
    store.append(&Tenant::default(), vec![Batch::Logs(builder.finish())]).await.unwrap();
    let engine = Engine::new(store, clock, Settings::default());
    let ask = async |query: &str, lines: usize, limit: usize| {
        engine.log_fields(&Tenant::default(), FieldsRequest { expr: logs(query), range: RANGE, lines, limit }).await.unwrap()
    };
    let found = ask("{service_name=\"cart\"}", 10, 100).await;
    let told: Vec<String> = found
        .iter()
        .map(|(name, field)| format!("{name} {} {} {} {}", field.kind.as_str(), field.values.len(), field.parsers.join("+"), field.json_path.join(".")))
        .collect();
    let want = [
        "detected_level string 1  ",
        "level string 1 logfmt ",
        "msg string 1 logfmt ",
        "ok boolean 2 json ok",
        "service_name_extracted string 1 json service_name",
        "size bytes 2 json size",
        "took string 3 logfmt+json took",
        "user string 5  ",
        "user_id float 2 json user.id",
    ];
    assert_eq!(told, want);
    assert_eq!(ask("{service_name=\"cart\"}", 10, 3).await.len(), 3);
    // Of the newest two lines none can be parsed.
    assert!(ask("{service_name=\"cart\"}", 2, 100).await.values().all(|field| field.parsers.is_empty()));
    // What the query parses counts too.
    let parsed = ask("{service_name=\"cart\"} |= \"just\" | pattern \"<first> <second>\"", 10, 100).await;
    assert_eq!(parsed["second"].values.iter().collect::<Vec<_>>(), ["words"]);
}
