//! `count_values`: how often each value occurs, the value as a label.

use std::sync::Arc;

use hashbrown::HashMap;
use signalbox_model::{Error, Histogram, Labels, Result};

use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::histogram;
use crate::promql::number::format_f;
use crate::promql::plan::{Aggregation, Grouping, Node};
use crate::promql::row::{Cell, Row, Steps};

pub(super) fn stream(evaluator: &Evaluator<'_>, aggregation: &Aggregation, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let label = match aggregation.param.as_ref().map(|param| &param.node) {
        Some(Node::Text(label)) => label.as_str(),
        _ => "",
    };
    if label.is_empty() {
        return Err(Error::invalid(format!("invalid label name {}", signalbox_lang::text::quote(label))));
    }
    let mut grouping = aggregation.grouping.clone();
    if !grouping.without {
        grouping.labels.push(label.to_owned());
    }
    let mut counts = Counts { places: HashMap::new(), rows: Vec::new(), steps: frame.steps };
    evaluator.stream(&aggregation.input, frame, &mut |row| {
        let before = counts.rows.len();
        counts.add(row, label, &grouping);
        let added = (counts.rows.len() - before) as u64;
        evaluator.hold(added * frame.steps as u64 * 8)
    })?;
    evaluator.give_back(counts.rows.len() as u64 * frame.steps as u64 * 8);
    counts.rows.iter_mut().try_for_each(sink)
}

struct Counts {
    places: HashMap<Labels, usize>,
    rows: Vec<Row>,
    steps: usize,
}

impl Counts {
    fn add(&mut self, row: &Row, label: &str, grouping: &Grouping) {
        // Neighbouring steps often have the same value.
        let mut latest: Option<(Value, usize)> = None;
        for step in 0..row.steps.len() {
            let Some(cell) = row.steps.get(step) else { continue };
            let value = Value::of(cell);
            let position = match &latest {
                Some((known, position)) if *known == value => *position,
                _ => {
                    let mut labels = row.labels.to_builder();
                    labels.set(label, &value.text());
                    self.position(grouping.key(&labels.build()))
                }
            };
            latest = Some((value, position));
            let steps = &mut self.rows[position].steps;
            let before = if steps.floats.get(step) { steps.values[step] } else { 0.0 };
            steps.set(step, before + 1.0);
        }
    }

    fn position(&mut self, key: Labels) -> usize {
        *self.places.entry(key).or_insert_with_key(|key| {
            self.rows.push(Row::new(key.clone(), Steps::empty(self.steps)));
            self.rows.len() - 1
        })
    }
}

#[derive(PartialEq)]
enum Value {
    /// By bits, so that NaN equals itself.
    Float(u64),
    Histogram(Arc<Histogram>),
}

impl Value {
    fn of(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Float(value) => Self::Float(value.to_bits()),
            Cell::Histogram(histogram) => Self::Histogram(Arc::clone(histogram)),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Float(bits) => format_f(f64::from_bits(*bits)),
            Self::Histogram(histogram) => histogram::to_text(histogram),
        }
    }
}
