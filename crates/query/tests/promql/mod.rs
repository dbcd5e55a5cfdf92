//! Prometheus' own scripts: data is loaded into a store, expressions are evaluated, answers are compared.
//!
//! Every script runs over the head, over segments, and over both. What is known to differ is listed by line in
//! `testdata/promql/known/<script>.txt`, and the list may not name what passes. `BLESS=1` rewrites it.

mod compare;
mod corpus;
mod histogram;
mod notation;
mod run;
mod script;

use std::collections::BTreeMap;

use run::{Place, World};
use script::Command;

/// Failures by line of the script, in whichever place they appear first.
type Failures = BTreeMap<usize, String>;

/// Runs a script in one place; the number of evaluations and those that failed.
async fn run(commands: &[Command], place: Place) -> (usize, Failures) {
    let mut world = World::new(place).await;
    let (mut total, mut failures) = (0, Failures::new());
    for command in commands {
        match command {
            Command::Clear => world.clear(),
            Command::Load(load) => world.load(load).await,
            Command::Eval(eval) => {
                total += 1;
                if let Err(error) = world.check(eval).await {
                    failures.insert(eval.line, format!("{place:?}: {}: {error}", eval.query));
                }
            }
        }
    }
    (total, failures)
}

async fn check(script: &str) {
    let Some(text) = corpus::read(&format!("promql/promqltest/{script}.test")) else { return };
    let commands = script::parse(&text).unwrap_or_else(|error| panic!("{script}: {error}"));
    let (mut total, mut failures) = (0, Failures::new());
    for place in Place::ALL {
        let (evaluations, failed) = run(&commands, place).await;
        total = evaluations;
        eprintln!("{script}.test, {place:?}: {} of {evaluations} pass", evaluations - failed.len());
        for (line, error) in failed {
            failures.entry(line).or_insert(error);
        }
    }
    assert!(total > 0, "{script}: nothing was evaluated");
    corpus::compare_with_known(script, &failures);
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            check(stringify!($name)).await;
        })*
    };
}

scripts! { aggregators duration_expression functions info literals native_histograms operators start_timestamps type_and_unit }
