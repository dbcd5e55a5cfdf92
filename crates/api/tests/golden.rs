//! Requests and the answers they have in `testdata/<dialect>/<case>.txt`.

use axum::body::Body;
use http::Request;

use crate::world::{Answer, World};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// Dialect and case, path with `TRACE` for the identifier of the trace, and a header.
type Case = (&'static str, &'static str, Option<(&'static str, &'static str)>);

const CASES: &[Case] = &[
    ("loki/query_range", "/loki/api/v1/query_range?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010&limit=10", None),
    (
        "loki/categorized",
        "/loki/api/v1/query_range?query={service_name%3D\"cart\"}|%3D\"order\"&start=1700000000&limit=1",
        Some(("x-loki-response-encoding-flags", "categorize-labels")),
    ),
    ("loki/forward", "/loki/api/v1/query_range?query={service_name%3D\"cart\"}&start=2023-11-14T22:13:20Z&direction=forward&limit=1", None),
    ("loki/nothing", "/loki/api/v1/query_range?query={service_name%3D\"nobody\"}", None),
    ("loki/health", "/loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4000000000", None),
    ("loki/matrix", "/loki/api/v1/query_range?query=vector(2)&start=1700000000&end=1700000004&step=2", None),
    ("loki/labels", "/loki/api/v1/labels", None),
    ("loki/label_values", "/loki/api/v1/label/detected_level/values", None),
    ("loki/series", "/loki/api/v1/series?match[]={service_name%3D\"cart\"}", None),
    ("loki/buildinfo", "/loki/api/v1/status/buildinfo", None),
    ("loki/parse_error", "/loki/api/v1/query_range?query={service_name%3D}", None),
    ("loki/empty_matrix", "/loki/api/v1/query_range?query=rate({a%3D\"b\"}[5m])", None),
    ("loki/index_stats", "/loki/api/v1/index/stats?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010", None),
    ("loki/index_shards", "/loki/api/v1/index/shards?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010", None),
    ("loki/volume", "/loki/api/v1/index/volume?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010", None),
    ("loki/volume_targets", "/loki/api/v1/index/volume?query={}&start=1700000000&end=1700000010&targetLabels=k8s_pod_name,service_name", None),
    ("loki/volume_labels", "/loki/api/v1/index/volume?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010&aggregateBy=labels&limit=2", None),
    ("loki/volume_range", "/loki/api/v1/index/volume_range?query={service_name%3D\"cart\"}&start=1700000000&end=1700000010&step=5", None),
    ("loki/patterns", "/loki/api/v1/patterns?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010&step=10s", None),
    ("loki/detected_fields", "/loki/api/v1/detected_fields?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010&line_limit=10&limit=30", None),
    ("loki/detected_values", "/loki/api/v1/detected_field/detected_level/values?query={service_name%3D~\".%2B\"}&start=1700000000&end=1700000010", None),
    ("loki/detected_labels", "/loki/api/v1/detected_labels?start=1700000000&end=1700000010", None),
    ("loki/drilldown_limits", "/loki/api/v1/drilldown-limits", None),
    ("loki/format_query", "/loki/api/v1/format_query?query=sum(rate({a%3D\"b\"}|json[5m]))by(c)", None),
    ("loki/format_query_bad", "/loki/api/v1/format_query?query={", None),
    ("loki/instant_logs", "/loki/api/v1/query?query={service_name%3D\"cart\"}", None),
    ("loki/rules", "/loki/api/v1/rules", None),
    ("loki/rules_of_file", "/loki/api/v1/rules/%2Frules%2Flogs.yaml", None),
    ("loki/rules_none", "/loki/api/v1/rules/nothing", None),
    ("loki/rules_group", "/loki/api/v1/rules/%2Frules%2Flogs.yaml/logs", None),
    ("loki/ruler_alerts", "/loki/prometheus/api/v1/alerts", None),
    ("loki/config", "/loki/config", None),
    ("loki/services", "/loki/services", None),
    ("loki/ring", "/loki/ring", None),
    ("loki/retired", "/loki/api/prom/query?query={a%3D\"b\"}", None),
    ("loki/delete_off", "/loki/api/v1/delete", None),
    ("jaeger/services", "/jaeger/api/services", None),
    ("jaeger/operation_names", "/jaeger/api/services/shop/operations", None),
    ("jaeger/operations", "/jaeger/api/operations?service=cart", None),
    ("jaeger/trace", "/jaeger/api/traces/TRACE", None),
    (
        "jaeger/search",
        "/jaeger/api/traces?service=cart&operation=DECR%20stock&tags={\"db.system\":\"redis\",\"error\":\"true\"}&minDuration=10ms&limit=5",
        None,
    ),
    ("jaeger/search_nothing", "/jaeger/api/traces?service=cart&minDuration=1h", None),
    ("jaeger/dependencies", "/jaeger/api/dependencies?endTs=1700000060000&lookback=3600000", None),
    ("jaeger/dependencies_of", "/jaeger/api/dependencies?endTs=1700000060000&lookback=3600000&service=nobody", None),
    ("jaeger/trace_raw", "/jaeger/api/traces/TRACE?raw=true&start=1700000000000000&end=1700000001000000&prettyPrint=true", None),
    ("jaeger/by_ids", "/jaeger/api/traces?traceID=TRACE&traceID=77", None),
    ("jaeger/operations_of_kind", "/jaeger/api/operations?service=cart&spanKind=server", None),
    (
        "jaeger/calls",
        "/jaeger/api/metrics/calls?service=shop&service=cart&spanKind=server&spanKind=client&endTs=1700000010000&lookback=10000&step=5000&ratePer=5000",
        None,
    ),
    (
        "jaeger/errors",
        "/jaeger/api/metrics/errors?service=shop&service=cart&spanKind=server&spanKind=client&endTs=1700000010000&lookback=10000&step=5000&ratePer=10000&groupByOperation=true",
        None,
    ),
    ("jaeger/latencies", "/jaeger/api/metrics/latencies?quantile=0.95&service=shop&endTs=1700000010000&lookback=10000&step=10000&ratePer=10000", None),
    ("jaeger/min_step", "/jaeger/api/metrics/minstep", None),
    ("jaeger/no_service", "/jaeger/api/metrics/calls", None),
    ("jaeger/v3_services", "/jaeger/api/v3/services", None),
    ("jaeger/v3_operations", "/jaeger/api/v3/operations?service=shop&span_kind=server", None),
    ("jaeger/v3_trace", "/jaeger/api/v3/traces/W47_95gDgQPSabYzgT_GDA", None),
    (
        "jaeger/v3_search",
        "/jaeger/api/v3/traces?query.service_name=cart&query.start_time_min=2023-11-14T22:00:00Z&query.start_time_max=2023-11-14T23:00:00Z&query.attributes={\"db.system\":\"redis\"}&query.duration_min=1ms",
        None,
    ),
    (
        "jaeger/v3_summaries",
        "/jaeger/api/v3/trace-summaries?query.serviceName=shop&query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T23:00:00Z&query.searchDepth=1",
        None,
    ),
    ("jaeger/v3_dependencies", "/jaeger/api/v3/dependencies?startTime=2023-11-14T22:00:00Z&endTime=2023-11-14T23:00:00Z", None),
    ("jaeger/v3_nothing", "/jaeger/api/v3/traces?query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T22:00:01Z", None),
    ("jaeger/v3_no_times", "/jaeger/api/v3/traces?query.service_name=cart", None),
    ("jaeger/v3_filter", "/jaeger/api/v3/traces?query.filter={}&query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T23:00:00Z", None),
    ("jaeger/not_found", "/jaeger/api/traces/77", None),
    ("jaeger/bad_tag", "/jaeger/api/traces?service=cart&tag=x", None),
    ("zipkin/services", "/zipkin/api/v2/services", None),
    ("zipkin/spans", "/zipkin/api/v2/spans?serviceName=shop", None),
    ("zipkin/spans_of_nobody", "/zipkin/api/v2/spans", None),
    ("zipkin/remote_services", "/zipkin/api/v2/remoteServices?serviceName=cart", None),
    ("zipkin/trace", "/zipkin/api/v2/trace/TRACE", None),
    (
        "zipkin/search",
        "/zipkin/api/v2/traces?serviceName=cart&annotationQuery=db.system%3Dredis+and+exception+and+error&endTs=1700000060000&lookback=3600000&minDuration=10000&maxDuration=10000",
        None,
    ),
    ("zipkin/search_nothing", "/zipkin/api/v2/traces?serviceName=cart&spanName=nothing", None),
    ("zipkin/many", "/zipkin/api/v2/traceMany?traceIds=77,78", None),
    ("zipkin/many_of_one", "/zipkin/api/v2/traceMany?traceIds=77", None),
    ("zipkin/dependencies", "/zipkin/api/v2/dependencies?endTs=1700000060000", None),
    ("zipkin/keys", "/zipkin/api/v2/autocompleteKeys", None),
    ("zipkin/values", "/zipkin/api/v2/autocompleteValues?key=http.method", None),
    ("zipkin/not_found", "/zipkin/api/v2/trace/77", None),
    ("zipkin/bad_id", "/zipkin/api/v2/trace/xyz", None),
    ("tempo/trace", "/tempo/api/traces/TRACE", None),
    ("tempo/trace_v2", "/tempo/api/v2/traces/TRACE?start=1699999000&end=1700000060", None),
    ("tempo/trace_brief", "/tempo/api/v2/traces/TRACE", Some(("accept", "application/vnd.grafana.llm"))),
    ("tempo/trace_part", "/tempo/api/v2/traces/TRACE?q={span.db.system%3D\"redis\"}", Some(("accept", "application/vnd.grafana.llm"))),
    ("tempo/trace_elsewhere", "/tempo/api/traces/TRACE?start=5&end=10", None),
    ("tempo/trace_bad_range", "/tempo/api/traces/TRACE?start=10&end=5", None),
    ("tempo/trace_bad_part", "/tempo/api/v2/traces/TRACE?q={}|count()>1", None),
    ("tempo/search", "/tempo/api/search?q={resource.service.name%3D\"cart\"%26%26status%3Derror}", None),
    ("tempo/search_tags", "/tempo/api/search?tags=service.name%3DSHO%20http.status_code%3D500&minDuration=200ms&start=1700000000&end=1700000060&spss=1", None),
    ("tempo/search_select", "/tempo/api/search?q={name%3D\"GET /order\"}>>{}|select(span.db.system,event.exception.type,kind)", None),
    ("tempo/search_by", "/tempo/api/search?q={}|by(resource.service.name)|count()>0&limit=5", None),
    ("tempo/search_nothing", "/tempo/api/search?q={name%3D\"nothing\"}", None),
    ("tempo/search_metrics", "/tempo/api/search?q={}|rate()", None),
    ("tempo/search_wrong", "/tempo/api/search?q={status%3D}", None),
    ("tempo/search_both", "/tempo/api/search?q={}&tags=a%3Db", None),
    ("tempo/tags", "/tempo/api/search/tags", None),
    ("tempo/tags_intrinsic", "/tempo/api/search/tags?scope=intrinsic", None),
    ("tempo/tags_v2", "/tempo/api/v2/search/tags", None),
    ("tempo/tags_v2_event", "/tempo/api/v2/search/tags?scope=event", None),
    ("tempo/tags_v2_where", "/tempo/api/v2/search/tags?limit=2&q={resource.service.name%3D\"cart\"%26%26.x%3D}", None),
    ("tempo/tags_v2_bad", "/tempo/api/v2/search/tags?scope=planet", None),
    ("tempo/values", "/tempo/api/search/tag/service.name/values", None),
    ("tempo/values_v2", "/tempo/api/v2/search/tag/span.http.status_code/values", None),
    ("tempo/values_name", "/tempo/api/v2/search/tag/name/values", None),
    ("tempo/values_where", "/tempo/api/v2/search/tag/name/values?q={status%3Derror%26%26span.}", None),
    ("tempo/values_event", "/tempo/api/v2/search/tag/event.exception.type/values", None),
    ("tempo/values_root", "/tempo/api/v2/search/tag/trace:rootService/values", None),
    ("tempo/values_brief", "/tempo/api/v2/search/tag/status/values", Some(("accept", "application/vnd.grafana.llm"))),
    (
        "tempo/metrics_range",
        "/tempo/api/metrics/query_range?q={}|count_over_time()by(resource.service.name)&start=1699999990&end=1700000005&step=5s&exemplars=10",
        None,
    ),
    (
        "tempo/metrics_default",
        "/tempo/api/metrics/query_range?query={}|quantile_over_time(duration,.5)by(kind)&exemplars=1&start=1699999990&end=1700000010&step=20",
        None,
    ),
    ("tempo/metrics_some", "/tempo/api/metrics/query_range?q={}|rate()by(name)&start=1699999990&end=1700000010&step=20&maxSeries=1", None),
    ("tempo/metrics_instant", "/tempo/api/metrics/query?q={}|rate()by(status)&start=1699999990&end=1700000010", None),
    ("tempo/metrics_search", "/tempo/api/metrics/query_range?q={}", None),
    ("tempo/metrics_bad_range", "/tempo/api/metrics/query?q={}|rate()&start=10&end=5", None),
    ("tempo/echo", "/tempo/api/echo", None),
    ("tempo/buildinfo", "/tempo/api/status/buildinfo", None),
    ("tempo/ready", "/tempo/ready", None),
    ("tempo/status", "/tempo/status", None),
    ("tempo/status_version", "/tempo/status/version", None),
    ("tempo/status_nothing", "/tempo/status/weather", None),
    ("tempo/overrides", "/tempo/api/overrides", None),
    ("tempo/mcp", "/tempo/api/mcp", None),
    ("tempo/not_found", "/tempo/api/traces/0", None),
    ("tempo/bad_id", "/tempo/api/traces/xyz", None),
    ("native/trace", "/api/v1/traces/TRACE", None),
    ("native/trace_nothing", "/api/v1/traces/77", None),
    ("native/trace_bad", "/api/v1/traces/xyz", None),
    ("native/traces_diff", "/api/v1/traces/diff?base=TRACE&compare=TRACE", None),
    ("native/traces_diff_nothing", "/api/v1/traces/diff?base=TRACE&compare=77", None),
    ("native/traces_diff_half", "/api/v1/traces/diff?base=TRACE", None),
    ("native/traces_path", "/api/v1/traces/critical_path?trace_id=TRACE", None),
    ("native/traces_paths", "/api/v1/traces/critical_path?query={}&start=1700000000&limit=10", None),
    ("native/traces_paths_neither", "/api/v1/traces/critical_path", None),
    ("native/traces_attributes", "/api/v1/traces/attributes?selection={status%3Derror}&start=1700000000", None),
    ("native/traces_attributes_bad", "/api/v1/traces/attributes?selection={}|count()>1", None),
    ("prometheus/vector", "/api/v1/query?query=up&time=1700000030", None),
    ("prometheus/scalar", "/prometheus/api/v1/query?query=1%2B1&time=2023-11-14T22:13:20.5Z", None),
    ("prometheus/string", "/api/v1/query?query='a\"b'&time=1700000030.25", None),
    ("prometheus/matrix", "/api/v1/query?query=up{job=\"cart\"}[31s]&time=1700000030", None),
    ("prometheus/now", "/api/v1/query?query=count(up)", None),
    ("prometheus/histogram", "/api/v1/query?query=latency_seconds&time=1700000030.001", None),
    ("prometheus/limit", "/api/v1/query?query=up&time=1700000030&limit=1", None),
    ("prometheus/stats", "/api/v1/query?query=up&time=1700000030&stats=all", None),
    ("prometheus/stats_range", "/api/v1/query_range?query=rate(requests_total[30s])&start=1700000000&end=1700000060&step=15&stats=all", None),
    ("prometheus/stats_true", "/api/v1/query?query=up&time=1700000030&stats=true", None),
    ("prometheus/stats_word", "/api/v1/query?query=up&time=1700000030&stats=yes", None),
    ("prometheus/lookback", "/api/v1/query?query=up&time=1700000075&lookback_delta=10s", None),
    ("prometheus/warning", "/api/v1/query?query=quantile(2,up)&time=1700000030", None),
    ("prometheus/info", "/api/v1/query?query=rate(up[1m])&time=1700000030", None),
    ("prometheus/many_to_many", "/api/v1/query?query=up%20*%20on()%20up&time=1700000030", None),
    ("prometheus/range", "/api/v1/query_range?query=sum%20by(job)(rate(requests_total[1m]))/0&start=1700000000&end=1700000060&step=15", None),
    ("prometheus/range_histograms", "/api/v1/query_range?query=latency_seconds&start=1700000000&end=1700000020&step=20s", None),
    ("prometheus/range_scalar", "/api/v1/query_range?query=time()*1e15&start=1700000000.5&end=1700000002&step=1", None),
    ("prometheus/range_nothing", "/api/v1/query_range?query=nothing&start=1700000000&end=1700000020&step=20", None),
    ("prometheus/labels", "/api/v1/labels", None),
    ("prometheus/labels_limit", "/api/v1/labels?limit=1&match[]=up", None),
    ("prometheus/values", "/api/v1/label/job/values?start=1700000000&end=1700000060", None),
    ("prometheus/values_escaped", "/api/v1/label/U__http_2e_method/values", None),
    ("prometheus/values_matched", "/prometheus/api/v1/label/__name__/values?match[]={job=~\"c.*\"}", None),
    ("prometheus/series", "/api/v1/series?match[]=up{job=\"cart\"}&match[]=latency_seconds", None),
    ("prometheus/series_utf8", "/api/v1/series?match[]={\"http.method\"=\"GET\"}", None),
    ("prometheus/series_nothing", "/api/v1/series?match[]=nothing", None),
    ("prometheus/metadata", "/api/v1/metadata", None),
    ("prometheus/metadata_one", "/api/v1/metadata?metric=up&limit=5", None),
    ("prometheus/exemplars", "/api/v1/query_exemplars?query=rate(requests_total[5m])&start=1700000000&end=1700000060", None),
    ("prometheus/format_query", "/api/v1/format_query?query=sum(rate(foo[5m]))by(job)", None),
    (
        "prometheus/parse_query",
        "/api/v1/parse_query?query=sum%20by(job)(rate(a{b!=\"c\"}[5m]%20offset%201m))%20/%20on(job)%20group_left(x)%20-max_over_time(b[1h:5m]%20@%20start())",
        None,
    ),
    ("prometheus/parse_query_calls", "/api/v1/parse_query?query=(round(a,2)>bool%20topk(3,%20b%20@%2012))%20or%20label_join(c,\"d\",\",\",\"e\")", None),
    ("prometheus/buildinfo", "/api/v1/status/buildinfo", None),
    ("prometheus/flags", "/api/v1/status/flags", None),
    ("prometheus/config", "/api/v1/status/config", None),
    ("scrape/pools", "/api/v1/scrape_pools", None),
    ("scrape/pool_config", "/api/v1/scrape_pools/config?scrapePool=node", None),
    ("scrape/targets", "/api/v1/targets", None),
    ("scrape/metadata", "/prometheus/api/v1/targets/metadata", None),
    ("scrape/metadata_one", "/api/v1/targets/metadata?match_target={job=\"node\"}&metric=up_seconds&limit=1", None),
    ("scrape/relabel_steps", "/api/v1/targets/relabel_steps?scrapePool=node&labels={\"__address__\":\"a\"}", None),
    ("prometheus/features", "/api/v1/features", None),
    ("prometheus/alertmanagers", "/api/v1/alertmanagers", None),
    ("prometheus/walreplay", "/api/v1/status/walreplay", None),
    ("prometheus/notifications", "/api/v1/notifications", None),
    ("prometheus/nothing", "/api/v1/nothing", None),
    ("prometheus/tsdb", "/api/v1/status/tsdb?limit=3", None),
    ("prometheus/rules", "/api/v1/rules", None),
    ("prometheus/rules_filtered", "/api/v1/rules?type=alert&rule_group[]=shop&file[]=/rules/shop.yaml&rule_name[]=Slow&exclude_alerts=true", None),
    ("prometheus/rules_matched", "/api/v1/rules?match[]={severity=\"page\"}&match[]={team=\"none\"}", None),
    ("prometheus/rules_page", "/api/v1/rules?group_limit=1&type=record", None),
    ("prometheus/alerts", "/prometheus/api/v1/alerts", None),
    ("prometheus/parse_error", "/api/v1/query?query=up{", None),
    ("prometheus/no_query", "/api/v1/query", None),
    ("prometheus/too_many_steps", "/api/v1/query_range?query=up&start=0&end=1700000000&step=1", None),
];

fn render(answer: &Answer) -> String {
    let body = match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(mut json) => {
            // How much was read to find an answer depends on where it lies.
            for read in
                ["summary/totalBytesProcessed", "summary/totalLinesProcessed", "querier/store/chunk/decompressedBytes", "querier/store/chunk/decompressedLines"]
            {
                if let Some(count) = json.pointer_mut(&format!("/data/stats/{read}")) {
                    *count = serde_json::json!(if count.is_u64() { "a number" } else { "wrong" });
                }
            }
            if let Some(metrics) = json.get_mut("metrics").and_then(serde_json::Value::as_object_mut) {
                for read in ["inspectedTraces", "inspectedSpans", "totalBlocks"] {
                    metrics.remove(read);
                }
            }
            serde_json::to_string_pretty(&json).unwrap()
        }
        Err(_) => answer.text(),
    };
    format!("{} {}\n\n{body}\n", answer.status, answer.content_type)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_the_golden_files() {
    let is_blessing = std::env::var("BLESS").is_ok();
    let (mut wrong, scraping) = (Vec::new(), World::scraping().await);
    for (place, world) in [("head", World::head().await), ("segments", World::segments().await)] {
        for (name, path, header) in CASES {
            let mut request = Request::get(escape(&path.replace("TRACE", TRACE)));
            if let Some((header, value)) = header {
                request = request.header(*header, *value);
            }
            // Nothing is scraped in the others, and only these ask for it.
            let world = if name.starts_with("scrape/") { &scraping } else { &world };
            let got = render(&world.send(request.body(Body::empty()).unwrap()).await);
            let file = format!("{}/testdata/{name}.txt", env!("CARGO_MANIFEST_DIR"));
            if is_blessing && place == "head" {
                std::fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
                std::fs::write(&file, &got).unwrap();
            }
            let want = std::fs::read_to_string(&file).unwrap_or_default();
            if got != want {
                wrong.push(format!("{place} {name}: got {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path that a URI may hold: tests are written to be read.
fn escape(path: &str) -> String {
    path.chars().map(|character| if "{}\"|<>[] ".contains(character) { format!("%{:02X}", u32::from(character)) } else { character.to_string() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn loki_reads_forms() {
    let world = World::head().await;
    let body = "query=%7Bservice_name%3D%22cart%22%7D+%7C%3D+%22coffee%22&start=1700000000000000000&end=1700000010000000000";
    let request = Request::post("/loki/api/v1/query_range").header("content-type", "application/x-www-form-urlencoded").body(Body::from(body)).unwrap();
    let answer = world.send(request).await.json();
    assert_eq!(answer["data"]["result"][0]["values"][0][1], "ordered coffee");
}
