//! TraceQL metrics over the same world in the head, in segments, and in both.

use signalbox_lang::traceql::parse_query;
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use crate::world::{SECOND, T0, World, worlds};

/// Twenty traces start ten seconds apart, the first ten seconds after this.
const START: i64 = T0 - T0 % (60 * SECOND);

fn request(query: &str) -> MetricsRequest {
    let query = parse_query(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    MetricsRequest { query, start_ns: START, end_ns: START + 300 * SECOND, step_ns: 300 * SECOND, exemplars_max: 0 }
}

async fn ask(world: &World, request: MetricsRequest) -> MetricsAnswer {
    world.engine.traceql_metrics(&world.tenant, request).await.unwrap()
}

/// Series as text: labels and values.
fn lines(answer: &MetricsAnswer) -> Vec<String> {
    let text =
        |labels: &[(String, signalbox_lang::traceql::tree::Static)]| labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
    answer.series.iter().map(|series| format!("{} {:?}", text(&series.labels), series.points.iter().map(|(_, value)| *value).collect::<Vec<_>>())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn makes_series_of_spans() {
    let cases: &[(&str, &[&str])] = &[
        ("{ } | count_over_time()", &["__name__=`count_over_time` [40.0]"]),
        ("{ } | count_over_time() by (resource.service.name)", &["resource.service.name=`cart` [20.0]", "resource.service.name=`shop` [20.0]"]),
        ("{ kind = server } | rate() by (span.cached)", &["span.cached=false [0.03333333333333333]", "span.cached=true [0.03333333333333333]"]),
        ("{ } | count_over_time() by (status, kind)", &["status=unset,kind=server [20.0]", "status=ok,kind=client [16.0]", "status=error,kind=client [4.0]"]),
        ("{ } | count_over_time() by (span.db.system)", &["span.db.system=nil [20.0]", "span.db.system=`redis` [20.0]"]),
        ("{ kind = server } | max_over_time(duration)", &["__name__=`max_over_time` [0.2]"]),
        ("{ kind = server } | min_over_time(span.http.status_code) by (name)", &["name=`GET /cart` [200.0]"]),
        ("{ } | sum_over_time(span.http.status_code)", &["__name__=`sum_over_time` [5500.0]"]),
        ("{ } | avg_over_time(span.http.status_code)", &["__name__=`avg_over_time` [275.0]"]),
        ("{ } | avg_over_time(event.attempt)", &["__name__=`avg_over_time` [1.0]"]),
        ("{ kind = client } | quantile_over_time(duration, .5, 1)", &["p=0.5 [0.005931641601515722]", "p=1.0 [0.008388608]"]),
        ("{ } | histogram_over_time(span.http.status_code)", &["__bucket=256.0 [15.0]", "__bucket=512.0 [5.0]"]),
        ("{ } >> { status = error } | count_over_time() by (rootName)", &["rootName=`GET /cart` [4.0]"]),
        ("{ span.http.status_code = 500 } < { } | count_over_time()", &["__name__=`count_over_time` [0.0]"]),
        ("{ nestedSetParent = 1 && trace:duration > 100ms } | count_over_time()", &["__name__=`count_over_time` [10.0]"]),
        ("{ } | count_over_time() by (name) | topk(1)", &["name=`GET /cart` [20.0]"]),
        ("{ } | count_over_time() by (status) | bottomk(1)", &["status=error [4.0]"]),
        ("{ } | count_over_time() by (status) > 15", &["status=unset [20.0]", "status=ok [16.0]"]),
        ("({ status = error } | count_over_time()) / ({ } | count_over_time()) * 100", &["__name__=`(count_over_time / count_over_time)` [10.0]"]),
        ("{ name = \"nothing\" } | rate()", &["__name__=`rate` [0.0]"]),
    ];
    for (place, world) in worlds().await {
        for (query, want) in cases {
            assert_eq!(lines(&ask(&world, request(query)).await), *want, "{place}: {query}");
        }
        assert!(world.engine.traceql_metrics(&world.tenant, request("{ }")).await.is_err(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn divides_time_into_steps() {
    for (place, world) in worlds().await {
        let by_minute = MetricsRequest {
            step_ns: 60 * SECOND,
            exemplars_max: 4,
            start_ns: START + 5 * SECOND,
            ..request("{ kind = server } | count_over_time() by (kind)")
        };
        let answer = ask(&world, by_minute).await;
        let points = &answer.series[0].points;
        // A step holds its end, not its begin.
        let offset = (T0 - START) / SECOND;
        let want = |from: i64| (1..=20).filter(|number| (from + 1..=from + 60).contains(&(offset + number * 10))).count() as f64;
        let wanted: Vec<(i64, f64)> = (0..5).map(|step| (START + (step + 1) * 60 * SECOND, want(step * 60))).collect();
        assert_eq!(*points, wanted, "{place}");
        let exemplars = &answer.series[0].exemplars;
        assert!((1..=4).contains(&exemplars.len()), "{place}: {exemplars:?}");
        assert!(exemplars.iter().all(|exemplar| exemplar.span_id.is_some() && exemplar.value > 0.0 && exemplar.labels == answer.series[0].labels), "{place}");
        let none = MetricsRequest { exemplars_max: 4, ..request("{ } | rate() with(exemplars=false)") };
        assert!(ask(&world, none).await.series[0].exemplars.is_empty(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compares_a_selection_with_the_rest() {
    for (place, world) in worlds().await {
        let lines = lines(&ask(&world, request("{ kind = client } | compare({ status = error }, 2)")).await);
        let has = |line: &str| assert!(lines.iter().any(|other| other == line), "{place}: no {line} in {lines:#?}");
        has("__meta_type=`baseline`,status=ok [16.0]");
        has("__meta_type=`selection`,status=error [4.0]");
        has("__meta_type=`selection`,statusMessage=`gone` [4.0]");
        has("__meta_type=`baseline`,span.db.system=`redis` [16.0]");
        has("__meta_type=`selection`,resource.replicas=3 [4.0]");
        has("__meta_type=`selection`,event.attempt=1 [4.0]");
        has("__meta_type=`selection`,event:name=`retry` [4.0]");
        has("__meta_type=`selection`,rootServiceName=`shop` [4.0]");
        has("__meta_type=`baseline_total`,name=nil [16.0]");
        has("__meta_type=`selection_total`,name=nil [4.0]");
        assert!(!lines.iter().any(|line| line.contains("duration")), "{place}: {lines:#?}");
    }
}
