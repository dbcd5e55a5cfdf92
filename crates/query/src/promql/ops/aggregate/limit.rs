//! `limitk` and `limit_ratio`: some series of each group, whatever their values.

use signalbox_lang::promql::AggregateOp;
use signalbox_model::{Error, Result};

use super::Groups;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::number::format_g;
use crate::promql::plan::Aggregation;
use crate::promql::row::Steps;
use crate::promql::sampling::place;

/// The parameter of `topk` and its like at all steps; `None` if nothing is wanted at any.
pub(super) fn count_param(evaluator: &Evaluator<'_>, aggregation: &Aggregation, frame: &Frame) -> Result<Option<Vec<usize>>> {
    let Some(param) = &aggregation.param else { return Ok(None) };
    let counts = evaluator.scalar(param, frame)?;
    if !counts.iter().any(|count| *count >= 1.0 || count.is_nan()) {
        return Ok(None);
    }
    if counts.iter().any(|count| count.is_nan()) {
        return Err(Error::invalid("Parameter value is NaN"));
    }
    if let Some(low) = counts.iter().find(|count| **count <= i64::MIN as f64) {
        return Err(Error::invalid(format!("Scalar value {} underflows int64", format_g(*low))));
    }
    if let Some(high) = counts.iter().find(|count| **count >= i64::MAX as f64) {
        return Err(Error::invalid(format!("Scalar value {} overflows int64", format_g(*high))));
    }
    // Negative numbers become 0.
    Ok(Some(counts.into_iter().map(|count| count as usize).collect()))
}

pub(super) fn stream(evaluator: &Evaluator<'_>, aggregation: &Aggregation, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    if aggregation.op == AggregateOp::LimitRatio {
        return ratio(evaluator, aggregation, frame, sink);
    }
    let Some(counts) = count_param(evaluator, aggregation, frame)? else { return Ok(()) };
    let (mut groups, mut taken) = (Groups::default(), Vec::<Vec<usize>>::new());
    evaluator.stream(&aggregation.input, frame, &mut |row| {
        let (group, is_new) = groups.find(&aggregation.grouping, &row.labels);
        if is_new {
            taken.push(vec![0; frame.steps]);
        }
        for (step, taken) in taken[group].iter_mut().enumerate() {
            if row.steps.has(step) {
                *taken += 1;
                if *taken > counts[step] {
                    row.steps.remove(step);
                }
            }
        }
        if row.steps.is_empty() { Ok(()) } else { sink(row) }
    })
}

fn ratio(evaluator: &Evaluator<'_>, aggregation: &Aggregation, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let Some(param) = &aggregation.param else { return Ok(()) };
    let ratios = evaluator.scalar(param, frame)?;
    if ratios.iter().all(|ratio| *ratio == 0.0) {
        return Ok(());
    }
    if ratios.iter().any(|ratio| ratio.is_nan()) {
        return Err(Error::invalid("Ratio value is NaN"));
    }
    let (most, least) = ratios.iter().fold((f64::MIN, f64::MAX), |(most, least), ratio| (most.max(*ratio), least.min(*ratio)));
    if most > 1.0 {
        evaluator.notes.invalid_ratio(most, 1.0, param.span);
    }
    if least < -1.0 {
        evaluator.notes.invalid_ratio(least, -1.0, param.span);
    }
    evaluator.stream(&aggregation.input, frame, &mut |row| {
        let place = place(&row.labels);
        keep(&mut row.steps, &ratios, place);
        if row.steps.is_empty() { Ok(()) } else { sink(row) }
    })
}

/// Keeps the steps whose ratio reaches the place of the series: from below, or from above when negative, so that `r` and
/// `r - 1` together are everything.
fn keep(steps: &mut Steps, ratios: &[f64], place: f64) {
    for (step, ratio) in ratios.iter().enumerate() {
        let ratio = ratio.clamp(-1.0, 1.0);
        let is_kept = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
        if !is_kept {
            steps.remove(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use signalbox_model::Labels;

    use super::*;

    #[test]
    fn a_ratio_and_its_complement_are_everything() {
        for index in 0..100 {
            let place = place(&Labels::from_pairs([("a", index.to_string())]));
            let kept = |ratio: f64| {
                let mut steps = Steps::constant(1.0, 1);
                keep(&mut steps, &[ratio], place);
                steps.count()
            };
            assert_eq!(kept(0.3) + kept(-0.7), 1);
            assert_eq!((kept(1.0), kept(-1.0), kept(0.0), kept(2.0)), (1, 1, 0, 1));
        }
    }
}
