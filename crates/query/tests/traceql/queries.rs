//! Random queries over the vocabulary of the random traces.

use signalbox_lang::traceql::tree::{
    Aggregate, Answer, ArithmeticOp, Attribute, CompareOp, FieldExpr, Hint, Intrinsic, MetricsExpr, MetricsFunction, Pipeline, Query, Relation, Root,
    ScalarFilter, Scope, SeriesStage, SpansetExpr, SpansetOp, Stage, Static,
};
use signalbox_testkit::mutate::Random;

use super::spans::{Span, chance, pick};

/// Writes queries about some spans.
pub(super) struct Author<'a> {
    pub(super) random: &'a mut Random,
    pub(super) spans: &'a [Span],
}

const ORDERINGS: [CompareOp; 6] = [CompareOp::Equal, CompareOp::NotEqual, CompareOp::Greater, CompareOp::GreaterEqual, CompareOp::Less, CompareOp::LessEqual];
const EQUALITIES: [CompareOp; 2] = [CompareOp::Equal, CompareOp::NotEqual];

impl Author<'_> {
    pub(super) fn search(&mut self) -> Query {
        let hints = if chance(self.random, 10) { vec![Hint { name: "most_recent".to_owned(), value: Static::Bool(true) }] } else { Vec::new() };
        Query { root: Root::Spansets(self.pipeline(2)), hints }
    }

    pub(super) fn metrics(&mut self) -> Query {
        Query { root: Root::Metrics(self.series(2)), hints: Vec::new() }
    }

    pub(super) fn compare(&mut self) -> Query {
        let selection = if chance(self.random, 90) { Some(self.truth(2)) } else { None };
        let (start_ns, end_ns) = if chance(self.random, 30) {
            let start_ns = self.span().start_ns;
            (start_ns, start_ns + 1 + self.random.below(200_000_000_000) as i64)
        } else {
            (0, 0)
        };
        let top = pick(self.random, &[1, 2, 10, 1_000]);
        let function = MetricsFunction::Compare { selection, top, start_ns, end_ns };
        let pipeline = if chance(self.random, 30) { self.pipeline(1) } else { Pipeline { stages: vec![Stage::Spanset(self.filter())] } };
        Query { root: Root::Metrics(MetricsExpr::Spans { pipeline, function }), hints: Vec::new() }
    }

    fn span(&mut self) -> &Span {
        &self.spans[self.random.below(self.spans.len())]
    }

    fn pipeline(&mut self, depth: usize) -> Pipeline {
        let mut stages = vec![Stage::Spanset(self.spans(depth))];
        let mut is_split = false;
        for _ in 0..pick(self.random, &[0, 0, 0, 1, 1, 2, 3]) {
            stages.push(match self.random.below(8) {
                0 | 1 => Stage::Scalar(self.scalar()),
                2 | 3 => {
                    is_split = true;
                    Stage::By(self.grouping())
                }
                4 => {
                    is_split = false;
                    Stage::Coalesce
                }
                5 => Stage::Select((0..1 + self.random.below(3)).map(|_| self.attribute()).collect()),
                // Structural operators take one set on each side.
                6 if !is_split => Stage::Spanset(self.spans(1)),
                _ => Stage::Spanset(self.filter()),
            });
        }
        // What the parser makes of a pipeline in parentheses that is a stage.
        let mut flat = Vec::new();
        for stage in stages {
            match stage {
                Stage::Spanset(SpansetExpr::Pipeline(inner)) => flat.extend(inner.stages),
                other => flat.push(other),
            }
        }
        if flat[0] == Stage::Coalesce { self.pipeline(depth) } else { Pipeline { stages: flat } }
    }

    fn spans(&mut self, depth: usize) -> SpansetExpr {
        match self.random.below(if depth == 0 { 3 } else { 10 }) {
            0..=3 => self.filter(),
            4 => {
                let inner = Pipeline { stages: vec![Stage::Spanset(self.filter()), Stage::Scalar(self.scalar())] };
                SpansetExpr::Pipeline(inner)
            }
            _ => {
                let relation = pick(self.random, &[Relation::Child, Relation::Parent, Relation::Descendant, Relation::Ancestor, Relation::Sibling]);
                let answer = pick(self.random, &[Answer::Right, Answer::Right, Answer::NotRight, Answer::Both]);
                let structural = SpansetOp::Structural(relation, answer);
                let op = pick(self.random, &[SpansetOp::And, SpansetOp::Or, structural, structural, structural]);
                SpansetExpr::Binary(op, Box::new(self.spans(depth - 1)), Box::new(self.spans(depth - 1)))
            }
        }
    }

    fn filter(&mut self) -> SpansetExpr {
        SpansetExpr::Filter(if chance(self.random, 15) { None } else { Some(self.truth(2)) })
    }

    fn scalar(&mut self) -> ScalarFilter {
        let aggregate = pick(self.random, &[Aggregate::Count, Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Avg]);
        let op = pick(self.random, &ORDERINGS);
        if aggregate == Aggregate::Count {
            return ScalarFilter { aggregate, field: None, op, value: Static::Int(self.random.below(5) as i64) };
        }
        let field = match self.random.below(4) {
            0 => FieldExpr::Arithmetic(ArithmeticOp::Add, Box::new(FieldExpr::Attribute(self.numeric())), Box::new(FieldExpr::Static(Static::Int(1)))),
            _ => FieldExpr::Attribute(self.numeric()),
        };
        let value = match self.random.below(3) {
            0 => Static::Duration(pick(self.random, &[0, 1_000_000, 300_000_000, 1_000_000_000])),
            1 => Static::Float(pick(self.random, &[0.37, 17.3, -0.21])),
            _ => Static::Int(pick(self.random, &[0, 1, 2, 300])),
        };
        ScalarFilter { aggregate, field: Some(field), op, value }
    }

    fn grouping(&mut self) -> FieldExpr {
        match self.random.below(6) {
            0 => FieldExpr::Arithmetic(ArithmeticOp::Multiply, Box::new(FieldExpr::Attribute(self.named())), Box::new(FieldExpr::Static(Static::Int(2)))),
            1 => {
                let (op, field) = (pick(self.random, &EQUALITIES), self.named());
                missing(op, field)
            }
            _ => FieldExpr::Attribute(self.attribute()),
        }
    }

    /// An expression that is true or false.
    fn truth(&mut self, depth: usize) -> FieldExpr {
        if depth == 0 {
            return self.comparison();
        }
        match self.random.below(12) {
            0 => FieldExpr::Not(Box::new(self.truth(depth - 1))),
            1 | 2 => FieldExpr::And(Box::new(self.truth(depth - 1)), Box::new(self.truth(depth - 1))),
            3 | 4 => FieldExpr::Or(Box::new(self.truth(depth - 1)), Box::new(self.truth(depth - 1))),
            5 => FieldExpr::Attribute(self.named()),
            6 if chance(self.random, 30) => FieldExpr::Static(Static::Bool(chance(self.random, 70))),
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> FieldExpr {
        let attribute = |attribute: Attribute| Box::new(FieldExpr::Attribute(attribute));
        let literal = |value: Static| Box::new(FieldExpr::Static(value));
        match self.random.below(14) {
            // A field against a value that some span has there.
            0..=4 => {
                let (field, value) = self.known();
                let ops: &[CompareOp] = if matches!(value, Static::Bool(_) | Static::Status(_) | Static::Kind(_)) { &EQUALITIES } else { &ORDERINGS };
                let op = pick(self.random, ops);
                if chance(self.random, 10) && !op.is_ordering() {
                    FieldExpr::Compare(op, literal(value), attribute(field))
                } else {
                    FieldExpr::Compare(op, attribute(field), literal(value))
                }
            }
            5 => {
                let (op, field) = (pick(self.random, &EQUALITIES), self.named());
                missing(op, field)
            }
            6 => {
                let op = pick(self.random, &[CompareOp::Regex, CompareOp::NotRegex]);
                let field = if chance(self.random, 50) {
                    self.named()
                } else {
                    Attribute::Intrinsic(pick(self.random, &[Intrinsic::Name, Intrinsic::EventName, Intrinsic::RootName, Intrinsic::StatusMessage]))
                };
                let pattern = pick(self.random, &["x|y", ".*", "", "[a-c].*", "GET.*", "e.c.*|late", "x"]);
                FieldExpr::Compare(op, attribute(field), literal(Static::Text(pattern.to_owned())))
            }
            7 => FieldExpr::Compare(pick(self.random, &ORDERINGS), attribute(self.named()), attribute(self.named())),
            8 => FieldExpr::Compare(pick(self.random, &ORDERINGS), Box::new(self.number(2)), Box::new(self.number(1))),
            9 => FieldExpr::Compare(pick(self.random, &ORDERINGS), attribute(self.numeric()), Box::new(self.number(0))),
            10 => {
                let field = pick(self.random, &[Intrinsic::NestedSetLeft, Intrinsic::NestedSetRight, Intrinsic::NestedSetParent, Intrinsic::ChildCount]);
                let value = Static::Int(self.random.below(8) as i64 - 1);
                FieldExpr::Compare(pick(self.random, &ORDERINGS), attribute(Attribute::Intrinsic(field)), literal(value))
            }
            11 => {
                let status = Static::Status(self.random.below(3) as i32);
                FieldExpr::Compare(pick(self.random, &EQUALITIES), attribute(Attribute::Intrinsic(Intrinsic::Status)), literal(status))
            }
            12 => {
                let text = Static::Text((pick(self.random, &["", "x", "y", "1", "cart"])).to_owned());
                FieldExpr::Compare(pick(self.random, &ORDERINGS), attribute(self.named()), literal(text))
            }
            _ => {
                let kind = Static::Kind(self.random.below(6) as i32);
                FieldExpr::Compare(pick(self.random, &EQUALITIES), attribute(Attribute::Intrinsic(Intrinsic::Kind)), literal(kind))
            }
        }
    }

    /// A field and a value that one of the spans has there.
    fn known(&mut self) -> (Attribute, Static) {
        let zeros = chance(self.random, 50);
        let kind = self.random.below(9);
        let span = self.span();
        let text = |text: &str| Static::Text(text.to_owned());
        let intrinsic = |intrinsic, value| (Attribute::Intrinsic(intrinsic), value);
        match kind {
            0 => intrinsic(Intrinsic::Name, text(&span.name)),
            1 => intrinsic(Intrinsic::Duration, Static::Duration(span.duration_ns)),
            2 => intrinsic(Intrinsic::SpanId, text(&span.id.to_string())),
            3 => {
                let id = span.trace_id.to_string();
                intrinsic(Intrinsic::TraceId, text(if zeros { &id } else { id.trim_start_matches('0') }))
            }
            4 => intrinsic(Intrinsic::ParentId, text(&span.parent.unwrap_or(span.id).to_string())),
            5 => (Attribute::Named(Scope::Resource, "service.name".to_owned()), text(if span.service().is_empty() { "cart" } else { span.service() })),
            6 => intrinsic(Intrinsic::RootService, text(span.service())),
            7 => match span.links.first() {
                Some(link) => intrinsic(Intrinsic::LinkSpanId, text(&link.span_id.to_string())),
                None => intrinsic(Intrinsic::EventName, text("retry")),
            },
            _ => {
                let scalar = span.attributes.iter().find_map(|(name, value)| {
                    let value = super::naive::of_attribute(value);
                    (!matches!(value, Static::Nil | Static::Array(_))).then(|| (name.clone(), value))
                });
                let (name, value) = scalar.unwrap_or_else(|| ("b".to_owned(), text("x")));
                (Attribute::Named(if zeros { Scope::Span } else { Scope::Any }, name), value)
            }
        }
    }

    /// An expression that is a number.
    fn number(&mut self, depth: usize) -> FieldExpr {
        if depth == 0 || chance(self.random, 40) {
            return match self.random.below(3) {
                0 => FieldExpr::Static(Static::Int(self.random.below(5) as i64)),
                1 => FieldExpr::Static(Static::Float(pick(self.random, &[0.5, 2.0, 11.7]))),
                _ => FieldExpr::Attribute(self.numeric()),
            };
        }
        if chance(self.random, 10) {
            return match self.number(depth - 1) {
                literal @ FieldExpr::Static(_) => literal,
                other => FieldExpr::Negative(Box::new(other)),
            };
        }
        let ops = [ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Multiply, ArithmeticOp::Divide, ArithmeticOp::Modulo, ArithmeticOp::Power];
        FieldExpr::Arithmetic(pick(self.random, &ops), Box::new(self.number(depth - 1)), Box::new(self.number(depth - 1)))
    }

    fn numeric(&mut self) -> Attribute {
        match self.random.below(8) {
            0 | 1 => Attribute::Intrinsic(Intrinsic::Duration),
            2 => Attribute::Intrinsic(pick(self.random, &[Intrinsic::TraceDuration, Intrinsic::EventTimeSinceStart, Intrinsic::ChildCount])),
            3 => Attribute::Named(Scope::Span, "http.status_code".to_owned()),
            4 => Attribute::Named(Scope::Span, "ratio".to_owned()),
            5 => Attribute::Named(Scope::Event, "a".to_owned()),
            _ => Attribute::Named(pick(self.random, &[Scope::Any, Scope::Span, Scope::Resource]), "a".to_owned()),
        }
    }

    fn attribute(&mut self) -> Attribute {
        if chance(self.random, 40) { Attribute::Intrinsic(pick(self.random, &Intrinsic::ALL)) } else { self.named() }
    }

    fn named(&mut self) -> Attribute {
        let names: [(&[Scope], &str); 13] = [
            (&[Scope::Any, Scope::Span, Scope::Resource, Scope::Event, Scope::Link], "a"),
            (&[Scope::Any, Scope::Span], "b"),
            (&[Scope::Any, Scope::Span], "http.status_code"),
            (&[Scope::Any, Scope::Span], "ok"),
            (&[Scope::Span], "ratio"),
            (&[Scope::Any, Scope::Span, Scope::Resource], "tags"),
            (&[Scope::Any, Scope::Span], "raw"),
            (&[Scope::Span], "map"),
            (&[Scope::Any, Scope::Span, Scope::Resource], "zone"),
            (&[Scope::Resource, Scope::Any], "service.name"),
            (&[Scope::Event, Scope::Link], "why"),
            (&[Scope::Instrumentation], "language"),
            (&[Scope::Any], "nobody"),
        ];
        let (scopes, name) = pick(self.random, &names);
        Attribute::Named(pick(self.random, scopes), name.to_owned())
    }

    fn series(&mut self, depth: usize) -> MetricsExpr {
        if depth == 0 || chance(self.random, 45) {
            let pipeline = if chance(self.random, 25) { self.pipeline(1) } else { Pipeline { stages: vec![Stage::Spanset(self.filter())] } };
            return MetricsExpr::Spans { pipeline, function: self.function() };
        }
        if chance(self.random, 60) {
            let stage = match self.random.below(5) {
                0 | 1 => SeriesStage::TopK(1 + self.random.below(4) as u32),
                2 => SeriesStage::BottomK(1 + self.random.below(4) as u32),
                _ => SeriesStage::Filter(pick(self.random, &ORDERINGS), pick(self.random, &[0.0, 1.0, 2.0, 0.0137, 0.731, 170.3])),
            };
            return MetricsExpr::Then(Box::new(self.series(depth - 1)), stage);
        }
        let op = pick(self.random, &[ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Multiply, ArithmeticOp::Divide]);
        let (mut left, mut right) = (self.series(depth - 1), self.series(depth - 1));
        match self.random.below(4) {
            0 => left = MetricsExpr::Number(pick(self.random, &[100.0, 0.25, -1.5])),
            1 => right = MetricsExpr::Number(pick(self.random, &[100.0, 0.0, -1.5])),
            _ => {}
        }
        MetricsExpr::Binary(op, Box::new(left), Box::new(right))
    }

    fn function(&mut self) -> MetricsFunction {
        let mut by: Vec<Attribute> = Vec::new();
        for _ in 0..pick(self.random, &[0, 0, 1, 1, 2, 3]) {
            let attribute = self.attribute();
            if !by.contains(&attribute) {
                by.push(attribute);
            }
        }
        match self.random.below(10) {
            0 | 1 => MetricsFunction::Rate { by },
            2 => MetricsFunction::CountOverTime { by },
            3..=6 => {
                let aggregate = pick(self.random, &[Aggregate::Min, Aggregate::Max, Aggregate::Sum, Aggregate::Avg]);
                MetricsFunction::OverTime { aggregate, field: self.field(), by }
            }
            7 | 8 => MetricsFunction::QuantileOverTime { field: self.field(), quantiles: pick(self.random, &[&[0.5][..], &[0.0, 0.9, 1.0]]).to_vec(), by },
            _ => MetricsFunction::HistogramOverTime { field: self.field(), by },
        }
    }

    fn field(&mut self) -> Attribute {
        if chance(self.random, 80) { self.numeric() } else { self.attribute() }
    }
}

/// Whether an attribute is missing, or is not; a service never is.
fn missing(op: CompareOp, field: Attribute) -> FieldExpr {
    let is_service = field == Attribute::Named(Scope::Resource, "service.name".to_owned());
    let op = if is_service { CompareOp::NotEqual } else { op };
    FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(field)), Box::new(FieldExpr::Static(Static::Nil)))
}
