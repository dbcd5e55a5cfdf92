//! Sealed head to segments.

use signalbox_model::{Exemplar, Labels, Result, TimeRange};

use super::Target;
use super::order::SortKey;
use super::points::{Point, PointsWriter};
use super::samples::SamplesWriter;
use crate::format::Segment;
use crate::read::metrics::run::Run;
use crate::snapshot::HistogramPoint;
use crate::write::head::metrics::Sealed;
use crate::write::head::metrics::shown::Shown;

/// Writes sealed buffers as at most one segment a table, durable when this returns; empty tables give none. On error no file
/// is left behind but orphans.
///
/// # Errors
/// Of the disk.
pub(crate) fn write(sealed: &Sealed, target: &mut Target<'_>) -> Result<Vec<Segment>> {
    let mut order: Vec<(SortKey, usize)> = sealed.labels.iter().enumerate().map(|(slot, labels)| (SortKey::of(labels), slot)).collect();
    order.sort_unstable();
    let series: Vec<(&Labels, &str, usize)> = order.iter().map(|(key, slot)| (&sealed.labels[*slot], key.json(), *slot)).collect();
    let everything = Shown::everything();
    let (samples, histograms, exemplars) = sealed.buffers.rows();
    let mut segments = Vec::new();
    if samples > 0 {
        segments.extend(write_samples(sealed, &series, target)?);
    }
    if histograms > 0 {
        segments.extend(write_points::<HistogramPoint>(&series, target, &|slot| sealed.buffers.read_histograms(slot, &everything, TimeRange::ALL))?);
    }
    if exemplars > 0 {
        segments.extend(write_points::<Exemplar>(&series, target, &|slot| sealed.buffers.read_exemplars(slot, &everything, TimeRange::ALL))?);
    }
    Ok(segments)
}

fn write_samples(sealed: &Sealed, series: &[(&Labels, &str, usize)], target: &mut Target<'_>) -> Result<Option<Segment>> {
    let mut writer = SamplesWriter::create(target)?;
    let (mut run, everything) = (Run::default(), Shown::everything());
    for (labels, json, slot) in series {
        sealed.buffers.read_samples(*slot, &everything, TimeRange::ALL, &mut run);
        if let Err(error) = writer.push(labels, json, run.ts_ms(), run.values(), run.start_ms()) {
            writer.abandon();
            return Err(error);
        }
    }
    writer.finish()
}

fn write_points<P: Point>(series: &[(&Labels, &str, usize)], target: &mut Target<'_>, read: &dyn Fn(usize) -> Vec<P>) -> Result<Option<Segment>> {
    let mut writer = PointsWriter::<P>::create(target)?;
    for (labels, _, slot) in series {
        if let Err(error) = writer.push(labels, &read(*slot)) {
            writer.abandon();
            return Err(error);
        }
    }
    writer.finish()
}
