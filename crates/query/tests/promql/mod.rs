//! Prometheus' own scripts: data is loaded into a store, expressions are evaluated, answers are compared.
//!
//! Every script runs over the head, over segments, and over both, and all of it must pass.

mod compare;
mod histogram;
mod realworld;
mod run;
mod script;

use std::collections::BTreeMap;

use run::{Place, World};
use script::Command;
use signalbox_testkit::conformance;

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

/// Runs a script that holds so many evaluations.
async fn check(script: &str, evaluations: usize) {
    let Some(text) = conformance::read(&format!("promql/promqltest/{script}.test")) else { return };
    let commands = script::parse(&text).unwrap_or_else(|error| panic!("{script}: {error}"));
    let mut failures = Failures::new();
    for place in Place::ALL {
        let (total, failed) = run(&commands, place).await;
        eprintln!("{script}.test, {place:?}: {} of {total} pass", total - failed.len());
        assert_eq!(total, evaluations, "{script}: evaluations");
        for (line, error) in failed {
            failures.entry(line).or_insert(error);
        }
    }
    let failures: Vec<String> = failures.iter().map(|(line, error)| format!("{line}: {error}")).collect();
    assert!(failures.is_empty(), "{script}.test: {} lines fail:\n{}", failures.len(), failures.join("\n"));
}

macro_rules! scripts {
    ($($name:ident $evaluations:literal)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            check(stringify!($name), $evaluations).await;
        })*
    };
}

scripts! {
    aggregators 160
    duration_expression 59
    functions 431
    info 53
    literals 25
    native_histograms 522
    operators 214
    start_timestamps 26
    type_and_unit 58
}
