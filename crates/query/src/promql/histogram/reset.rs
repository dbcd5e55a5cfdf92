//! Whether a counter was reset between two native histograms.

use signalbox_model::Histogram;
use signalbox_model::histogram::ResetHint;

use super::bucket::bound;
use super::{Entries, is_custom, negative, onto_bounds, positive, reduced, shared_bounds, zero_count_within};

/// Whether a histogram cannot have grown out of an earlier one. Its own hint decides if it has one.
pub(in crate::promql) fn is_reset(histogram: &Histogram, previous: &Histogram) -> bool {
    match histogram.reset_hint {
        ResetHint::Reset => return true,
        ResetHint::NotReset => return false,
        // A gauge is treated as a counter here; the caller warns.
        ResetHint::Unknown | ResetHint::Gauge => {}
    }
    if histogram.count < previous.count {
        return true;
    }
    if is_custom(histogram) {
        if !is_custom(previous) {
            return true;
        }
        if histogram.custom_values != previous.custom_values {
            let shared = shared_bounds(&histogram.custom_values, &previous.custom_values);
            let own = onto_bounds(&positive(histogram), &histogram.custom_values, &shared);
            return has_shrunk(&own, &onto_bounds(&positive(previous), &previous.custom_values, &shared));
        }
        return has_shrunk(&positive(histogram), &positive(previous));
    }
    if is_custom(previous) || histogram.schema > previous.schema || histogram.zero_threshold < previous.zero_threshold {
        return true;
    }
    let (zero_count, threshold) = if histogram.zero_threshold == previous.zero_threshold {
        (previous.zero_count, previous.zero_threshold)
    } else {
        zero_count_within(previous, histogram.zero_threshold)
    };
    if threshold != histogram.zero_threshold || histogram.zero_count < zero_count {
        return true;
    }
    let comparable = |entries: Entries, schema: i32| {
        let mut entries = reduced(&entries, schema, histogram.schema);
        entries.retain(|(index, _)| bound(*index, histogram.schema) > histogram.zero_threshold);
        entries
    };
    has_shrunk(&comparable(positive(histogram), histogram.schema), &comparable(positive(previous), previous.schema))
        || has_shrunk(&comparable(negative(histogram), histogram.schema), &comparable(negative(previous), previous.schema))
}

/// Whether some bucket counts less than before.
fn has_shrunk(entries: &[(i32, f64)], previous: &[(i32, f64)]) -> bool {
    let mut own = entries.iter().peekable();
    previous.iter().any(|(index, before)| {
        while own.next_if(|(candidate, _)| candidate < index).is_some() {}
        match own.peek() {
            Some((candidate, count)) if candidate == index => count < before,
            _ => *before != 0.0,
        }
    })
}
