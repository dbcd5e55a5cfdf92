//! Vectors with vectors: series find their partners by a signature made of some of their labels.
//!
//! Who the partners are may change from step to step. Where a signature has one series on each side, which is nearly
//! always, the two are combined in one pass over all steps.

use hashbrown::HashMap;
use signalbox_lang::Span;
use signalbox_lang::promql::{BinaryOp, Cardinality, VectorMatching};
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, Labels, Result};

use super::arithmetic::{Combined, changes_metric, combine, compute};
use crate::promql::frame::Frame;
use crate::promql::names::{braces, is_metadata, same_labels};
use crate::promql::notes::Notes;
use crate::promql::plan::Operation;
use crate::promql::row::{Bitmap, Cell, Row, Steps};

/// The labels by which a series finds its partners.
pub(super) fn signature(labels: &Labels, matching: &VectorMatching) -> Labels {
    let is_listed = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.on { labels.keep(is_listed) } else { labels.keep(|name| name != METRIC_NAME && !is_listed(name)) }
}

/// Series of both sides with one signature.
#[derive(Default)]
struct Party {
    many: Vec<usize>,
    one: Vec<usize>,
}

/// An operation under way. "Many" is the left side unless the right one is grouped; "one" is the other.
struct Join<'a> {
    operation: &'a Operation,
    matching: &'a VectorMatching,
    many: Vec<Row>,
    one: Vec<Row>,
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    /// Steps at which anything can match: not those where one whole side is empty and nothing fills it.
    live: Bitmap,
    frame: Frame,
    span: Span,
    notes: &'a Notes,
    /// Results by labels, and by whether the name is to go.
    places: HashMap<(Labels, bool), usize>,
    results: Vec<Row>,
}

/// # Errors
/// `Invalid` where a series has several partners and the cardinality does not allow it.
pub(super) fn apply(
    operation: &Operation,
    matching: &VectorMatching,
    left: Vec<Row>,
    right: Vec<Row>,
    frame: &Frame,
    span: Span,
    notes: &Notes,
) -> Result<Vec<Row>> {
    let is_swapped = matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if is_swapped { (right, left) } else { (left, right) };
    // As in Prometheus the fill values are not swapped with the sides.
    let (fill_many, fill_one) = (matching.fill_left, matching.fill_right);
    let live = live_steps(&many, &one, fill_many.is_some() || fill_one.is_some(), frame);
    let mut parties: Vec<Party> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut party_of = |row: &Row, parties: &mut Vec<Party>| {
        *places.entry(signature(&row.labels, matching)).or_insert_with(|| {
            parties.push(Party::default());
            parties.len() - 1
        })
    };
    for (position, row) in many.iter().enumerate() {
        let party = party_of(row, &mut parties);
        parties[party].many.push(position);
    }
    for (position, row) in one.iter().enumerate() {
        let party = party_of(row, &mut parties);
        parties[party].one.push(position);
    }
    let mut join = Join { operation, matching, many, one, fill_many, fill_one, live, frame: *frame, span, notes, places: HashMap::new(), results: Vec::new() };
    for party in &parties {
        join.party(party)?;
    }
    Ok(join.results)
}

fn live_steps(many: &[Row], one: &[Row], is_filled: bool, frame: &Frame) -> Bitmap {
    let mut live = Bitmap::with_steps(frame.steps);
    if is_filled {
        (0..frame.steps).for_each(|step| live.set(step));
        return live;
    }
    let presence = |rows: &[Row]| {
        let mut present = Bitmap::with_steps(frame.steps);
        rows.iter().for_each(|row| (0..frame.steps).filter(|step| row.steps.has(*step)).for_each(|step| present.set(step)));
        present
    };
    let (many, one) = (presence(many), presence(one));
    many.iter().filter(|step| one.get(*step)).for_each(|step| live.set(step));
    live
}

impl Join<'_> {
    fn party(&mut self, party: &Party) -> Result<()> {
        if let ([many], [one]) = (party.many.as_slice(), party.one.as_slice())
            && self.fill_many.is_none()
            && self.fill_one.is_none()
        {
            return self.pair(*many, *one);
        }
        if party.one.is_empty() && self.fill_one.is_none() || party.many.is_empty() && self.fill_many.is_none() && party.one.len() < 2 {
            return Ok(());
        }
        // Which results each step has already: their labels must differ.
        let mut inserted: HashMap<Labels, Bitmap> = HashMap::new();
        for step in 0..self.frame.steps {
            if self.live.get(step) {
                self.step(party, step, &mut inserted)?;
            }
        }
        Ok(())
    }

    /// One series on each side.
    fn pair(&mut self, many: usize, one: usize) -> Result<()> {
        let (own, others) = (self.many[many].labels.clone(), self.one[one].labels.clone());
        let result = self.result(&own, &others, self.many[many].drop_name);
        let (many, one) = (&self.many[many].steps, &self.one[one].steps);
        let op = self.operation.op;
        let mut steps = std::mem::take(&mut self.results[result].steps);
        if changes_metric(op) && !many.has_histograms() && !one.has_histograms() && steps.is_empty() {
            let is_swapped = self.is_swapped();
            for (value, (many, one)) in steps.values.iter_mut().zip(many.values.iter().zip(&one.values)) {
                *value = if is_swapped { compute(op, *one, *many) } else { compute(op, *many, *one) };
            }
            many.floats.iter().filter(|step| one.floats.get(*step)).for_each(|step| steps.floats.set(step));
        } else {
            for step in 0..self.frame.steps {
                let (Some(many), Some(one)) = (many.get(step), one.get(step)) else { continue };
                self.put(&mut steps, step, many, one)?;
            }
        }
        self.results[result].steps = steps;
        Ok(())
    }

    fn step(&mut self, party: &Party, step: usize, inserted: &mut HashMap<Labels, Bitmap>) -> Result<()> {
        let present = |rows: &[Row], positions: &[usize]| positions.iter().copied().filter(|position| rows[*position].steps.has(step)).collect::<Vec<_>>();
        let (many, one) = (present(&self.many, &party.many), present(&self.one, &party.one));
        if let [first, second, ..] = one.as_slice() {
            return Err(self.duplicates(*first, *second));
        }
        let mut matched = false;
        for position in &many {
            let own = self.many[*position].labels.clone();
            match (one.first(), self.fill_one) {
                (Some(partner), _) => {
                    let others = self.one[*partner].labels.clone();
                    self.insert(step, own, &others, Some(*position), Some(*partner), inserted, &mut matched)?;
                }
                (None, Some(_)) => {
                    let others = signature(&own, self.matching);
                    self.insert(step, own, &others, Some(*position), None, inserted, &mut matched)?;
                }
                (None, None) => {}
            }
        }
        if let (false, [partner], Some(_)) = (matched, one.as_slice(), self.fill_many) {
            let others = self.one[*partner].labels.clone();
            let own = signature(&others, self.matching);
            self.insert(step, own, &others, None, Some(*partner), inserted, &mut matched)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the loop in `step`, apart only for its length")]
    fn insert(
        &mut self,
        step: usize,
        own: Labels,
        others: &Labels,
        many: Option<usize>,
        one: Option<usize>,
        inserted: &mut HashMap<Labels, Bitmap>,
        matched: &mut bool,
    ) -> Result<()> {
        let is_one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        let result = self.result(&own, others, many.is_some_and(|position| self.many[position].drop_name));
        let mut steps = std::mem::take(&mut self.results[result].steps);
        let many = many.map_or(self.fill_many.map(Cell::Float), |position| self.many[position].steps.get(step));
        let one = one.map_or(self.fill_one.map(Cell::Float), |position| self.one[position].steps.get(step));
        let outcome = match (many, one) {
            (Some(many), Some(one)) => self.combined(many, one),
            _ => None,
        };
        let Some(outcome) = outcome else {
            self.results[result].steps = steps;
            return Ok(());
        };
        if is_one_to_one {
            if *matched {
                return Err(Error::invalid("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"));
            }
        } else {
            let taken = inserted.entry(self.results[result].labels.clone()).or_insert_with(|| Bitmap::with_steps(self.frame.steps));
            if taken.get(step) {
                return Err(Error::invalid("multiple matches for labels: grouping labels must ensure unique matches"));
            }
            taken.set(step);
        }
        *matched = true;
        let done = self.keep(&mut steps, step, outcome);
        self.results[result].steps = steps;
        done
    }

    fn is_swapped(&self) -> bool {
        self.matching.cardinality == Cardinality::OneToMany
    }

    fn combined(&self, many: Cell<'_>, one: Cell<'_>) -> Option<(Combined, bool)> {
        let (left, right) = if self.is_swapped() { (one, many) } else { (many, one) };
        combine(self.operation.op, left, right, self.span, self.notes)
    }

    fn put(&self, steps: &mut Steps, step: usize, many: Cell<'_>, one: Cell<'_>) -> Result<()> {
        self.combined(many, one).map_or(Ok(()), |outcome| self.keep(steps, step, outcome))
    }

    fn keep(&self, steps: &mut Steps, step: usize, (value, is_true): (Combined, bool)) -> Result<()> {
        let value = if self.operation.return_bool { Combined::Float(f64::from(u8::from(is_true))) } else { value };
        if !is_true && !self.operation.return_bool {
            return Ok(());
        }
        if steps.has(step) {
            return Err(same_labels());
        }
        match value {
            Combined::Float(value) => steps.set(step, value),
            Combined::Histogram(histogram) => steps.set_histogram(step, histogram),
        }
        Ok(())
    }

    /// The position of the result for two series: results with equal labels are one series. A comparison that keeps the name
    /// of a series keeps that the name is to go, too.
    fn result(&mut self, own: &Labels, others: &Labels, drops_own: bool) -> usize {
        let (op, matching) = (self.operation.op, self.matching);
        let takes_name = matching.include.iter().any(|name| name == METRIC_NAME);
        let drop_name = self.operation.return_bool || drops_own && !changes_metric(op) && !takes_name;
        let labels = result_labels(own, others, op, matching);
        *self.places.entry((labels, drop_name)).or_insert_with_key(|(labels, _)| {
            let steps = Steps::empty(self.frame.steps);
            self.results.push(Row { labels: labels.clone(), drop_name, steps });
            self.results.len() - 1
        })
    }

    fn duplicates(&self, first: usize, second: usize) -> Error {
        let group = braces(&signature(&self.one[first].labels, self.matching));
        let side = if self.is_swapped() { "left" } else { "right" };
        let mut found = [braces(&self.one[first].labels), braces(&self.one[second].labels)];
        found.sort_unstable();
        let [first, second] = found;
        Error::invalid(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{first}, {second}];many-to-many matching not \
             allowed: matching labels must be unique on one side"
        ))
    }
}

fn result_labels(many: &Labels, one: &Labels, op: BinaryOp, matching: &VectorMatching) -> Labels {
    let is_listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let labels = many.keep(|name| {
        let is_kept = !(changes_metric(op) && is_metadata(name));
        is_kept && (matching.cardinality != Cardinality::OneToOne || is_listed(name) == matching.on)
    });
    if matching.include.is_empty() {
        return labels;
    }
    let mut labels = labels.to_builder();
    for name in &matching.include {
        labels.set(name, one.get(name).unwrap_or(""));
    }
    labels.build()
}
