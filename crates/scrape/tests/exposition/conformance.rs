//! Every open case of the exposition suites, and real pages.

use std::path::{Path, PathBuf};

use signalbox_model::MetricKind;
use signalbox_scrape::exposition::text::{Dialect, Event, Page, labels};
use signalbox_scrape::exposition::{protobuf, strict};
use signalbox_testkit::conformance;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        if entry.path().is_dir() { files.extend(files_below(&entry.path())) } else { files.push(entry.path()) }
    }
    files.sort();
    files
}

/// Samples of a text page as a scrape reads it.
pub(crate) fn read_text(page: &[u8], dialect: Dialect) -> Result<usize, String> {
    let (mut page, mut samples, mut kind) = (Page::new(page, dialect), 0, MetricKind::Unknown);
    while let Some(event) = page.next_event(b"").map_err(|error| error.to_string())? {
        match event {
            Event::Kind { kind: new, .. } => kind = new,
            Event::Sample(sample) => {
                labels(sample.series, dialect, kind).map_err(|error| error.to_string())?;
                samples += 1;
            }
            _ => {}
        }
    }
    Ok(samples)
}

/// Samples of a protobuf page as a scrape reads it.
pub(crate) fn read_protobuf(page: &[u8]) -> Result<usize, String> {
    let wanted = protobuf::Wanted { native: true, classic_too: true, convert: true };
    let (mut page, mut samples) = (protobuf::Page::new(page), 0);
    while let Some(family) = page.next_family().map_err(|error| error.to_string())? {
        for metric in family.metrics() {
            let metric = metric.map_err(|error| error.to_string())?;
            let count = &mut |point: protobuf::Point<'_>| {
                samples += 1;
                family.labels(&metric, &point).map(|_| ())
            };
            family.points(&metric, wanted, count).map_err(|error| error.to_string())?;
        }
    }
    Ok(samples)
}

#[test]
fn the_strict_reading_gives_the_verdicts_of_the_open_metrics_suite() {
    let Some(root) = conformance::root() else { return };
    let (mut cases, mut wrong) = (0, Vec::new());
    for folder in std::fs::read_dir(root.join("exposition/openmetrics-parsers")).unwrap().flatten() {
        let page = std::fs::read(folder.path().join("metrics")).unwrap();
        let case: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("test.json")).unwrap()).unwrap();
        let name = folder.file_name().to_string_lossy().into_owned();
        let (want, got) = (case["shouldParse"].as_bool().unwrap(), strict::check(&page, Dialect::OpenMetrics));
        cases += 1;
        if got.is_ok() != want {
            wrong.push(format!("{name}: {got:?}"));
        }
        // What the specification allows, a scrape must take.
        if want && let Err(error) = read_text(&page, Dialect::OpenMetrics) {
            wrong.push(format!("{name}: scraped: {error}"));
        }
    }
    wrong.sort();
    assert!(wrong.is_empty() && cases == 140, "{cases} cases, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_of_the_go_parser_gives_its_verdicts() {
    let Some(root) = conformance::root() else { return };
    let mut cases = 0;
    for file in files_below(&root.join("exposition/prometheus-common-expfmt/fuzz/corpus")) {
        let (name, page) = (file.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&file).unwrap());
        let (strict, scraped) = (strict::check(&page, Dialect::Prometheus), read_text(&page, Dialect::Prometheus));
        cases += 1;
        if !name.contains("error") {
            assert!(strict.is_ok() && scraped.is_ok(), "{name}: {strict:?} {scraped:?}");
            continue;
        }
        assert!(strict.is_err(), "{name}");
        // Prometheus' server has always been more generous than its clients: these are scraped.
        let is_scraped = ["_1", "_2", "_7", "_12", "_13", "_14", "_19"].iter().any(|number| name.ends_with(&format!("error{number}")));
        assert_eq!(scraped.is_ok(), is_scraped, "{name}: {scraped:?}");
    }
    assert_eq!(cases, 17);
}

#[test]
fn the_test_data_of_the_go_parser_is_read_in_its_formats() {
    let Some(root) = conformance::root() else { return };
    let read = |name: &str| std::fs::read(root.join("exposition/prometheus-common-expfmt/testdata").join(name)).unwrap();
    assert_eq!(read_text(&read("text"), Dialect::Prometheus).unwrap(), read_protobuf(&read("protobuf")).unwrap());
    assert_eq!(read_protobuf(&read("protobuf-multimessage")).unwrap(), 6);
    // Formats of the past, and what is still compressed.
    for name in ["json2", "protobuf.gz"] {
        let page = read(name);
        assert!(read_text(&page, Dialect::Prometheus).is_err() && read_text(&page, Dialect::OpenMetrics).is_err() && read_protobuf(&page).is_err(), "{name}");
    }
}

#[test]
fn pages_of_other_projects_are_read() {
    let Some(root) = conformance::root() else { return };
    let mut cases = 0;
    for folder in ["cmetrics", "prometheus-textparse", "telegraf-openmetrics", "telegraf-prometheus"] {
        for file in files_below(&root.join("exposition").join(folder)) {
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            let page = std::fs::read(&file).unwrap();
            let samples = match (name.as_str(), file.extension().and_then(|extension| extension.to_str())) {
                (_, Some("conf" | "out")) => continue,
                // Other protocols; the last is OpenMetrics' own protobuf, which no target speaks and Prometheus does not ask for.
                ("exposition/cmetrics/statsd_payload.txt", _) => {
                    assert!(read_text(&page, Dialect::Prometheus).is_err(), "{name}");
                    1
                }
                ("exposition/telegraf-openmetrics/protobuf/input.bin", _) => {
                    assert!(signalbox_scrape::exposition::Format::of_answer(Some("application/openmetrics-protobuf;version=1.0.0"), None).is_err());
                    1
                }
                (_, Some("bin")) if name.contains("cmetrics") => {
                    assert!(read_protobuf(&page).is_err(), "{name}");
                    1
                }
                (_, Some("bin")) => read_protobuf(&page).unwrap_or_else(|error| panic!("{name}: {error}")),
                _ if name.ends_with(".om.txt") || name.contains("telegraf-openmetrics") => {
                    read_text(&page, Dialect::OpenMetrics).unwrap_or_else(|error| panic!("{name}: {error}"))
                }
                _ => read_text(&page, Dialect::Prometheus).unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            assert!(samples > 0, "{name}");
            cases += 1;
        }
    }
    assert_eq!(cases, 26);
}

#[test]
fn real_pages_are_read() {
    let Some(root) = conformance::root() else { return };
    let count = |path: &str| {
        let page = std::fs::read(root.join("realworld").join(path)).unwrap();
        let lines = page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")).count();
        let samples = read_text(&page, Dialect::Prometheus).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(samples, lines, "{path}");
    };
    count("exposition-pages/cadvisor.txt");
    count("exposition-pages/simple-metrics");
    for system in ["", "-openbsd", "-dragonfly", "-solaris", "-netbsd"] {
        count(&format!("node_exporter/e2e-output{system}.txt"));
    }
}
