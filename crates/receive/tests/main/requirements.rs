//! Every sentence with MUST of the four specifications is named by a test, or listed with the reason why it is not the
//! receiver's. Sentences come from the conformance data, names from the sources of the tests.

use std::collections::BTreeSet;
use std::path::Path;

use signalbox_testkit::conformance;

const SPECIFICATIONS: [(&str, usize); 4] = [("otlp", 50), ("otel-prometheus-compat", 108), ("remote-write-1", 36), ("remote-write-2", 59)];
const NOT_THE_RECEIVERS: &str = include_str!("not_the_receivers.txt");

/// Identifiers of the sentences with MUST in one file.
fn musts(yaml: &str) -> BTreeSet<String> {
    let mut musts = BTreeSet::new();
    let mut id = "";
    for line in yaml.lines() {
        if let Some(found) = line.strip_prefix("- id: ") {
            id = found.trim();
        } else if line.trim() == "level: MUST" {
            musts.insert(id.to_owned());
        }
    }
    musts
}

/// Identifiers that comments of tests name.
fn named(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let comments = source.lines().filter_map(|line| line.split_once("//")).map(|(_, comment)| comment);
            into.extend(
                comments
                    .flat_map(|comment| comment.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-'))
                    .filter(|word| is_id(word))
                    .map(str::to_owned),
            );
        }
    }
}

fn is_id(word: &str) -> bool {
    ["OTLP-", "PROMCOMPAT-", "PRW1-", "PRW2-"]
        .iter()
        .any(|prefix| word.strip_prefix(prefix).is_some_and(|number| number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit())))
}

#[test]
fn every_must_is_proven_or_not_the_receivers() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut proven = BTreeSet::new();
    for folder in ["src", "tests", "../ingest/src"] {
        named(&crates.join(folder), &mut proven);
    }
    let listed: BTreeSet<String> =
        NOT_THE_RECEIVERS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').expect("an id and a reason").0.to_owned()).collect();
    let twice: Vec<&String> = proven.intersection(&listed).collect();
    assert!(twice.is_empty(), "both proven and listed: {twice:?}");
    let mut all = BTreeSet::new();
    for (name, count) in SPECIFICATIONS {
        let Some(yaml) = conformance::read(&format!("requirements/{name}.yaml")) else { return };
        let musts = musts(&yaml);
        assert!(musts.len() == count, "{name} has {} sentences with MUST", musts.len());
        all.extend(musts);
    }
    let missing: Vec<&String> = all.iter().filter(|id| !proven.contains(*id) && !listed.contains(*id)).collect();
    assert!(missing.is_empty(), "neither proven nor listed: {missing:?}");
    let unknown: Vec<&String> = listed.difference(&all).collect();
    assert!(unknown.is_empty(), "listed, but no sentence with MUST: {unknown:?}");
}
