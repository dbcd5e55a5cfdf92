//! `and`, `or`, `unless`: series of one side, depending on what the other has at the step.

use hashbrown::HashMap;
use signalbox_lang::promql::{BinaryOp, VectorMatching};
use signalbox_model::Labels;

use super::matching::signature;
use crate::promql::frame::Frame;
use crate::promql::row::{Bitmap, Row};

/// The result. Of `or`, series of both sides with equal labels become one when they do not overlap: with equal labels they
/// have equal signatures, so they never do.
pub(super) fn apply(op: BinaryOp, matching: &VectorMatching, mut left: Vec<Row>, mut right: Vec<Row>, frame: &Frame) -> Vec<Row> {
    if op == BinaryOp::Or {
        let present = presence(&left, matching, frame);
        for row in &mut right {
            if let Some(present) = present.get(&signature(&row.labels, matching)) {
                present.iter().for_each(|step| row.steps.remove(step));
            }
        }
        right.retain(|row| !row.steps.is_empty());
        return join(left, right);
    }
    let present = presence(&right, matching, frame);
    let keeps_present = op == BinaryOp::And;
    let nothing = Bitmap::with_steps(frame.steps);
    for row in &mut left {
        let present = present.get(&signature(&row.labels, matching)).unwrap_or(&nothing);
        (0..frame.steps).filter(|step| present.get(*step) != keeps_present).for_each(|step| row.steps.remove(step));
    }
    left
}

/// At which steps each signature has a series.
fn presence(rows: &[Row], matching: &VectorMatching, frame: &Frame) -> HashMap<Labels, Bitmap> {
    let mut present: HashMap<Labels, Bitmap> = HashMap::new();
    for row in rows {
        let steps = present.entry(signature(&row.labels, matching)).or_insert_with(|| Bitmap::with_steps(frame.steps));
        (0..frame.steps).filter(|step| row.steps.has(*step)).for_each(|step| steps.set(step));
    }
    present
}

fn join(mut left: Vec<Row>, right: Vec<Row>) -> Vec<Row> {
    // Series that differ only in a name that is to go are two.
    let place = |row: &Row| (row.labels.clone(), row.drop_name);
    let places: HashMap<(Labels, bool), usize> = left.iter().enumerate().map(|(position, row)| (place(row), position)).collect();
    for row in right {
        match places.get(&place(&row)) {
            None => left.push(row),
            Some(position) => {
                let into = &mut left[*position].steps;
                for step in 0..row.steps.len() {
                    if let Some(cell) = row.steps.get(step) {
                        into.put(step, cell);
                    }
                }
            }
        }
    }
    left
}
