//! Configuration files: what they may say, and what is said about mistakes.

use std::path::Path;

use signalbox_app::Config;
use signalbox_app::cli::Flags;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, |name| (name == "SECRET").then(|| "a: \"b\"".to_owned()))
}

fn complaint(text: &str) -> String {
    parse(text).unwrap_err()
}

#[test]
fn nothing_said_is_the_default() {
    for text in ["", "# only a remark\n\n", "{}", "http: {}\n"] {
        assert_eq!(parse(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_path_its_line_and_the_nearest_known_one() {
    let cases = [
        ("store:\n  flush_intervall_seconds: 5\n", "line 2: unknown key `store.flush_intervall_seconds`: did you mean `flush_interval_seconds`?"),
        ("http:\n  listen: 127.0.0.1:1\nstor: {}\n", "line 3: unknown key `stor`: did you mean `store`?"),
        ("receive:\n  otlp:\n    limits:\n      byte_max: 5\n", "line 4: unknown key `receive.otlp.limits.byte_max`: did you mean `bytes_max`?"),
        (
            "telemetry:\n  colour: red\n",
            "line 2: unknown key `telemetry.colour`: want one of log_level, log_format, self_watch, metrics_interval_seconds, traces_per_second_max",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(complaint(text), expected);
    }
}

#[test]
fn a_wrong_value_is_named_with_its_path_and_line() {
    let text = complaint("\nhttp:\n  drain_seconds: soon\n");
    assert!(text.starts_with("line 3: http.drain_seconds: ") && text.contains("soon"), "{text}");
    let text = complaint("telemetry: {log_format: xml}\n");
    assert!(text.contains("telemetry.log_format") && text.contains("plain"), "{text}");
    let text = complaint("http: [\n");
    assert!(text.starts_with("line "), "{text}");
}

#[test]
fn variables_of_the_environment_are_texts_and_nothing_else() {
    let config = parse("telemetry:\n  log_level: x${SECRET}y\n").unwrap();
    assert_eq!(config.telemetry.log_level, "xa: \"b\"y");
    assert_eq!(complaint("http: {listen: '${NOPE}'}"), "http.listen: the environment has no variable NOPE");
    assert_eq!(complaint("http: {listen: '${NOPE'}"), "http.listen: \"${NOPE\" opens a variable with ${ and never closes it");
    assert_eq!(complaint("http: {lisen: '${SECRET}'}"), "unknown key `http.lisen`: did you mean `listen`?");
}

#[test]
fn paths_of_a_file_are_taken_from_its_folder_and_flags_win() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("signalbox.yaml");
    std::fs::write(&file, "data_dir: kept\nhttp: {listen: '127.0.0.1:1'}\nquery: {spill_dir: /tmp/spill}\n").unwrap();
    let mut config = Config::load(&file, |_| None).unwrap();
    assert_eq!(config.data_dir, dir.path().join("kept"));
    assert_eq!(config.query.spill_dir.as_deref(), Some(Path::new("/tmp/spill")));
    config.apply(&Flags { data_dir: Some("elsewhere".into()), otlp_http_listen: Some("[::1]:2".to_owned()), ..Flags::default() });
    assert_eq!(config.data_dir, Path::new("elsewhere"));
    assert_eq!((config.http.listen.as_str(), config.receive.otlp.http_listen.as_str()), ("127.0.0.1:1", "[::1]:2"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/signalbox.yaml"), |_| None).unwrap_err();
    assert_eq!(error.message(), "cannot read configuration /nowhere/signalbox.yaml");
}

#[test]
fn no_mutant_of_a_configuration_makes_it_panic() {
    let seeds =
        ["minimal.yaml", "full.yaml"].map(|name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)).unwrap());
    let tangled = "store: &a {wal: {file_bytes: 65536}}\nhttp: {listen: \"${SECRET}:1\"}\nnotify: {receivers: [{name: x}]}\n";
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).chain([tangled]).collect();
    let pieces =
        ["  - ", ": ", "\n", "${", "}", "$${", "*a", "&a ", "<<: ", "---\n", "\"", "'", "|", "[", "{", "#", "\u{e9}", "99999999999999999999", "-1", "~"];
    signalbox_testkit::mutate::texts(&seeds, &pieces, 400, |text| drop(parse(text)));
}

#[test]
fn selectors_of_the_retention_are_parsed_and_refused_by_name() {
    let text = "store:\n  retention:\n    selectors:\n      - selector: '{job=\"canary\"}'\n        max_age_seconds: 3600\n";
    let rules = parse(text).unwrap().store.retention.selectors;
    assert_eq!(rules[0].matchers, [signalbox_model::Matcher::equal("job", "canary")]);
    let broken = complaint(&text.replace("canary\"}", "canary"));
    assert!(broken.contains("store.retention.selectors[0].selector"), "{broken}");
}

#[test]
fn rollups_are_parsed_refused_by_name_and_warned_of() {
    let text = "store:\n  rollups:\n    - selector: '{job=\"node\"}'\n      after_seconds: 604800\n      resolution_seconds: 300\n";
    let config = parse(text).unwrap();
    assert_eq!(config.store.rollups[0].matchers, [signalbox_model::Matcher::equal("job", "node")]);
    assert!(config.warnings()[0].contains("store.rollups[0]") && config.warnings()[0].contains("600"), "{:?}", config.warnings());
    assert_eq!(parse(&format!("{text}query:\n  promql_lookback_seconds: 600\n")).unwrap().warnings(), Vec::<String>::new());
    let broken = complaint(&text.replace("node\"}", "node"));
    assert!(broken.contains("store.rollups[0].selector"), "{broken}");
}
