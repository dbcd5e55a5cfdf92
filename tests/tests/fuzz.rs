//! Every decoder and parser that reads what strangers or disks give it has a fuzz target, and a test that does the same
//! briefly, on stable, in every run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is read, the crate, its fuzz target, the test that runs it briefly: file in the crate and function.
const FUZZED: &[(&str, &str, &str, &str, &str)] = &[
    ("OTLP logs, protobuf", "receive", "otlp_logs", "tests/main/brief.rs", "otlp_logs"),
    ("OTLP metrics, protobuf", "receive", "otlp_metrics", "tests/main/brief.rs", "otlp_metrics"),
    ("OTLP traces, protobuf", "receive", "otlp_traces", "tests/main/brief.rs", "otlp_traces"),
    ("OTLP logs, JSON", "receive", "otlp_json_logs", "tests/main/brief.rs", "otlp_json_logs"),
    ("OTLP metrics, JSON", "receive", "otlp_json_metrics", "tests/main/brief.rs", "otlp_json_metrics"),
    ("OTLP traces, JSON", "receive", "otlp_json_traces", "tests/main/brief.rs", "otlp_json_traces"),
    ("remote write 1.0", "receive", "remote_write_v1", "tests/main/brief.rs", "remote_write_v1"),
    ("remote write 2.0", "receive", "remote_write_v2", "tests/main/brief.rs", "remote_write_v2"),
    ("InfluxDB's line protocol", "receive", "influx_lines", "tests/main/brief.rs", "influx_lines"),
    ("statements of InfluxQL", "receive", "influx_query", "tests/main/brief.rs", "influx_query"),
    ("syslog", "receive", "syslog", "tests/main/brief.rs", "syslog"),
    ("rules of transform and what they work on", "receive", "transform", "tests/main/brief.rs", "transform"),
    ("texts that may name a trace", "receive", "trace_link", "tests/main/brief.rs", "trace_link"),
    ("Fluent forward", "receive", "forward", "tests/main/brief.rs", "forward"),
    ("GELF on a connection and over HTTP", "receive", "gelf_stream", "tests/main/brief.rs", "gelf_stream"),
    ("GELF in datagrams and their chunks", "receive", "gelf_datagrams", "tests/main/brief.rs", "gelf_datagrams"),
    ("pushes of Loki, protobuf", "receive", "loki_protobuf", "tests/main/brief.rs", "loki_protobuf"),
    ("pushes of Loki, JSON", "receive", "loki_json", "tests/main/brief.rs", "loki_json"),
    ("logs as JSON", "receive", "json_lines", "tests/main/brief.rs", "json_lines"),
    ("bulk requests of Elasticsearch", "receive", "elastic_bulk", "tests/main/brief.rs", "elastic_bulk"),
    ("events of Splunk", "receive", "splunk_events", "tests/main/brief.rs", "splunk_events"),
    ("promtail.yaml", "receive", "promtail", "tests/main/brief.rs", "promtail"),
    ("promtail's file of positions", "receive", "promtail_positions", "tests/main/brief.rs", "promtail_positions"),
    ("lines of container runtimes", "receive", "container_lines", "tests/main/brief.rs", "container_lines"),
    ("spans of Zipkin, JSON", "receive", "zipkin_json", "tests/main/brief.rs", "zipkin_json"),
    ("spans of Zipkin, protobuf", "receive", "zipkin_protobuf", "tests/main/brief.rs", "zipkin_protobuf"),
    ("spans of Zipkin, Thrift", "receive", "zipkin_thrift", "tests/main/brief.rs", "zipkin_thrift"),
    ("spans of Jaeger, protobuf", "receive", "jaeger_protobuf", "tests/main/brief.rs", "jaeger_protobuf"),
    ("spans of Jaeger, Thrift, and calls to its agent", "receive", "jaeger_thrift", "tests/main/brief.rs", "jaeger_thrift"),
    ("gzip, zstd, deflate, snappy", "receive", "decompress", "tests/main/brief.rs", "decompress"),
    ("pages of targets, text", "scrape", "exposition_text", "tests/exposition/brief.rs", "exposition_text"),
    ("pages of targets, OpenMetrics", "scrape", "exposition_open_metrics", "tests/exposition/brief.rs", "exposition_open_metrics"),
    ("pages of targets, protobuf", "scrape", "exposition_protobuf", "tests/exposition/brief.rs", "exposition_protobuf"),
    ("prometheus.yml", "scrape", "config", "tests/brief.rs", "config"),
    ("rules of relabelling", "scrape", "relabel", "tests/brief.rs", "relabel"),
    ("files of targets", "scrape", "targets", "tests/brief.rs", "targets"),
    ("answers of name servers", "scrape", "dns", "tests/brief.rs", "dns"),
    ("objects of Kubernetes", "scrape", "kubernetes", "tests/brief.rs", "kubernetes"),
    ("PromQL", "lang", "promql", "tests/brief.rs", "promql"),
    ("lists of matchers", "lang", "matchers", "tests/brief.rs", "matchers"),
    ("regular expressions of matchers", "lang", "matcher_regex", "tests/brief.rs", "matcher_regex"),
    ("LogQL", "lang", "logql", "tests/brief.rs", "logql"),
    ("TraceQL", "lang", "traceql", "tests/brief.rs", "traceql"),
    ("the search language", "lang", "search", "tests/brief.rs", "search"),
    ("durations", "lang", "durations", "tests/brief.rs", "durations"),
    ("parameters of every dialect, encoded in a URL", "api", "parameters", "tests/brief.rs", "parameters"),
    ("remote read", "api", "remote_read", "tests/brief.rs", "remote_read"),
    ("messages of Jaeger's services", "api", "jaeger", "tests/brief.rs", "jaeger"),
    ("searches of Elasticsearch", "api", "elastic", "tests/brief.rs", "elastic"),
    ("scripts of pipelines of Elasticsearch", "api", "elastic_script", "tests/brief.rs", "elastic_script"),
    ("statements of SQL", "api", "sql", "tests/brief.rs", "sql"),
    ("calls of Tempo's streaming service", "api", "streaming", "tests/brief.rs", "streaming"),
    ("questions for differences of traces", "api", "trace_diff", "tests/brief.rs", "trace_diff"),
    ("rule files", "alert", "rule_file", "src/rule_file/tests.rs", "no_mutant_of_a_rule_file_makes_it_panic"),
    ("groups of rules", "alert", "rule_group", "src/rule_text.rs", "no_mutant_of_a_group_makes_it_panic"),
    ("unit tests of rules", "alert", "unit_test", "src/unit_test/tests.rs", "no_mutant_of_a_file_of_tests_makes_it_panic"),
    ("series in tests", "lang", "series", "src/promql/series/tests.rs", "no_mutant_of_a_series_makes_it_panic"),
    ("templates of Go", "alert", "template", "src/template/tests.rs", "no_mutant_of_a_template_makes_it_panic"),
    ("configuration files", "app", "config", "tests/house/config.rs", "no_mutant_of_a_configuration_makes_it_panic"),
    ("WAL", "store", "wal_recovery", "src/write/wal/tests/damage.rs", "lost_sectors_and_random_bytes_cost_the_frames_they_hit"),
    ("payloads of frames", "store", "payload_decode", "src/write/payload/tests.rs", "mutated_payloads_never_panic_and_never_allocate_by_a_claim"),
    ("index of series", "store", "series_index", "src/format/metrics/index/tests.rs", "mutations_behind_a_good_checksum_never_panic"),
    ("indexes of rows", "store", "trace_index", "src/format/rows/traces/tests.rs", "hostile_bytes_are_refused_or_an_index"),
    ("pages", "store", "page", "src/format/pages/tests.rs", "hostile_pages_are_refused_or_read"),
    ("indexes of text", "store", "text_index", "src/format/rows/text/tests/hostile.rs", "hostile_bytes_are_refused_or_an_index"),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

#[test]
fn every_target_is_built_and_run_briefly() {
    let mut problems = Vec::new();
    for (what, krate, target, file, test) in FUZZED {
        let folder = crates().join(krate);
        if !folder.join(format!("fuzz/fuzz_targets/{target}.rs")).exists() {
            problems.push(format!("{what}: no target {target} in crates/{krate}/fuzz"));
        }
        let manifest = fs::read_to_string(folder.join("fuzz/Cargo.toml")).unwrap_or_default();
        if !manifest.contains(&format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"")) {
            problems.push(format!("{what}: crates/{krate}/fuzz/Cargo.toml does not build {target}"));
        }
        let source = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let is_test = source.split("#[test]").chain(source.split("#[tokio::test")).skip(1).any(|after| {
            let function = after.lines().map(str::trim_start).find(|line| line.contains("fn ")).unwrap_or_default();
            function.contains(&format!("fn {test}("))
        });
        if !is_test {
            problems.push(format!("{what}: no test {test} in crates/{krate}/{file}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_target_is_in_the_table() {
    let listed: BTreeSet<(String, String)> = FUZZED.iter().map(|(_, krate, target, _, _)| ((*krate).to_owned(), (*target).to_owned())).collect();
    let mut found = BTreeSet::new();
    for krate in fs::read_dir(crates()).expect("crates can be listed").flatten() {
        for target in fs::read_dir(krate.path().join("fuzz/fuzz_targets")).into_iter().flatten().flatten() {
            let name = Path::new(&target.file_name()).file_stem().expect("a file has a name").to_string_lossy().into_owned();
            found.insert((krate.file_name().to_string_lossy().into_owned(), name));
        }
    }
    let strangers: Vec<_> = found.difference(&listed).collect();
    assert!(strangers.is_empty(), "not in the table: {strangers:?}");
}
