//! Relabelling against the conformance data, and laws that hold for any labels.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use signalbox_testkit::conformance;

use super::*;

fn rules(yaml: &str) -> Vec<RelabelConfig> {
    parse(yaml, NameScheme::Utf8).unwrap_or_else(|problem| panic!("{yaml}: {problem}"))
}

fn labels(value: &Value) -> Labels {
    Labels::from_pairs(value.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

#[test]
fn facts_of_prometheus_hold() {
    let Some(facts) = conformance::facts("config/relabel.jsonl") else { return };
    let mut failures = Vec::new();
    for fact in &facts {
        let rules = rules(&fact["relabel_configs"].to_string());
        let got = apply(&rules, &labels(&fact["input"]));
        let want = (!fact["drop"].as_bool().unwrap()).then(|| labels(&fact["output"]));
        if got != want {
            failures.push(format!("{fact}: got {got:?}"));
        }
    }
    conformance::report("relabelling", facts.len(), &failures);
    assert_eq!(facts.len(), 23);
}

#[test]
fn details_are_those_of_prometheus() {
    let source = Labels::from_pairs([("a", "Straße"), ("b", "x"), ("__name__", "m")]);
    for (yaml, name, want) in [
        ("[{action: replace, target_label: c, replacement: ''}]", "c", None),
        ("[{source_labels: [b], target_label: b, replacement: ''}]", "b", None),
        ("[{source_labels: [missing], target_label: c, replacement: 'is${1}empty'}]", "c", Some("isempty")),
        ("[{source_labels: [b], regex: '', target_label: c, replacement: y}]", "c", None),
        ("[{source_labels: [b], regex:, target_label: c, replacement: y}]", "c", None),
        ("[{source_labels: [a], action: uppercase, target_label: c}]", "c", Some("STRAßE")),
        ("[{source_labels: [a, b], separator: '', target_label: c}]", "c", Some("Straßex")),
        ("[{source_labels: [b], target_label: c, replacement: '$$1-$2-${1}'}]", "c", Some("$1--x")),
        ("[{source_labels: [b], target_label: '$2', replacement: y}]", "", None),
        ("[{action: LabelMap, regex: '(b)', replacement: 'x_$1'}]", "x_b", Some("x")),
        ("[{action: labelmap, regex: '(b)', replacement: 'a'}]", "a", Some("x")),
    ] {
        let got = apply(&rules(yaml), &source).unwrap();
        assert_eq!(got.get(name), want, "{yaml}: {got}");
    }
}

#[test]
fn names_of_the_old_scheme_may_hold_groups_of_the_match() {
    for (template, is_good) in
        [("a", true), ("${1}_x", true), ("$1", true), ("a$b", true), ("a-b", false), ("${}", false), ("$", false), ("1a", false), ("${1", false), ("é", false)]
    {
        let mut rule = RelabelConfig { target_label: template.to_owned(), ..RelabelConfig::default() };
        assert_eq!(rule.check(NameScheme::Legacy).is_ok(), is_good, "{template}");
    }
}

#[test]
fn expressions_that_would_take_too_much_are_refused() {
    assert!(Pattern::new("(a{1000}){1000}").unwrap_err().contains("error parsing regexp"));
    assert!(Pattern::new("a)|(b").unwrap_err().contains("unopened group"));
}

/// How many sets of labels each law is tried on.
const ROUNDS: u64 = 500;

fn text(random: &mut StdRng, alphabet: &str, length: std::ops::Range<usize>) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    (0..random.random_range(length)).map(|_| letters[random.random_range(0..letters.len())]).collect()
}

/// Tries a law on labels made by chance; a failure names the round, which is the seed.
fn for_any_labels(law: impl Fn(&mut StdRng, Labels)) {
    for round in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(round);
        let pairs: Vec<_> = (0..random.random_range(0..6)).map(|_| (text(&mut random, "abcd", 1..3), text(&mut random, "abz019:/é", 0..7))).collect();
        let source = Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| law(&mut random, source)));
        assert!(tried.is_ok(), "round {round}");
    }
}

#[test]
fn keep_and_drop_part_everything() {
    for_any_labels(|random, source| {
        let Ok(regex) = Pattern::new(&text(random, "abcd.*|()?", 0..6)) else { return };
        let rule = |action| RelabelConfig { source_labels: vec!["a".into(), "b".into()], regex: regex.clone(), action, ..RelabelConfig::default() };
        let (kept, dropped) = (apply(&[rule(Action::Keep)], &source), apply(&[rule(Action::Drop)], &source));
        assert_ne!(kept.is_some(), dropped.is_some());
        assert_eq!(kept.or(dropped), Some(source));
    });
}

#[test]
fn label_keep_and_label_drop_part_the_labels() {
    for_any_labels(|random, source| {
        let Ok(regex) = Pattern::new(&text(random, "abcd.*|", 0..5)) else { return };
        let rule = |action| RelabelConfig { regex: regex.clone(), action, ..RelabelConfig::default() };
        let kept = apply(&[rule(Action::LabelKeep)], &source).unwrap();
        let dropped = apply(&[rule(Action::LabelDrop)], &source).unwrap();
        assert_eq!(kept.len() + dropped.len(), source.len());
        assert_eq!(Labels::from_pairs(kept.iter().chain(dropped.iter())), source);
    });
}

#[test]
fn hashmod_stays_below_the_modulus_and_changes_nothing_else() {
    for_any_labels(|random, source| {
        let modulus = random.random_range(1..50);
        let rule =
            RelabelConfig { source_labels: vec!["a".into()], modulus, target_label: "shard".into(), action: Action::HashMod, ..RelabelConfig::default() };
        let hashed = apply(&[rule], &source).unwrap();
        let shard: u64 = hashed.get("shard").unwrap().parse().unwrap();
        assert!(shard < modulus);
        assert_eq!(hashed.keep(|name| name != "shard"), source);
    });
}

#[test]
fn the_default_rule_copies() {
    for_any_labels(|_, source| {
        let rule = RelabelConfig { source_labels: vec!["a".into()], target_label: "copy".into(), ..RelabelConfig::default() };
        let copied = apply(&[rule], &source).unwrap();
        assert_eq!(copied.get("copy"), source.get("a"));
    });
}
