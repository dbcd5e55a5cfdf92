//! What the store says about itself: how much of what it holds.

use signalbox_model::Table;
use signalbox_model::disk::Space;
use signalbox_telemetry::{names, registry};

use crate::tenants::Tenants;
use crate::write::append::Account;

/// Sets the gauges to what is held now.
pub(crate) fn report(tenants: &Tenants, account: &Account, deletions: usize, space: Option<Space>) {
    let (mut series, mut rows) = (0, [0usize; Table::ALL.len()]);
    let (mut count, mut bytes) = ([0usize; Table::ALL.len()], [0u64; Table::ALL.len()]);
    for (_, store) in tenants.all() {
        series += store.metrics.active_series();
        let (samples, histograms, exemplars) = store.metrics.rows();
        let held = [samples, histograms, exemplars, store.logs.buffered_rows(), store.spans.buffered_rows()];
        for (at, table) in Table::ALL.into_iter().enumerate() {
            rows[at] += held[at];
            for segment in store.segments(table) {
                count[at] += 1;
                bytes[at] += segment.record().bytes;
            }
        }
    }
    if let Some(space) = space {
        registry().gauge(names::STORE_DISK_AVAILABLE_BYTES, &[]).set(space.available_bytes as f64);
        registry().gauge(names::STORE_DISK_TOTAL_BYTES, &[]).set(space.total_bytes as f64);
    }
    registry().gauge(names::STORE_ACTIVE_SERIES, &[]).set(series as f64);
    registry().gauge(names::STORE_DELETIONS, &[]).set(deletions as f64);
    registry().gauge(names::STORE_HEAD_BYTES, &[]).set(account.unpublished_bytes() as f64);
    for (at, table) in Table::ALL.into_iter().enumerate() {
        let labels = [("table", table.as_str())];
        registry().gauge(names::STORE_HEAD_ROWS, &labels).set(rows[at] as f64);
        registry().gauge(names::STORE_SEGMENTS, &labels).set(count[at] as f64);
        registry().gauge(names::STORE_SEGMENT_BYTES, &labels).set(bytes[at] as f64);
    }
}
