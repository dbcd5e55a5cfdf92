//! The samples of a series as chunks by time, each of one kind of samples.

use signalbox_proto::remote_read::Chunk;
use signalbox_query::promql::SeriesSamples;

use super::{histogram_chunk, xor_chunk};

/// Samples of a chunk: as many as Prometheus' own chunks have.
const SAMPLES_MAX: usize = 120;
const XOR: i32 = 1;
const FLOAT_HISTOGRAM: i32 = 3;

/// Hands over the chunks of a series one by one.
pub(super) fn of(samples: &SeriesSamples<'_>, mut take: impl FnMut(Chunk)) {
    let (times, points) = (samples.ts_ms, samples.histograms);
    let (mut float, mut point) = (0, 0);
    while float < times.len() || point < points.len() {
        let next_point_ms = points.get(point).map_or(i64::MAX, |point| point.ts_ms);
        // A float goes before a histogram of the same instant.
        let before = times[float..].partition_point(|ts_ms| *ts_ms <= next_point_ms).min(SAMPLES_MAX);
        if before > 0 {
            let range = float..float + before;
            let data = xor_chunk::encode(&times[range.clone()], &samples.values[range.clone()]);
            take(Chunk { min_time_ms: times[float], max_time_ms: times[range.end - 1], r#type: XOR, data });
            float = range.end;
            continue;
        }
        let next_float_ms = times.get(float).copied().unwrap_or(i64::MAX);
        let mut end = point + 1;
        while end < points.len()
            && end - point < SAMPLES_MAX
            && points[end].ts_ms < next_float_ms
            && histogram_chunk::continues(&points[end - 1].histogram, &points[end].histogram)
        {
            end += 1;
        }
        let chunk = &points[point..end];
        let (min_time_ms, max_time_ms) = (points[point].ts_ms, points[end - 1].ts_ms);
        take(Chunk { min_time_ms, max_time_ms, r#type: FLOAT_HISTOGRAM, data: histogram_chunk::encode(chunk) });
        point = end;
    }
}
