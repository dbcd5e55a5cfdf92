//! Every fuzz target, briefly and on stable: good requests of every dialect, damaged.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use http::StatusCode;
use signalbox_testkit::mutate;

use crate::world::World;

const MUTANTS: usize = 120;

const PIECES: &[&str] = &[
    "&",
    "=",
    "?",
    "/",
    "%",
    "%00",
    "%FF",
    "%zz",
    "+",
    "match[]=",
    "query=",
    "start=",
    "end=",
    "step=",
    "limit=",
    "-1",
    "0",
    "1e300",
    "NaN",
    "9223372036854775808",
    "2024-02-29T12:34:56Z",
    "5m",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "\u{e9}",
    ";",
    "--",
    "'",
];

/// All mutants of the seeds; collected first, because a check of the engine cannot wait.
fn mutants(seeds: &[&str]) -> Vec<String> {
    let mut mutants = Vec::new();
    mutate::texts(seeds, PIECES, MUTANTS, |text| mutants.push(text.to_owned()));
    mutants
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters() {
    let world = World::head().await;
    let seeds = [
        "api/v1/query?query=sum(rate(a{b=\"c\"}[5m]))&time=1700000000.5&timeout=5s&limit=3&lookback_delta=1m",
        "api/v1/query_range?query=up&start=2023-11-14T22:13:20Z&end=1700000060&step=15",
        "api/v1/series?match[]=up&match[]={a=~\"b.*\"}&start=1700000000&end=1700000060",
        "api/v1/label/U__a_2e_b/values?match[]=up&limit=2",
        "api/v1/metadata?metric=up&limit=1&limit_per_metric=1",
        "api/v1/search/metric_names?search[]=reqs&fuzz_threshold=10&fuzz_alg=jarowinkler&sort_by=score&limit=3&batch_size=2&include_score=true",
        "api/v1/status/self_metrics?metric_name_pattern=process_.*",
        "api/v1/logs/search?query=service:cart level:(error OR info) \"tea\"&start=1700000000&end=now&limit=3&direction=forward&fields=level,size&total=true",
        "api/v1/logs/histogram?query=tea&interval=5s&by=level&start=1700000000&end=1700000060",
        "api/v1/logs/facets?query=*&fields=service&more=3&values=2&start=1700000000&end=1700000060",
        "elastic/logs-*/_search?q=level:error&sort=@timestamp:desc&size=3&_source_includes=mess*&track_total_hits=2&timeout=5s",
        "elastic/logs-c*,-x/_field_caps?fields=*",
        "elastic/_cat/indices/*?v=true&h=index,docs.count",
        "federate?match[]={__name__=~\"up|latency.*\"}",
        "loki/api/v1/query_range?query={service_name=\"cart\"} |= `tea`&start=1700000000000000000&end=1700000060&limit=10&direction=forward&since=1h",
        "loki/api/v1/label/service_name/values?start=1700000000&query={a=\"b\"}",
        "jaeger/api/traces?service=shop&operation=GET /&tags={\"http.method\":\"GET\"}&minDuration=1ms&maxDuration=1s&lookback=1h&limit=20&start=1699999999000000&end=1700000060000000",
        "jaeger/api/traces/5b8efff798038103d269b633813fc60c",
        "jaeger/api/metrics/latencies?service=shop&quantile=0.95&groupByOperation=true&spanKind=server&step=5000&lookback=60000&ratePer=10000&endTs=1700000060000",
        "jaeger/api/v3/trace-summaries?query.service_name=shop&query.attributes={\"a\":\"b\"}&query.start_time_min=2023-11-14T22:00:00Z&query.start_time_max=2023-11-14T23:00:00Z&query.duration_min=1ms&query.num_traces=5",
        "zipkin/api/v2/traces?serviceName=cart&annotationQuery=db.system%3Dredis and error and x%3D&minDuration=1&maxDuration=1000000&endTs=1700000060000&lookback=3600000&limit=5",
        "zipkin/api/v2/traceMany?traceIds=5b8efff798038103d269b633813fc60c,77",
        "tempo/api/search?q={ resource.service.name = \"shop\" %26%26 duration > 1ms }&limit=5&spss=3&start=1700000000&end=1700000060",
        "tempo/api/search?tags=a=\"b c\" d=e&minDuration=1ms&maxDuration=5s&limit=5",
        "tempo/api/v2/search/tag/resource.service.name/values?q={}",
        "tempo/api/v2/search/tags?scope=event&q={ status = error %26%26 .a = }&start=1700000000&end=1700000060&limit=5",
        "tempo/api/v2/traces/5b8efff798038103d269b633813fc60c?q={ .a = 1 || true }&keep_hierarchy=true&match_depth=2&ancestor_depth=-1",
        "tempo/api/metrics/query_range?q={ } | rate() by (name)&start=1700000000&end=1700000060&step=15s&exemplars=3&maxSeries=4&since=1h",
        "tempo/api/metrics/query?query={ } | avg_over_time(duration)&start=1700000000.5&end=2023-11-14T22:14:20Z",
        "api/v1/traces/critical_path?query={ status = error }&start=1700000000&end=now&limit=3",
        "api/v1/traces/attributes?query={ }&selection={ status = error }&start=1700000000&end=now&limit=3",
        "api/v1/traces/5b8efff798038103d269b633813fc60c",
        "api/v1/traces/diff?base=5b8efff798038103d269b633813fc60c&compare=5b8efff798038103d269b633813fc60c&limit=7",
    ];
    for seed in seeds {
        assert_eq!(bodies::parameters(world.router(), seed).await, Some(StatusCode::OK), "{seed}");
    }
    for text in mutants(&seeds) {
        bodies::parameters(world.router(), &text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic() {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "null",
        "true",
        "-1",
        "1e400",
        "9999999999999999999",
        "\"a\"",
        "\"now-1d/d\"",
        "\"*\"",
        "{}",
        "[]",
        "\\",
        "\u{e9}",
        "field",
        "aggs",
        "\"1ms\"",
        "\"2024||/y\"",
    ];
    let world = World::head().await;
    let seeds = [
        r#"{"size":3,"query":{"bool":{"filter":[{"range":{"@timestamp":{"gte":"now-1h/d","lte":1700000060000,"format":"epoch_millis"}}},{"query_string":{"query":"tea OR level:(error warn)"}}],"must_not":{"term":{"size":{"value":7}}},"minimum_should_match":1,"should":[{"wildcard":{"k8s.pod.name":"c*"}},{"match":{"message":"a b"}}]}},"sort":[{"@timestamp":"desc"},"_doc"],"search_after":[1700000060000,5],"highlight":{"fields":{"*":{}}},"fields":["*"],"_source":{"includes":["m*"]}}"#,
        r#"{"size":0,"track_total_hits":true,"aggs":{"a":{"date_histogram":{"field":"@timestamp","fixed_interval":"1h","time_zone":"+01:00","extended_bounds":{"min":1699999000000,"max":1700009000000}},"aggs":{"b":{"terms":{"field":"service.name","order":{"c[50]":"desc"},"missing":"x"},"aggs":{"c":{"percentiles":{"field":"size","percents":[50]}},"d":{"top_hits":{"size":1}}}}}},"e":{"range":{"field":"size","ranges":[{"from":1},{"to":5}]}},"f":{"histogram":{"field":"size","interval":4}}}}"#,
    ];
    for seed in seeds {
        assert_eq!(bodies::elastic(world.router(), seed).await, StatusCode::OK, "{seed}");
    }
    let mut mutants = Vec::new();
    mutate::texts(&seeds, PIECES, MUTANTS, |text| mutants.push(text.to_owned()));
    for text in mutants {
        bodies::elastic(world.router(), &text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic_script() {
    const PIECES: &[&str] = &[
        "params.a",
        "params.b",
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "%",
        ",",
        ";",
        "return ",
        "Math.",
        "max(",
        "pow(",
        "1e308",
        ".5",
        "0",
        "params.",
        "\u{e9}",
        "MovingFunctions.",
        "values",
        "holtWinters(",
        "true",
    ];
    let world = World::head().await;
    let seeds = [
        "params.a / params.b * 100",
        "return Math.max(Math.abs(-params.a), params.b % 7) + 2 * (params.a - .5);",
        "Math.round(Math.pow(params.a, 2)) - Math.log10(params.b) / Math.sqrt(params.a) + Math.floor(params.b)",
    ];
    for seed in seeds {
        assert_eq!(bodies::elastic_script(world.router(), seed).await, StatusCode::OK, "{seed}");
    }
    let deep = format!("{}params.a{}", "(".repeat(3_000), ")".repeat(3_000));
    for hostile in ["", ";", "params.a +", "doc['a'].value", "while(true){}", "params.c", &deep, &"-".repeat(4_000), &"params.a+".repeat(2_000)] {
        assert_eq!(bodies::elastic_script(world.router(), hostile).await, StatusCode::BAD_REQUEST, "{hostile:.40}");
    }
    let long = format!("{}params.a", "params.a+".repeat(400));
    assert_eq!(bodies::elastic_script(world.router(), &long).await, StatusCode::OK);
    let moving = ["MovingFunctions.holtWinters(values, 0.3, 0.1, 0.3, 2, true)", "MovingFunctions.stdDev(values, MovingFunctions.unweightedAvg(values))"];
    let mut mutants = Vec::new();
    mutate::texts(&[&seeds[..], &moving[..]].concat(), PIECES, MUTANTS, |text| mutants.push(text.to_owned()));
    for text in mutants {
        bodies::elastic_script(world.router(), &text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql() {
    let world = World::head().await;
    let seeds = [
        "SELECT name, count(*) AS n FROM metrics WHERE timestamp > now() - INTERVAL '1 hour' GROUP BY name ORDER BY n DESC LIMIT 10",
        "WITH slow AS (SELECT * FROM spans WHERE duration_ns > 5) SELECT l.body FROM logs l JOIN slow ON l.trace_id = slow.trace_id",
        "EXPLAIN SELECT 1; COPY (SELECT 1) TO '/x'; DROP TABLE logs; SET a = 1",
    ];
    for seed in &seeds[..2] {
        assert_eq!(bodies::sql(world.router(), seed).await, StatusCode::OK, "{seed}");
    }
    for text in mutants(&seeds) {
        bodies::sql(world.router(), &text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_read() {
    use prost::Message as _;
    use signalbox_proto::remote_read::{LabelMatcher, Query, ReadHints, ReadRequest};

    let world = World::head().await;
    let matcher = |kind, name: &str, value: &str| LabelMatcher { r#type: kind, name: name.into(), value: value.into() };
    let query = |matchers| Query { start_timestamp_ms: 1_700_000_000_000, end_timestamp_ms: 1_700_000_060_000, matchers, hints: Some(ReadHints::default()) };
    let queries = vec![query(vec![matcher(0, "__name__", "up")]), query(vec![matcher(2, "job", "c.*"), matcher(3, "instance", "x|y")])];
    let seeds: Vec<Vec<u8>> =
        [vec![], vec![1, 0]].into_iter().map(|kinds| ReadRequest { queries: queries.clone(), accepted_response_types: kinds }.encode_to_vec()).collect();
    let mut mutants = Vec::new();
    for seed in &seeds {
        assert_eq!(bodies::remote_read(world.router(), seed).await, StatusCode::OK);
    }
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    mutate::bytes(&seeds, MUTANTS, |bytes| mutants.push(bytes.to_vec()));
    for bytes in mutants {
        bodies::remote_read(world.router(), &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jaeger() {
    use prost::Message as _;
    use signalbox_proto::google_rpc::{Duration, Timestamp};
    use signalbox_proto::jaeger::{api_v2, api_v3};

    let world = World::head().await;
    let (start, end) = (Some(Timestamp { seconds: 1_699_999_000, nanos: 1 }), Some(Timestamp { seconds: 1_700_000_060, nanos: 0 }));
    let query = api_v3::TraceQueryParameters {
        service_name: "shop".into(),
        operation_name: "GET /order".into(),
        attributes: [("http.method".into(), "GET".into())].into(),
        start_time_min: start,
        start_time_max: end,
        duration_min: Some(Duration { seconds: 0, nanos: 5 }),
        search_depth: 3,
        ..api_v3::TraceQueryParameters::default()
    };
    let seeds = [
        api_v3::FindTracesRequest { query: Some(query) }.encode_to_vec(),
        api_v3::GetTraceRequest { trace_id: "5b8efff798038103d269b633813fc60c".into(), ..api_v3::GetTraceRequest::default() }.encode_to_vec(),
        api_v2::GetTraceRequest { trace_id: vec![7; 16], start_time: start, end_time: end, raw_traces: true }.encode_to_vec(),
        api_v2::GetDependenciesRequest { start_time: start, end_time: end }.encode_to_vec(),
        br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#.to_vec(),
    ];
    assert_eq!(bodies::jaeger(world.router(), &seeds[4]).await, StatusCode::OK);
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let mut mutants = Vec::new();
    mutate::bytes(&seeds, MUTANTS, |bytes| mutants.push(bytes.to_vec()));
    for bytes in mutants {
        bodies::jaeger(world.router(), &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streaming() {
    use prost::Message as _;
    use signalbox_proto::tempo::{QueryRangeRequest, SearchRequest, SearchTagValuesRequest};

    let world = World::head().await;
    let search =
        SearchRequest { query: "{ status = error }".into(), tags: [("a".into(), "b".into())].into(), limit: 3, start: 1_700_000_000, ..Default::default() };
    let values = SearchTagValuesRequest { tag_name: "span.a".into(), query: "{ .b = }".into(), ..Default::default() };
    let range = QueryRangeRequest { query: "{} | rate()".into(), start: 1_700_000_000_000_000_000, end: 1_700_000_060_000_000_000, ..Default::default() };
    let seeds: Vec<Vec<u8>> = [(0u8, search.encode_to_vec()), (4, values.encode_to_vec()), (5, range.encode_to_vec())]
        .into_iter()
        .map(|(which, message)| [vec![which], message].concat())
        .collect();
    for seed in &seeds {
        assert_eq!(bodies::streaming(world.router(), seed).await, StatusCode::OK);
    }
    let mut mutants = Vec::new();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    mutate::bytes(&seeds, MUTANTS, |bytes| mutants.push(bytes.to_vec()));
    for bytes in mutants {
        bodies::streaming(world.router(), &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trace_diff() {
    let world = World::comparing().await;
    let seeds = [
        r#"{"base":{"traceId":"01","start":1700000000,"end":1700000100},"compare":{"traceId":"02"},"format":"trace-summary-v0-composed"}"#,
        r#"{"base":{"traceId":"02"},"compare":{"traceId":"03"}}"#,
    ];
    for seed in seeds {
        assert_eq!(bodies::trace_diff(world.router(), seed).await, StatusCode::OK, "{seed}");
    }
    for text in mutants(&seeds) {
        bodies::trace_diff(world.router(), &text).await;
    }
}
