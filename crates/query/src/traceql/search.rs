//! Searching: the newest traces of which a pipeline leaves something.
//!
//! First the columns of conditions are read, newest rows first, for the traces that may be answered: those with a span in the
//! range that the first stage can leave. Then the spans of these traces are read and the pipeline is run, until as many are
//! found as are wanted. A trace's spans are looked for from [`SLACK_NS`] before to [`SLACK_NS`] after its newest such span, those of
//! a trace that the query names everywhere.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use arrow::array::{FixedSizeBinaryArray, TimestampNanosecondArray};
use signalbox_lang::traceql::tree::{Answer, Attribute, Intrinsic, Root, SpansetOp};
use signalbox_model::{Error, Owners, Result, Table, TimeRange, TraceId, schema};
use signalbox_store::{ScanRequest, Snapshot};

use super::answer::{FoundSpan, SearchAnswer, SearchCost, SearchRequest, SpanSet, TraceSummary};
use super::columns::Columns;
use super::expr::Expr;
use super::fields::Fields;
use super::gather::{Gatherer, Which};
use super::pipeline::{Set, Spans, Stages, Subject, needs_tree};
use super::sieve::Sieve;
use super::trace::TraceSpans;
use crate::budget::Share;
use crate::leash::Leash;
use crate::rows::{Shared, column, trace_id};
use crate::{Engine, Settings};

/// How far from the newest span that may be answered other spans of its trace are looked for.
pub(super) const SLACK_NS: i64 = 3_600_000_000_000;
/// Traces that are looked at together, at first and at most.
const TOGETHER_MIN: usize = 32;
const TOGETHER_MAX: usize = 20_000;
/// Spans that one answer may tell of.
const TOLD_MAX: usize = 1_000_000;
/// Candidates at first where not each is an answer.
const CANDIDATES_MIN: usize = 256;

impl Engine {
    /// The newest traces of which a query leaves spans, newest start first.
    ///
    /// # Errors
    /// `Invalid` for a metrics query, a limit above the settings, a regular expression that is none; `Limit`, `Unavailable` for
    /// too many spans; `Timeout`; of the disk.
    pub async fn traceql_search(&self, owners: impl Into<Owners>, request: SearchRequest) -> Result<SearchAnswer> {
        self.traceql_search_at(&self.moment(owners), request).await
    }
}

impl SearchRequest {
    pub(super) fn check(&self, settings: &Settings) -> Result<()> {
        if self.limit as u64 > settings.results_max {
            return Err(Error::invalid(format!("cannot answer {} traces: want at most {}", self.limit, settings.results_max)));
        }
        Ok(())
    }
}

/// A search, ready to run.
pub(super) struct Plan {
    pub(super) fields: Fields,
    pub(super) steps: Stages,
    /// What a span that is answered passes.
    pub(super) sieve: Sieve,
    /// Whether every trace with a span that passes is answered.
    is_exact: bool,
    pub(super) needs_tree: bool,
}

impl Plan {
    pub(super) fn new(request: &SearchRequest) -> Result<Self> {
        let Root::Spansets(pipeline) = &request.query.root else {
            return Err(Error::invalid("cannot search by a metrics query: want one without a metrics function"));
        };
        let mut fields = Fields::default();
        let steps = Stages::new(pipeline, &mut fields)?;
        let sieve = Sieve::new(passable(&steps).as_ref(), &fields);
        let is_bounded = request.trace_duration_min_ns.is_some() || request.trace_duration_max_ns.is_some();
        let is_exact = steps.only_filter().is_some() && sieve.is_exact() && !is_bounded;
        let needs_tree = steps.is_structural() || needs_tree(&fields);
        Ok(Self { fields, steps, sieve, is_exact, needs_tree })
    }
}

/// What every span that a pipeline leaves holds; `None` if it may be any.
pub(super) fn passable(steps: &Stages) -> Option<Expr> {
    let all: Vec<Expr> = steps.spans().filter_map(of_spans).collect();
    (!all.is_empty()).then_some(Expr::And(all))
}

fn of_spans(spans: &Spans) -> Option<Expr> {
    match spans {
        Spans::Filter(filter) => filter.clone(),
        Spans::Pipeline(steps) => passable(steps),
        Spans::Chain(first, rest) => {
            // What each of these may leave; any of them.
            let mut either = vec![of_spans(first)];
            for (op, right) in rest {
                if let SpansetOp::Structural(_, Answer::Right | Answer::NotRight) = op {
                    either.clear();
                }
                either.push(of_spans(right));
            }
            either.into_iter().collect::<Option<Vec<Expr>>>().map(Expr::Or)
        }
    }
}

pub(super) fn search(snapshot: &Snapshot, request: &SearchRequest, leash: &Leash, share: &Share) -> Result<SearchAnswer> {
    let plan = Plan::new(request)?;
    let mut answer = SearchAnswer::default();
    if request.limit == 0 || plan.sieve.is_none() {
        return Ok(answer);
    }
    let mut gatherer = Gatherer::new(snapshot, &plan.fields, plan.needs_tree, leash, share);
    let mut wanted = if plan.is_exact { request.limit } else { CANDIDATES_MIN.max(request.limit.saturating_mul(2)) };
    let mut done = 0;
    loop {
        let (candidates, cost) = candidates(snapshot, &plan, request.range, wanted, leash)?;
        answer.cost = SearchCost { spans: answer.cost.spans.max(cost.spans), parts: cost.parts, parts_total: cost.parts_total, ..answer.cost };
        let is_all = candidates.len() < wanted;
        judge(&plan, request, &candidates[done..], &mut gatherer, &mut answer)?;
        done = candidates.len();
        if is_all || answer.traces.len() >= request.limit {
            break;
        }
        wanted = wanted.saturating_mul(8);
    }
    answer.cost.traces += gatherer.cost.traces;
    answer.cost.spans += gatherer.cost.spans;
    answer.traces.sort_by_key(|trace| (Reverse(trace.start_ns), trace.trace_id));
    Ok(answer)
}

/// Adds those of the candidates that are answered, until there are enough.
fn judge(plan: &Plan, request: &SearchRequest, candidates: &[(TraceId, i64)], gatherer: &mut Gatherer<'_>, answer: &mut SearchAnswer) -> Result<()> {
    let (mut rest, mut told) = (candidates, 0);
    // Few at first: they may be enough.
    let mut together = request.limit.clamp(TOGETHER_MIN, TOGETHER_MAX);
    while !rest.is_empty() && answer.traces.len() < request.limit {
        let (some, later) = rest.split_at(together.min(rest.len()));
        let ids: HashSet<TraceId> = some.iter().map(|(id, _)| *id).collect();
        // One trace that is named is looked for everywhere, as by its identifier alone.
        let starts = || some.iter().map(|(_, start_ns)| *start_ns);
        let (oldest, newest) = (starts().min().unwrap_or(i64::MIN), starts().max().unwrap_or(i64::MAX));
        let range = if plan.sieve.names_trace() { TimeRange::ALL } else { around(oldest, newest) };
        let traces: HashMap<TraceId, TraceSpans> = gatherer.gather(&Which::These(&ids), range)?.into_iter().map(|trace| (trace.id, trace)).collect();
        for (id, _) in some {
            if let Some(trace) = traces.get(id)
                && let Some(found) = summary(plan, request, trace)?
            {
                told += found.sets.iter().map(|set| set.spans.len()).sum::<usize>();
                if told > TOLD_MAX {
                    return Err(Error::limit(format!("the answer has more than {TOLD_MAX} spans: ask for fewer traces, or fewer spans of each")));
                }
                answer.traces.push(found);
                if answer.traces.len() == request.limit {
                    break;
                }
            }
        }
        rest = later;
        together = together.saturating_mul(4).min(TOGETHER_MAX);
    }
    Ok(())
}

pub(super) fn around(oldest_ns: i64, newest_ns: i64) -> TimeRange {
    TimeRange::from_ns(oldest_ns.saturating_sub(SLACK_NS), newest_ns.saturating_add(SLACK_NS))
}

/// The answer of a trace; `None` if the query leaves nothing of it that starts in the range.
fn summary(plan: &Plan, request: &SearchRequest, trace: &TraceSpans) -> Result<Option<TraceSummary>> {
    let duration_ns = trace.duration_ns();
    let is_too_short = request.trace_duration_min_ns.is_some_and(|min| duration_ns < min);
    if is_too_short || request.trace_duration_max_ns.is_some_and(|max| duration_ns > max) {
        return Ok(None);
    }
    let subject = Subject::new(trace, &plan.fields);
    let all = Set { spans: (0..trace.spans.len() as u32).collect(), attributes: Vec::new() };
    let sets = plan.steps.run(&subject, vec![all])?;
    let is_in_range = |span: &u32| request.range.contains_ns(trace.spans[*span as usize].start_ns);
    if !sets.iter().any(|set| set.spans.iter().any(is_in_range)) {
        return Ok(None);
    }
    let root = trace.root();
    Ok(Some(TraceSummary {
        trace_id: trace.id,
        start_ns: trace.start_ns(),
        duration_ns,
        root_service: root.map(|root| root.service.clone()),
        root_name: root.map(|root| root.name.clone()),
        services: trace.services(),
        sets: sets.into_iter().map(|set| told(&subject, set, &plan.fields, request.spans_per_set)).collect(),
    }))
}

/// A set as it is answered.
fn told(subject: &Subject<'_>, set: Set, fields: &Fields, spans_max: usize) -> SpanSet {
    let matched = set.spans.len() as u64;
    let spans_max = if spans_max == 0 { usize::MAX } else { spans_max };
    let found = |span: u32| {
        let member = &subject.trace.spans[span as usize];
        let shown = fields.attributes().iter().enumerate().filter(|(_, attribute)| is_shown(attribute));
        let values = shown.map(|(slot, attribute)| (attribute.clone(), subject.value(span, slot), fields.is_told_missing(slot)));
        FoundSpan {
            span_id: member.span_id,
            name: member.name.clone(),
            start_ns: member.start_ns,
            duration_ns: member.duration_ns,
            attributes: values
                .filter(|(_, value, is_told_missing)| *is_told_missing || !value.is_nil())
                .map(|(attribute, value, _)| (attribute, value.to_static()))
                .collect(),
        }
    };
    SpanSet {
        matched,
        attributes: set.attributes.into_iter().map(|(name, value)| (name, value.to_static())).collect(),
        spans: set.spans.into_iter().take(spans_max).map(found).collect(),
    }
}

/// What is part of every answer anyway is not told again.
pub(super) fn is_shown(attribute: &Attribute) -> bool {
    use Intrinsic::{Duration, Name, RootName, RootService, SpanId, TraceDuration, TraceId};
    !matches!(attribute, Attribute::Intrinsic(Name | Duration | TraceDuration | RootService | RootName | TraceId | SpanId))
}

/// Traces with the newest start of a span that passes, newest first.
pub(super) type Candidates = Vec<(TraceId, i64)>;

/// The traces whose newest span that passes is newest.
pub(super) fn candidates(snapshot: &Snapshot, plan: &Plan, range: TimeRange, wanted: usize, leash: &Leash) -> Result<(Candidates, SearchCost)> {
    let scan = plan.sieve.narrow(plan.fields.scan(plan.sieve.slots(), &[schema::TIMESTAMP, schema::TRACE_ID], ScanRequest::all(range)));
    let mut parts = snapshot.scan(Table::Spans, &scan)?;
    parts.sort_by_key(|part| Reverse(part.range.end_ns));
    let mut cost = SearchCost { parts_total: parts.len() as u64, ..SearchCost::default() };
    let (mut newest, mut settled_ns, mut shared) = (HashMap::new(), i64::MIN, Shared::default());
    for part in parts {
        if part.range.end_ns < settled_ns {
            break;
        }
        cost.parts += 1;
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            cost.spans += rows.num_rows() as u64;
            let (times, ids): (&TimestampNanosecondArray, &FixedSizeBinaryArray) = (column(&rows, schema::TIMESTAMP)?, column(&rows, schema::TRACE_ID)?);
            let columns = Columns::of(&rows, &plan.fields, plan.sieve.slots(), &mut shared)?;
            let is_near = |row: &usize| {
                let start_ns = times.value(*row);
                start_ns >= settled_ns && range.contains_ns(start_ns)
            };
            for row in plan.sieve.retain(&columns, (0..rows.num_rows()).filter(is_near).collect()) {
                let Some(id) = trace_id(ids, row) else { continue };
                let start_ns = times.value(row);
                newest.entry(id).and_modify(|newest: &mut i64| *newest = start_ns.max(*newest)).or_insert(start_ns);
            }
            if newest.len() >= wanted.saturating_mul(2) {
                settled_ns = keep_newest(&mut newest, wanted);
            }
        }
        if newest.len() >= wanted {
            settled_ns = keep_newest(&mut newest, wanted);
        }
    }
    let mut candidates = sorted(newest);
    candidates.truncate(wanted);
    Ok((candidates, cost))
}

/// Forgets all but the newest; answers the oldest time that is still wanted.
fn keep_newest(newest: &mut HashMap<TraceId, i64>, wanted: usize) -> i64 {
    let kept = sorted(std::mem::take(newest)).into_iter().take(wanted);
    newest.extend(kept);
    newest.values().copied().min().unwrap_or(i64::MIN)
}

fn sorted(newest: HashMap<TraceId, i64>) -> Candidates {
    let mut sorted: Candidates = newest.into_iter().collect();
    sorted.sort_by_key(|(trace_id, start_ns)| (Reverse(*start_ns), *trace_id));
    sorted
}
