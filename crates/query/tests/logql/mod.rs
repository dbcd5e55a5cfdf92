//! Loki's own scripts: streams are loaded into a store, metric queries are evaluated, answers are compared.
//!
//! Every script runs over the head, over segments, and over both, and all of it must pass.

mod naive;
mod random;
mod run;
mod script;

use run::{Place, World};
use script::Command;
use signalbox_testkit::conformance;

/// Runs a script that holds so many evaluations.
async fn check(script: &str, evaluations: usize) {
    let Some(text) = conformance::read(&format!("_agpl/logql/logqltest/{script}.logqltest")) else { return };
    let commands = script::parse(&text).unwrap_or_else(|error| panic!("{script}: {error}"));
    let mut failures = Vec::new();
    for place in Place::ALL {
        let mut world = World::new(place).await;
        let (mut total, mut failed) = (0, 0);
        let mut loads = Vec::new();
        for command in &commands {
            match command {
                Command::Clear => {
                    world.clear();
                    loads.clear();
                }
                Command::Load(load) => loads.extend(load.clone()),
                Command::Eval(eval) => {
                    world.load(std::mem::take(&mut loads)).await;
                    total += 1;
                    if let Err(error) = world.check(eval).await {
                        failed += 1;
                        failures.push(format!("{}: {place:?}: {}: {error}", eval.line, eval.query));
                    }
                }
            }
        }
        eprintln!("{script}.logqltest, {place:?}: {} of {total} pass", total - failed);
        assert_eq!(total, evaluations, "{script}: evaluations");
    }
    assert!(failures.is_empty(), "{script}.logqltest: {} fail:\n{}", failures.len(), failures.join("\n"));
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
    binary_operations 268
    functions 31
    label_filters 286
    parsers 53
    vector_aggregations 115
}
