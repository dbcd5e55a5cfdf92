//! Verdicts of the conformance data, and what is particular to this reader.

use std::path::Path;
use std::time::Duration;

use signalbox_testkit::conformance;

use super::*;
use crate::relabel::Action;

fn no_environment(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<PrometheusConfig, String> {
    PrometheusConfig::parse(text, no_environment).map_err(|error| error.to_string())
}

fn complaint(text: &str) -> String {
    parse(text).expect_err(text)
}

#[test]
fn files_of_prometheus_get_its_verdict() {
    let (Some(root), Some(facts)) = (conformance::root(), conformance::facts("config/prometheus-expected.jsonl")) else { return };
    let (mut failures, mut other_words) = (Vec::new(), Vec::new());
    for fact in &facts {
        let name = fact["file"].as_str().unwrap();
        let folder = root.join("config/prometheus");
        let file = [folder.join(name), folder.join("scrape_configs").join(name)].into_iter().find(|file| file.exists()).unwrap_or_else(|| panic!("{name}"));
        let loaded = PrometheusConfig::load(&file, no_environment);
        let wants_good = fact["load"] == "ok";
        match &loaded {
            Ok(_) if wants_good => {}
            Ok(_) => failures.push(format!("{name}: loads: want {}", fact["error_contains_informative"])),
            Err(error) if wants_good => failures.push(format!("{name}: {error}")),
            Err(error) => {
                let theirs = fact["error_contains_informative"].as_str().unwrap();
                if !error.to_string().contains(theirs) {
                    other_words.push(format!("{name}\n  ours:   {error}\n  theirs: {theirs}"));
                }
            }
        }
    }
    eprintln!("in other words:\n{}", other_words.join("\n"));
    conformance::report("prometheus.yml", facts.len(), &failures);
}

/// Files of the same suite that have no line in the list: good or bad is in the name.
#[test]
fn files_without_a_line_get_the_verdict_of_their_name() {
    let Some(root) = conformance::root() else { return };
    let expected = std::fs::read_to_string(root.join("config/prometheus-expected.jsonl")).unwrap();
    // A file of targets, and two that name a file twice which is not among the data.
    let bad_by_other_means = ["static_config.bad.yml", "scrape_config_files_double_import.bad.yml", "scrape_config_files_global_duplicate.bad.yml"];
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in std::fs::read_dir(root.join("config/prometheus")).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !name.ends_with(".yml") || expected.contains(&format!("\"{name}\"")) || bad_by_other_means.contains(&name.as_str()) {
            continue;
        }
        cases += 1;
        let is_bad = name.contains(".bad.") || name.contains(".incompatible.") || name == "config_with_deprecated_am_api_config.yml";
        match PrometheusConfig::load(&path, no_environment) {
            Ok(_) if is_bad => failures.push(format!("{name} loads")),
            Err(error) if !is_bad => failures.push(format!("{name}: {error}")),
            _ => {}
        }
    }
    conformance::report("prometheus.yml by name", cases, &failures);
}

#[test]
fn examples_of_prometheus_load() {
    let Some(root) = conformance::root() else { return };
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in std::fs::read_dir(root.join("config/prometheus-examples")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Objects of Kubernetes, no configuration.
        if name == "rbac-setup.yml" {
            continue;
        }
        cases += 1;
        if let Err(error) = PrometheusConfig::load(&entry.path(), no_environment) {
            failures.push(format!("{name}: {error}"));
        }
    }
    conformance::report("examples", cases, &failures);
}

#[test]
fn clients_of_http_get_the_verdict_of_prometheus() {
    let Some(root) = conformance::root() else { return };
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in std::fs::read_dir(root.join("config/prometheus-common-http")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let verdict = if name.starts_with("tls_config") {
            from_text::<TlsConfig>(&text).and_then(|(config, _)| check::tls(&config))
        } else {
            from_text::<HttpClientConfig>(&text).and_then(|(mut config, _)| check::http(&mut config))
        };
        cases += 1;
        let is_bad = name.contains(".bad.") || name.contains(".bad-");
        match verdict {
            Ok(()) if is_bad => failures.push(format!("{name} is taken")),
            Err(complaint) if !is_bad => failures.push(format!("{name}: {complaint}")),
            _ => {}
        }
    }
    conformance::report("clients of HTTP", cases, &failures);
    assert_eq!(cases, 32);
}

#[test]
fn the_large_example_is_read_whole() {
    let Some(root) = conformance::root() else { return };
    let config = PrometheusConfig::load(&root.join("config/prometheus/conf.good.yml"), no_environment).unwrap();
    let job = |name: &str| config.scrape_configs.iter().find(|job| job.job_name == name).unwrap_or_else(|| panic!("{name}"));
    let first = job("prometheus");
    assert_eq!((first.scrape_interval, first.scrape_timeout), (Duration::from_secs(15), Duration::from_secs(10)));
    assert_eq!((first.body_size_limit, first.sample_limit, first.target_limit), (15 << 20, 1500, 30));
    assert_eq!(first.relabel_configs[3].regex.as_str(), "", "nothing is the expression that only nothing matches");
    assert_eq!(first.discovery.files[0].files.len(), 3);
    assert_eq!(first.http.http_headers["foo"].secrets.len(), 2);
    assert!(first.http.authorization.as_ref().unwrap().credentials_file.ends_with("config/prometheus/valid_token_file"));
    let second = job("service-x");
    assert_eq!((second.scrape_interval, second.scrape_timeout), (Duration::from_secs(50), Duration::from_secs(5)));
    assert_eq!(second.http.basic_auth.as_ref().unwrap().password.reveal(), "multiline\nmysecret\ntest");
    assert_eq!(second.relabel_configs[2].regex.as_str(), "1");
    assert_eq!(second.relabel_configs[3].action, Action::LabelMap);
    assert_eq!(job("service-kubernetes").discovery.kubernetes[0].http.basic_auth.as_ref().unwrap().username, "myusername");
    assert!(job("hetzner").takes_native_histograms());
    assert_eq!(job("hetzner").protocols()[0], ScrapeProtocol::PrometheusProto);
    assert_eq!(config.storage.tsdb.retention.time, Duration::from_secs(86_400));
    assert_eq!(config.storage.tsdb.retention.percentage, 28.0);
    let paths: Vec<String> = config.unsupported().into_iter().map(|unsupported| unsupported.path).collect();
    for path in ["remote_write", "remote_read", "tracing", "otlp", "global.query_log_file", "scrape_configs[2].consul_sd_configs"] {
        assert!(paths.iter().any(|known| known == path), "{path} is not among {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.starts_with("alerting")), "{paths:?}");
}

#[test]
fn no_secret_is_shown() {
    let Some(root) = conformance::root() else { return };
    let config = PrometheusConfig::load(&root.join("config/prometheus/conf.good.yml"), no_environment).unwrap();
    for shown in [config.to_yaml(), format!("{config:?}")] {
        assert!(!shown.contains("mysecret"), "{shown}");
        assert!(shown.contains(values::SECRET_SHOWN));
    }
    let text = "scrape_configs: [{job_name: a, proxy_url: 'http://me:hidden@proxy:3128/x', basic_auth: {username: u, password: hidden}, oauth2: {}}]";
    assert!(!complaint(text).contains("hidden"));
    let text = text.replace(", oauth2: {}", "");
    let shown = parse(&text).unwrap().to_yaml();
    assert!(shown.contains("proxy_url: http://me:xxxxx@proxy:3128/x") && !shown.contains("hidden"), "{shown}");
}

#[test]
fn what_is_shown_reads_the_same_again() {
    let text = "
global: {scrape_interval: 15s, external_labels: {a: b}, body_size_limit: 15MB}
rule_files: ['*.rules']
scrape_configs:
  - job_name: a
    static_configs: [{targets: ['h:1'], labels: {x: y}}]
    file_sd_configs: [{files: [a.json]}]
    kubernetes_sd_configs: [{role: pod, namespaces: {names: [n]}}]
    dns_sd_configs: [{names: [n], type: a, port: 1}]
    relabel_configs: [{source_labels: [a, b], regex: 'x(.*)', target_label: c}]
    tls_config: {min_version: TLS12}
    proxy_url: http://proxy
";
    let config = parse(text).unwrap();
    let shown = config.to_yaml();
    assert!(!shown.contains('$') || shown.contains("replacement: $1"), "{shown}");
    let again = parse(&shown).unwrap_or_else(|problem| panic!("{problem}\n{shown}"));
    assert_eq!(again, config, "{shown}");
}

#[test]
fn complaints_name_line_and_path() {
    for (text, wanted) in [
        (
            "global:\n  scrape_interval: 15s\nscrape_configs:\n  - job_name: a\n    relabel_configs:\n      - action: hashmod\n        regex: x\n",
            "line 6: scrape_configs[0].relabel_configs[0]: relabel configuration for hashmod requires non-zero modulus",
        ),
        (
            "scrape_configs:\n  - job_name: a\n    scrape_intervall: 1m\n",
            "line 3: scrape_configs[0]: field scrape_intervall not found: did you mean scrape_interval?",
        ),
        ("scrape_configs:\n  - job_name: a\n  - job_name: a\n", "line 3: scrape_configs[1].job_name: found multiple scrape configs with job name \"a\""),
        ("scrape_configs:\n  - job_name: a\n    scrape_interval: 1x\n", "line 3: scrape_configs[0].scrape_interval: not a valid duration string: \"1x\""),
        (
            "scrape_configs:\n  - job_name: a\n    basic_auth: {usrname: b}\n",
            "line 3: scrape_configs[0].basic_auth: field usrname not found: did you mean username?",
        ),
        ("scrape_configs:\n  - job_name: a\n    honor_labels: maybe\n", "line 3: scrape_configs[0].honor_labels: found \"maybe\": want true or false"),
        ("scrape_configs:\n  - job_name: a\n    sample_limit: -1\n", "line 3: scrape_configs[0].sample_limit: found \"-1\": want a whole number from 0"),
        ("scrape_configs:\n  - job_name: a\n    params: [1]\n", "line 3: scrape_configs[0].params: found a list: want a map"),
        (
            "scrape_configs:\n  - job_name: a\n    relabel_configs:\n    - regex: '('\n",
            "line 4: scrape_configs[0].relabel_configs[0].regex: error parsing regexp \"(\": unclosed group",
        ),
        ("a: 1\n", "line 1: field a not found"),
        ("$http: {}\n", "line 1: field $http not found"),
        ("global: {}\nglobal: {}\n", "line 2: field global already set"),
    ] {
        assert!(complaint(text).starts_with(wanted), "{}\nwant {wanted}", complaint(text));
    }
}

#[test]
fn files_with_jobs_are_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("main.yml", "global: {sample_limit: 7}\nscrape_config_files: ['more/*.yml']\nscrape_configs: [{job_name: a}]\n");
    std::fs::create_dir(folder.path().join("more")).unwrap();
    write("more/b.yml", "scrape_configs: [{job_name: b, basic_auth: {username: u, password_file: p}}]");
    let load = || PrometheusConfig::load(&folder.path().join("main.yml"), no_environment);
    let config = load().unwrap();
    let names: Vec<&str> = config.scrape_configs.iter().map(|job| job.job_name.as_str()).collect();
    assert_eq!((names, config.scrape_configs[1].sample_limit), (vec!["a", "b"], 7));
    let password_file = &config.scrape_configs[1].http.basic_auth.as_ref().unwrap().password_file;
    assert_eq!(Path::new(password_file), folder.path().join("more/p"), "paths start at the file that names them");
    write("more/c.yml", "scrape_configs:\n - job_name: c\n   scrape_timeout: 2m\n");
    let error = load().unwrap_err().to_string();
    assert!(error.contains("c.yml: line 3: scrape_configs[0].scrape_timeout: scrape timeout greater"), "{error}");
    write("more/c.yml", "scrape_configs: [{job_name: b}]");
    assert!(load().unwrap_err().to_string().contains("found multiple scrape configs with job name \"b\""));
    std::fs::remove_file(folder.path().join("more/c.yml")).unwrap();
    write("main.yml", "scrape_config_files: ['more/*.yml', more/b.yml]");
    assert!(load().unwrap_err().to_string().contains("found multiple scrape configs with job name \"b\""), "a file that is found twice is read twice");
}

#[test]
fn external_labels_take_variables() {
    let text = "global: {external_labels: {a: '$X', b: '${X}y$$', c: '$MISSING', d: 'x$'}}";
    let config = PrometheusConfig::parse(text, |name| (name == "X").then(|| "1".to_owned())).unwrap();
    let labels: Vec<(&str, &str)> = config.global.external_labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("a", "1"), ("b", "1y$"), ("c", ""), ("d", "x$")]);
}

#[test]
fn the_default_file_can_be_used_and_a_rich_one_says_what_is_missing() {
    let default = "
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093
scrape_configs: [{job_name: prometheus, static_configs: [{targets: ['localhost:9090']}]}]
";
    parse(default).unwrap().ensure_supported().unwrap();
    let rich = "
runtime: {gogc: 50}
storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 30d}}}
remote_write: [{url: 'http://x/'}]
scrape_configs:
  - job_name: a
    ec2_sd_configs: [{secret_key: hidden}]
    proxy_url: 'socks5://u:hidden@p:1080/'
    oauth2: {client_id: c, token_url: 'http://t/', grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer'}
";
    let config = parse(rich).unwrap();
    let error = config.ensure_supported().unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().skip(1).filter_map(|line| line.trim().split_once(": ")).map(|(path, _)| path).collect();
    assert_eq!(
        lines,
        [
            "scrape_configs[0].oauth2.grant_type",
            "scrape_configs[0].proxy_url",
            "scrape_configs[0].ec2_sd_configs",
            "storage.tsdb.retention.time",
            "remote_write"
        ]
    );
    let told: Vec<String> = config.unsupported().into_iter().filter(|one| one.effect == Effect::None).map(|one| one.path).collect();
    assert_eq!(told, ["runtime", "storage.tsdb.out_of_order_time_window"]);
    assert!(!config.to_yaml().contains("hidden"));
}

#[test]
fn yaml_of_version_1_1_is_understood() {
    let text = "
x-base: &base {scrape_interval: 10s, honor_labels: yes}
";
    assert!(complaint(text).contains("field x-base not found"));
    let text = "
scrape_configs:
  - &base {job_name: a, scrape_interval: 10s, honor_labels: yes, bearer_token: 1234, sample_limit: 1_000}
  - {<<: *base, job_name: b, honor_labels: off}
";
    let config = parse(text).unwrap();
    let (first, second) = (&config.scrape_configs[0], &config.scrape_configs[1]);
    assert_eq!((first.honor_labels, second.honor_labels, second.sample_limit), (true, false, 1000));
    assert_eq!(second.http.authorization.as_ref().unwrap().credentials.reveal(), "1234");
    assert_eq!(second.scrape_interval, Duration::from_secs(10));
}

#[test]
fn hostile_documents_are_refused() {
    let deep = "[".repeat(100_000);
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    (1..12).for_each(|level| laughs.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(","))));
    for (text, wanted) in [
        (deep.as_str(), "recursion limit exceeded"),
        (&laughs, "found more than"),
        ("a: &a [*a]", "alias"),
        ("? [1]\n: 2\n", "found a list as a key"),
        ("a: 'x", ""),
        ("scrape_configs: [{job_name: !!binary '/w=='}]", "\"\\xff\" is not valid UTF-8"),
        ("\u{0}", ""),
        ("- 1", "found a list: want a map"),
        ("text", "found a text: want a map"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.contains(wanted), "{complaint}: want {wanted}");
    }
    assert_eq!(parse("").unwrap().global.scrape_interval, Duration::from_secs(60));
    assert_eq!(parse("# nothing\n---\n").unwrap().global.scrape_interval, Duration::from_secs(60));
}

#[test]
fn durations_and_sizes_read_and_write_as_prometheus_does() {
    for (text, milliseconds, shown) in [
        ("0", 0, "0s"),
        ("0w", 0, "0s"),
        ("15s", 15_000, "15s"),
        ("1h30m", 5_400_000, "1h30m"),
        ("90m", 5_400_000, "1h30m"),
        ("1y1w1d1h1m1s1ms", 31_536_000_000 + 604_800_000 + 86_400_000 + 3_661_001, "373d1h1m1s1ms"),
        ("14d", 1_209_600_000, "2w"),
        ("730d", 63_072_000_000, "2y"),
    ] {
        let duration = parse_duration(text).unwrap();
        assert_eq!((duration.as_millis(), show_duration(duration).as_str()), (milliseconds, shown), "{text}");
    }
    for bad in ["1", "1x", "s", "1s1h", "1h1h", "-1s", "1.5h", " 1s", "99999999999999999999s", "300y"] {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
    for (text, size, shown) in
        [("15MB", 15 << 20, "15MiB"), ("1.5GiB", 3 << 29, "1GiB512MiB"), ("0", 0, "0B"), ("-1GB", -(1 << 30), "-1GiB"), ("1KB1B", 1025, "1KiB1B")]
    {
        assert_eq!((parse_bytes(text).unwrap(), show_bytes(size).as_str()), (size, shown), "{text}");
    }
    for bad in ["100", "MB", "1XB", "1e3MB", "9999999999EB", "-"] {
        assert!(parse_bytes(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_configuration_of_prometheus_is_known_by_its_sections() {
    for text in ["global:\n  x: 1\n", "# c\nscrape_configs :\n- [", "rule_files: []"] {
        assert!(PrometheusConfig::is_meant_by(text), "{text}");
    }
    for text in ["", "http:\n  listen: x\n", "query:\n  global: 1\n", "globally: 1\n"] {
        assert!(!PrometheusConfig::is_meant_by(text), "{text}");
    }
}
