//! Several segments of one table to one.

use std::sync::Arc;

use signalbox_model::{Error, Exemplar, Labels, Result, Table, TimeRange};

use super::order::SortKey;
use super::points::{Point, PointsWriter};
use super::samples::SamplesWriter;
use super::segment::Cursor;
use super::{MetricSegment, Target};
use crate::format::Segment;
use crate::read::metrics::run::Run;
use crate::rollup::Rollup;
use crate::snapshot::HistogramPoint;

/// Merges segments of one table, oldest first: of two samples of one series and time that of the later segment stays. Reads
/// and writes piece by piece; memory is bounded by one row group and a few pages an input. What a rollup leaves out is counted in
/// it; it does not touch exemplars. Durable when this returns.
///
/// # Errors
/// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] if an input is damaged ([`MetricSegment::is_damaged`] says which).
pub(crate) fn merge(inputs: &[Arc<MetricSegment>], rollup: &mut Rollup<'_>, target: &mut Target<'_>) -> Result<Vec<Segment>> {
    let Some(table) = inputs.first().map(|input| input.record().table) else { return Ok(Vec::new()) };
    if inputs.iter().any(|input| input.record().table != table) {
        return Err(Error::internal("cannot merge segments of several tables"));
    }
    let merged = match table {
        Table::Samples => merge_samples(inputs, rollup, target)?,
        Table::Histograms => {
            let mut thin = |labels: &Labels, points: &mut Vec<HistogramPoint>| thin_histograms(rollup, labels, points);
            merge_points(inputs, target, &mut |cursor, ordinal| cursor.histograms(ordinal, TimeRange::ALL), &mut thin)?
        }
        Table::Exemplars => merge_points::<Exemplar>(inputs, target, &mut |cursor, ordinal| cursor.exemplars(ordinal, TimeRange::ALL), &mut |_, _| {})?,
        Table::Logs | Table::Spans => return Err(Error::internal(format!("cannot merge {}: not a table of metrics", table.as_str()))),
    };
    Ok(merged.into_iter().collect())
}

fn merge_samples(inputs: &[Arc<MetricSegment>], rollup: &mut Rollup<'_>, target: &mut Target<'_>) -> Result<Option<Segment>> {
    let mut writer = SamplesWriter::create(target)?;
    let mut run = Run::default();
    let merged = for_each_series(inputs, &mut |labels, json, pieces| {
        run.clear();
        for (cursor, ordinal) in pieces {
            if let Some(piece) = cursor.samples(*ordinal, TimeRange::ALL)? {
                run.overlay(piece.ts_ms(), &piece.values, &piece.start_ms);
            }
        }
        if let Some(thinning) = rollup.of(labels) {
            let before = run.ts_ms().len();
            let stays = thinning.samples(run.ts_ms(), run.values(), run.start_ms());
            run.retain(&stays);
            rollup.dropped += (before - run.ts_ms().len()) as u64;
        }
        writer.push(labels, json, run.ts_ms(), run.values(), run.start_ms())
    });
    match merged {
        Ok(()) => writer.finish(),
        Err(error) => {
            writer.abandon();
            Err(error)
        }
    }
}

fn merge_points<P: Point>(
    inputs: &[Arc<MetricSegment>],
    target: &mut Target<'_>,
    read: &mut dyn FnMut(&mut Cursor<'_>, u32) -> Result<Vec<P>>,
    thin: &mut dyn FnMut(&Labels, &mut Vec<P>),
) -> Result<Option<Segment>> {
    let mut writer = PointsWriter::<P>::create(target)?;
    let merged = for_each_series(inputs, &mut |labels, _, pieces| {
        let mut points = Vec::new();
        for (cursor, ordinal) in pieces {
            points.extend(read(cursor, *ordinal)?);
        }
        P::arrange(&mut points);
        thin(labels, &mut points);
        writer.push(labels, &points)
    });
    match merged {
        Ok(()) => writer.finish(),
        Err(error) => {
            writer.abandon();
            Err(error)
        }
    }
}

fn thin_histograms(rollup: &mut Rollup<'_>, labels: &Labels, points: &mut Vec<HistogramPoint>) {
    let Some(thinning) = rollup.of(labels) else { return };
    let before = points.len();
    let mut stays = thinning.histograms(points).into_iter();
    points.retain(|_| stays.next().unwrap_or(true));
    rollup.dropped += (before - points.len()) as u64;
}

/// Cursors that have a series, oldest first, with its ordinal in each.
type Pieces<'a, 'b> = [(&'a mut Cursor<'b>, u32)];

/// Walks the series of all inputs in their order.
fn for_each_series(inputs: &[Arc<MetricSegment>], visit: &mut dyn FnMut(&Labels, &str, &mut Pieces<'_, '_>) -> Result<()>) -> Result<()> {
    let mut cursors = inputs.iter().map(|input| input.sequential_cursor()).collect::<Result<Vec<_>>>()?;
    let head = |cursor: &Cursor<'_>, ordinal: u32| {
        let labels = ((ordinal as usize) < cursor.index.len()).then(|| cursor.index.labels(ordinal, &mut Vec::new()))?;
        Some((SortKey::of(&labels), labels, ordinal))
    };
    let mut heads: Vec<_> = cursors.iter().map(|cursor| head(cursor, 0)).collect();
    loop {
        let Some(least) = heads.iter().flatten().map(|(key, _, _)| key).min().cloned() else { return Ok(()) };
        let mut labels = None;
        let mut pieces: Vec<(&mut Cursor<'_>, u32)> = Vec::new();
        for (cursor, place) in cursors.iter_mut().zip(&mut heads) {
            if place.as_ref().is_none_or(|(key, _, _)| *key != least) {
                continue;
            }
            if let Some((_, own, ordinal)) = place.take() {
                *place = head(cursor, ordinal + 1);
                labels = Some(own);
                pieces.push((cursor, ordinal));
            }
        }
        if let Some(labels) = labels {
            visit(&labels, least.json(), &mut pieces)?;
        }
    }
}
