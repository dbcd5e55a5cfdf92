//! `info`: series get labels of info metrics (`target_info`, ...) that have the same `instance` and `job`.

use hashbrown::{HashMap, HashSet};
use signalbox_lang::promql::RangeEdges;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, MatchOp, Matcher, Result};

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::names::{braces, same_labels};
use crate::promql::ops::select::{Take, stream_taking};
use crate::promql::plan::{FunctionCall, Node, Place, Plan, RangeSource, Select};
use crate::promql::row::{Row, Steps};

/// The info metric that is meant when none is named.
const TARGET_INFO: &str = "target_info";
/// The labels by which series find their info series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

pub(super) fn stream(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let matchers = match call.args.get(1).map(|arg| &arg.node) {
        Some(Node::Select(select)) => select.matchers.as_slice(),
        Some(Node::Once(inner)) => match &inner.node {
            Node::Select(select) => select.matchers.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    let (named, of_data): (Vec<Matcher>, Vec<Matcher>) = matchers.iter().cloned().partition(|matcher| matcher.name == METRIC_NAME);
    let names = name_matchers(named)?;
    let base = evaluator.collect(&call.args[0], frame)?;
    let is_info = |row: &Row| names.iter().all(|matcher| matcher.matches(row.labels.metric_name()));
    let (infos, base): (Vec<Row>, Vec<Row>) = base.into_iter().partition(is_info);
    let place = first_place(&call.args[0]).unwrap_or(Place { offset_ms: 0, at_ms: None });
    let sources = Sources::read(evaluator, &base, names, &of_data, place, frame)?;
    let mut join = Join { sources: &sources, of_data: &of_data, results: Vec::new(), places: HashMap::new(), frame: *frame };
    for row in &base {
        join.enrich(row)?;
    }
    for row in &infos {
        join.pass(row)?;
    }
    evaluator.release(&base);
    evaluator.release(&infos);
    join.results.iter_mut().filter(|row| !row.steps.is_empty()).try_for_each(sink)
}

/// The matchers of the name that hold: only negative ones exclude from all info metrics.
fn name_matchers(mut named: Vec<Matcher>) -> Result<Vec<Matcher>> {
    if named.is_empty() {
        named.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
    } else if named.iter().all(|matcher| matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex)) {
        named.push(Matcher::new(METRIC_NAME, MatchOp::Regex, ".+_info")?);
    }
    Ok(named)
}

/// When the first selector of an expression looks: info series are those of that time. Subqueries around it shift it until
/// an `@` fixes it.
fn first_place(plan: &Plan) -> Option<Place> {
    match &plan.node {
        Node::Select(select) => Some(select.place),
        Node::Range(source) => place_of_range(source),
        Node::Over(over) => place_of_range(&over.source),
        Node::Call(call) => call.args.iter().find_map(first_place),
        Node::Aggregate(aggregation) => first_place(&aggregation.input).or_else(|| aggregation.param.as_ref().and_then(first_place)),
        Node::Binary(operation) => first_place(&operation.left).or_else(|| first_place(&operation.right)),
        Node::Negate(inner) | Node::Once(inner) => first_place(inner),
        Node::Number(_) | Node::Text(_) => None,
    }
}

fn place_of_range(source: &RangeSource) -> Option<Place> {
    match source {
        RangeSource::Selector { select, .. } => Some(select.place),
        RangeSource::Subquery { plan, place, .. } => first_place(plan).map(|inner| match inner.at_ms {
            Some(_) => inner,
            None => Place { offset_ms: inner.offset_ms.saturating_add(place.offset_ms), at_ms: place.at_ms },
        }),
    }
}

/// The info series that some series may need.
struct Sources {
    rows: Vec<Row>,
    /// By identifying labels: for each info metric the row that counts at each step.
    by_identity: HashMap<Labels, Vec<Vec<Option<usize>>>>,
}

fn identity(labels: &Labels) -> Labels {
    labels.keep(|name| IDENTIFYING.contains(&name))
}

impl Sources {
    fn read(evaluator: &Evaluator<'_>, base: &[Row], names: Vec<Matcher>, of_data: &[Matcher], place: Place, frame: &Frame) -> Result<Self> {
        let values = |label: &str| base.iter().filter_map(|row| row.labels.get(label)).map(str::to_owned).collect::<HashSet<String>>();
        let wanted = IDENTIFYING.map(|label| (label, values(label)));
        let mut rows: Vec<Row> = Vec::new();
        if wanted.iter().any(|(_, values)| !values.is_empty()) {
            let select = Select { matchers: names.into_iter().chain(of_data.iter().cloned()).collect(), place, edges: RangeEdges::Plain, tells_resets: false };
            stream_taking(evaluator, &select, frame, Take::TimeOfFloat, &mut |row| {
                if row.steps.has_histograms() {
                    return Err(Error::invalid(format!("this should be an info metric, with float samples: {}", braces(&row.labels))));
                }
                let is_wanted = wanted.iter().all(|(label, values)| values.is_empty() || row.labels.get(label).is_some_and(|value| values.contains(value)));
                if is_wanted {
                    rows.push(std::mem::take(row));
                }
                Ok(())
            })?;
        }
        let mut found: HashMap<Labels, HashMap<String, Vec<Option<usize>>>> = HashMap::new();
        for (position, row) in rows.iter().enumerate() {
            let of_metric = found.entry(identity(&row.labels)).or_default().entry(row.labels.metric_name().to_owned());
            let counting = of_metric.or_insert_with(|| vec![None; frame.steps]);
            for step in row.steps.floats.iter() {
                counting[step] = Some(newer(&rows, counting[step], position, step)?);
            }
        }
        let by_identity = found.into_iter().map(|(identity, of_metrics)| (identity, of_metrics.into_values().collect())).collect();
        Ok(Self { rows, by_identity })
    }
}

/// Of two info series of one metric and identity, the one with the newer sample; the values of rows are times in seconds.
fn newer(rows: &[Row], known: Option<usize>, candidate: usize, step: usize) -> Result<usize> {
    let Some(known) = known else { return Ok(candidate) };
    let (known_at, candidate_at) = (rows[known].steps.values[step], rows[candidate].steps.values[step]);
    if known_at == candidate_at {
        let ts_ms = (known_at * 1000.0).round() as i64;
        let (known, candidate) = (braces(&rows[known].labels), braces(&rows[candidate].labels));
        return Err(Error::invalid(format!("found duplicate series for info metric: existing {known} @ {ts_ms}, new {candidate} @ {ts_ms}")));
    }
    Ok(if known_at > candidate_at { known } else { candidate })
}

struct Join<'a> {
    sources: &'a Sources,
    of_data: &'a [Matcher],
    results: Vec<Row>,
    places: HashMap<Labels, usize>,
    frame: Frame,
}

impl Join<'_> {
    fn enrich(&mut self, row: &Row) -> Result<()> {
        let nobody = Vec::new();
        let partners = self.sources.by_identity.get(&identity(&row.labels)).unwrap_or(&nobody);
        // The same info series count for many steps.
        let mut latest: Option<(Vec<usize>, Option<usize>)> = None;
        for step in (0..self.frame.steps).filter(|step| row.steps.has(*step)) {
            let at_step: Vec<usize> = partners.iter().filter_map(|counting| counting[step]).collect();
            if latest.as_ref().is_none_or(|(known, _)| *known != at_step) {
                let result = self.labels(row, &at_step)?.map(|labels| self.place(labels, row.drop_name));
                latest = Some((at_step, result));
            }
            if let Some((_, Some(result))) = latest {
                self.put(result, row, step)?;
            }
        }
        Ok(())
    }

    /// Series of info metrics stay as they are.
    fn pass(&mut self, row: &Row) -> Result<()> {
        let result = self.place(row.labels.clone(), row.drop_name);
        (0..self.frame.steps).filter(|step| row.steps.has(*step)).try_for_each(|step| self.put(result, row, step))
    }

    /// Labels with those of the info series; `None` if labels are asked for that no info series has.
    fn labels(&self, row: &Row, partners: &[usize]) -> Result<Option<Labels>> {
        if partners.is_empty() && !self.of_data.iter().all(Matcher::matches_empty) {
            return Ok(None);
        }
        let mut added: Vec<(&str, &str)> = Vec::new();
        for (name, value) in partners.iter().flat_map(|partner| self.sources.rows[*partner].labels.iter()) {
            let is_asked_for = self.of_data.is_empty() || self.of_data.iter().any(|matcher| matcher.name == name);
            if name == METRIC_NAME || !is_asked_for {
                continue;
            }
            if added.iter().any(|(known, other)| *known == name && *other != value) {
                return Err(Error::invalid(format!("conflicting label: {name}")));
            }
            if row.labels.get(name).is_none() {
                added.push((name, value));
            }
        }
        let mut labels = row.labels.to_builder();
        added.into_iter().for_each(|(name, value)| {
            labels.set(name, value);
        });
        Ok(Some(labels.build()))
    }

    fn place(&mut self, labels: Labels, drop_name: bool) -> usize {
        *self.places.entry(labels).or_insert_with_key(|labels| {
            self.results.push(Row { labels: labels.clone(), drop_name, steps: Steps::empty(self.frame.steps) });
            self.results.len() - 1
        })
    }

    fn put(&mut self, result: usize, row: &Row, step: usize) -> Result<()> {
        let Some(cell) = row.steps.get(step) else { return Ok(()) };
        let into = &mut self.results[result].steps;
        if into.has(step) {
            return Err(same_labels());
        }
        into.put(step, cell);
        Ok(())
    }
}
