//! Random trees print to text that parses to the same tree.

use signalbox_lang::traceql::parse_classified;
use signalbox_lang::traceql::tree::{
    Aggregate, Answer, ArithmeticOp, Attribute, CompareOp, FieldExpr, Hint, Intrinsic, MetricsExpr, MetricsFunction, Pipeline, Query, Relation, Root,
    ScalarFilter, Scope, SeriesStage, SpansetExpr, SpansetOp, Stage, Static,
};
use signalbox_testkit::mutate::Random;

const TREES: usize = 4_000;

#[test]
fn random_trees_survive_print_and_parse() {
    let mut random = Random::new(5);
    for number in 0..TREES {
        let query = query(&mut random);
        let printed = query.to_string();
        match parse_classified(&printed) {
            Ok(parsed) => assert_eq!(parsed, query, "tree {number}: {printed}"),
            Err(failure) => panic!("tree {number}: {printed}: {failure}"),
        }
    }
}

fn pick<T: Copy>(random: &mut Random, items: &[T]) -> T {
    items[random.below(items.len())]
}

fn query(random: &mut Random) -> Query {
    let root = if random.below(2) == 0 { Root::Spansets(pipeline(random, 3)) } else { Root::Metrics(series(random, 3)) };
    let hints = (0..random.below(3)).map(|at| Hint { name: format!("hint_{at}"), value: unsigned(literal(random)) }).collect();
    Query { root, hints }
}

/// The value of a hint has no sign.
fn unsigned(value: Static) -> Static {
    match value {
        Static::Int(i64::MIN) => Static::Int(i64::MIN),
        Static::Int(value) => Static::Int(value.abs()),
        Static::Float(value) => Static::Float(value.abs()),
        Static::Duration(value) => Static::Duration(value.abs()),
        other => other,
    }
}

fn pipeline(random: &mut Random, depth: usize) -> Pipeline {
    let mut stages = Vec::new();
    for at in 0..=random.below(3) {
        stages.push(match random.below(6) {
            0 => Stage::Scalar(scalar(random)),
            1 => Stage::By(of_span(random)),
            2 if at > 0 => Stage::Coalesce,
            3 => Stage::Select(attributes(random)),
            // A pipeline that is a stage is its stages.
            _ => match spans(random, depth) {
                SpansetExpr::Pipeline(_) => Stage::Spanset(SpansetExpr::Filter(None)),
                other => Stage::Spanset(other),
            },
        });
    }
    Pipeline { stages }
}

fn spans(random: &mut Random, depth: usize) -> SpansetExpr {
    match random.below(if depth == 0 { 2 } else { 6 }) {
        0 => SpansetExpr::Filter(None),
        1..=3 => SpansetExpr::Filter(Some(truth(random, 3))),
        4 => {
            let mut inner = pipeline(random, depth - 1);
            if matches!(inner.stages.as_slice(), [Stage::Spanset(_)]) {
                inner.stages.push(Stage::Coalesce);
            }
            SpansetExpr::Pipeline(inner)
        }
        _ => {
            let relation = pick(random, &[Relation::Child, Relation::Parent, Relation::Descendant, Relation::Ancestor, Relation::Sibling]);
            let answer = pick(random, &[Answer::Right, Answer::NotRight, Answer::Both]);
            let op = pick(random, &[SpansetOp::And, SpansetOp::Or, SpansetOp::Structural(relation, answer), SpansetOp::Structural(relation, answer)]);
            SpansetExpr::Binary(op, Box::new(spans(random, depth - 1)), Box::new(spans(random, depth - 1)))
        }
    }
}

fn scalar(random: &mut Random) -> ScalarFilter {
    let aggregate = pick(random, &[Aggregate::Count, Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Avg]);
    let field = (aggregate != Aggregate::Count).then(|| {
        let field = Box::new(FieldExpr::Attribute(Attribute::Intrinsic(Intrinsic::Duration)));
        if random.below(2) == 0 { *field } else { FieldExpr::Arithmetic(ArithmeticOp::Add, field, Box::new(number(random, 2))) }
    });
    ScalarFilter { aggregate, field, op: ordering(random), value: number_literal(random) }
}

fn ordering(random: &mut Random) -> CompareOp {
    pick(random, &[CompareOp::Equal, CompareOp::NotEqual, CompareOp::Less, CompareOp::LessEqual, CompareOp::Greater, CompareOp::GreaterEqual])
}

fn of_span(random: &mut Random) -> FieldExpr {
    match random.below(3) {
        0 => FieldExpr::Attribute(attribute(random)),
        1 => FieldExpr::Compare(CompareOp::NotEqual, Box::new(FieldExpr::Attribute(attribute(random))), Box::new(FieldExpr::Static(Static::Nil))),
        _ => FieldExpr::Arithmetic(ArithmeticOp::Multiply, Box::new(number(random, 2)), Box::new(FieldExpr::Attribute(named(random)))),
    }
}

fn truth(random: &mut Random, depth: usize) -> FieldExpr {
    if depth == 0 {
        return FieldExpr::Static(Static::Bool(random.below(2) == 0));
    }
    match random.below(8) {
        0 => FieldExpr::Attribute(named(random)),
        1 => FieldExpr::Not(Box::new(truth(random, depth - 1))),
        2 => FieldExpr::And(Box::new(truth(random, depth - 1)), Box::new(truth(random, depth - 1))),
        3 => FieldExpr::Or(Box::new(truth(random, depth - 1)), Box::new(truth(random, depth - 1))),
        4 => FieldExpr::Compare(ordering(random), Box::new(number(random, depth - 1)), Box::new(number(random, depth - 1))),
        5 => {
            let op = pick(random, &[CompareOp::Regex, CompareOp::NotRegex]);
            FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(named(random))), Box::new(FieldExpr::Static(Static::Text("a.*|`b`".to_owned()))))
        }
        6 => {
            let op = pick(random, &[CompareOp::Equal, CompareOp::NotEqual]);
            FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(named(random))), Box::new(FieldExpr::Static(Static::Nil)))
        }
        _ => FieldExpr::Compare(ordering(random), Box::new(FieldExpr::Attribute(named(random))), Box::new(FieldExpr::Static(sortable(random)))),
    }
}

/// A literal that every comparison takes.
fn sortable(random: &mut Random) -> Static {
    if random.below(2) == 0 { number_literal(random) } else { Static::Text(text(random)) }
}

fn number(random: &mut Random, depth: usize) -> FieldExpr {
    if depth == 0 {
        return if random.below(2) == 0 { FieldExpr::Static(number_literal(random)) } else { FieldExpr::Attribute(named(random)) };
    }
    match random.below(4) {
        0 => FieldExpr::Attribute(Attribute::Intrinsic(Intrinsic::Duration)),
        // The sign of a literal belongs to the literal.
        1 => match number(random, depth - 1) {
            literal @ FieldExpr::Static(_) => literal,
            other => FieldExpr::Negative(Box::new(other)),
        },
        2 => FieldExpr::Static(number_literal(random)),
        _ => {
            let op = pick(
                random,
                &[
                    ArithmeticOp::Add,
                    ArithmeticOp::Subtract,
                    ArithmeticOp::Multiply,
                    ArithmeticOp::Divide,
                    ArithmeticOp::Modulo,
                    ArithmeticOp::Power,
                    ArithmeticOp::Power,
                ],
            );
            FieldExpr::Arithmetic(op, Box::new(number(random, depth - 1)), Box::new(number(random, depth - 1)))
        }
    }
}

fn attributes(random: &mut Random) -> Vec<Attribute> {
    (0..=random.below(3)).map(|_| attribute(random)).collect()
}

fn attribute(random: &mut Random) -> Attribute {
    if random.below(2) == 0 { named(random) } else { Attribute::Intrinsic(pick(random, &Intrinsic::ALL)) }
}

fn named(random: &mut Random) -> Attribute {
    let scope = pick(random, &[Scope::Any, Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation]);
    Attribute::Named(scope, text(random))
}

fn text(random: &mut Random) -> String {
    let pieces = ["a", "1", ".", "span.", " ", "\n", "\r", "\t", "\"", "\\", "`", "{", "}", "=", "é", "\u{fffd}", "\u{1}", "//", "/*", "-", "nil", "'"];
    (0..random.below(5)).map(|_| pick(random, &pieces)).collect()
}

fn number_literal(random: &mut Random) -> Static {
    match random.below(4) {
        0 => Static::Int(pick(random, &[0, 1, -1, 42, i64::MAX, i64::MIN])),
        1 => Static::Float(pick(random, &[0.0, -0.0, 0.5, -2.25, 1e6, 1e21, 1e-9, f64::MAX, f64::MIN_POSITIVE, 0.1 + 0.2])),
        2 => Static::Duration(pick(random, &[0, 1, -1, 999, 1_500, 90_000_000_000, 3_600_000_000_001, i64::MAX, -i64::MAX])),
        _ => Static::Int(random.next_u64().cast_signed() >> random.below(60)),
    }
}

fn literal(random: &mut Random) -> Static {
    match random.below(5) {
        0 => Static::Text(text(random)),
        1 => Static::Bool(random.below(2) == 0),
        2 => Static::Status(pick(random, &[0, 1, 2])),
        3 => Static::Kind(pick(random, &[0, 1, 2, 3, 4, 5])),
        _ => number_literal(random),
    }
}

fn series(random: &mut Random, depth: usize) -> MetricsExpr {
    if depth == 0 || random.below(3) == 0 {
        return MetricsExpr::Spans { pipeline: pipeline(random, 1), function: function(random) };
    }
    if random.below(2) == 0 {
        let stage = match random.below(3) {
            0 => SeriesStage::TopK(pick(random, &[1, 10, u32::MAX])),
            1 => SeriesStage::BottomK(1),
            _ => SeriesStage::Filter(ordering(random), pick(random, &[0.0, -1.5, 3.0, 1e9, 1e-9])),
        };
        return match series(random, depth - 1) {
            MetricsExpr::Spans { function: MetricsFunction::Compare { .. }, pipeline } => MetricsExpr::Spans { pipeline, function: rate() },
            inner => MetricsExpr::Then(Box::new(inner), stage),
        };
    }
    let op = pick(random, &[ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Multiply, ArithmeticOp::Divide]);
    let side = |random: &mut Random| match series(random, depth - 1) {
        MetricsExpr::Spans { function: MetricsFunction::Compare { .. }, pipeline } => MetricsExpr::Spans { pipeline, function: rate() },
        other => other,
    };
    let (mut left, mut right) = (side(random), side(random));
    match random.below(4) {
        0 => left = MetricsExpr::Number(pick(random, &[1.0, -1.0, 0.25])),
        1 => right = MetricsExpr::Number(pick(random, &[100.0, -1e7, 0.25])),
        _ => {}
    }
    MetricsExpr::Binary(op, Box::new(left), Box::new(right))
}

fn rate() -> MetricsFunction {
    MetricsFunction::Rate { by: Vec::new() }
}

fn function(random: &mut Random) -> MetricsFunction {
    let by = if random.below(2) == 0 { Vec::new() } else { attributes(random) };
    match random.below(6) {
        0 => MetricsFunction::Rate { by },
        1 => MetricsFunction::CountOverTime { by },
        2 => {
            let aggregate = pick(random, &[Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Avg]);
            MetricsFunction::OverTime { aggregate, field: attribute(random), by }
        }
        3 => MetricsFunction::QuantileOverTime { field: attribute(random), quantiles: vec![0.0, 0.5, 0.999, 1.0], by },
        4 => MetricsFunction::HistogramOverTime { field: attribute(random), by },
        _ => {
            MetricsFunction::Compare { selection: (random.below(3) > 0).then(|| truth(random, 2)), top: pick(random, &[1, 10, 1_000]), start_ns: 0, end_ns: 0 }
        }
    }
}
