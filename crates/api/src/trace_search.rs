//! Searches for traces by what one of their spans is and has, as Jaeger and Zipkin ask: a tree of TraceQL made of
//! parameters, and the whole traces that it finds.

use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Intrinsic, Pipeline, Query, Root, Scope, SpansetExpr, Stage, Static};
use signalbox_lang::traceql::{KIND_WORDS, STATUS_WORDS};
use signalbox_model::{Error, Result, Tenant, TimeRange};
use signalbox_query::Engine;
use signalbox_query::traceql::{Moment, SearchAnswer, SearchRequest, Trace};

const SERVICE_NAME: &str = "service.name";
/// Spans of all traces of one answer.
const SPANS_MAX: usize = 1_000_000;
/// Where tags of a span may be. Systems that keep all in tags do not tell these places apart.
const SCOPES: [Scope; 5] = [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];

/// A search for traces with one span that holds everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceSearch {
    /// Service of the span; the empty text for a span without one.
    pub service: Option<String>,
    /// Name of the span.
    pub name: Option<String>,
    /// OTLP span kind.
    pub kind: Option<i32>,
    /// How long the span takes at least, in nanoseconds.
    pub duration_min_ns: Option<i64>,
    /// How long the span takes at most, in nanoseconds.
    pub duration_max_ns: Option<i64>,
    /// What else.
    pub conditions: Vec<FieldExpr>,
    /// The span starts in this range.
    pub range: TimeRange,
    /// How many traces at most.
    pub limit: usize,
}

impl TraceSearch {
    /// A search that every span in a range holds.
    pub(crate) fn all(range: TimeRange, limit: usize) -> Self {
        Self { service: None, name: None, kind: None, duration_min_ns: None, duration_max_ns: None, conditions: Vec::new(), range, limit }
    }

    /// The question for the engine.
    pub(crate) fn query(&self) -> Query {
        let mut all = Vec::new();
        let service = || Attribute::Named(Scope::Resource, SERVICE_NAME.to_owned());
        match self.service.as_deref() {
            // A span without a service has no attribute to compare.
            Some("") => all.push(compare(service(), CompareOp::Equal, Static::Nil)),
            Some(name) => all.push(equal_text(service(), name)),
            None => {}
        }
        all.extend(self.name.as_deref().map(|name| equal_text(Attribute::Intrinsic(Intrinsic::Name), name)));
        all.extend(self.kind.map(|kind| compare(Attribute::Intrinsic(Intrinsic::Kind), CompareOp::Equal, Static::Kind(kind))));
        let duration = |op: CompareOp, ns: i64| compare(Attribute::Intrinsic(Intrinsic::Duration), op, Static::Duration(ns));
        all.extend(self.duration_min_ns.map(|ns| duration(CompareOp::GreaterEqual, ns)));
        all.extend(self.duration_max_ns.map(|ns| duration(CompareOp::LessEqual, ns)));
        all.extend(self.conditions.iter().cloned());
        let condition = all.into_iter().reduce(|left, right| FieldExpr::And(Box::new(left), Box::new(right)));
        Query { root: Root::Spansets(Pipeline { stages: vec![Stage::Spanset(SpansetExpr::Filter(condition))] }), hints: Vec::new() }
    }

    /// Asks, for summaries.
    ///
    /// # Errors
    /// Of the engine.
    pub(crate) async fn summaries(&self, engine: &Engine, moment: &Moment) -> Result<SearchAnswer> {
        let request = SearchRequest {
            query: self.query(),
            range: self.range,
            trace_duration_min_ns: None,
            trace_duration_max_ns: None,
            limit: self.limit,
            spans_per_set: 1,
        };
        engine.traceql_search_at(moment, request).await
    }

    /// Asks, for whole traces, newest first.
    ///
    /// # Errors
    /// Of the engine.
    pub(crate) async fn traces(&self, engine: &Engine, tenant: &Tenant) -> Result<Vec<Trace>> {
        let moment = engine.moment(tenant);
        let found = self.summaries(engine, &moment).await?;
        let mut traces = Vec::with_capacity(found.traces.len());
        let mut room = Room::default();
        for summary in &found.traces {
            if let Some(trace) = engine.trace_at(&moment, summary.trace_id).await? {
                room.take(&trace)?;
                traces.push(trace);
            }
        }
        Ok(traces)
    }
}

/// How many spans an answer that is not streamed may still have.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(SPANS_MAX)
    }
}

impl Room {
    /// Makes room for a trace.
    ///
    /// # Errors
    /// `Limit` if there is none.
    pub(crate) fn take(&mut self, trace: &Trace) -> Result<()> {
        let left = self.0.checked_sub(trace.spans.len());
        self.0 = left.ok_or_else(|| Error::limit(format!("the answer has more than {SPANS_MAX} spans: ask for fewer traces")))?;
        Ok(())
    }
}

/// A span, its resource, its scope, one of its events or links has this attribute, by the text of its value; or the span is so
/// where the name means a field, as systems that keep all in tags spell them.
pub(crate) fn tagged(name: &str, value: &str) -> FieldExpr {
    let values = readings(value);
    let mut either: Vec<FieldExpr> = field_named(name, value).into_iter().collect();
    for scope in SCOPES {
        let attribute = || Attribute::Named(scope, name.to_owned());
        either.extend(values.iter().map(|value| compare(attribute(), CompareOp::Equal, value.clone())));
    }
    any(either)
}

/// One of these.
pub(crate) fn any(either: Vec<FieldExpr>) -> FieldExpr {
    either.into_iter().reduce(|left, right| FieldExpr::Or(Box::new(left), Box::new(right))).unwrap_or(FieldExpr::Static(Static::Bool(false)))
}

/// `attribute op value`
pub(crate) fn compare(attribute: Attribute, op: CompareOp, value: Static) -> FieldExpr {
    FieldExpr::Compare(op, Box::new(FieldExpr::Attribute(attribute)), Box::new(FieldExpr::Static(value)))
}

fn equal_text(attribute: Attribute, text: &str) -> FieldExpr {
    compare(attribute, CompareOp::Equal, Static::Text(text.to_owned()))
}

/// Values of all types that have this text.
pub(crate) fn readings(text: &str) -> Vec<Static> {
    let mut readings = vec![Static::Text(text.to_owned())];
    if let Ok(number) = text.parse::<i64>() {
        // Compares with floating point too.
        readings.push(Static::Int(number));
    } else if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        readings.push(Static::Float(number));
    }
    readings.extend(text.parse::<bool>().ok().map(Static::Bool));
    readings
}

/// What a tag says of a field.
fn field_named(name: &str, value: &str) -> Option<FieldExpr> {
    let code = |words: &[&str]| {
        let position = words.iter().position(|word| word.eq_ignore_ascii_case(value)).filter(|position| *position > 0)?;
        i32::try_from(position).ok()
    };
    let intrinsic = |intrinsic: Intrinsic, value: Static| compare(Attribute::Intrinsic(intrinsic), CompareOp::Equal, value);
    let text = || Static::Text(value.to_owned());
    match name {
        "error" if value == "true" => Some(intrinsic(Intrinsic::Status, Static::Status(2))),
        "span.kind" => code(&KIND_WORDS).map(|kind| intrinsic(Intrinsic::Kind, Static::Kind(kind))),
        "otel.status_code" => code(&STATUS_WORDS).map(|status| intrinsic(Intrinsic::Status, Static::Status(status))),
        "otel.status_description" => Some(intrinsic(Intrinsic::StatusMessage, text())),
        "otel.scope.name" | "otel.library.name" => Some(intrinsic(Intrinsic::InstrumentationName, text())),
        "otel.scope.version" | "otel.library.version" => Some(intrinsic(Intrinsic::InstrumentationVersion, text())),
        "event" => Some(intrinsic(Intrinsic::EventName, text())),
        _ => {
            let key = name.strip_prefix("otel.scope.")?;
            let attribute = || Attribute::Named(Scope::Instrumentation, key.to_owned());
            Some(any(readings(value).into_iter().map(|value| compare(attribute(), CompareOp::Equal, value)).collect()))
        }
    }
}
