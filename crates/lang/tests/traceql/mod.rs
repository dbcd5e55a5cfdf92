//! TraceQL: against the corpus of Tempo, tables of our own, hostile texts and random trees.

mod golden;
mod hostile;
mod random;
mod refused;

use signalbox_lang::traceql::{Class, parse_classified};

#[test]
fn agrees_with_the_corpus_of_tempo() {
    let Some(corpus) = signalbox_testkit::conformance::facts("_agpl/traceql/examples.jsonl") else { return };
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for case in corpus {
        let (text, class) = (case["query"].as_str().unwrap(), case["class"].as_str().unwrap());
        let parsed = parse_classified(text);
        let found = match &parsed {
            Ok(_) => "valid",
            Err(failure) => match failure.class {
                Class::Syntax => "parse_fails",
                Class::Invalid => "validate_fails",
                Class::Unsupported => "unsupported",
                Class::TooLarge => "too_large",
            },
        };
        if found != class {
            wrong.push(format!("want {class}, found {found}: {text}: {parsed:?}"));
        }
        if let Ok(query) = parsed {
            let printed = query.to_string();
            let again = parse_classified(&printed);
            if again.as_ref() != Ok(&query) {
                wrong.push(format!("{text} prints to {printed}: {again:?}"));
            }
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cases, 309);
}
