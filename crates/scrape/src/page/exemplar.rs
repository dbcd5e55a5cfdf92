//! Exemplars: their identifiers, their length, and that each is stored once though a target shows it in many scrapes.

use signalbox_model::{Exemplar, Labels, SpanId, TraceId};
use xxhash_rust::xxh3::Xxh3Default;

use super::series::Series;
use crate::exposition::ExemplarText;
use crate::exposition::strict::EXEMPLAR_CHARS_MAX;

/// The exemplars of a sample that are new, for the series at `slot` of the batch. `default_ms` is the time of one that says none.
pub(super) fn fresh<'e>(series: &mut Series, slot: u32, default_ms: i64, exemplars: &'e [ExemplarText]) -> impl Iterator<Item = Exemplar> + use<'e> {
    let mut kept = Vec::new();
    let is_single = exemplars.len() == 1;
    let newest_before = series.last_exemplar;
    for exemplar in exemplars.iter().filter(|exemplar| chars(exemplar) <= EXEMPLAR_CHARS_MAX) {
        // The one exemplar of a float series is known by what it says, those of a histogram by their time.
        let mark = if is_single && !series.is_histogram { hash(exemplar) } else { exemplar.ts_ms.unwrap_or(default_ms).max(0) as u64 };
        let is_new = if is_single && !series.is_histogram { mark != newest_before } else { mark > newest_before };
        if is_new {
            series.last_exemplar = if series.is_histogram { series.last_exemplar.max(mark) } else { mark };
            kept.push(exemplar);
        }
    }
    kept.into_iter().map(move |exemplar| store(slot, default_ms, exemplar))
}

fn chars(exemplar: &ExemplarText) -> usize {
    exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum()
}

fn hash(exemplar: &ExemplarText) -> u64 {
    let mut hash = Xxh3Default::new();
    for (name, value) in &exemplar.labels {
        hash.update(name.as_bytes());
        hash.update(&[0xff]);
        hash.update(value.as_bytes());
        hash.update(&[0xff]);
    }
    hash.update(&exemplar.value.to_bits().to_le_bytes());
    hash.update(&exemplar.ts_ms.unwrap_or_default().to_le_bytes());
    // 0 is "there was none".
    hash.digest().max(1)
}

/// `trace_id` and `span_id` become identifiers if they are ones, all else stays a label.
fn store(series: u32, default_ms: i64, exemplar: &ExemplarText) -> Exemplar {
    let find = |wanted: &str| exemplar.labels.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let trace_id = find("trace_id").filter(|text| text.len() == 2 * TraceId::LEN).and_then(TraceId::from_hex);
    let span_id = find("span_id").filter(|text| text.len() == 2 * SpanId::LEN).and_then(SpanId::from_hex);
    let is_label = |name: &str| !(name == "trace_id" && trace_id.is_some() || name == "span_id" && span_id.is_some() || name.is_empty());
    let labels = exemplar.labels.iter().filter(|(name, _)| is_label(name)).map(|(name, value)| (name.as_str(), value.as_str()));
    Exemplar { series, ts_ms: exemplar.ts_ms.unwrap_or(default_ms), value: exemplar.value, trace_id, span_id, labels: Labels::from_pairs(labels) }
}
