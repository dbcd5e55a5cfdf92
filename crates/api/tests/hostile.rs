//! Hostile parameters: each has a refusal in the words of its dialect, none an internal error.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_parameters_are_refused() {
    let cases = [
        "/loki/api/v1/query_range".to_owned(),
        "/loki/api/v1/query_range?query=%FF%00".to_owned(),
        "/loki/api/v1/query_range?query=%7B%7D".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&limit=-1".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&limit=0".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&limit=99999999999999999999".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&limit=1000000000".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=yesterday".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=9999999999&end=1".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=NaN.0".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=99999-01-01T00:00:00Z".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&direction=sideways".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&since=-5m".to_owned(),
        "/loki/api/v1/query_range?query=vector(1)&step=0".to_owned(),
        "/loki/api/v1/query_range?query=vector(1)&start=0&end=1700000000&step=1".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D~%22(((a%7B1000%7D)%7B1000%7D)%7B1000%7D)%22%7D".to_owned(),
        "/loki/api/v1/labels?start=x".to_owned(),
        "/loki/api/v1/series?match[]=rate(%7Ba%3D%22b%22%7D[5m])".to_owned(),
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&interval=x".to_owned(),
        "/loki/api/v1/index/stats?query=rate(%7Ba%3D%22b%22%7D[5m])".to_owned(),
        "/loki/api/v1/index/volume?query=%7B".to_owned(),
        "/loki/api/v1/index/volume?query=%7B%7D&limit=-1".to_owned(),
        "/loki/api/v1/index/volume?query=%7B%7D&aggregateBy=colour".to_owned(),
        "/loki/api/v1/index/volume_range?query=%7B%7D&start=0&end=1700000000&step=1".to_owned(),
        "/loki/api/v1/patterns?query=%7B%7D&step=0".to_owned(),
        "/loki/api/v1/detected_fields?query=%7B%7D&line_limit=0".to_owned(),
        "/loki/api/v1/detected_fields?query=%7B%7D&line_limit=1000000000".to_owned(),
        "/loki/api/v1/detected_fields?query=%7B%7D&limit=-1".to_owned(),
        "/loki/api/v1/detected_labels?start=x".to_owned(),
        "/loki/api/v1/format_query".to_owned(),
        "/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D".to_owned(),
        "/jaeger/api/traces/zz".to_owned(),
        "/jaeger/api/traces/00000000000000000000000000000000".to_owned(),
        "/jaeger/api/traces?limit=-3".to_owned(),
        "/jaeger/api/traces?limit=0".to_owned(),
        "/jaeger/api/traces?limit=1000000000".to_owned(),
        "/jaeger/api/traces?start=now".to_owned(),
        "/jaeger/api/traces?minDuration=5".to_owned(),
        "/jaeger/api/traces?minDuration=2s&maxDuration=1s".to_owned(),
        "/jaeger/api/traces?tags=[1]".to_owned(),
        "/jaeger/api/traces?traceID=xyz".to_owned(),
        "/jaeger/api/operations".to_owned(),
        "/jaeger/api/traces/1?raw=2".to_owned(),
        "/jaeger/api/traces/1?start=x".to_owned(),
        "/jaeger/api/traces?spanKind=x".to_owned(),
        "/jaeger/api/metrics/calls".to_owned(),
        "/jaeger/api/metrics/calls?service=a&step=0".to_owned(),
        "/jaeger/api/metrics/calls?service=a&step=1&lookback=9223372036854775807".to_owned(),
        "/jaeger/api/metrics/latencies?service=a&quantile=2".to_owned(),
        "/jaeger/api/metrics/latencies?service=a&quantile=NaN".to_owned(),
        "/zipkin/api/v2/trace/xyz".to_owned(),
        "/zipkin/api/v2/traces?limit=1000000000".to_owned(),
        "/zipkin/api/v2/traces?maxDuration=5".to_owned(),
        "/zipkin/api/v2/traces?minDuration=9223372036854775808".to_owned(),
        "/zipkin/api/v2/traces?endTs=-1".to_owned(),
        format!("/zipkin/api/v2/traces?annotationQuery={}", "a+and+".repeat(200)),
        "/zipkin/api/v2/traceMany?traceIds=1".to_owned(),
        "/zipkin/api/v2/dependencies".to_owned(),
        "/zipkin/api/v2/autocompleteValues".to_owned(),
        "/jaeger/api/dependencies?endTs=x".to_owned(),
        format!("/tempo/api/traces/{}", "a".repeat(33)),
        "/tempo/api/search?q=%7B".to_owned(),
        "/tempo/api/search?q=%7B.a%3D~%22(%22%7D".to_owned(),
        "/tempo/api/search?limit=0".to_owned(),
        "/tempo/api/search?limit=1000000000".to_owned(),
        "/tempo/api/search?start=5&end=1".to_owned(),
        "/tempo/api/search?start=x".to_owned(),
        "/tempo/api/search?minDuration=abc".to_owned(),
        "/tempo/api/search?spss=x".to_owned(),
        "/tempo/api/search?tags=%3Dx".to_owned(),
        "/tempo/api/search?q=%7B%7D&limit=-1".to_owned(),
        format!("/tempo/api/search?q={}", "%7B".repeat(15_000)),
        "/tempo/api/traces/1?start=x".to_owned(),
        "/tempo/api/v2/traces/5b8efff798038103d269b633813fc60c?q=%7B%7D&match_depth=-2".to_owned(),
        "/tempo/api/metrics/query_range?q=%7B%7D%7Crate()&start=0&end=1700000000&step=1ns".to_owned(),
        "/tempo/api/metrics/query_range?q=%7B%7D%7Crate()&step=-1".to_owned(),
        "/tempo/api/metrics/query_range?q=%7B%7D%7Crate()&start=5&end=5".to_owned(),
        "/tempo/api/metrics/query_range?q=%7B%7D%7Crate()&start=99999-01-01T00:00:00Z".to_owned(),
        "/tempo/api/metrics/query?q=rate()".to_owned(),
        "/tempo/api/metrics/query".to_owned(),
        "/tempo/api/v2/search/tag/./values".to_owned(),
        "/tempo/api/v2/search/tags?scope=x".to_owned(),
        "/tempo/api/search?tags=a%3D%22x".to_owned(),
        "/api/v1/query?query=%FF%00".to_owned(),
        "/api/v1/query?query=up&time=yesterday".to_owned(),
        "/api/v1/query?query=up&time=1e300".to_owned(),
        "/api/v1/query?query=up&time=NaN".to_owned(),
        "/api/v1/query?query=up&timeout=soon".to_owned(),
        "/api/v1/query?query=up&lookback_delta=x".to_owned(),
        "/api/v1/query?query=up&limit=-1".to_owned(),
        "/api/v1/query?query=up&limit=99999999999999999999".to_owned(),
        "/api/v1/query?query=up%7Ba%3D~%22(((a%7B1000%7D)%7B1000%7D)%7B1000%7D)%22%7D".to_owned(),
        format!("/api/v1/query?query={}1", "-(".repeat(5_000)),
        format!("/api/v1/query?query={}", "a%2B".repeat(15_000)),
        "/api/v1/query_range?query=up".to_owned(),
        "/api/v1/query_range?query=up&start=5&end=1&step=1".to_owned(),
        "/api/v1/query_range?query=up&start=1&end=5&step=0".to_owned(),
        "/api/v1/query_range?query=up&start=1&end=5&step=-1".to_owned(),
        "/api/v1/query_range?query=up&start=1&end=5&step=1e300".to_owned(),
        "/api/v1/query_range?query=up&start=1&end=5&step=1e-300".to_owned(),
        "/api/v1/query_range?query=up[5m]&start=1&end=5&step=1".to_owned(),
        "/api/v1/labels?start=x".to_owned(),
        "/api/v1/labels?match[]=%7B%7D".to_owned(),
        "/api/v1/label/U__/values".to_owned(),
        "/api/v1/series".to_owned(),
        "/api/v1/series?match[]=%7Ba%3D~%22.*%22%7D".to_owned(),
        "/api/v1/series?match[]=sum(a)".to_owned(),
        "/api/v1/metadata?limit=x".to_owned(),
        "/api/v1/metadata?limit_per_metric=x".to_owned(),
        "/api/v1/query_exemplars".to_owned(),
        "/api/v1/query_exemplars?query=up&start=9&end=1".to_owned(),
        "/api/v1/format_query?query=(".to_owned(),
        "/api/v1/parse_query?query=".to_owned(),
    ];
    let world = World::head().await;
    for path in cases {
        let path = path.replace('[', "%5B").replace(']', "%5D").replace("(((", "%28%28%28");
        let answer = world.get(&path).await;
        let shown: String = path.chars().take(120).collect();
        assert!((400..500).contains(&answer.status), "{shown}: {} {}", answer.status, answer.text());
        assert!(!answer.body.is_empty(), "{shown}");
        if path.starts_with("/api/v1") {
            assert_eq!(answer.json()["status"], "error", "{shown}");
            assert_eq!(answer.content_type, "application/json", "{shown}");
        }
        if path.starts_with("/jaeger") {
            assert_eq!(answer.json()["errors"][0]["code"], answer.status, "{shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn extreme_times_are_answered() {
    let world = World::head().await;
    for path in [
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=0&end=9223372036854775807",
        "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start=-9223372036854775808&end=9223372036854775807",
        "/loki/api/v1/query?query=count_over_time(%7Ba%3D%22b%22%7D%5B5m%5D)&time=-9223372036854775808",
        "/loki/api/v1/index/stats?query=%7B%7D&start=-9223372036854775808&end=9223372036854775807",
        "/loki/api/v1/index/volume_range?query=%7B%7D&start=-9223372036854775808&end=9223372036854775807",
        "/loki/api/v1/patterns?query=%7B%7D&start=-9223372036854775808&end=9223372036854775807",
        "/loki/api/v1/detected_fields?query=%7B%7D&start=-9223372036854775808&end=9223372036854775807",
        "/jaeger/api/traces?start=-9223372036854775808&end=9223372036854775807",
        "/jaeger/api/dependencies?endTs=-9223372036854775808&lookback=9223372036854775807",
        "/tempo/api/search?start=0&end=4294967295",
        "/api/v1/labels?start=-8640000000000&end=8640000000000",
        "/api/v1/series?match%5B%5D=up&start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z",
        "/api/v1/query_exemplars?query=up&start=-8640000000000&end=8640000000000",
    ] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}
