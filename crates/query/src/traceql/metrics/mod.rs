//! Metrics of spans: a pipeline chooses spans, a function makes series of them, further stages compute with these.
//!
//! Where one filter chooses, and the columns of spans say all that is asked, spans are counted in one pass over these columns
//! in the order of storage. Else whole traces are read, as many at a time as fit, and the pipeline is run over each. Spans
//! that start within the steps are counted, wherever in time those are that they are related to.

use std::collections::HashSet;

use arrow::array::{FixedSizeBinaryArray, RecordBatch, TimestampNanosecondArray};
use signalbox_lang::traceql::tree::{MetricsExpr, MetricsFunction, Pipeline, Root, Static};
use signalbox_model::{Error, Owners, Result, Table, TimeRange, TraceId, schema};
use signalbox_store::{ScanRequest, Snapshot};

use super::answer::{MetricsAnswer, MetricsRequest, SearchCost};
use super::columns::Columns;
use super::fields::{Fields, is_of_trace};
use super::gather::{Gatherer, Which};
use super::pipeline::{self, Set, Subject, needs_tree};
use super::search::{SLACK_NS, passable};
use super::sieve::Sieve;
use super::trace::Member;
use crate::Engine;
use crate::budget::Share;
use crate::leash::Leash;
use crate::rows::{Shared, column, trace_id};

mod collect;
mod compare;
mod exemplars;
mod groups;
mod log2;
mod series;
mod steps;

use collect::Collector;
use series::{Series, answered, combine, staged, with_number};
use steps::Steps;

/// Exemplars that a hint may ask for.
const EXEMPLARS_MAX: usize = 10_000;
/// Exemplars where a hint asks for some and the request does not say how many.
const EXEMPLARS_WANTED: usize = 100;
/// Traces that are read at a time at most.
const TRACES_TOGETHER: usize = 100_000;
/// Spans that are read at a time, about.
const SPANS_TOGETHER: u64 = 1_000_000;

impl Engine {
    /// Series of spans.
    ///
    /// # Errors
    /// `Invalid` for a search, for times that make no steps or too many, for a regular expression that is none; `Limit` for
    /// too many series or spans, `Unavailable` for too much memory; `Timeout`; of the disk.
    pub async fn traceql_metrics(&self, owners: impl Into<Owners>, request: MetricsRequest) -> Result<MetricsAnswer> {
        let (snapshot, share) = (self.store.snapshot(owners), Share::of(&self.budget));
        let text = request.query.to_string();
        let question = self.blocking(move |leash| {
            let Root::Metrics(expression) = &request.query.root else {
                return Err(Error::invalid("cannot make series: want a query with a metrics function, such as rate()"));
            };
            let asked = Asked { snapshot: &snapshot, steps: Steps::new(&request)?, exemplars_max: exemplars_max(&request), leash, share: &share };
            let mut answer = MetricsAnswer::default();
            let found = asked.evaluate(expression, &mut Vec::new(), &mut answer.cost)?;
            let series = match found {
                Found::Series(series) => series,
                Found::Number(number) => vec![Series { labels: Vec::new(), values: vec![number; asked.steps.count()], exemplars: Vec::new() }],
            };
            answer.series = answered(series, &asked.steps);
            Ok(answer)
        });
        self.watched("traceql", text, question).await
    }
}

/// `with(exemplars=…)` says whether there are any, or how many.
fn exemplars_max(request: &MetricsRequest) -> usize {
    let hint = request.query.hints.iter().find(|hint| hint.name == "exemplars").map(|hint| &hint.value);
    match hint {
        Some(Static::Bool(false)) => 0,
        Some(Static::Bool(true)) if request.exemplars_max == 0 => EXEMPLARS_WANTED,
        Some(Static::Int(wanted)) => usize::try_from(*wanted).unwrap_or(0).min(EXEMPLARS_MAX),
        _ => request.exemplars_max.min(EXEMPLARS_MAX),
    }
}

/// What is alike for all parts of a question.
struct Asked<'a> {
    snapshot: &'a Snapshot,
    steps: Steps,
    exemplars_max: usize,
    leash: &'a Leash,
    share: &'a Share,
}

enum Found {
    Number(f64),
    Series(Vec<Series>),
}

/// Functions over spans that were evaluated before.
type Known<'a> = Vec<(&'a MetricsExpr, Vec<Series>)>;

impl Asked<'_> {
    fn evaluate<'e>(&self, expression: &'e MetricsExpr, known: &mut Known<'e>, cost: &mut SearchCost) -> Result<Found> {
        Ok(match expression {
            MetricsExpr::Number(number) => Found::Number(*number),
            MetricsExpr::Spans { pipeline, function } => {
                if let Some((_, series)) = known.iter().find(|(other, _)| *other == expression) {
                    return Ok(Found::Series(series.clone()));
                }
                let series = match function {
                    MetricsFunction::Compare { .. } => self.compare(pipeline, function, cost)?,
                    _ => self.collect(pipeline, function, cost)?,
                };
                known.push((expression, series.clone()));
                Found::Series(series)
            }
            MetricsExpr::Then(inner, stage) => match self.evaluate(inner, known, cost)? {
                Found::Series(series) => Found::Series(staged(series, stage)),
                Found::Number(_) => return Err(Error::invalid("cannot choose among numbers: want series")),
            },
            MetricsExpr::Binary(op, left, right) => match (self.evaluate(left, known, cost)?, self.evaluate(right, known, cost)?) {
                (Found::Series(left), Found::Series(right)) => Found::Series(combine(*op, left, right)),
                (Found::Series(series), Found::Number(number)) => Found::Series(with_number(*op, series, number, false)),
                (Found::Number(number), Found::Series(series)) => Found::Series(with_number(*op, series, number, true)),
                (Found::Number(left), Found::Number(right)) => Found::Number(super::value::floats(*op, left, right)),
            },
        })
    }

    fn collect(&self, pipeline: &Pipeline, function: &MetricsFunction, cost: &mut SearchCost) -> Result<Vec<Series>> {
        let mut fields = Fields::default();
        let steps = pipeline::Stages::new(pipeline, &mut fields)?;
        let collector = Collector::new(function, &mut fields, self.steps, self.exemplars_max, self.share);
        let mut collector = collector.ok_or_else(|| Error::internal("cannot make series: the function is another one"))?;
        let sieve = Sieve::new(passable(&steps).as_ref(), &fields);
        let is_one_pass = steps.only_filter().is_some() && sieve.is_exact() && !fields.attributes().iter().any(is_of_trace);
        if is_one_pass {
            let slots: Vec<usize> = sieve.slots().iter().copied().chain(collector.slots()).collect();
            let columns = collector.columns();
            self.scan(&fields, &sieve, &slots, &columns, cost, |rows, columns, wanted| collector.add_rows(rows, columns, wanted))?;
        } else {
            self.each_span(&fields, &steps, &sieve, cost, |subject, span, member| {
                collector.add_span(member.start_ns, subject.trace.id, member.span_id, &|slot| subject.value(span, slot))
            })?;
        }
        collector.finish()
    }

    /// Hands batches to a visitor with the rows that pass and start within the steps.
    fn scan(
        &self,
        fields: &Fields,
        sieve: &Sieve,
        slots: &[usize],
        columns: &[&'static str],
        cost: &mut SearchCost,
        mut visit: impl FnMut(&RecordBatch, &Columns<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let range = self.steps.range();
        let (names, mut shared) = ([columns, &[schema::TIMESTAMP]].concat(), Shared::default());
        if sieve.is_none() {
            return Ok(());
        }
        let scan = sieve.narrow(fields.scan(slots, &names, ScanRequest::all(range)));
        let parts = self.snapshot.scan(Table::Spans, &scan)?;
        cost.parts += parts.len() as u64;
        cost.parts_total += parts.len() as u64;
        for part in parts {
            for rows in part.read()? {
                self.leash.check()?;
                let rows = rows?;
                cost.spans += rows.num_rows() as u64;
                let times: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
                let columns = Columns::of(&rows, fields, slots, &mut shared)?;
                let wanted = sieve.retain(&columns, (0..rows.num_rows()).filter(|row| range.contains_ns(times.value(*row))).collect());
                if !wanted.is_empty() {
                    visit(&rows, &columns, &wanted)?;
                }
            }
        }
        Ok(())
    }

    /// Hands the spans that a pipeline leaves and that start within the steps to a visitor, with their traces.
    fn each_span(
        &self,
        fields: &Fields,
        steps: &pipeline::Stages,
        sieve: &Sieve,
        cost: &mut SearchCost,
        mut visit: impl FnMut(&Subject<'_>, u32, &Member) -> Result<()>,
    ) -> Result<()> {
        let range = self.steps.range();
        let around = TimeRange::from_ns(range.start_ns.saturating_sub(SLACK_NS), range.end_ns.saturating_add(SLACK_NS));
        let ids = if sieve.is_all() { None } else { Some(self.candidates(fields, sieve, cost)?) };
        let mut gatherer = Gatherer::new(self.snapshot, fields, steps.is_structural() || needs_tree(fields), self.leash, self.share);
        let shares: Vec<Which<'_>> = match &ids {
            Some(ids) => ids.iter().map(Which::These).collect(),
            None => {
                let rows: u64 = self.snapshot.scan(Table::Spans, &ScanRequest::all(around))?.iter().map(|part| part.rows).sum();
                let count = rows.div_ceil(SPANS_TOGETHER).max(1);
                (0..count).map(|share| Which::Share(share, count)).collect()
            }
        };
        for which in shares {
            for trace in gatherer.gather(&which, around)? {
                self.leash.check()?;
                let subject = Subject::new(&trace, fields);
                let all = Set { spans: (0..trace.spans.len() as u32).collect(), attributes: Vec::new() };
                for span in steps.run(&subject, vec![all])?.into_iter().flat_map(|set| set.spans) {
                    let member = &trace.spans[span as usize];
                    if range.contains_ns(member.start_ns) {
                        visit(&subject, span, member)?;
                    }
                }
            }
        }
        cost.traces += gatherer.cost.traces;
        cost.spans += gatherer.cost.spans;
        Ok(())
    }

    /// Traces with a span within the steps that passes, so many together.
    fn candidates(&self, fields: &Fields, sieve: &Sieve, cost: &mut SearchCost) -> Result<Vec<HashSet<TraceId>>> {
        let mut found: HashSet<TraceId> = HashSet::new();
        self.scan(fields, sieve, sieve.slots(), &[schema::TRACE_ID], cost, |rows, _, wanted| {
            let ids: &FixedSizeBinaryArray = column(rows, schema::TRACE_ID)?;
            found.extend(wanted.iter().filter_map(|row| trace_id(ids, *row)));
            self.share.cover(found.len() as u64 * 32)
        })?;
        let all: Vec<TraceId> = found.into_iter().collect();
        Ok(all.chunks(TRACES_TOGETHER).map(|chunk| chunk.iter().copied().collect()).collect())
    }
}
